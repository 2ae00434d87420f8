package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nkeys"

	"wolkpipe/pipeline/chat7/chat7sim"
)

// TestClusterPreflight starts on a cluster that speaks TLS and takes .creds:
// with none of them, without its majority, with nothing on it, and with streams
// and buckets that somebody has set otherwise.
func TestClusterPreflight(t *testing.T) {
	t.Parallel()
	s := newSite(t, chat7sim.Options{Scenario: busy(), Seed: 6})
	cert, key := s.certificate()
	accounts, creds := s.operatorMode()
	cluster := startCluster(t, accounts+fmt.Sprintf("tls: {cert_file: %q, key_file: %q}\n", cert, key), nats.RootCAs(cert), nats.UserCredentials(creds))
	configure := func(more string) {
		s.configure(yesterday(), "1h", fmt.Sprintf("nats: {url: %q, replicas: 3%s}", cluster.url(), more), "status: {listen: \"127.0.0.1:0\"}")
	}
	tls := fmt.Sprintf(", tls: {ca: %q}", cert)
	refused := func(t *testing.T, wants ...string) {
		t.Helper()
		code, stdout, stderr := s.run("run", "-c", "wolkpipe.yaml")
		if code != 1 || stdout != "" {
			t.Errorf("it exits %d: %s%s", code, stdout, stderr)
		}
		for _, want := range wants {
			if !strings.Contains(stderr, want) {
				t.Errorf("it does not say %q: %s", want, stderr)
			}
		}
	}
	configure(tls)
	t.Run("no credentials", func(t *testing.T) {
		refused(t, "Authorization Violation: set nats.credentials to a .creds file of the account")
	})
	configure(fmt.Sprintf(", credentials: %q", creds))
	t.Run("no authority", func(t *testing.T) { refused(t, "certificate signed by unknown authority") })
	configure(tls + fmt.Sprintf(", credentials: %q", creds))

	t.Run("no majority", func(t *testing.T) {
		cluster.nodes[0].kill()
		cluster.nodes[1].kill()
		p := s.start()
		p.says("nats: not ready yet; trying again")
		cluster.start(0)
		cluster.start(1)
		p.says(`"msg":"running"`)
		s.status(p, complete)
		p.signal(syscall.SIGTERM)
		p.exits(0)
		s.checkSecrets(p)
	})
	t.Run("made", func(t *testing.T) {
		cluster.whole()
		all, err := cluster.streams(t.Context())
		if err != nil || len(all) != 6 {
			t.Fatalf("%d streams and buckets, want 4 and 2: %v", len(all), err)
		}
		for _, info := range all {
			if c := info.Config; c.Replicas != 3 || c.Storage != jetstream.FileStorage || c.MaxAge != 0 {
				t.Errorf("%s has %d replicas in %v, max age %v", c.Name, c.Replicas, c.Storage, c.MaxAge)
			}
		}
	})
	t.Run("wrong settings", func(t *testing.T) {
		wrong := []struct {
			stream, says string
			set          func(*jetstream.StreamConfig)
		}{
			{"CHAT7_EVENTS", "max_age 1h0m0s and must have none: nats stream edit CHAT7_EVENTS --max-age=0", func(c *jetstream.StreamConfig) { c.MaxAge = time.Hour }},
			{"CHAT7_EVENTS", "allow_atomic false and must have true: nats stream edit CHAT7_EVENTS --allow-batch", func(c *jetstream.StreamConfig) { c.AllowAtomicPublish = false }},
			{"CHAT7_JOURNAL", "max_bytes 67108864 and must have none: nats stream edit CHAT7_JOURNAL --max-bytes=-1", func(c *jetstream.StreamConfig) { c.MaxBytes = 64 << 20 }},
			{"CHAT7_JOURNAL", "allow_direct true and must have false: nats stream edit CHAT7_JOURNAL --no-allow-direct", func(c *jetstream.StreamConfig) { c.AllowDirect = true }},
			{"CHAT7_QUARANTINE", "num_replicas 1 and must have 3: nats stream edit CHAT7_QUARANTINE --replicas=3", func(c *jetstream.StreamConfig) { c.Replicas = 1 }},
			{"CHAT7_POISON", "retention Interest and must have Limits: nats stream edit CHAT7_POISON --retention=limits", func(c *jetstream.StreamConfig) { c.Retention = jetstream.InterestPolicy }},
			{"KV_CHAT7_STATE", "num_replicas 1 and must have 3: nats stream edit KV_CHAT7_STATE --replicas=3", func(c *jetstream.StreamConfig) { c.Replicas = 1 }},
			{"KV_CHAT7_LEASES", "max_age 24h0m0s and must have none: nats stream edit KV_CHAT7_LEASES --max-age=0", func(c *jetstream.StreamConfig) { c.MaxAge = 24 * time.Hour }},
		}
		before, changed, says := map[string]jetstream.StreamConfig{}, map[string]jetstream.StreamConfig{}, []string{}
		for _, w := range wrong {
			if _, ok := before[w.stream]; !ok {
				stream, err := cluster.js.Stream(t.Context(), w.stream)
				if err != nil {
					t.Fatal(err)
				}
				before[w.stream] = stream.CachedInfo().Config
				changed[w.stream] = before[w.stream]
			}
			config := changed[w.stream]
			w.set(&config)
			changed[w.stream] = config
			says = append(says, "stream "+w.stream+" has "+w.says)
		}
		s.set(cluster, changed)
		refused(t, says...)
		for name, want := range changed {
			stream, err := cluster.js.Stream(t.Context(), name)
			if err != nil {
				t.Fatal(err)
			}
			have := stream.CachedInfo().Config
			if have.Replicas != want.Replicas || have.MaxAge != want.MaxAge || have.Retention != want.Retention || have.MaxBytes != want.MaxBytes ||
				have.AllowAtomicPublish != want.AllowAtomicPublish || have.AllowDirect != want.AllowDirect {
				t.Errorf("%s was changed to %+v", name, have)
			}
		}
		s.set(cluster, before)
		p := s.start()
		s.status(p, complete)
		p.signal(syscall.SIGTERM)
		p.exits(0)
	})
}

