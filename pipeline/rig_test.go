package pipeline

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"log/slog"
	"maps"
	"net/http/httptest"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode"

	_ "github.com/duckdb/duckdb-go/v2" // an independent reader of the lake
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/text/unicode/norm"

	"wolkpipe/pipeline/broker"
	"wolkpipe/pipeline/chat7"
	"wolkpipe/pipeline/chat7/chat7sim"
	"wolkpipe/pipeline/doctor"
	"wolkpipe/pipeline/journal"
	"wolkpipe/pipeline/window"
	"wolkpipe/schemas"
	"wolkpipe/sinks"
	"wolkpipe/sinks/events"
	"wolkpipe/sinks/lake"
	"wolkpipe/sinks/parquet"
	"wolkpipe/sinks/quarantine"
)

// jumpClock is a clock that stands still while anybody works and jumps to the
// next waking when everybody sleeps, up to a limit.
type jumpClock struct {
	mu       sync.Mutex
	now      time.Time
	limit    time.Time
	workers  int // how many sleep when nothing is to do
	sleepers map[*sleeper]bool
	idle     chan struct{} // closed when all sleep until after limit
}

type sleeper struct {
	until time.Time
	wake  chan struct{}
}

func newJumpClock(now time.Time, workers int) *jumpClock {
	return &jumpClock{now: now, limit: now, workers: workers, sleepers: map[*sleeper]bool{}}
}

func (c *jumpClock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *jumpClock) Sleep(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	c.mu.Lock()
	s := &sleeper{c.now.Add(d), make(chan struct{})}
	c.sleepers[s] = true
	c.advance()
	c.mu.Unlock()
	select {
	case <-s.wake:
		return nil
	case <-ctx.Done():
		c.mu.Lock()
		delete(c.sleepers, s)
		c.mu.Unlock()
		return ctx.Err()
	}
}

// advance jumps while everybody sleeps. c.mu is held.
func (c *jumpClock) advance() {
	if len(c.sleepers) < c.workers {
		return
	}
	first := slices.MinFunc(slices.Collect(maps.Keys(c.sleepers)), func(a, b *sleeper) int { return a.until.Compare(b.until) })
	if first.until.After(c.limit) {
		c.now = c.limit
		if c.idle != nil {
			close(c.idle)
			c.idle = nil
		}
		return
	}
	if first.until.After(c.now) {
		c.now = first.until
	}
	for s := range c.sleepers {
		if !s.until.After(c.now) {
			close(s.wake)
			delete(c.sleepers, s)
		}
	}
}

// until lets time pass up to limit, and returns when nothing is left to do.
func (c *jumpClock) until(t testing.TB, limit time.Time) {
	t.Helper()
	idle := make(chan struct{})
	c.mu.Lock()
	c.limit, c.idle = limit, idle
	c.advance()
	c.mu.Unlock()
	select {
	case <-idle:
	case <-time.After(5 * time.Minute):
		t.Fatal("the pollers never came to rest")
	}
}

// jump lets time pass with nobody at work.
func (c *jumpClock) jump(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// alone makes the clock serve one worker, without a limit; the result ends that.
func (c *jumpClock) alone() (together func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	workers, limit := c.workers, c.limit
	c.workers, c.limit = 1, c.now.AddDate(1, 0, 0)
	return func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.workers, c.limit = workers, limit
	}
}

// rig is a whole installation against the simulator, in one process, on a
// clock that jumps.
type rig struct {
	t         testing.TB
	sim       *chat7sim.Sim
	http      *httptest.Server
	clock     *jumpClock
	nats      *nats.Conn
	js        jetstream.JetStream
	lake      *parquet.Sink
	folder    string // of the lake
	delay     time.Duration
	grace     time.Duration // how much longer a failing source may make it take
	asOf      time.Time     // what is due is what was due then; zero: now
	window    time.Duration
	since     window.Date
	exclusive bool // the source takes date_end as exclusive
	log       *slog.Logger
	wrap      func(name string, s sinks.Sink) sinks.Sink // optional: faults
	client    func(*chat7.Options)                       // optional
	token     func(operation, right string) string       // optional
	ages      []time.Duration                            // at which days are compared again
	additive  *bool                                      // what doctor found; nil: nothing
	fill      bool                                       // only backfills
	owner     string                                     // identity of the data folder; "": "rig"
	quota     int64
}

