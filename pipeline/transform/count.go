package transform

import (
	"bytes"
	"math"
	"unicode"
)

const onlyDigits = "only digits are read, or groups of three of them parted by commas"

// count reads interactions, or gives the reason why it cannot.
func (p *parser) count(value []byte) (n int64, reason string) {
	if value == nil {
		return 0, "is missing"
	}
	digits := value
	switch c := value[0]; c {
	case '"':
		text, ok := p.unquote(value)
		if !ok {
			return 0, "is not valid Unicode"
		}
		if digits = bytes.TrimFunc(text, unicode.IsSpace); len(digits) == 0 {
			return 0, "is empty"
		}
	case '{', '[', 't', 'f', 'n':
		return 0, "is " + kind(c) + ", not a count"
	}
	switch {
	case digits[0] == '-':
		return 0, "is " + excerpt(string(value)) + ": a count has no sign and is never negative"
	case !wellFormed(digits):
		return 0, "is " + excerpt(string(value)) + ": " + onlyDigits
	}
	for _, c := range digits {
		if c == ',' {
			continue
		}
		d := int64(c - '0')
		if n > (math.MaxInt64-d)/10 {
			return 0, "is " + excerpt(string(value)) + ": more than 9223372036854775807"
		}
		n = n*10 + d
	}
	return n, ""
}

// wellFormed reports whether b, not empty, is digits, in one piece or in
// groups such as 1,234,567.
func wellFormed(b []byte) bool {
	grouped := bytes.IndexByte(b, ',') >= 0
	if grouped && b[0] == '0' {
		return false // 0,123 is a fraction somewhere
	}
	run := 0 // digits since the last comma
	first := true
	for _, c := range b {
		switch {
		case c >= '0' && c <= '9':
			run++
		case c != ',' || run == 0 || run > 3 || !first && run != 3:
			return false
		default:
			run, first = 0, false
		}
	}
	return !grouped || run == 3
}