// set gives streams other settings, by making those anew that cannot be
// changed to them.
func (s *site) set(cluster *natsCluster, all map[string]jetstream.StreamConfig) {
	s.t.Helper()
	for name, config := range all {
		cluster.await("the settings of "+name, func(ctx context.Context) error {
			_, err := cluster.js.UpdateStream(ctx, config)
			if err != nil && name == "CHAT7_POISON" {
				_ = cluster.js.DeleteStream(ctx, name)
				_, err = cluster.js.CreateStream(ctx, config)
			}
			return err
		})
	}
}

// certificate writes a certificate for 127.0.0.1 that signs itself.
func (s *site) certificate() (cert, key string) {
	s.t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		s.t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "wolkpipe test"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		s.t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		s.t.Fatal(err)
	}
	s.write("cert.pem", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})))
	s.write("key.pem", string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8})))
	return s.path("cert.pem"), s.path("key.pem")
}

// operatorMode gives the part of a server's configuration that lets accounts
// in which an operator has signed, and the .creds of a user of one of them.
func (s *site) operatorMode() (conf, creds string) {
	s.t.Helper()
	pair := func(prefix nkeys.PrefixByte) (nkeys.KeyPair, string) {
		k, err := nkeys.CreatePair(prefix)
		if err != nil {
			s.t.Fatal(err)
		}
		public, err := k.PublicKey()
		if err != nil {
			s.t.Fatal(err)
		}
		return k, public
	}
	sign := func(c jwt.Claims, by nkeys.KeyPair) string {
		text, err := c.Encode(by)
		if err != nil {
			s.t.Fatal(err)
		}
		return text
	}
	operator, operatorID := pair(nkeys.PrefixByteOperator)
	_, systemID := pair(nkeys.PrefixByteAccount)
	account, accountID := pair(nkeys.PrefixByteAccount)
	user, userID := pair(nkeys.PrefixByteUser)
	claims := jwt.NewOperatorClaims(operatorID)
	claims.SystemAccount = systemID
	system, ours := jwt.NewAccountClaims(systemID), jwt.NewAccountClaims(accountID)
	ours.Limits.JetStreamLimits = jwt.JetStreamLimits{MemoryStorage: jwt.NoLimit, DiskStorage: jwt.NoLimit, Streams: jwt.NoLimit, Consumer: jwt.NoLimit}
	seed, err := user.Seed()
	if err != nil {
		s.t.Fatal(err)
	}
	text, err := jwt.FormatUserConfig(sign(jwt.NewUserClaims(userID), account), seed)
	if err != nil {
		s.t.Fatal(err)
	}
	creds = filepath.Join(s.dir, "wolkpipe.creds")
	if err := os.WriteFile(creds, text, 0o600); err != nil {
		s.t.Fatal(err)
	}
	conf = fmt.Sprintf("operator: %s\nsystem_account: %s\nresolver: MEMORY\nresolver_preload: {%s: %s, %s: %s}\n",
		sign(claims, operator), systemID, systemID, sign(system, operator), accountID, sign(ours, operator))
	return conf, creds
}
