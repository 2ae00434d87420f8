package schemas

import (
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestEncodeCode(t *testing.T) {
	for _, c := range []struct{ name, code, want string }{
		{"empty", "", "%"},
		{"letters, digits, underscore, hyphen", "AZaz09_-", "AZaz09_-"},
		{"leading zeros", "0012", "0012"},
		{"sentinel", "-", "-"},
		{"percent", "%", "%25"},
		{"what means something in a subject", ". *>$", "%2E%20%2A%3E%24"},
		{"UTF-8, byte by byte", "acción", "acci%C3%B3n"},
		{"control and broken bytes", "\x00\x7f\xff", "%00%7F%FF"},
		{"plus", "a+b", "a%2Bb"},
		{"200 bytes", strings.Repeat("a", 200), strings.Repeat("a", 200)},
		{"201 bytes", strings.Repeat("a", 201), strings.Repeat("a", 160) + "+a92efd82109373e5"},
		{"200 bytes once encoded", strings.Repeat("a", 197) + ".", strings.Repeat("a", 197) + "%2E"},
	} {
		if got := EncodeCode(c.code); got != c.want {
			t.Errorf("%s: %q is %q, want %q", c.name, c.code, got, c.want)
		}
	}
	if long := EncodeCode(strings.Repeat(".", 100)); len(long) != 160+1+16 || !strings.HasPrefix(long, "%2E%2E") || long[160] != '+' {
		t.Errorf("100 bytes that take 300 encoded are %q", long)
	}
}

// decodeCode is the inverse of EncodeCode where there is one.
func decodeCode(token string) (code string, ok bool) {
	if token == "%" {
		return "", true
	}
	var b strings.Builder
	for i := 0; i < len(token); i++ {
		switch c := token[i]; {
		case c == '%' && i+2 < len(token):
			const digits = "0123456789ABCDEF"
			hi, lo := strings.IndexByte(digits, token[i+1]), strings.IndexByte(digits, token[i+2])
			if hi < 0 || lo < 0 {
				return "", false
			}
			b.WriteByte(byte(hi<<4 | lo))
			i += 2
		case c >= 'A' && c <= 'Z', c >= 'a' && c <= 'z', c >= '0' && c <= '9', c == '_', c == '-':
			b.WriteByte(c)
		default:
			return "", false
		}
	}
	return b.String(), true
}

// checkToken checks that a subject has four tokens to a NATS server, the last
// of them EncodeCode's, and that short codes can be had back: no two share one.
func checkToken(t rapid.TB, code string) {
	t.Helper()
	token := EncodeCode(code)
	if token == "" || len(token) > 200 || strings.ContainsAny(token, ".*> \t\r\n\f\x00") {
		t.Fatalf("%q is %q, which is no token", code, token)
	}
	for _, c := range []byte(token) {
		if c <= ' ' || c >= 0x7f {
			t.Fatalf("%q is %q, with byte %#x", code, token, c)
		}
	}
	if subject := RowSubject("ventas", code); subject != "chat7.events.ventas.row."+token || strings.Count(subject, ".") != 4 {
		t.Fatalf("the subject of %q is %q", code, subject)
	}
	decoded, ok := decodeCode(token)
	switch {
	case ok && decoded != code:
		t.Fatalf("%q is %q, as %q is", code, token, decoded)
	case !ok && (len(token) != 177 || token[160] != '+'):
		t.Fatalf("%q is %q, which is neither whole nor cut", code, token)
	case !ok && len(code) <= 66: // 66 bytes take at most 198
		t.Fatalf("%q is short, and cut to %q", code, token)
	}
}

func TestEncodeCodeIsAToken(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		checkToken(t, string(rapid.SliceOfN(rapid.Byte(), 0, 300).Draw(t, "code")))
		checkToken(t, rapid.StringMatching(`[-a-z.%+é]{50,250}`).Draw(t, "text"))
	})
}

func FuzzEncodeCode(f *testing.F) {
	for _, s := range []string{"", "%", "a.b", strings.Repeat("ñ", 40), strings.Repeat("a", 201)} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, code string) { checkToken(t, code) })
}

// TestLongCodesDiffer: codes that share their first 160 bytes do not share
// their subject.
func TestLongCodesDiffer(t *testing.T) {
	long := strings.Repeat("x", 220)
	if a, b := EncodeCode(long+"a"), EncodeCode(long+"b"); a == b || a[:160] != b[:160] {
		t.Errorf("two long codes are %q and %q", a, b)
	}
}

func TestSubjects(t *testing.T) {
	for got, want := range map[string]string{
		RowSubject("ventas", "0012"):              "chat7.events.ventas.row.0012",
		RowSubject("ventas", ""):                  "chat7.events.ventas.row.%",
		WindowSubject("ventas", "2026-11-01"):     "chat7.events.ventas.window.20261101",
		DaySubject("ventas", "2026-11-01"):        "chat7.events.ventas.day.20261101",
		QuarantineSubject("ventas", "2026-11-01"): "chat7.quarantine.ventas.20261101",
		JournalSubject("ventas", "2026-11-01"):    "chat7.journal.ventas.20261101",
	} {
		if got != want {
			t.Errorf("subject %q, want %q", got, want)
		}
	}
	for subject, all := range map[string]string{
		RowSubject("a", "b"):                 EventsSubjects,
		WindowSubject("a", "2026-11-01"):     EventsSubjects,
		DaySubject("a", "2026-11-01"):        EventsSubjects,
		QuarantineSubject("a", "2026-11-01"): QuarantineSubjects,
		JournalSubject("a", "2026-11-01"):    JournalSubjects,
	} {
		if !strings.HasPrefix(subject, strings.TrimSuffix(all, ">")) {
			t.Errorf("subject %q is not of %q", subject, all)
		}
	}
}
