package ndjson

import (
	"context"
	"fmt"

	"wolkpipe/sinks"
	"wolkpipe/sinks/lake"
)

var _ sinks.Auditor = (*Sink)(nil)

// Audit implements [sinks.Auditor].
func (s *Sink) Audit(ctx context.Context, operation string, days []string) (map[string]*sinks.Audited, error) {
	all := make(map[string]*sinks.Audited, len(days))
	for _, day := range days {
		h, err := s.load(ctx, sinks.Key{Operation: operation, Day: day})
		if err != nil {
			return nil, err
		}
		found := &sinks.Audited{Key: h.key, Readings: []sinks.Reading{sinks.Lake}, Windows: make(map[string]*sinks.AuditedWindow)}
		if h.damage != nil {
			found.Flaws = []string{"its files cannot be read: " + h.damage.Error()}
		}
		lake.Find(found, h.rows, h.lines)
		found.Mender = &mender{h, found}
		all[day] = found
	}
	return all, nil
}

// mender is a day that was audited. It implements [sinks.Mender].
type mender struct {
	held  *held
	found *sinks.Audited
}

// Mend implements [sinks.Mender].
func (m *mender) Mend(ctx context.Context, day *sinks.Day) (sinks.Change, error) {
	want, err := lake.Project(day)
	if err != nil {
		return sinks.Change{}, fmt.Errorf("the day %s cannot be kept: %w", day.Key, err)
	}
	if len(want) == 0 {
		return sinks.Change{}, nil // nothing is known
	}
	rows, lines := lake.Mended(m.found, want, m.held.rows, m.held.lines)
	return m.held.replace(ctx, rows, lines)
}
