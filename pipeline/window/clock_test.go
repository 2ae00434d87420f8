package window

import "time"

func offset(loc *time.Location, unix int64) int64 {
	_, seconds := time.Unix(unix, 0).In(loc).Zone()
	return int64(seconds)
}

// face is what a clock shows in a day, second by second: the first and the
// last instant that show each, in Unix seconds, or never.
type face struct{ first, last [daySeconds]int64 }

const never = -1 << 62

// reach bounds the offsets of a zone, in seconds.
type reach struct{ least, most int64 }

// anywhere holds every offset since 1900.
var anywhere = reach{-16 * 3600, 16 * 3600}

// watch looks at a clock at every second that may show day d.
func watch(loc *time.Location, d Date, r reach) *face {
	f := new(face)
	for i := range f.first {
		f.first[i], f.last[i] = never, never
	}
	var shift int64
	for unix := int64(d.Start()) - r.most; unix < int64(d.End())-r.least; unix++ {
		if unix%60 == 0 || shift == 0 { // since 1970 clocks have changed at whole minutes only
			shift = offset(loc, unix) - int64(d.Start())
		}
		second := unix + shift
		if second < 0 || second >= daySeconds {
			continue
		}
		if f.first[second] == never {
			f.first[second] = unix
		}
		f.last[second] = unix
	}
	return f
}

// windows are the windows of a day, read off its face.
func (f *face) windows(loc *time.Location, d Date, g Grid) []Window {
	var all []Window
	length := g.Seconds()
	for from := int64(0); from < daySeconds; from += length {
		var first, last int64 = never, never // seconds of the face
		for s := from; s < from+length; s++ {
			if f.first[s] == never {
				continue
			}
			if first == never {
				first = s
			}
			last = s
		}
		if first == never {
			continue
		}
		r := Range{d.Start() + Local(from), d.Start() + Local(from+length)}
		all = append(all, Window{r, time.Unix(f.first[first], 0).In(loc), time.Unix(f.last[last]+1, 0).In(loc)})
	}
	return all
}
