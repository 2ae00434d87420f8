package pipeline

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"wolkpipe/pipeline/codes"
	"wolkpipe/pipeline/journal"
	"wolkpipe/pipeline/window"
	"wolkpipe/schemas"
	"wolkpipe/sinks"
)

// What stands between a window's becoming due and its having to be there, and
// between a day's last comparison and its having to be right.
const (
	simGrace   = 30 * time.Minute
	simSettles = 58 * time.Hour
)

// check holds everything that is there against the simulator's truth.
func (w *simWorld) check() error {
	ctx := context.Background()
	link := &simLink{w: &simWorld{dice: w.dice, buckets: w.buckets, stream: w.stream}, process: "check", gone: make(chan struct{})}
	conn, err := link.dial()
	if err != nil {
		return err
	}
	defer conn.Close()
	j, err := journal.Open(ctx, &simJetStream{link: link, conn: conn})
	if err != nil {
		return err
	}
	w.checkRevisions()
	normal := newSource(j, nil, func(string) *codes.Texts { return nil }, nil)
	days := map[sinks.Key]bool{}
	for _, op := range w.operations {
		for date := w.backfilled; date <= op.Zone.Local(w.end).Date(); date++ {
			day, err := j.Day(ctx, journal.Key{Operation: op.Name, Day: date})
			if err != nil {
				return err
			}
			key := sinks.Key{Operation: op.Name, Day: date.String()}
			want, _, err := normal.Day(ctx, key)
			if err != nil {
				return err
			}
			days[key] = true
			windows := w.checkCoverage(op, day)
			if len(windows) > 0 && windows[len(windows)-1].End.Add(simSettles).Before(w.end) {
				w.checkDay(op, windows, want)
				w.checkRows(day, w.memory.Contents(key))
				if want.State != schemas.Settled && !w.short() {
					w.broken("settling: %s is not settled", key)
				}
			}
		}
	}
	for _, key := range w.memory.Keys() {
		if !days[key] {
			w.broken("coverage: nobody wanted %s", key)
		}
	}
	if n := w.source.sim.Stats().Operations["ventas"].QuotaRefused; n > 0 {
		w.broken("the quota: the source refused %d calls", n)
	}
	return nil
}

// short tells that the quota does not let everything be done by the end. What
// is done must be right all the same.
func (w *simWorld) short() bool { return w.source.quota > 0 }

// checkCoverage checks that every due window is recorded once, and no other
// is. It gives all windows of the day.
func (w *simWorld) checkCoverage(op Operation, day *journal.Day) []window.Window {
	grid := op.Grid
	if day.Grid != 0 {
		grid = day.Grid
	}
	all := op.Zone.Windows(day.Day, grid)
	exists := map[window.Local]window.Window{}
	for _, o := range all {
		exists[o.From] = o
		if _, known := day.Window(o.From); !known && !w.short() && o.End.Add(op.Delay+simGrace).Before(w.end) {
			w.broken("coverage: %s %s was never observed", op.Name, o.From)
		}
	}
	for i, o := range day.Windows {
		of, ok := exists[o.Local]
		switch {
		case !ok || i > 0 && day.Windows[i-1].Local >= o.Local:
			w.broken("coverage: %s has a window %s", day.Key, o.Local)
		case o.ObservedAt.Before(of.End):
			w.broken("coverage: %s %s was observed at %v, before it was over", op.Name, o.Local, o.ObservedAt)
		}
	}
	for _, bad := range day.Bad {
		w.broken("the journal: %s, message %d: %v", day.Key, bad.Seq, bad.Err)
	}
	return all
}

// counts are those of a day by window, agent and code.
type simCounts map[[3]string]int64

