package status

import (
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"encoding/hex"
	"html/template"
	"io/fs"
	"net/http"
	"time"
)

//go:embed html/*.html
var pageFiles embed.FS

//go:embed static
var staticFiles embed.FS

// asset is a file that pages link to. Its address changes with its content, and
// a browser is told what the content must be.
type asset struct {
	URL       string
	Integrity string
	kind      string // its media type
	data      []byte
}

var assets = readAssets(map[string]string{
	"style.css": "text/css; charset=utf-8", "page.js": "text/javascript; charset=utf-8", "icon.svg": "image/svg+xml",
})

func readAssets(kinds map[string]string) map[string]asset {
	all := map[string]asset{}
	for name, kind := range kinds {
		data, err := fs.ReadFile(staticFiles, "static/"+name)
		if err != nil {
			panic(err) // it is embedded
		}
		sum := sha256.Sum256(data)
		all[name] = asset{
			URL:       "/static/" + name + "?v=" + hex.EncodeToString(sum[:6]),
			Integrity: "sha256-" + base64.StdEncoding.EncodeToString(sum[:]), kind: kind, data: data,
		}
	}
	return all
}

// build names the style and script that this program serves: a page of another
// one is loaded anew.
func build() string { return assets["style.css"].Integrity[7:15] + assets["page.js"].Integrity[7:15] }

func static(w http.ResponseWriter, r *http.Request) bool {
	a, ok := assets[r.PathValue("file")]
	if !ok {
		return false
	}
	w.Header().Set("Content-Type", a.kind)
	_, _ = w.Write(a.data) // whoever asked may be gone
	return true
}

// templates are the pages, parsed when the program starts.
var templates = template.Must(template.New("").Funcs(template.FuncMap{
	"asset": func(name string) asset { return assets[name] },
	"build": build,
	"n": func(v any) string {
		switch v := v.(type) {
		case int:
			return number(int64(v))
		case int64:
			return number(v)
		}
		return "?"
	},
	"few":    func(n int64, one string) string { return plural(int(n), one) },
	"add":    func(a, b int) int { return a + b },
	"sub":    func(a, b int) int { return a - b },
	"span":   span,
	"since":  func(from, to time.Time) time.Duration { return max(0, to.Sub(from)) },
	"wall":   wall,
	"moment": moment,
	"iso":    func(t time.Time) string { return t.UTC().Format(time.RFC3339) },
	"clock":  func(t time.Time, zone *time.Location) string { return in(t, zone).Format(time.TimeOnly) },
	"day":    func(t time.Time, zone *time.Location) string { return in(t, zone).Format(time.DateOnly) },
	"seen":   seen,
}).ParseFS(pageFiles, "html/*.html"))

// in is t in a zone; nil is UTC.
func in(t time.Time, zone *time.Location) time.Time {
	if zone == nil {
		zone = time.UTC
	}
	return t.In(zone)
}

// seen is an instant for the table of a day: the day is said only where it is another.
func seen(t time.Time, zone *time.Location, day string) string {
	t = in(t, zone)
	if t.Format(time.DateOnly) == day {
		return t.Format(time.TimeOnly)
	}
	return t.Format("2006-01-02 15:04:05")
}
