package lake

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"time"
)

// EncodeLines gives records as lines of JSON, in their order: the same bytes
// for the same records. Instants and clocks are written as events write them.
func EncodeLines[R Sortable[R]](records []R) []byte {
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	for i := range records {
		_ = e.Encode(&records[i]) // texts, numbers and instants: nothing in a record fails
	}
	return out.Bytes()
}

// DecodeLines reads lines of JSON and sorts the records. Fields that it does
// not know are left out.
func DecodeLines[R Sortable[R]](data []byte) (records []R, err error) {
	for line := range bytes.Lines(data) {
		var r R
		if err := json.Unmarshal(line, &r); err != nil {
			return nil, fmt.Errorf("line %d: %w", len(records)+1, err)
		}
		records = append(records, r)
	}
	slices.SortStableFunc(records, R.Compare)
	return records, nil
}

// MarshalText writes i as String does.
func (i Instant) MarshalText() ([]byte, error) { return []byte(i.String()), nil }

// UnmarshalText reads RFC 3339, cut to microseconds.
func (i *Instant) UnmarshalText(text []byte) error {
	t, err := time.Parse(time.RFC3339Nano, string(text))
	*i = InstantOf(t)
	return err
}

// MarshalText writes w as String does.
func (w WallClock) MarshalText() ([]byte, error) { return []byte(w.String()), nil }

// UnmarshalText reads what ParseWallClock does.
func (w *WallClock) UnmarshalText(text []byte) (err error) {
	*w, err = ParseWallClock(string(text))
	return err
}
