package iceberg

import (
	"path/filepath"
	"slices"
	"testing"

	"wolkpipe/sinks"
)

// TestForget: no file and no snapshot is left of what the days were before.
func TestForget(t *testing.T) {
	for name, make := range map[string]func(testing.TB) lakeAt{
		"sqlite": sqliteLake, "hadoop": hadoopLake, "rest": func(t testing.TB) lakeAt { return newRESTCatalog(t).lake() },
	} {
		t.Run(name, func(t *testing.T) {
			at := make(t)
			s := at.open(t)
			for v := int64(1); v <= 4; v++ {
				mustCommit(t, s, dayOf(0, 2, v))
				mustCommit(t, s, dayOf(1, 2, v))
			}
			files := dataFiles(t, at.table(t, "chat_7"))
			n, err := s.Forget(t.Context(), sinks.Past{})
			if n != 7 || err != nil {
				t.Errorf("Forget gives %d, %v, want 7 snapshots", n, err)
			}
			var want []string
			for _, f := range files {
				want = append(want, local(f))
			}
			got := filesOf(t, filepath.Dir(filepath.Dir(filepath.Dir(local(files[0])))), "chat_7")
			slices.Sort(want)
			if slices.Sort(got); !slices.Equal(got, want) {
				t.Errorf("the data files are %q, want %q", got, want)
			}
			if n, err := s.Forget(t.Context(), sinks.Past{}); n != 0 || err != nil {
				t.Errorf("a second time Forget gives %d, %v", n, err)
			}
			checkDay(t, at, dayOf(0, 2, 4))
			checkDay(t, at, dayOf(1, 2, 4))
			mustCommit(t, s, dayOf(0, 2, 5))
			checkDay(t, at, dayOf(0, 2, 5))
		})
	}
}
