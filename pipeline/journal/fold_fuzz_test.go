package journal

import (
	"encoding/binary"
	"errors"
	"testing"
)

// FuzzFold folds any messages in any pieces: whatever they hold, each moves the
// day on, no window goes back to an earlier revision, what cannot be read is
// told, and a day that was handed out stays as it was.
//
// script is read as messages: a byte each for the number of the piece, for how
// many there are, and for which bytes it has, and then, of some, the bytes.
func FuzzFold(f *testing.F) {
	c := chunkOf(f, observe(f, 0, 1, `{"a":1}`), observe(f, 3, 2))
	first, _ := c.Encode()
	c = chunkOf(f, observe(f, 0, 3, `{"a":2}`), observe(f, 5, 1), observe(f, 5, 2))
	second, _ := c.Encode()
	f.Add([]byte{1, 1, 0, 1, 1, 1})                                // two chunks
	f.Add([]byte{1, 1, 1, 1, 1, 0})                                // the older one last
	f.Add([]byte{1, 2, 2, 2, 2, 3})                                // one in two pieces
	f.Add([]byte{1, 2, 2, 1, 2, 2, 2, 2, 3})                       // begun twice
	f.Add([]byte{2, 2, 3, 1, 1, 0, 1, 2, 2, 1, 1, 1, 2, 2, 3})     // pieces of which the others are missing
	f.Add([]byte{1, 0, 0, 0, 1, 0, 0, 0, 0, 255, 1, 0, 1, 255, 0}) // numbers that count nothing
	f.Add([]byte{1, 1, 7, 3, 0, 'n', 'o', 't'})
	f.Fuzz(func(t *testing.T, script []byte) {
		day := &Day{Key: c.Key}
		for seq := uint64(1); len(script) >= 3; seq++ {
			p := part{number: int(int8(script[0])), of: int(int8(script[1]))}
			switch which := script[2]; {
			case which < 2:
				p.data = [][]byte{first, second}[which]
			case which < 4:
				half := len(first) / 2
				p.data = [][]byte{first[:half], first[half:]}[which-2]
			case len(script) >= 5:
				size := min(int(binary.LittleEndian.Uint16(script[3:])), len(script)-5)
				p.data = script[5 : 5+size]
				if which%2 == 1 {
					p.data = encoder.EncodeAll(p.data, nil)
				}
				script = script[2+size:]
			}
			script = script[3:]
			windows, bad := len(day.Windows), len(day.Bad)
			next, err := day.with(seq, p)
			if len(day.Windows) != windows || len(day.Bad) != bad || day.Seq != seq-1 {
				t.Fatal("a day that was handed out has changed")
			}
			if errors.Is(err, ErrNewer) {
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			checkFolded(t, day, next, p)
			day = next
		}
	})
}

func checkFolded(t *testing.T, day, next *Day, p part) {
	t.Helper()
	if next.Seq != day.Seq+1 || next.Key != day.Key || len(next.Bad) < len(day.Bad) {
		t.Fatalf("message %d of %s leads to message %d of %s, with %d bad of %d", day.Seq, day.Key, next.Seq, next.Key, len(next.Bad), len(day.Bad))
	}
	for i, o := range next.Windows {
		if i > 0 && next.Windows[i-1].Local >= o.Local {
			t.Fatal("windows are not in order")
		}
		if o.Local.Date() != day.Day || o.Revision < 1 {
			t.Fatalf("%s has a window %s of revision %d", day.Key, o.Local, o.Revision)
		}
	}
	for _, o := range day.Windows {
		if now, ok := next.Window(o.Local); !ok || now.Revision < o.Revision {
			t.Fatalf("window %s of revision %d went back to %d", o.Local, o.Revision, now.Revision)
		}
	}
	if len(next.parts) > len(day.parts)+1 || len(next.parts) > 0 && next.parts[len(next.parts)-1].number != p.number {
		t.Fatalf("%d pieces wait after piece %d of %d", len(next.parts), p.number, p.of)
	}
	if len(next.Bad) == len(day.Bad) && len(next.parts) == 0 && next.Grid == 0 {
		t.Fatalf("piece %d of %d left no trace", p.number, p.of)
	}
}
