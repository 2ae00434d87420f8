package broker

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"wolkpipe/schemas"
)

const (
	gateTimeout = 5 * time.Second
	gateAtOnce  = 64 // requests under way; more wait
)

// gate passes requests of the public account on to the server's API, as the
// owner. It moves the deliveries of push consumers to subjects of their own,
// where no stream listens and which only the public account imports, and
// moves them back in what it answers; and it tells of no other stream.
type gate struct {
	nc   *nats.Conn
	free chan struct{}
}

// openGate serves requests until nc is closed.
func openGate(nc *nats.Conn) error {
	g := &gate{nc, make(chan struct{}, gateAtOnce)}
	_, err := nc.Subscribe(gatePrefix+">", func(request *nats.Msg) {
		g.free <- struct{}{}
		go func() {
			defer func() { <-g.free }()
			// A client that is gone, or a server that stops, needs no answer.
			_ = request.Respond(g.answer(request))
		}()
	})
	if err != nil {
		return fmt.Errorf("serving connections without credentials: %w", err)
	}
	return nc.Flush()
}

func (g *gate) answer(request *nats.Msg) []byte {
	name := strings.TrimPrefix(request.Subject, gatePrefix)
	body, err := request.Data, error(nil)
	if isCreate(name) {
		body, err = guardCreate(body)
	}
	if err != nil {
		return refusal(400, err)
	}
	answer, err := g.nc.Request(apiPrefix+name, body, gateTimeout)
	if err != nil {
		return refusal(503, err)
	}
	switch name {
	case "INFO":
		body, err = onlyLimits(answer.Data)
	case "STREAM.NAMES":
		body, err = onlyEvents(answer.Data)
	default:
		body, err = ownDelivery(answer.Data)
	}
	if err != nil {
		return refusal(500, err)
	}
	return body
}

func isCreate(name string) bool {
	return strings.HasPrefix(name, "CONSUMER.CREATE.") || strings.HasPrefix(name, "CONSUMER.DURABLE.CREATE.")
}

// guardCreate gives the request to make a consumer that the server gets. It
// is written anew from what was understood of it: the server reads names in
// any case, and the last of several.
func guardCreate(body []byte) ([]byte, error) {
	var r server.CreateConsumerRequest
	if err := json.Unmarshal(body, &r); err != nil {
		return nil, fmt.Errorf("reading the request to make a consumer: %w", err)
	}
	if r.Config.Direct || r.Config.Sourcing {
		return nil, errors.New("consumers for mirrors and sources need credentials")
	}
	if to := r.Config.DeliverSubject; to != "" {
		if !strings.HasPrefix(to, inboxPrefix) {
			return nil, fmt.Errorf("without credentials a consumer delivers to a subject under %s", inboxPrefix)
		}
		r.Config.DeliverSubject = deliveryPrefix + to
	}
	return json.Marshal(r)
}

// ownDelivery gives the server's answer about a consumer with the delivery
// subject that its client asked for.
func ownDelivery(body []byte) ([]byte, error) {
	var r server.JSApiConsumerInfoResponse
	if err := json.Unmarshal(body, &r); err != nil {
		return nil, fmt.Errorf("reading the server's answer: %w", err)
	}
	if r.ConsumerInfo == nil || r.Config == nil || r.Config.DeliverSubject == "" {
		return body, nil
	}
	r.Config.DeliverSubject = strings.TrimPrefix(r.Config.DeliverSubject, deliveryPrefix)
	return json.Marshal(r)
}

// onlyLimits leaves out what the owner's account holds and does. Clients ask for
// an account's info to see whether there is JetStream, and what it allows.
func onlyLimits(body []byte) ([]byte, error) {
	var r server.JSApiAccountInfoResponse
	if err := json.Unmarshal(body, &r); err != nil {
		return nil, fmt.Errorf("reading the server's answer: %w", err)
	}
	if all := r.JetStreamAccountStats; all != nil {
		r.JetStreamAccountStats = &server.JetStreamAccountStats{JetStreamTier: server.JetStreamTier{Streams: 1, Limits: all.Limits}}
	}
	return json.Marshal(r)
}

// onlyEvents leaves other streams out of a list of names.
func onlyEvents(body []byte) ([]byte, error) {
	var r server.JSApiStreamNamesResponse
	if err := json.Unmarshal(body, &r); err != nil {
		return nil, fmt.Errorf("reading the server's answer: %w", err)
	}
	r.Streams = slices.DeleteFunc(r.Streams, func(name string) bool { return name != schemas.EventsStream })
	r.Total = len(r.Streams)
	return json.Marshal(r)
}

// refusal is an answer of the server's API that is an error.
func refusal(code int, err error) []byte {
	body, err := json.Marshal(server.ApiResponse{Error: &server.ApiError{Code: code, Description: err.Error()}})
	if err != nil {
		return nil // of two strings and a number: always encodes
	}
	return body
}
