package pipeline

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"wolkpipe/pipeline/extract"
	"wolkpipe/pipeline/window"
	"wolkpipe/schemas"
	"wolkpipe/sinks"
)

// Verification is what comparing the source, the journal and the sinks' stores
// came to, window by window.
type Verification struct {
	Operation string `json:"operation"`
	From      string `json:"from"`
	To        string `json:"to"`
	Windows   int    `json:"windows"` // due by now
	Calls     int    `json:"calls"`   // to the source

	Missing []string          `json:"missing"` // windows that the journal does not have
	Changed []ChangedWindow   `json:"changed"` // windows of which the source says something else
	Unsure  []string          `json:"unsure"`  // days that moved while they were compared
	Stores  []StoreDifference `json:"stores"`
}

// ChangedWindow is a window of which the source says something else than the
// journal.
type ChangedWindow struct {
	Window string       `json:"window_local"`
	Rows   []ChangedRow `json:"rows"` // none: only rejected rows changed
}

// ChangedRow is a count of which the source says something else.
type ChangedRow struct {
	Agent  string `json:"agent_name"`
	Code   string `json:"cod_act"`
	Have   int64  `json:"recorded"`
	Source int64  `json:"source"`
}

// StoreDifference is what a sink's store has otherwise than the journal.
type StoreDifference struct {
	Sink        string   `json:"sink"`
	Compared    bool     `json:"compared"` // false: what it holds cannot be read back
	Differences []string `json:"differences"`
	Unknown     []string `json:"unknown"` // windows that only the store has: what the journal lost
	Mended      int      `json:"mended"`  // windows written by a repair
}

// Agrees reports whether nothing differs.
func (v Verification) Agrees() bool {
	for _, s := range v.Stores {
		if len(s.Differences) > 0 || len(s.Unknown) > 0 {
			return false
		}
	}
	return len(v.Missing) == 0 && len(v.Changed) == 0 && len(v.Unsure) == 0
}

// behind is how long a store that differs may have been only behind.
const behind = 3 * time.Second

// Verify compares an operation's days with the source, and the stores of all
// sinks with the journal. With repair it first mends from the nearest truth:
// the journal from the source, the stores from the journal; what it gives is
// what a fresh look found after that. tell is told what is being done.
// It must not run beside Run; other processes may.
func (p *Pipeline) Verify(ctx context.Context, operation string, from, to window.Date, repair bool, tell func(string)) (Verification, error) {
	i := slices.IndexFunc(p.pollers, func(o *extract.Poller) bool { return o.Operation == operation })
	if i < 0 {
		return Verification{}, fmt.Errorf("operation %q is not in the configuration", operation)
	}
	v := Verification{
		Operation: operation, From: from.String(), To: to.String(),
		Missing: []string{}, Changed: []ChangedWindow{}, Unsure: []string{}, Stores: []StoreDifference{},
	}
	mended := map[string]int{}
	if repair {
		tell("asking the source for what is missing or changed")
		found, err := p.pollers[i].Verify(ctx, from, to, true)
		if err != nil {
			return v, err
		}
		v.Calls += found.Calls
		for _, w := range p.workers {
			tell("mending " + w.name)
			if mended[w.name], err = p.mend(ctx, w, operation, from, to); err != nil {
				return v, err
			}
		}
	}
	tell("comparing with the source")
	found, err := p.pollers[i].Verify(ctx, from, to, false)
	if err != nil {
		return v, err
	}
	v.add(found)
	for _, w := range p.workers {
		tell("comparing " + w.name + " with the journal")
		s, err := p.differences(ctx, w, operation, from, to)
		if err != nil {
			return v, err
		}
		s.Mended = mended[w.name]
		v.Stores = append(v.Stores, s)
	}
	return v, nil
}

func (v *Verification) add(found extract.Verified) {
	v.Windows = found.Due
	v.Calls += found.Calls
	for _, local := range found.Missing {
		v.Missing = append(v.Missing, local.String())
	}
	for _, date := range found.Unsure {
		v.Unsure = append(v.Unsure, date.String())
	}
	for _, c := range found.Changed {
		v.Changed = append(v.Changed, ChangedWindow{c.Window.String(), changedRows(c.Have, c.Now)})
	}
}

