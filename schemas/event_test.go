package schemas

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "write the golden files anew")

func bogota(hour, minute int) time.Time {
	return time.Date(2026, 11, 1, hour, minute, 0, 0, time.FixedZone("-05", -5*3600))
}

func text(s string) *string { return &s }

// observed is to the microsecond, as observations are.
var observed = time.Date(2026, 11, 1, 15, 6, 7, 891_000, time.UTC)

func exampleRow() RowData {
	return RowData{
		Operation: "ventas", Day: "2026-11-01", WindowStart: bogota(10, 0), WindowEnd: bogota(10, 5), WindowLocal: "2026-11-01T10:00:00",
		Agent: "COM-José Ñuñez", Code: "Acuerdo_de_Pago", Description: text("Acuerdo & pago"),
		Interactions: 5, Previous: 2, Delta: 3, Revision: 2, ObservedAt: observed, Cause: Settle,
	}
}

func exampleWindow() WindowData {
	return WindowData{
		Operation: "ventas", Day: "2026-11-01", WindowStart: bogota(10, 0), WindowEnd: bogota(10, 5), WindowLocal: "2026-11-01T10:00:00",
		Revision: 2, Method: Direct, ObservedAt: observed, Cause: Live,
		RowCount: 2, Interactions: 6, RejectedRows: 1, DroppedRows: 3,
		Rows: []Row{
			{Agent: "", Code: "TIMEOUTCHAT", Interactions: 1},
			{Agent: "COM-José Ñuñez", Code: "0012", Description: text("Pago"), Interactions: 5},
		},
		Part: 1, Parts: 1,
	}
}

func exampleDay() DayData {
	return DayData{
		Operation: "ventas", Day: "2026-11-01", Timezone: "America/Bogota", Revision: 3, State: Settled,
		WindowsExpected: 288, WindowsObserved: 288, RowCount: 412, Interactions: 1633,
	}
}

