package config

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"wolkpipe/pipeline/window"
)

// The parsers of single values. Each gives a *flaw for what it refuses.

func parseText(v value) (string, *flaw) {
	if bad := v.wantText(); bad != nil {
		return "", bad
	}
	return v.text, nil
}

// oneOf parses one of a few words.
func oneOf(words ...string) func(value) (string, *flaw) {
	return func(v value) (string, *flaw) {
		if !slices.Contains(words, v.text) {
			return "", wrong("write "+alternatives(words), "%s is not known", quote(v.text))
		}
		return v.text, nil
	}
}

// alternatives is "a, b or c".
func alternatives(words []string) string {
	last := len(words) - 1
	if last < 1 {
		return strings.Join(words, "")
	}
	return strings.Join(words[:last], ", ") + " or " + words[last]
}

func parseBool(v value) (bool, *flaw) {
	switch v.text {
	case "true":
		return true, nil
	case "false":
		return false, nil
	}
	return false, wrong("write true or false", "is %s", quote(v.text))
}

// between parses a whole number.
func between(least, most int) func(value) (int, *flaw) {
	return func(v value) (int, *flaw) {
		n, err := decimal(v.text)
		if err != nil || n < least || n > most {
			return 0, wrong("write a number from "+strconv.Itoa(least)+" to "+strconv.Itoa(most), "is %s", quote(v.text))
		}
		return n, nil
	}
}

// decimal parses digits as people mean them: in YAML 010 is 8 and 1_0 is 10,
// so neither is taken.
func decimal(text string) (int, error) {
	n, err := strconv.Atoi(text)
	if err == nil && strconv.Itoa(n) != text {
		return 0, strconv.ErrSyntax
	}
	return n, err
}

func parseDuration(v value) (time.Duration, *flaw) {
	if v.text == "0" {
		return 0, nil
	}
	d, err := time.ParseDuration(v.text)
	if err == nil {
		return d, nil
	}
	if _, err := strconv.ParseFloat(v.text, 64); err == nil {
		return 0, wrong("add it: "+v.text+"s, "+v.text+"m or "+v.text+"h", "%s has no unit", quote(v.text))
	}
	if days, err := strconv.Atoi(strings.TrimSuffix(v.text, "d")); err == nil && days > 0 && days < 10_000 {
		return 0, wrong("write "+strconv.Itoa(days*24)+"h", "%s is in days, which are not all equally long", quote(v.text))
	}
	return 0, wrong("write one such as 90s, 5m or 24h", "%s is not a duration", quote(v.text))
}

func parseDelay(v value) (time.Duration, *flaw) {
	d, bad := parseDuration(v)
	if bad == nil && d < 0 {
		return 0, wrong("write 0 or more", "%s is negative", quote(v.text))
	}
	return d, bad
}

func parseGrid(v value) (window.Grid, *flaw) {
	d, bad := parseDuration(v)
	if bad != nil {
		return 0, bad
	}
	g, err := window.NewGrid(d)
	if err != nil {
		return 0, wrong("write a part of a day from 1s to 24h, such as 5m", "%s does not tile a day", quote(v.text))
	}
	return g, nil
}

func parseZone(v value) (window.Zone, *flaw) {
	const mend = "write an IANA name such as America/Bogota"
	if v.wantText() != nil {
		return window.Zone{}, wrong(mend, "%s is not a time zone", quote(v.text))
	}
	z, err := window.LoadZone(v.text)
	if err != nil {
		return window.Zone{}, wrong(mend, "%s is not a known time zone", quote(v.text))
	}
	return z, nil
}

// firstDate is the earliest that since may name: a slip of the keyboard in
// the year would otherwise ask for centuries.
var firstDate = window.DateOf(2000, time.January, 1)

func parseDate(v value) (window.Date, *flaw) {
	d, err := window.ParseDate(v.text)
	if err != nil {
		return 0, wrong("write one such as 2026-11-01", "%s is not a date", quote(v.text))
	}
	if d < firstDate {
		return 0, wrong("write "+firstDate.String()+" or later", "%s is too early", quote(v.text))
	}
	return d, nil
}

// parseQuota gives 0 for auto.
func parseQuota(v value) (int, *flaw) {
	if v.text == "auto" {
		return 0, nil
	}
	n, err := decimal(v.text)
	if err != nil || n < 1 {
		return 0, wrong("write auto, or a number of calls a day from 1", "is %s", quote(v.text))
	}
	return n, nil
}

var namePattern = regexp.MustCompile(`^[a-z][a-z0-9_-]{0,62}$`)

func parseName(v value) (string, *flaw) {
	const mend = "write a small letter, then up to 62 of a-z, 0-9, _ and -"
	if !namePattern.MatchString(v.text) {
		return "", wrong(mend, "%s cannot be a name", quote(v.text))
	}
	return parseText(v)
}
