package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/spf13/cobra"

	"wolkpipe/cmd/wolkpipe/config"
	"wolkpipe/schemas"
)

type tailOptions struct {
	operation, agent, since string
	code                    string
	withCode                bool // --code was given, "" included
}

func newTailCommand() *cobra.Command {
	var o tailOptions
	cmd := &cobra.Command{
		Use:   "tail -c FILE",
		Short: "Show events as they come",
		Long: "Show events as they come: a table of row events on a terminal, every event as a\n" +
			"line of JSON in a pipe. With --since, those that are stored come first.\n" +
			"Where no daemon runs, the stored events are shown, all of them without --since,\n" +
			"and the command ends.",
		Example: "  wolkpipe tail -c wolkpipe.yaml --operation ventas --since 2h\n" +
			"  wolkpipe tail -c wolkpipe.yaml --code TIMEOUTCHAT | jq .data.delta",
		RunE: func(cmd *cobra.Command, _ []string) error {
			o.withCode = cmd.Flags().Changed("code")
			return tail(cmd, o)
		},
	}
	configFlag(cmd)
	cmd.Flags().StringVar(&o.operation, "operation", "", "only events of operation `NAME`")
	cmd.Flags().StringVar(&o.code, "code", "", "only row events with code `CODE`")
	cmd.Flags().StringVar(&o.agent, "agent", "", "only row events of agent `NAME`")
	cmd.Flags().StringVar(&o.since, "since", "", "begin with events stored since a `TIME` (2006-01-02, RFC 3339) or for a time (2h)")
	return cmd
}

func tail(cmd *cobra.Command, o tailOptions) error {
	c, err := loadConfig(cmd)
	if err != nil {
		return err
	}
	if err := o.check(c); err != nil {
		return err
	}
	in, running, err := attach(cmd.Context(), c, newLogger(c))
	if err != nil {
		return err
	}
	defer in.Close()
	consumer, err := o.consumer(cmd.Context(), in.js, !running)
	if err != nil {
		return err
	}
	if !slices.ContainsFunc(c.Sinks, func(s config.Sink) bool { return s.Kind == config.EventsSink }) {
		_, _ = fmt.Fprintln(cmd.ErrOrStderr(), "No sink of kind events is configured: nothing new will come.")
	}
	if !running {
		_, _ = fmt.Fprintln(cmd.ErrOrStderr(), "No daemon runs: these are the events that are stored.")
	}
	show := showJSON(cmd.OutOrStdout())
	if isTerminal(cmd.OutOrStdout()) {
		show = showTable(cmd.OutOrStdout())
	}
	return follow(cmd.Context(), consumer, !running, func(data []byte) error {
		if !o.wants(data) {
			return nil
		}
		return show(data)
	})
}

// check refuses wrong usage before anything is opened.
func (o tailOptions) check(c *config.Config) error {
	if o.since != "" {
		if _, err := parseSince(o.since, time.Now()); err != nil {
			return err
		}
	}
	if o.operation == "" {
		return nil
	}
	return knownOperation(c, o.operation)
}

// consumer reads the events that o asks for, from where it asks: by itself
// from now on, or all that are stored.
func (o tailOptions) consumer(ctx context.Context, js jetstream.JetStream, stored bool) (jetstream.Consumer, error) {
	stream, err := js.Stream(ctx, schemas.EventsStream)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		return nil, errors.New("there are no events yet: start `wolkpipe run` first")
	}
	if err != nil {
		return nil, fmt.Errorf("reading events: %w", err)
	}
	cfg := jetstream.OrderedConsumerConfig{FilterSubjects: []string{o.subject()}}
	switch {
	case o.since != "":
		at, err := parseSince(o.since, time.Now())
		if err != nil {
			return nil, err
		}
		cfg.DeliverPolicy, cfg.OptStartTime = jetstream.DeliverByStartTimePolicy, &at
	case stored:
		cfg.DeliverPolicy = jetstream.DeliverAllPolicy
	default:
		// Not the policy "new": a consumer that is replaced before its first
		// message would begin anew at the end, and miss what came meanwhile.
		cfg.DeliverPolicy, cfg.OptStartSeq = jetstream.DeliverByStartSequencePolicy, stream.CachedInfo().State.LastSeq+1
	}
	consumer, err := stream.OrderedConsumer(ctx, cfg)
	if err != nil {
		return nil, fmt.Errorf("reading events: %w", err)
	}
	return consumer, nil
}

// subject is the filter that o's options come to.
func (o tailOptions) subject() string {
	operation := o.operation
	if operation == "" {
		operation = "*"
	}
	switch {
	case o.withCode:
		return "chat7.events." + operation + ".row." + schemas.EncodeCode(o.code)
	case o.agent != "":
		return "chat7.events." + operation + ".row.*"
	}
	return "chat7.events." + operation + ".>"
}

