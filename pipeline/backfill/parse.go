package backfill

import (
	"fmt"
	"time"

	"wolkpipe/pipeline/window"
)

// Operation is what a request's words are read by.
type Operation struct {
	Name string
	Zone window.Zone
	Grid window.Grid
}

// Ask is a request in words, as it is asked for: JSON of the control service.
type Ask struct {
	Operation string `json:"operation"`
	From      string `json:"from"`             // 2006-01-02
	To        string `json:"to"`               // the last day, included
	Window    string `json:"window,omitempty"` // a duration: of days that have no windows yet
}

// Request reads what is asked for. The error says what is wrong with it, and
// nothing has been asked of a source by then.
func (a Ask) Request(op Operation, now time.Time) (r Request, err error) {
	r.Operation = op.Name
	if r.From, err = window.ParseDate(a.From); err != nil {
		return r, fmt.Errorf("from: %w", err)
	}
	if r.To, err = window.ParseDate(a.To); err != nil {
		return r, fmt.Errorf("to: %w", err)
	}
	if a.Window != "" {
		d, err := time.ParseDuration(a.Window)
		if err != nil {
			return r, fmt.Errorf("window: %q is not a duration such as 5m or 1h", a.Window)
		}
		if r.Grid, err = window.NewGrid(d); err != nil {
			return r, err
		}
		if r.Grid == op.Grid {
			r.Grid = 0 // asked for in other words
		}
	}
	return r, Check(r.From, r.To, op.Zone.Local(now).Date())
}
