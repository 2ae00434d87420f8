package lease

import "testing"

// A server that was the leader may answer with a record of before the call:
// that does not tell that another process has taken over, and the end of the
// call is written with the next one.
func TestOlderRecordSettlesNothing(t *testing.T) {
	p := start(t, "a", 10)
	p.enter(t, Live).Done(Outcome{Ended: true, Granted: true})
	value, revision, err := p.leases.get(t.Context(), p.key)
	if err != nil {
		t.Fatal(err)
	}
	call := p.enter(t, Live)
	p.nats.older = &read{value, revision}
	call.Done(Outcome{Ended: true}) // it was not sent, and does not count
	p.enter(t, Live).Done(Outcome{Ended: true, Granted: true})
	if s := p.State(); s.Used != 2 {
		t.Errorf("%d calls count, want 2", s.Used)
	}
}

// What is read is what the leader has, deleted values and none included.
func TestReadsTheLeader(t *testing.T) {
	p := start(t, "a", 10)
	if r, revision, err := p.leases.read(t.Context(), p.key); r != nil || revision != 0 || err != nil {
		t.Errorf("nothing is there and %+v %d is read, error %v", r, revision, err)
	}
	p.enter(t, Live).Done(Outcome{Ended: true, Granted: true})
	r, revision, err := p.leases.read(t.Context(), p.key)
	entry, other := p.leases.bucket().Get(t.Context(), p.key)
	if err != nil || other != nil {
		t.Fatal(err, other)
	}
	if revision != entry.Revision() || r.Owner != "a" {
		t.Errorf("revision %d of %q is read, revision %d is there", revision, r.Owner, entry.Revision())
	}
	for name, remove := range map[string]func() error{
		"deleted": func() error { return p.leases.bucket().Delete(t.Context(), p.key) },
		"purged":  func() error { return p.leases.bucket().Purge(t.Context(), p.key) },
	} {
		if err := remove(); err != nil {
			t.Fatal(err)
		}
		if r, revision, err := p.leases.read(t.Context(), p.key); r != nil || revision != 0 || err != nil {
			t.Errorf("%s, %+v %d is read, error %v", name, r, revision, err)
		}
	}
}
