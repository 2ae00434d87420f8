package pubsub

import (
	"context"
	"fmt"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/nats-io/nats.go/jetstream"
)

// delivery is a message between its arrival and its ack or nack.
type delivery struct {
	sub      *subscription
	msg      jetstream.Msg
	meta     *jetstream.MsgMetadata
	wm       *message.Message
	cancel   context.CancelFunc // ends wm's context
	unwanted chan struct{}      // closed when no handler will see it
}

// attend starts to keep a message alive, in its slot. It gives nil for one
// that is not of a stream, which the server never sends.
func (s *subscription) attend(msg jetstream.Msg) *delivery {
	meta, err := msg.Metadata()
	if err != nil {
		s.o.Logger.Warn("a message without metadata", "stream", s.source.Stream, "subject", msg.Subject(), "error", err)
		return nil
	}
	d := &delivery{sub: s, msg: msg, meta: meta, wm: watermillMsg(msg, meta), unwanted: make(chan struct{})}
	ctx, cancel := context.WithCancel(s.ctx)
	d.wm.SetContext(ctx)
	d.cancel = cancel
	s.pending.Add(1)
	go d.attend()
	return d
}

func (d *delivery) attend() {
	defer d.sub.pending.Done()
	defer func() { <-d.sub.slots }()
	defer d.cancel()
	alive := time.NewTicker(d.sub.o.AckWait / 3)
	defer alive.Stop()
	for {
		select {
		case <-d.wm.Acked():
			d.report("ack", d.ack())
			return
		case <-d.wm.Nacked():
			d.report("nack", d.nack())
			return
		case <-d.unwanted:
			d.report("give back", d.msg.Nak())
			return
		case <-alive.C:
			d.report("keep", d.msg.InProgress())
		case <-d.sub.abandoned:
			return // the server delivers it again after AckWait
		}
	}
}

func (d *delivery) ack() error {
	if !d.sub.o.DoubleAck {
		return d.msg.Ack()
	}
	return d.msg.DoubleAck(context.Background()) // for the default time-out
}

func (d *delivery) nack() error {
	delay := d.sub.o.NackDelay(d.meta.NumDelivered)
	switch {
	case d.sub.o.DoubleAck:
		return d.doubleNack(delay)
	case delay > 0:
		return d.msg.NakWithDelay(delay)
	}
	return d.msg.Nak()
}

// doubleNack nacks as the client library does, and waits for the server to
// confirm it, which the library only does for acks.
func (d *delivery) doubleNack(delay time.Duration) error {
	body := "-NAK"
	if delay > 0 {
		body = fmt.Sprintf(`-NAK {"delay": %d}`, delay.Nanoseconds())
	}
	_, err := d.sub.js.Conn().Request(d.msg.Reply(), []byte(body), d.sub.js.Options().DefaultTimeout)
	return err
}

// report logs what could not be told to the server. It does no harm: the
// message is delivered again after AckWait.
func (d *delivery) report(what string, err error) {
	if err != nil {
		d.sub.o.Logger.Warn("telling the server of a message", "what", what, "stream", d.meta.Stream,
			"sequence", d.meta.Sequence.Stream, "error", err)
	}
}
