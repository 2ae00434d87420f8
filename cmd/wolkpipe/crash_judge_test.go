package main

import (
	"cmp"
	"database/sql"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"text/tabwriter"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"wolkpipe/pipeline"
)

// judgement is what came of holding an installation to the laws.
type judgement struct {
	windows              int // compared with the source, in journal, events, lake and quarantine
	lost, doubled, wrong int
	rejected             int64
	flaws                []string // the first of them
}

func (v *judgement) bad() bool { return v.lost+v.doubled+v.wrong > 0 }

func (v *judgement) String() string {
	return fmt.Sprintf("%d lost, %d doubled, %d wrong:\n%s", v.lost, v.doubled, v.wrong, strings.Join(v.flaws, "\n"))
}

func (v *judgement) flaw(count *int, format string, args ...any) {
	*count++
	if len(v.flaws) < 30 {
		v.flaws = append(v.flaws, fmt.Sprintf(format, args...))
	}
}

// count holds a number to what it should be: less is lost, more is doubled.
func (v *judgement) count(have, want int64, what string, args ...any) {
	if have != want {
		count := &v.lost
		if have > want {
			count = &v.doubled
		}
		v.flaw(count, "%s: %d, not %d", fmt.Sprintf(what, args...), have, want)
	}
}

// outside is what can be seen of an installation without any of its code,
// the folding of the journal excepted.
type outside struct {
	js     jetstream.JetStream
	events tally
	ids    map[uint64]string // of events by sequence
	lake   tally
	lines  map[string][]line // by operation, sorted
}

// judge compares what the installation, whose daemon has ended, holds with
// what the source has: of every window that was due in the daemon's last
// status, and of those that became due until it ended.
func (s *storm) judge(last pipeline.Status) *judgement {
	s.t.Helper()
	if s.fetch != nil {
		s.fetch()
	}
	nc, end := s.connect()
	defer end()
	js, err := jetstream.New(nc)
	if err != nil {
		s.t.Fatal(err)
	}
	v, look := &judgement{}, &outside{js: js}
	s.readEvents(look, v)
	s.readLake(look, v)
	quarantined := countQuarantine(s.t, js)
	observed, unreadable := readJournal(s.t, js)
	truth := tally{}
	held := map[[2]string][2]int64{} // rows and interactions of the lake by operation and window
	for k, n := range look.lake {
		w := [2]string{k.operation, k.window}
		held[w] = [2]int64{held[w][0] + 1, held[w][1] + n}
	}
	for _, op := range s.sim.Operations() {
		lines := look.lines[op.Name]
		due := operation(s.t, last, op.Name).Due
		covered := map[string]int{}
		for _, l := range lines {
			covered[l.window]++
		}
		inJournal := map[string]bool{}
		for _, w := range observed[op.Name] {
			inJournal[w] = true
		}
		known := map[string]bool{}
		for _, w := range s.windows(op.Timezone, s.since(), grid, max(due, len(lines)))[:max(due, len(lines))] {
			name := w.From.String()
			known[name] = true
			v.windows++
			v.count(int64(covered[name]), 1, "%s %s: lines in the lake's coverage", op.Name, name)
			if !inJournal[name] {
				v.flaw(&v.lost, "%s %s: not in the journal", op.Name, name)
			}
			for _, c := range s.sim.Truth(op.Name, w.Range) {
				truth[cell{op.Name, name, c.Agent, c.Code}] = c.Interactions
			}
		}
		for _, w := range append(slices.Collect(maps.Keys(covered)), observed[op.Name]...) {
			if !known[w] {
				v.flaw(&v.wrong, "%s %s: a window that should not be there", op.Name, w)
			}
		}
		for _, l := range lines {
			k := [2]string{op.Name, l.window}
			if held[k] != [2]int64{l.rows, l.interactions} {
				v.flaw(&v.wrong, "%v: covered with %d rows and %d interactions, the lake has %d", k, l.rows, l.interactions, held[k])
			}
			v.count(l.rejected, unreadable[k], "%v: rejected rows in the coverage, by those in the journal that cannot be read", k)
			v.count(quarantined[k], l.rejected, "%v: rows in quarantine", k)
			v.rejected += l.rejected
		}
	}
	for where, have := range map[string]tally{"events": look.events, "lake": look.lake} {
		for k, n := range truth {
			v.count(have[k], n, "%s: %v", where, k)
		}
		for k, n := range have {
			if _, ok := truth[k]; !ok && n != 0 {
				v.flaw(&v.wrong, "%s: %v: %d of what the source does not have", where, k, n)
			}
		}
	}
	s.judgeCalls(v)
	if s.judged != nil {
		s.judged(look, v)
	}
	if v.windows == 0 || len(truth) == 0 || v.rejected == 0 {
		s.t.Errorf("%d windows with %d rows, %d rejected rows: that compares nothing", v.windows, len(truth), v.rejected)
	}
	return v
}