// parseSince reads a duration before now, a day or an instant.
func parseSince(text string, now time.Time) (time.Time, error) {
	if d, err := time.ParseDuration(text); err == nil && d > 0 {
		return now.Add(-d), nil
	}
	for _, layout := range []string{time.RFC3339, time.DateOnly} {
		if at, err := time.ParseInLocation(layout, text, time.Local); err == nil {
			return at, nil
		}
	}
	return time.Time{}, usagef("--since %q is not a time: use 2h, 2006-01-02 or 2006-01-02T15:04:05Z", text)
}

func (o tailOptions) wants(data []byte) bool {
	if o.agent == "" {
		return true
	}
	var e schemas.Event[schemas.RowData]
	return json.Unmarshal(data, &e) == nil && e.Data.Agent == o.agent
}

// stallLimit is how long stored events may keep a reader waiting.
const stallLimit = 30 * time.Second

// follow hands every event to show, until ctx ends, which is no error. With
// stored it ends when all that is stored has been shown; there, an end of ctx
// before that is an error, and so are events that do not come for stallLimit.
func follow(ctx context.Context, consumer jetstream.Consumer, stored bool, show func([]byte) error) error {
	if stored && consumer.CachedInfo().NumPending == 0 {
		return nil
	}
	messages, err := consumer.Messages()
	if err != nil {
		return fmt.Errorf("reading events: %w", err)
	}
	reading, stop := context.WithCancel(ctx)
	defer stop()
	arrivals, failed := make(chan jetstream.Msg), make(chan error, 1)
	// By itself, because Next heeds no context while NATS is away.
	go func() {
		defer messages.Stop()
		for {
			msg, err := messages.Next(jetstream.NextContext(reading))
			if err != nil {
				failed <- err
				return
			}
			select {
			case arrivals <- msg:
			case <-reading.Done():
				return
			}
		}
	}()
	var stalled <-chan time.Time
	for {
		if stored {
			stalled = time.After(stallLimit)
		}
		select {
		case msg := <-arrivals:
			if err := show(msg.Data()); err != nil {
				return err
			}
			if !stored {
				continue
			}
			about, err := msg.Metadata()
			if err != nil {
				return fmt.Errorf("reading an event's place in the stream: %w", err)
			}
			if about.NumPending == 0 {
				return nil
			}
		case err := <-failed:
			if ctx.Err() == nil {
				return fmt.Errorf("reading events: %w", err)
			}
			return ended(ctx, stored)
		case <-stalled:
			return fmt.Errorf("reading events: none has come for %s, but not all that are stored have been read: is NATS overloaded or away?", stallLimit)
		case <-ctx.Done():
			return ended(ctx, stored)
		}
	}
}

// ended is what an end of ctx means to who follows events.
func ended(ctx context.Context, stored bool) error {
	if stored {
		return fmt.Errorf("reading events: %w", context.Cause(ctx))
	}
	return nil
}

func showJSON(w io.Writer) func([]byte) error {
	return func(data []byte) error {
		var line bytes.Buffer
		if err := json.Compact(&line, data); err != nil {
			return nil // not an event: whoever wrote it, nothing here can read it
		}
		line.WriteByte('\n')
		_, err := w.Write(line.Bytes())
		return err
	}
}

func showTable(w io.Writer) func([]byte) error {
	const layout = "%-10s  %-19s  %-28s  %-18s  %6s  %6d  %s\n"
	_, _ = fmt.Fprintf(w, "%-10s  %-19s  %-28s  %-18s  %6s  %6s  %s\n", "OPERATION", "WINDOW", "AGENT", "CODE", "DELTA", "NOW", "CAUSE")
	return func(data []byte) error {
		var e schemas.Event[schemas.RowData]
		if json.Unmarshal(data, &e) != nil || e.Type != schemas.TypeRow {
			return nil
		}
		d := e.Data
		_, err := fmt.Fprintf(w, layout, clip(d.Operation, 63), clip(d.WindowLocal, 19), clip(d.Agent, 28), clip(d.Code, 18),
			fmt.Sprintf("%+d", d.Delta), d.Interactions, clip(string(d.Cause), 18))
		return err
	}
}

// clip cuts text to n characters, and shows nothing as a dash. Whoever may
// publish on the stream may write any text: what would steer a terminal, or
// turn the order of a line, is shown as a character that stands for none.
func clip(text string, n int) string {
	text = strings.Map(seen, text)
	runes := []rune(text)
	switch {
	case len(runes) == 0:
		return "-"
	case len(runes) > n:
		return string(runes[:n-1]) + "…"
	}
	return text
}

func seen(r rune) rune {
	if unicode.IsPrint(r) {
		return r
	}
	return unicode.ReplacementChar
}
