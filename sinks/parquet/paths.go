package parquet

import (
	"fmt"
	"regexp"
	"strings"
	"time"

	"wolkpipe/sinks"
)

var operationName = regexp.MustCompile(`^[a-z][a-z0-9_-]{0,62}$`)

// names gives the two objects of a day, below the lake's prefix. A key that
// is not of the form of one is an error: it could name a place elsewhere.
func names(key sinks.Key) (rows, coverage string, err error) {
	if !operationName.MatchString(key.Operation) {
		return "", "", fmt.Errorf("operation %q is not of the form [a-z][a-z0-9_-]{0,62}", key.Operation)
	}
	if t, err := time.Parse(time.DateOnly, key.Day); err != nil || t.Format(time.DateOnly) != key.Day {
		return "", "", fmt.Errorf("day %q is not of the form 2006-01-02", key.Day)
	}
	place := "operation=" + key.Operation + "/day=" + key.Day + "/"
	return "chat_7/" + place + "chat_7.parquet", "chat_7_windows/" + place + "chat_7_windows.parquet", nil
}

// cleanPrefix checks a prefix and ends it with a slash, unless it is empty.
func cleanPrefix(prefix string) (string, error) {
	if prefix == "" {
		return "", nil
	}
	prefix = strings.TrimSuffix(prefix, "/")
	for part := range strings.SplitSeq(prefix, "/") {
		if part == "" || part == "." || part == ".." || strings.ContainsAny(part, "\\\x00") {
			return "", fmt.Errorf("prefix %q is not a relative folder such as lake/wolkvox", prefix)
		}
	}
	return prefix + "/", nil
}
