package chat7sim

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strconv"
	"time"

	"wolkpipe/pipeline/window"
)

// The messages by which alone the refusals can be told apart.
const (
	msgNoSuchAPI   = "THE API YOU WANT TO CONSULT DOES NOT EXIST"
	msgParameters  = "SOME PARAMETERS ARE REQUIRED"
	msgNoToken     = "PLEASE ENTER THE WOLKVOX-TOKEN"
	msgBadToken    = "PLEASE VALIDATE TOKEN"
	msgQuota       = "TOKEN LIMIT EXCEEDED"
	msgConcurrency = "EXCEEDS THE LIMIT OF SIMULTANEOUS REQUESTS PER TOKEN (2)"
	msgMaintenance = "THE SERVER IS PERFORMING A BACKUP OR MAINTENANCE, PLEASE TRY AGAIN LATER"
	msgUnknown     = "YOUR REQUEST COULD NOT BE PROCESSED (17)"
	msgEmpty       = "Validate dates entered"
)

// call is one call with a token that is known.
type call struct {
	sim    *Sim
	op     *operation
	token  *token
	api    string
	now    time.Time  // of its arrival: what is answered, late or not
	rng    *rand.Rand // from the call's number
	struck []string   // keys of the faults that hit it
	notes  notes
	number uint64
	day    string // of the quota
}

// answerer makes the answer to a call that nothing refused.
type answerer func(*call, *http.Request) *reply

func (s *Sim) serveAPI(w http.ResponseWriter, r *http.Request, apis map[string]answerer) {
	api := r.URL.Query().Get("api")
	c, rep := s.arrive(r.Header.Get("wolkvox-token"), api)
	if c == nil {
		rep.write(w, r)
		return
	}
	if rep == nil {
		rep = c.answer(r, apis[api])
		if left, gone := wait(r.Context(), c.takes()); gone {
			time.AfterFunc(left, func() { c.finish(Abandoned, 0) })
			panic(http.ErrAbortHandler)
		}
	}
	// Counted out before a byte is sent: the client may ask again, or look at
	// the counters, as soon as it has the answer.
	c.finish(rep.result, rep.rows)
	rep.write(w, r)
}

// answer makes the reply to a call that the gate let in.
func (c *call) answer(r *http.Request, by answerer) *reply {
	if rep := c.refusal(); rep != nil {
		return rep
	}
	rep := refuse(http.StatusBadRequest, msgNoSuchAPI, BadRequest)
	if by != nil && r.Method == http.MethodGet {
		rep = by(c, r)
	}
	c.spoil(rep)
	return rep
}

// takes draws how long the server works at the call.
func (c *call) takes() time.Duration {
	f := c.op.faults
	d := f.Latency.Base + time.Duration(c.rng.Float64()*float64(f.Latency.Random))
	if c.hit(f.Slow.Rate, "slow") {
		d += f.Slow.For
	}
	return d
}

// wait waits for d; where the client goes away first it tells what was left.
func wait(ctx context.Context, d time.Duration) (left time.Duration, gone bool) {
	if d <= 0 {
		return 0, false
	}
	start := time.Now()
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return 0, false
	case <-ctx.Done():
		return d - time.Since(start), true
	}
}

// arrive counts a call in, against its token and the quota. It gives no call
// for a token that is not known, and a reply where the call is refused.
func (s *Sim) arrive(name, api string) (*call, *reply) {
	now := s.now()
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.tokens[name]
	switch {
	case name == "":
		s.strangers[string(NoToken)]++
		return nil, refuse(http.StatusUnauthorized, msgNoToken, NoToken)
	case t == nil:
		s.strangers[string(BadToken)]++
		return nil, refuse(http.StatusForbidden, msgBadToken, BadToken)
	}
	o, f := t.op, t.op.faults
	o.calls++
	c := &call{sim: s, op: o, token: t, api: api, now: now, number: o.calls,
		rng: generator(labelCall, o.seed, o.calls),
		day: (local(o.loc, now) - window.Local(o.quotaReset*60)).Date().String()}
	o.stats.Total++
	o.stats.Days[c.day]++
	t.stats.Calls++
	if t.stats.InFlight > 0 {
		t.stats.Overlaps++
	}
	t.stats.InFlight++
	t.stats.MaxInFlight = max(t.stats.MaxInFlight, t.stats.InFlight)

	if f.RevokedAfter > 0 && o.calls > uint64(f.RevokedAfter) {
		c.struck = append(c.struck, "revoked_after")
		return c, refuse(http.StatusForbidden, msgBadToken, BadToken)
	}
	if o.stats.Quota >= 0 && o.stats.QuotaSpent[c.day]+int64(f.UsedElsewhere) >= o.stats.Quota {
		o.stats.QuotaRefused++
		return c, refuse(http.StatusForbidden, msgQuota, QuotaExceeded)
	}
	// Nobody knows which refusals are spared: everything else costs a call.
	o.stats.QuotaSpent[c.day]++
	t.spent[c.day]++
	limit := f.MaxInFlight
	if limit == 0 {
		limit = 2
	}
	if t.stats.InFlight > limit {
		return c, refuse(http.StatusForbidden, msgConcurrency, Concurrency)
	}
	return c, nil
}

