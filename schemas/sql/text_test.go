package sql_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// statements reads a file of SQL: comments that take a line are left out, and
// LAKE is a lake's folder.
func statements(t testing.TB, file, lake string) (all []string) {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	for line := range strings.Lines(string(data)) {
		if !strings.HasPrefix(strings.TrimSpace(line), "--") {
			text.WriteString(line)
		}
	}
	for one := range strings.SplitSeq(text.String(), ";\n") {
		if one = strings.TrimSpace(one); one != "" {
			all = append(all, strings.ReplaceAll(one, "LAKE/", strings.ReplaceAll(lake, "'", "''")+"/"))
		}
	}
	return all
}

// definitions are the statements that an analyst runs first in an engine.
func definitions(t testing.TB, engine, lake string) []string {
	t.Helper()
	return append(statements(t, engine+"/tables.sql", lake), statements(t, engine+"/views.sql", lake)...)
}

// asked is what the questions are about, and an analyst changes.
type asked struct {
	first, last string // days, both included
	monday      string // of this week
	code        string
}

// shipped is what the files ask about.
var shipped = asked{"2026-10-01", "2026-11-30", "2026-11-02", "TIMEOUTCHAT"}

// question is one of the files, and its statement with what is asked in the
// place of what is shipped.
type question struct{ name, text string }

func questions(t testing.TB, engine string, a asked) (all []question) {
	t.Helper()
	files, err := filepath.Glob("questions/*.sql")
	if err != nil || len(files) != 10 {
		t.Fatalf("%d questions, %v", len(files), err)
	}
	this, was := date(t, a.monday), date(t, shipped.monday)
	code := strings.ReplaceAll(a.code, "'", "''")
	if engine == "clickhouse" {
		code = strings.ReplaceAll(code, `\`, `\\`)
	}
	change := strings.NewReplacer(
		"'"+shipped.first+"'", "'"+a.first+"'", "'"+shipped.last+"'", "'"+a.last+"'",
		"'"+was.String()+"'", "'"+this.String()+"'", "'"+(was+6).String()+"'", "'"+(this+6).String()+"'",
		"'"+(was-7).String()+"'", "'"+(this-7).String()+"'", "'"+(was-1).String()+"'", "'"+(this-1).String()+"'",
		"'"+shipped.code+"'", "'"+code+"'",
	)
	for _, file := range files {
		found := statements(t, file, "")
		if len(found) != 1 {
			t.Fatalf("%s has %d statements", file, len(found))
		}
		all = append(all, question{strings.TrimSuffix(filepath.Base(file), ".sql"), change.Replace(found[0])})
	}
	return all
}
