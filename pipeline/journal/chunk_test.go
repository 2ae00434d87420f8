package journal

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestChunkRoundTrip(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		var windows []Observation
		for n := range rapid.IntRange(0, 6).Draw(rt, "windows") {
			rows := rapid.SliceOfN(rapid.String(), 0, 5).Draw(rt, "rows")
			windows = append(windows, observe(t, n, 1+int64(n), rows...))
		}
		c := chunkOf(t, windows...)
		data, err := c.Encode()
		if err != nil {
			rt.Fatal(err)
		}
		back, err := Decode(data)
		if err != nil {
			rt.Fatal(err)
		}
		if len(windows) == 0 {
			back.Windows = nil
		}
		if !reflect.DeepEqual(back, c) {
			rt.Fatalf("%+v came back as %+v", c, back)
		}
	})
}

func pack(plain string) []byte { return encoder.EncodeAll([]byte(plain), nil) }

func TestDecodeRefuses(t *testing.T) {
	head := `{"v":1,"operation":"ventas","day":"2026-11-02","timezone":"America/Bogota","window_seconds":300,"windows":[%s]}` + "\n"
	window := `{"window_local":"2026-11-02T00:05:00","revision":1,"sizes":[2]}`
	for name, data := range map[string][]byte{
		"no zstd":         []byte("junk"),
		"no head":         pack("{}"),
		"no JSON":         pack("junk\n"),
		"bad day":         pack(strings.Replace(fmt.Sprintf(head, ""), "2026-11-02", "2026-13-02", 1)),
		"bad grid":        pack(strings.Replace(fmt.Sprintf(head, ""), "300", "7", 1)),
		"no grid":         pack(strings.Replace(fmt.Sprintf(head, ""), "300", "0", 1)),
		"rows too short":  pack(fmt.Sprintf(head, window) + "{"),
		"rows too long":   pack(fmt.Sprintf(head, window) + "{}}"),
		"negative size":   pack(fmt.Sprintf(head, strings.Replace(window, "[2]", "[-2]", 1)) + "{}"),
		"another day":     pack(fmt.Sprintf(head, strings.Replace(window, "11-02", "11-03", 1)) + "{}"),
		"off the grid":    pack(fmt.Sprintf(head, strings.Replace(window, "00:05", "00:06", 1)) + "{}"),
		"no revision":     pack(fmt.Sprintf(head, strings.Replace(window, `"revision":1`, `"revision":0`, 1)) + "{}"),
		"no wall clock":   pack(fmt.Sprintf(head, strings.Replace(window, "T00:05:00", "", 1)) + "{}"),
		"version missing": pack(strings.Replace(fmt.Sprintf(head, ""), `"v":1,`, "", 1)),
	} {
		if c, err := Decode(data); err == nil || errors.Is(err, ErrNewer) {
			t.Errorf("%s: gave %+v, %v", name, c, err)
		}
	}
	if _, err := Decode(pack(fmt.Sprintf(head, window) + "{}")); err != nil {
		t.Errorf("the right one is refused: %v", err)
	}
	if _, err := Decode(pack(strings.Replace(fmt.Sprintf(head, ""), `"v":1`, `"v":2`, 1))); !errors.Is(err, ErrNewer) {
		t.Errorf("a newer layout gave %v", err)
	}
}

func FuzzDecode(f *testing.F) {
	c := chunkOf(f, observe(f, 0, 1, `{"a":1}`), observe(f, 3, 2))
	data, _ := c.Encode()
	plain, _ := decoder.DecodeAll(data, nil)
	f.Add(plain)
	f.Fuzz(func(t *testing.T, plain []byte) {
		c, err := Decode(encoder.EncodeAll(plain, nil))
		if err != nil {
			return
		}
		day, err := (&Day{Key: c.Key}).with(1, part{1, 1, encoder.EncodeAll(plain, nil)})
		if err != nil || len(day.Bad) > 0 {
			t.Fatalf("decoded, but not folded: %v %v", err, day.Bad)
		}
		for i := 1; i < len(day.Windows); i++ {
			if day.Windows[i-1].Local >= day.Windows[i].Local {
				t.Fatal("windows are not in order")
			}
		}
	})
}

func TestMissingPiecesAreTold(t *testing.T) {
	c := chunkOf(t, observe(t, 0, 1, `{"a":1}`))
	data, _ := c.Encode()
	half := len(data) / 2
	first, second := part{1, 2, data[:half]}, part{2, 2, data[half:]}
	whole := part{1, 1, data}
	for name, test := range map[string]struct {
		parts []part
		bad   int
		found int
	}{
		"whole":            {[]part{first, second}, 0, 1},
		"first missing":    {[]part{second}, 1, 0},
		"second missing":   {[]part{first, whole}, 1, 1},
		"begun twice":      {[]part{first, first, second}, 1, 1},
		"of another count": {[]part{first, {2, 3, data[half:]}}, 1, 0},
	} {
		day := &Day{Key: c.Key}
		var err error
		for i, p := range test.parts {
			if day, err = day.with(uint64(i+1), p); err != nil {
				t.Fatal(err)
			}
		}
		if len(day.Bad) != test.bad || len(day.Windows) != test.found || day.Seq != uint64(len(test.parts)) {
			t.Errorf("%s: %d windows, bad %v", name, len(day.Windows), day.Bad)
		}
	}
}

func TestMergeNeverGoesBack(t *testing.T) {
	old := []Observation{observe(t, 1, 3, "new"), observe(t, 2, 1, "b")}
	got := merge(old, []Observation{observe(t, 2, 2, "c"), observe(t, 1, 2, "old"), observe(t, 0, 1, "z"), observe(t, 2, 3, "d")})
	var digests []string
	for _, o := range got {
		digests = append(digests, o.Digest)
	}
	if fmt.Sprint(digests) != "[z new d]" {
		t.Errorf("merged to %v", digests)
	}
}

func TestCacheIsBounded(t *testing.T) {
	c := newCache(2000)
	day := &Day{Windows: []Observation{{Rows: []json.RawMessage{make([]byte, 500)}}}} // 940 bytes
	for i := range 10 {
		c.put(Key{"ventas", testDay + 0}, day)
		c.put(Key{"ventas", testDay + 1}, day)
		c.put(Key{fmt.Sprint("op", i), testDay}, day)
	}
	if c.size > 2000 || c.order.Len() != len(c.days) || c.get(Key{"op9", testDay}) == nil {
		t.Errorf("the cache holds %d bytes in %d days", c.size, len(c.days))
	}
}
