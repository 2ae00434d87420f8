package parquet

import (
	"context"
	"fmt"
	"reflect"

	"wolkpipe/schemas"
	"wolkpipe/sinks/lake"
)

// codesName gives the codes object of an operation, below the lake's prefix.
func codesName(operation string) (string, error) {
	if err := lake.CheckOperation(operation); err != nil {
		return "", err
	}
	return "activity_codes/operation=" + operation + "/activity_codes.parquet", nil
}

// PutCodes makes the lake hold what is known of an operation's codes, and
// reports whether it had to write: its object is replaced only if something in
// it changes. As with windows, a code that is not given stays as it is, and so
// does one that the lake has from a later sight; the earlier of two first
// sights stays. So it does not matter in which order several processes tell
// what they know, or who tells it twice. With no codes at all nothing is done.
//
// [sinks.ErrConflict] means that somebody else wrote in between; that and other
// errors are the caller's to retry. An object that cannot be read is replaced
// by what is given, with a warning; one with columns that this version does not
// know is a [sinks.Error].
func (s *Sink) PutCodes(ctx context.Context, operation string, codes []schemas.ActivityCode) (wrote bool, err error) {
	name, err := codesName(operation)
	if err != nil {
		return false, err
	}
	if len(codes) == 0 {
		return false, nil
	}
	given, err := lake.CodeRecords(codes)
	if err != nil {
		return false, fmt.Errorf("the codes of %s cannot be kept: %w", operation, err)
	}
	o, err := load(ctx, s.store, lake.Codes, name)
	if err != nil {
		return false, err
	}
	records := lake.MergeCodes(o.records, given)
	if reflect.DeepEqual(records, o.records) {
		return false, nil // never so of a damaged one, which has no records
	}
	if o.damage != nil {
		s.log.Warn("replacing a damaged object by the codes that are known", "object", name, "error", o.damage)
	}
	if err := put(ctx, s.store, lake.Codes, o, records); err != nil {
		return false, err
	}
	return true, nil
}

// Codes reads an operation's codes, sorted; none if there is no such object.
// Columns that this version does not know are left out.
func (s *Sink) Codes(ctx context.Context, operation string) ([]schemas.ActivityCode, error) {
	name, err := codesName(operation)
	if err != nil {
		return nil, err
	}
	records, err := read(ctx, s.store, lake.Codes, name)
	if err != nil {
		return nil, err
	}
	return lake.ActivityCodes(records), nil
}
