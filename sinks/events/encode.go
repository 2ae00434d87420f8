package events

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"time"
	"unicode/utf8"

	"wolkpipe/schemas"
)

// event is a message to be published.
type event struct {
	id      string
	subject string
	data    []byte
}

// maxWindowEvent is the size over which a window event is split into parts.
const maxWindowEvent = 512 << 10

// arenaBlock is how much memory events are cut from at a time.
const arenaBlock = 64 << 10

// encoder writes the very bytes that schemas.NewRow and schemas.NewWindow do,
// without their reflection: encoding is what a backfill spends its time on.
// The zero value is ready; it is not for concurrent use.
type encoder struct {
	arena   []byte // events are cut from its end
	content []byte // scratch: the data of one event
	hashed  []byte // scratch: what an id is the hash of
	rows    []byte // scratch: the rows of one window
	ends    []int  // scratch: where each of them ends
}

// row encodes a row event.
func (e *encoder) row(d *schemas.RowData) (event, error) {
	b := append(e.content[:0], `{"operation":`...)
	b, err := appendWhere(b, d.Operation, d.Day, d.WindowStart, d.WindowEnd, d.WindowLocal)
	if err != nil {
		return event{}, fmt.Errorf("encoding a row of %s %s: %w", d.Operation, d.WindowLocal, err)
	}
	b = append(b, `,"agent_name":`...)
	b = appendString(b, d.Agent)
	b = append(b, `,"cod_act":`...)
	b = appendString(b, d.Code)
	b = append(b, `,"description_cod_act":`...)
	b = appendOptional(b, d.Description)
	b = appendInt(b, `,"interactions":`, d.Interactions)
	b = appendInt(b, `,"previous":`, d.Previous)
	b = appendInt(b, `,"delta":`, d.Delta)
	b = appendInt(b, `,"revision":`, d.Revision)
	b = append(b, `,"observed_at":`...)
	if b, err = appendTime(b, d.ObservedAt); err != nil {
		return event{}, fmt.Errorf("encoding a row of %s %s: %w", d.Operation, d.WindowLocal, err)
	}
	b = append(b, `,"cause":`...)
	b = appendString(b, string(d.Cause))
	e.content = append(b, '}')

	e.startID(schemas.TypeRow, d.Operation, len(d.WindowLocal)+len(d.Agent)+len(d.Code)+2)
	e.hashed = append(e.hashed, d.WindowLocal...)
	e.hashed = append(e.hashed, 0)
	e.hashed = append(e.hashed, d.Agent...)
	e.hashed = append(e.hashed, 0)
	e.hashed = append(e.hashed, d.Code...)
	return e.wrap(schemas.TypeRow, d.Operation, d.WindowLocal, d.Revision, d.ObservedAt)
}

// window encodes the window events of d, one for each part; d's own Part and
// Parts are ignored. A part passes limit only when it holds a single row.
func (e *encoder) window(d *schemas.WindowData, limit int) ([]event, error) {
	head := append([]byte(nil), `{"operation":`...)
	head, err := appendWhere(head, d.Operation, d.Day, d.WindowStart, d.WindowEnd, d.WindowLocal)
	if err != nil {
		return nil, fmt.Errorf("encoding window %s %s: %w", d.Operation, d.WindowLocal, err)
	}
	head = appendInt(head, `,"revision":`, d.Revision)
	head = append(head, `,"method":`...)
	head = appendString(head, string(d.Method))
	head = append(head, `,"observed_at":`...)
	if head, err = appendTime(head, d.ObservedAt); err != nil {
		return nil, fmt.Errorf("encoding window %s %s: %w", d.Operation, d.WindowLocal, err)
	}
	head = append(head, `,"cause":`...)
	head = appendString(head, string(d.Cause))
	head = appendInt(head, `,"row_count":`, d.RowCount)
	head = appendInt(head, `,"interactions":`, d.Interactions)
	head = appendInt(head, `,"rejected_rows":`, d.RejectedRows)
	head = appendInt(head, `,"dropped_rows":`, d.DroppedRows)
	head = append(head, `,"rows":[`...)

	e.rows, e.ends = e.rows[:0], e.ends[:0]
	for i := range d.Rows {
		e.rows = appendRow(e.rows, &d.Rows[i])
		e.ends = append(e.ends, len(e.rows))
	}
	// What an event holds besides its rows: the envelope takes under 400
	// bytes and the operation's name twice, the end of the data under 60.
	cuts := e.cut(limit - len(head) - 2*len(d.Operation) - 500)

	events := make([]event, 0, len(cuts))
	from := 0 // in e.rows
	for part, to := range cuts {
		b := append(e.content[:0], head...)
		b = append(b, e.rows[from:max(from, to-1)]...) // less the last comma
		b = appendInt(b, `],"part":`, int64(part+1))
		b = appendInt(b, `,"parts":`, int64(len(cuts)))
		e.content = append(b, '}')
		from = to

		number := strconv.Itoa(part + 1)
		e.startID(schemas.TypeWindow, d.Operation, len(d.WindowLocal)+1+len(number))
		e.hashed = append(e.hashed, d.WindowLocal...)
		e.hashed = append(e.hashed, 0)
		e.hashed = append(e.hashed, number...)
		ev, err := e.wrap(schemas.TypeWindow, d.Operation, d.WindowLocal, d.Revision, d.ObservedAt)
		if err != nil {
			return nil, err
		}
		events = append(events, ev)
	}
	return events, nil
}

