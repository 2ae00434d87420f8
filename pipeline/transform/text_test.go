package transform

import (
	"html"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestNormalise(t *testing.T) {
	for _, c := range []struct{ name, in, want string }{
		{"plain", "COM-Ana Ruiz", "COM-Ana Ruiz"},
		{"empty", "", ""},
		{"case stays", "acuerdo_de_Pago", "acuerdo_de_Pago"},
		{"leading zeros stay", "0012", "0012"},
		{"NFD composes", "Jose\u0301 Nun\u0303ez", "José Nuñez"},
		{"NFC stays", "José Nuñez", "José Nuñez"},
		{"singleton", "5 \u212B", "5 Å"},
		{"named entity", "Jos&eacute; &Ntilde;", "José Ñ"},
		{"decimal entity", "&#74;os&#233;", "José"},
		{"hexadecimal entities", "Jos&#xE9; &#Xe9;", "José é"},
		{"entity composes", "Jose&#769;", "José"},
		{"entities decode once", "A &amp;lt; B", "A &lt; B"},
		{"no semicolon, no entity", "A&params R&D &lt", "A&params R&D &lt"},
		{"begins like an entity", "&notit; &ampx;", "&notit; &ampx;"},
		{"entity of two characters", "&NotEqualTilde;", "≂̸"},
		{"the semicolon's own entity", "a&semi;&#59;", "a;;"},
		{"the longest entity", "&CounterClockwiseContourIntegral;", "∳"},
		{"numbers of no character", "&#0; &#xD800; &#1114112; &#4294967361; &#; &#x;", "&#0; &#xD800; &#1114112; &#4294967361; &#; &#x;"},
		{"an ampersand at the end", "A &", "A &"},
		{"entity of white space", "&nbsp;A&nbsp;&Tab;B&NewLine;", "A B"},
		{"entity of a zero-width character", "A&zwj;B&#x200B;", "AB"},
		{"outer white space", " \t\r\n A \u3000", "A"},
		{"a space before", " A", "A"},
		{"a space behind", "A ", "A"},
		{"only white space", " \u00A0\u2028 ", ""},
		{"inner white space", "A  B\tC\r\nD\u00A0\u2003E\vF\fG\u0085H", "A B C D E F G H"},
		{"control characters", "A\x00\x1b\x7f\u0080B", "AB"},
		{"separators that are controls", "A\x1cB\x1fC", "ABC"},
		{"zero-width characters", "A\u200bB\u200c\u200d\u200e\u2060C\ufeff\u00ad", "ABC"},
		{"variation selector", "\u2764\ufe0f", "\u2764"},
		{"invisible between spaces", "A \u200b B", "A B"},
		{"invisible at the ends", "\ufeff A \u200b", "A"},
		{"invisible before an accent", "e\u200b\u0301", "é"},
		{"only invisible", "\u200b\ufeff", ""},
		{"a sign that is seen, though a format character", "\u0600", "\u0600"},
		{"replacement character", "Jos\uFFFD", "Jos\uFFFD"},
		{"emoji", "😀 Ana", "😀 Ana"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var p parser
			if got := p.normalise([]byte(c.in)); got != c.want {
				t.Errorf("%+q became %+q, want %+q", c.in, got, c.want)
			}
			if got := Text(c.in); got != c.want {
				t.Errorf("Text makes %+q of %+q, want %+q", got, c.in, c.want)
			}
		})
	}
}

func TestTextOfOtherBytes(t *testing.T) {
	if got := Text(" Acuerd\xf3 \xff\xfe"); got != "Acuerd\uFFFD \uFFFD" {
		t.Errorf("%+q", got)
	}
}

// TestNormaliseTwice: what is normal stays as it is, whatever the parser has
// read before.
func TestNormaliseTwice(t *testing.T) {
	var p parser
	pieces := rapid.SampledFrom([]string{"a", "é", "e\u0301", "\u0301", "\u0327", " ", "\u00A0", "\t", "\u200b", "\ufeff",
		"&", "&amp;", "&lt", ";", "#", "&#x301;", "&#32;", "&eacute;", "\u1100", "\u1161", "\u11a8", "\u0344", "\u037e", "\x00", "\u034f", "\U0001D15E"})
	rapid.Check(t, func(t *rapid.T) {
		in := strings.Join(rapid.SliceOfN(rapid.OneOf(pieces, rapid.String()), 0, 60).Draw(t, "pieces"), "")
		once := p.normalise([]byte(in))
		checkText(t, once)
		if again := p.normalise([]byte(html.EscapeString(once))); again != once {
			t.Fatalf("%+q became %+q, and that as HTML %+q", in, once, again)
		}
		if again := p.normalise([]byte(once)); again != once && !strings.Contains(once, "&") {
			t.Fatalf("%+q became %+q, and that %+q", in, once, again)
		}
	})
}
