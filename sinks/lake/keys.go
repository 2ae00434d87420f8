package lake

import (
	"fmt"
	"regexp"
	"time"

	"wolkpipe/sinks"
)

var operationName = regexp.MustCompile(`^[a-z][a-z0-9_-]{0,62}$`)

// CheckOperation refuses an operation's name that could name a place elsewhere.
func CheckOperation(name string) error {
	if !operationName.MatchString(name) {
		return fmt.Errorf("operation %q is not of the form [a-z][a-z0-9_-]{0,62}", name)
	}
	return nil
}

// CheckKey refuses a key that could name a place elsewhere.
func CheckKey(key sinks.Key) error {
	if err := CheckOperation(key.Operation); err != nil {
		return err
	}
	if t, err := time.Parse(time.DateOnly, key.Day); err != nil || t.Format(time.DateOnly) != key.Day {
		return fmt.Errorf("day %q is not of the form 2006-01-02", key.Day)
	}
	return nil
}