func newRig(t testing.TB, scenario chat7sim.Scenario, seed uint64, now time.Time) *rig {
	t.Helper()
	r := &rig{t: t, delay: time.Minute, window: 5 * time.Minute, quota: 1 << 40, log: slog.New(slog.DiscardHandler)}
	if testing.Verbose() {
		r.log = slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn}))
	}
	operations := len(scenario.Operations)
	if operations == 0 {
		operations = len(chat7sim.DefaultOperations())
	}
	r.clock = newJumpClock(now, operations)
	var err error
	if r.sim, err = chat7sim.New(chat7sim.Options{Scenario: scenario, Seed: seed, Now: r.clock.Now}); err != nil {
		t.Fatal(err)
	}
	r.exclusive = scenario.Faults.ExclusiveEnd
	r.http = httptest.NewServer(r.sim)
	t.Cleanup(r.http.Close)
	server, err := broker.Start(t.Context(), broker.Options{Dir: t.TempDir(), Logger: r.log})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Close)
	if r.nats, err = server.Connect("rig"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.nats.Close)
	if r.js, err = jetstream.New(r.nats); err != nil {
		t.Fatal(err)
	}
	if err := broker.EnsureStreams(t.Context(), r.js, broker.Streams{}); err != nil {
		t.Fatal(err)
	}
	r.folder = t.TempDir()
	r.lake, err = parquet.Open(t.Context(), parquet.Options{Bucket: "file://" + r.folder, Logger: r.log})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// pipeline makes a pipeline as a process that starts would.
func (r *rig) pipeline() *Pipeline {
	r.t.Helper()
	sink, err := events.Open(r.t.Context(), events.Options{JetStream: r.js})
	if err != nil {
		r.t.Fatal(err)
	}
	rejected, err := quarantine.Open(r.t.Context(), quarantine.Options{JetStream: r.js})
	if err != nil {
		r.t.Fatal(err)
	}
	o := Options{
		Version: "test", NATS: r.nats, Owner: cmp.Or(r.owner, "rig"), Clock: r.clock, Registerer: prometheus.NewRegistry(), Log: r.log, Fill: r.fill,
		Sinks: []Sink{{"events", sink}, {"lake", r.lake}, {"quarantine", rejected}},
	}
	if r.wrap != nil {
		for i, s := range o.Sinks {
			o.Sinks[i].Sink = r.wrap(s.Name, s.Sink)
		}
	}
	grid, err := window.NewGrid(r.window)
	if err != nil {
		r.t.Fatal(err)
	}
	for _, op := range r.sim.Operations() {
		zone, err := window.LoadZone(op.Timezone)
		if err != nil {
			r.t.Fatal(err)
		}
		token := func(context.Context) (string, error) {
			if r.token != nil {
				return r.token(op.Name, op.Tokens[0]), nil
			}
			return op.Tokens[0], nil
		}
		options := chat7.Options{BaseURL: r.http.URL, Token: token, Exclusive: r.exclusive}
		if r.client != nil {
			r.client(&options)
		}
		o.Operations = append(o.Operations, Operation{
			Name: op.Name, Source: options, Zone: zone, Grid: grid,
			Delay: r.delay, Since: &r.since, Quota: r.quota, Ages: r.ages,
		})
	}
	p, err := New(r.t.Context(), o)
	if err != nil {
		r.t.Fatal(err)
	}
	r.examined()
	return p
}

// examined stores what doctor would have found.
func (r *rig) examined() {
	if r.additive == nil {
		return
	}
	r.t.Helper()
	state, err := r.js.KeyValue(r.t.Context(), StateBucket)
	if err != nil {
		r.t.Fatal(err)
	}
	for _, op := range r.sim.Operations() {
		if err := doctor.Store(r.t.Context(), state, op.Name, doctor.Finding{Additive: r.additive}); err != nil {
			r.t.Fatal(err)
		}
	}
}

// run lets a fresh pipeline work until the time limit, then stops it.
func (r *rig) run(limit time.Time) {
	r.t.Helper()
	p := r.pipeline()
	ctx, cancel := context.WithCancel(r.t.Context())
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- p.Run(ctx) }()
	r.clock.until(r.t, limit)
	cancel()
	if err := <-done; err != nil {
		r.t.Fatal(err)
	}
}

// converge makes the sinks take whatever the journal holds.
func (r *rig) converge() {
	r.t.Helper()
	p := r.pipeline()
	for ctx := r.t.Context(); ; {
		err := p.ConvergeAll(ctx)
		if err == nil {
			return
		}
		if ctx.Err() != nil {
			r.t.Fatal(err)
		}
	}
}

