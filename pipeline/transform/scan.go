package transform

import (
	"bytes"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// What follows walks over JSON that is known to be valid.

// skipSpace is the index from i on of the first byte that is not JSON's space.
func skipSpace(b []byte, i int) int {
	for i < len(b) && (b[i] == ' ' || b[i] == '\n' || b[i] == '\r' || b[i] == '\t') {
		i++
	}
	return i
}

// valueEnd is the index after the value that begins at i in valid JSON.
func valueEnd(b []byte, i int) int {
	depth := 0
	for ; ; i++ {
		switch b[i] {
		case '"':
			for i++; b[i] != '"'; i++ {
				if b[i] == '\\' {
					i++
				}
			}
		case '{', '[':
			depth++
			continue
		case '}', ']':
			depth--
		case ' ', '\n', '\r', '\t', ',', ':':
			continue
		default: // a number or a literal
			for i+1 < len(b) && !strings.ContainsRune(" \n\r\t,:}]", rune(b[i+1])) {
				i++
			}
		}
		if depth == 0 {
			return i + 1
		}
	}
}

// unquote gives the text of a valid JSON string, until p's next use. It is not
// ok if a \u escape is half of a character.
func (p *parser) unquote(quoted []byte) (text []byte, ok bool) {
	b := quoted[1 : len(quoted)-1]
	at := bytes.IndexByte(b, '\\')
	if at < 0 {
		return b, true
	}
	ok = true
	out := p.text[:0]
	for at >= 0 {
		out = append(out, b[:at]...)
		c := b[at+1]
		b = b[at+2:]
		switch c {
		case 'b':
			c = '\b'
		case 'f':
			c = '\f'
		case 'n':
			c = '\n'
		case 'r':
			c = '\r'
		case 't':
			c = '\t'
		case 'u':
			r := hex4(b)
			b = b[4:]
			if utf16.IsSurrogate(r) {
				r2 := unicode.ReplacementChar
				if len(b) >= 6 && b[0] == '\\' && b[1] == 'u' {
					r2 = utf16.DecodeRune(r, hex4(b[2:]))
				}
				if r2 == unicode.ReplacementChar {
					ok = false
				} else {
					b = b[6:]
				}
				r = r2
			}
			out = utf8.AppendRune(out, r)
			at = bytes.IndexByte(b, '\\')
			continue
		}
		out = append(out, c)
		at = bytes.IndexByte(b, '\\')
	}
	p.text = append(out, b...)
	return p.text, ok
}

// hex4 reads the four hex digits of a valid \u escape.
func hex4(b []byte) (r rune) {
	for _, c := range b[:4] {
		switch {
		case c <= '9':
			c -= '0'
		case c <= 'F':
			c -= 'A' - 10
		default:
			c -= 'a' - 10
		}
		r = r<<4 | rune(c)
	}
	return r
}
