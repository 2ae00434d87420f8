package main

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/spf13/cobra"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"wolkpipe":       main,
		"wolkpipe-quick": quickMain,
		// wolkpipe with commands that end in every way there is.
		"wolkpipe-ends": func() {
			root := newRootCommand()
			root.AddCommand(endings()...)
			os.Exit(execute(root, os.Args[1:]))
		},
	})
}

// TestScripts runs the transcripts of testdata/script.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 filepath.Join("testdata", "script"),
		RequireExplicitExec: true,
		Cmds:                map[string]func(*testscript.TestScript, bool, []string){"exits": exits},
	})
}

// exits is "exits CODE PROGRAM ARG…": exec that holds the program to an exit
// code.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE PROGRAM ARG…")
	}
	code := 0
	var exit *exec.ExitError
	if err := ts.Exec(args[1], args[2:]...); errors.As(err, &exit) {
		code = exit.ExitCode()
	} else if err != nil {
		ts.Fatalf("%v", err)
	}
	if got := strconv.Itoa(code); got != args[0] {
		ts.Fatalf("exit code %s, want %s", got, args[0])
	}
}

func endings() []*cobra.Command {
	end := func(use string, run func(*cobra.Command) error) *cobra.Command {
		return &cobra.Command{Use: use, RunE: func(cmd *cobra.Command, _ []string) error { return run(cmd) }}
	}
	required := end("required", func(*cobra.Command) error { return nil })
	required.Flags().Int("need", 0, "")
	if err := required.MarkFlagRequired("need"); err != nil {
		panic(err)
	}
	load := end("load", func(cmd *cobra.Command) error {
		_, err := loadConfig(cmd)
		return err
	})
	configFlag(load)
	return []*cobra.Command{
		required,
		load,
		end("fail", func(*cobra.Command) error { return errors.New("first line\nsecond line") }),
		end("differ", func(*cobra.Command) error { return fmt.Errorf("comparing: %w", errDifferences) }),
		end("usage", func(*cobra.Command) error { return usagef("--from is after --to") }),
		end("wait", func(cmd *cobra.Command) error {
			fmt.Fprintln(cmd.OutOrStdout(), "ready")
			<-cmd.Context().Done()
			return nil
		}),
		end("abandon", func(cmd *cobra.Command) error {
			fmt.Fprintln(cmd.OutOrStdout(), "ready")
			<-cmd.Context().Done()
			return fmt.Errorf("asking: %w", cmd.Context().Err())
		}),
		end("stubborn", func(cmd *cobra.Command) error {
			fmt.Fprintln(cmd.OutOrStdout(), "ready")
			<-cmd.Context().Done()
			fmt.Fprintln(cmd.OutOrStdout(), "draining")
			select {}
		}),
	}
}

// TestSignals sends signals to a real process.
func TestSignals(t *testing.T) {
	for _, c := range []struct {
		command string
		signals []syscall.Signal
		code    int
		stderr  string
	}{
		{"wait", []syscall.Signal{syscall.SIGINT}, 0, ""},
		{"wait", []syscall.Signal{syscall.SIGTERM}, 0, ""},
		{"abandon", []syscall.Signal{syscall.SIGTERM}, 1, "wolkpipe: interrupted\n"},
		{"stubborn", []syscall.Signal{syscall.SIGTERM, syscall.SIGINT}, 130, ""},
	} {
		t.Run(fmt.Sprintf("%s %v", c.command, c.signals), func(t *testing.T) {
			cmd := exec.CommandContext(t.Context(), "wolkpipe-ends", c.command)
			var stderr strings.Builder
			cmd.Stderr = &stderr
			stdout, err := cmd.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			lines := bufio.NewScanner(stdout)
			for _, s := range c.signals {
				if !lines.Scan() {
					t.Fatalf("the process told nothing before %v: %s", s, stderr.String())
				}
				if err := cmd.Process.Signal(s); err != nil {
					t.Fatal(err)
				}
			}
			for lines.Scan() {
			}
			_ = cmd.Wait() // the exit code is looked at
			if code := cmd.ProcessState.ExitCode(); code != c.code {
				t.Errorf("exit %d, want %d: %s", code, c.code, stderr.String())
			}
			if !strings.HasSuffix(stderr.String(), c.stderr) || !strings.Contains(stderr.String(), "a second signal ends at once") {
				t.Errorf("stderr: %s", stderr.String())
			}
		})
	}
}

// TestHelp holds every command to a help with an example that names it.
func TestHelp(t *testing.T) {
	for _, cmd := range newRootCommand().Commands() {
		if cmd.Short == "" || !strings.Contains(cmd.Example, "wolkpipe "+cmd.Name()) {
			t.Errorf("%s has no example in its help: %q", cmd.CommandPath(), cmd.Example)
		}
		if cmd.RunE == nil {
			t.Errorf("%s has no RunE: its errors would be taken for wrong usage", cmd.CommandPath())
		}
	}
}