// cut gives the offsets in e.rows at which parts of at most room bytes end;
// there is at least one part.
func (e *encoder) cut(room int) []int {
	var cuts []int
	start, end := 0, 0
	for _, next := range e.ends {
		if next-start > room && end > start {
			cuts = append(cuts, end)
			start = end
		}
		end = next
	}
	return append(cuts, end)
}

// startID begins what an id is the hash of; the key, of the given length,
// is to be appended next.
func (e *encoder) startID(typ, operation string, key int) {
	h := appendSized(e.hashed[:0], operation)
	h = appendSized(h, typ)
	h = strconv.AppendInt(h, int64(key), 10)
	e.hashed = append(h, ':')
}

// wrap completes the id and puts e.content into an envelope.
func (e *encoder) wrap(typ, operation, subject string, revision int64, at time.Time) (event, error) {
	var digits [20]byte
	rev := strconv.AppendInt(digits[:0], revision, 10)
	h := strconv.AppendInt(e.hashed, int64(len(rev)), 10)
	h = append(h, ':')
	h = append(h, rev...)
	e.hashed = append(h, e.content...)
	sum := sha256.Sum256(e.hashed)
	id := hex.EncodeToString(sum[:16])

	b := e.room(len(e.content) + len(subject) + len(operation) + 512)
	b = append(b, `{"specversion":"1.0","id":"`...)
	b = append(b, id...)
	b = append(b, `","source":`...)
	b = appendString(b, schemas.Source(operation))
	b = append(b, `,"type":"`...)
	b = append(b, typ...)
	b = append(b, `","subject":`...)
	b = appendString(b, subject)
	b = append(b, `,"time":`...)
	b, err := appendTime(b, at.UTC())
	if err != nil {
		return event{}, fmt.Errorf("encoding %s of %s %s: %w", typ, operation, subject, err)
	}
	b = append(b, `,"datacontenttype":"application/json","dataschema":"urn:wolkpipe:schema:`...)
	b = append(b, typ[len("wolkpipe."):]...)
	b = append(b, `","data":`...)
	b = append(b, e.content...)
	b = append(b, '}')
	if len(e.arena)+len(b) <= cap(e.arena) {
		e.arena = e.arena[:len(e.arena)+len(b)] // b was written in place
	}
	return event{id: id, data: slices.Clip(b)}, nil
}

// room is an empty slice with room for n bytes that nobody else writes to.
func (e *encoder) room(n int) []byte {
	if cap(e.arena)-len(e.arena) < n {
		e.arena = make([]byte, 0, max(n, arenaBlock))
	}
	return e.arena[len(e.arena):len(e.arena)]
}

// appendWhere appends what row and window events begin with, after the name
// of the first field.
func appendWhere(b []byte, operation, day string, start, end time.Time, local string) ([]byte, error) {
	b = appendString(b, operation)
	b = append(b, `,"day":`...)
	b = appendString(b, day)
	b = append(b, `,"window_start":`...)
	b, err := appendTime(b, start)
	if err != nil {
		return nil, err
	}
	b = append(b, `,"window_end":`...)
	if b, err = appendTime(b, end); err != nil {
		return nil, err
	}
	b = append(b, `,"window_local":`...)
	return appendString(b, local), nil
}

// appendRow appends a row of a window event and a comma.
func appendRow(b []byte, r *schemas.Row) []byte {
	b = append(b, `{"agent_name":`...)
	b = appendString(b, r.Agent)
	b = append(b, `,"cod_act":`...)
	b = appendString(b, r.Code)
	b = append(b, `,"description_cod_act":`...)
	b = appendOptional(b, r.Description)
	b = appendInt(b, `,"interactions":`, r.Interactions)
	return append(b, '}', ',')
}

func appendSized(b []byte, s string) []byte {
	b = strconv.AppendInt(b, int64(len(s)), 10)
	b = append(b, ':')
	return append(b, s...)
}

func appendInt(b []byte, name string, n int64) []byte {
	b = append(b, name...)
	return strconv.AppendInt(b, n, 10)
}

func appendTime(b []byte, t time.Time) ([]byte, error) {
	b = append(b, '"')
	b, err := t.AppendText(b)
	return append(b, '"'), err
}

func appendOptional(b []byte, s *string) []byte {
	if s == nil {
		return append(b, "null"...)
	}
	return appendString(b, *s)
}

// appendString appends s as encoding/json does. What it escapes is rare in
// names and codes, and left to it.
func appendString(b []byte, s string) []byte {
	plain := true
	for i := 0; i < len(s) && plain; i++ {
		c := s[i]
		plain = c >= ' ' && c < utf8.RuneSelf && c != '"' && c != '\\' && c != '<' && c != '>' && c != '&'
	}
	if !plain {
		return appendOdd(b, s)
	}
	b = append(b, '"')
	b = append(b, s...)
	return append(b, '"')
}

// appendOdd is appendString for what is not all plain ASCII.
func appendOdd(b []byte, s string) []byte {
	for _, r := range s {
		if r < ' ' || r == '"' || r == '\\' || r == '<' || r == '>' || r == '&' ||
			r == '\u2028' || r == '\u2029' || r == utf8.RuneError {
			quoted, _ := json.Marshal(s) // a string cannot fail
			return append(b, quoted...)
		}
	}
	b = append(b, '"')
	b = append(b, s...)
	return append(b, '"')
}
