package main

import (
	"bytes"
	"database/sql"
	"encoding/json"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	_ "github.com/duckdb/duckdb-go/v2" // a reader of the lake that is not ours
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"wolkpipe/pipeline"
	"wolkpipe/pipeline/broker"
	"wolkpipe/pipeline/journal"
	"wolkpipe/pipeline/window"
)

// holdings are what an installation holds, read from outside: the stream of
// events with nothing but nats.go, the lake with DuckDB.
type holdings struct {
	events      tally
	rows        tally               // of the lake
	lines       map[string][]line   // the lake's coverage by operation, sorted
	quarantined map[[2]string]int64 // rejected rows by operation and window
	unreadable  map[[2]string]int64 // the same, counted in the journal's raw rows
	journal     map[string][]string // windows by operation, sorted
}

// line is one window of the lake's coverage.
type line struct {
	window                                string
	rows, interactions, rejected, dropped int64
}

// check compares what the installation, whose daemon has ended, holds with
// what the source has: of every window that was due in the daemon's last
// status, and of those that became due until it ended. It tells how many rows
// were rejected.
func (s *site) check(since string, grid time.Duration, last pipeline.Status) (rejects int64) {
	s.t.Helper()
	s.checkLakeFiles()
	have := s.read(since)
	truth := tally{}
	for _, op := range s.sim.Operations() {
		due := operation(s.t, last, op.Name).Due
		lines := have.lines[op.Name]
		windows := s.windows(op.Timezone, since, grid, len(lines))
		if len(lines) < due {
			s.t.Errorf("%s: the lake covers %d windows of %d that were due", op.Name, len(lines), due)
		}
		for i, l := range lines {
			w := windows[i]
			if l.window != w.From.String() {
				s.t.Fatalf("%s: the lake's coverage has %s where %s should follow", op.Name, l.window, w.From)
			}
			rows, total := int64(0), int64(0)
			for _, c := range s.sim.Truth(op.Name, w.Range) {
				truth[cell{op.Name, l.window, s.known(have, op.Name, c.Agent), c.Code}] = c.Interactions
				rows, total = rows+1, total+c.Interactions
			}
			if l.rows != rows || l.interactions != total {
				s.t.Errorf("%s %s: covered with %d rows and %d interactions, the truth is %d and %d", op.Name, l.window, l.rows, l.interactions, rows, total)
			}
			k := [2]string{op.Name, l.window}
			if l.rejected != have.quarantined[k] || l.rejected != have.unreadable[k] {
				s.t.Errorf("%v: %d rows rejected, %d in quarantine, %d in the journal that cannot be read", k, l.rejected, have.quarantined[k], have.unreadable[k])
			}
			rejects += l.rejected
		}
		covered := make([]string, len(lines))
		for i, l := range lines {
			covered[i] = l.window
		}
		if !slices.Equal(have.journal[op.Name], covered) {
			s.t.Errorf("%s: the journal has %d windows, the lake's coverage %d", op.Name, len(have.journal[op.Name]), len(covered))
		}
	}
	if n := truth.minus(have.events); n > 0 || len(truth) == 0 {
		s.t.Errorf("events differ from the truth's %d rows in %d", len(truth), n)
	}
	if n := truth.minus(have.rows); n > 0 {
		s.t.Errorf("the lake differs from the truth's %d rows in %d", len(truth), n)
	}
	s.t.Logf("%d rows with %d interactions in events and lake, %d rows in quarantine", len(truth), truth.sum(), rejects)
	return rejects
}

// windows are the first n windows of an operation's clock from a day on.
func (s *site) windows(timezone, since string, length time.Duration, n int) (all []window.Window) {
	s.t.Helper()
	zone, err := window.LoadZone(timezone)
	if err != nil {
		s.t.Fatal(err)
	}
	grid, err := window.NewGrid(length)
	if err != nil {
		s.t.Fatal(err)
	}
	day, err := window.ParseDate(since)
	if err != nil {
		s.t.Fatal(err)
	}
	for ; len(all) < n; day++ {
		length := grid
		if other, ok := s.grids[day.String()]; ok {
			length = window.Grid(other)
		}
		all = append(all, zone.Windows(day, length)...)
	}
	return all
}

