package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"wolkpipe/pipeline"
	"wolkpipe/pipeline/broker"
	"wolkpipe/pipeline/chat7/chat7sim"
	"wolkpipe/pipeline/journal"
	"wolkpipe/pipeline/window"
	"wolkpipe/schemas"
)

// crew is three replicas, each with a data folder of its own, on one cluster
// and one source.
type crew struct {
	*site
	clock   quickClock
	cluster *natsCluster
	names   []string          // operations
	of      map[string]string // what the source calls them
	procs   []*process
	urls    []string // of NATS, for each replica
	filled  []string // backfills
	cables  []*cable // between the first replica and the servers, where there are any
}

const (
	crewSince  = "2026-11-27"
	crewGrid   = 2 * time.Minute
	filledGrid = 30 * time.Minute
	crewRate   = 30
)

// crewBegin is when people in Bogotá come to work.
var crewBegin = time.Date(2026, 11, 27, 13, 0, 0, 0, time.UTC)

// raced is true under the race detector, which leaves little of a machine.
func raced() bool {
	info, ok := debug.ReadBuildInfo()
	return ok && slices.ContainsFunc(info.Settings, func(s debug.BuildSetting) bool { return s.Key == "-race" && s.Value == "true" })
}

// newCrew makes everything but the processes. Four operations are on three
// tokens; the clock runs 30 times as fast.
func newCrew(t *testing.T, seed uint64) *crew {
	t.Helper()
	operations := brisk("ventas", "soporte")
	operations = append(operations, chat7sim.Operation{
		Name: "cobros", Tokens: []string{"sim-cobros"}, Timezone: "America/Bogota", Licences: 100, Weekends: true, InteractionsPerDay: 300, Agents: 6,
	})
	s, clock := quickSite(t, crewBegin, crewRate, chat7sim.Options{Seed: seed, Scenario: chat7sim.Scenario{
		Operations: operations,
		Faults: chat7sim.Faults{
			Latency:      chat7sim.Latency{Base: 3 * time.Millisecond, Random: 6 * time.Millisecond},
			ServerErrors: 0.005, OddNames: 0.3, JunkRows: 0.02, DuplicateRows: 0.05, Shuffled: true,
		},
	}})
	c := &crew{
		site: s, clock: clock, cluster: startCluster(t, ""),
		names: []string{"ventas", "ventas-again", "soporte", "cobros"},
		of:    map[string]string{"ventas": "ventas", "ventas-again": "ventas", "soporte": "soporte", "cobros": "cobros"},
		procs: make([]*process, 3), urls: make([]string, 3),
	}
	c.grids = map[string]time.Duration{}
	c.nats = c.cluster.url()
	for i := range c.urls {
		c.urls[i] = c.nats
	}
	c.wire()
	c.write("wolkpipe.yaml", c.config("looks", c.nats)) // of those who look and ask
	return c
}

func (c *crew) config(data, url string) string {
	text := "operations:\n"
	for _, name := range c.names {
		of := c.of[name]
		zone := "America/Bogota"
		for _, op := range c.sim.Operations() {
			if op.Name == of {
				zone = op.Timezone
			}
		}
		text += fmt.Sprintf("  - {name: %s, url: %q, token: \"file:token-%s\", timezone: %s, since: %s, window: %s}\n",
			name, c.url, of, zone, crewSince, crewGrid)
	}
	return text + fmt.Sprintf("nats: {url: %q, replicas: 3}\nstatus: {listen: \"127.0.0.1:0\"}\ndata: %s\n"+
		"sinks: [{name: events, kind: events}, {name: lake, kind: parquet, bucket: %q}]\n", url, data, "file://"+c.path("data", "lake"))
}

// begin starts replica i and waits until it runs.
func (c *crew) begin(i int) {
	c.t.Helper()
	c.launch(i)
	c.procs[i].says(`"msg":"running"`)
}

// launch starts replica i.
func (c *crew) launch(i int) {
	c.t.Helper()
	name := fmt.Sprintf("replica-%d.yaml", i)
	c.write(name, c.config(fmt.Sprint("data-", i), c.urls[i]))
	c.procs[i] = c.start("run", "-c", name)
}

// beginAll starts all, and gives them a backfill to work on besides.
func (c *crew) beginAll() {
	c.t.Helper()
	for i := range c.procs {
		c.launch(i)
	}
	for _, p := range c.procs {
		p.says(`"msg":"running"`)
	}
	c.fill()
}

// firstDay is the earliest day of ventas that is asked for.
func (c *crew) firstDay() string {
	day, err := time.Parse(time.DateOnly, crewSince)
	if err != nil {
		c.t.Fatal(err)
	}
	return day.AddDate(0, 0, -len(c.filled)).Format(time.DateOnly)
}

