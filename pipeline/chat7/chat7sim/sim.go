package chat7sim

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"wolkpipe/pipeline/window"
)

// Options say what a simulator plays. The zero value is a friendly source on
// the machine's clock.
type Options struct {
	Scenario Scenario
	Seed     uint64
	Now      func() time.Time     // nil: time.Now; waiting is on the real clock, or that of a synctest bubble
	Logf     func(string, ...any) // told of every call, without its token; nil: nobody
}

// Sim is a simulated Reports Manager, an http.Handler. Its methods may be
// called from several goroutines.
type Sim struct {
	operations map[string]*operation
	tokens     map[string]*token
	now        func() time.Time
	logf       func(string, ...any)
	mux        *http.ServeMux

	mu        sync.Mutex // guards what follows, and the counters of operations and tokens
	strangers map[string]int64
}

type operation struct {
	Operation
	faults     *Faults
	seed       uint64
	loc        *time.Location
	roster     *roster
	shape      *shape
	holidays   map[window.Date]bool
	quotaReset int // minute of the day
	days       dayCache

	calls uint64
	stats OperationStats
}

type token struct {
	op    *operation
	spent map[string]int64 // by day of the quota
	stats TokenStats
}

// New makes a simulator. It fails on a scenario that is not sound, and says
// where.
func New(o Options) (*Sim, error) {
	ops, err := o.Scenario.normalise()
	if err != nil {
		return nil, err
	}
	s := &Sim{operations: map[string]*operation{}, tokens: map[string]*token{}, now: o.Now, logf: o.Logf, strangers: map[string]int64{}}
	if s.now == nil {
		s.now = time.Now
	}
	if s.logf == nil {
		s.logf = func(string, ...any) {}
	}
	for _, spec := range ops {
		op, err := newOperation(spec, o.Seed)
		if err != nil {
			return nil, err
		}
		s.operations[op.Name] = op
		for _, t := range op.Tokens {
			s.tokens[t] = &token{op: op, spent: map[string]int64{}, stats: TokenStats{Operation: op.Name}}
		}
	}
	s.mux = http.NewServeMux()
	s.mux.HandleFunc("GET /truth", s.serveTruth)
	s.mux.HandleFunc("GET /stats", func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, s.Stats()) })
	s.mux.HandleFunc("GET /{$}", s.serveIndex)
	return s, nil
}

// newOperation takes a spec that has been checked.
func newOperation(spec Operation, seed uint64) (*operation, error) {
	zone, err := window.LoadZone(spec.Timezone)
	if err != nil {
		return nil, err
	}
	from, to, err := parseHours(spec.Hours)
	if err != nil {
		return nil, err
	}
	op := &operation{
		Operation: spec,
		faults:    spec.Faults,
		seed:      mixText(mix(seed, spec.Seed), spec.Name),
		loc:       zone.Location(),
		shape:     newShape(from, to, spec.Steady, spec.Closed),
		holidays:  map[window.Date]bool{},
		stats: OperationStats{
			Calls: map[string]map[Result]int64{}, Days: map[string]int64{}, QuotaSpent: map[string]int64{}, Faults: map[string]int64{},
			Quota: max(-1, int64(spec.Licences)*1000),
		},
	}
	op.roster = newRoster(op.seed, spec)
	if op.faults.QuotaReset != "" {
		if op.quotaReset, err = parseClock(op.faults.QuotaReset); err != nil {
			return nil, err
		}
	}
	for _, h := range spec.Holidays {
		d, err := window.ParseDate(h)
		if err != nil {
			return nil, err
		}
		op.holidays[d] = true
	}
	return op, nil
}

// Operations are the operations' specifications, defaults filled in, sorted
// by name.
func (s *Sim) Operations() []Operation {
	var all []Operation
	for _, o := range s.operations {
		all = append(all, o.Operation)
	}
	slices.SortFunc(all, func(a, b Operation) int { return strings.Compare(a.Name, b.Name) })
	return all
}

// ServeHTTP answers as the package comment lists. It panics with
// http.ErrAbortHandler, which a server takes for closing the connection, where
// the scenario cuts an answer off.
func (s *Sim) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Date", s.now().UTC().Format(http.TimeFormat)) // its own clock, which may not be the machine's
	switch {
	case strings.HasSuffix(r.URL.Path, "/api/v2/reports_manager.php"):
		s.serveAPI(w, r, map[string]answerer{"chat_7": (*call).chat7})
	case strings.HasSuffix(r.URL.Path, "/api/v2/information.php"):
		s.serveAPI(w, r, map[string]answerer{"token_info": (*call).tokenInfo, "activity_codes": (*call).activityCodes})
	default:
		s.mux.ServeHTTP(w, r)
	}
}

func (s *Sim) serveIndex(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = fmt.Fprint(w, "This is a simulator of the wolkvox API, report chat_7. Nothing that it says is real.\n\n")
	for _, o := range s.Operations() {
		_, _ = fmt.Fprintf(w, "operation %s, %s, wolkvox-token: %s\n", o.Name, o.Timezone, strings.Join(o.Tokens, " or "))
	}
	_, _ = fmt.Fprint(w, `
GET /api/v2/reports_manager.php?api=chat_7&date_ini=YYYYmmddHHiiss&date_end=YYYYmmddHHiiss
GET /api/v2/information.php?api=token_info
GET /api/v2/information.php?api=activity_codes
GET /truth?operation=NAME&date_ini=YYYYmmddHHiiss&date_end=YYYYmmddHHiiss   what a faultless source would
    answer now, date_end being the last second included; &final=1: once all that is late has come
GET /stats   calls, overlaps, quota, faults
`)
}

// truthAnswer is the JSON of /truth.
type truthAnswer struct {
	Operation    string  `json:"operation"`
	Timezone     string  `json:"timezone"`
	DateIni      string  `json:"date_ini"`
	DateEnd      string  `json:"date_end"`
	Bounds       string  `json:"bounds"`
	Final        bool    `json:"final"`
	Interactions int64   `json:"interactions"`
	Rows         []Count `json:"rows"`
}

func (s *Sim) serveTruth(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	name := q.Get("operation")
	if name == "" && len(s.operations) == 1 {
		name = s.Operations()[0].Name
	}
	o := s.operations[name]
	if o == nil {
		http.Error(w, fmt.Sprintf("operation=%s is none of this simulator's: see /", name), http.StatusBadRequest)
		return
	}
	span, err := parseRange(q.Get("date_ini"), q.Get("date_end"))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	final := q.Get("final") == "1"
	a := truthAnswer{Operation: name, Timezone: o.Timezone, DateIni: span.From.Compact(), DateEnd: (span.To - 1).Compact(),
		Bounds: "both seconds included", Final: final}
	if final {
		a.Rows = s.Final(name, span)
	} else {
		a.Rows = s.Truth(name, span)
	}
	for _, c := range a.Rows {
		a.Interactions += c.Interactions
	}
	writeJSON(w, a)
}

// parseRange reads two seconds, both included.
func parseRange(ini, end string) (window.Range, error) {
	from, err := window.ParseCompact(ini)
	if err != nil {
		return window.Range{}, fmt.Errorf("date_ini: %w", err)
	}
	to, err := window.ParseCompact(end)
	if err != nil {
		return window.Range{}, fmt.Errorf("date_end: %w", err)
	}
	return window.Range{From: from, To: to + 1}, nil
}

func writeJSON(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	_ = enc.Encode(v) // the client has gone: nobody is left to tell
}
