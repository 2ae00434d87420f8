package iceberg

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"wolkpipe/schemas"
	"wolkpipe/sinks"
	"wolkpipe/sinks/sinktest/servers"
)

// clickHouse runs statements in ClickHouse, which reads below dir alone, and
// gives the rows of each.
func clickHouse(t *testing.T, dir string, statements ...string) (all [][][]any) {
	t.Helper()
	if platform := runtime.GOOS + "/" + runtime.GOARCH; platform != "linux/amd64" {
		t.Skipf("ClickHouse's library is pinned for linux/amd64, and this is %s", platform)
	}
	node, err := exec.LookPath("node")
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	const folder = "../../schemas/sql/testdata/clickhouse"
	in, err := json.Marshal(statements)
	if err != nil {
		t.Fatal(err)
	}
	script, err := filepath.Abs(folder + "/run.mjs")
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), node, script, servers.NPM(t, folder))
	cmd.Dir = dir
	var complaint bytes.Buffer
	cmd.Stdin, cmd.Stderr = bytes.NewReader(in), &complaint
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, complaint.String())
	}
	var answers []struct{ Text, Error string }
	if err := json.Unmarshal(out, &answers); err != nil {
		t.Fatal(err)
	}
	for i, a := range answers {
		if a.Error != "" {
			t.Fatalf("%s: %s", statements[i], a.Error)
		}
		var rows [][]any
		for line := range strings.Lines(a.Text) {
			var row []any
			if err := json.Unmarshal([]byte(line), &row); err != nil {
				t.Fatal(err)
			}
			rows = append(rows, row)
		}
		all = append(all, rows[min(2, len(rows)):]) // after names and types
	}
	return all
}

// TestClickHouse: a reader that shares no code with the sink, nor with the
// library that it writes metadata with, finds the tables and the files of their
// snapshots by itself, before and after days were replaced and maintained.
func TestClickHouse(t *testing.T) {
	at := sqliteLake(t)
	at.options.KeepSnapshots, at.options.KeepLast = 1, 2
	s := at.open(t)
	days := map[string]*sinks.Day{}
	hold := func(n int, version int64) {
		day := dayOf(n, 3, version)
		mustCommit(t, s, day)
		days[day.Day] = day
	}
	read := func() {
		t.Helper()
		answers := clickHouse(t, strings.TrimPrefix(at.options.Warehouse, "file://"),
			"SET session_timezone = 'UTC'",
			"SELECT toString(day), toString(window_local), agent_name, cod_act, toString(interactions) FROM icebergLocal('wolkpipe/chat_7') WHERE operation = 'ventas' ORDER BY ALL",
			"SELECT toString(day), count(), sum(interactions), sum(row_count) FROM icebergLocal('wolkpipe/chat_7_windows') GROUP BY day ORDER BY day")
		var rows, lines []string
		for _, name := range sorted(days) {
			var windows, interactions, count int64
			for _, w := range days[name].Windows {
				for _, r := range w.Rows {
					rows = append(rows, fmt.Sprint(name, " ", strings.Replace(w.Local, "T", " ", 1), ".000000 ", r.Agent, " ", r.Code, " ", r.Interactions))
				}
				windows, interactions, count = windows+1, interactions+w.Interactions(), count+int64(len(w.Rows))
			}
			lines = append(lines, fmt.Sprint(name, " ", windows, " ", interactions, " ", count))
		}
		slices.Sort(rows)
		if got := joined(answers[1]); !slices.Equal(got, rows) {
			t.Errorf("ClickHouse reads the rows\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(rows, "\n"))
		}
		if got := joined(answers[2]); !slices.Equal(got, lines) {
			t.Errorf("ClickHouse reads of the windows %q, want %q", got, lines)
		}
	}
	for n := range 3 {
		hold(n, 1)
	}
	read()
	hold(1, 2)
	hold(2, 3)
	if err := s.Maintain(t.Context()); err != nil {
		t.Fatal(err)
	}
	gone := dayOf(0, 3, 5)
	for i := range gone.Windows { // all rows of a day vanish
		gone.Windows[i].Rows, gone.Windows[i].Method = nil, schemas.Empty
	}
	mustCommit(t, s, gone)
	days[gone.Day] = gone
	read()
}

func sorted(days map[string]*sinks.Day) []string {
	var names []string
	for name := range days {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

func joined(rows [][]any) []string {
	var all []string
	for _, row := range rows {
		all = append(all, strings.TrimSuffix(fmt.Sprintln(row...), "\n"))
	}
	return all
}
