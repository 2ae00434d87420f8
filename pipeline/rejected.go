package pipeline

import (
	"context"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"wolkpipe/pipeline/window"
	"wolkpipe/schemas"
)

// rejected counts the messages in quarantine, of all operations' days in one
// request, now and then. While NATS is away it tells what it knew.
type rejected struct {
	js jetstream.JetStream

	mu    sync.Mutex
	asked time.Time
	days  map[string]map[window.Date]int // by operation; nil: never answered
}

const (
	rejectedAge  = time.Second
	rejectedTime = time.Second
)

// of gives an operation's, earlier revisions included; the result is shared and
// not to be changed.
func (r *rejected) of(ctx context.Context, operation string) (days map[window.Date]int, known bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if time.Since(r.asked) >= rejectedAge {
		r.ask(ctx)
		r.asked = time.Now()
	}
	return r.days[operation], r.days != nil
}

func (r *rejected) ask(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, rejectedTime)
	defer cancel()
	stream, err := r.js.Stream(ctx, schemas.QuarantineStream)
	if err != nil {
		return
	}
	info, err := stream.Info(ctx, jetstream.WithSubjectFilter("chat7.quarantine.>"))
	if err != nil {
		return
	}
	r.days = map[string]map[window.Date]int{}
	for subject, messages := range info.State.Subjects {
		parts := strings.Split(subject, ".") // chat7.quarantine.<operation>.<yyyymmdd>
		date, err := window.ParseCompactDate(parts[len(parts)-1])
		if len(parts) != 4 || err != nil {
			continue
		}
		if r.days[parts[2]] == nil {
			r.days[parts[2]] = map[window.Date]int{}
		}
		r.days[parts[2]][date] = int(messages)
	}
}
