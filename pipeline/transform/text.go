package transform

import (
	"bytes"
	"html"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// Text gives the one form of a text that does not stand in a row, as the
// package's documentation says of those that do. What is not UTF-8 becomes
// U+FFFD. Normalising twice may decode an entity too many: "&amp;lt;".
func Text(s string) string {
	var p parser
	return p.normalise([]byte(strings.ToValidUTF8(s, "\uFFFD")))
}

// normalise gives the one form of a text in valid UTF-8: entities decoded,
// invisible characters dropped, white space folded, NFC.
func (p *parser) normalise(b []byte) string {
	if plain(b) {
		return string(b)
	}
	if bytes.IndexByte(b, '&') >= 0 {
		p.decoded = decodeEntities(p.decoded[:0], b)
		b = p.decoded
	}
	// NFC comes last: with a zero-width character between them gone, a letter
	// and its accent compose.
	p.folded = fold(p.folded[:0], b)
	b = p.folded
	if !norm.NFC.IsNormal(b) {
		b = norm.NFC.Bytes(b)
	}
	return string(b)
}

// plain reports whether b, by a glance, is in normal form already: printable
// ASCII, no entity, no space but single ones inside.
func plain(b []byte) bool {
	last := byte(' ')
	for _, c := range b {
		if c < ' ' || c > '~' || c == '&' || c == ' ' && last == ' ' {
			return false
		}
		last = c
	}
	return len(b) == 0 || last != ' '
}

// fold appends b to out without invisible characters and with one space for
// each run of white space inside b, none for those at its ends.
func fold(out, b []byte) []byte {
	space := false
	for i := 0; i < len(b); {
		r, n := rune(b[i]), 1
		if r >= utf8.RuneSelf {
			r, n = utf8.DecodeRune(b[i:])
		}
		switch {
		case unicode.IsSpace(r):
			space = true
		case invisible(r):
		default:
			if space && len(out) > 0 {
				out = append(out, ' ')
			}
			space = false
			out = append(out, b[i:i+n]...)
		}
		i += n
	}
	return out
}

// invisible reports whether r, no white space, leaves nothing to see: a
// control character, or what Unicode calls default ignorable.
func invisible(r rune) bool {
	if r <= unicode.MaxLatin1 {
		return unicode.IsControl(r) || r == '\u00AD'
	}
	return unicode.In(r, unicode.Cf, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector) &&
		!unicode.Is(unicode.Prepended_Concatenation_Mark, r) // these Cf are seen
}

// decodeEntities appends b to out with HTML's character references decoded,
// once. One without its semicolon stays: in names "&" is rather an ampersand.
func decodeEntities(out, b []byte) []byte {
	for {
		at := bytes.IndexByte(b, '&')
		if at < 0 {
			return append(out, b...)
		}
		out, b = append(out, b[:at]...), b[at:]
		n := entityLen(b)
		if decoded, ok := decodeEntity(string(b[:n])); ok {
			out = append(out, decoded...)
		} else {
			out = append(out, b[:n]...)
		}
		b = b[n:]
	}
}

// entityLen is the length of what might be an entity at the start of b, its
// semicolon included, or 1.
func entityLen(b []byte) int {
	const longest = 33 // &CounterClockwiseContourIntegral;
	for i := 1; i < min(len(b), longest); i++ {
		switch c := b[i]; {
		case c == ';':
			return i + 1
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '#' && i == 1:
		default:
			return 1
		}
	}
	return 1
}

// decodeEntity decodes s, "&" and letters or digits and ";", if it is an entity.
func decodeEntity(s string) (string, bool) {
	const longestNumber = len("&#1114111;")
	if len(s) > 1 && s[1] == '#' && len(s) > longestNumber {
		return "", false // package html would let it overflow
	}
	decoded := html.UnescapeString(s)
	// No entity stands for more than two characters. Where there are more, only
	// the beginning of s was one, as in "&notit;".
	ok := decoded != s && decoded != "\uFFFD" && utf8.RuneCountInString(decoded) <= 2
	return decoded, ok
}
