package pipeline

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"wolkpipe/pipeline/erase"
	"wolkpipe/pipeline/extract"
	"wolkpipe/pipeline/journal"
	"wolkpipe/pipeline/transform"
	"wolkpipe/schemas"
	"wolkpipe/sinks"
)

// Erasure is what forgetting an agent came to.
type Erasure struct {
	Operations []ErasedOperation `json:"operations"`
	Sinks      []ErasedSink      `json:"sinks"`

	// Behind are the durable consumers of the events that had not read the
	// agent's retraction when the events that name the agent were destroyed.
	// What they are for may know the agent still.
	Behind []string `json:"consumers_behind"`
}

// ErasedOperation is what was done to an operation's record.
type ErasedOperation struct {
	Operation string `json:"operation"`
	Windows   int    `json:"windows"` // of the journal that named the agent
	Days      int    `json:"days"`
	Again     bool   `json:"again"` // the agent was erased before: what was left to do was done
}

// ErasedSink is what was done to a sink's store.
type ErasedSink struct {
	Sink      string `json:"sink"`
	Windows   int    `json:"windows"`   // told or written anew
	Destroyed int    `json:"destroyed"` // messages or snapshots
}

// ErrNotNamed means that no record of any operation names the agent.
var ErrNotNamed = errors.New("no recorded row names that agent")

// Forget erases an agent from operations: from the journal, from what every
// sink holds, from the past that their stores keep, and from what the source
// will say later. The counts stay, under a name that says nothing. With look
// it only counts. Run may go on here or in other processes.
//
// It is done in steps of which each can be repeated: after an error or an end
// in between, call it again.
func (p *Pipeline) Forget(ctx context.Context, agent string, operations []string, look bool, tell func(what string, done, total int)) (Erasure, error) {
	result := Erasure{Operations: []ErasedOperation{}, Sinks: []ErasedSink{}, Behind: []string{}}
	name := transform.Text(agent)
	switch {
	case name == "":
		return result, errors.New("the agent's name is empty")
	case strings.HasPrefix(name, erase.Standing):
		return result, fmt.Errorf("%q stands for a name that is erased already", name)
	}
	days := map[string][]journal.Key{}
	for _, operation := range operations {
		again := p.erased.Has(operation, name)
		found, err := p.named(ctx, operation, name, again, tell)
		if err != nil {
			return result, err
		}
		if len(found.days) == 0 && !again {
			continue
		}
		result.Operations = append(result.Operations, ErasedOperation{Operation: operation, Windows: found.windows, Days: len(found.days), Again: again})
		if days[operation] = found.days; again { // the sinks may still have what the journal lost
			if days[operation], err = p.journal.Days(ctx, operation); err != nil {
				return result, err
			}
		}
	}
	if len(result.Operations) == 0 {
		return result, ErrNotNamed
	}
	if look {
		return result, nil
	}
	for _, of := range result.Operations {
		if err := p.erased.Add(ctx, of.Operation, name); err != nil {
			return result, err
		}
	}
	for _, w := range p.workers {
		result.Sinks = append(result.Sinks, ErasedSink{Sink: w.name})
	}
	for { // another process that did not know yet may have recorded the name meanwhile
		late := map[string][]journal.Key{}
		for operation, of := range days {
			if err := p.rewrite(ctx, operation, of, tell); err != nil {
				return result, err
			}
		}
		if err := p.forgetSinks(ctx, name, days, &result, tell); err != nil {
			return result, err
		}
		for operation := range days {
			found, err := p.named(ctx, operation, name, true, func(string, int, int) {})
			if err != nil {
				return result, err
			}
			if !p.erased.Has(operation, name) {
				return result, errors.New("the list of erased agents was changed meanwhile")
			}
			if len(found.days) > 0 {
				late[operation] = found.days
			}
		}
		if days = late; len(days) == 0 {
			return result, nil
		}
		if err := (extract.System{}).Sleep(ctx, time.Second); err != nil {
			return result, err
		}
	}
}

// naming is where the journal names an agent.
type naming struct {
	windows int
	days    []journal.Key
}

