package parquet

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/parquet-go/parquet-go"

	"wolkpipe/schemas"
)

// CodeRecord is a row of an operation's codes object. Records are sorted by
// Code, which is the key: the column is optional, as all texts here are, and
// yet every record has it.
type CodeRecord struct {
	Code        *string `parquet:"cod_act,optional"`
	Description *string `parquet:"description_cod_act,optional"`
	Hit         *string `parquet:"hit,optional,dict"`
	RPC         *string `parquet:"rpc,optional,dict"`
	Chat        *string `parquet:"chat,optional,dict"`
	Voice       *string `parquet:"voice,optional,dict"`
	TypeCode    *string `parquet:"type_code,optional,dict"`
	FirstSeenAt Instant `parquet:"first_seen_at,timestamp(microsecond:utc)"`
	LastSeenAt  Instant `parquet:"last_seen_at,timestamp(microsecond:utc)"`
}

// compare brings a record without a code, which is none of ours, to the front.
func (r CodeRecord) compare(o CodeRecord) int {
	if r.Code == nil || o.Code == nil {
		switch {
		case r.Code != nil:
			return 1
		case o.Code != nil:
			return -1
		}
		return 0
	}
	return strings.Compare(*r.Code, *o.Code)
}

// codeColumns are the columns of CodeRecord, in the order of its fields.
var codeColumns = []column[CodeRecord]{
	optional(func(r *CodeRecord) **string { return &r.Code }),
	optional(func(r *CodeRecord) **string { return &r.Description }),
	optional(func(r *CodeRecord) **string { return &r.Hit }),
	optional(func(r *CodeRecord) **string { return &r.RPC }),
	optional(func(r *CodeRecord) **string { return &r.Chat }),
	optional(func(r *CodeRecord) **string { return &r.Voice }),
	optional(func(r *CodeRecord) **string { return &r.TypeCode }),
	number(func(r *CodeRecord) *Instant { return &r.FirstSeenAt }),
	number(func(r *CodeRecord) *Instant { return &r.LastSeenAt }),
}

// optional is a column of strings that may be missing.
func optional[R any](field func(*R) **string) column[R] {
	return column[R]{parquet.ByteArray, func(r *R, v parquet.Value, t texts) { *field(r) = t.of(v) }}
}

var codeCodec = newCodec(codeColumns, "cod_act")

// codesName gives the codes object of an operation, below the lake's prefix.
func codesName(operation string) (string, error) {
	if !operationName.MatchString(operation) {
		return "", fmt.Errorf("operation %q is not of the form [a-z][a-z0-9_-]{0,62}", operation)
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
	given, err := codeRecords(codes)
	if err != nil {
		return false, fmt.Errorf("the codes of %s cannot be kept: %w", operation, err)
	}
	o, err := load(ctx, s.store, codeCodec, name)
	if err != nil {
		return false, err
	}
	records := mergeCodes(o.records, given)
	if reflect.DeepEqual(records, o.records) {
		return false, nil // never so of a damaged one, which has no records
	}
	if o.damage != nil {
		s.log.Warn("replacing a damaged object by the codes that are known", "object", name, "error", o.damage)
	}
	if err := put(ctx, s.store, codeCodec, o, records); err != nil {
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
	records, err := read(ctx, s.store, codeCodec, name)
	if err != nil {
		return nil, err
	}
	var codes []schemas.ActivityCode
	for _, r := range records {
		if r.Code != nil {
			codes = append(codes, schemas.ActivityCode{
				Code: *r.Code, Description: r.Description, Hit: r.Hit, RPC: r.RPC, Chat: r.Chat, Voice: r.Voice, TypeCode: r.TypeCode,
				FirstSeenAt: r.FirstSeenAt.Time(), LastSeenAt: r.LastSeenAt.Time(),
			})
		}
	}
	return codes, nil
}

// codeRecords turns codes into records. What would make the object unreadable
// for others, or ambiguous, is an error.
func codeRecords(codes []schemas.ActivityCode) ([]CodeRecord, error) {
	records := make([]CodeRecord, len(codes))
	seen := make(map[string]bool, len(codes))
	for i, c := range codes {
		if seen[c.Code] {
			return nil, fmt.Errorf("code %q stands twice", c.Code)
		}
		seen[c.Code] = true
		for _, text := range []*string{&c.Code, c.Description, c.Hit, c.RPC, c.Chat, c.Voice, c.TypeCode} {
			if text != nil && !utf8.ValidString(*text) {
				return nil, fmt.Errorf("code %q has %q, which is not UTF-8", c.Code, *text)
			}
		}
		records[i] = CodeRecord{&c.Code, c.Description, c.Hit, c.RPC, c.Chat, c.Voice, c.TypeCode, instant(c.FirstSeenAt), instant(c.LastSeenAt)}
	}
	return records, nil
}

// mergeCodes is the new object, each code once.
func mergeCodes(held, given []CodeRecord) []CodeRecord {
	all := make(map[string]CodeRecord, max(len(held), len(given)))
	for _, records := range [][]CodeRecord{held, given} {
		for _, r := range records {
			if r.Code == nil {
				continue
			}
			if other, ok := all[*r.Code]; ok {
				first := min(r.FirstSeenAt, other.FirstSeenAt)
				if other.LastSeenAt > r.LastSeenAt {
					r = other
				}
				r.FirstSeenAt = first
			}
			all[*r.Code] = r
		}
	}
	merged := make([]CodeRecord, 0, len(all))
	for _, r := range all {
		merged = append(merged, r)
	}
	slices.SortFunc(merged, CodeRecord.compare)
	return merged
}
