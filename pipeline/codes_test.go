package pipeline

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"wolkpipe/pipeline/chat7"
	"wolkpipe/pipeline/chat7/chat7sim"
	"wolkpipe/pipeline/codes"
	"wolkpipe/pipeline/window"
	"wolkpipe/schemas"
	"wolkpipe/sinks"
)

// lister stands between client and simulator: rows lose their descriptions,
// and the list of codes is edited.
type lister struct {
	edition atomic.Value // string, in front of each description; nil: none
	hidden  atomic.Value // string, a code that the list lacks; nil: none
	failing atomic.Bool
	asked   atomic.Int64
}

var description = regexp.MustCompile(`,"description_cod_act":"((?:[^"\\]|\\.)*)"`)

func (l *lister) client(o *chat7.Options) {
	o.Transport = tamper(func(request *http.Request, next func() (*http.Response, error)) (*http.Response, error) {
		api := request.URL.Query().Get("api")
		if api == "activity_codes" {
			l.asked.Add(1)
			if l.failing.Load() {
				return &http.Response{StatusCode: 500, Header: http.Header{}, Body: io.NopCloser(strings.NewReader("")), Request: request}, nil
			}
		}
		response, err := next()
		if err != nil {
			return response, err
		}
		body, err := io.ReadAll(response.Body)
		switch edition, _ := l.edition.Load().(string); api {
		case "chat_7":
			body = description.ReplaceAll(body, nil)
		case "activity_codes":
			body = description.ReplaceAll(body, []byte(`,"description_cod_act":"`+edition+`$1"`))
			if hidden, ok := l.hidden.Load().(string); ok {
				body = regexp.MustCompile(`"(cod_act|code_act)":"`+hidden+`"`).ReplaceAll(body, []byte(`"$1":"another"`))
			}
		}
		response.Body = io.NopCloser(bytes.NewReader(body))
		response.ContentLength = int64(len(body))
		response.Header.Del("Content-Length")
		return response, err
	})
}

// duck reads rows of text with DuckDB.
func (r *rig) duck(query string) (all [][]string) {
	r.t.Helper()
	db, err := sql.Open("duckdb", "")
	if err != nil {
		r.t.Fatal(err)
	}
	defer db.Close()
	rows, err := db.QueryContext(r.t.Context(), strings.ReplaceAll(query, "LAKE", r.folder))
	if err != nil {
		r.t.Fatal(err)
	}
	defer rows.Close()
	columns, _ := rows.Columns()
	for rows.Next() {
		texts, into := make([]sql.NullString, len(columns)), make([]any, len(columns))
		for i := range texts {
			into[i] = &texts[i]
		}
		if err := rows.Scan(into...); err != nil {
			r.t.Fatal(err)
		}
		line := make([]string, len(columns))
		for i, s := range texts {
			if line[i] = "null"; s.Valid {
				line[i] = s.String
			}
		}
		all = append(all, line)
	}
	if err := rows.Err(); err != nil {
		r.t.Fatal(err)
	}
	return all
}

const (
	codesOf = `read_parquet('LAKE/activity_codes/operation=ventas/activity_codes.parquet')`
	rowsOf  = `read_parquet('LAKE/chat_7/*/*/*.parquet', hive_partitioning = true)`
)

// described reads the events: each row's description by window, agent and
// code, and the highest revision of any window.
func (r *rig) described() (texts map[[3]string]string, revision int64) {
	r.t.Helper()
	texts = map[[3]string]string{}
	stream, err := r.js.Stream(r.t.Context(), schemas.EventsStream)
	if err != nil {
		r.t.Fatal(err)
	}
	for seq := uint64(1); seq <= stream.CachedInfo().State.LastSeq; seq++ {
		msg, err := stream.GetMsg(r.t.Context(), seq)
		if err != nil {
			r.t.Fatal(err)
		}
		var e schemas.Event[schemas.WindowData]
		if err := json.Unmarshal(msg.Data, &e); err != nil {
			r.t.Fatal(err)
		}
		if e.Type != schemas.TypeWindow {
			continue
		}
		revision = max(revision, e.Data.Revision)
		for _, row := range e.Data.Rows {
			text := "null"
			if row.Description != nil {
				text = *row.Description
			}
			texts[[3]string{e.Data.WindowLocal, row.Agent, row.Code}] = text
		}
	}
	return texts, revision
}