// TestGolden holds the events that go out, byte by byte but for indentation.
// What changes here is a change that consumers see.
func TestGolden(t *testing.T) {
	for name, event := range map[string]func() (string, []byte, error){
		"row": func() (string, []byte, error) { return NewRow(exampleRow()) },
		"row_vanished": func() (string, []byte, error) {
			d := exampleRow()
			d.Agent, d.Code, d.Description = "", "", nil
			d.Interactions, d.Previous, d.Delta = 0, 5, -5
			return NewRow(d)
		},
		"window": func() (string, []byte, error) { return NewWindow(exampleWindow()) },
		"window_empty": func() (string, []byte, error) {
			d := exampleWindow()
			d.Revision, d.Method = 1, Empty
			d.RowCount, d.Interactions, d.RejectedRows, d.DroppedRows, d.Rows = 0, 0, 0, 0, []Row{}
			return NewWindow(d)
		},
		"day": func() (string, []byte, error) { return NewDay(exampleDay(), observed) },
		"quarantine": func() (string, []byte, error) {
			b, err := json.Marshal(QuarantineRow{Operation: "ventas", WindowLocal: "2026-11-01T10:00:00", Revision: 2,
				Reason: "interactions is empty", Raw: json.RawMessage(`{"interactions":"","agent_name":"COM-José","cod_act":"0012"}`)})
			return "", b, err
		},
	} {
		t.Run(name, func(t *testing.T) {
			id, event, err := event()
			if err != nil {
				t.Fatal(err)
			}
			var got bytes.Buffer
			if err := json.Indent(&got, event, "", "  "); err != nil {
				t.Fatal(err)
			}
			got.WriteByte('\n')
			file := filepath.Join("testdata", name+".json")
			if *update {
				if err := os.WriteFile(file, got.Bytes(), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatalf("%v: write it with go test ./schemas -update", err)
			}
			if !bytes.Equal(got.Bytes(), want) {
				t.Errorf("%s differs:\n%s\nwant\n%s", file, got.Bytes(), want)
			}
			var envelope Event[json.RawMessage]
			if err := json.Unmarshal(event, &envelope); err != nil || envelope.ID != id {
				t.Errorf("the event's id is %q, %v; want %q", envelope.ID, err, id)
			}
		})
	}
}

// TestEnvelope checks the attributes that every event promises.
func TestEnvelope(t *testing.T) {
	elsewhere := exampleRow()
	elsewhere.ObservedAt = observed.In(time.FixedZone("", 3*3600))
	for _, c := range []struct {
		typ, schema, subject string
		new                  func() (string, []byte, error)
	}{
		{TypeRow, "urn:wolkpipe:schema:chat_7.row.v1", "2026-11-01T10:00:00", func() (string, []byte, error) { return NewRow(elsewhere) }},
		{TypeWindow, "urn:wolkpipe:schema:chat_7.window.v1", "2026-11-01T10:00:00", func() (string, []byte, error) { return NewWindow(exampleWindow()) }},
		{TypeDay, "urn:wolkpipe:schema:chat_7.day.v1", "2026-11-01", func() (string, []byte, error) { return NewDay(exampleDay(), observed) }},
	} {
		_, event, err := c.new()
		if err != nil {
			t.Fatal(err)
		}
		var e Event[map[string]any]
		if err := json.Unmarshal(event, &e); err != nil {
			t.Fatal(err)
		}
		if e.SpecVersion != "1.0" || e.Source != "/wolkpipe/ventas/chat_7" || e.DataContentType != "application/json" ||
			e.Type != c.typ || e.DataSchema != c.schema || e.Subject != c.subject || !e.Time.Equal(observed) || e.Time.Location() != time.UTC {
			t.Errorf("envelope of %s: %+v", c.typ, e)
		}
		if e.Data["operation"] != "ventas" || e.Data["day"] != "2026-11-01" {
			t.Errorf("data of %s: %v", c.typ, e.Data)
		}
	}
}

// TestIDs: the same content has the same id whenever it is wrapped; any
// change, also one that the key alone shows, has its own.
func TestIDs(t *testing.T) {
	form := regexp.MustCompile(`^[0-9a-f]{32}$`)
	seen := map[string]string{}
	add := func(name string, event func() (string, []byte, error)) {
		t.Helper()
		id, b, err := event()
		if err != nil {
			t.Fatal(err)
		}
		again, b2, err := event()
		if err != nil || again != id || !bytes.Equal(b, b2) {
			t.Errorf("%s has the ids %s and %s, %v", name, id, again, err)
		}
		if !form.MatchString(id) {
			t.Errorf("id of %s is %q", name, id)
		}
		if seen[id] != "" {
			t.Errorf("%s and %s have the id %s", name, seen[id], id)
		}
		seen[id] = name
	}
	row := func(name string, change func(*RowData)) {
		add("row, "+name, func() (string, []byte, error) { d := exampleRow(); change(&d); return NewRow(d) })
	}
	row("as it is", func(*RowData) {})
	row("operation", func(d *RowData) { d.Operation = "soporte" })
	row("window", func(d *RowData) { d.WindowLocal = "2026-11-01T10:05:00" })
	row("agent", func(d *RowData) { d.Agent = "" })
	row("code", func(d *RowData) { d.Code = "acuerdo_de_pago" })
	row("agent for code", func(d *RowData) { d.Agent, d.Code = d.Code, d.Agent })
	row("revision", func(d *RowData) { d.Revision++ })
	row("count", func(d *RowData) { d.Interactions, d.Delta = 6, 4 })
	row("previous", func(d *RowData) { d.Previous, d.Delta = 3, 2 })
	row("description", func(d *RowData) { d.Description = nil })
	row("cause", func(d *RowData) { d.Cause = Repair })
	row("observed", func(d *RowData) { d.ObservedAt = observed.Add(time.Microsecond) })

	window := func(name string, change func(*WindowData)) {
		add("window, "+name, func() (string, []byte, error) { d := exampleWindow(); change(&d); return NewWindow(d) })
	}
	window("as it is", func(*WindowData) {})
	window("revision", func(d *WindowData) { d.Revision++ })
	window("part", func(d *WindowData) { d.Part, d.Parts = 2, 2 })
	window("first of two parts", func(d *WindowData) { d.Parts = 2 })
	window("rows", func(d *WindowData) { d.Rows = d.Rows[:1] })
	window("rejects", func(d *WindowData) { d.RejectedRows = 0 })

	day := func(name string, change func(*DayData)) {
		add("day, "+name, func() (string, []byte, error) { d := exampleDay(); change(&d); return NewDay(d, observed) })
	}
	day("as it is", func(*DayData) {})
	day("day", func(d *DayData) { d.Day = "2026-11-02" })
	day("revision", func(d *DayData) { d.Revision++ })
	day("state", func(d *DayData) { d.State = Provisional })
}
