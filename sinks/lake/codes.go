package lake

import (
	"fmt"
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

// Compare brings a record without a code, which is none of ours, to the front.
func (r CodeRecord) Compare(o CodeRecord) int {
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

// CodeRecords turns codes into records. What would make the object unreadable
// for others, or ambiguous, is an error.
func CodeRecords(codes []schemas.ActivityCode) ([]CodeRecord, error) {
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
		records[i] = CodeRecord{&c.Code, c.Description, c.Hit, c.RPC, c.Chat, c.Voice, c.TypeCode, InstantOf(c.FirstSeenAt), InstantOf(c.LastSeenAt)}
	}
	return records, nil
}

// ActivityCodes turns records into codes.
func ActivityCodes(records []CodeRecord) []schemas.ActivityCode {
	var codes []schemas.ActivityCode
	for _, r := range records {
		if r.Code != nil {
			codes = append(codes, schemas.ActivityCode{
				Code: *r.Code, Description: r.Description, Hit: r.Hit, RPC: r.RPC, Chat: r.Chat, Voice: r.Voice, TypeCode: r.TypeCode,
				FirstSeenAt: r.FirstSeenAt.Time(), LastSeenAt: r.LastSeenAt.Time(),
			})
		}
	}
	return codes
}

// MergeCodes is the new object, each code once.
func MergeCodes(held, given []CodeRecord) []CodeRecord {
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
	slices.SortFunc(merged, CodeRecord.Compare)
	return merged
}
