package extract

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"time"

	"wolkpipe/pipeline/erase"
	"wolkpipe/pipeline/journal"
	"wolkpipe/pipeline/trace"
	"wolkpipe/pipeline/transform"
	"wolkpipe/pipeline/window"
)

// rawRow is one row as the source sent it.
type rawRow = json.RawMessage

// A chunk is appended when it has this many windows or bytes, or is this old:
// what a crash makes us ask again.
const (
	chunkWindows = 256
	chunkBytes   = 1 << 20
	chunkAge     = time.Second
)

// chunk is what has been learned of one day and is not in the journal yet.
type chunk struct {
	day     *journal.Day // as it was before the first call that the windows rest on
	grid    window.Grid
	windows []journal.Observation
	bytes   int
	since   time.Time
	from    trace.Origins // the steps that told of the windows
}

func (c *chunk) add(o journal.Observation, now time.Time) {
	if len(c.windows) == 0 {
		c.since = now
	}
	c.windows = append(c.windows, o)
	for _, row := range o.Rows {
		c.bytes += len(row)
	}
}

func (c *chunk) full(now time.Time) bool {
	return len(c.windows) >= chunkWindows || c.bytes >= chunkBytes || now.Sub(c.since).Abs() >= chunkAge
}

// before reads the journal's record of a day before a call is made: if
// anybody appends to the day from then on, what the call told is refused, so an
// answer that was slow to come never overwrites a newer one.
func (p *Poller) before(ctx context.Context, date window.Date) (*journal.Day, error) {
	if len(p.pending.windows) > 0 && p.pending.day.Day == date {
		return p.pending.day, nil
	}
	day, err := p.Journal.Day(ctx, p.key(date))
	if err != nil {
		return nil, err
	}
	if day.Seq != p.seen[date] {
		p.load(day) // another process has recorded something
	}
	return day, nil
}

// keep adds an observation to the pending chunk, which goes out first if it
// is another day's.
func (p *Poller) keep(ctx context.Context, day *journal.Day, grid window.Grid, o journal.Observation) error {
	if len(p.pending.windows) > 0 && p.pending.day.Day != day.Day {
		if err := p.flush(ctx); err != nil {
			return err
		}
	}
	if len(p.pending.windows) == 0 {
		p.pending = chunk{day: day, grid: grid}
	}
	p.pending.add(o, p.Clock.Now())
	p.pending.from = p.pending.from.And(ctx)
	return nil
}

// flush appends the pending chunk; one that the journal refuses is dropped, its windows planned
// anew.
func (p *Poller) flush(ctx context.Context) error {
	if len(p.pending.windows) == 0 {
		return nil
	}
	c := &journal.Chunk{
		Key: p.pending.day.Key, Timezone: p.Live.Zone.String(), Grid: p.pending.grid, Windows: p.pending.windows,
	}
	after := p.pending.day.Seq
	seq, err := p.append(ctx, c, after, p.pending.from)
	switch {
	case err == nil:
		p.status.observed(p.Live.Zone, c)
		p.pending = chunk{}
		p.appended(c.Day, after, seq)
		p.summariseAnew(ctx, c.Day)
	case errors.Is(err, journal.ErrMoved):
		p.Log.Info("an answer was dropped: its day has been recorded by another process", "day", c.Day.String(), "windows", len(c.Windows))
		p.pending = chunk{}
		p.replan()
		_, err := p.loadDay(ctx, c.Day)
		return err
	}
	return err
}

// append appends a chunk, again and again until the journal takes it, refuses
// it with [journal.ErrMoved], or ctx ends. from are the steps that it rests on.
func (p *Poller) append(ctx context.Context, c *journal.Chunk, after uint64, from trace.Origins) (seq uint64, err error) {
	ctx, span := p.appending(ctx, c, from)
	defer func() { appendedTo(span, seq, err) }()
	for failed := 0; ; failed++ {
		p.forget(c)
		seq, err := p.Journal.Append(ctx, c, after)
		switch {
		case err == nil, errors.Is(err, journal.ErrMoved):
			return seq, err
		case ctx.Err() != nil:
			return 0, wrap("keeping answers of "+c.Key.String(), err)
		}
		p.status.wait("journal", time.Time{}, err)
		p.Log.Warn("the journal does not take an answer; trying again", "day", c.Day.String(), "error", err)
		if err := p.Clock.Sleep(ctx, backoff(failed)); err != nil {
			return 0, err
		}
	}
}

// forget takes out of a chunk the agents that were erased since its answers came.
func (p *Poller) forget(c *journal.Chunk) {
	for i := range c.Windows {
		if o, named := Forgotten(p.Erased, p.Operation, c.Windows[i]); named {
			c.Windows = slices.Clone(c.Windows) // they may be a day's, which is shared
			c.Windows[i] = o
		}
	}
}

// Forgotten is an observation without the agents that are erased, and whether
// it had any.
func Forgotten(erased *erase.Book, operation string, o journal.Observation) (journal.Observation, bool) {
	rows, named := erased.Rows(operation, o.Rows)
	if named {
		o.Rows, o.Digest = rows, transform.Window(rows, transform.Options{Sum: o.Sum}).Digest()
	}
	return o, named
}

// drainTime is how long a stopping poller tries to record what it learned.
const drainTime = 5 * time.Second

func (p *Poller) flushLast(ctx context.Context) {
	if len(p.pending.windows) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTime)
	defer cancel()
	if err := p.flush(ctx); err != nil {
		p.Log.Warn("answers were not recorded; they will be asked for again", "windows", len(p.pending.windows), "error", err)
	}
}
