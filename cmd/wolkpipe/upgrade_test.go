package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"wolkpipe/pipeline"
	"wolkpipe/pipeline/chat7/chat7sim"
)

// TestUpgrade takes over data folders that older versions left, one of each
// format that was ever released (testdata/installations): operation ventas,
// 2026-11-16 and 17 settled, 34 windows of the 27th, rejected rows. Nothing that
// they hold is told or written again, a sink that is new fills itself from
// their journal, and their days go on.
//
// Where a format changes, add a folder that the version before wrote: `backfill`
// of two days, then `run` for some seconds, without lock files and the secret.
func TestUpgrade(t *testing.T) {
	archives, err := filepath.Glob("../../testdata/installations/*.tar.gz")
	if err != nil || len(archives) == 0 {
		t.Fatalf("no installations: %v", err)
	}
	for _, archive := range archives {
		t.Run(filepath.Base(archive), func(t *testing.T) {
			t.Parallel()
			// Half an hour after the daemon that wrote it ended.
			s, _ := quickSite(t, time.Date(2026, 11, 27, 14, 7, 0, 0, time.UTC), 30, chat7sim.Options{Seed: 8, Scenario: chat7sim.Scenario{
				Operations: []chat7sim.Operation{{Name: "ventas", Timezone: "America/Bogota", InteractionsPerDay: 80, Weekends: true, Licences: 5}},
			}})
			if out, err := exec.CommandContext(t.Context(), "tar", "-xzf", archive, "-C", s.dir).CombinedOutput(); err != nil {
				t.Fatalf("tar: %v\n%s", err, out)
			}
			s.configure("2026-11-27", "15m", append(withTables[:len(withTables)-1:len(withTables)-1],
				`  - {name: anew, kind: parquet, bucket: "file:anew"}`, withTables[len(withTables)-1])...)
			old := s.lakeFiles()

			_, stdout, _ := s.run("status", "-c", "wolkpipe.yaml")
			for _, text := range []string{"2026-11-16 to 2026-11-17 settled", "ventas-20261116-20261117  done   192/192"} {
				if !strings.Contains(stdout, text) {
					t.Errorf("the status does not tell %q:\n%s", text, stdout)
				}
			}
			for _, sink := range []string{"events", "lake", "quarantine"} {
				code, stdout, stderr := s.run("resync", "-c", "wolkpipe.yaml", "--sink", sink)
				if code != 0 || !strings.Contains(stdout, "0 batches or objects written") {
					t.Errorf("resync of %s exits %d: %s%s", sink, code, stdout, stderr)
				}
			}
			for name, content := range old {
				if s.lakeFiles()[name] != content {
					t.Errorf("%s was written again", name)
				}
			}
			for _, sink := range []string{"anew", "tables"} {
				if code, stdout, stderr := s.run("resync", "-c", "wolkpipe.yaml", "--sink", sink); code != 0 {
					t.Errorf("resync of %s exits %d: %s%s", sink, code, stdout, stderr)
				}
			}
			have := s.read("2026-11-16")
			if n := have.rows.minus(have.events); n > 0 || have.rows.sum() == 0 || have.events.sum() != have.rows.sum() {
				t.Errorf("%d rows of the lake, events differ in %d", len(have.rows), n)
			}
			if lines := len(have.lines["ventas"]); lines != 192+34 {
				t.Errorf("%d windows are covered, want 226", lines)
			}
			s.checkTables("2026-11-16")
			if err := os.Rename(s.path("data", "lake"), s.path("lake.old")); err != nil {
				t.Fatal(err)
			}
			if err := os.Rename(s.path("anew"), s.path("data", "lake")); err != nil {
				t.Fatal(err)
			}
			if anew := s.read("2026-11-16"); anew.rows.minus(have.rows) > 0 || len(anew.rows) != len(have.rows) {
				t.Errorf("a new lake has %d rows, the old one %d", len(anew.rows), len(have.rows))
			}

			p := s.start()
			s.status(p, func(s pipeline.Status) bool {
				return s.Running && s.Operations[0].Due > 34 && s.Operations[0].Missing == 0
			})
			p.signal(syscall.SIGTERM)
			p.exits(0)
		})
	}
}

// lakeFiles are the lake's objects, by path.
func (s *site) lakeFiles() map[string]string {
	s.t.Helper()
	files := map[string]string{}
	names, err := filepath.Glob(s.path("data", "lake", "*", "*", "*", "*.parquet"))
	if err != nil || len(names) == 0 {
		s.t.Fatalf("no lake: %v", err)
	}
	for _, name := range names {
		data, err := os.ReadFile(name)
		if err != nil {
			s.t.Fatal(err)
		}
		files[name] = string(data)
	}
	return files
}