// checkDay compares a day of journal and sinks with the truth, row by row.
func (w *simWorld) checkDay(op Operation, windows []window.Window, recorded *sinks.Day) {
	truth, kept, held, told := simCounts{}, simCounts{}, simCounts{}, simCounts{}
	for _, o := range windows {
		for _, c := range w.source.sim.Truth("ventas", o.Range) {
			truth[[3]string{o.From.String(), c.Agent, c.Code}] = c.Interactions
		}
	}
	fill := func(c simCounts, all []schemas.Window) {
		for _, o := range all {
			for _, r := range o.Rows {
				c[[3]string{o.Local, r.Agent, r.Code}] = r.Interactions
			}
		}
	}
	fill(kept, recorded.Windows)
	contents := w.memory.Contents(recorded.Key)
	fill(held, contents)
	if len(contents) != len(recorded.Windows) {
		w.broken("coverage: the sink has %d windows of %s, not %d", len(contents), recorded.Key, len(recorded.Windows))
	}
	for _, e := range w.events.told {
		if e.Key == recorded.Key {
			told[[3]string{e.local, e.agent, e.code}] += e.delta
		}
	}
	w.compare("lake: "+op.Name, kept, held)
	w.compare("events: "+op.Name, kept, told)
	if w.short() || w.cancels && maps.Equal(truth.byRow(), kept.byRow()) {
		return // what cancels out within a day is not seen in its sum
	}
	w.compare("truth: "+op.Name, truth, kept)
}

func (c simCounts) byRow() map[[2]string]int64 {
	sums := map[[2]string]int64{}
	for k, n := range c {
		sums[[2]string{k[1], k[2]}] += n
	}
	return sums
}

func (w *simWorld) compare(what string, want, have simCounts) {
	keys := map[[3]string]bool{}
	for k := range want {
		keys[k] = true
	}
	for k := range have {
		keys[k] = true
	}
	for _, k := range slices.SortedFunc(maps.Keys(keys), func(a, b [3]string) int { return slices.Compare(a[:], b[:]) }) {
		if want[k] != have[k] {
			w.broken("%s %s: %d, should be %d", what, strings.Join(k[:], " | "), have[k], want[k])
		}
	}
}

// checkRows checks that every row that the source sent is a row, a reject or a
// duplicate in the sink, counted here from the raw rows.
func (w *simWorld) checkRows(day *journal.Day, held []schemas.Window) {
	for i, o := range day.Windows[:min(len(day.Windows), len(held))] {
		seen, keys, rejected, dropped := map[string]bool{}, map[string]bool{}, 0, int64(0)
		for _, raw := range o.Rows {
			if seen[string(raw)] {
				dropped++
				continue
			}
			seen[string(raw)] = true
			var row struct {
				Interactions any    `json:"interactions"`
				Agent        string `json:"agent_name"`
				Code         string `json:"cod_act"`
			}
			_ = json.Unmarshal(raw, &row)
			n, err := strconv.ParseInt(strings.TrimSpace(fmt.Sprint(row.Interactions)), 10, 64)
			switch {
			case err != nil || n < 0:
				rejected++
			case n > 0:
				keys[plain(row.Agent)+"|"+plain(row.Code)] = true
			}
		}
		h := held[i]
		if h.Local != o.Local.String() || len(h.Rows) != len(keys) || len(h.Rejects) != rejected || h.Dropped != dropped {
			w.broken("rows: of %d rows of %s %s there are %d, %d rejected, %d dropped; the sink has %d, %d, %d",
				len(o.Rows), day.Key, o.Local, len(keys), rejected, dropped, len(h.Rows), len(h.Rejects), h.Dropped)
		}
	}
}

// checkRevisions checks that the journal never told a window with a revision
// that is not above the ones before, or with an earlier observation. Two ways
// have led to one: a job that goes on over a window that live polling has
// recorded since, and an append that is told of as the last of its day, on its
// second try, though others were appended behind it.
func (w *simWorld) checkRevisions() {
	type told struct {
		revision int64
		at       time.Time
		digest   string
	}
	latest := map[string]told{}
	for _, m := range w.stream.ever {
		c, err := journal.Decode(m.Data)
		if err != nil {
			w.broken("the journal: message %d: %v", m.Sequence, err)
			continue
		}
		for _, o := range c.Windows {
			name := c.Operation + " " + o.Local.String()
			before := latest[name]
			same := before.revision == o.Revision && before.digest == o.Digest && before.at.Equal(o.ObservedAt)
			if !same && (o.Revision <= before.revision || !o.ObservedAt.After(before.at)) {
				w.broken("revisions: %s has %d of %v after %d of %v", name, o.Revision, o.ObservedAt, before.revision, before.at)
			}
			latest[name] = told{o.Revision, o.ObservedAt, o.Digest}
		}
	}
}
