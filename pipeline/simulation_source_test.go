package pipeline

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"strings"
	"sync"
	"time"

	"wolkpipe/pipeline/chat7/chat7sim"
	"wolkpipe/pipeline/extract"
)

// simSource is the source, without a network: it keeps the rules of the token.
type simSource struct {
	w     *simWorld
	sim   *chat7sim.Sim
	quota int64 // calls in any 24 hours; 0: as the source says

	mu       sync.Mutex
	inFlight int
	arrivals []time.Time
	empty    []simSpell // every range is answered with nothing
}

type simSpell struct{ from, to time.Time }

func (s *simSource) enter(what string) {
	s.w.note("the source gets %s", what)
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	s.arrivals = append(s.arrivals, now)
	if s.inFlight++; s.inFlight > 1 {
		s.w.broken("the token: %s arrives while %d calls are in flight", what, s.inFlight-1)
	}
	if n := s.within(now.Add(-24 * time.Hour)); s.quota > 0 && n > s.quota {
		s.w.broken("the quota: %d calls in 24 hours, %d are allowed", n, s.quota)
	}
}

func (s *simSource) within(since time.Time) (n int64) {
	for i := len(s.arrivals) - 1; i >= 0 && s.arrivals[i].After(since); i-- {
		n++
	}
	return n
}

func (s *simSource) leave() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.inFlight--
}

// answer is what the source says at this instant.
func (s *simSource) answer(request *http.Request, oddity int) *httptest.ResponseRecorder {
	rec := httptest.NewRecorder()
	refuse := func(status int, message string) *httptest.ResponseRecorder {
		rec.Header().Set("Content-Type", "application/json")
		rec.WriteHeader(status)
		fmt.Fprintf(rec, `{"code":%d,"error":"%s","msg":"%s"}`, status, strings.ToUpper(http.StatusText(status)), message)
		return rec
	}
	switch oddity {
	case 1:
		return refuse(http.StatusForbidden, "EXCEEDS THE LIMIT OF SIMULTANEOUS REQUESTS PER TOKEN (2)")
	case 2:
		rec.Header().Set("Retry-After", "5")
		return refuse(http.StatusTooManyRequests, "TOO MANY REQUESTS")
	case 3:
		return refuse(http.StatusBadGateway, "BAD GATEWAY")
	case 4:
		fmt.Fprint(rec, "<html>session expired</html>")
		return rec
	}
	if request.URL.Query().Get("api") == "chat_7" {
		for _, spell := range s.empty {
			if now := time.Now(); now.After(spell.from) && now.Before(spell.to) {
				return refuse(http.StatusNotFound, "Validate dates entered")
			}
		}
	}
	s.sim.ServeHTTP(rec, request)
	return rec
}

// simTransport is a poller's way to the source.
type simTransport struct {
	link   *simLink
	poller *extract.Poller
	name   string
}

var (
	errRefused = errors.New("connection refused")
	errReset   = errors.New("connection reset")
	errTooLate = errors.New("the call's time to be sent is over")
)

// RoundTrip takes less than 60 s at the source, as the source promises.
func (t *simTransport) RoundTrip(request *http.Request) (*http.Response, error) {
	ctx, w := request.Context(), t.link.w
	what := t.name + " " + request.URL.RawQuery
	r := w.dice.of(t.link.process + " calls " + t.name)
	rate := w.faultRate()
	fate := fate(r, rate*2)
	oddity := 0
	if r.Float64() < rate*2 {
		oddity = 1 + r.IntN(4)
	}
	hooks := httptrace.ContextClientTrace(ctx)
	hooks.GetConn("source")
	if err := sleep(ctx, t.link, takes(r, 30*time.Millisecond, 12*time.Second)); err != nil {
		return nil, err
	}
	if r.Float64() < rate {
		return nil, errRefused
	}
	hooks.GotConn(httptrace.GotConnInfo{})
	if !maySend(t.poller) {
		return nil, errTooLate
	}
	there := takes(r, 20*time.Millisecond, 500*time.Millisecond)
	before, after := takes(r, 300*time.Millisecond, 25*time.Second), takes(r, 300*time.Millisecond, 30*time.Second)
	back, cut := takes(r, 20*time.Millisecond, 5*time.Second), r.Float64() < rate/2
	answers := make(chan *httptest.ResponseRecorder, 1)
	resets := make(chan struct{})
	go func() {
		time.Sleep(there)
		if fate == failed {
			close(resets)
		}
		if fate == failed || fate == swallowed {
			return
		}
		w.source.enter(what)
		time.Sleep(before)
		if fate == takenFailed { // the source works on
			close(resets)
		}
		rec := w.source.answer(request.WithContext(context.WithoutCancel(ctx)), oddity)
		time.Sleep(after)
		w.source.leave()
		time.Sleep(back)
		if fate == answered {
			answers <- rec
		}
	}()
	select {
	case rec := <-answers:
		response := rec.Result()
		if body := rec.Body.Bytes(); cut && len(body) > 1 {
			response.Body = io.NopCloser(io.MultiReader(bytes.NewReader(body[:len(body)/2]), cutOff{}))
		}
		w.note("%s hears %d of %d bytes, oddity %d", t.link.process, response.StatusCode, rec.Body.Len(), oddity)
		return response, nil
	case <-resets:
		return nil, errReset
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-t.link.gone:
		return nil, errGone
	}
}

// cutOff is the end of a body that has none.
type cutOff struct{}

func (cutOff) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

// sleep waits for d, unless ctx ends or the process does.
func sleep(ctx context.Context, l *simLink, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-l.gone:
		return errGone
	}
}
