package backfill

import (
	"encoding/json"
	"regexp"
	"strings"
	"testing"
	"time"

	"wolkpipe/pipeline/window"
)

// keyForm is what the server takes as a key of a bucket.
var keyForm = regexp.MustCompile(`^[-/_=.a-zA-Z0-9]+$`)

// FuzzAsk: what is asked of the control service is refused in one line, or is
// a range of days until today under a key that names it alone and comes back
// from the bucket as it was.
func FuzzAsk(f *testing.F) {
	for _, s := range []string{
		`{"operation":"ventas","from":"2026-01-01","to":"2026-01-31","window":"1h"}`, `{"from":"2026-11-27","to":"2026-11-28"}`,
		`{"from":"2026-02-30","to":"2026-03-01"}`, `{"from":"0000-01-01","to":"9999-12-31"}`, `{"from":"2026-11-01","to":"2026-11-01","window":"7s"}`,
		`{"from":"2026-11-01","to":"2026-11-01","window":"-5m"}`, `{"from":"2026-11-01","to":"2026-11-01","window":"2540400h10m10.000000000s"}`,
		`{"from":"2026-11-01","to":"2026-11-01","window":"5m"}`, `{"from":"2026-11-01\n","to":"\u0000","window":"\r\nx"}`, `[]`, `null`, `{"from":1}`, "",
	} {
		f.Add([]byte(s))
	}
	zone, err := window.LoadZone("America/Bogota")
	if err != nil {
		f.Fatal(err)
	}
	grid, err := window.NewGrid(5 * time.Minute)
	if err != nil {
		f.Fatal(err)
	}
	now := time.Date(2026, 11, 27, 3, 0, 0, 0, time.UTC) // the day before, in Bogotá
	f.Fuzz(func(t *testing.T, data []byte) {
		var ask Ask
		if json.Unmarshal(data, &ask) != nil {
			return
		}
		r, err := ask.Request(Operation{Name: "ventas", Zone: zone, Grid: grid}, now)
		if err != nil {
			if strings.ContainsAny(err.Error(), "\r\n\x00\x1b") {
				t.Errorf("the refusal is %q", err)
			}
			return
		}
		if r.From > r.To || r.To > window.DateOf(2026, 11, 26) || r.From < earliest || r.Grid == grid || r.Grid < 0 {
			t.Errorf("%s takes %+v", data, r)
		}
		if r.From.String() != ask.From || r.To.String() != ask.To || r.Grid > 0 && r.Grid.PerDay() < 1 {
			t.Errorf("%s is understood as %+v", data, r)
		}
		if !keyForm.MatchString(r.key()) || strings.Count(r.key(), ".") != 2 || !strings.HasPrefix(r.key(), "ventas.backfill.ventas-") {
			t.Errorf("%s is kept as %q", data, r.key())
		}
		r.State, r.Asked = Active, now
		if back, err := decode(r.encode()); err != nil || back != r {
			t.Errorf("%+v comes back as %+v, %v", r, back, err)
		}
	})
}
