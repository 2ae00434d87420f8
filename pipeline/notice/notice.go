// Package notice keeps what a person should read once, not each time: an
// operation that never has rows, a token that somebody else uses, a clock that
// is off.
//
// A [Book] holds the notices of all operations, in a KV bucket, so that they
// outlive the process and several processes share them. A notice is one of its
// operation, kind and subject: raising it again only counts. It is logged when
// it is new, or when it comes back after having been gone for a week.
//
// Who raises a notice ends it when its condition is over; [Book.Expire] ends
// those whose condition shows only by being raised again. Which facts make a
// notice, and when they are over, is told at each [Kind]; finding them is the
// raiser's.
package notice

import (
	"slices"
	"strings"
	"time"
)

// Kind is what a notice is about; fit for a metric's label.
type Kind string

// The kinds.
const (
	// AlwaysEmpty: of the last 14 days at least 3 were observed whole, and the
	// source never had a row. Ends with the first row.
	AlwaysEmpty Kind = "always_empty"
	// TokenShared: the source refused a call for others in flight while the
	// lease was ours, or tells of more calls than were made here. Ends when
	// neither was seen for a day.
	TokenShared Kind = "token_shared"
	// ClockOff: the Date of three answers running was more than 30 s away.
	// Ends with an answer whose Date is not.
	ClockOff Kind = "clock_off"
	// CountsDiffer: doctor found that counts do not add up, or a day did not
	// agree with the source in three comparisons. Ends when doctor finds that
	// they do, and when each such day agrees, or was not compared for 30 days.
	CountsDiffer Kind = "counts_do_not_add_up"
	// UnknownCode: a row has a code that neither the source's list nor earlier
	// rows had. Ends when the list has them all, or a week after the last.
	UnknownCode Kind = "unknown_code"
	// QuotaShort: live polling needs more calls than are left. Ends when
	// there are enough.
	QuotaShort Kind = "quota_will_not_last"
)

// Kinds are all of them.
var Kinds = []Kind{AlwaysEmpty, TokenShared, ClockOff, CountsDiffer, UnknownCode, QuotaShort}

// Notice is one thing to be read once.
type Notice struct {
	ID        string    `json:"id"` // of operation, kind and subject
	Operation string    `json:"operation"`
	Kind      Kind      `json:"kind"`
	Text      string    `json:"text"` // for an operator, with the mend; the items are in it
	FirstAt   time.Time `json:"first_at"`
	LastAt    time.Time `json:"last_at"` // raised last; to the hour where it is raised all the time
	Count     int64     `json:"count"`   // how often it was raised
}

// Fact is what a notice is raised for.
type Fact struct {
	Kind    Kind
	Subject string   // tells notices of one kind apart; "" where there is one only
	Text    string   // better without numbers that change all the time
	Items   []string // what it is about, where that is several things: they add up
}

// kept is a notice as it is stored.
type kept struct {
	Kind    Kind                 `json:"kind"`
	Subject string               `json:"subject,omitempty"`
	Text    string               `json:"text"`
	Items   map[string]time.Time `json:"items,omitempty"` // when each was raised last
	FirstAt time.Time            `json:"first_at"`
	LastAt  time.Time            `json:"last_at"`
	Count   int64                `json:"count"`
	EndedAt time.Time            `json:"ended_at,omitzero"` // zero: it stands
}

const (
	goneFor  = 7 * 24 * time.Hour // after which a notice that comes back is new
	noteAge  = time.Hour          // how often it is stored that a notice is raised again
	shown    = 10                 // items in a text
	maxItems = 100                // that are kept; those raised longest ago go first
)

func id(operation string, kind Kind, subject string) string {
	return strings.TrimSuffix(operation+"/"+string(kind)+"/"+subject, "/")
}

// notice is k as it is told.
func (k *kept) notice(operation string) Notice {
	n := Notice{
		ID: id(operation, k.Kind, k.Subject), Operation: operation, Kind: k.Kind, Text: k.Text,
		FirstAt: k.FirstAt, LastAt: k.LastAt, Count: k.Count,
	}
	if items := k.sorted(); len(items) > shown {
		n.Text += ": " + strings.Join(items[:shown], ", ") + " and others"
	} else if len(items) > 0 {
		n.Text += ": " + strings.Join(items, ", ")
	}
	return n
}

// sorted are the items, those raised last first.
func (k *kept) sorted() (items []string) {
	for item := range k.Items {
		items = append(items, item)
	}
	slices.SortFunc(items, func(a, b string) int {
		if c := k.Items[b].Compare(k.Items[a]); c != 0 {
			return c
		}
		return strings.Compare(a, b)
	})
	return items
}

// raise applies a fact; news says whether it is to be read.
func (k *kept) raise(f Fact, times int64, at time.Time) (news bool) {
	switch {
	case k.FirstAt.IsZero(), !k.EndedAt.IsZero() && at.Sub(k.EndedAt) >= goneFor:
		*k = kept{Kind: f.Kind, Subject: f.Subject, FirstAt: at}
		news = true
	case !k.EndedAt.IsZero():
		k.EndedAt = time.Time{} // what it was about is remembered: it is no news
	}
	for _, item := range f.Items {
		if _, known := k.Items[item]; !known {
			news = true
		}
		if k.Items == nil {
			k.Items = map[string]time.Time{}
		}
		k.Items[item] = at
	}
	for _, item := range k.sorted()[min(len(k.Items), maxItems):] {
		delete(k.Items, item)
	}
	k.Text, k.LastAt = f.Text, at
	k.Count += times
	return news
}

// drop takes out items, and ends k where none is named or none is left.
func (k *kept) drop(items []string, at time.Time) {
	if len(items) > 0 && len(k.Items) > 0 {
		for _, item := range items {
			delete(k.Items, item)
		}
		if len(k.Items) > 0 {
			return
		}
	}
	k.EndedAt = at
}
