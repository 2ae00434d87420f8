package broker

import (
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
)

// RemoteOptions say how to reach a server elsewhere.
type RemoteOptions struct {
	URL         string // one or several, separated by commas
	Name        string // of the connection, for the server's operator
	Credentials string // a .creds file; empty for none
	TLS         TLS
	Logger      *slog.Logger // nil: slog.Default()
	Trouble     *Trouble     // is told why the connection is lost; may be nil
}

// Dial connects to a server elsewhere. Once connected, the connection
// reconnects without end.
func Dial(o RemoteOptions) (*nats.Conn, error) {
	if o.Trouble == nil {
		o.Trouble = new(Trouble)
	}
	opts, err := remoteOptions(o)
	if err != nil {
		return nil, err
	}
	if o.Credentials != "" {
		if _, err := os.Stat(o.Credentials); err != nil {
			return nil, fmt.Errorf("nats.credentials: %w", err)
		}
		opts = append(opts, nats.UserCredentials(o.Credentials))
	}
	nc, err := nats.Connect(o.URL, opts...)
	if errors.As(err, new(*url.Error)) {
		err = errors.New("it holds something that is no URL") // the error itself quotes it, password included
	}
	if errors.Is(err, nats.ErrNoServers) {
		err = unreached(o.URL, err)
	}
	if err != nil {
		return nil, fmt.Errorf("connecting to nats.url %s: %w%s", redact(o.URL), err, hint(err))
	}
	o.Trouble.watch(nc)
	return nc, nil
}

// redact shows where a list of URLs leads, without what lets one in there.
func redact(list string) string {
	parts := strings.Split(list, ",")
	for i, part := range parts {
		u, err := url.Parse(strings.TrimSpace(part))
		switch {
		case err != nil, u.Host == "", strings.Contains(u.Path+u.RawQuery+u.Fragment, "@"):
			parts[i] = "(unreadable)" // which of it is a password cannot be told
			continue
		case u.User != nil:
			if _, password := u.User.Password(); !password {
				u.User = url.User("xxxxx") // a token
			}
		}
		parts[i] = u.Redacted()
	}
	return strings.Join(parts, ",")
}

// ErrNotRunning means that no process serves a data folder.
var ErrNotRunning = errors.New("no process serves this data folder")

// Attach connects, as the owner, to the embedded server that another process
// runs on the data folder dir; o.URL and o.Credentials are not used.
// It gives [ErrNotRunning] when no process does, or none that listens.
func Attach(dir string, o RemoteOptions) (*nats.Conn, error) {
	held, err := inUse(dir)
	if err != nil {
		return nil, err
	}
	if !held {
		return nil, fmt.Errorf("data folder %s: %w", dir, ErrNotRunning)
	}
	address, err := os.ReadFile(urlPath(dir))
	if errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("data folder %s is held by a process that does not listen: %w", dir, ErrNotRunning)
	}
	if err != nil {
		return nil, fmt.Errorf("reading the server's address: %w", err)
	}
	secret, err := readSecret(dir)
	if err != nil {
		return nil, err
	}
	o.TLS.Cert, o.TLS.Key = "", "" // the server's own
	opts, err := remoteOptions(o)
	if err != nil {
		return nil, err
	}
	nc, err := nats.Connect(strings.TrimSpace(string(address)), append(opts, nats.UserInfo(owner, secret))...)
	if err != nil {
		return nil, fmt.Errorf("connecting to the server of data folder %s: %w", dir, err)
	}
	return nc, nil
}

func remoteOptions(o RemoteOptions) ([]nats.Option, error) {
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	opts := connOptions(o.Name, o.Logger)
	if o.Trouble != nil {
		opts = append(opts, o.Trouble.options(o.Logger)...)
	}
	config, err := o.TLS.config()
	if err != nil {
		return nil, err
	}
	if config != nil {
		opts = append(opts, nats.Secure(config))
	}
	return opts, nil
}

// pingEvery is how often a connection is tried.
const pingEvery = 10 * time.Second

func connOptions(name string, log *slog.Logger) []nats.Option {
	return []nats.Option{
		nats.Name(name),
		nats.MaxReconnects(-1),
		// A server that vanished without a word is left for another one after
		// half a minute, not after the client's own six.
		nats.PingInterval(pingEvery), nats.MaxPingsOutstanding(2),
		// By default a login that is refused twice ends the connection for
		// good; credentials may be on their way to being replaced.
		nats.IgnoreAuthErrorAbort(),
		nats.NoCallbacksAfterClientClose(), // what was wanted is no news
		nats.ClosedHandler(func(nc *nats.Conn) {
			log.Error("nats: the connection is closed for good: start the process again", "error", nc.LastError())
		}),
		// The default prints to stderr.
		nats.ErrorHandler(func(_ *nats.Conn, sub *nats.Subscription, err error) {
			if sub != nil {
				log.Warn("nats", "error", err, "subject", sub.Subject)
				return
			}
			log.Warn("nats", "error", err)
		}),
		nats.DisconnectErrHandler(func(_ *nats.Conn, err error) {
			if err != nil {
				log.Warn("nats: connection lost", "error", err)
			}
		}),
		nats.ReconnectHandler(func(nc *nats.Conn) { log.Info("nats: connected again", "url", redact(nc.ConnectedUrl())) }),
	}
}
