package lake_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"wolkpipe/schemas"
	"wolkpipe/sinks"
	"wolkpipe/sinks/lake"
)

// records are those of a day of so many windows of so many rows.
func records(t testing.TB, windows, rows int) []lake.RowRecord {
	t.Helper()
	epoch := time.Date(2026, 11, 1, 5, 0, 0, 0, time.UTC)
	d := &sinks.Day{Key: sinks.Key{Operation: "ventas", Day: "2026-11-01"}, Timezone: "America/Bogota"}
	sale := "Venta"
	for n := range windows {
		start := epoch.Add(time.Duration(n) * 5 * time.Minute)
		w := schemas.Window{
			Local: start.Add(-5 * time.Hour).Format(lake.WallLayout), Start: start, End: start.Add(5 * time.Minute),
			Revision: 1, Method: schemas.Direct, ObservedAt: epoch.Add(time.Hour),
		}
		for i := range rows {
			r := schemas.Row{Agent: fmt.Sprintf("Ana %02d", i), Code: fmt.Sprint(n), Interactions: int64(i + 1)}
			if i%2 == 0 {
				r.Description = &sale
			}
			w.Rows = append(w.Rows, r)
		}
		d.Windows = append(d.Windows, w)
	}
	projected, err := lake.Project(d)
	if err != nil {
		t.Fatal(err)
	}
	var all []lake.RowRecord
	for _, w := range projected {
		all = append(all, w.Rows...)
	}
	return all
}

// TestEncodingIsDeterministic: equal records give equal bytes, which come back as they were.
func TestEncodingIsDeterministic(t *testing.T) {
	records := records(t, 50, 20)
	first, err := lake.Rows.Encode(records)
	if err != nil {
		t.Fatal(err)
	}
	for range 3 { // the same writer, with other records between
		if _, err := lake.Rows.Encode(records[:len(records)/2]); err != nil {
			t.Fatal(err)
		}
		again, err := lake.Rows.Encode(records)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(first, again) {
			t.Fatal("the same records gave other bytes")
		}
	}
	back, unknown, err := lake.Rows.Decode(first)
	if err != nil || unknown != nil || !reflect.DeepEqual(back, records) {
		t.Fatalf("records changed on their way: %v, %v", unknown, err)
	}
}

// small is an object of three rows.
func small(t testing.TB) []byte {
	t.Helper()
	data, err := lake.Rows.Encode(records(t, 1, 3))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// TestDamagedFooter changes each byte of a footer: the reader panics on some of
// those, and on none may decode.
func TestDamagedFooter(t *testing.T) {
	good := small(t)
	footer := len(good) - 8 - int(binary.LittleEndian.Uint32(good[len(good)-8:]))
	for at := footer; at < len(good); at++ {
		for _, mask := range []byte{0x01, 0x15, 0x7f} {
			data := bytes.Clone(good)
			data[at] ^= mask
			if _, _, err := lake.Rows.Decode(data); err != nil && !errors.Is(err, lake.ErrUnreadable) {
				t.Errorf("byte %d changed by %#x gives %v", at, mask, err)
			}
		}
	}
}

// TestFalseFooterLength: the reader would make room for all that is claimed.
func TestFalseFooterLength(t *testing.T) {
	good := small(t)
	for _, claim := range []uint32{uint32(len(good) - 11), 1 << 20, 1<<31 - 1, 1<<32 - 1} {
		data := bytes.Clone(good)
		binary.LittleEndian.PutUint32(data[len(data)-8:], claim)
		if _, _, err := lake.Rows.Decode(data); !errors.Is(err, lake.ErrUnreadable) || !strings.HasSuffix(err.Error(), fmt.Sprintf("cannot hold its footer of %d", claim)) {
			t.Errorf("a footer of %d in %d bytes gives %v", claim, len(data), err)
		}
	}
	for n := range 12 {
		if _, _, err := lake.Rows.Decode(good[len(good)-n:]); !errors.Is(err, lake.ErrUnreadable) {
			t.Errorf("the last %d bytes give %v", n, err)
		}
	}
}

func FuzzDecode(f *testing.F) {
	good := small(f)
	f.Add(good)
	f.Add([]byte{})
	f.Add(good[:len(good)/2])
	f.Add(append(bytes.Clone(good[:len(good)-8]), 0xff, 0xff, 0xff, 0x7f, 'P', 'A', 'R', '1'))
	f.Fuzz(func(t *testing.T, data []byte) {
		records, unknown, err := lake.Rows.Decode(data)
		if err != nil && (!errors.Is(err, lake.ErrUnreadable) || records != nil || unknown != nil) {
			t.Fatalf("%d records, columns %q, with %v", len(records), unknown, err)
		}
	})
}
