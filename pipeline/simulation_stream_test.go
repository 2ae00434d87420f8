package pipeline

import (
	"context"
	"errors"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"wolkpipe/schemas"
)

// simStream is a stream of JetStream in memory: as much of one as the journal
// needs.
type simStream struct {
	unguarded bool // on purpose: what was expected is not looked at

	mu       sync.Mutex
	last     uint64
	subjects map[string][]*jetstream.RawStreamMsg
	ever     []*jetstream.RawStreamMsg // also what was rolled up since
}

func (s *simStream) append(m *nats.Msg) (uint64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	of := s.subjects[m.Subject]
	if want := m.Header.Get(jetstream.ExpectedLastSubjSeqHeader); want != "" && !s.unguarded {
		var last uint64
		if len(of) > 0 {
			last = of[len(of)-1].Sequence
		}
		if want != strconv.FormatUint(last, 10) {
			return 0, &jetstream.APIError{Code: 400, ErrorCode: jetstream.JSErrCodeStreamWrongLastSequence, Description: "wrong last sequence: " + strconv.FormatUint(last, 10)}
		}
	}
	s.last++
	stored := &jetstream.RawStreamMsg{Subject: m.Subject, Sequence: s.last, Header: m.Header, Data: slices.Clone(m.Data), Time: time.Now()}
	if m.Header.Get("Nats-Rollup") == "sub" {
		of = nil
	}
	s.subjects[m.Subject] = append(slices.Clone(of), stored)
	s.ever = append(s.ever, stored)
	return s.last, nil
}

func (s *simStream) of(subject string) []*jetstream.RawStreamMsg {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.subjects[subject]
}

// simJetStream is JetStream as one process reaches it. What is not here, the
// simulated process does not use.
type simJetStream struct {
	jetstream.JetStream
	link *simLink
	conn *nats.Conn
}

func (j *simJetStream) Conn() *nats.Conn                    { return j.conn }
func (j *simJetStream) Options() jetstream.JetStreamOptions { return jetstream.JetStreamOptions{} }

func (j *simJetStream) Stream(_ context.Context, name string) (jetstream.Stream, error) {
	if name != schemas.JournalStream {
		return nil, jetstream.ErrStreamNotFound
	}
	return &simStreamView{link: j.link}, nil
}

func (j *simJetStream) KeyValue(_ context.Context, bucket string) (jetstream.KeyValue, error) {
	b := j.link.w.buckets[bucket]
	if b == nil {
		return nil, jetstream.ErrBucketNotFound
	}
	return &simBucketView{bucket: b, link: j.link}, nil
}

// publishTime is what the client gives a publication without a deadline.
const publishTime = 5 * time.Second

func (j *simJetStream) PublishMsg(ctx context.Context, m *nats.Msg, _ ...jetstream.PublishOpt) (*jetstream.PubAck, error) {
	w := j.link.w
	ctx, cancel := context.WithTimeout(ctx, publishTime)
	defer cancel()
	ack, err := request(ctx, j.link, "append "+m.Subject, 20*time.Millisecond, func() (*jetstream.PubAck, error) {
		seq, err := w.stream.append(m)
		w.note("%s appends to %s: %d, %v", j.link.process, m.Subject, seq, err)
		if err != nil {
			return nil, err
		}
		w.hint(m.Subject)
		return &jetstream.PubAck{Stream: schemas.JournalStream, Sequence: seq}, nil
	})
	if err != nil && !errors.As(err, new(*jetstream.APIError)) {
		j.link.unsure(m.Subject)
	}
	return ack, err
}

// simStreamView reads the journal. Reading takes no time: the journal locks
// out its other readers meanwhile, and a wait for a lock keeps the time of a
// bubble from passing.
type simStreamView struct {
	jetstream.Stream
	link *simLink
}

func (v *simStreamView) GetLastMsgForSubject(_ context.Context, subject string) (*jetstream.RawStreamMsg, error) {
	if err := v.link.read("read " + subject); err != nil {
		v.link.unsure(subject)
		return nil, err
	}
	of := v.link.w.stream.of(subject)
	if len(of) == 0 {
		return nil, jetstream.ErrMsgNotFound
	}
	return of[len(of)-1], nil
}

func (v *simStreamView) GetMsg(_ context.Context, seq uint64, opts ...jetstream.GetMsgOpt) (*jetstream.RawStreamMsg, error) {
	subject := simAsked(opts, "NextFor")
	if err := v.link.read("read " + subject); err != nil {
		v.link.unsure(subject)
		return nil, err
	}
	for _, m := range v.link.w.stream.of(subject) {
		if m.Sequence >= seq {
			return m, nil
		}
	}
	return nil, jetstream.ErrMsgNotFound
}

func (v *simStreamView) Info(_ context.Context, opts ...jetstream.StreamInfoOpt) (*jetstream.StreamInfo, error) {
	filter := simAsked(opts, "SubjectFilter")
	if err := v.link.read("info " + filter); err != nil {
		return nil, err
	}
	s := v.link.w.stream
	s.mu.Lock()
	defer s.mu.Unlock()
	info := &jetstream.StreamInfo{State: jetstream.StreamState{LastSeq: s.last, Subjects: map[string]uint64{}}}
	prefix := strings.TrimRight(filter, "*>.")
	for subject, of := range s.subjects {
		if strings.HasPrefix(subject, prefix+".") {
			info.State.Subjects[subject] = uint64(len(of))
		}
	}
	return info, nil
}

// simAsked finds what options, functions on a struct that has no name here, set a
// field to.
func simAsked[F any](opts []F, field string) string {
	for _, opt := range opts {
		f := reflect.ValueOf(opt)
		request := reflect.New(f.Type().In(0).Elem())
		f.Call([]reflect.Value{request})
		if v := request.Elem().FieldByName(field); v.String() != "" {
			return v.String()
		}
	}
	return ""
}
