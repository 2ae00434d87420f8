package chat7sim

import (
	"errors"
	"fmt"
	"io"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"wolkpipe/pipeline/window"
)

// LoadScenario reads a scenario file; see [ParseScenario].
func LoadScenario(path string) (Scenario, error) {
	f, err := os.Open(path)
	if err != nil {
		return Scenario{}, fmt.Errorf("opening the scenario: %w", err)
	}
	defer func() { _ = f.Close() }()
	sc, err := ParseScenario(f)
	if err != nil {
		return Scenario{}, fmt.Errorf("scenario %s: %w", path, err)
	}
	return sc, nil
}

// ParseScenario reads a scenario from YAML. A key that it does not know is an
// error that names its line, and so is a value out of its bounds, by its path.
// Nothing at all is the friendly scenario.
func ParseScenario(r io.Reader) (Scenario, error) {
	var sc Scenario
	dec := yaml.NewDecoder(r)
	dec.KnownFields(true)
	switch err := dec.Decode(&sc); {
	case errors.Is(err, io.EOF):
		return Scenario{}, nil
	case err != nil:
		return Scenario{}, plainer(err)
	}
	if err := dec.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		return Scenario{}, errors.New("more than one YAML document: keep the first")
	}
	if _, err := sc.normalise(); err != nil {
		return Scenario{}, err
	}
	return sc, nil
}

var unknownField = regexp.MustCompile(`field (.*) not found in type .*`)

// plainer says the YAML package's errors without naming Go types.
func plainer(err error) error {
	var typed *yaml.TypeError
	if !errors.As(err, &typed) {
		return err
	}
	lines := make([]string, len(typed.Errors))
	for i, e := range typed.Errors {
		lines[i] = unknownField.ReplaceAllString(e, `unknown key "$1"`)
	}
	return errors.New(strings.Join(lines, "; "))
}

var operationName = regexp.MustCompile(`^[a-z][a-z0-9_-]{0,62}$`)

const (
	maxPerDay = 10_000_000
	maxAgents = 100_000
	maxCodes  = 10_000
)

// normalise fills in what was left out and checks the rest; sc stays as it is.
func (sc Scenario) normalise() ([]Operation, error) {
	ops := slices.Clone(sc.Operations)
	if len(ops) == 0 {
		ops = DefaultOperations()
	}
	if err := sc.Faults.check("faults"); err != nil {
		return nil, err
	}
	names, tokens := map[string]bool{}, map[string]string{}
	for i := range ops {
		o := &ops[i]
		at := fmt.Sprintf("operations[%d]", i)
		if !operationName.MatchString(o.Name) {
			return nil, fmt.Errorf("%s.name: %q is not of the form [a-z][a-z0-9_-]*, 63 characters at most", at, o.Name)
		}
		if names[o.Name] {
			return nil, fmt.Errorf("%s.name: %q is there twice", at, o.Name)
		}
		names[o.Name] = true
		if len(o.Tokens) == 0 {
			o.Tokens = []string{"sim-" + o.Name}
		}
		for _, t := range o.Tokens {
			if t == "" || strings.TrimSpace(t) != t {
				return nil, fmt.Errorf("%s.tokens: %q cannot be sent in a header as it is", at, t)
			}
			if of, taken := tokens[t]; taken {
				return nil, fmt.Errorf("%s.tokens: %q is a token of %s already", at, t, of)
			}
			tokens[t] = o.Name
		}
		if o.Faults == nil {
			o.Faults = &sc.Faults
		} else if err := o.Faults.check(at + ".faults"); err != nil {
			return nil, err
		}
		if err := o.check(at); err != nil {
			return nil, err
		}
	}
	return ops, nil
}

