package parquet

import (
	"fmt"
	"strings"

	"wolkpipe/sinks"
	"wolkpipe/sinks/lake"
)

// names gives the two objects of a day, below the lake's prefix.
func names(key sinks.Key) (rows, coverage string, err error) {
	if err := lake.CheckKey(key); err != nil {
		return "", "", err
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
