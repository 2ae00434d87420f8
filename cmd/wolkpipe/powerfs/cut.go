package powerfs

import (
	"fmt"
	"maps"
	"slices"
)

// Loss is what one power cut took.
type Loss struct {
	Names  int // changes of names and lengths
	Writes int // to files that are still there
	Torn   int // writes of which a part was kept
	Zeroed int // files that end in zeros in place of what was written
}

// Add adds another loss.
func (l *Loss) Add(o Loss) {
	l.Names, l.Writes, l.Torn, l.Zeroed = l.Names+o.Names, l.Writes+o.Writes, l.Torn+o.Torn, l.Zeroed+o.Zeroed
}

func (l Loss) String() string {
	return fmt.Sprintf("%d names, %d writes, %d torn, %d files with zeros", l.Names, l.Writes, l.Torn, l.Zeroed)
}

// Cut takes from the disk what a power cut takes. It must not be mounted.
func (d *Disk) Cut() (loss Loss) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.unmount != nil {
		panic("powerfs: the disk is mounted: programs would go on with what they have cached")
	}
	kept := 0
	switch d.rng.IntN(4) {
	case 0: // none
	case 1:
		kept = len(d.journal)
	default:
		kept = d.rng.IntN(len(d.journal) + 1)
	}
	d.commit(kept)
	loss.Names = len(d.journal)
	d.journal = nil
	done := map[*node]bool{} // a file may have several names
	var restore func(*node)
	restore = func(n *node) {
		if done[n] {
			return
		}
		done[n] = true
		if !n.folder() {
			d.tear(n, &loss)
			return
		}
		n.entries = maps.Clone(n.sureEntries)
		for _, name := range slices.Sorted(maps.Keys(n.entries)) { // in an order that the seed repeats
			restore(n.entries[name])
		}
	}
	restore(d.root)
	return loss
}

// shares are how likely a write of a file is kept: disks write what lies
// together at once, so mostly all or nothing.
var shares = []float64{0, 0, 0.5, 0.9, 1}

// tear makes of a file what is left of it.
func (d *Disk) tear(n *node, loss *Loss) {
	share := shares[d.rng.IntN(len(shares))]
	var kept []write
	cut := false // a setting of the length was lost: all after it is
	for _, w := range n.writes {
		switch {
		case cut:
		case w.change != 0:
			cut = w.change > d.sure
		}
		if !cut && (w.change != 0 || d.rng.Float64() < share) {
			kept = append(kept, w)
		} else if w.change == 0 {
			loss.Writes++
		}
	}
	if last := len(kept) - 1; last >= 0 && len(kept[last].data) > 0 && d.rng.IntN(2) == 0 {
		kept[last].data = kept[last].data[:d.rng.IntN(len(kept[last].data))]
		loss.Torn++
	}
	for _, w := range kept {
		n.sureData = w.do(n.sureData)
	}
	if missing := len(n.data) - len(n.sureData); !cut && missing > 0 && d.rng.IntN(4) == 0 {
		n.sureData = append(n.sureData, make([]byte, 1+d.rng.IntN(missing))...)
		loss.Zeroed++
	}
	n.data, n.writes = slices.Clone(n.sureData), nil
}