// read reads everything.
func (s *site) read(since string) (have holdings) {
	s.t.Helper()
	nc, end := s.connect()
	defer end()
	js, err := jetstream.New(nc)
	if err != nil {
		s.t.Fatal(err)
	}
	have.events = sumEvents(s.t, js)
	have.quarantined = countQuarantine(s.t, js)
	have.journal, have.unreadable = readJournal(s.t, js)
	db, err := sql.Open("duckdb", "")
	if err != nil {
		s.t.Fatal(err)
	}
	defer db.Close()
	have.rows, have.lines = tally{}, map[string][]line{}
	query(s.t, db, `SELECT operation, strftime(window_local, '%Y-%m-%dT%H:%M:%S'), agent_name, cod_act, interactions
		FROM `+s.dataset("chat_7"), func(scan func(...any)) {
		var k cell
		var n int64
		scan(&k.operation, &k.window, &k.agent, &k.code, &n)
		if _, twice := have.rows[k]; twice {
			s.t.Errorf("the lake has two rows for %v", k)
		}
		have.rows[k] = n
	})
	query(s.t, db, `SELECT operation, strftime(window_local, '%Y-%m-%dT%H:%M:%S'), row_count, interactions, rejected_rows, dropped_rows
		FROM `+s.dataset("chat_7_windows")+` ORDER BY ALL`, func(scan func(...any)) {
		var operation string
		var l line
		scan(&operation, &l.window, &l.rows, &l.interactions, &l.rejected, &l.dropped)
		have.lines[operation] = append(have.lines[operation], l)
	})
	return have
}

// connect reaches the NATS of an installation whose daemons have ended.
func (s *site) connect() (nc *nats.Conn, end func()) {
	s.t.Helper()
	var server *broker.Server
	var err error
	if s.nats != "" {
		nc, err = nats.Connect(s.nats, s.options...)
	} else if server, err = broker.Start(s.t.Context(), broker.Options{Dir: s.path("data"), Logger: slog.New(slog.DiscardHandler)}); err == nil {
		nc, err = server.Connect("test")
	}
	if err != nil {
		s.t.Fatal(err)
	}
	return nc, func() {
		nc.Close()
		if server != nil {
			server.Close()
		}
	}
}

func (s *site) dataset(name string) string {
	return "read_parquet('" + s.path("data", "lake", name) + "/*/*/*.parquet', hive_partitioning = true)"
}

func query(t *testing.T, db *sql.DB, text string, row func(scan func(...any))) {
	t.Helper()
	rows, err := db.QueryContext(t.Context(), text)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		row(func(into ...any) {
			if err := rows.Scan(into...); err != nil {
				t.Fatal(err)
			}
		})
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
}

// messages hands every message of a stream to f, in order.
func messages(t *testing.T, js jetstream.JetStream, stream string, f func(data []byte)) {
	t.Helper()
	sequenced(t, js, stream, func(_ uint64, data []byte) { f(data) })
}

// sumEvents sums the deltas of all row events, and holds the stream to its
// order: no id twice, revisions rising, a window's event with the sum of its
// rows after them.
func sumEvents(t *testing.T, js jetstream.JetStream) tally {
	t.Helper()
	type event struct {
		ID, Type string
		Data     struct {
			Operation    string
			Window       string `json:"window_local"`
			Agent        string `json:"agent_name"`
			Code         string `json:"cod_act"`
			Delta        int64
			Previous     int64
			Interactions int64
			Revision     int64
		}
	}
	sums, ids := tally{}, map[string]bool{}
	revisions, totals := map[[2]string]int64{}, map[[2]string]int64{}
	messages(t, js, "CHAT7_EVENTS", func(data []byte) {
		var e event
		if err := json.Unmarshal(data, &e); err != nil {
			t.Fatal(err)
		}
		if ids[e.ID] {
			t.Errorf("event %s is in the stream twice", e.ID)
		}
		ids[e.ID] = true
		d := e.Data
		w, k := [2]string{d.Operation, d.Window}, cell{d.Operation, d.Window, d.Agent, d.Code}
		switch e.Type {
		case "wolkpipe.chat_7.row.v1":
			if d.Previous != sums[k] || d.Interactions != d.Previous+d.Delta || d.Revision <= revisions[w] {
				t.Errorf("%v: %d %+d is %d in revision %d, after %d in revision %d", k, d.Previous, d.Delta, d.Interactions, d.Revision, sums[k], revisions[w])
			}
			sums[k] += d.Delta
			totals[w] += d.Delta
		case "wolkpipe.chat_7.window.v1":
			if d.Revision <= revisions[w] || d.Interactions != totals[w] {
				t.Errorf("%v: revision %d with %d interactions, after %d and rows that sum to %d", w, d.Revision, d.Interactions, revisions[w], totals[w])
			}
			revisions[w] = d.Revision
		}
	})
	return sums
}

