package chat7

import (
	"bytes"
	"fmt"
	"net/http"
	"testing"
	"unsafe"
)

// large is an answer of n rows.
func large(n int) []byte {
	var b bytes.Buffer
	b.WriteString(`{"code":200,"error":null,"msg":"","data":[`)
	for i := range n {
		if i > 0 {
			b.WriteString(", ")
		}
		fmt.Fprintf(&b, `{"interactions":"%d","agent_name":"COM-Agente Número %d","cod_act":"%04d","description_cod_act":"Acuerdo de \"pago\""}`, i%9, i/40, i%40)
	}
	b.WriteString("]}")
	return b.Bytes()
}

// Rows lie in the answer: what they keep alive is the answer and a slice of
// their bounds.
func TestRowsShareTheAnswer(t *testing.T) {
	body := large(1000)
	e, failure := judge(http.StatusOK, nil, body)
	if failure != nil {
		t.Fatal(failure)
	}
	rows, _, err := e.list(defaultRowCap)
	if err != nil || len(rows) != 1000 {
		t.Fatal(len(rows), err)
	}
	first, last := uintptr(unsafe.Pointer(&body[0])), uintptr(unsafe.Pointer(&body[len(body)-1]))
	for i, row := range rows {
		if at := uintptr(unsafe.Pointer(&row[0])); at < first || at > last {
			t.Fatalf("row %d is a copy", i)
		}
		if cap(row) != len(row) {
			t.Fatalf("appending to row %d would write into the next", i)
		}
	}
}

func BenchmarkDecode(b *testing.B) {
	for _, n := range []int{10, 10_000} {
		b.Run(fmt.Sprint(n, "rows"), func(b *testing.B) {
			body := large(n)
			b.SetBytes(int64(len(body)))
			b.ReportAllocs()
			for b.Loop() {
				e, failure := judge(http.StatusOK, nil, body)
				if failure != nil {
					b.Fatal(failure)
				}
				if rows, _, err := e.list(defaultRowCap); err != nil || len(rows) != n {
					b.Fatal(len(rows), err)
				}
			}
			b.ReportMetric(float64(n)*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
		})
	}
}
