package lake_test

import (
	"path"
	"strings"
	"testing"

	"wolkpipe/sinks"
	"wolkpipe/sinks/lake"
)

// FuzzCheckKey: a key that is taken names one folder below another one, on
// every file system and in every object store, and no other key names it.
func FuzzCheckKey(f *testing.F) {
	for _, k := range []sinks.Key{
		{Operation: "ventas", Day: "2026-11-01"}, {Operation: "..", Day: "2026-11-01"}, {Operation: "ventas", Day: "../../x"},
		{Operation: "ventas\n", Day: "2026-11-01\n"}, {Operation: "a/../b", Day: "2026-11-01/"}, {Operation: "Ventas", Day: "2026-1-1"},
		{Operation: "ventas", Day: "2026-02-30"}, {Operation: "a\x00", Day: "2026-11-01 "}, {Operation: strings.Repeat("a", 64), Day: "2026-11-01"},
		{Operation: "ñ", Day: "２０２６-11-01"}, {Operation: "a%2e", Day: "+026-11-01"}, {Operation: "a", Day: "10000-01-01"},
	} {
		f.Add(k.Operation, k.Day)
	}
	f.Fuzz(func(t *testing.T, operation, day string) {
		if lake.CheckKey(sinks.Key{Operation: operation, Day: day}) != nil {
			return
		}
		if lake.CheckOperation(operation) != nil {
			t.Errorf("%q is refused alone and taken with a day", operation)
		}
		place := "operation=" + operation + "/day=" + day
		if path.Clean(place) != place || strings.Count(place, "/") != 1 || len(place) > 100 {
			t.Errorf("%q is another place", place)
		}
		if strings.Trim(operation, "abcdefghijklmnopqrstuvwxyz0123456789_-") != "" || strings.Trim(day, "0123456789-") != "" || len(day) != 10 {
			t.Errorf("%q has characters that mean something somewhere", place)
		}
	})
}
