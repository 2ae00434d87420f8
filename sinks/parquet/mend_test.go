package parquet

import (
	"errors"
	"slices"
	"testing"

	"gocloud.dev/blob/memblob"

	"wolkpipe/schemas"
	"wolkpipe/sinks"
	"wolkpipe/sinks/lake"
	"wolkpipe/sinks/sinktest"
)

// An unreadable rows object goes also from a day that has no rows.
func TestMendUnreadableOfEmptyDay(t *testing.T) {
	s := &spoiled{t: t, source: sinktest.NewSource()}
	s.sink, s.root = openDir(t)
	s.source.Observe(key, win(0, 10), win(1, 10))
	s.converge()
	writeFile(t, s.path(rowsObject), []byte("torn"))
	if found, _ := s.differences(); kinds(found) != "flawed" {
		t.Errorf("%q differ", found)
	}
	s.mended()
}

// A window that the lake alone has stays if it is whole.
func TestMendKeepsWholeWindows(t *testing.T) {
	s, _ := newSpoiled(t)
	extra := []schemas.Window{win(7, 10, row("Ana", "1", 1)), win(8, 10, row("Ana", "1", 1), row("Ana", "2", 1)), win(9, 10)}
	if _, err := offer(t.Context(), s.sink, day(extra...)); err != nil {
		t.Fatal(err)
	}
	found, audited := s.differences()
	if got := sinks.Unknown(s.day(), audited); len(found) > 0 || !slices.Equal(got, []string{extra[0].Local, extra[1].Local, extra[2].Local}) {
		t.Errorf("unknown are %q, %q differ", got, found)
	}
	s.rows(func(all []lake.RowRecord) []lake.RowRecord { // one loses a row
		return slices.DeleteFunc(all, func(r lake.RowRecord) bool { return r.Code == "2" && r.WindowLocal.String() == extra[1].Local })
	})
	if found, _ := s.differences(); kinds(found) != "stray" {
		t.Errorf("%q differ", found)
	}
	if _, err := sinks.Mend(t.Context(), s.sink, s.source, key.Operation, []string{key.Day}); err != nil {
		t.Fatal(err)
	}
	all := s.day().Windows
	wantState(t, s.sink, day(append(slices.Clone(all), extra[0], extra[2])...))
	if change := s.converge(); change != (sinks.Change{}) {
		t.Errorf("then it writes %+v", change)
	}
	// A day of which the journal knows nothing is left alone.
	_, audited = s.differences()
	if change, err := audited.Mend(t.Context(), day()); err != nil || change != (sinks.Change{}) {
		t.Errorf("a day without windows gives %+v, %v", change, err)
	}
}

// Foreign objects are kept, each version of them, where no query looks.
func TestForeignObjectsAreSetAside(t *testing.T) {
	const other = "chat_7/operation=ventas/day=2026-11-01/x.parquet"
	s, _ := newSpoiled(t)
	mem := &spoiled{t: t, sink: newSink(&bucketStore{bucket: memblob.OpenBucket(nil), prefix: "a/b/"}, nil), source: s.source}
	mem.converge()
	for _, s := range []*spoiled{s, mem} {
		for _, text := range []string{"one", "two"} {
			if err := s.sink.store.put(t.Context(), other, []byte(text), ""); err != nil {
				t.Fatal(err)
			}
			if found, _ := s.differences(); kinds(found) != "flawed" {
				t.Errorf("%q differ", found)
			}
			if changes, err := sinks.Mend(t.Context(), s.sink, s.source, key.Operation, []string{key.Day}); err != nil || changes[key.Day].Writes != 1 {
				t.Errorf("mending gives %+v, %v", changes, err)
			}
			if found, _ := s.differences(); len(found) > 0 {
				t.Errorf("%q differ", found)
			}
			aside := asideFolder + other + "." + contentGuard([]byte(text))[:16]
			if data, _, err := s.sink.store.get(t.Context(), aside); string(data) != text || err != nil {
				t.Errorf("%s holds %q, %v", aside, data, err)
			}
		}
		if err := s.sink.store.move(t.Context(), "not/there", "any/where"); err != nil {
			t.Errorf("moving what is not there gives %v", err)
		}
	}
}

// What was audited has moved: the mending is refused, and done on what is then there.
func TestMendIsGuarded(t *testing.T) {
	for name, spoil := range map[string]func(s *spoiled){
		"rows": func(s *spoiled) {
			s.rows(func(all []lake.RowRecord) []lake.RowRecord { all[0].ObservedAt = future; return all })
		},
		"coverage": func(s *spoiled) {
			s.lines(func(all []lake.WindowRecord) []lake.WindowRecord { all[0].ObservedAt = future; return all })
		},
	} {
		s, _ := newSpoiled(t)
		spoil(s)
		_, stale := s.differences()
		before := s.day()
		s.source.Observe(key, win(0, 30, row("Ana", "1", 9)), win(2, 30))
		s.mended()
		if _, err := stale.Mend(t.Context(), before); !errors.Is(err, sinks.ErrConflict) {
			t.Errorf("%s: a late mending gives %v, want a conflict", name, err)
		}
		wantState(t, s.sink, s.day())
	}
}