// judgeCalls looks at the source for calls that met on a token, those included
// that a killed process left open, and for calls past the quota.
func (s *storm) judgeCalls(v *judgement) {
	if met := s.watch.meetings(); met > 0 {
		v.flaw(&v.wrong, "%d calls met another of their process", met)
	}
	stats := s.sim.Stats()
	for name, token := range stats.Tokens {
		if token.Overlaps > 0 || token.MaxInFlight > 1 {
			v.flaw(&v.wrong, "%d calls met another on token %s", token.Overlaps, name)
		}
	}
	for name, op := range stats.Operations {
		if op.QuotaRefused > 0 {
			v.flaw(&v.wrong, "%s: %d calls past the quota", name, op.QuotaRefused)
		}
	}
}

// readEvents sums the deltas of all row events as a plain consumer would, and
// holds the stream to its order: no id twice, revisions rising, a window's
// event after its rows, with their sum.
func (s *storm) readEvents(look *outside, v *judgement) {
	s.t.Helper()
	look.events, look.ids = tally{}, map[uint64]string{}
	ids, revisions, totals := map[string]bool{}, map[[2]string]int64{}, map[[2]string]int64{}
	sequenced(s.t, look.js, "CHAT7_EVENTS", func(sequence uint64, data []byte) {
		var e struct {
			ID, Type string
			Data     struct {
				Operation                               string
				Window                                  string `json:"window_local"`
				Agent                                   string `json:"agent_name"`
				Code                                    string `json:"cod_act"`
				Delta, Previous, Interactions, Revision int64
			}
		}
		if err := json.Unmarshal(data, &e); err != nil {
			v.flaw(&v.wrong, "event %d: %v", sequence, err)
			return
		}
		look.ids[sequence] = e.ID
		if ids[e.ID] {
			v.flaw(&v.doubled, "event %s is in the stream twice", e.ID)
		}
		ids[e.ID] = true
		d := e.Data
		w, k := [2]string{d.Operation, d.Window}, cell{d.Operation, d.Window, d.Agent, d.Code}
		switch e.Type {
		case "wolkpipe.chat_7.row.v1":
			if d.Previous != look.events[k] || d.Interactions != d.Previous+d.Delta || d.Revision <= revisions[w] {
				v.flaw(&v.wrong, "event %d, %v: %d %+d is %d in revision %d, after %d in revision %d",
					sequence, k, d.Previous, d.Delta, d.Interactions, d.Revision, look.events[k], revisions[w])
			}
			look.events[k] += d.Delta
			totals[w] += d.Delta
		case "wolkpipe.chat_7.window.v1":
			if d.Revision <= revisions[w] || d.Interactions != totals[w] {
				v.flaw(&v.wrong, "event %d, %v: revision %d with %d interactions, after %d and rows that sum to %d",
					sequence, w, d.Revision, d.Interactions, revisions[w], totals[w])
			}
			revisions[w] = d.Revision
		}
	})
}

