package main

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"wolkpipe/pipeline"
	"wolkpipe/pipeline/chat7/chat7sim"
	"wolkpipe/pipeline/journal"
	"wolkpipe/pipeline/window"
	"wolkpipe/schemas"
)

// TestClusterLoad measures three replicas on a cluster with 200 operations in
// windows of a minute, on the real clock, and checks what they hold. It takes
// many minutes: only with WOLKPIPE_LONG=1. WOLKPIPE_TEST_OPERATIONS and
// WOLKPIPE_TEST_MINUTES are other numbers.
func TestClusterLoad(t *testing.T) {
	if !long() {
		t.Skip("a measurement of many minutes: set WOLKPIPE_LONG=1")
	}
	count, minutes := number(t, "WOLKPIPE_TEST_OPERATIONS", 200), number(t, "WOLKPIPE_TEST_MINUTES", 4)
	// A zone in which the day is young: there is little to catch up on.
	hour := time.Now().UTC().Hour()
	zone := fmt.Sprintf("Etc/GMT+%d", hour)
	if hour > 12 {
		zone = fmt.Sprintf("Etc/GMT-%d", 24-hour)
	}
	var operations []chat7sim.Operation
	for i := range count {
		name := fmt.Sprintf("op%03d", i)
		operations = append(operations, chat7sim.Operation{
			Name: name, Tokens: []string{"sim-" + name}, Timezone: zone, Licences: 10, Steady: true, InteractionsPerDay: 500, Agents: 6, Seed: i,
		})
	}
	s := newSite(t, chat7sim.Options{Seed: 1, Scenario: chat7sim.Scenario{
		Operations: operations, Faults: chat7sim.Faults{Latency: chat7sim.Latency{Base: 100 * time.Millisecond, Random: 200 * time.Millisecond}},
	}})
	cluster := startCluster(t, "")
	s.nats = cluster.url()
	loaded, err := window.LoadZone(zone)
	if err != nil {
		t.Fatal(err)
	}
	day := loaded.Local(time.Now()).Date()
	var procs []*process
	for i := range 3 {
		s.configure(day.String(), "1m", fmt.Sprintf("nats: {url: %q, replicas: 3}", s.nats), "status: {listen: \"127.0.0.1:0\"}", fmt.Sprint("data: data-", i),
			fmt.Sprintf("sinks: [{name: events, kind: events}, {name: lake, kind: parquet, bucket: %q}]", "file://"+s.path("data", "lake")))
		name := fmt.Sprintf("replica-%d.yaml", i)
		s.write(name, s.text("wolkpipe.yaml"))
		procs = append(procs, s.start("run", "-c", name))
	}
	begin := time.Now()
	for s.status(procs[0], func(s pipeline.Status) bool { return s.Running }); ; time.Sleep(2 * time.Second) {
		missing := 0
		for _, o := range s.status(procs[0], func(s pipeline.Status) bool { return s.Running }).Operations {
			missing += o.Missing
		}
		if missing <= int(count) || time.Since(begin) > 10*time.Minute {
			t.Logf("caught up on the day but %d windows within %s", missing, time.Since(begin).Round(time.Second))
			break
		}
	}
	from, calls, before := time.Now(), s.calls(), usages(t, procs)
	time.Sleep(time.Duration(minutes) * time.Minute)
	took, made, after := time.Since(from), s.calls()-calls, usages(t, procs)
	for i := range procs {
		t.Logf("replica %d: %.0f MB resident, %.1f %% of a core", i, after[i].memory/1e6, 100*(after[i].cpu-before[i].cpu)/took.Seconds())
	}

	for _, p := range procs {
		p.signal(syscall.SIGTERM)
	}
	for _, p := range procs {
		p.exits(0)
	}
	p := s.start() // takes up what a drain under load leaves
	last := s.status(p, complete)
	p.signal(syscall.SIGTERM)
	p.exits(0)

	j, err := journal.Open(t.Context(), cluster.js)
	if err != nil {
		t.Fatal(err)
	}
	var lags []time.Duration
	late := 0
	for _, op := range operations {
		folded, err := j.Day(t.Context(), journal.Key{Operation: op.Name, Day: day})
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range folded.Windows {
			w, ok := loaded.Window(folded.Grid.At(o.Local))
			due := w.End.Add(time.Minute) // the default delay
			if !ok || due.Before(from) || due.After(from.Add(took-time.Minute)) {
				continue
			}
			lags = append(lags, o.ObservedAt.Sub(due))
			if o.Cause != schemas.Live || o.ObservedAt.Sub(due) > time.Minute {
				late++
			}
		}
	}
	slices.Sort(lags)
	if len(lags) == 0 {
		t.Fatal("no window became due")
	}
	t.Logf("%d operations, %s: %d calls, %d windows due, recorded after they were due: p50 %s, p99 %s, most %s; %d late by more than a window",
		count, took.Round(time.Second), made, len(lags), lags[len(lags)/2].Round(time.Millisecond), lags[len(lags)*99/100].Round(time.Millisecond),
		lags[len(lags)-1].Round(time.Millisecond), late)
	s.check(day.String(), time.Minute, last)
	s.checkOverlaps()
}

type usage struct{ memory, cpu float64 }

// usages are what processes take, by their own metrics.
func usages(t *testing.T, procs []*process) (all []usage) {
	t.Helper()
	for _, p := range procs {
		text := get(t, pageURL(t, p)+"/metrics")
		value := func(metric string) float64 {
			found := regexp.MustCompile(`(?m)^` + metric + ` (\S+)$`).FindStringSubmatch(text)
			if found == nil {
				t.Fatalf("no metric %s in %s", metric, strings.TrimSpace(lastOf(text, 500)))
			}
			n, err := strconv.ParseFloat(found[1], 64)
			if err != nil {
				t.Fatal(err)
			}
			return n
		}
		all = append(all, usage{value("process_resident_memory_bytes"), value("process_cpu_seconds_total")})
	}
	return all
}
