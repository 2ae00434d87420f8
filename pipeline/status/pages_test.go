package status

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/html"
)

// get asks for a page.
func get(t *testing.T, h http.Handler, method, path string) *httptest.ResponseRecorder {
	t.Helper()
	answer := httptest.NewRecorder()
	h.ServeHTTP(answer, httptest.NewRequestWithContext(t.Context(), method, path, nil))
	return answer
}

// nodes gives the elements of a kind, in the order of the document.
func nodes(root *html.Node, kinds ...string) (all []*html.Node) {
	for n := range root.Descendants() {
		if n.Type == html.ElementNode && (len(kinds) == 0 || slices.Contains(kinds, n.Data)) {
			all = append(all, n)
		}
	}
	return all
}

func attr(n *html.Node, name string) string {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val
		}
	}
	return ""
}

func text(n *html.Node) string {
	var b strings.Builder
	for d := range n.Descendants() {
		if d.Type == html.TextNode {
			b.WriteString(d.Data)
		}
	}
	return strings.Join(strings.Fields(b.String()), " ")
}

func parse(t *testing.T, page string) *html.Node {
	t.Helper()
	root, err := html.Parse(strings.NewReader(page))
	if err != nil {
		t.Fatal(err)
	}
	return root
}

// TestPagesHang follows the links from the overview: each leads somewhere, and
// what is there is sound.
func TestPagesHang(t *testing.T) {
	s := newSample()
	h := Handler(s.options(t))
	seen := map[string]bool{"/": true}
	kinds := map[string]int{} // of addresses, by their shape
	for queue := []string{"/"}; len(queue) > 0; queue = queue[1:] {
		path := queue[0]
		answer := get(t, h, "GET", path)
		if answer.Code != http.StatusOK && path != "/readyz" {
			t.Errorf("%s: %d", path, answer.Code)
		}
		if !strings.HasPrefix(answer.Header().Get("Content-Type"), "text/html") {
			continue
		}
		root := parse(t, answer.Body.String())
		sound(t, path, root)
		if strings.Contains(answer.Body.String(), secretAgent) {
			t.Errorf("%s names an agent", path)
		}
		for _, a := range nodes(root, "a") {
			to, _, _ := strings.Cut(attr(a, "href"), "#")
			kind := strings.Join(strings.FieldsFunc(to, func(r rune) bool { return r >= '0' && r <= '9' }), "0")
			if to == "" || seen[to] || kinds[kind] > 12 {
				continue
			}
			seen[to] = true
			kinds[kind]++
			queue = append(queue, to)
		}
	}
	if len(seen) < 40 {
		t.Errorf("%d pages only: %v", len(seen), seen)
	}
}

// sound checks what holds of every page.
func sound(t *testing.T, path string, root *html.Node) {
	t.Helper()
	fail := func(format string, args ...any) { t.Helper(); t.Errorf(path+": "+format, args...) }
	for _, kind := range []string{"h1", "main", "header"} {
		if got := len(nodes(root, kind)); got != 1 {
			fail("%d %s", got, kind)
		}
	}
	if title := nodes(nodes(root, "head")[0], "title"); len(title) != 1 || text(title[0]) != attr(nodes(root, "main")[0], "data-title") {
		fail("the title is not what the part says")
	}
	ids := map[string]bool{}
	for _, n := range nodes(root) {
		if id := attr(n, "id"); id != "" {
			if ids[id] {
				fail("the id %s stands twice", id)
			}
			ids[id] = true
		}
		for _, a := range n.Attr {
			if a.Key == "style" || strings.HasPrefix(a.Key, "on") {
				fail("<%s %s=%q>", n.Data, a.Key, a.Val)
			}
			if slices.Contains([]string{"href", "src", "action"}, a.Key) && !strings.HasPrefix(a.Val, "/") && !strings.HasPrefix(a.Val, "#") {
				fail("<%s> leads to %q", n.Data, a.Val)
			}
		}
	}
	for _, n := range nodes(root, "a") {
		if text(n) == "" && attr(n, "aria-label") == "" {
			fail("a link to %s without a name", attr(n, "href"))
		}
		if to := attr(n, "href"); strings.HasPrefix(to, "#") && !ids[to[1:]] {
			fail("nothing is at %s", to)
		}
	}
	for _, n := range nodes(root, "script", "style") {
		if n.Data == "style" || attr(n, "src") == "" || attr(n, "integrity") == "" {
			fail("<%s> without a file of its own", n.Data)
		}
	}
	for _, table := range nodes(root, "table") {
		if len(nodes(table, "caption")) != 1 {
			fail("a table without a caption")
		}
		for _, th := range nodes(table, "th") {
			if attr(th, "scope") == "" {
				fail("<th>%s without a scope", text(th))
			}
		}
	}
	for _, i := range nodes(root, "progress", "meter") {
		if attr(i, "aria-label") == "" {
			fail("<%s> without a name", i.Data)
		}
	}
}

