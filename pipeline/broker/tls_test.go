package broker

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
)

// certificate writes a certificate for 127.0.0.1 that signs itself.
func certificate(t *testing.T) (cert, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "wolkpipe test"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	cert, key = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	for path, block := range map[string]*pem.Block{
		cert: {Type: "CERTIFICATE", Bytes: der}, key: {Type: "PRIVATE KEY", Bytes: pkcs8},
	} {
		if err := os.WriteFile(path, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return cert, key
}

func TestTLS(t *testing.T) {
	cert, key := certificate(t)
	s := begin(t, Options{Listen: "0.0.0.0:0", TLS: TLS{CA: cert, Cert: cert, Key: key}, Anonymous: true})
	asOwner(t, s) // within the process, without it
	if !strings.HasPrefix(s.URL(), "tls://") {
		t.Errorf("URL %s", s.URL())
	}
	if _, err := nats.Connect(s.URL()); err == nil {
		t.Error("a client that does not know the authority connects")
	}
	if _, err := nats.Connect(strings.Replace(s.URL(), "tls://", "nats://", 1), nats.Secure(nil)); err == nil {
		t.Error("a client without TLS connects")
	}
	nc, err := Dial(RemoteOptions{URL: s.URL(), TLS: TLS{CA: cert}, Logger: quiet})
	if err != nil {
		t.Fatal(err)
	}
	nc.Close()
	nc, err = Attach(s.dir, RemoteOptions{TLS: TLS{CA: cert, Cert: cert, Key: key}, Logger: quiet})
	if err != nil {
		t.Fatal(err)
	}
	if n := count(t, on(t, nc), PoisonStream); n != 0 {
		t.Errorf("the poison stream has %d messages", n)
	}
	nc.Close()
}

func TestTLSFilesThatAreWrong(t *testing.T) {
	cert, key := certificate(t)
	for want, files := range map[string]TLS{
		"nats.tls.ca":         {CA: "/missing.pem"},
		"no PEM":              {CA: os.Args[0]},
		"cert and key":        {Cert: cert},
		"certificate " + cert: {Cert: cert, Key: cert},
		"nats.tls:":           {CA: cert, Key: key},
	} {
		_, err := Start(t.Context(), Options{Dir: t.TempDir(), Listen: "127.0.0.1:0", TLS: files, Logger: quiet})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v, want %q", files, err, want)
		}
	}
}
