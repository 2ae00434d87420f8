package broker

import (
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
)

// Trouble keeps why a connection to a server elsewhere is lost. The zero value
// is one that is not.
type Trouble struct {
	mu   sync.Mutex
	nc   *nats.Conn // nil until it was made
	err  error
	told time.Time // when it was last logged
}

// tellEvery is how often a server that stays away is told of.
const tellEvery = time.Minute

// The waits between attempts to connect again, once all servers were tried: the
// client's own, for servers that speak TLS.
const reconnectWait, reconnectJitter = 2 * time.Second, time.Second

// options are those of the connection, in place of some of connOptions.
func (t *Trouble) options(log *slog.Logger) []nats.Option {
	return []nats.Option{
		nats.ReconnectErrHandler(func(_ *nats.Conn, err error) { t.again(log, err) }),
		// What fails once a connection is there, such as a handshake, no handler
		// is told of; the client keeps it until it tries again.
		nats.CustomReconnectDelay(func(int) time.Duration {
			if nc := t.conn(); nc != nil && nc.LastError() != nil {
				t.again(log, nc.LastError())
			}
			return reconnectWait + rand.N(reconnectJitter)
		}),
		nats.ReconnectHandler(func(nc *nats.Conn) {
			t.over()
			log.Info("nats: connected again", "url", redact(nc.ConnectedUrl()))
		}),
	}
}

func (t *Trouble) watch(nc *nats.Conn) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.nc = nc
}

func (t *Trouble) conn() *nats.Conn {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.nc
}

// Err is why no server is reached, with the mend; nil while one is, or when
// none was tried yet.
func (t *Trouble) Err() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.err
}

func (t *Trouble) over() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.err, t.told = nil, time.Time{}
}

// again notes that a server was tried once more in vain.
func (t *Trouble) again(log *slog.Logger, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.err = fmt.Errorf("NATS is not reached: %w%s", err, hint(err))
	if time.Since(t.told) >= tellEvery {
		t.told = time.Now()
		log.Warn("nats: still trying to connect", "error", t.err)
	}
}

// unreached tells why none of the servers of a list is reached, of which the
// client says no more than that: what the first one's name or address gives.
func unreached(list string, err error) error {
	first, _, _ := strings.Cut(list, ",")
	u, parseErr := url.Parse(strings.TrimSpace(first))
	if parseErr != nil || u.Hostname() == "" {
		return err
	}
	port := u.Port()
	if port == "" {
		port = "4222"
	}
	conn, dialErr := net.DialTimeout("tcp", net.JoinHostPort(u.Hostname(), port), 2*time.Second)
	if dialErr != nil {
		return fmt.Errorf("%w: %w", err, dialErr)
	}
	_ = conn.Close()
	return err
}

// hint says what to do about a connection that was refused.
func hint(err error) string {
	var name *net.DNSError
	var certificate x509.CertificateInvalidError
	switch {
	case errors.Is(err, nats.ErrAuthorization), errors.Is(err, nats.ErrAuthExpired):
		return ": set nats.credentials to a .creds file of the account"
	case errors.As(err, &name):
		return ": check the name in nats.url, and this machine's DNS"
	case errors.Is(err, nats.ErrNoServers):
		return ": check nats.url, and that the server runs"
	case errors.As(err, &certificate) && certificate.Reason == x509.Expired:
		return ": renew the server's certificate, or set this machine's clock"
	case errors.Is(err, nats.ErrSecureConnWanted):
		return ": let the server speak TLS, or leave it out of nats.url and nats.tls"
	}
	return ""
}