// objects are the lake's files of one day, with their contents.
func (r *rig) objects(day string) map[string]string {
	r.t.Helper()
	all := map[string]string{}
	names, _ := filepath.Glob(r.folder + "/chat_7*/*/day=" + day + "/*")
	for _, name := range names {
		data, err := os.ReadFile(name)
		info, err2 := os.Stat(name)
		if err != nil || err2 != nil {
			r.t.Fatal(err, err2)
		}
		all[name] = info.ModTime().String() + string(data)
	}
	return all
}

func listing(t *testing.T, faults chat7sim.Faults) (*rig, *lister) {
	scenario := oneOperation()
	scenario.Faults = faults
	r := newRig(t, scenario, 3, noon)
	r.window = 30 * time.Minute
	r.since = window.DateOf(2026, 11, 10)
	l := &lister{}
	r.client = l.client
	return r, l
}

// TestActivityCodes: the list is in the lake, and rows have its descriptions
// in events and lake alike, whatever names look like.
func TestActivityCodes(t *testing.T) {
	r, l := listing(t, chat7sim.Faults{OddNames: 0.7, CodeActKey: true, NoDescription: 0.2})
	r.run(noon)
	r.check(r.since)
	known := r.duck(`SELECT cod_act, description_cod_act, first_seen_at = last_seen_at, hit, type_code FROM ` + codesOf + ` ORDER BY 1`)
	if len(known) != 16 { // of 18, less "" and "-"
		t.Errorf("%d codes: %v", len(known), known)
	}
	texts, without := map[string]string{}, 0
	for _, c := range known {
		texts[c[0]] = c[1]
		if c[1] == "null" {
			without++
		}
		if c[0] != plain(c[0]) || c[2] != "true" || c[3] == "null" || c[4] == "null" {
			t.Errorf("the code %q", c)
		}
	}
	if texts["0012"] == "" || texts["TIMEOUTCHAT"] == "" || without == 0 || without > 8 {
		t.Errorf("%d codes without a description: %v", without, texts)
	}
	filled := 0
	check := func(where, code, text string) {
		want, listed := texts[code]
		if !listed {
			want = "null"
		}
		if text != want {
			t.Errorf("%s: code %q is described as %q, the list says %q", where, code, text, want)
		}
		if text != "null" {
			filled++
		}
	}
	for _, row := range r.duck(`SELECT DISTINCT cod_act, description_cod_act FROM ` + rowsOf) {
		check("lake", row[0], row[1])
	}
	told, _ := r.described()
	for k, text := range told {
		check("events", k[2], text)
	}
	if filled < 20 || l.asked.Load() != 1 {
		t.Errorf("%d descriptions, the list was asked for %d times", filled, l.asked.Load())
	}
}

