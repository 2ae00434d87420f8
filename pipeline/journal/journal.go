// Package journal owns the log: what the source said of each window, as it
// said it, in the JetStream stream CHAT7_JOURNAL. It is the only source of
// truth on our side; events and lake are made from it and can be made again.
//
// One message is one [Chunk], on the subject of its operation's day. A chunk
// is appended only if nothing was appended to that day since the caller read
// it, so an answer that was long under way cannot overwrite a newer one.
// [Journal.Day] folds a day's messages to the latest observation of each
// window. What it returns includes every append that was acknowledged before.
//
// A message that cannot be read is skipped and reported in [Day.Bad]: its
// windows count as never observed. One that a newer version wrote is an error.
//
// The package plans nothing and normalises nothing.
package journal

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/synadia-io/orbit.go/jetstreamext"

	"wolkpipe/pipeline/trace"
	"wolkpipe/pipeline/window"
	"wolkpipe/schemas"
)

// Headers of the journal's messages.
const (
	WindowsHeader = "Wolkpipe-Windows" // how many windows the chunk tells of
	partHeader    = "Wolkpipe-Part"    // "2/3": a chunk in pieces, in one atomic batch
	rollupHeader  = "Nats-Rollup"      // of JetStream: the messages before it on its subject go
)

// ErrMoved means that the day has been appended to since it was read: the
// chunk is refused. Read the day again and plan anew.
var ErrMoved = errors.New("the journal's record of the day has moved since it was read")

// Journal reads and appends to the log. Its methods may be called from
// several goroutines.
type Journal struct {
	js     jetstream.JetStream
	stream jetstream.Stream
	limit  int // bytes of a message's payload
	cache  *cache
}

// Open binds to the stream CHAT7_JOURNAL, which must exist.
func Open(ctx context.Context, js jetstream.JetStream) (*Journal, error) {
	stream, err := js.Stream(ctx, schemas.JournalStream)
	if err != nil {
		return nil, fmt.Errorf("opening stream %s: %w", schemas.JournalStream, err)
	}
	// Headers count towards the server's limit.
	limit := int(js.Conn().MaxPayload()) - 4096
	if limit < 4096 {
		return nil, fmt.Errorf("the NATS server takes messages of %d bytes at most: set its max_payload to 1MB or more", js.Conn().MaxPayload())
	}
	return &Journal{js, stream, limit, newCache(cacheBytes)}, nil
}

// Append writes c if the last message of its day is still number after (0:
// none), and gives the number of the new last one. It returns ErrMoved when
// it is not, unless the journal already holds exactly what c says. After any
// other error the chunk may have been written or not; calling again with the
// same arguments is safe. The message carries on the trace that ctx is in.
func (j *Journal) Append(ctx context.Context, c *Chunk, after uint64) (uint64, error) {
	data, err := c.Encode()
	if err != nil {
		return 0, err
	}
	seq, err := j.publish(ctx, c, data, after)
	if !isRefused(err) {
		if err != nil {
			return 0, fmt.Errorf("appending to the journal's %s: %w", c.Key, err)
		}
		return seq, nil
	}
	j.cache.drop(c.Key)
	day, err := j.Day(ctx, c.Key)
	if err != nil {
		return 0, err
	}
	if !day.holds(c) {
		return 0, ErrMoved
	}
	// What others have appended behind it the caller has not read.
	last, err := j.stream.GetMsg(ctx, day.Seq, jetstream.WithGetMsgSubject(c.Subject()))
	switch {
	case err != nil && !errors.Is(err, jetstream.ErrMsgNotFound):
		return 0, fmt.Errorf("reading the journal's %s: %w", c.Key, err)
	case err != nil || last.Sequence != day.Seq || !bytes.HasSuffix(data, last.Data):
		return 0, ErrMoved
	}
	return day.Seq, nil
}

