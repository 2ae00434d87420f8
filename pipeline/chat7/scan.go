package chat7

import (
	"bytes"
	"encoding/json"
	"strings"
)

// The functions of this file walk JSON that is known to be valid, and give
// parts of it in place: splitting an answer copies nothing.

const space = " \t\r\n"

// skipSpace is the index of the first byte at or after i that is no space.
func skipSpace(b []byte, i int) int {
	for i < len(b) && (b[i] == ' ' || b[i] == '\n' || b[i] == '\t' || b[i] == '\r') {
		i++
	}
	return i
}

// stringEnd is the index after the string that begins at i.
func stringEnd(b []byte, i int) int {
	for i++; ; {
		i += bytes.IndexByte(b[i:], '"')
		slashes := 0
		for b[i-1-slashes] == '\\' { // ends at the opening quote, if not before
			slashes++
		}
		i++
		if slashes%2 == 0 {
			return i
		}
	}
}

// valueEnd is the index after the value that begins at i.
func valueEnd(b []byte, i int) int {
	depth := 0
	for i < len(b) {
		switch b[i] {
		case '"':
			i = stringEnd(b, i)
		case '{', '[':
			depth++
			i++
			continue
		case '}', ']':
			depth--
			i++
		default:
			if depth > 0 { // of no interest: literals, commas, colons, space
				i++
				continue
			}
			for i < len(b) && strings.IndexByte(",]} \t\r\n", b[i]) < 0 {
				i++
			}
			return i
		}
		if depth == 0 {
			return i
		}
	}
	return i
}

// members calls f with each key, decoded, and value of an object. It ends
// early when f returns false.
func members(object []byte, f func(key string, value []byte) bool) {
	for i := skipSpace(object, 1); object[i] == '"'; {
		end := stringEnd(object, i)
		key := string(object[i+1 : end-1])
		if bytes.IndexByte(object[i:end], '\\') >= 0 {
			_ = json.Unmarshal(object[i:end], &key) // valid, so it decodes
		}
		i = skipSpace(object, skipSpace(object, end)+1) // over the colon
		end = valueEnd(object, i)
		if !f(key, object[i:end]) {
			return
		}
		if i = skipSpace(object, end); object[i] == ',' {
			i = skipSpace(object, i+1)
		}
	}
}

// elements gives the values of an array in place, and stops at limit of them.
func elements(array []byte, limit int) []json.RawMessage {
	var all []json.RawMessage
	for i := skipSpace(array, 1); array[i] != ']' && len(all) < limit; {
		end := valueEnd(array, i)
		all = append(all, array[i:end:end])
		if i = skipSpace(array, end); array[i] == ',' {
			i = skipSpace(array, i+1)
		}
	}
	return all
}