// reobserve asks for every window of the days from the rig's since on again.
func (r *rig) reobserve(to window.Date) {
	r.t.Helper()
	defer r.clock.alone()()
	p := r.pipeline()
	for _, poller := range p.pollers {
		if err := poller.Load(r.t.Context()); err != nil {
			r.t.Fatal(err)
		}
		for day := r.since; day <= to; day++ {
			for _, w := range r.due(poller.Live.Zone, day) {
				for poller.Observe(r.t.Context(), schemas.Settle, w) != nil { // faults: ask again
					if r.t.Context().Err() != nil {
						r.t.Fatal("the source never answered")
					}
				}
			}
		}
	}
}

// settle asks for everything again until what is recorded is the truth: a
// source may answer "nothing" for a while at any time. What it compares then
// is what was due when it began; the rig's grace must be longer than anything
// changes at the source.
func (r *rig) settle() {
	r.t.Helper()
	for range 4 {
		r.asOf = time.Time{}
		r.run(r.clock.Now().Add(3 * time.Hour)) // what became due meanwhile
		r.asOf = r.clock.Now()
		r.reobserve(r.last())
		r.converge()
		if truth := r.truth(r.last()); maps.Equal(truth, r.within(r.lakeTable())) {
			return
		}
		r.clock.jump(6 * time.Minute)
	}
}

// due are the windows of a day that should be observed by now.
func (r *rig) due(zone window.Zone, day window.Date) (due []window.Window) {
	grid, _ := window.NewGrid(r.window)
	now := r.clock.Now()
	if !r.asOf.IsZero() {
		now = r.asOf
	}
	for _, w := range zone.Windows(day, grid) {
		if !w.End.Add(r.delay + r.grace).After(now) {
			due = append(due, w)
		}
	}
	return due
}

// last is the latest day of which any operation's clock has shown a second.
func (r *rig) last() (day window.Date) {
	for _, op := range r.sim.Operations() {
		zone, _ := window.LoadZone(op.Timezone)
		day = max(day, zone.Local(r.clock.Now()).Date())
	}
	return day
}

// table is counts by operation, window, agent and code.
type table map[[4]string]int64

// truth is what a faultless source would now say of every due window.
func (r *rig) truth(to window.Date) table {
	all := table{}
	for _, op := range r.sim.Operations() {
		zone, _ := window.LoadZone(op.Timezone)
		for day := r.since; day <= to; day++ {
			for _, w := range r.due(zone, day) {
				for _, c := range r.sim.Truth(op.Name, w.Range) {
					all[[4]string{op.Name, w.From.String(), c.Agent, c.Code}] = c.Interactions
				}
			}
		}
	}
	return all
}

// within leaves out the windows that are not due, grace included. Without
// grace there must be none.
func (r *rig) within(all table) table {
	if r.grace == 0 {
		return all
	}
	due := map[[2]string]bool{}
	for _, op := range r.sim.Operations() {
		zone, _ := window.LoadZone(op.Timezone)
		for day := r.since; day <= r.last(); day++ {
			for _, w := range r.due(zone, day) {
				due[[2]string{op.Name, w.From.String()}] = true
			}
		}
	}
	maps.DeleteFunc(all, func(k [4]string, _ int64) bool { return !due[[2]string{k[0], k[1]}] })
	return all
}

// check compares the truth with the events and the lake to the row, and the
// journal's coverage with the windows that are due.
func (r *rig) check(to window.Date) {
	r.t.Helper()
	truth := r.truth(to)
	if len(truth) == 0 {
		r.t.Fatal("the simulator had no interactions: the test shows nothing")
	}
	sameTable(r.t, "events", truth, r.within(sumEvents(r.t, r.js)))
	sameTable(r.t, "lake", truth, r.within(r.lakeTable()))
	for _, op := range r.sim.Operations() {
		zone, _ := window.LoadZone(op.Timezone)
		for day := r.since; day <= to; day++ {
			r.covered(op.Name, zone, day)
		}
	}
}

