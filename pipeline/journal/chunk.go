package journal

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/klauspost/compress/zstd"

	"wolkpipe/pipeline/window"
	"wolkpipe/schemas"
)

// Key names one day of one operation.
type Key struct {
	Operation string
	Day       window.Date
}

// String formats k as "ventas 2026-11-01".
func (k Key) String() string { return k.Operation + " " + k.Day.String() }

// Subject is where the journal keeps k.
func (k Key) Subject() string { return schemas.JournalSubject(k.Operation, k.Day.String()) }

// Observation is what the source said of one window, as it said it.
type Observation struct {
	Local      window.Local   // the window's wall-clock start
	Revision   int64          // counts changes of content, from 1
	Method     schemas.Method // how the content was established
	Cause      schemas.Cause  // why it was asked for
	ObservedAt time.Time      // when the answer came, to the microsecond, UTC
	Digest     string         // of the normalised content: alike means nothing new
	Sum        bool           // rows alike to the byte are summed, not dropped
	Rows       []json.RawMessage
}

// Chunk is what one step of extraction established of a day: one message of
// the journal.
type Chunk struct {
	Key
	Timezone string      // IANA
	Grid     window.Grid // of the whole day
	Windows  []Observation
	Compared *Comparison // the day, with Windows in it, agreed with the source; or nil

	// Whole says that Windows are all that the journal is to hold of the day:
	// what was appended before is dropped.
	Whole bool

	keep bool // with Whole: what was appended before stays in the stream, for nothing
}

// Comparison is a later look at a whole day that found nothing else at the
// source than what is recorded.
type Comparison struct {
	At    time.Time // of the first answer that it rests on, UTC
	Final bool      // the day counts as settled from then on, until a window changes
	Total int64     // interactions of the day, as compared
}

// version is of the layout that Encode writes. A reader refuses newer ones.
const version = 1

// head is the first line of a chunk; the rows follow it, end to end, since
// their bytes must come back exactly and JSON inside JSON would not keep them.
type head struct {
	Version   int          `json:"v"`
	Operation string       `json:"operation"`
	Day       string       `json:"day"`
	Timezone  string       `json:"timezone"`
	Grid      int64        `json:"window_seconds"`
	Windows   []headWindow `json:"windows"`
	Compared  *headCompare `json:"compared,omitempty"`
}

type headCompare struct {
	At    time.Time `json:"at"`
	Final bool      `json:"final,omitempty"`
	Total int64     `json:"interactions"`
}

type headWindow struct {
	Local      string         `json:"window_local"`
	Revision   int64          `json:"revision"`
	Method     schemas.Method `json:"method"`
	Cause      schemas.Cause  `json:"cause"`
	ObservedAt time.Time      `json:"observed_at"`
	Digest     string         `json:"digest"`
	Sum        bool           `json:"sum,omitempty"`
	Sizes      []int          `json:"sizes"` // of the rows, in bytes
}

// maxDecoded bounds what a chunk may unfold to: an answer's limit and a little.
const maxDecoded = 300 << 20

var (
	encoder, _ = zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(1))
	decoder, _ = zstd.NewReader(nil, zstd.WithDecoderConcurrency(0), zstd.WithDecoderMaxMemory(maxDecoded))
)

// Encode gives the chunk's bytes: zstd over a line of JSON and the rows.
func (c *Chunk) Encode() ([]byte, error) {
	h := head{
		Version: version, Operation: c.Operation, Day: c.Day.String(), Timezone: c.Timezone,
		Grid: c.Grid.Seconds(), Windows: make([]headWindow, len(c.Windows)),
	}
	size := 0
	for i, o := range c.Windows {
		sizes := make([]int, len(o.Rows))
		for k, row := range o.Rows {
			sizes[k] = len(row)
			size += len(row)
		}
		h.Windows[i] = headWindow{o.Local.String(), o.Revision, o.Method, o.Cause, o.ObservedAt.UTC(), o.Digest, o.Sum, sizes}
	}
	if c.Compared != nil {
		h.Compared = &headCompare{c.Compared.At.UTC(), c.Compared.Final, c.Compared.Total}
	}
	line, err := json.Marshal(h)
	if err != nil {
		return nil, fmt.Errorf("encoding a chunk of %s: %w", c.Key, err)
	}
	plain := make([]byte, 0, len(line)+1+size)
	plain = append(append(plain, line...), '\n')
	for _, o := range c.Windows {
		for _, row := range o.Rows {
			plain = append(plain, row...)
		}
	}
	return encoder.EncodeAll(plain, nil), nil
}

// ErrNewer means that a newer wolkpipe wrote the chunk.
var ErrNewer = errors.New("the chunk was written by a newer wolkpipe: upgrade this one")

// Decode reads the bytes of a chunk. The rows share one buffer.
func Decode(data []byte) (*Chunk, error) {
	plain, err := decoder.DecodeAll(data, nil)
	if err != nil {
		return nil, fmt.Errorf("unpacking a chunk: %w", err)
	}
	line, rows, found := bytes.Cut(plain, []byte{'\n'})
	if !found {
		return nil, errors.New("a chunk has no head")
	}
	var h head
	if err := json.Unmarshal(line, &h); err != nil {
		return nil, fmt.Errorf("reading a chunk's head: %w", err)
	}
	if h.Version > version {
		return nil, fmt.Errorf("layout %d: %w", h.Version, ErrNewer)
	}
	return h.chunk(rows)
}

func (h *head) chunk(rows []byte) (*Chunk, error) {
	day, err := window.ParseDate(h.Day)
	if err != nil {
		return nil, fmt.Errorf("reading a chunk's head: %w", err)
	}
	if h.Version < 1 || h.Grid < 1 || h.Grid > 24*60*60 {
		return nil, fmt.Errorf("a chunk of %s %s has layout %d and windows of %d s", h.Operation, h.Day, h.Version, h.Grid)
	}
	grid, err := window.NewGrid(time.Duration(h.Grid) * time.Second)
	if err != nil {
		return nil, fmt.Errorf("a chunk of %s %s: %w", h.Operation, h.Day, err)
	}
	c := &Chunk{Key: Key{h.Operation, day}, Timezone: h.Timezone, Grid: grid, Windows: make([]Observation, len(h.Windows))}
	if h.Compared != nil {
		c.Compared = &Comparison{h.Compared.At, h.Compared.Final, h.Compared.Total}
	}
	for i, w := range h.Windows {
		local, err := window.ParseLocal(w.Local)
		if err != nil {
			return nil, fmt.Errorf("a chunk of %s: %w", c.Key, err)
		}
		if local.Date() != day || grid.At(local).From != local || w.Revision < 1 {
			return nil, fmt.Errorf("a chunk of %s has a window %s, revision %d", c.Key, w.Local, w.Revision)
		}
		o := Observation{local, w.Revision, w.Method, w.Cause, w.ObservedAt, w.Digest, w.Sum, make([]json.RawMessage, len(w.Sizes))}
		for k, size := range w.Sizes {
			if size < 0 || size > len(rows) {
				return nil, fmt.Errorf("a chunk of %s is short of rows", c.Key)
			}
			o.Rows[k], rows = json.RawMessage(rows[:size:size]), rows[size:]
		}
		c.Windows[i] = o
	}
	if len(rows) != 0 {
		return nil, fmt.Errorf("a chunk of %s has %d bytes too many", c.Key, len(rows))
	}
	return c, nil
}
