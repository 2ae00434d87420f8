package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"wolkpipe/pipeline/chat7/chat7sim"
)

// runDoctor runs the command by itself; it gives what was printed.
func runDoctor(t *testing.T, args ...string) (string, error) {
	t.Helper()
	root := &cobra.Command{Use: "wolkpipe", SilenceErrors: true, SilenceUsage: true}
	root.AddCommand(newDoctorCommand())
	var out bytes.Buffer
	root.SetOut(&out)
	root.SetErr(&out)
	root.SetArgs(append([]string{"doctor"}, args...))
	err := root.ExecuteContext(t.Context())
	return out.String(), err
}

// doctorConfig writes a configuration of the operations ventas, whose end is
// exclusive, and soporte, against a simulator.
func doctorConfig(t *testing.T) string {
	t.Helper()
	ops := chat7sim.DefaultOperations()
	ops[0].Faults = &chat7sim.Faults{ExclusiveEnd: true}
	ops[1].Faults = &chat7sim.Faults{Shared: 0.2}
	sim, err := chat7sim.New(chat7sim.Options{Scenario: chat7sim.Scenario{Operations: ops}, Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(sim)
	t.Cleanup(server.Close)
	var text strings.Builder
	text.WriteString("operations:\n")
	for _, op := range ops {
		t.Setenv("DOCTOR_"+strings.ToUpper(op.Name), op.Tokens[0])
		fmt.Fprintf(&text, "  - {name: %s, url: %q, token: env:DOCTOR_%s, timezone: %s}\n", op.Name, server.URL, strings.ToUpper(op.Name), op.Timezone)
	}
	path := filepath.Join(t.TempDir(), "wolkpipe.yaml")
	if err := os.WriteFile(path, []byte(text.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestDoctor(t *testing.T) {
	path := doctorConfig(t)
	out, err := runDoctor(t, "-c", path)
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	ventas, soporte, _ := strings.Cut(out, "soporte\n")
	for _, line := range []string{
		"token +ok", `quota +1000 a day, \d+ used`, `clock +[+-]0\.\d s against this machine's`, `answers take +\d+\.\d s \(p50\), \d+\.\d s \(max\)`,
		`examined +20\d\d-\d\d-\d\d, \d+ interactions`, `calls made +\d+`,
	} {
		for _, report := range []string{ventas, soporte} {
			if !regexp.MustCompile(`(?m)^  ` + line + `$`).MatchString(report) {
				t.Errorf("no line %q in\n%s", line, report)
			}
		}
	}
	for line, report := range map[string]string{
		"date_end +exclusive": ventas, `counts +add up over \d+ cuts`: ventas,
		"date_end +inclusive": soporte, `counts +do not add up over \d+ cuts`: soporte, "note +.* no window is derived.*": soporte,
	} {
		if !regexp.MustCompile(`(?m)^  ` + line + `$`).MatchString(report) {
			t.Errorf("no line %q in\n%s", line, report)
		}
	}
}

// TestDoctorKeeps: what was found out stands through an examination that finds
// out less, and a void token is told with its mend.
func TestDoctorKeeps(t *testing.T) {
	path := doctorConfig(t)
	ask := func() (all []examined) {
		t.Helper()
		out, err := runDoctor(t, "-c", path, "--operation", "ventas", "--json")
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		if err := json.Unmarshal([]byte(out), &all); err != nil || len(all) != 1 || all[0].Operation != "ventas" {
			t.Fatalf("%v: %s", err, out)
		}
		return all
	}
	if f := ask()[0].Finding; f.ExclusiveEnd == nil || !*f.ExclusiveEnd || f.Additive == nil || !*f.Additive {
		t.Errorf("first: %+v", f)
	}
	// Time and again, until the quota allows no more than a few calls.
	var calls int
	for calls = 60; calls > 30; {
		f := ask()[0].Finding
		if calls = f.Calls; f.ExclusiveEnd == nil || !*f.ExclusiveEnd || f.Additive == nil || !*f.Additive {
			t.Fatalf("after an examination of %d calls: %+v", calls, f)
		}
	}

	t.Setenv("DOCTOR_VENTAS", "void")
	out, err := runDoctor(t, "-c", path, "--operation", "ventas")
	if err == nil || exitCode(err) != 1 || !strings.Contains(err.Error(), "operation ventas: ") || !strings.Contains(out, "cannot work  token_info: bad token") {
		t.Errorf("error %v:\n%s", err, out)
	}
}

func TestDoctorUsage(t *testing.T) {
	if _, err := runDoctor(t, "-c", doctorConfig(t), "--operation", "vantas"); err == nil || exitCode(err) != 2 {
		t.Errorf("an operation that is not there: %v", err)
	}
}
