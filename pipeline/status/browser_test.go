package status

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// shown is a sample that is served, and a browser.
type shown struct {
	*browser
	*sample
	url   string
	asked atomic.Int64 // parts of pages
	gone  atomic.Bool  // the server answers no more
}

func show(t *testing.T, every time.Duration) *shown {
	t.Helper()
	if testing.Short() {
		t.Skip("it needs a browser, and half a minute")
	}
	s := &shown{sample: newSample()}
	o := s.options(t)
	o.every = every
	h := Handler(o)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if s.gone.Load() {
			panic(http.ErrAbortHandler)
		}
		if r.Header.Get(partHeader) != "" {
			s.asked.Add(1)
		}
		h.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	s.browser, s.url = newBrowser(t), server.URL
	return s
}

// shownPages are one of each kind, and the two that only errors lead to.
var shownPages = map[string]string{
	"overview": "/", "operation": "/operations/ventas", "waiting": "/operations/cobranza", "month": "/operations/ventas?month=2026-02",
	"day": "/operations/piloto-chile/days/2026-11-22", "hours": "/operations/campana-000/days/2026-11-20?hour=10",
	"settled": "/operations/ventas/days/2026-11-09",
}

// contrasts measures every text that is shown, against what is behind it, and
// the borders of the days. It gives those under 4.5, for borders 3.
const contrasts = `(() => {
	const parse = c => { const n = c.match(/[\d.]+/g).map(Number); return n.length < 4 ? [...n.slice(0, 3), 1] : n; };
	const over = (a, b) => [0, 1, 2].map(i => a[i] * a[3] + b[i] * (1 - a[3])).concat(1);
	const light = c => { const f = x => { x /= 255; return x <= .04045 ? x / 12.92 : ((x + .055) / 1.055) ** 2.4; };
		return .2126 * f(c[0]) + .7152 * f(c[1]) + .0722 * f(c[2]); };
	const ratio = (a, b) => { const [x, y] = [light(a), light(b)].sort((p, q) => q - p); return (x + .05) / (y + .05); };
	const behind = e => { // every colour that may be behind it
		const images = [];
		for (; e; e = e.parentElement) {
			const s = getComputedStyle(e), c = parse(s.backgroundColor);
			if (s.backgroundImage !== 'none') images.push(...(s.backgroundImage.match(/rgba?\([^)]*\)/g) || []).map(parse).filter(c => c[3] === 1));
			if (images.length) return images;
			if (c[3] === 1) return [c];
			if (c[3] > 0) return behind(e.parentElement).map(b => over(c, b));
		}
		return [parse(getComputedStyle(document.documentElement).colorScheme.includes('dark') && matchMedia('(prefers-color-scheme: dark)').matches ? '18,18,18' : '255,255,255')];
	};
	const bad = []; let n = 0;
	const check = (what, color, e, least) => {
		n++;
		for (const b of behind(e)) { const r = ratio(over(color, b), b); if (r < least) bad.push(what + ' ' + r.toFixed(2)); }
	};
	for (const e of document.querySelectorAll('body *')) {
		const s = getComputedStyle(e), box = e.getBoundingClientRect();
		if (!box.width || !box.height || s.visibility === 'hidden' || e.closest('.vh, .skip, noscript, title')) continue;
		const name = e.tagName + '.' + (e.getAttribute('class') || '') + ' "' + e.textContent.trim().slice(0, 20) + '"';
		if ([...e.childNodes].some(c => c.nodeType === 3 && c.nodeValue.trim())) check(name, parse(s[e instanceof SVGElement ? 'fill' : 'color']), e, 4.5);
		for (const p of ['::before', '::after']) { const q = getComputedStyle(e, p); if (/[a-z/]/i.test(q.content) && !['none', 'normal'].includes(q.content)) check(name + p, parse(q.color), e, 4.5); }
		if (e.matches('.d:not(.n), i.box:not(.n), .strip i:not(.n), i.bar')) {
			const b = parse(s.borderTopColor), fill = parse(s.backgroundColor);
			check(name + ' edge', b[3] ? b : fill, e.parentElement, 3);
		}
	}
	return {n, bad: [...new Set(bad)]};
})()`