// fill asks for one more day of ventas, of whichever replica answers.
func (c *crew) fill() {
	c.t.Helper()
	c.filled = append(c.filled, "")
	day := c.firstDay()
	code, stdout, stderr := c.run(backfillArgs("ventas", day, day, "--window", filledGrid.String(), "--detach")...)
	if code != 0 {
		c.t.Fatalf("--detach exits %d: %s%s", code, stdout, stderr)
	}
	compact := strings.ReplaceAll(day, "-", "")
	c.filled[len(c.filled)-1] = "ventas-" + compact + "-" + compact + "-1800s"
	c.grids[day] = filledGrid
}

// leaseRecord is as much of a token's record as is asked for.
type leaseRecord struct{ Owner, Instance string }

// holder is the replica that holds a token's lease.
func (c *crew) holder(token string) (replica int) {
	c.t.Helper()
	var owners []string
	for i := range c.procs {
		owner, err := broker.Identity(c.path(fmt.Sprint("data-", i)))
		if err != nil {
			c.t.Fatal(err)
		}
		owners = append(owners, owner)
	}
	sum := sha256.Sum256([]byte(c.url + "\x00" + token))
	key := hex.EncodeToString(sum[:])
	c.cluster.await("a holder of "+token, func(ctx context.Context) error {
		kv, err := c.cluster.js.KeyValue(ctx, "CHAT7_LEASES")
		if err != nil {
			return err
		}
		entry, err := kv.Get(ctx, key)
		if err != nil {
			return err
		}
		var r leaseRecord
		if err := json.Unmarshal(entry.Value(), &r); err != nil {
			return err
		}
		if replica = slices.Index(owners, r.Owner); replica < 0 {
			return errors.New("nobody holds it")
		}
		return nil
	})
	return replica
}

// next waits for a call on a token that came after a time, and gives its time.
func (c *crew) next(token string, after time.Time) time.Time {
	c.t.Helper()
	for begin := time.Now(); time.Since(begin) < patience; time.Sleep(5 * time.Millisecond) {
		for _, call := range c.watch.seen() {
			if call.token == token && call.at.After(after) {
				return call.at
			}
		}
	}
	c.t.Fatalf("nobody calls with %s: %s", token, c.logs())
	return time.Time{}
}

func (c *crew) logs() (all string) {
	for i, p := range c.procs {
		all += fmt.Sprintf("replica %d:\n%s\n", i, lastOf(p.stderr.String(), 3000))
	}
	return all
}

// more waits until so many further calls were made, by whomever.
func (c *crew) more(calls int64) {
	c.t.Helper()
	want := c.calls() + calls
	for begin := time.Now(); c.calls() < want; time.Sleep(5 * time.Millisecond) {
		if time.Since(begin) > patience {
			c.t.Fatalf("nobody makes calls: %s", c.logs())
		}
	}
}

// finish waits until all is done, ends the replicas and holds what is there to
// the laws. It gives how many windows were held against the truth.
func (c *crew) finish() (windows int) {
	c.t.Helper()
	last := c.settle()
	c.agree()
	for _, p := range c.procs {
		p.signal(syscall.SIGTERM)
	}
	for _, p := range c.procs {
		p.exits(0)
	}
	return c.hold(last)
}

// settle waits until all that is to be done at present is done, and gives the
// status then.
func (c *crew) settle() (last pipeline.Status) {
	c.t.Helper()
	for begin := time.Now(); time.Since(begin) < 3*patience; time.Sleep(100 * time.Millisecond) {
		for _, p := range c.procs {
			p.alive()
		}
		code, out, _ := c.run("status", "-c", "wolkpipe.yaml", "--json")
		if code != 0 {
			continue
		}
		status, err := pipeline.ParseStatus([]byte(out))
		if err != nil {
			c.t.Fatal(err)
		}
		if last = status; complete(status) && reached("done", c.filled...)(status) && c.taken() {
			return status
		}
	}
	said, _ := json.MarshalIndent(last, "", " ")
	c.t.Fatalf("status stays at\n%s\nconsumers: %s\n%s", said, c.hints(), c.logs())
	return last
}

// agree waits until every replica, whichever of them filled it, tells of each
// backfill as done and complete.
func (c *crew) agree() {
	c.t.Helper()
	agreed := map[time.Time]bool{} // by the start of the replica that answers
	for begin := time.Now(); len(agreed) < len(c.procs); {
		if time.Since(begin) > patience {
			c.t.Fatalf("%d of %d replicas tell of the backfills as complete", len(agreed), len(c.procs))
		}
		_, out, _ := c.run("status", "-c", "wolkpipe.yaml", "--json")
		status, err := pipeline.ParseStatus([]byte(out))
		if err != nil || !reached("done", c.filled...)(status) {
			continue
		}
		agreed[status.Started] = !slices.ContainsFunc(c.filled, func(id string) bool {
			b, _ := lineOf(status, id)
			return b.Missing > 0
		})
		if !agreed[status.Started] {
			delete(agreed, status.Started)
		}
	}
}

