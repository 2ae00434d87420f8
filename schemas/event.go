package schemas

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// The types of event.
const (
	TypeRow    = "wolkpipe.chat_7.row.v1"
	TypeWindow = "wolkpipe.chat_7.window.v1"
	TypeDay    = "wolkpipe.chat_7.day.v1"
)

// Streams and the subjects they hold.
const (
	EventsStream       = "CHAT7_EVENTS"
	EventsSubjects     = "chat7.events.>"
	QuarantineStream   = "CHAT7_QUARANTINE"
	QuarantineSubjects = "chat7.quarantine.>"
	JournalStream      = "CHAT7_JOURNAL"
	JournalSubjects    = "chat7.journal.>"
)

// ContentType is the Content-Type header of every event.
const ContentType = "application/cloudevents+json"

// Event is a CloudEvents 1.0 envelope in structured JSON; T is RowData,
// WindowData, DayData, or json.RawMessage before the type is known.
type Event[T any] struct {
	SpecVersion     string    `json:"specversion"`
	ID              string    `json:"id"`
	Source          string    `json:"source"`
	Type            string    `json:"type"`
	Subject         string    `json:"subject"`
	Time            time.Time `json:"time"`
	DataContentType string    `json:"datacontenttype"`
	DataSchema      string    `json:"dataschema"`
	Data            T         `json:"data"`
}

// RowData tells that the count of one (window, agent, code) changed.
type RowData struct {
	Operation    string    `json:"operation"`
	Day          string    `json:"day"`          // 2006-01-02
	WindowStart  time.Time `json:"window_start"` // RFC 3339 with offset
	WindowEnd    time.Time `json:"window_end"`   // exclusive
	WindowLocal  string    `json:"window_local"` // 2006-01-02T15:04:05
	Agent        string    `json:"agent_name"`
	Code         string    `json:"cod_act"`
	Description  *string   `json:"description_cod_act"`
	Interactions int64     `json:"interactions"` // now; 0 for a row that vanished
	Previous     int64     `json:"previous"`     // before; 0 for a first row
	Delta        int64     `json:"delta"`        // Interactions - Previous
	Revision     int64     `json:"revision"`     // the window's, from 1
	ObservedAt   time.Time `json:"observed_at"`
	Cause        Cause     `json:"cause"`
}

// WindowData tells the whole state of a window after a change.
type WindowData struct {
	Operation    string    `json:"operation"`
	Day          string    `json:"day"`
	WindowStart  time.Time `json:"window_start"`
	WindowEnd    time.Time `json:"window_end"`
	WindowLocal  string    `json:"window_local"`
	Revision     int64     `json:"revision"`
	Method       Method    `json:"method"`
	ObservedAt   time.Time `json:"observed_at"`
	Cause        Cause     `json:"cause"`
	RowCount     int64     `json:"row_count"`
	Interactions int64     `json:"interactions"` // the total
	RejectedRows int64     `json:"rejected_rows"`
	DroppedRows  int64     `json:"dropped_rows"` // duplicates
	Rows         []Row     `json:"rows"`         // every row as it now is
	Part         int       `json:"part"`         // from 1
	Parts        int       `json:"parts"`
}

// DayData tells a change of a day's state.
type DayData struct {
	Operation       string `json:"operation"`
	Day             string `json:"day"`
	Timezone        string `json:"timezone"`
	Revision        int64  `json:"revision"`
	State           State  `json:"state"`
	WindowsExpected int64  `json:"windows_expected"` // of the whole day's grid
	WindowsObserved int64  `json:"windows_observed"`
	RowCount        int64  `json:"row_count"`
	Interactions    int64  `json:"interactions"`
}

// QuarantineRow is the message of a rejected row.
type QuarantineRow struct {
	Operation   string          `json:"operation"`
	WindowLocal string          `json:"window_local"`
	Revision    int64           `json:"revision"`
	Reason      string          `json:"reason"`
	Raw         json.RawMessage `json:"raw"` // the source's row
}

