package events

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/synadia-io/orbit.go/jetstreamext"

	"wolkpipe/schemas"
	"wolkpipe/sinks/pubsub"
)

// rawMessage is a stored message.
type rawMessage struct {
	subject string
	seq     uint64
	id      string // its Nats-Msg-Id
	guard   string // the last sequence that it was published upon, "" for any
	open    bool   // it is one of a batch, and not the last
	data    []byte
}

// reader reads CHAT7_EVENTS.
type reader struct{ js jetstream.JetStream }

// last reads the last message on a subject, nil for none.
func (r reader) last(ctx context.Context, subject string) (*rawMessage, error) {
	return r.get(ctx, map[string]any{"last_by_subj": subject})
}

// at reads the message of a sequence, nil for none.
func (r reader) at(ctx context.Context, seq uint64) (*rawMessage, error) {
	return r.get(ctx, map[string]any{"seq": seq})
}

// get asks the stream's leader for one message. The client's own GetMsg asks
// any replica where the stream allows direct reads.
func (r reader) get(ctx context.Context, request map[string]any) (*rawMessage, error) {
	options := r.js.Options()
	if _, ok := ctx.Deadline(); !ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, options.DefaultTimeout)
		defer cancel()
	}
	body, err := json.Marshal(request)
	if err != nil {
		return nil, err
	}
	reply, err := r.js.Conn().RequestWithContext(ctx, apiPrefix(options)+"STREAM.MSG.GET."+schemas.EventsStream, body)
	if err != nil {
		return nil, fmt.Errorf("asking the leader of stream %s for a message: %w", schemas.EventsStream, err)
	}
	var answer struct {
		Error   *jetstream.APIError
		Message *struct {
			Subject string
			Seq     uint64
			Hdrs    []byte
			Data    []byte
		}
	}
	if err := json.Unmarshal(reply.Data, &answer); err != nil {
		return nil, fmt.Errorf("reading a message of stream %s: %w", schemas.EventsStream, err)
	}
	switch {
	case answer.Error != nil && answer.Error.ErrorCode == jetstream.JSErrCodeMessageNotFound:
		return nil, nil
	case answer.Error != nil:
		return nil, fmt.Errorf("reading a message of stream %s: %w", schemas.EventsStream, answer.Error)
	case answer.Message == nil:
		return nil, fmt.Errorf("reading a message of stream %s: the answer has none", schemas.EventsStream)
	}
	m := &rawMessage{subject: answer.Message.Subject, seq: answer.Message.Seq, data: answer.Message.Data}
	if len(answer.Message.Hdrs) > 0 {
		header, err := nats.DecodeHeadersMsg(answer.Message.Hdrs)
		if err != nil {
			return nil, fmt.Errorf("reading the headers of message %d of stream %s: %w", m.seq, schemas.EventsStream, err)
		}
		m.id, m.guard = header.Get(jetstream.MsgIDHeader), header.Get(jetstream.ExpectedLastSubjSeqHeader)
		m.open = header.Get(jetstreamext.BatchIDHeader) != "" && header.Get(jetstreamext.BatchCommitHeader) == ""
	}
	return m, nil
}

// apiPrefix is what the subjects of the JetStream API begin with.
func apiPrefix(o jetstream.JetStreamOptions) string {
	switch {
	case o.APIPrefix != "" && o.APIPrefix[len(o.APIPrefix)-1] != '.':
		return o.APIPrefix + "."
	case o.APIPrefix != "":
		return o.APIPrefix
	case o.Domain != "":
		return "$JS." + o.Domain + ".API."
	}
	return "$JS.API."
}

// between gives fn the messages on a subject from sequence from to sequence
// to, which must be that of one of them.
func (r reader) between(ctx context.Context, subject string, from, to uint64, fn func(*rawMessage) error) error {
	return pubsub.Read(ctx, r.js, schemas.EventsStream, subject, from, to, func(m *pubsub.Stored) error {
		return fn(&rawMessage{subject: m.Subject, seq: m.Sequence, id: m.Header.Get(jetstream.MsgIDHeader), data: m.Data})
	})
}