// countQuarantine counts the rejected rows of each window's highest revision.
func countQuarantine(t *testing.T, js jetstream.JetStream) map[[2]string]int64 {
	t.Helper()
	counts, revisions := map[[2]string]int64{}, map[[2]string]int64{}
	messages(t, js, "CHAT7_QUARANTINE", func(data []byte) {
		var row struct {
			Operation string
			Window    string `json:"window_local"`
			Revision  int64
		}
		if err := json.Unmarshal(data, &row); err != nil {
			t.Fatal(err)
		}
		k := [2]string{row.Operation, row.Window}
		if row.Revision > revisions[k] {
			revisions[k], counts[k] = row.Revision, 0
		}
		if row.Revision == revisions[k] {
			counts[k]++
		}
	})
	return counts
}

// readJournal lists the windows that the journal has, and counts in each the
// source's rows that nobody can read, but for those alike to the byte.
func readJournal(t *testing.T, js jetstream.JetStream) (windows map[string][]string, unreadable map[[2]string]int64) {
	t.Helper()
	j, err := journal.Open(t.Context(), js)
	if err != nil {
		t.Fatal(err)
	}
	days, err := j.Days(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	windows, unreadable = map[string][]string{}, map[[2]string]int64{}
	for _, key := range days {
		day, err := j.Day(t.Context(), key)
		if err != nil {
			t.Fatal(err)
		}
		for _, bad := range day.Bad {
			t.Errorf("message %d of the journal cannot be read: %v", bad.Seq, bad.Err)
		}
		for _, o := range day.Windows {
			windows[key.Operation] = append(windows[key.Operation], o.Local.String())
			seen := map[string]bool{}
			for _, raw := range o.Rows {
				if !seen[string(raw)] && !readable(raw) {
					unreadable[[2]string{key.Operation, o.Local.String()}]++
				}
				seen[string(raw)] = true
			}
		}
	}
	for _, all := range windows {
		slices.Sort(all)
	}
	return windows, unreadable
}

// readable is a rough reading of the simulator's counts.
func readable(raw []byte) bool {
	var row struct{ Interactions any }
	if json.Unmarshal(raw, &row) != nil {
		return false
	}
	n, err := strconv.ParseInt(strings.TrimSpace(fmt.Sprint(row.Interactions)), 10, 64)
	return err == nil && n >= 0 && row.Interactions != true
}

// checkLakeFiles holds the lake to whole objects under the names that it
// promises, with one temporary file in a folder at most.
func (s *site) checkLakeFiles() {
	s.t.Helper()
	root := s.path("data", "lake")
	others := map[string]int{}
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || filepath.Dir(path) == root {
			return err
		}
		if filepath.Ext(path) != ".parquet" {
			others[filepath.Dir(path)]++
			return nil
		}
		dataset, _, _ := strings.Cut(strings.TrimPrefix(path, root+"/"), "/")
		data, err := os.ReadFile(path)
		switch magic := []byte("PAR1"); {
		case err != nil:
			return err
		case d.Name() != dataset+".parquet":
			s.t.Errorf("the lake has a file %s", path)
		case len(data) < 12 || !bytes.HasPrefix(data, magic) || !bytes.HasSuffix(data, magic):
			s.t.Errorf("%s is not whole: %d bytes", path, len(data))
		}
		return nil
	})
	if err != nil && !os.IsNotExist(err) {
		s.t.Fatal(err)
	}
	for folder, n := range others {
		if n > 1 {
			s.t.Errorf("%s has %d files besides the object", folder, n)
		}
	}
}