// NewRow wraps d as an event and gives its JSON.
func NewRow(d RowData) (id string, event []byte, err error) {
	key := d.WindowLocal + "\x00" + d.Agent + "\x00" + d.Code
	return wrap(TypeRow, d.Operation, key, d.WindowLocal, d.Revision, d.ObservedAt, d)
}

// NewWindow wraps d as an event and gives its JSON.
func NewWindow(d WindowData) (id string, event []byte, err error) {
	key := d.WindowLocal + "\x00" + strconv.Itoa(d.Part)
	return wrap(TypeWindow, d.Operation, key, d.WindowLocal, d.Revision, d.ObservedAt, d)
}

// NewDay wraps d as an event and gives its JSON; at is when the state changed.
func NewDay(d DayData, at time.Time) (id string, event []byte, err error) {
	return wrap(TypeDay, d.Operation, d.Day, d.Day, d.Revision, at, d)
}

func wrap[T any](typ, operation, key, subject string, revision int64, at time.Time, data T) (string, []byte, error) {
	content, err := json.Marshal(data)
	if err != nil {
		return "", nil, fmt.Errorf("encoding %s of %s %s: %w", typ, operation, subject, err)
	}
	h := sha256.New()
	for _, part := range []string{operation, typ, key, strconv.FormatInt(revision, 10)} {
		_, _ = fmt.Fprintf(h, "%d:%s", len(part), part)
	}
	_, _ = h.Write(content)
	id := hex.EncodeToString(h.Sum(nil)[:16])
	event, err := json.Marshal(Event[json.RawMessage]{
		SpecVersion: "1.0", ID: id, Source: Source(operation), Type: typ, Subject: subject,
		Time: at.UTC(), DataContentType: "application/json", DataSchema: "urn:wolkpipe:schema:" + strings.TrimPrefix(typ, "wolkpipe."),
		Data: content,
	})
	return id, event, err
}

// Source is the CloudEvents source of an operation.
func Source(operation string) string { return "/wolkpipe/" + operation + "/chat_7" }

// RowSubject is the subject of a row event.
func RowSubject(operation, code string) string {
	return "chat7.events." + operation + ".row." + EncodeCode(code)
}

// WindowSubject is the subject of a day's window events; day is 2006-01-02.
func WindowSubject(operation, day string) string {
	return "chat7.events." + operation + ".window." + compactDay(day)
}

// DaySubject is the subject of a day's day events.
func DaySubject(operation, day string) string {
	return "chat7.events." + operation + ".day." + compactDay(day)
}

// QuarantineSubject is the subject of a day's rejected rows.
func QuarantineSubject(operation, day string) string {
	return "chat7.quarantine." + operation + "." + compactDay(day)
}

// JournalSubject is the subject of a day's chunks.
func JournalSubject(operation, day string) string {
	return "chat7.journal." + operation + "." + compactDay(day)
}

func compactDay(day string) string { return strings.ReplaceAll(day, "-", "") }

const codeLimit, codeKept = 200, 160

// EncodeCode makes a code fit for one token of a subject: every byte outside
// A-Z a-z 0-9 _ - becomes %XX, the empty code is "%", and what is longer than
// 200 bytes becomes its first 160, "+" and 16 hex digits of the code's SHA-256.
func EncodeCode(code string) string {
	if code == "" {
		return "%"
	}
	var b strings.Builder
	for i := range len(code) {
		c := code[i]
		switch {
		case c >= 'A' && c <= 'Z', c >= 'a' && c <= 'z', c >= '0' && c <= '9', c == '_', c == '-':
			b.WriteByte(c)
		default:
			const hexDigits = "0123456789ABCDEF"
			b.WriteByte('%')
			b.WriteByte(hexDigits[c>>4])
			b.WriteByte(hexDigits[c&15])
		}
	}
	s := b.String()
	if len(s) <= codeLimit {
		return s
	}
	sum := sha256.Sum256([]byte(code))
	return s[:codeKept] + "+" + hex.EncodeToString(sum[:8])
}