func (j *Journal) publish(ctx context.Context, c *Chunk, data []byte, after uint64) (uint64, error) {
	count := (len(data) + j.limit - 1) / j.limit
	msgs := make([]*nats.Msg, count)
	for i := range msgs {
		m := nats.NewMsg(c.Subject())
		m.Data = data[i*j.limit : min((i+1)*j.limit, len(data))]
		m.Header.Set(jetstream.ExpectedStreamHeader, schemas.JournalStream)
		if i == 0 {
			m.Header.Set(jetstream.ExpectedLastSubjSeqHeader, strconv.FormatUint(after, 10))
			m.Header.Set(WindowsHeader, strconv.Itoa(c.news()))
		}
		if c.Whole && !c.keep && count == 1 { // in pieces, a day keeps what was appended before: it folds to the same
			m.Header.Set(rollupHeader, "sub")
		}
		if count > 1 {
			m.Header.Set(partHeader, fmt.Sprintf("%d/%d", i+1, count))
		}
		trace.Inject(ctx, m.Header)
		msgs[i] = m
	}
	if count == 1 {
		ack, err := j.js.PublishMsg(ctx, msgs[0])
		if err != nil {
			return 0, err
		}
		return ack.Sequence, nil
	}
	ack, err := jetstreamext.PublishMsgBatch(ctx, j.js, msgs)
	if err != nil {
		return 0, err
	}
	return ack.Sequence, nil
}

// news is how many windows c tells of that were not recorded before.
func (c *Chunk) news() int {
	if c.Whole {
		return 0
	}
	return len(c.Windows)
}

// isRefused reports whether the guard refused a message or a batch.
func isRefused(err error) bool {
	var api *jetstream.APIError
	return errors.As(err, &api) && (api.ErrorCode == jetstream.JSErrCodeStreamWrongLastSequence || api.ErrorCode == 10164)
}

// Day folds the record of a day. A day without a record has Seq 0.
func (j *Journal) Day(ctx context.Context, key Key) (*Day, error) {
	defer j.cache.lock(key)()
	day := j.cache.get(key)
	last, err := j.stream.GetLastMsgForSubject(ctx, key.Subject())
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		j.cache.drop(key)
		return &Day{Key: key}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading the journal's %s: %w", key, err)
	}
	if day == nil || last.Sequence < day.Seq {
		day = &Day{Key: key} // also when the stream was purged or made anew
	}
	for day.Seq < last.Sequence {
		msg := last
		if !isNext(day, last) {
			msg, err = j.stream.GetMsg(ctx, day.Seq+1, jetstream.WithGetMsgSubject(key.Subject()))
			if errors.Is(err, jetstream.ErrMsgNotFound) {
				break // rolled up or purged in between: the next call sees it
			}
			if err != nil {
				return nil, fmt.Errorf("reading the journal's %s: %w", key, err)
			}
		}
		if day, err = day.with(msg.Sequence, partOf(msg)); err != nil {
			return nil, fmt.Errorf("reading message %d of stream %s: %w", msg.Sequence, schemas.JournalStream, err)
		}
	}
	j.cache.put(key, day)
	return day, nil
}

// isNext reports whether last surely follows what day has folded.
func isNext(day *Day, last *jetstream.RawStreamMsg) bool {
	after := last.Header.Get(jetstream.ExpectedLastSubjSeqHeader)
	return after != "" && after == strconv.FormatUint(day.Seq, 10) && last.Header.Get(partHeader) == ""
}

func partOf(msg *jetstream.RawStreamMsg) part {
	p := part{1, 1, msg.Data}
	if number, of, found := strings.Cut(msg.Header.Get(partHeader), "/"); found {
		p.number, _ = strconv.Atoi(number)
		p.of, _ = strconv.Atoi(of)
	}
	return p
}

// Days lists the days of which the journal has a record, by operation and
// day; of one operation only, unless operation is empty.
func (j *Journal) Days(ctx context.Context, operation string) ([]Key, error) {
	filter := schemas.JournalSubjects
	if operation != "" {
		filter = "chat7.journal." + operation + ".*"
	}
	info, err := j.stream.Info(ctx, jetstream.WithSubjectFilter(filter))
	if err != nil {
		return nil, fmt.Errorf("listing the days of stream %s: %w", schemas.JournalStream, err)
	}
	keys := make([]Key, 0, len(info.State.Subjects))
	for subject := range info.State.Subjects {
		if key, err := ParseSubject(subject); err == nil {
			keys = append(keys, key)
		}
	}
	sortKeys(keys)
	return keys, nil
}

// ParseSubject reads the day that a subject of the journal is of.
func ParseSubject(subject string) (Key, error) {
	rest, ok := strings.CutPrefix(subject, "chat7.journal.")
	operation, compact, found := strings.Cut(rest, ".")
	day, err := window.ParseCompactDate(compact)
	if !ok || !found || operation == "" || err != nil {
		return Key{}, fmt.Errorf("%q is not a subject of the journal", subject)
	}
	return Key{operation, day}, nil
}
