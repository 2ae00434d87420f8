package broker

import (
	"fmt"
	"strings"

	"github.com/nats-io/nats-server/v2/server"
)

// maxPayload is the largest message the server takes, in bytes.
const maxPayload = 8 << 20

// maxStore is more than any disk holds: the server's own default is a share
// of the space that is free when it starts.
const maxStore = 1 << 60

const owner, ownerAccount, publicAccount = "wolkpipe", "WOLKPIPE", "PUBLIC"

// serverOptions makes the server's options of o. Accounts with exports are
// told in the server's own configuration language, which is shorter than its
// API and is what its documentation speaks.
func serverOptions(o *Options, secret string) (*server.Options, error) {
	opts := &server.Options{}
	if err := opts.ProcessConfigString(configText(o, secret)); err != nil {
		return nil, fmt.Errorf("configuring the embedded NATS server: %w", err)
	}
	opts.NoSigs = true
	opts.StoreDir = o.Dir // the server adds jetstream/
	opts.MaxPayload = maxPayload
	opts.DontListen = o.Listen == ""
	if opts.DontListen {
		return opts, nil
	}
	var err error
	if opts.Host, opts.Port, err = o.address(); err != nil {
		return nil, err
	}
	if opts.TLSConfig, err = o.TLS.config(); err != nil {
		return nil, err
	}
	if opts.TLSConfig != nil && o.TLS.Cert == "" {
		opts.TLSConfig = nil // an authority alone is for connections going out
	}
	opts.TLS = opts.TLSConfig != nil
	return opts, nil
}

func configText(o *Options, secret string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "server_name: wolkpipe\n")
	fmt.Fprintf(&b, "jetstream { sync_interval: always, max_file_store: %d }\n", int64(maxStore))
	fmt.Fprintf(&b, "accounts {\n  %s {\n    jetstream: enabled\n", ownerAccount)
	fmt.Fprintf(&b, "    users: [{user: %s, password: %q}]\n", owner, secret)
	if o.Anonymous {
		fmt.Fprintf(&b, "    exports: [\n%s    ]\n", exports())
	}
	fmt.Fprintf(&b, "  }\n")
	if o.Anonymous {
		fmt.Fprintf(&b, "%s", publicAccountText())
	}
	fmt.Fprintf(&b, "}\n")
	if o.Anonymous {
		fmt.Fprintf(&b, "no_auth_user: anonymous\n")
	}
	return b.String()
}
