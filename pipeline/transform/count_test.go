package transform

import (
	"math"
	"math/big"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestCount(t *testing.T) {
	for _, c := range []struct {
		json   string
		want   int64
		reason string // holds this; empty for a count
	}{
		{json: `"3"`, want: 3},
		{json: `3`, want: 3},
		{json: `" 3 "`, want: 3},
		{json: `"\t3\u00a0\n"`, want: 3},
		{json: `"\u0033"`, want: 3},
		{json: `0`, want: 0},
		{json: `"0"`, want: 0},
		{json: `"007"`, want: 7},
		{json: `"999"`, want: 999},
		{json: `"1,234"`, want: 1234},
		{json: `" 12,345 "`, want: 12345},
		{json: `"123,456,789"`, want: 123456789},
		{json: `9223372036854775807`, want: math.MaxInt64},
		{json: `"9,223,372,036,854,775,807"`, want: math.MaxInt64},
		{json: `"00000000000000000000000000003"`, want: 3},

		{json: ``, reason: "missing"},
		{json: `null`, reason: "null"},
		{json: `""`, reason: "empty"},
		{json: `" "`, reason: "empty"},
		{json: `-1`, reason: "-1: a count has no sign"},
		{json: `"-3"`, reason: "no sign"},
		{json: `-0`, reason: "no sign"},
		{json: `"+3"`, reason: "only digits"},
		{json: `3.0`, reason: "only digits"},
		{json: `"3.0"`, reason: "only digits"},
		{json: `"1.234"`, reason: "only digits"},
		{json: `1e3`, reason: "only digits"},
		{json: `"1E3"`, reason: "only digits"},
		{json: `"0x10"`, reason: "only digits"},
		{json: `"1_000"`, reason: "only digits"},
		{json: `"٣"`, reason: "only digits"},
		{json: `"３"`, reason: "only digits"},
		{json: `"1 234"`, reason: "only digits"},
		{json: `"1,23"`, reason: "only digits"},
		{json: `"1,2345"`, reason: "only digits"},
		{json: `"12,34,567"`, reason: "only digits"},
		{json: `"1234,567"`, reason: "only digits"},
		{json: `",123"`, reason: "only digits"},
		{json: `"123,"`, reason: "only digits"},
		{json: `","`, reason: "only digits"},
		{json: `"1,,234"`, reason: "only digits"},
		{json: `"1,234,"`, reason: "only digits"},
		{json: `"0,123"`, reason: "only digits"},
		{json: `"1 ,234"`, reason: "only digits"},
		{json: `"three"`, reason: `"three"`},
		{json: `"3\ufeff"`, reason: "only digits"},
		{json: `"3\ud800"`, reason: "Unicode"},
		{json: `9223372036854775808`, reason: "more than 9223372036854775807"},
		{json: `"18446744073709551617"`, reason: "more than"},
		{json: `"9,223,372,036,854,775,808"`, reason: "more than"},
		{json: `true`, reason: "a boolean"},
		{json: `["3"]`, reason: "an array"},
		{json: `{"n":3}`, reason: "an object"},
	} {
		t.Run(c.json, func(t *testing.T) {
			var p parser
			var value []byte // nil for a missing field
			if c.json != "" {
				value = []byte(c.json)
			}
			got, reason := p.count(value)
			if got != c.want && c.reason == "" || (reason == "") != (c.reason == "") || !strings.Contains(reason, c.reason) {
				t.Errorf("read %d, %q; want %d, %q", got, reason, c.want, c.reason)
			}
		})
	}
}

var countForm = regexp.MustCompile(`^([0-9]+|[1-9][0-9]{0,2}(,[0-9]{3})+)$`)

// countByPattern is the rule for counts in other words.
func countByPattern(s string) (int64, bool) {
	s = strings.TrimSpace(s)
	n, ok := new(big.Int).SetString(strings.ReplaceAll(s, ",", ""), 10)
	if !ok || !countForm.MatchString(s) || !n.IsInt64() {
		return 0, false
	}
	return n.Int64(), true
}

func TestCountAgainstPattern(t *testing.T) {
	texts := rapid.OneOf(
		rapid.StringMatching(`[0-9,]{0,25}`),
		rapid.StringMatching(` ?[1-9]?[0-9]{0,2}(,[0-9]{2,4}){0,7} ?`),
		rapid.StringMatching(`[-+.e0-9, ]{0,8}`),
		rapid.Custom(func(t *rapid.T) string { // around what fits
			n := new(big.Int).SetUint64(math.MaxInt64)
			return n.Add(n, big.NewInt(rapid.Int64Range(-30, 30).Draw(t, "more"))).String()
		}))
	rapid.Check(t, func(t *rapid.T) {
		s := texts.Draw(t, "count")
		want, ok := countByPattern(s)
		var p parser
		got, reason := p.count([]byte(strconv.Quote(s)))
		if (reason == "") != ok || ok && got != want {
			t.Fatalf("%q was read as %d, %q; want %d, %t", s, got, reason, want, ok)
		}
	})
}
