package lease

import "fmt"

// Kind is what a call is for, and with that how urgent it is.
type Kind int

// The kinds. Info is as urgent as Live.
const (
	Live Kind = iota
	Info
	Catchup
	Backfill
)

var kindNames = [...]string{"live", "info", "catchup", "backfill"}

// String is the kind's name in the record.
func (k Kind) String() string {
	if k < 0 || int(k) >= len(kindNames) {
		return fmt.Sprintf("kind %d", int(k))
	}
	return kindNames[k]
}

// MarshalText gives the name.
func (k Kind) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// UnmarshalText reads a name.
func (k *Kind) UnmarshalText(text []byte) error {
	for i, name := range kindNames {
		if name == string(text) {
			*k = Kind(i)
			return nil
		}
	}
	return fmt.Errorf("unknown kind of call %q", text)
}

// Calls by which a waiter may be overtaken.
const (
	passedByCatchup = 16
	passedByAny     = 64
	passedByPeers   = 8 // of another process, by calls as urgent as its own
)

// urgency orders waiters: the least is next.
func urgency(k Kind, passed int) int {
	rank := 0
	switch k {
	case Catchup:
		rank = 2
	case Backfill:
		rank = 3
	}
	switch {
	case passed >= passedByAny:
		return -1
	case passed >= passedByCatchup:
		return min(rank, 1)
	}
	return rank
}
