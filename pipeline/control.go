package pipeline

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nats.go/micro"

	"wolkpipe/pipeline/backfill"
	"wolkpipe/pipeline/extract"
)

// The subjects of the micro service "wolkpipe": requests and answers are JSON.
const (
	StatusSubject   = "wolkpipe.status"   // gives a Status
	BackfillSubject = "wolkpipe.backfill" // takes a backfill.Ask, gives a Named
	CancelSubject   = "wolkpipe.cancel"   // takes and gives a Named
)

// Named is the id of a backfill.
type Named struct {
	ID string `json:"id"`
}

// AskError is a request that cannot be carried out, with a code as HTTP has them.
type AskError struct {
	Code string // "400", "404", "409"
	Err  error
}

func (e *AskError) Error() string { return e.Err.Error() }
func (e *AskError) Unwrap() error { return e.Err }

// Backfill takes on a range to fill. It is kept when Backfill returns without
// an error: a restart goes on with it. The error is an [*AskError], or of NATS.
func (p *Pipeline) Backfill(ctx context.Context, ask backfill.Ask) (backfill.Request, error) {
	i := slices.IndexFunc(p.o.Operations, func(o Operation) bool { return o.Name == ask.Operation })
	if i < 0 {
		return backfill.Request{}, &AskError{"404", fmt.Errorf("operation %q is not in the configuration", ask.Operation)}
	}
	op := p.o.Operations[i]
	now := p.o.Clock.Now()
	r, err := ask.Request(backfill.Operation{Name: op.Name, Zone: op.Zone, Grid: op.Grid}, now)
	if err != nil {
		return r, &AskError{"400", err}
	}
	return p.asked.Ask(ctx, r, now.UTC())
}

// Cancel ends a backfill; what it brought stays. The error is an [*AskError],
// or of NATS.
func (p *Pipeline) Cancel(ctx context.Context, id string) error {
	err := p.asked.End(ctx, id, backfill.Cancelled, p.o.Clock.Now().UTC())
	switch {
	case errors.Is(err, backfill.ErrUnknown):
		return &AskError{"404", fmt.Errorf("%w: %q", err, id)}
	case errors.Is(err, backfill.ErrEnded):
		return &AskError{"409", fmt.Errorf("%w: %s", err, id)}
	}
	return err
}

// Active are the backfills that this process works on and has not ended.
func (p *Pipeline) Active() (all []backfill.Request) {
	for _, r := range p.asked.All("") {
		if r.State == backfill.Active {
			all = append(all, r)
		}
	}
	return all
}

// Asked gives the backfill with an id.
func (p *Pipeline) Asked(id string) (backfill.Request, bool) { return p.asked.Find(id) }

// asked are the requests that this process works on: all, or those that were
// asked of it.
type asked struct {
	*backfill.Book
	some bool

	mu  sync.Mutex
	ids map[string]bool
}

func openAsked(ctx context.Context, kv jetstream.KeyValue, some bool) (*asked, error) {
	book, err := backfill.Open(ctx, kv)
	return &asked{Book: book, some: some, ids: map[string]bool{}}, err
}

// Ask keeps a request, and works on it.
func (a *asked) Ask(ctx context.Context, r backfill.Request, now time.Time) (backfill.Request, error) {
	a.mu.Lock()
	a.ids[r.ID()] = true
	a.mu.Unlock()
	return a.Book.Ask(ctx, r, now)
}

// All implements [extract.Backfills].
func (a *asked) All(operation string) []backfill.Request {
	all := a.Book.All(operation)
	if !a.some {
		return all
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.DeleteFunc(all, func(r backfill.Request) bool { return !a.ids[r.ID()] })
}

var _ extract.Backfills = (*asked)(nil)

// controlTime bounds what a request to the service may take.
const controlTime = 5 * time.Second

// serve answers requests over NATS, as the micro service "wolkpipe".
func (p *Pipeline) serve() (micro.Service, error) {
	service, err := micro.AddService(p.o.NATS, micro.Config{
		Name: "wolkpipe", Version: "1.1.0", Description: "the pipeline over wolkvox chat_7",
	})
	if err != nil {
		return nil, fmt.Errorf("offering the service wolkpipe: %w", err)
	}
	for subject, handle := range map[string]func(context.Context, []byte) (any, error){
		StatusSubject:   func(ctx context.Context, _ []byte) (any, error) { return p.Status(ctx), nil },
		BackfillSubject: p.backfillAsked,
		CancelSubject:   p.cancelAsked,
	} {
		err := service.AddEndpoint(subject[len("wolkpipe."):], micro.HandlerFunc(func(r micro.Request) {
			ctx, cancel := context.WithTimeout(context.Background(), controlTime)
			defer cancel()
			answer, err := handle(ctx, r.Data())
			p.respond(r, answer, err)
		}), micro.WithEndpointSubject(subject))
		if err != nil {
			return nil, errors.Join(fmt.Errorf("offering %s: %w", subject, err), service.Stop())
		}
	}
	return service, nil
}

func (p *Pipeline) respond(r micro.Request, answer any, err error) {
	var ask *AskError
	switch {
	case err == nil:
		_ = r.RespondJSON(answer) // whoever asked may be gone
	case errors.As(err, &ask):
		_ = r.Error(ask.Code, ask.Error(), nil)
	default:
		p.o.Log.Warn("a request could not be carried out", "subject", r.Subject(), "error", err)
		_ = r.Error("500", err.Error(), nil)
	}
}

func (p *Pipeline) backfillAsked(ctx context.Context, data []byte) (any, error) {
	var ask backfill.Ask
	if err := json.Unmarshal(data, &ask); err != nil {
		return nil, &AskError{"400", fmt.Errorf("the request is not JSON like {\"operation\",\"from\",\"to\"}: %w", err)}
	}
	r, err := p.Backfill(ctx, ask)
	return Named{r.ID()}, err
}

func (p *Pipeline) cancelAsked(ctx context.Context, data []byte) (any, error) {
	var named Named
	if err := json.Unmarshal(data, &named); err != nil {
		return nil, &AskError{"400", fmt.Errorf("the request is not JSON like {\"id\"}: %w", err)}
	}
	return named, p.Cancel(ctx, named.ID)
}