// sequenced hands every message of a stream to f, in order.
func sequenced(t *testing.T, js jetstream.JetStream, stream string, f func(sequence uint64, data []byte)) {
	t.Helper()
	handle, err := js.Stream(t.Context(), stream)
	if err != nil {
		t.Fatal(err)
	}
	left := handle.CachedInfo().State.Msgs
	consumer, err := js.OrderedConsumer(t.Context(), stream, jetstream.OrderedConsumerConfig{})
	if err != nil {
		t.Fatal(err)
	}
	for begin := time.Now(); left > 0 && time.Since(begin) < patience; {
		batch, err := consumer.Fetch(1000, jetstream.FetchMaxWait(time.Second))
		if err != nil {
			t.Fatal(err)
		}
		for msg := range batch.Messages() {
			meta, err := msg.Metadata()
			if err != nil {
				t.Fatal(err)
			}
			f(meta.Sequence.Stream, msg.Data())
			left--
		}
	}
	if left > 0 {
		t.Fatalf("%d messages of %s did not come", left, stream)
	}
}

// readLake reads the lake with DuckDB.
func (s *storm) readLake(look *outside, v *judgement) {
	s.t.Helper()
	db, err := sql.Open("duckdb", "")
	if err != nil {
		s.t.Fatal(err)
	}
	defer db.Close()
	look.lake, look.lines = tally{}, map[string][]line{}
	query(s.t, db, `SELECT operation, strftime(window_local, '%Y-%m-%dT%H:%M:%S'), agent_name, cod_act, interactions
		FROM `+s.dataset("chat_7"), func(scan func(...any)) {
		var k cell
		var n int64
		scan(&k.operation, &k.window, &k.agent, &k.code, &n)
		if _, twice := look.lake[k]; twice {
			v.flaw(&v.doubled, "the lake has two rows for %v", k)
		}
		look.lake[k] += n
	})
	query(s.t, db, `SELECT operation, strftime(window_local, '%Y-%m-%dT%H:%M:%S'), row_count, interactions, rejected_rows, dropped_rows
		FROM `+s.dataset("chat_7_windows")+` ORDER BY ALL`, func(scan func(...any)) {
		var operation string
		var l line
		scan(&operation, &l.window, &l.rows, &l.interactions, &l.rejected, &l.dropped)
		look.lines[operation] = append(look.lines[operation], l)
	})
}

// struck is what was seen of a fault: the verdicts of the rounds that it
// struck in.
type struck struct {
	times                                 int64
	windows, lost, doubled, wrong, latest int
	took                                  []time.Duration
}

func (r *struck) add(v *judgement, took time.Duration) {
	r.windows, r.lost, r.doubled, r.wrong = r.windows+v.windows, r.lost+v.lost, r.doubled+v.doubled, r.wrong+v.wrong
	r.latest = v.windows
	r.took = append(r.took, took)
}

func (s *storm) record(name string) *struck {
	if s.report[name] == nil {
		s.report[name] = &struck{}
	}
	return s.report[name]
}

// table shows the report. A round's figures stand with each fault that struck
// in it, and those of all rounds with the faults of the source and in the last line.
func (s *storm) table() string {
	var out strings.Builder
	w := tabwriter.NewWriter(&out, 0, 0, 2, ' ', tabwriter.AlignRight)
	line := func(name string, r *struck, times int64) {
		slices.Sort(r.took)
		median, most := time.Duration(0), time.Duration(0)
		if n := len(r.took); n > 0 {
			median, most = r.took[n/2], r.took[n-1]
		}
		fmt.Fprintf(w, "%s\t%d\t%d\t%d\t%d\t%d\t%.1f\t%.1f\t\n", name, times, r.windows, r.lost, r.doubled, r.wrong, median.Seconds(), most.Seconds())
	}
	fmt.Fprintln(w, "fault\ttimes\twindows checked\tlost\tdoubled\twrong\tmedian s\tmax s\t")
	total := int64(0)
	names := slices.SortedFunc(maps.Keys(s.report), func(a, b string) int { return cmp.Compare(a, b) })
	for _, name := range names {
		line(name, s.report[name], s.report[name].times)
		total += s.report[name].times
	}
	faults := s.sourceFaults()
	for _, name := range slices.Sorted(maps.Keys(faults)) {
		line("source: "+name, s.all, faults[name])
	}
	line("all kills", s.all, total)
	_ = w.Flush()
	return out.String()
}
