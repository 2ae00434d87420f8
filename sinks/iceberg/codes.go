package iceberg

import (
	"context"
	"fmt"
	"reflect"

	"wolkpipe/schemas"
	"wolkpipe/sinks"
	"wolkpipe/sinks/lake"
)

// PutCodes implements [sinks.CodeKeeper]: the file of an operation is replaced
// if something in it changes. As with windows, a code that is not given stays
// as it is, and so does one that the lake has from a later sight; the earlier of
// two first sights stays. With no codes at all nothing is done. It does not wait
// for the interval of commits: lists of codes come once a day.
func (s *Sink) PutCodes(ctx context.Context, operation string, codes []schemas.ActivityCode) (wrote bool, err error) {
	if err := lake.CheckOperation(operation); err != nil {
		return false, err
	}
	if len(codes) == 0 {
		return false, nil
	}
	given, err := lake.CodeRecords(codes)
	if err != nil {
		return false, fmt.Errorf("the codes of %s cannot be kept: %w", operation, err)
	}
	v, err := s.codes.load(ctx)
	if err != nil {
		return false, s.hide(err)
	}
	held, err := read(ctx, v, &codesTable, sinks.Key{Operation: operation})
	if err != nil {
		return false, s.hide(err)
	}
	records := lake.MergeCodes(held.records, given)
	if reflect.DeepEqual(records, held.records) {
		return false, nil // never so of a damaged one, which has no records
	}
	if held.damage != nil {
		s.log.Warn("replacing a damaged data file by the codes that are known", "table", s.codes.name, "error", held.damage)
	}
	r, err := replace(&codesTable, held, records)
	if err != nil || r == nil {
		return false, err
	}
	err = s.codes.replace(s.store.with(ctx), []*replacement{r})
	if !r.done && r.err != nil {
		err = r.err
	}
	return r.done, s.hide(err)
}

// Codes reads an operation's codes, sorted; none if it has no file.
func (s *Sink) Codes(ctx context.Context, operation string) ([]schemas.ActivityCode, error) {
	records, err := records(ctx, s, s.codes, &codesTable, sinks.Key{Operation: operation})
	if err != nil {
		return nil, err
	}
	return lake.ActivityCodes(records), nil
}