// TestCodesChangeTheirText: a list that changes makes no event and writes no
// day again, by the daily comparison neither; what comes then has the new text.
func TestCodesChangeTheirText(t *testing.T) {
	r, l := listing(t, chat7sim.Faults{})
	midnight := time.Date(2026, 11, 11, 6, 0, 0, 0, time.UTC)
	r.run(midnight)
	r.converge()
	before, objects := r.lastEvent(), r.objects("2026-11-10")
	if len(objects) != 2 {
		t.Fatalf("the lake has %d objects of the day", len(objects))
	}
	first, _ := r.described()
	l.edition.Store("new: ")
	r.clock.jump(18 * time.Hour) // the list is due at noon; windows are, too
	noonAgain := r.clock.Now()
	r.run(noonAgain)
	r.converge()
	r.check(r.since + 1)
	told, revision := r.described()
	fresh := 0
	for k, text := range told {
		if old, was := first[k]; was && old != text {
			t.Errorf("%v was %q and is %q", k, old, text)
		} else if !was && strings.HasPrefix(text, "new: ") {
			fresh++
		}
	}
	if revision != 1 || fresh == 0 || r.lastEvent() == before {
		t.Errorf("a window has revision %d; %d rows with the new text", revision, fresh)
	}
	for name, was := range objects {
		if r.objects("2026-11-10")[name] != was {
			t.Errorf("%s was written again", name)
		}
	}
	if news := r.duck(`SELECT count(*) FROM ` + codesOf + ` WHERE description_cod_act LIKE 'new: %'`); news[0][0] != "16" {
		t.Errorf("%s codes of the lake have the new text", news[0][0])
	}
	// Nothing is due any more: only the text is another.
	before = r.lastEvent()
	all := map[string]string{}
	for _, day := range []string{"2026-11-10", "2026-11-11"} {
		for name, data := range r.objects(day) {
			all[name] = data
		}
	}
	var renamed []codes.Code
	for i, c := range r.pipeline().codes.All("ventas") {
		text := fmt.Sprint("newest ", i)
		c.Description = &text
		renamed = append(renamed, c)
	}
	if _, changed, err := codes.Store(t.Context(), r.pipeline().state, "ventas", renamed, r.clock.Now()); err != nil || !changed {
		t.Fatal(changed, err)
	}
	r.converge()
	if r.lastEvent() != before {
		t.Error("another text made an event")
	}
	for name, was := range all {
		if now, _ := os.Stat(name); now == nil || !strings.HasPrefix(was, now.ModTime().String()) {
			t.Errorf("%s was written again", name)
		}
	}
}

func eventually(t testing.TB, what func() bool) bool {
	t.Helper()
	for range 500 {
		if what() {
			return true
		}
		time.Sleep(10 * time.Millisecond)
	}
	return false
}

// lastEvent is the sequence of the last event.
func (r *rig) lastEvent() uint64 {
	r.t.Helper()
	stream, err := r.js.Stream(r.t.Context(), schemas.EventsStream)
	if err != nil {
		r.t.Fatal(err)
	}
	return stream.CachedInfo().State.LastSeq
}

// TestUnknownCodes: what the list lacks makes it asked for, and sentinels do
// not make it asked for all the time, through restarts neither.
func TestUnknownCodes(t *testing.T) {
	r, l := listing(t, chat7sim.Faults{})
	l.hidden.Store("TIMEOUTCHAT") // in most windows
	for i := range 12 {
		r.run(noon.Add(time.Duration(6*i) * time.Hour)) // 66 hours
	}
	// One a day, one after an hour of the first day, one for "-" when it comes.
	if n := l.asked.Load(); n < 4 || n > 6 {
		t.Errorf("the list was asked for %d times in 66 hours", n)
	}
	asked := l.asked.Load()
	l.hidden.Store("nothing")
	r.run(noon.Add(90 * time.Hour))
	if n := l.asked.Load() - asked; n < 1 || n > 2 {
		t.Errorf("the list was asked for %d times in a day", n)
	}
	if texts := r.duck(`SELECT description_cod_act FROM ` + codesOf + ` WHERE cod_act = 'TIMEOUTCHAT'`); len(texts) != 1 {
		t.Errorf("the code that came later: %v", texts)
	}
	r.grace = time.Hour
	r.check(r.last())
}

// TestNewCode: one that comes into use between two days' lists is known soon.
func TestNewCode(t *testing.T) {
	r, l := listing(t, chat7sim.Faults{})
	l.hidden.Store("TIMEOUTCHAT")
	r.run(noon)
	l.hidden.Store("nothing")
	r.run(noon.Add(90 * time.Minute))
	if n := l.asked.Load(); n != 2 {
		t.Errorf("the list was asked for %d times", n)
	}
	if texts := r.duck(`SELECT description_cod_act FROM ` + codesOf + ` WHERE cod_act = 'TIMEOUTCHAT'`); len(texts) != 1 {
		t.Errorf("the code that came later: %v", texts)
	}
}