// covered checks the journal and the lake's coverage of one day: every due
// window once, no other.
func (r *rig) covered(operation string, zone window.Zone, day window.Date) {
	r.t.Helper()
	j, err := journal.Open(r.t.Context(), r.js)
	if err != nil {
		r.t.Fatal(err)
	}
	folded, err := j.Day(r.t.Context(), journal.Key{Operation: operation, Day: day})
	if err != nil {
		r.t.Fatal(err)
	}
	lines, err := r.lake.Coverage(r.t.Context(), sinks.Key{Operation: operation, Day: day.String()})
	if err != nil {
		r.t.Fatal(err)
	}
	var want, got []window.Local
	for _, w := range r.due(zone, day) {
		want = append(want, w.From)
	}
	for _, o := range folded.Windows {
		got = append(got, o.Local)
	}
	if r.grace > 0 { // then there may be more
		got, lines = got[:min(len(want), len(got))], lines[:min(len(want), len(lines))]
	}
	if !slices.Equal(got, want) {
		r.t.Errorf("the journal's %s %s has %d windows of %d due", operation, day, len(got), len(want))
	}
	if len(lines) != len(want) {
		r.t.Errorf("the lake's coverage of %s %s has %d windows of %d due", operation, day, len(lines), len(want))
	}
	r.accounted(operation, folded, lines)
}

// accounted checks that every row that the source sent is in the lake, in
// quarantine or counted as a duplicate: counted here from the raw rows.
func (r *rig) accounted(operation string, day *journal.Day, lines []lake.WindowRecord) {
	r.t.Helper()
	quarantined := r.quarantined(operation, day.Day)
	for i, line := range lines {
		o := day.Windows[i]
		seen, keys, unreadable, extra := map[string]bool{}, map[string]bool{}, 0, 0
		for _, raw := range o.Rows {
			if seen[string(raw)] {
				extra++
				continue
			}
			seen[string(raw)] = true
			var row struct {
				Interactions any    `json:"interactions"`
				Agent        string `json:"agent_name"`
				Code         string `json:"cod_act"`
			}
			text := ""
			if json.Unmarshal(raw, &row) == nil && row.Interactions != nil {
				text = strings.TrimSpace(fmt.Sprint(row.Interactions))
			}
			if grouped.MatchString(text) {
				text = strings.ReplaceAll(text, ",", "")
			}
			n, err := strconv.ParseInt(text, 10, 64)
			switch {
			case err != nil || n < 0:
				unreadable++
			case n > 0:
				keys[plain(row.Agent)+"|"+plain(row.Code)] = true
			}
		}
		if int(line.RowCount) != len(keys) || int(line.RejectedRows) != unreadable || int(line.DroppedRows) != extra {
			r.t.Errorf("%s %s: %d rows, %d rejected, %d duplicates; of %d source rows there are %d, %d and %d",
				operation, o.Local, line.RowCount, line.RejectedRows, line.DroppedRows, len(o.Rows), len(keys), unreadable, extra)
		}
		if quarantined[o.Local.String()] != unreadable {
			r.t.Errorf("%s %s: %d rows in quarantine of %d", operation, o.Local, quarantined[o.Local.String()], unreadable)
		}
	}
}

var grouped = regexp.MustCompile(`^[0-9]{1,3}(,[0-9]{3})+$`)

// plain is a rough reading of a name: enough to tell two names apart.
func plain(name string) string {
	name = norm.NFC.String(html.UnescapeString(name))
	name = strings.Map(func(c rune) rune {
		if unicode.In(c, unicode.Cf) || c != '\t' && c != '\n' && c != '\r' && unicode.IsControl(c) {
			return -1
		}
		return c
	}, name)
	return strings.Join(strings.Fields(name), " ")
}

// quarantined counts, for each window of a day, the rejected rows of the
// highest revision in the quarantine.
func (r *rig) quarantined(operation string, day window.Date) map[string]int {
	r.t.Helper()
	subject := schemas.QuarantineSubject(operation, day.String())
	stream, err := r.js.Stream(r.t.Context(), schemas.QuarantineStream)
	if err != nil {
		r.t.Fatal(err)
	}
	counts, revisions := map[string]int{}, map[string]int64{}
	for seq := uint64(1); ; {
		msg, err := stream.GetMsg(r.t.Context(), seq, jetstream.WithGetMsgSubject(subject))
		if errors.Is(err, jetstream.ErrMsgNotFound) {
			return counts
		}
		if err != nil {
			r.t.Fatal(err)
		}
		seq = msg.Sequence + 1
		var row schemas.QuarantineRow
		if err := json.Unmarshal(msg.Data, &row); err != nil {
			r.t.Fatal(err)
		}
		switch {
		case row.Revision > revisions[row.WindowLocal]:
			revisions[row.WindowLocal], counts[row.WindowLocal] = row.Revision, 1
		case row.Revision == revisions[row.WindowLocal]:
			counts[row.WindowLocal]++
		}
	}
}