// check fills in defaults of what is left out of o.
func (o *Operation) check(at string) error {
	if _, err := window.LoadZone(o.Timezone); err != nil {
		return fmt.Errorf("%s.timezone: %w", at, err)
	}
	if o.Licences == 0 {
		o.Licences = 1
	}
	if o.Agents == 0 {
		o.Agents = 12
	}
	if o.Codes == 0 {
		o.Codes = len(stockCodes)
	}
	if o.Hours == "" {
		o.Hours = "08:00-20:00"
	}
	for _, n := range []struct {
		key             string
		value, from, to int
	}{
		{"interactions_per_day", o.InteractionsPerDay, 0, maxPerDay},
		{"agents", o.Agents, 1, maxAgents},
		{"codes", o.Codes, 1, maxCodes},
	} {
		if n.value < n.from || n.value > n.to {
			return fmt.Errorf("%s.%s: %d is not between %d and %d", at, n.key, n.value, n.from, n.to)
		}
	}
	if _, _, err := parseHours(o.Hours); err != nil {
		return fmt.Errorf("%s.hours: %w", at, err)
	}
	for _, h := range o.Holidays {
		if _, err := window.ParseDate(h); err != nil {
			return fmt.Errorf("%s.holidays: %w", at, err)
		}
	}
	return nil
}

// parseHours reads 08:00-20:00 as minutes of the day.
func parseHours(s string) (from, to int, err error) {
	a, b, _ := strings.Cut(s, "-")
	if from, err = parseClock(a); err == nil {
		to, err = parseClock(b)
	}
	if err != nil || from >= to {
		return 0, 0, fmt.Errorf("%q is not of the form 08:00-20:00, the earlier time first", s)
	}
	return from, to, nil
}

// parseClock reads 15:04 as minutes of the day; 24:00 is the end of it.
func parseClock(s string) (int, error) {
	if s == "24:00" {
		return 24 * 60, nil
	}
	t, err := time.Parse("15:04", s)
	if err != nil {
		return 0, fmt.Errorf("%q is not a time of the form 15:04", s)
	}
	return t.Hour()*60 + t.Minute(), nil
}

func (f *Faults) check(at string) error {
	if err := checkBounds(reflect.ValueOf(*f), at); err != nil {
		return err
	}
	if f.QuotaReset != "" {
		if _, err := parseClock(f.QuotaReset); err != nil {
			return fmt.Errorf("%s.quota_reset: %w", at, err)
		}
	}
	for i, p := range f.Maintenance {
		if _, err := parseClock(p.From); err != nil {
			return fmt.Errorf("%s.maintenance[%d].from: %w", at, i, err)
		}
		if _, err := parseClock(p.To); err != nil {
			return fmt.Errorf("%s.maintenance[%d].to: %w", at, i, err)
		}
	}
	forms := []string{EmptyNotFound, EmptyNotFoundIn200, EmptyList, EmptyNull, EmptyAbsent}
	for _, form := range f.EmptyForms {
		if !slices.Contains(forms, form) {
			return fmt.Errorf("%s.empty_forms: %q is none of %s", at, form, strings.Join(forms, ", "))
		}
	}
	if s := f.EmptySpells; s.For > 0 && s.For >= s.Every {
		return fmt.Errorf("%s.empty_spells: for %v is not shorter than every %v", at, s.For, s.Every)
	}
	return nil
}

// checkBounds holds every rate between 0 and 1 and every number and duration
// from 0 up, and names the first that is not by its YAML path.
func checkBounds(v reflect.Value, at string) error {
	for i := range v.NumField() {
		field, path := v.Field(i), at+"."+v.Type().Field(i).Tag.Get("yaml")
		switch x := field.Interface().(type) {
		case Rate:
			if !(x >= 0 && x <= 1) { // NaN too
				return fmt.Errorf("%s: %v is not between 0 and 1", path, float64(x))
			}
		case time.Duration:
			if x < 0 {
				return fmt.Errorf("%s: %v is negative", path, x)
			}
		case int:
			if x < 0 {
				return fmt.Errorf("%s: %d is negative", path, x)
			}
		case Lag, Timed, Spells, Latency:
			if err := checkBounds(field, path); err != nil {
				return err
			}
		}
	}
	return nil
}
