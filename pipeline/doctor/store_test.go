package doctor_test

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"wolkpipe/pipeline/broker/brokertest"
	"wolkpipe/pipeline/doctor"
)

func TestStore(t *testing.T) {
	kv := brokertest.Bucket(t)
	if _, ok, err := doctor.Load(t.Context(), kv, "ventas"); ok || err != nil {
		t.Errorf("before: %v, %v", ok, err)
	}
	f := doctor.Finding{
		At: time.Date(2026, 11, 1, 5, 0, 0, 0, time.UTC), Calls: 52, Quota: doctor.Quota{Limit: new(int64(1000))}, ClockSkew: new(-time.Second),
		LatencyP50: time.Second, LatencyMax: 2 * time.Second, Day: "2026-10-30", Interactions: 400, ExclusiveEnd: new(true), Additive: new(false),
		Cuts: 19, Notes: []string{"señal"},
	}
	for _, want := range []doctor.Finding{f, {At: f.At}} {
		if err := doctor.Store(t.Context(), kv, "ventas", want); err != nil {
			t.Fatal(err)
		}
		got, ok, err := doctor.Load(t.Context(), kv, "ventas")
		if !ok || err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("got %+v, %v, %v; want %+v", got, ok, err, want)
		}
	}
	if _, ok, err := doctor.Load(t.Context(), kv, "soporte"); ok || err != nil {
		t.Errorf("another operation: %v, %v", ok, err)
	}
	if _, err := kv.Put(t.Context(), "ventas.doctor", []byte("{")); err != nil {
		t.Fatal(err)
	}
	if _, ok, err := doctor.Load(t.Context(), kv, "ventas"); ok || err == nil || !strings.Contains(err.Error(), "run doctor again") {
		t.Errorf("a damaged finding: %v, %v", ok, err)
	}
}

func TestKeep(t *testing.T) {
	for _, c := range []struct {
		name                 string
		nowEnd, nowAdd       *bool
		beforeEnd, beforeAdd *bool
		wantEnd, wantAdd     *bool
		notes                int
	}{
		{"nothing before", yes, nil, nil, nil, yes, nil, 0},
		{"nothing found out now", nil, nil, yes, yes, yes, yes, 2},
		{"all found out now", no, no, yes, yes, no, no, 0},
		{"the end as before", yes, nil, yes, yes, yes, yes, 1},
		{"another end", no, nil, yes, yes, no, nil, 0},
		{"not additive before", nil, nil, no, no, no, no, 2},
	} {
		now := doctor.Finding{ExclusiveEnd: c.nowEnd, Additive: c.nowAdd}
		got := now.Keep(doctor.Finding{ExclusiveEnd: c.beforeEnd, Additive: c.beforeAdd, Notes: []string{"old"}})
		is(t, c.name+": end", got.ExclusiveEnd, c.wantEnd, got)
		is(t, c.name+": additive", got.Additive, c.wantAdd, got)
		if len(got.Notes) != c.notes {
			t.Errorf("%s: notes %q", c.name, got.Notes)
		}
	}
}
