package main

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"wolkpipe/pipeline/chat7/chat7sim"
)

// TestVerify runs verify and resync as a user would: on what is right, after
// losses, beside a daemon, with a bad token and with wrong input.
func TestVerify(t *testing.T) {
	t.Parallel()
	s := newSite(t, chat7sim.Options{Seed: 8, Scenario: chat7sim.Scenario{
		Operations: []chat7sim.Operation{{Name: "ventas", Timezone: "America/Bogota", InteractionsPerDay: 200, Weekends: true, Licences: 5}},
	}})
	s.configure(yesterday(), "15m")
	day := func(ago int) string { return time.Now().UTC().AddDate(0, 0, -ago).Format(time.DateOnly) }
	from, to := day(6), day(4)
	days := []string{"-c", "wolkpipe.yaml", "--operation", "ventas", "--from", from, "--to", to}
	want := func(code int, says string, args ...string) {
		t.Helper()
		got, stdout, stderr := s.run(args...)
		if got != code || !strings.Contains(stdout+stderr, says) {
			t.Errorf("%v exits %d, want %d with %q:\n%s%s", args, got, code, says, stdout, stderr)
		}
	}
	verify := append([]string{"verify"}, days...)
	repair := append([]string{"verify", "--repair"}, days...)

	want(3, "96 windows from", verify...) // nothing is there yet
	want(0, "Done: ", append([]string{"backfill"}, days...)...)
	want(0, "lake        agrees with the journal", verify...)

	object := s.path("data", "lake", "chat_7", "operation=ventas", "day="+from, "chat_7.parquet")
	if err := os.Remove(object); err != nil {
		t.Fatal(err)
	}
	want(3, ", should be ", verify...)
	want(0, "1 batch or object written", "resync", "-c", "wolkpipe.yaml", "--sink", "lake")
	want(0, "agrees with the journal", verify...)

	// An edit that no convergence sees, and the whole NATS store gone.
	if err := os.WriteFile(filepath.Join(filepath.Dir(object), "extra.parquet"), []byte("PAR1"), 0o600); err != nil {
		t.Fatal(err)
	}
	want(3, "extra.parquet", verify...)
	if err := os.RemoveAll(s.path("data", "jetstream")); err != nil {
		t.Fatal(err)
	}
	want(3, "there, but not in the journal", verify...)
	want(0, "complete", repair...)
	want(0, "agrees with the journal", verify...)

	p := s.start()
	p.says(`"msg":"running"`)
	want(0, "agrees with the journal", verify...)
	p.signal(syscall.SIGTERM)
	p.exits(0)

	s.setToken("ventas", "revoked")
	want(1, "replace the operation's token", verify...)
	want(1, "replace the operation's token", "verify", "--repair", "-c", "wolkpipe.yaml", "--operation", "ventas", "--from", day(8), "--to", day(7))
	want(2, "--operation \"nobody\" is not in the configuration", "verify", "-c", "wolkpipe.yaml", "--operation", "nobody", "--from", from, "--to", to)
	want(2, "the range ends before it begins", "verify", "-c", "wolkpipe.yaml", "--operation", "ventas", "--from", to, "--to", from)
	want(2, "--sink \"nowhere\" is not in the configuration", "resync", "-c", "wolkpipe.yaml", "--sink", "nowhere")
	want(2, "--from and --to go together", "resync", "-c", "wolkpipe.yaml", "--sink", "lake", "--from", from)
}