// named looks for an agent in the journal. Once it is erased, days count too of
// which something cannot be read: an interrupted rewriting may have left it.
func (p *Pipeline) named(ctx context.Context, operation, name string, erased bool, tell func(string, int, int)) (found naming, err error) {
	days, err := p.journal.Days(ctx, operation)
	if err != nil {
		return found, err
	}
	match := func(o journal.Observation) (journal.Observation, bool) { return o, erase.Named(o.Rows, name) }
	for i, key := range days {
		f, err := p.journal.Count(ctx, key, match)
		if err != nil {
			return found, err
		}
		if found.windows += f.Now; f.Now+f.Before > 0 || erased && f.Any() {
			found.days = append(found.days, key)
		}
		tell("looking through "+operation, i+1, len(days))
	}
	return found, nil
}

// rewrite takes erased agents out of an operation's days of the journal.
func (p *Pipeline) rewrite(ctx context.Context, operation string, days []journal.Key, tell func(string, int, int)) error {
	change := func(o journal.Observation) (journal.Observation, bool) {
		return extract.Forgotten(p.erased, operation, o)
	}
	for i, key := range days {
		if _, err := p.journal.Rewrite(ctx, key, change); err != nil {
			return err
		}
		tell("rewriting the journal of "+operation, i+1, len(days))
	}
	return nil
}

// forgetSinks makes the sinks hold what the journal then says of days, and
// destroys what they keep of before.
func (p *Pipeline) forgetSinks(ctx context.Context, name string, days map[string][]journal.Key, result *Erasure, tell func(string, int, int)) error {
	var keys []sinks.Key
	for _, of := range days {
		for _, key := range of {
			keys = append(keys, sinks.Key{Operation: key.Operation, Day: key.Day.String()})
		}
	}
	for i, w := range p.workers {
		change, err := w.convergeAll(ctx, keys, func(done int) { tell("erasing from "+w.name, done, len(keys)) })
		result.Sinks[i].Windows += change.Windows
		if err != nil {
			return err
		}
	}
	var err error
	if result.Behind, err = p.readBy(ctx); err != nil {
		return err
	}
	names := []string{name, transform.HashAgent(name, p.o.AgentKey)} // agent_names may have been another before
	for i, w := range p.workers {
		f, ok := w.sink.(sinks.Forgetter)
		if !ok {
			continue
		}
		for operation := range days {
			gone, err := f.Forget(ctx, sinks.Past{
				Operation: operation,
				Agent:     func(agent string) bool { return slices.Contains(names, agent) },
				Raw:       func(row []byte) bool { return erase.Named([]json.RawMessage{row}, name) },
			})
			result.Sinks[i].Destroyed += gone
			if err != nil {
				return fmt.Errorf("sink %s: %w", w.name, err)
			}
		}
		tell("destroying what "+w.name+" kept", 1, 1)
	}
	return nil
}

// readTime is how long consumers are waited for, to read that an agent's rows
// are gone before the events that say so go themselves.
const readTime = 10 * time.Second

// readBy waits until durable consumers of the events have read them all, and
// names those that have not.
func (p *Pipeline) readBy(ctx context.Context) (behind []string, err error) {
	for begin := time.Now(); ; {
		behind = []string{}
		stream, err := p.js.Stream(ctx, schemas.EventsStream)
		if err != nil {
			return behind, fmt.Errorf("looking for consumers of stream %s: %w", schemas.EventsStream, err)
		}
		consumers := stream.ListConsumers(ctx)
		for info := range consumers.Info() {
			if info.Config.Durable != "" && info.NumPending+uint64(max(info.NumAckPending, 0)) > 0 {
				behind = append(behind, info.Name)
			}
		}
		if err := consumers.Err(); err != nil && !errors.Is(err, jetstream.ErrEndOfData) {
			return behind, fmt.Errorf("listing the consumers of stream %s: %w", schemas.EventsStream, err)
		}
		if slices.Sort(behind); len(behind) == 0 || time.Since(begin) > readTime {
			return behind, nil
		}
		if err := (extract.System{}).Sleep(ctx, 200*time.Millisecond); err != nil {
			return behind, err
		}
	}
}
