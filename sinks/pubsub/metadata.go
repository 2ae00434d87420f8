package pubsub

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// Metadata that a publisher reads. All but SubjectKey become headers, as all
// other metadata do.
const (
	// SubjectKey is the subject to publish to, in place of the topic's.
	SubjectKey = "publish_subject"

	// ExpectSequenceKey is the guard: the sequence, in decimal, of the last
	// message of the subject, 0 for none. Only a batch's first message for a
	// subject may carry one for it.
	ExpectSequenceKey = jetstream.ExpectedLastSubjSeqHeader

	// ExpectSubjectKey is the subject that the guard is about, in place of
	// the message's own; it may hold wildcards.
	ExpectSubjectKey = jetstream.ExpectedLastSubjSeqSubjHeader

	// TTLKey is how long the stream keeps the message: a duration of whole
	// seconds.
	TTLKey = jetstream.MsgTTLHeader

	// RollupKey is "sub" to replace the subject's earlier messages.
	RollupKey = nats.MsgRollup
)

// Metadata that a subscriber adds.
const (
	ReceivedSubjectKey  = "received_subject"  // where the message was published
	ReceivedSequenceKey = "received_sequence" // of the message in its stream, decimal
	DeliveredKey        = "received_count"    // deliveries so far, decimal, from 1
	SizeKey             = "received_size"     // bytes of the payload, when only headers are read
)

const reserved = "Nats-"

// Limits that the server sets and answers badly beyond.
const (
	maxSubject    = 3 << 10 // a longer line of protocol closes the connection
	batchOverhead = 256     // what headers of a batch add to a message
)

// natsMsg makes the message to publish; topic gives the subject unless the
// metadata do.
func (p *Publisher) natsMsg(topic string, m *message.Message) (*nats.Msg, error) {
	subject := m.Metadata.Get(SubjectKey)
	if subject == "" {
		subject = p.subjectFor(topic)
	}
	if len(subject) > maxSubject {
		return nil, fmt.Errorf("%w: subject %.40s… of %d bytes: at most %d", ErrTooLarge, subject, len(subject), maxSubject)
	}
	out := nats.NewMsg(subject)
	out.Data = m.Payload
	for key, value := range m.Metadata {
		if key == SubjectKey {
			continue
		}
		if value != strings.TrimSpace(value) || strings.ContainsAny(value, "\r\n") {
			return nil, fmt.Errorf("metadata %q of message %s has line ends, or white space around it: a header cannot hold that", key, m.UUID)
		}
		out.Header.Set(key, value)
	}
	if m.UUID != "" && !p.noID {
		out.Header.Set(nats.MsgIdHdr, m.UUID)
	}
	if limit := p.js.Conn().MaxPayload(); limit > 0 && int64(out.Size()+batchOverhead) > limit {
		return nil, fmt.Errorf("%w: message %s for %s of %d bytes, headers included: at most %d", ErrTooLarge, m.UUID, subject, out.Size(), limit)
	}
	return out, nil
}

// watermillMsg makes the message that handlers see.
func watermillMsg(in jetstream.Msg, meta *jetstream.MsgMetadata) *message.Message {
	headers := in.Headers()
	uuid := headers.Get(nats.MsgIdHdr)
	sequence := strconv.FormatUint(meta.Sequence.Stream, 10)
	if uuid == "" {
		uuid = meta.Stream + "-" + sequence
	}
	m := message.NewMessage(uuid, in.Data())
	for key, values := range headers {
		if !strings.HasPrefix(key, reserved) && len(values) > 0 {
			m.Metadata.Set(key, values[0])
		}
	}
	m.Metadata.Set(ReceivedSubjectKey, in.Subject())
	m.Metadata.Set(ReceivedSequenceKey, sequence)
	m.Metadata.Set(DeliveredKey, strconv.FormatUint(meta.NumDelivered, 10))
	if size := headers.Get(nats.MsgSize); size != "" {
		m.Metadata.Set(SizeKey, size)
	}
	return m
}
