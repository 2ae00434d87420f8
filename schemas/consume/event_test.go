package consume_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"wolkpipe/schemas"
	"wolkpipe/schemas/consume"
)

// private fails unless a folder holds that one file, which nobody else reads.
func private(t *testing.T, path string) {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if mode := info.Mode().Perm(); mode != 0o600 {
		t.Errorf("the mode of %s is %o", path, mode)
	}
	if all, err := os.ReadDir(filepath.Dir(path)); err != nil || len(all) != 1 {
		t.Errorf("beside it are %v, %v", all, err)
	}
	if err := os.WriteFile(path, []byte(`{"next": 3, "counts"`), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := consume.Load(path); err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("a file that is cut short is read: %v", err)
	}
	if err := new(consume.Fold).Save(filepath.Join(path, "in a file")); err == nil {
		t.Error("saving below a file worked")
	}
}

func golden(t testing.TB, name string) []byte {
	t.Helper()
	data, err := os.ReadFile("../testdata/" + name + ".json")
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestDecode(t *testing.T) {
	row, err := consume.Decode(golden(t, "row"))
	if err != nil || row.Type != schemas.TypeRow || row.Row == nil || row.Window != nil || row.Day != nil || row.ID != "32e9c1acaec4b8acbadec57011022a12" ||
		row.Row.Delta != 3 || row.Row.Code != "Acuerdo_de_Pago" || !row.Time.Equal(row.Row.ObservedAt) {
		t.Errorf("a row is %+v, %v", row, err)
	}
	window, err := consume.Decode(golden(t, "window"))
	if err != nil || window.Type != schemas.TypeWindow || window.Window == nil || window.Row != nil || window.Day != nil || len(window.Window.Rows) != 2 {
		t.Errorf("a window is %+v, %v", window, err)
	}
	day, err := consume.Decode(golden(t, "day"))
	if err != nil || day.Type != schemas.TypeDay || day.Day == nil || day.Row != nil || day.Window != nil || day.Day.State != schemas.Settled {
		t.Errorf("a day is %+v, %v", day, err)
	}
	for _, unknown := range []string{
		`{"specversion": "1.0", "id": "1", "type": "wolkpipe.chat_7.row.v2", "data": {"operation": 7}}`,
		`{"specversion": "1.0", "id": "1", "type": "else", "data": "text", "more": {}}`,
		`{"id": "1", "type": "else"}`,
	} {
		e, err := consume.Decode([]byte(unknown))
		if err != nil || e.ID != "1" || e.Type == "" || e.Row != nil || e.Window != nil || e.Day != nil {
			t.Errorf("%s is %+v, %v", unknown, e, err)
		}
		if _, changed := new(consume.Fold).Apply(e, 1); changed {
			t.Errorf("%s changes something", unknown)
		}
	}
	if e, err := consume.Decode([]byte(strings.Replace(string(golden(t, "row")), `"agent_name"`, `"of_tomorrow": [1], "agent_name"`, 1))); err != nil || e.Row.Interactions != 5 {
		t.Errorf("a field more gives %+v, %v", e, err)
	}
}

func TestDecodeRefuses(t *testing.T) {
	row := string(golden(t, "row"))
	bad := map[string]string{
		"nothing": "", "no JSON": "hello", "a list": "[]", "cut short": row[:len(row)/2], "quarantine": string(golden(t, "quarantine")),
		"no data": `{"id": "1", "type": "` + schemas.TypeDay + `"}`, "data null": `{"id": "1", "type": "` + schemas.TypeRow + `", "data": null}`,
	}
	for _, c := range [][2]string{
		{`"operation": "ventas"`, `"operation": ""`}, {`"window_local": "2026-11-01T10:00:00"`, `"window_local": ""`},
		{`"revision": 2`, `"revision": 0`}, {`"revision": 2`, `"revision": "2"`}, {`"observed_at": "2026-11-01T15:06:07.000891Z"`, `"observed_at": null`},
		{`"interactions": 5`, `"interactions": 5.5`}, {`"type": "wolkpipe.chat_7.row.v1",`, ""},
	} {
		changed := strings.Replace(row, c[0], c[1], 1)
		if changed == row {
			t.Fatalf("%s is not there", c[0])
		}
		bad[c[1]] = changed
	}
	for name, data := range bad {
		if e, err := consume.Decode([]byte(data)); err == nil {
			t.Errorf("%s is read as %+v", name, e)
		} else if e.Row != nil || e.Day != nil {
			t.Errorf("%s gives %+v beside its error", name, e)
		}
	}
}

func FuzzDecode(f *testing.F) {
	for _, name := range []string{"row", "row_vanished", "window", "day", "quarantine"} {
		f.Add(golden(f, name))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		e, err := consume.Decode(data)
		if err != nil {
			return
		}
		fold := new(consume.Fold)
		change, changed := fold.Apply(e, 1)
		if changed && (change.Delta() != e.Row.Interactions || fold.Sum(func(k consume.Key) string { return k.Operation })[e.Row.Operation] != e.Row.Interactions) {
			t.Fatalf("%+v gives %+v", e.Row, change)
		}
		if _, changed := restarted(t, fold).Apply(e, 1); changed {
			t.Fatalf("%+v counts twice", e.Row)
		}
	})
}
