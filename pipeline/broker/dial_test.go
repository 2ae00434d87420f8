package broker

import (
	"strings"
	"testing"
)

// TestDialShowsNoSecret dials where nobody listens: the error leads to the
// place, and to nothing that lets one in.
func TestDialShowsNoSecret(t *testing.T) {
	for list, want := range map[string]string{
		"nats://ana:s3cret@127.0.0.1:1":                            "nats://ana:xxxxx@127.0.0.1:1: ",
		"nats://s3cret@127.0.0.1:1":                                "nats://xxxxx@127.0.0.1:1: ",
		"nats://127.0.0.1:1, tls://ana:s3cret@127.0.0.1:2":         "nats://127.0.0.1:1,tls://ana:xxxxx@127.0.0.1:2: ",
		"nats://127.0.0.1:1,nats://ana:s3cret%zz@127.0.0.1:2":      "nats://127.0.0.1:1,(unreadable): ",
		"nats://ana:s3cret/more@127.0.0.1:1,nats://b@127.0.0.1:99": "(unreadable),nats://xxxxx@127.0.0.1:99: ",
		"nats://ana:12/s3cret@127.0.0.1:1":                         "(unreadable): ",
		"ana:s3cret@127.0.0.1:1":                                   "(unreadable): ",
	} {
		nc, err := Dial(RemoteOptions{URL: list, Logger: quiet})
		if err == nil {
			nc.Close()
			t.Fatalf("%s: connected", list)
		}
		if strings.Contains(err.Error(), "s3cret") || !strings.Contains(err.Error(), "nats.url "+want) {
			t.Errorf("%s: %v", list, err)
		}
	}
}
