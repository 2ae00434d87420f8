package lease

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"
)

// recordVersion is of the record's form; another one is never overwritten.
const recordVersion = 1

// record is what all processes know of a token. Its durations run from when
// the beat was written.
type record struct {
	Version  int    `json:"version"`
	Beat     uint64 `json:"beat"`               // number of the latest write of a holder
	Instance string `json:"instance,omitempty"` // the process that wrote it
	Owner    string `json:"owner,omitempty"`    // of the lease; empty: it was let go of
	For      string `json:"for,omitempty"`      // the instance that it was let go of for
	Lease    millis `json:"lease_ms"`           // nobody but Owner, or For, is let in for
	Busy     millis `json:"busy_ms"`            // nobody at all is let in for; 0: no call is open
	Wants    []want `json:"wants,omitempty"`    // processes that wait for the lease
	Quota    ledger `json:"quota"`
}

// want is a process that waits.
type want struct {
	Instance string `json:"instance"`
	Kind     Kind   `json:"kind"`
	Passed   int    `json:"passed"` // calls of others since
}

// wantLimit bounds what processes that died while waiting leave behind.
const wantLimit = 16

// millis is a duration in whole milliseconds, rounded up.
type millis int64

func inMillis(d time.Duration) millis {
	return millis((max(d, 0) + time.Millisecond - 1) / time.Millisecond)
}

func (m millis) duration() time.Duration { return time.Duration(m) * time.Millisecond }

// beat identifies the write that a record's durations run from.
type beat struct {
	instance string
	number   uint64
}

func (r *record) beat() beat { return beat{r.Instance, r.Beat} }

// clone copies r, so that a change that is refused leaves no trace.
func (r *record) clone() *record {
	c := *r
	c.Wants = slices.Clone(r.Wants)
	c.Quota = r.Quota.clone()
	return &c
}

// want finds the want of an instance; nil if it has none.
func (r *record) want(instance string) *want {
	for i := range r.Wants {
		if r.Wants[i].Instance == instance {
			return &r.Wants[i]
		}
	}
	return nil
}

func (r *record) dropWant(instance string) {
	r.Wants = slices.DeleteFunc(r.Wants, func(w want) bool { return w.Instance == instance })
}

func (r *record) encode() ([]byte, error) {
	data, err := json.Marshal(r)
	if err != nil {
		return nil, fmt.Errorf("encoding a lease: %w", err)
	}
	return data, nil
}

// RecordError means that a token's record cannot be read. Nobody is let in:
// what it counted, and whether a call is open, is not known.
type RecordError struct {
	Key string // in Bucket
	Err error
}

func (e *RecordError) Error() string {
	return fmt.Sprintf("the record %s in bucket %s cannot be used: %v: if no newer wolkpipe runs, "+
		"wait for a minute, then: nats kv del %s %s (calls made in the last 24 hours are forgotten by that: "+
		"with the quota nearly used up, wait for its reset first)", e.Key, Bucket, e.Err, Bucket, e.Key)
}

// Unwrap gives what is wrong with the record.
func (e *RecordError) Unwrap() error { return e.Err }

func decode(key string, data []byte) (*record, error) {
	r := new(record)
	if err := json.Unmarshal(data, r); err != nil {
		return nil, &RecordError{key, err}
	}
	if r.Version != recordVersion {
		return nil, &RecordError{key, fmt.Errorf("it has version %d, and this is wolkpipe for version %d", r.Version, recordVersion)}
	}
	if r.Lease < 0 || r.Busy < 0 || r.Lease > inMillis(time.Hour) || r.Busy > inMillis(time.Hour) || !r.Quota.sound() {
		return nil, &RecordError{key, errors.New("a number in it is out of range")}
	}
	return r, nil
}