// TestLook: in both schemes, wide and on a phone, every text can be read, and a
// phone need not be scrolled sideways. Nothing is complained of, and nothing
// is asked of anybody else.
func TestLook(t *testing.T) {
	s := show(t, 0)
	s.many = 1
	for _, scheme := range []string{"light", "dark"} {
		for name, path := range shownPages {
			for _, width := range []int{1280, 375, 320} {
				s.look(width, 900, scheme)
				s.open(s.url + path)
				var seen struct {
					N   int
					Bad []string
				}
				s.eval(contrasts, &seen)
				if seen.N < 20 || len(seen.Bad) > 0 {
					t.Errorf("%s, %s, %d: of %d texts and edges cannot be seen well: %v", name, scheme, width, seen.N, seen.Bad)
				}
				var wide []string
				s.eval(`[...document.querySelectorAll('body *')].filter(e => !e.closest('.vh, .skip, thead') && e.getBoundingClientRect().right > innerWidth + .5).map(e => e.outerHTML.slice(0, 90)).concat(
					document.scrollingElement.scrollWidth > innerWidth ? ['the page is ' + document.scrollingElement.scrollWidth + ' wide'] : [])`, &wide)
				if len(wide) > 0 {
					t.Errorf("%s is too wide for %d: %.500v", name, width, wide)
				}
				s.shoot(fmt.Sprintf("%s-%s-%d", name, scheme, width), true)
			}
		}
	}
	s.quiet()
}

// quiet fails the test where the browser complained.
func (s *shown) quiet() {
	s.browser.t.Helper()
	for _, trouble := range s.troubles(s.url) {
		s.browser.t.Error(trouble)
	}
}

// TestKeyboard: Tab reaches every link in the order of the page, each shows
// that it has the focus, and the calendar can be jumped over.
func TestKeyboard(t *testing.T) {
	s := show(t, 0)
	for name, path := range map[string]string{"overview": "/", "operation": "/operations/piloto-chile", "day": shownPages["day"]} {
		s.look(1280, 900, "light")
		s.open(s.url + path)
		var order []string
		s.eval(`[...document.querySelectorAll('a[href], button')].map(e => e.getAttribute('href') || e.id)`, &order)
		var walked []string
		for range order {
			s.press("Tab", 9)
			var at struct {
				What    string
				Visible bool
			}
			s.eval(`(() => { const e = document.activeElement, s = getComputedStyle(e), b = e.getBoundingClientRect();
				return {what: e.getAttribute('href') || e.id, visible: e.matches(':focus-visible') && s.outlineStyle !== 'none' && parseFloat(s.outlineWidth) >= 2 &&
					b.width > 3 && b.height > 3 && b.bottom > 0 && b.top < innerHeight}; })()`, &at)
			if !at.Visible {
				t.Errorf("%s: nobody sees that %s has the focus", name, at.What)
			}
			walked = append(walked, at.What)
		}
		if strings.Join(walked, " ") != strings.Join(order, " ") {
			t.Errorf("%s: Tab goes %v\nand the page has %v", name, walked, order)
		}
	}
	s.open(s.url + "/operations/piloto-chile")
	var skipped bool
	s.eval(`(() => { document.querySelector('a[href="#after"]').focus(); return true; })()`, nil)
	s.press("Enter", 13)
	s.await(`location.hash === '#after'`)
	s.press("Tab", 9)
	s.eval(`!document.activeElement.closest('.month')`, &skipped)
	if !skipped {
		t.Error("the calendar cannot be jumped over")
	}
	s.quiet()
}

