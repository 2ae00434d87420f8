package parquet

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path"
	"slices"
	"strings"
	"testing"

	"wolkpipe/schemas"
	"wolkpipe/sinks"
	"wolkpipe/sinks/lake"
)

// writerFolder makes the test binary a writer, which TestKill kills.
const writerFolder = "WOLKPIPE_TEST_PARQUET_WRITER"

func TestMain(m *testing.M) {
	if root := os.Getenv(writerFolder); root != "" {
		fmt.Fprintln(os.Stderr, writeForEver(root))
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// killDay is what three days hold at a step: a few windows, each changed by
// every step.
func killDay(n, step int) *sinks.Day {
	d := day()
	d.Key.Day = fmt.Sprintf("2026-11-%02d", n+1)
	for i := range 40 {
		w := win(n*288+i, step)
		w.Method = schemas.Direct
		for c := range 25 {
			w.Rows = append(w.Rows, row("Ana", fmt.Sprintf("%03d", c), int64(step)))
		}
		d.Windows = append(d.Windows, w)
	}
	return d
}

const killDays, killRounds = 3, 24

func writeForEver(root string) error {
	ctx := context.Background()
	s, err := Open(ctx, Options{Bucket: "file://" + root})
	if err != nil {
		return err
	}
	step := 0
	for n := range killDays { // after what the last writer left
		lines, err := s.Coverage(ctx, killDay(n, 0).Key)
		if err != nil {
			return err
		}
		for _, l := range lines {
			step = max(step, int(l.Interactions)/25)
		}
	}
	for {
		step++
		for n := range killDays {
			if _, err := offer(ctx, s, killDay(n, step)); err != nil && !errors.Is(err, sinks.ErrConflict) {
				return err
			}
			fmt.Println(n, step)
		}
	}
}

func isObject(name string) bool { return strings.HasSuffix(name, ".parquet") }

// TestKill kills writers after ever more commits, at whatever they are doing
// then. The folder must hold whole objects and at most one temporary file, also
// under a second writer's writes, and be mended by the next writer.
func TestKill(t *testing.T) {
	root := t.TempDir()
	temps, last := 0, 0
	for round := range killRounds {
		writer := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^$")
		writer.Env = append(os.Environ(), writerFolder+"="+root)
		out, err := writer.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		writer.Stderr = os.Stderr
		if err := writer.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(out)
		for range 1 + round%5 {
			if !lines.Scan() {
				t.Fatal("the writer stopped by itself")
			}
		}
		var n int
		if _, err := fmt.Sscan(lines.Text(), &n, &last); err != nil {
			t.Fatal(err)
		}
		// A little later each time, by work and not by the clock, so that the
		// kill meets every part of a commit.
		burn(round * 97 % 60)
		if err := writer.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = writer.Wait() // killed

		var other []string
		for _, name := range files(t, root) {
			if !isObject(name) && name != lockName && name != probeName {
				other = append(other, name)
			}
		}
		temps += len(other)
		if len(other) > 1 || len(other) == 1 && path.Base(other[0]) != tempName {
			t.Fatalf("round %d left %q", round, other)
		}
		checkKilled(t, root, n, last)
	}
	t.Logf("%d of %d kills left a temporary file", temps, killRounds)

	s, err := Open(t.Context(), Options{Bucket: "file://" + root})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	for n := range killDays {
		d := killDay(n, last+10)
		if _, err := offer(t.Context(), s, d); err != nil {
			t.Fatal(err)
		}
		wantState(t, s, d)
		if left := slices.DeleteFunc(files(t, root), isObject); !slices.Equal(left, []string{probeName, lockName}) {
			t.Fatalf("after the next write there are %q", left)
		}
	}
}

// checkKilled reads all days: what the writer told of day n is there, or what
// followed it.
func checkKilled(t *testing.T, root string, n, step int) {
	t.Helper()
	s, err := newDirStore(root)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.close() }()
	lake := newSink(s, nil)
	for d := range killDays {
		key := killDay(d, 0).Key
		rows, err := lake.Rows(t.Context(), key)
		if err != nil {
			t.Fatal(err)
		}
		lines, err := lake.Coverage(t.Context(), key)
		if err != nil {
			t.Fatal(err)
		}
		for i, r := range rows {
			if r.Interactions != rows[0].Interactions || len(rows) != 1000 {
				t.Fatalf("of %d rows, the %dth is %+v, the first %+v", len(rows), i, r, rows[0])
			}
		}
		if d == n && (len(rows) == 0 || rows[0].Interactions < int64(step) || len(lines) != 40 || lines[0].Interactions < int64(25*step)) {
			t.Fatalf("%s: what was acknowledged of step %d is gone: %d rows, %d lines", key, step, len(rows), len(lines))
		}
	}
}

// burn spends a moment on n encodings of a small day.
func burn(n int) {
	want, err := lake.Project(killDay(0, 1))
	if err != nil {
		panic(err)
	}
	for range n {
		if _, err := lake.Rows.Encode(want[0].Rows); err != nil {
			panic(err)
		}
	}
}