func sameTable[V comparable](t testing.TB, what string, want, got map[[4]string]V) {
	t.Helper()
	differ := 0
	tell := func(k [4]string) {
		if differ++; differ <= 5 {
			t.Errorf("%s: %s: %v, the truth is %v", what, strings.Join(k[:], " | "), got[k], want[k])
		}
	}
	for k := range want {
		if got[k] != want[k] {
			tell(k)
		}
	}
	var zero V
	for k, v := range got {
		if _, known := want[k]; !known && v != zero {
			tell(k)
		}
	}
	if differ > 5 {
		t.Errorf("%s: %d keys differ", what, differ)
	}
}

// lakeTable reads the whole lake with DuckDB, a reader that is not ours.
func (r *rig) lakeTable() table {
	r.t.Helper()
	db, err := sql.Open("duckdb", "")
	if err != nil {
		r.t.Fatal(err)
	}
	defer db.Close()
	rows, err := db.QueryContext(r.t.Context(), `
		SELECT operation, strftime(window_local, '%Y-%m-%dT%H:%M:%S'), agent_name, cod_act, sum(interactions)::BIGINT, count(*)
		FROM read_parquet('`+r.folder+`/chat_7/*/*/*.parquet', hive_partitioning = true) GROUP BY ALL`)
	if err != nil {
		r.t.Fatal(err)
	}
	defer rows.Close()
	all := table{}
	for rows.Next() {
		var k [4]string
		var n, lines int64
		if err := rows.Scan(&k[0], &k[1], &k[2], &k[3], &n, &lines); err != nil {
			r.t.Fatal(err)
		}
		if lines != 1 {
			r.t.Errorf("the lake has %d rows for %v", lines, k)
		}
		all[k] = n
	}
	if err := rows.Err(); err != nil {
		r.t.Fatal(err)
	}
	return all
}

// sumEvents reads the stream from its beginning, as a consumer that knows
// nothing of wolkpipe would, and sums the deltas, each id once.
func sumEvents(t testing.TB, js jetstream.JetStream) table {
	t.Helper()
	stream, err := js.Stream(t.Context(), schemas.EventsStream)
	if err != nil {
		t.Fatal(err)
	}
	info, err := stream.Info(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	consumer, err := js.OrderedConsumer(t.Context(), schemas.EventsStream, jetstream.OrderedConsumerConfig{})
	if err != nil {
		t.Fatal(err)
	}
	sums, ids, revisions := table{}, map[string]bool{}, map[[2]string]int64{}
	for n := uint64(0); n < info.State.Msgs; {
		batch, err := consumer.Fetch(1000, jetstream.FetchMaxWait(time.Second))
		if err != nil {
			t.Fatal(err)
		}
		for msg := range batch.Messages() {
			n++
			var e struct {
				ID, Type string
				Data     struct {
					Operation, WindowLocal, AgentName, CodAct string
					Delta, Revision                           int64
				}
			}
			if err := json.Unmarshal(untag(msg.Data()), &e); err != nil {
				t.Fatal(err)
			}
			if ids[e.ID] {
				t.Errorf("event %s is in the stream twice", e.ID)
			}
			ids[e.ID] = true
			k := [2]string{e.Data.Operation, e.Data.WindowLocal}
			switch e.Type {
			case "wolkpipe.chat_7.row.v1":
				sums[[4]string{k[0], k[1], e.Data.AgentName, e.Data.CodAct}] += e.Data.Delta
				if e.Data.Revision < revisions[k] {
					t.Errorf("%v: revision %d after %d", k, e.Data.Revision, revisions[k])
				}
			case "wolkpipe.chat_7.window.v1":
				if e.Data.Revision <= revisions[k] {
					t.Errorf("%v: revision %d after %d", k, e.Data.Revision, revisions[k])
				}
				revisions[k] = e.Data.Revision
			}
		}
	}
	return sums
}

// untag makes the event's snake case fit a struct without tags.
func untag(data []byte) []byte {
	return []byte(strings.NewReplacer(`"window_local"`, `"WindowLocal"`, `"agent_name"`, `"AgentName"`, `"cod_act"`, `"CodAct"`).Replace(string(data)))
}