// TestUpdate: a number that changed is shown without a reload, and focus, scroll
// and what was selected stay. Nobody is asked while the page is hidden or
// paused, and a server that is gone is told of.
func TestUpdate(t *testing.T) {
	s := show(t, 40*time.Millisecond)
	s.look(375, 500, "light")
	s.open(s.url + "/")
	left := `document.querySelector('#op-ventas [data-name="Calls left"]').textContent`
	s.await(left + `.startsWith('2,710')`)
	s.eval(`window.same = document.querySelector('#op-ventas'); document.querySelector('#op-cobranza a').focus(); scrollTo(0, 300);
		getSelection().selectAllChildren(document.querySelector('#op-soporte-mx th')); 1`, nil)
	s.later.Store(3)
	s.await(left + `.startsWith('2,707')`)
	var kept struct {
		Same, Focus bool
		Scroll      float64
		Selected    string
	}
	s.eval(`({same: window.same === document.querySelector('#op-ventas'), focus: document.activeElement === document.querySelector('#op-cobranza a'),
		scroll: scrollY, selected: getSelection().toString()})`, &kept)
	if !kept.Same || !kept.Focus || kept.Scroll != 300 || strings.TrimSpace(kept.Selected) != "soporte-mx" {
		t.Errorf("an update disturbs: %+v", kept)
	}

	// What comes and goes.
	s.calm.Store(true)
	s.await(`document.querySelector('h1').textContent.trim() === 'All well' && document.title === 'wolkpipe: All well' && !document.querySelector('#op-retencion, .matters')`)
	s.calm.Store(false)
	s.await(`document.title === 'wolkpipe: 4 things need a look' && document.querySelectorAll('.matters li').length === 6 && document.querySelector('#op-retencion')`)
	var status string
	s.eval(`document.querySelector('h1 [role=status][aria-live=polite]').textContent`, &status)
	if status != "4 things need a look" {
		t.Errorf("what is read aloud: %q", status)
	}

	rest := func(what string) { // nothing can be waited for: half a second is a dozen updates
		t.Helper()
		s.eval(`new Promise(done => setTimeout(done, 300))`, nil) // what was under way
		before := s.asked.Load()
		s.eval(`new Promise(done => setTimeout(done, 500))`, nil)
		if n := s.asked.Load() - before; n > 0 {
			t.Errorf("%s, the page asks %d times", what, n)
		}
	}
	s.eval(`Object.defineProperty(document, 'hidden', {value: true, configurable: true}); document.dispatchEvent(new Event('visibilitychange'))`, nil)
	rest("hidden")
	s.later.Store(5)
	s.eval(`Object.defineProperty(document, 'hidden', {value: false, configurable: true}); document.dispatchEvent(new Event('visibilitychange'))`, nil)
	s.await(left + `.startsWith('2,705')`)
	s.eval(`document.getElementById('pause').click()`, nil)
	rest("paused")
	s.eval(`document.getElementById('pause').click()`, nil)
	s.later.Store(6)
	s.await(left + `.startsWith('2,704')`)
	s.quiet()
	s.gone.Store(true)
	s.await(`document.getElementById('link').textContent.startsWith('No answer since')`)
	s.gone.Store(false)
	s.later.Store(7)
	s.await(left + `.startsWith('2,703') && document.getElementById('link').textContent.startsWith('Updates')`)
}

// TestNewVersion: a page of another program is loaded anew.
func TestNewVersion(t *testing.T) {
	s := show(t, 40*time.Millisecond)
	s.open(s.url + "/")
	s.await(`document.getElementById('link').textContent !== ''`)
	s.eval(`window.old = true; document.getElementById('main').dataset.build = 'older'; 1`, nil)
	for limit := time.Now().Add(time.Minute); ; {
		got, err := s.ask("Runtime.evaluate", map[string]any{"expression": "window.old === true", "returnByValue": true})
		var old struct {
			Result struct {
				Value bool `json:"value"`
			} `json:"result"`
		}
		if err == nil && json.Unmarshal(got, &old) == nil && !old.Result.Value {
			break
		}
		if time.Now().After(limit) {
			t.Fatal("it stays")
		}
	}
	s.quiet()
}

// TestPolicy: the browser holds a page to what the headers say. Were a style in
// the page's text, it would be told of.
func TestPolicy(t *testing.T) {
	s := show(t, 0)
	s.open(s.url + "/")
	s.eval(`document.body.insertAdjacentHTML('beforeend', '<p style="color:red">x</p><img src="https://elsewhere.invalid/x.png">'); 1`, nil)
	s.await(`document.body.lastChild.complete`)
	if all := strings.Join(s.troubles(s.url), "\n"); !strings.Contains(all, "style-src") || !strings.Contains(all, "img-src") {
		t.Errorf("the policy does not hold, or nobody hears of it: %s", all)
	}
}
