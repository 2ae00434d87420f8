package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"log/slog"
	"math/big"
	"net"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	natsio "github.com/nats-io/nats.go"

	"wolkpipe/pipeline"
)

// authority signs certificates for 127.0.0.1.
type authority struct {
	s    *site
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

// newAuthority makes one, whose certificate is the site's file ca.pem.
func (s *site) newAuthority() *authority {
	s.t.Helper()
	a := &authority{s: s}
	der, key := a.sign(&x509.Certificate{
		Subject: pkix.Name{CommonName: "wolkpipe test authority"}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
		NotBefore: time.Now().Add(-48 * time.Hour), NotAfter: time.Now().Add(48 * time.Hour),
	})
	var err error
	if a.cert, err = x509.ParseCertificate(der); err != nil {
		s.t.Fatal(err)
	}
	a.key = key
	s.write("ca.pem", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})))
	return a
}

// sign makes a certificate and its key; the first signs itself.
func (a *authority) sign(template *x509.Certificate) (der []byte, key *ecdsa.PrivateKey) {
	a.s.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		a.s.t.Fatal(err)
	}
	template.SerialNumber = big.NewInt(time.Now().UnixNano())
	parent, by := a.cert, a.key
	if parent == nil {
		parent, by = template, key
	}
	if der, err = x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, by); err != nil {
		a.s.t.Fatal(err)
	}
	return der, key
}

// issue gives a certificate that ends then, and writes it and its key to files.
func (a *authority) issue(name string, end time.Time) (pair tls.Certificate, cert, key string) {
	a.s.t.Helper()
	der, private := a.sign(&x509.Certificate{
		Subject: pkix.Name{CommonName: "wolkpipe test"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, KeyUsage: x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}, NotBefore: time.Now().Add(-24 * time.Hour), NotAfter: end,
	})
	pkcs8, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		a.s.t.Fatal(err)
	}
	a.s.write(name+".pem", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})))
	a.s.write(name+".key", string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8})))
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: private}, a.s.path(name + ".pem"), a.s.path(name + ".key")
}

// front is a proxy before the simulator that speaks TLS with the certificate
// that it is given, a handshake for each call, and counts what is sent in plain
// text.
type front struct {
	server *httptest.Server

	mu    sync.Mutex
	pair  tls.Certificate
	plain int // connections that began with anything but a handshake
}

func newFront(t *testing.T, to string, pair tls.Certificate) *front {
	t.Helper()
	u, err := url.Parse(to)
	if err != nil {
		t.Fatal(err)
	}
	f := &front{pair: pair, server: httptest.NewUnstartedServer(httputil.NewSingleHostReverseProxy(u))}
	f.server.Listener = &sniffer{f.server.Listener, f}
	f.server.TLS = &tls.Config{GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) {
		f.mu.Lock()
		defer f.mu.Unlock()
		return &tls.Config{Certificates: []tls.Certificate{f.pair}}, nil
	}}
	f.server.Config.SetKeepAlivesEnabled(false)
	f.server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError) // of handshakes that clients break off
	f.server.StartTLS()
	t.Cleanup(f.server.Close)
	return f
}

func (f *front) shows(pair tls.Certificate) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.pair = pair
}

// sniffer looks at the first byte of each connection.
type sniffer struct {
	net.Listener
	front *front
}

func (l *sniffer) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &sniffed{Conn: conn, front: l.front}, nil
}

// handshake begins what a client of TLS sends.
const handshake = 0x16

type sniffed struct {
	net.Conn
	front *front
	once  sync.Once
}

func (c *sniffed) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if n > 0 {
		c.once.Do(func() {
			if b[0] != handshake {
				c.front.mu.Lock()
				defer c.front.mu.Unlock()
				c.front.plain++
			}
		})
	}
	return n, err
}

// TestCertificatesExpire has the certificates of the source and of NATS expire,
// at the start and in the middle of work: it is told so, nothing is ever sent in
// plain text, and renewing them is all that is needed to go on.
func TestCertificatesExpire(t *testing.T) {
	endures(t)
	t.Parallel()
	a := adverseSite(t, "certificates expired", 18, "ventas")
	ca := a.newAuthority()
	expired, expiredCert, expiredKey := ca.issue("expired", time.Now().Add(-time.Hour))
	valid, validCert, validKey := ca.issue("valid", time.Now().Add(24*time.Hour))
	source := newFront(t, a.url, expired)
	a.url = source.server.URL
	a.env = append(a.env, "SSL_CERT_FILE="+a.path("ca.pem"), "SSL_CERT_DIR=/nonexistent")
	secure := func(cert, key string) string { return fmt.Sprintf("tls: {cert_file: %q, key_file: %q}", cert, key) }
	nats := newNATS(t, secure(expiredCert, expiredKey))
	nats.start()
	a.nats, a.options = "tls://"+nats.address, []natsio.Option{natsio.RootCAs(a.path("ca.pem"))}
	a.configure(adverseSince, adverseGrid.String(), fmt.Sprintf("nats: {url: %q}", a.nats), "status: {listen: \"127.0.0.1:0\"}")
	a.times++
	a.refused("certificate has expired", "renew the server's certificate, or set this machine's clock")

	restart := func(more string) {
		nats.kill()
		nats.configure(more)
		nats.start()
	}
	restart(secure(validCert, validKey))
	p := a.start()
	a.times++
	lapsed := func(s pipeline.Status) bool {
		e := operation(t, s, "ventas").Error
		return strings.Contains(e, "certificate has expired") && strings.Contains(e, "have the source's certificate renewed")
	}
	a.status(p, lapsed)
	if n := a.calls(); n > 0 {
		t.Errorf("%d calls went through a certificate that has expired", n)
	}
	source.shows(valid)
	a.works(p, 3)
	source.shows(expired)
	a.times++
	a.status(p, lapsed)
	source.shows(valid)
	a.works(p, 3)

	restart(secure(expiredCert, expiredKey))
	a.times++
	a.unready(p, "certificate has expired")
	restart("") // as if somebody had let TLS be
	a.times++
	a.unready(p, "secure connection")
	a.memory(p)
	restart(secure(validCert, validKey))
	a.converges(p, adverseSince, adverseGrid, time.Now())
	source.mu.Lock()
	defer source.mu.Unlock()
	if source.plain > 0 {
		t.Errorf("%d connections to the source began in plain text", source.plain)
	}
}
