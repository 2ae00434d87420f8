package parquet

import (
	"context"
	"fmt"
	"path"
	"slices"

	"wolkpipe/sinks"
	"wolkpipe/sinks/lake"
)

var _ sinks.Auditor = (*Sink)(nil)

// Audit implements [sinks.Auditor]: it reads the objects of each day, and
// lists what else stands in their folders.
func (s *Sink) Audit(ctx context.Context, operation string, days []string) (map[string]*sinks.Audited, error) {
	all := make(map[string]*sinks.Audited, len(days))
	for _, day := range days {
		found, err := s.audit(ctx, sinks.Key{Operation: operation, Day: day})
		if err != nil {
			return nil, err
		}
		all[day] = found
	}
	return all, nil
}

func (s *Sink) audit(ctx context.Context, key sinks.Key) (*sinks.Audited, error) {
	loaded, err := s.load(ctx, key)
	if err != nil {
		return nil, err
	}
	found := &sinks.Audited{Key: key, Readings: []sinks.Reading{sinks.Lake}, Windows: make(map[string]*sinks.AuditedWindow)}
	for _, damage := range []struct {
		name string
		err  error
	}{{loaded.rows.name, loaded.rows.damage}, {loaded.windows.name, loaded.windows.damage}} {
		if damage.err != nil {
			found.Flaws = append(found.Flaws, fmt.Sprintf("%s: %v", damage.name, damage.err))
		}
	}
	m := &mender{held: loaded, found: found}
	for _, name := range []string{loaded.rows.name, loaded.windows.name} {
		all, err := s.store.list(ctx, path.Dir(name))
		if err != nil {
			return nil, fmt.Errorf("listing the folder of %s: %w", name, err)
		}
		for _, other := range slices.DeleteFunc(all, func(n string) bool { return n == name }) {
			found.Flaws = append(found.Flaws, other+" does not belong there: queries over the dataset read it, too")
			m.foreign = append(m.foreign, other)
		}
	}
	lake.Find(found, loaded.rows.records, loaded.windows.records)
	found.Mender = m
	return found, nil
}