// hints tells how the sinks' consumers stand.
func (c *crew) hints() (all string) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	stream, err := c.cluster.js.Stream(ctx, schemas.JournalStream)
	if err != nil {
		return err.Error()
	}
	for k := range stream.ListConsumers(ctx).Info() {
		all += fmt.Sprintf("%s: %d pending, %d not acknowledged, %d delivered again, %d requests; ", k.Name, k.NumPending, k.NumAckPending, k.NumRedelivered, k.NumWaiting)
	}
	return all
}

// taken is true when no sink has hints that wait, of any replica.
func (c *crew) taken() bool {
	ctx, cancel := context.WithTimeout(c.t.Context(), 5*time.Second)
	defer cancel()
	list, err := c.cluster.js.Stream(ctx, schemas.JournalStream)
	if err != nil {
		return false
	}
	consumers := list.ListConsumers(ctx)
	for k := range consumers.Info() {
		if strings.HasPrefix(k.Name, "sink_") && k.NumPending+uint64(k.NumAckPending) > 0 {
			return false
		}
	}
	return consumers.Err() == nil
}

// hold compares what is there with the truth: every window once, in the
// journal, the lake and the events.
func (c *crew) hold(last pipeline.Status) (windows int) {
	c.t.Helper()
	c.checkLakeFiles()
	have := c.read(crewSince)
	truth := tally{}
	var rejects int64
	for _, name := range c.names {
		of := c.of[name]
		i := slices.IndexFunc(c.sim.Operations(), func(op chat7sim.Operation) bool { return op.Name == of })
		since, due := crewSince, operation(c.t, last, name).Due
		if name == "ventas" && len(c.filled) > 0 {
			since, due = c.firstDay(), due+48*len(c.filled)
		}
		lines := have.lines[name]
		if len(lines) < due {
			c.t.Errorf("%s: the lake covers %d windows of %d that were due", name, len(lines), due)
		}
		var covered []string
		all := c.windows(c.sim.Operations()[i].Timezone, since, crewGrid, len(lines))
		for i, l := range lines {
			w := all[i]
			if l.window != w.From.String() {
				c.t.Fatalf("%s: the lake's coverage has %s where %s should follow", name, l.window, w.From)
			}
			covered = append(covered, l.window)
			rows, total := int64(0), int64(0)
			for _, cells := range c.sim.Truth(of, w.Range) {
				truth[cell{name, l.window, cells.Agent, cells.Code}] = cells.Interactions
				rows, total = rows+1, total+cells.Interactions
			}
			k := [2]string{name, l.window}
			if l.rows != rows || l.interactions != total {
				c.t.Errorf("%v: covered with %d rows and %d interactions, the truth is %d and %d", k, l.rows, l.interactions, rows, total)
			}
			if l.rejected != have.quarantined[k] || l.rejected != have.unreadable[k] {
				c.t.Errorf("%v: %d rows rejected, %d in quarantine, %d in the journal that cannot be read", k, l.rejected, have.quarantined[k], have.unreadable[k])
			}
			rejects += l.rejected
		}
		if !slices.Equal(have.journal[name], covered) {
			c.t.Errorf("%s: the journal has %d windows, the lake's coverage %d", name, len(have.journal[name]), len(covered))
		}
		windows += len(covered)
	}
	if n := truth.minus(have.events); n > 0 || len(truth) == 0 {
		c.t.Errorf("events differ from the truth's %d rows in %d", len(truth), n)
	}
	if n := truth.minus(have.rows); n > 0 {
		c.t.Errorf("the lake differs from the truth's %d rows in %d", len(truth), n)
	}
	c.t.Logf("%d windows of %d operations, %d rows with %d interactions in events and lake, %d rows in quarantine, latest window %s after its end",
		windows, len(c.names), len(truth), truth.sum(), rejects, c.latest())
	c.checkOverlaps()
	return windows
}

// latest is the longest that a live window was observed after its end, on the
// clock.
func (c *crew) latest() (most time.Duration) {
	c.t.Helper()
	j, err := journal.Open(c.t.Context(), c.cluster.js)
	if err != nil {
		c.t.Fatal(err)
	}
	day, err := window.ParseDate(crewSince)
	if err != nil {
		c.t.Fatal(err)
	}
	for _, name := range c.names {
		for date := day; date <= day+1; date++ {
			folded, err := j.Day(c.t.Context(), journal.Key{Operation: name, Day: date})
			if err != nil {
				c.t.Fatal(err)
			}
			if folded.Grid == 0 {
				continue
			}
			zone, err := window.LoadZone(folded.Timezone)
			if err != nil {
				c.t.Fatal(err)
			}
			for _, o := range folded.Windows {
				if w, ok := zone.Window(folded.Grid.At(o.Local)); ok && o.Cause == schemas.Live {
					most = max(most, o.ObservedAt.Sub(w.End))
				}
			}
		}
	}
	return most.Round(time.Second)
}
