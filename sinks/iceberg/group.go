package iceberg

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"wolkpipe/sinks"
)

// A group is one commit of each table, at most.
const (
	maxDays  = 64
	maxBytes = 64 << 20
)

// request is a day that is to be committed.
type request struct {
	ctx   context.Context
	key   sinks.Key
	rows  *replacement // nil: the rows stay
	lines *replacement // nil: the coverage stays

	ofRows, ofLines sinks.Change // what each of them changes

	done   chan struct{} // closed when what follows is known
	change sinks.Change
	err    error
}

func (r *request) bytes() (n int) {
	for _, p := range []*replacement{r.rows, r.lines} {
		if p != nil && p.file != nil {
			n += len(p.file.data)
		}
	}
	return n
}

func (r *request) finish(err error) {
	r.err = err
	close(r.done)
}

// queue holds the requests that wait for the next commit.
type queue struct {
	mu      sync.Mutex
	waiting []*request
	closed  bool
	moved   chan struct{} // of capacity 1: something was put in
}

var errClosed = errors.New("the sink was closed")

// submit waits until a request is committed, or refused, or its caller has
// gone. A caller that goes early may find its day committed.
func (s *Sink) submit(r *request) (sinks.Change, error) {
	if err := r.ctx.Err(); err != nil || r.rows == nil && r.lines == nil {
		return sinks.Change{}, err
	}
	r.done = make(chan struct{})
	q := &s.queue
	q.mu.Lock()
	if q.closed {
		q.mu.Unlock()
		return sinks.Change{}, errClosed
	}
	q.waiting = append(q.waiting, r)
	q.mu.Unlock()
	q.wake()
	select {
	case <-r.done:
		return r.change, s.hide(r.err)
	case <-r.ctx.Done():
		q.mu.Lock()
		q.waiting = slices.DeleteFunc(q.waiting, func(o *request) bool { return o == r })
		q.mu.Unlock()
		return sinks.Change{}, r.ctx.Err()
	}
}

func (q *queue) wake() {
	select {
	case q.moved <- struct{}{}:
	default:
	}
}

// take takes a group: each day once, until it is full.
func (q *queue) take() (group []*request, full bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	var left []*request
	taken := make(map[sinks.Key]bool)
	size := 0
	for _, r := range q.waiting {
		n := r.bytes()
		switch {
		case taken[r.key]:
			left = append(left, r)
		case len(group) == maxDays || len(group) > 0 && size+n > maxBytes:
			left, full = append(left, r), true
		default:
			taken[r.key] = true
			size += n
			group = append(group, r)
		}
	}
	q.waiting = left
	return group, full
}

// refuse refuses those that wait with a guard that a commit has moved.
func (q *queue) refuse(committed map[sinks.Key]bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.waiting = slices.DeleteFunc(q.waiting, func(r *request) bool {
		if committed[r.key] {
			r.finish(sinks.ErrConflict)
		}
		return committed[r.key]
	})
}

// ready reports whether any wait, and whether they are more than a group takes.
func (q *queue) ready() (some, many bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.waiting) > 0, len(q.waiting) >= Batch
}

// gather commits group after group until the sink is closed.
func (s *Sink) gather() {
	defer func() {
		s.queue.mu.Lock()
		defer s.queue.mu.Unlock()
		s.queue.closed = true
		for _, r := range s.queue.waiting {
			r.finish(errClosed)
		}
		s.queue.waiting = nil
	}()
	var began time.Time
	full := false
	for s.ctx.Err() == nil {
		some, many := s.queue.ready()
		if !some {
			select {
			case <-s.ctx.Done():
			case <-s.queue.moved:
			}
			continue
		}
		// Nothing is gained by waiting once a group is full.
		if wait := time.Until(began.Add(s.options.Interval)); !began.IsZero() && wait > 0 && !many && !full {
			timer := time.NewTimer(wait)
			select {
			case <-s.ctx.Done():
			case <-s.queue.moved:
			case <-timer.C:
			}
			timer.Stop()
			continue
		}
		var group []*request
		if group, full = s.queue.take(); len(group) > 0 {
			began = time.Now()
			s.commit(group)
			s.tidy()
		}
	}
}

// tidy merges the manifests of tables that have come to have many: each commit
// reads them all.
func (s *Sink) tidy() {
	ctx, cancel := context.WithTimeout(s.ctx, time.Minute)
	defer cancel()
	for _, t := range s.tables() {
		t.mu.Lock()
		worth := worthMerging(slices.Collect(maps.Values(t.manifests)))
		t.mu.Unlock()
		if !worth {
			continue
		}
		if err := s.mergeManifests(ctx, t); err != nil && s.ctx.Err() == nil {
			s.log.Warn("manifests could not be merged; it is tried again", "table", t.name, "error", s.hide(err))
		}
	}
}

// commit commits a group, rows before coverage. It ends early when all its
// callers have gone.
func (s *Sink) commit(group []*request) {
	ctx, cancel := context.WithCancel(s.ctx)
	defer cancel()
	var callers atomic.Int64
	callers.Store(int64(len(group)))
	for _, r := range group {
		defer context.AfterFunc(r.ctx, func() {
			if callers.Add(-1) == 0 {
				cancel()
			}
		})()
	}
	errs := s.replaceAll(ctx, s.rows, group, func(r *request) *replacement { return r.rows })
	var left []*request
	committed := make(map[sinks.Key]bool)
	for i, r := range group {
		if errs[i] != nil {
			continue
		}
		left = append(left, r)
		if r.rows != nil {
			committed[r.key] = true
			r.change.Add(r.ofRows)
			r.change.Writes++
		}
	}
	results := make(map[*request]error, len(group))
	for i, err := range s.replaceAll(ctx, s.windows, left, func(r *request) *replacement { return r.lines }) {
		r := left[i]
		if err == nil && r.lines != nil {
			committed[r.key] = true
			r.change.Writes++
		}
		if err == nil {
			r.change.Windows += r.ofLines.Windows
		}
		results[r] = err
	}
	for i, r := range group {
		if errs[i] != nil {
			results[r] = errs[i]
		}
	}
	// Before anybody hears of it: what a caller submits after that is newer.
	s.queue.refuse(committed)
	for _, r := range group {
		r.finish(results[r])
	}
}

// replaceAll replaces what a group has of one table, and gives each request's
// error.
func (s *Sink) replaceAll(ctx context.Context, t *lakeTable, group []*request, of func(*request) *replacement) []error {
	var all []*replacement
	for _, r := range group {
		if p := of(r); p != nil {
			all = append(all, p)
		}
	}
	err := t.replace(ctx, all)
	errs := make([]error, len(group))
	for i, r := range group {
		if p := of(r); p != nil && !p.done {
			if errs[i] = p.err; p.err == nil {
				errs[i] = err
			}
		}
	}
	return errs
}
