package broker

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"strconv"
	"time"
)

// Options are the settings of the embedded server.
type Options struct {
	// Dir is the data folder; it is made if missing.
	Dir string

	// Listen is host:port; port 0 takes any free one. Empty: no listener,
	// the server is reached through [Server.Connect] alone.
	Listen string

	// AllowRemote permits a Listen beyond loopback without TLS.
	AllowRemote bool

	// Anonymous lets connections without credentials subscribe to events,
	// read the info of the stream of events and consume it with consumers of
	// any kind whose deliveries go to an inbox. They can do nothing else.
	Anonymous bool

	// TLS, with a certificate, makes the listener speak TLS only.
	TLS TLS

	Logger *slog.Logger     // nil: slog.Default()
	Now    func() time.Time // nil: time.Now
}

// TLS names PEM files; the zero value is no TLS beyond the system's.
type TLS struct {
	CA   string // authorities to trust in place of the system's
	Cert string // own certificate, with Key
	Key  string
}

// config loads the files; nil where none is named.
func (t TLS) config() (*tls.Config, error) {
	if t == (TLS{}) {
		return nil, nil
	}
	c := &tls.Config{MinVersion: tls.VersionTLS12}
	if t.CA != "" {
		pem, err := os.ReadFile(t.CA)
		if err != nil {
			return nil, fmt.Errorf("nats.tls.ca: %w", err)
		}
		c.RootCAs = x509.NewCertPool()
		if !c.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("nats.tls.ca: %s holds no PEM certificate", t.CA)
		}
	}
	if (t.Cert == "") != (t.Key == "") {
		return nil, errors.New("nats.tls: cert and key go together: give both or neither")
	}
	if t.Cert != "" {
		pair, err := tls.LoadX509KeyPair(t.Cert, t.Key)
		if err != nil {
			return nil, fmt.Errorf("nats.tls: certificate %s with key %s: %w", t.Cert, t.Key, err)
		}
		c.Certificates = []tls.Certificate{pair}
	}
	return c, nil
}

// address checks Listen and splits it; port -1 is any free one, as the server
// wants it told.
func (o *Options) address() (host string, port int, err error) {
	host, text, err := net.SplitHostPort(o.Listen)
	if err == nil {
		port, err = strconv.Atoi(text)
	}
	if err != nil || port < -1 || port > 65535 {
		return "", 0, fmt.Errorf("nats.listen %q is not host:port, such as 127.0.0.1:4222", o.Listen)
	}
	if port == 0 {
		port = -1
	}
	if host == "" {
		host = "0.0.0.0"
	}
	if o.TLS.Cert == "" && !o.AllowRemote && !isLoopback(host) {
		return "", 0, fmt.Errorf("nats.listen %q can be reached from other machines without TLS: "+
			"set nats.tls.cert and nats.tls.key, or nats.allow_remote: true, or listen on 127.0.0.1", o.Listen)
	}
	return host, port, nil
}

// isLoopback does not look names up: what they resolve to may change.
func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
