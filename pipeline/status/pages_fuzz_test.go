package status

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
)

// FuzzPages asks for any path and query: there is an answer, never a failure of
// ours, with the headers for browsers; and what was asked comes back as text.
func FuzzPages(f *testing.F) {
	for _, s := range [][2]string{
		{"", ""}, {"operations/ventas", "month=2026-11"}, {"operations/ventas", "year=2026"}, {"operations/ventas/days/2026-11-26", "hour=13"},
		{"operations/ventas", "month=0000-01"}, {"operations/ventas", "year=9999"}, {"operations/ventas", "year=+999"}, {"operations/ventas", "month=9999-12"},
		{"operations/../operations/ventas", "%0d%0a"}, {"operations//days/", ""}, {"operations/<script>/days/\"><script>", "hour=<script>"},
		{"operations/ventas/days/2026-11-26", "hour=<script>&hour=13"}, {"static/../style.css", ""}, {"metrics", "name[]=x"}, {"\x00\r\n", "%00=%1b"},
		{"api/v1/coverage", "operation=<script>&from=%0d%0aSet-Cookie:x&to=%1b"}, {"api/v1/coverage", "operation=ventas&operation=b;from=c&to=%zz"},
	} {
		f.Add(s[0], s[1], false)
	}
	h := Handler(newSample().options(f))
	f.Fuzz(func(t *testing.T, path, query string, part bool) {
		asked, err := url.ParseRequestURI((&url.URL{Path: "/" + path, RawQuery: query}).RequestURI())
		if err != nil {
			return // as the server does, which answers 400
		}
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)
		r.URL = asked
		if part {
			r.Header.Set(partHeader, "main")
		}
		answer := httptest.NewRecorder()
		h.ServeHTTP(answer, r)
		switch answer.Code {
		case http.StatusOK, http.StatusNotFound, http.StatusBadRequest, http.StatusMovedPermanently, http.StatusTemporaryRedirect:
		case http.StatusServiceUnavailable: // of the sample's operation "broken", and when asked if it is ready
			if !strings.HasPrefix(path, "operations/broken") && path != "readyz" {
				t.Errorf("%q %q: %d", path, query, answer.Code)
			}
		default:
			t.Errorf("%q %q: %d", path, query, answer.Code)
		}
		for name, want := range headers {
			if answer.Header().Get(name) != want {
				t.Errorf("%q %q: %s is %q", path, query, name, answer.Header().Get(name))
			}
		}
		for name, values := range answer.Header() {
			if strings.ContainsAny(strings.Join(values, ""), "\r\n\x00") {
				t.Errorf("%q %q: header %s is %q", path, query, name, values)
			}
		}
		if to := answer.Header().Get("Location"); strings.HasPrefix(to, "//") || strings.Contains(to, "://") {
			t.Errorf("%q %q leads elsewhere: %q", path, query, to)
		}
		body := answer.Body.String()
		if strings.HasPrefix(answer.Header().Get("Content-Type"), "text/html") && answer.Code != http.StatusMovedPermanently && answer.Code != http.StatusTemporaryRedirect {
			root := parse(t, body)
			if n := len(nodes(root, "script")); n > 1 || part && n > 0 {
				t.Errorf("%q %q comes back as markup", path, query)
			}
			for _, name := range []string{"iframe", "img", "form", "base", "object", "style"} {
				if len(nodes(root, name)) > 0 {
					t.Errorf("%q %q: the page has <%s>", path, query, name)
				}
			}
		}
		if strings.Contains(body, secretAgent) {
			t.Errorf("%q %q names an agent", path, query)
		}
	})
}
