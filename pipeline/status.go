package pipeline

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"sync/atomic"
	"text/tabwriter"
	"time"

	"wolkpipe/pipeline/extract"
	"wolkpipe/pipeline/notice"
	"wolkpipe/schemas"
)

// Status is what an operator wants to know of a running pipeline.
type Status struct {
	Version    string            `json:"version"`
	Running    bool              `json:"running"` // false: read from the journal, no daemon runs
	Started    time.Time         `json:"started"`
	Operations []OperationStatus `json:"operations"`
	Sinks      []SinkStatus      `json:"sinks"`
	NATS       string            `json:"nats"` // state of the connection, and why nothing can be recorded
}

// OperationStatus is an operation's polling and its rejected rows.
type OperationStatus struct {
	extract.Status
	Quarantined uint64          `json:"quarantined_messages"` // in CHAT7_QUARANTINE, earlier revisions included
	Notices     []notice.Notice `json:"notices"`              // that stand: to be read once

	// Days are those of the last 366 of which there is something to tell: windows
	// that are missing or were corrected, rows in quarantine. In the order of time.
	Days []DayStatus `json:"days"`
}

// DayStatus is what there is to tell of a day.
type DayStatus struct {
	Day         string        `json:"day"`
	State       schemas.State `json:"state,omitempty"`      // empty: nothing is recorded
	Missing     int           `json:"windows_missing"`      // over, and not observed
	Corrected   int           `json:"windows_corrected"`    // their content changed after they were first recorded
	Quarantined int           `json:"quarantined_messages"` // rejected rows, earlier revisions included
}

// Status tells how the pipeline stands.
func (p *Pipeline) Status(ctx context.Context) Status {
	s := Status{Version: p.o.Version, Running: !p.o.LookOnly, Started: p.started.UTC(), NATS: p.connection()}
	for _, poller := range p.pollers {
		op := OperationStatus{Status: poller.Status()}
		op.Quarantined, op.Days = p.tellDays(ctx, poller)
		op.Notices = p.notices.Standing(op.Operation)
		s.Operations = append(s.Operations, op)
	}
	for _, w := range p.workers {
		s.Sinks = append(s.Sinks, w.status())
	}
	return s
}

// connection is the state of the connection to NATS; "connected" is the good one.
func (p *Pipeline) connection() string {
	state := strings.ToLower(p.o.NATS.Status().String())
	if err := p.o.Trouble(); err != nil {
		state += ": " + err.Error()
	}
	return state
}

// Write lays out s for a person, as aligned tables.
func (s Status) Write(w io.Writer) {
	if s.Running {
		_, _ = fmt.Fprintf(w, "wolkpipe %s, up since %s, NATS %s\n\n", s.Version, s.Started.Format(time.RFC3339), s.NATS)
	} else {
		_, _ = fmt.Fprint(w, "No daemon is running; this is what the journal holds.\n\n")
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(t, "OPERATION\tSTATE\tLAST WINDOW\tLAG\tCOVERED\tMISSING\tQUOTA LEFT\tQUARANTINE")
	for _, o := range s.Operations {
		lag, last, quota := "-", "-", "-"
		if o.LastWindow != "" {
			last = strings.Replace(o.LastWindow, "T", " ", 1)
			lag = time.Duration(o.LagSeconds * float64(time.Second)).Round(time.Second).String()
		}
		if o.QuotaLeft != nil {
			quota = fmt.Sprint(*o.QuotaLeft)
		}
		_, _ = fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%d/%d\t%d\t%s\t%d\n",
			o.Operation, o.State, last, lag, o.Due-o.Missing, o.Due, o.Missing, quota, o.Quarantined)
	}
	if len(s.Sinks) > 0 {
		_, _ = fmt.Fprintln(t, "\nSINK\tSTATE\tBACKLOG\tWINDOWS\tROWS\tWRITES\t\t")
	}
	for _, k := range s.Sinks {
		state := "running"
		if k.Error != "" {
			state = "failing"
		}
		_, _ = fmt.Fprintf(t, "%s\t%s\t%d\t%d\t%d\t%d\t\t\n", k.Name, state, k.Backlog, k.Change.Windows, k.Change.Rows, k.Change.Writes)
	}
	_ = t.Flush()
	s.writeDays(w)
	s.writeBackfills(w)
	for _, o := range s.Operations {
		if o.Error == "" {
			continue
		}
		until := ""
		if o.Until != nil {
			until = ", until " + o.Until.Format(time.RFC3339)
		}
		_, _ = fmt.Fprintf(w, "\n%s waits%s: %s\n", o.Operation, until, o.Error)
	}
	for _, k := range s.Sinks {
		if k.Error != "" {
			_, _ = fmt.Fprintf(w, "\n%s: %s\n", k.Name, k.Error)
		}
	}
	for _, o := range s.Operations {
		for _, n := range o.Notices {
			_, _ = fmt.Fprintf(w, "\n%s, since %s: %s\n", o.Operation, n.FirstAt.Format(time.RFC3339), n.Text)
		}
	}
}

// ParseStatus reads the answer of StatusSubject.
func ParseStatus(data []byte) (s Status, err error) {
	if err := json.Unmarshal(data, &s); err != nil {
		return s, fmt.Errorf("reading the status: %w", err)
	}
	return s, nil
}

// heartbeat notes that the process advances.
type heartbeat struct{ last atomic.Int64 }

const beatEvery = time.Second

func (h *heartbeat) run(ctx context.Context) {
	for ctx.Err() == nil {
		h.last.Store(time.Now().UnixNano())
		_ = extract.System{}.Sleep(ctx, beatEvery)
	}
}

// Alive is nil while the process advances, whatever the source, NATS or the
// sinks do.
func (p *Pipeline) Alive() error {
	last := time.Unix(0, p.beat.last.Load())
	if age := time.Since(last); age > 30*beatEvery {
		return fmt.Errorf("the process has not advanced for %s", age.Round(time.Second))
	}
	return nil
}

// Ready is nil when NATS is reached, the journal answers, and it can be written
// as far as is known.
func (p *Pipeline) Ready() error {
	if err := p.o.Trouble(); err != nil {
		return err
	}
	if !p.o.NATS.IsConnected() {
		return fmt.Errorf("NATS is not reached: %s", strings.ToLower(p.o.NATS.Status().String()))
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	if _, err := p.js.Stream(ctx, schemas.JournalStream); err != nil {
		return fmt.Errorf("stream %s: %w", schemas.JournalStream, err)
	}
	return nil
}