// TestUnknown: what is not there is a page with a way back, and nothing of the
// address comes back as markup.
func TestUnknown(t *testing.T) {
	h := Handler(newSample().options(t))
	for path, back := range map[string]string{
		"/nothing": "/", "/static/nothing": "/", "/operations": "/", "/operations/": "/", "/operations/fremd": "/",
		"/operations/%3Cscript%3Ealert(1)%3C%2Fscript%3E":                                        "/",
		"/operations/ventas/days/2031-01-01":                                                     "/",
		"/operations/ventas/days/yesterday":                                                      "/",
		"/operations/ventas/days/2026-11-26/more":                                                "/",
		"/operations/ventas?month=2026-13":                                                       "/operations/ventas",
		"/operations/ventas?year=9":                                                              "/operations/ventas",
		"/operations/ventas?month=%22%3E%3Cscript%3Ealert(1)%3C%2Fscript%3E":                     "/operations/ventas",
		"/operations/%22%3E%3Cscript%3Ealert(1)%3C%2Fscript%3E?month=%3Cscript%3Ealert(1)":       "",
		"/operations/ventas/days/%22%3E%3Cscript%3Ealert(1)%3C%2Fscript%3E?hour=%3Cscript%3Eale": "/",
	} {
		answer := get(t, h, "GET", path)
		root := parse(t, answer.Body.String())
		if answer.Code != http.StatusNotFound {
			t.Errorf("%s: %d", path, answer.Code)
		}
		links := nodes(nodes(root, "main")[0], "a")
		if len(links) != 1 || back != "" && attr(links[0], "href") != back {
			t.Errorf("%s: no way back to %s", path, back)
		}
		if strings.Contains(answer.Body.String(), "alert(1)<") || len(nodes(root, "script")) != 1 {
			t.Errorf("%s comes back as markup: %s", path, answer.Body)
		}
	}
	answer := get(t, h, "GET", "/operations/ventas/days/2026-11-20?hour=%3Cscript%3E")
	if answer.Code != http.StatusOK || len(nodes(parse(t, answer.Body.String()), "script")) != 1 {
		t.Errorf("an hour that is none: %d", answer.Code)
	}
	answer = get(t, h, "GET", "/operations/broken/days/2026-11-20")
	if answer.Code != http.StatusServiceUnavailable || strings.Contains(answer.Body.String(), secretAgent) {
		t.Errorf("a journal that is away: %d %s", answer.Code, answer.Body)
	}
}

// TestEscaped: what comes from the source is text.
func TestEscaped(t *testing.T) {
	h := Handler(newSample().options(t))
	for _, path := range []string{"/", "/operations/ventas"} {
		page := get(t, h, "GET", path).Body.String()
		if !strings.Contains(page, "&lt;b&gt;X9&lt;/b&gt;") || len(nodes(parse(t, page), "b")) > 0 {
			t.Errorf("%s: the code <b>X9</b> is not shown as such", path)
		}
	}
}

// TestHeaders: every answer, of every method, tells a browser to be careful, and
// nothing but reading is possible.
func TestHeaders(t *testing.T) {
	h := Handler(newSample().options(t))
	paths := []string{"/", "/operations/ventas", "/operations/ventas/days/2026-11-26", "/nothing", "/healthz", "/metrics", "/api/v1/coverage?operation=ventas"}
	for name := range assets {
		paths = append(paths, assets[name].URL)
		if got := get(t, h, "GET", assets[name].URL); got.Body.String() != string(assets[name].data) || got.Header().Get("Content-Type") != assets[name].kind {
			t.Errorf("%s: %v", name, got.Header())
		}
	}
	for _, path := range paths {
		whole := get(t, h, "GET", path)
		for _, method := range []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"} {
			answer := get(t, h, method, path)
			if reads := method == "GET" || method == "HEAD"; reads != (answer.Code != http.StatusMethodNotAllowed) || reads && answer.Code != whole.Code {
				t.Errorf("%s %s: %d", method, path, answer.Code)
			}
			for name, want := range headers {
				if got := answer.Header().Get(name); got != want {
					t.Errorf("%s %s: %s is %q", method, path, name, got)
				}
			}
			if len(answer.Header().Values("Access-Control-Allow-Origin")) > 0 {
				t.Errorf("%s %s may be read from elsewhere", method, path)
			}
		}
	}
	policy := headers["Content-Security-Policy"]
	for _, want := range []string{"default-src 'none'", "frame-ancestors 'none'", "base-uri 'none'", "form-action 'none'"} {
		if !strings.Contains(policy, want) {
			t.Errorf("the policy lacks %s", want)
		}
	}
	if strings.Contains(policy, "unsafe") || strings.Contains(policy, "*") || strings.Contains(policy, "http") {
		t.Errorf("the policy is open: %s", policy)
	}
}

// TestPart: what changes of a page can be asked for alone.
func TestPart(t *testing.T) {
	h := Handler(newSample().options(t))
	for _, path := range []string{"/", "/operations/ventas", "/operations/ventas/days/2026-11-26", "/nothing"} {
		r := httptest.NewRequestWithContext(t.Context(), "GET", path, nil)
		r.Header.Set(partHeader, "main")
		answer := httptest.NewRecorder()
		h.ServeHTTP(answer, r)
		part := strings.TrimSpace(answer.Body.String())
		if !strings.HasPrefix(part, "<main ") || !strings.HasSuffix(part, "</main>") {
			t.Errorf("%s: %.200s", path, part)
		}
		if whole := get(t, h, "GET", path).Body.String(); !strings.Contains(whole, part) {
			t.Errorf("%s is another page than its part", path)
		}
	}
	root := parse(t, get(t, h, "GET", "/").Body.String())
	if no := nodes(root, "noscript"); len(no) != 1 || !strings.Contains(text(no[0])+render(no[0]), "refresh") {
		t.Error("without JavaScript the page does not reload")
	}
}

func render(n *html.Node) string {
	var b strings.Builder
	_ = html.Render(&b, n)
	return b.String()
}
