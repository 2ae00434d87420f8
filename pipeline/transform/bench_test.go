package transform

import (
	"encoding/json"
	"fmt"
	"testing"
)

// plainRows are rows of printable ASCII, no key twice; accentedRows escape
// what is not ASCII, as the source's encoder does.
func plainRows(n int) []json.RawMessage {
	return benchRows(n, `{"interactions":"%d","agent_name":"COM-Agent Number %d","cod_act":"%04d","description_cod_act":"Payment agreed"}`)
}

func accentedRows(n int) []json.RawMessage {
	return benchRows(n, `{"interactions":"%d","agent_name":"COM-Mar\u00eda Nu\u00f1ez %d","cod_act":"%04d","description_cod_act":"Acci\u00f3n &amp; pago"}`)
}

func benchRows(n int, format string) []json.RawMessage {
	rows := make([]json.RawMessage, n)
	for i := range rows {
		rows[i] = fmt.Appendf(nil, format, i%7+1, i*7919%n/10, i%10)
	}
	return rows
}

func BenchmarkWindow(b *testing.B) {
	for _, kind := range []struct {
		name string
		rows func(int) []json.RawMessage
	}{{"plain", plainRows}, {"accented", accentedRows}} {
		for _, n := range []int{10, 100, 10_000} {
			rows := kind.rows(n)
			b.Run(fmt.Sprintf("%s/%d", kind.name, n), func(b *testing.B) {
				perRow(b, n, func() { Window(rows, Options{}) })
			})
		}
	}
	rows := plainRows(100)
	b.Run("hashed/100", func(b *testing.B) {
		perRow(b, 100, func() { Window(rows, Options{AgentKey: []byte("key")}) })
	})
}

// BenchmarkFields is why rows are not read by the decoder's tokens.
func BenchmarkFields(b *testing.B) {
	row := plainRows(1)[0]
	var p parser
	b.Run("scan", func(b *testing.B) { perRow(b, 1, func() { _, _ = p.fields(row) }) })
	b.Run("tokens", func(b *testing.B) { perRow(b, 1, func() { _, _ = fieldsByTokens(row) }) })
	b.Run("valid", func(b *testing.B) { perRow(b, 1, func() { json.Valid(row) }) })
}

func BenchmarkDigest(b *testing.B) {
	s := Window(plainRows(100), Options{})
	perRow(b, 100, func() { _ = s.Digest() })
}

func perRow(b *testing.B, rows int, f func()) {
	allocs := testing.AllocsPerRun(10, f)
	b.ResetTimer()
	for b.Loop() {
		f()
	}
	b.ReportMetric(float64(b.N)*float64(rows)/b.Elapsed().Seconds(), "rows/s")
	b.ReportMetric(allocs/float64(rows), "allocs/row")
	b.ReportMetric(0, "ns/op")
}