// TestCodesFail: all goes on as if nobody had asked.
func TestCodesFail(t *testing.T) {
	r, l := listing(t, chat7sim.Faults{})
	l.failing.Store(true)
	p := r.with(noon.Add(10*time.Hour), func(*Pipeline) {})
	r.check(r.since)
	if n := l.asked.Load(); n < 9 || n > 11 {
		t.Errorf("the list was asked for %d times in 10 hours", n)
	}
	if s := p.Status(t.Context()).Operations[0]; s.Error != "" || s.Missing != 0 || s.State != "running" {
		t.Errorf("the status is %+v", s)
	}
	l.failing.Store(false)
	r.run(noon.Add(12 * time.Hour))
	if n := r.duck(`SELECT count(*) FROM ` + codesOf); n[0][0] != "16" {
		t.Errorf("%v codes", n)
	}
}

// TestCodesOfABackfill: a process that only fills asks once.
func TestCodesOfABackfill(t *testing.T) {
	for _, failing := range []bool{false, true} {
		r, l := listing(t, chat7sim.Faults{})
		l.failing.Store(failing)
		r.fill = true
		r.with(noon.Add(30*time.Hour), func(p *Pipeline) { r.ask(p, "ventas", r.since-2, r.since-1, "") })
		if n := l.asked.Load(); n != 1 {
			t.Errorf("the list was asked for %d times", n)
		}
		if rows := r.duck(`SELECT count(description_cod_act) > 0 FROM ` + rowsOf); rows[0][0] != fmt.Sprint(!failing) {
			t.Errorf("rows have descriptions: %v", rows)
		}
	}
}

// reluctant is a lake that refuses the codes at first.
type reluctant struct {
	sinks.Sink
	lake  sinks.CodeKeeper
	tries atomic.Int64
}

func (s *reluctant) PutCodes(ctx context.Context, operation string, list []schemas.ActivityCode) (bool, error) {
	switch s.tries.Add(1) {
	case 1, 2, 3, 4: // two of them in one process
		return false, errors.New("no")
	case 5:
		return false, sinks.ErrConflict
	}
	return s.lake.PutCodes(ctx, operation, list)
}

// TestLakeRefusesTheCodes: they are offered again.
func TestLakeRefusesTheCodes(t *testing.T) {
	r, _ := listing(t, chat7sim.Faults{})
	lake := &reluctant{Sink: r.lake, lake: r.lake}
	r.wrap = func(name string, s sinks.Sink) sinks.Sink {
		if name == "lake" {
			return lake
		}
		return s
	}
	r.run(noon) // once when they are told, or when it stops
	p := r.pipeline()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go p.keepCodes(ctx)
	if !eventually(t, func() bool { return p.codes.kept.Load() > 1 }) {
		t.Fatalf("the codes were offered %d times", lake.tries.Load())
	}
	if n := r.duck(`SELECT count(*) FROM ` + codesOf); n[0][0] != "16" {
		t.Errorf("%v codes", n)
	}
}

// TestCodesComeLater: what was normalised before the codes were known is
// described all the same, should it be written again.
func TestCodesComeLater(t *testing.T) {
	r, l := listing(t, chat7sim.Faults{})
	l.failing.Store(true)
	r.run(noon)
	p := r.pipeline()
	described := func() (rows, with int) {
		t.Helper()
		day, _, err := p.source.Day(t.Context(), sinks.Key{Operation: "ventas", Day: "2026-11-10"})
		if err != nil {
			t.Fatal(err)
		}
		for _, w := range day.Windows {
			for _, row := range w.Rows {
				if rows++; row.Description != nil {
					with++
				}
			}
		}
		return rows, with
	}
	if rows, with := described(); rows == 0 || with != 0 {
		t.Errorf("%d of %d rows have a description that nobody told", with, rows)
	}
	code, text := "TIMEOUTCHAT", "Cierre"
	if err := p.codes.Store(t.Context(), "ventas", []codes.Raw{{Code: &code, Description: &text}}, noon); err != nil {
		t.Fatal(err)
	}
	if rows, with := described(); with < rows/4 || with == rows {
		t.Errorf("%d of %d rows are described", with, rows)
	}
}
