package events

import (
	"testing"

	"github.com/nats-io/nats.go/jetstream"

	"wolkpipe/schemas"
	"wolkpipe/sinks"
	"wolkpipe/sinks/sinktest"
)

type harness struct {
	url string
	js  jetstream.JetStream
}

func (h *harness) Open(t testing.TB) sinks.Sink { return openSink(t, h.url) }

func (h *harness) Contents(t testing.TB, key sinks.Key) []schemas.Window {
	a := auditAll(t, h.js, "chat7.events."+key.Operation+".>")
	return a.contents(key)
}

func (h *harness) Watch(t testing.TB, key sinks.Key) []schemas.Window {
	return windowsOnly(t, h.js, key)
}

func TestConformance(t *testing.T) {
	sinktest.Run(t, func(t *testing.T) sinktest.Harness {
		url, js := newStream(t)
		return &harness{url, js}
	})
}