// hit draws whether a fault strikes the call, and notes it.
func (c *call) hit(r Rate, key string) bool {
	if !chance(c.rng, r) {
		return false
	}
	c.struck = append(c.struck, key)
	return true
}

// refusal draws the refusals that have nothing to do with what is asked.
func (c *call) refusal() *reply {
	f := c.op.faults
	minute := int((local(c.op.loc, c.now) - local(c.op.loc, c.now).Date().Start()) / 60)
	for _, p := range f.Maintenance {
		if p.holds(minute) {
			c.struck = append(c.struck, "maintenance")
			return refuse(http.StatusForbidden, msgMaintenance, Maintenance)
		}
	}
	switch {
	case c.hit(f.MaintenanceRate, "maintenance_rate"):
		return refuse(http.StatusForbidden, msgMaintenance, Maintenance)
	case c.hit(f.Busy, "busy"):
		return refuse(http.StatusForbidden, msgConcurrency, Concurrency)
	case c.hit(f.UnknownForbidden, "unknown_403"):
		return refuse(http.StatusForbidden, msgUnknown, Forbidden)
	case c.hit(f.TooMany, "too_many"):
		rep := refuse(http.StatusTooManyRequests, "TOO MANY REQUESTS", TooManyCalls)
		if f.RetryAfter > 0 {
			seconds := int64((f.RetryAfter + time.Second - 1) / time.Second)
			rep.retryAfter = strconv.FormatInt(seconds, 10)
			if c.rng.IntN(2) == 0 {
				rep.retryAfter = c.now.Add(time.Duration(seconds) * time.Second).UTC().Format(http.TimeFormat)
			}
		}
		return rep
	case c.hit(f.ServerErrors, "server_errors"):
		status := pick(c.rng, []int{500, 502, 503, 504})
		rep := &reply{status: status, result: ServerError, page: page(fmt.Sprintf("%d %s", status, http.StatusText(status)))}
		if c.rng.IntN(2) == 0 {
			rep = refuse(status, http.StatusText(status), ServerError)
		}
		return rep
	case c.hit(f.HTML404, "html_404"):
		return &reply{status: http.StatusNotFound, result: Broken, page: page("404 Not Found")}
	case c.hit(f.Dropped, "dropped"):
		return &reply{ending: dropped, result: Broken}
	}
	return nil
}

// holds says whether p holds that minute of the day. Bounds were checked.
func (p Period) holds(minute int) bool {
	from, _ := parseClock(p.From)
	to, _ := parseClock(p.To)
	if from <= to {
		return minute >= from && minute < to
	}
	return minute >= from || minute < to
}

// finish counts a call out.
func (c *call) finish(result Result, rows int) {
	s := c.sim
	s.mu.Lock()
	defer s.mu.Unlock()
	c.token.stats.InFlight--
	st := &c.op.stats
	if st.Calls[c.api] == nil {
		st.Calls[c.api] = map[Result]int64{}
	}
	st.Calls[c.api][result]++
	st.Rows += int64(rows)
	for _, key := range c.struck {
		st.Faults[key]++
	}
	for key, n := range map[string]int64{"late": c.notes.late, "recoded": c.notes.recoded, "deleted": c.notes.deleted, "shared": c.notes.shared} {
		if n > 0 {
			st.Faults[key] += n
		}
	}
	s.logf("call %d of %s, %s: %s, %d rows", c.number, c.op.Name, c.api, result, rows)
}
