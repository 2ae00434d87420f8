package consume

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"wolkpipe/schemas"
)

// Event is what a message of CHAT7_EVENTS tells. One of Row, Window and Day is
// set; none is where the type is not known, and such an event is to be
// ignored.
type Event struct {
	ID   string
	Type string    // as in schemas.TypeRow
	Time time.Time // when it was observed; of a day, when its state changed

	Row    *schemas.RowData
	Window *schemas.WindowData
	Day    *schemas.DayData
}

// Decode reads a message. A type that is not known is no error, nor are fields
// that are not known; what is no CloudEvent is, and an event of a known type
// that lacks what it is told apart and ordered by.
func Decode(data []byte) (Event, error) {
	var e schemas.Event[json.RawMessage]
	if err := json.Unmarshal(data, &e); err != nil {
		return Event{}, fmt.Errorf("decoding an event: %w", err)
	}
	if e.ID == "" || e.Type == "" {
		return Event{}, errors.New("decoding an event: it has no id or no type")
	}
	event := Event{ID: e.ID, Type: e.Type, Time: e.Time}
	var err error
	switch e.Type {
	case schemas.TypeRow:
		var d *schemas.RowData
		if d, err = decode[schemas.RowData](e.Data); err == nil {
			event.Row, err = d, needs(d.Operation, d.WindowLocal, d.Revision, d.ObservedAt)
		}
	case schemas.TypeWindow:
		var d *schemas.WindowData
		if d, err = decode[schemas.WindowData](e.Data); err == nil {
			event.Window, err = d, needs(d.Operation, d.WindowLocal, d.Revision, d.ObservedAt)
		}
	case schemas.TypeDay:
		var d *schemas.DayData
		if d, err = decode[schemas.DayData](e.Data); err == nil {
			event.Day, err = d, needs(d.Operation, d.Day, d.Revision, e.Time)
		}
	}
	if err != nil {
		return Event{}, fmt.Errorf("decoding event %s, a %s: %w", e.ID, e.Type, err)
	}
	return event, nil
}

func decode[T any](data json.RawMessage) (*T, error) {
	d := new(T)
	if len(data) == 0 {
		return nil, errors.New("it has no data")
	}
	return d, json.Unmarshal(data, d)
}

func needs(operation, key string, revision int64, at time.Time) error {
	if operation == "" || key == "" || revision < 1 || at.IsZero() {
		return errors.New("it lacks an operation, a window or day, a revision or a time")
	}
	return nil
}
