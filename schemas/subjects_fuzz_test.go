package schemas

import (
	"regexp"
	"strings"
	"testing"
	"time"
)

var operationForm = regexp.MustCompile(`^[a-z][a-z0-9_-]{0,62}$`)

// FuzzSubjects: an operation's name and a day, of the forms that everything
// which calls these functions holds them to, and any code are a subject of as
// many tokens as it should have, which only that operation and day have.
func FuzzSubjects(f *testing.F) {
	f.Add("ventas", "2026-11-01", "0012", "soporte", "2026-11-01")
	f.Add("a-b", "0000-01-01", "", "a", "9999-12-31")
	f.Add("ventas", "2026-11-01", ".row.>", "soporte", "2026-11-01")
	f.Add("v", "2026-11-01", "* \r\n\x00\xff", "v", "2026-11-10")
	f.Add("v", "2026-11-01", strings.Repeat("ñ.", 200), "v_", "2026-11-01")
	f.Fuzz(func(t *testing.T, operation, day, code, other, otherDay string) {
		if !operationForm.MatchString(operation) || !isDay(day) {
			return
		}
		made := subjectsOf(operation, day, code)
		for subject, want := range made {
			if !strings.HasPrefix(subject, strings.TrimSuffix(want.all, ">")) || strings.Count(subject, ".")+1 != want.tokens || len(subject) > 300 {
				t.Errorf("%q, which is not of %s in %d tokens", subject, want.all, want.tokens)
			}
			for token := range strings.SplitSeq(subject, ".") {
				if token == "" || strings.ContainsFunc(token, func(r rune) bool { return r <= ' ' || r >= 0x7f || r == '*' || r == '>' }) {
					t.Errorf("%q has the token %q", subject, token)
				}
			}
		}
		if len(made) != 5 {
			t.Errorf("subjects of one day are alike: %v", made)
		}
		if operationForm.MatchString(other) && isDay(otherDay) && (other != operation || otherDay != day) {
			for subject, of := range subjectsOf(other, otherDay, code) {
				if _, taken := made[subject]; taken && (other != operation || of.tokens != 5 || !strings.Contains(subject, ".row.")) {
					t.Errorf("%q is of %s %s and of %s %s", subject, operation, day, other, otherDay)
				}
			}
		}
	})
}

func isDay(s string) bool {
	_, err := time.Parse(time.DateOnly, s)
	return err == nil
}

type subjectForm struct {
	all    string // the subjects of its stream
	tokens int
}

func subjectsOf(operation, day, code string) map[string]subjectForm {
	return map[string]subjectForm{
		RowSubject(operation, code):       {EventsSubjects, 5},
		WindowSubject(operation, day):     {EventsSubjects, 5},
		DaySubject(operation, day):        {EventsSubjects, 5},
		QuarantineSubject(operation, day): {QuarantineSubjects, 4},
		JournalSubject(operation, day):    {JournalSubjects, 4},
	}
}