// changedRows are the counts that differ between two contents of a window.
func changedRows(have, now []schemas.Row) []ChangedRow {
	rows := map[[2]string]*ChangedRow{}
	at := func(r schemas.Row) *ChangedRow {
		k := [2]string{r.Agent, r.Code}
		if rows[k] == nil {
			rows[k] = &ChangedRow{Agent: r.Agent, Code: r.Code}
		}
		return rows[k]
	}
	for _, r := range have {
		at(r).Have = r.Interactions
	}
	for _, r := range now {
		at(r).Source = r.Interactions
	}
	changed := []ChangedRow{}
	for _, r := range rows {
		if r.Have != r.Source {
			changed = append(changed, *r)
		}
	}
	slices.SortFunc(changed, func(a, b ChangedRow) int {
		return schemas.Row{Agent: a.Agent, Code: a.Code}.Compare(schemas.Row{Agent: b.Agent, Code: b.Code})
	})
	return changed
}

// mend makes a sink's store hold what the journal says. A sink that cannot be
// audited is made to converge.
func (p *Pipeline) mend(ctx context.Context, w *worker, operation string, from, to window.Date) (windows int, err error) {
	auditor, ok := w.sink.(sinks.Auditor)
	for _, days := range months(from, to) {
		if !ok {
			for _, day := range days {
				change, _, err := sinks.Converge(ctx, w.sink, w.source, sinks.Key{Operation: operation, Day: day})
				if err != nil {
					return windows, fmt.Errorf("sink %s: %w", w.name, err)
				}
				windows += change.Windows
			}
			continue
		}
		changes, err := sinks.Mend(ctx, auditor, w.source, operation, days)
		for _, change := range changes {
			windows += change.Windows
		}
		if err != nil {
			return windows, fmt.Errorf("sink %s: %w", w.name, err)
		}
	}
	return windows, nil
}

// differences holds a sink's store against the journal. Days that differ are
// looked at again after a while: the sink may have been behind.
func (p *Pipeline) differences(ctx context.Context, w *worker, operation string, from, to window.Date) (StoreDifference, error) {
	auditor, ok := w.sink.(sinks.Auditor)
	s := StoreDifference{Sink: w.name, Compared: ok, Differences: []string{}, Unknown: []string{}}
	if !ok {
		return s, nil
	}
	for _, days := range months(from, to) {
		found, err := p.audit(ctx, auditor, w.source, operation, days)
		if err != nil {
			return s, fmt.Errorf("sink %s: %w", w.name, err)
		}
		if again := slices.DeleteFunc(slices.Clone(days), func(day string) bool { return len(found[day].differences) == 0 }); len(again) > 0 {
			_ = extract.System{}.Sleep(ctx, behind)
			later, err := p.audit(ctx, auditor, w.source, operation, again)
			if err != nil {
				return s, fmt.Errorf("sink %s: %w", w.name, err)
			}
			maps.Copy(found, later)
		}
		for _, day := range days {
			for _, d := range found[day].differences {
				s.Differences = append(s.Differences, d.String())
			}
			s.Unknown = append(s.Unknown, found[day].unknown...)
		}
	}
	return s, nil
}

// audited is what was found out about a day of a store.
type audited struct {
	differences []sinks.Difference
	unknown     []string
}

func (p *Pipeline) audit(ctx context.Context, auditor sinks.Auditor, source sinks.Source, operation string, days []string) (map[string]audited, error) {
	have, err := auditor.Audit(ctx, operation, days)
	if err != nil {
		return nil, err
	}
	found := make(map[string]audited, len(days))
	for _, day := range days {
		want, _, err := source.Day(ctx, sinks.Key{Operation: operation, Day: day})
		if err != nil {
			return nil, err
		}
		found[day] = audited{sinks.Differences(want, have[day]), sinks.Unknown(want, have[day])}
	}
	return found, nil
}

// months lists the days from one to another, by calendar month.
func months(from, to window.Date) (all [][]string) {
	for date := from; date <= to; {
		_, next := date.Month()
		var days []string
		for ; date <= min(next-1, to); date++ {
			days = append(days, date.String())
		}
		all = append(all, days)
	}
	return all
}

// Resync makes a sink hold what the journal says of days; of all that it has,
// where to is before from. It gives what was written.
func (p *Pipeline) Resync(ctx context.Context, sink string, operations []string, from, to window.Date, tell func(done, total int)) (sinks.Change, error) {
	var none sinks.Change
	i := slices.IndexFunc(p.workers, func(w *worker) bool { return w.name == sink })
	if i < 0 {
		return none, fmt.Errorf("sink %q is not in the configuration", sink)
	}
	days, err := p.journal.Days(ctx, "")
	if err != nil {
		return none, err
	}
	var keys []sinks.Key
	for _, k := range days {
		if slices.Contains(operations, k.Operation) && (to < from || k.Day >= from && k.Day <= to) {
			keys = append(keys, sinks.Key{Operation: k.Operation, Day: k.Day.String()})
		}
	}
	return p.workers[i].convergeAll(ctx, keys, func(done int) { tell(done, len(keys)) })
}
