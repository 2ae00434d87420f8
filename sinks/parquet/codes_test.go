package parquet

import (
	"bytes"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/parquet-go/parquet-go"

	"wolkpipe/schemas"
	"wolkpipe/sinks"
	"wolkpipe/sinks/lake"
)

const codesObject = "activity_codes/operation=ventas/activity_codes.parquet"

// known is a code with a description, seen on two days.
func known(code, description string, first, last int) schemas.ActivityCode {
	return schemas.ActivityCode{Code: code, Description: &description, FirstSeenAt: epoch.AddDate(0, 0, first), LastSeenAt: epoch.AddDate(0, 0, last)}
}

// someCodes have every column with and without a value, and the empty code.
func someCodes() []schemas.ActivityCode {
	full := known("0012", "Acuerdo de pago", 1, 5)
	full.Hit, full.RPC, full.Chat, full.Voice, full.TypeCode = new("1"), new("0"), new("1"), new("0"), new("Gestión")
	full.LastSeenAt = full.LastSeenAt.Add(123456 * time.Microsecond)
	bare := known("", "", 1, 5)
	bare.Description = nil
	return []schemas.ActivityCode{known("ñ", "", 2, 4), full, bare}
}

func mustPutCodes(t testing.TB, s *Sink, wrote bool, codes ...schemas.ActivityCode) {
	t.Helper()
	got, err := s.PutCodes(t.Context(), "ventas", codes)
	if err != nil || got != wrote {
		t.Fatalf("wrote %v, %v; want %v", got, err, wrote)
	}
}

func wantCodes(t testing.TB, s *Sink, want ...schemas.ActivityCode) {
	t.Helper()
	got, err := s.Codes(t.Context(), "ventas")
	if err != nil || codesText(got) != codesText(want) {
		t.Fatalf("the lake holds\n%s%v, want\n%s", codesText(got), err, codesText(want))
	}
}

// codesText is codes in the order of an object.
func codesText(codes []schemas.ActivityCode) string {
	codes = slices.SortedFunc(slices.Values(codes), func(a, b schemas.ActivityCode) int { return strings.Compare(a.Code, b.Code) })
	var b strings.Builder
	for _, c := range codes {
		fmt.Fprintf(&b, "%q", c.Code)
		for _, text := range []*string{c.Description, c.Hit, c.RPC, c.Chat, c.Voice, c.TypeCode} {
			if text == nil {
				b.WriteString(" -")
			} else {
				fmt.Fprintf(&b, " %q", *text)
			}
		}
		fmt.Fprintln(&b, "", c.FirstSeenAt, c.LastSeenAt)
	}
	return b.String()
}

func TestPutCodes(t *testing.T) {
	dir, root := openDir(t)
	for name, s := range map[string]*Sink{"dir": dir, "mem": openMem(t)} {
		t.Run(name, func(t *testing.T) {
			mustPutCodes(t, s, false)
			wantCodes(t, s)
			codes := someCodes()
			mustPutCodes(t, s, true, codes...)
			wantCodes(t, s, codes...)
			slices.Reverse(codes)
			mustPutCodes(t, s, false, codes...)
			mustPutCodes(t, s, false, codes[1]) // the others stay
			mustPutCodes(t, s, false)

			edited := codes[1]
			edited.Description, edited.Hit, edited.LastSeenAt = new("Acuerdo"), nil, epoch.AddDate(0, 0, 7)
			mustPutCodes(t, s, true, edited)
			wantCodes(t, s, codes[0], edited, codes[2])
			mustPutCodes(t, s, false, codes...) // an older sight
			wantCodes(t, s, codes[0], edited, codes[2])

			later := edited // as after the loss of the bucket
			later.FirstSeenAt = epoch.AddDate(0, 0, 6)
			mustPutCodes(t, s, false, later)
			edited.LastSeenAt = edited.LastSeenAt.Add(time.Microsecond)
			mustPutCodes(t, s, true, edited)
			wantCodes(t, s, codes[0], edited, codes[2])
		})
	}
	if got := files(t, root); !slices.Equal(got, []string{probeName, lockName, codesObject}) {
		t.Errorf("the folder holds %q", got)
	}
}

func TestPutCodesErrors(t *testing.T) {
	s, root := openDir(t)
	for want, codes := range map[string][]schemas.ActivityCode{
		`code "1" stands twice`:     {known("1", "a", 1, 1), known("2", "a", 1, 1), known("1", "b", 1, 1)},
		`which is not UTF-8`:        {known("1", "a\xff", 1, 1)},
		`code "\xff" has "\xff", w`: {known("\xff", "a", 1, 1)},
	} {
		if wrote, err := s.PutCodes(t.Context(), "ventas", codes); wrote || err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, %v; want %s", wrote, err, want)
		}
	}
	for _, operation := range []string{"", "..", "Ventas", "a/b"} {
		if _, err := s.PutCodes(t.Context(), operation, someCodes()); err == nil {
			t.Errorf("operation %q is taken", operation)
		}
		if _, err := s.Codes(t.Context(), operation); err == nil {
			t.Errorf("operation %q is read", operation)
		}
	}
	if got := files(t, root); slices.ContainsFunc(got, isObject) {
		t.Errorf("the folder holds %q", got)
	}
}

// TestDuckDBCodes reads the codes as a user of the lake does, and what the
// footer says of their columns.
func TestDuckDBCodes(t *testing.T) {
	s, root := openDir(t)
	mustPutCodes(t, s, true, someCodes()...)
	if _, err := s.PutCodes(t.Context(), "soporte", someCodes()[:1]); err != nil {
		t.Fatal(err)
	}
	from := "read_parquet('" + filepath.Join(root, "activity_codes", "*", "*.parquet") + "', hive_partitioning = true)"
	var got []string
	var name, kind string
	each(t, query(t, "SELECT column_name, column_type FROM (DESCRIBE SELECT * FROM "+from+")"), func() { got = append(got, name+" "+kind) }, &name, &kind)
	want := []string{
		"cod_act VARCHAR", "description_cod_act VARCHAR", "hit VARCHAR", "rpc VARCHAR", "chat VARCHAR", "voice VARCHAR", "type_code VARCHAR",
		"first_seen_at TIMESTAMP WITH TIME ZONE", "last_seen_at TIMESTAMP WITH TIME ZONE", "operation VARCHAR",
	}
	if !slices.Equal(got, want) {
		t.Errorf("the columns are\n%q, want\n%q", got, want)
	}

	var repetition, logical string
	got = nil
	each(t, query(t, "SELECT name, repetition_type, logical_type FROM parquet_schema(?) WHERE type IS NOT NULL", filepath.Join(root, filepath.FromSlash(codesObject))),
		func() {
			kind, _, _ := strings.Cut(logical, "(")
			if strings.Contains(logical, "isAdjustedToUTC=1") && strings.Contains(logical, "MICROS") {
				kind = "UTC MICROS"
			}
			got = append(got, name+" "+repetition+" "+kind)
		}, &name, &repetition, &logical)
	want = []string{
		"cod_act OPTIONAL StringType", "description_cod_act OPTIONAL StringType", "hit OPTIONAL StringType", "rpc OPTIONAL StringType",
		"chat OPTIONAL StringType", "voice OPTIONAL StringType", "type_code OPTIONAL StringType",
		"first_seen_at REQUIRED UTC MICROS", "last_seen_at REQUIRED UTC MICROS",
	}
	if !slices.Equal(got, want) {
		t.Errorf("the schema is\n%q, want\n%q", got, want)
	}

	var codes []schemas.ActivityCode
	var c schemas.ActivityCode
	var code sql.NullString
	each(t, query(t, "SELECT * EXCLUDE operation FROM "+from+" WHERE operation = 'ventas'"), func() {
		c.Code, c.FirstSeenAt, c.LastSeenAt = code.String, c.FirstSeenAt.UTC(), c.LastSeenAt.UTC()
		if !code.Valid {
			t.Error("a code is null")
		}
		codes = append(codes, c)
		c = schemas.ActivityCode{}
	}, &code, &c.Description, &c.Hit, &c.RPC, &c.Chat, &c.Voice, &c.TypeCode, &c.FirstSeenAt, &c.LastSeenAt)
	if codesText(codes) != codesText(someCodes()) || len(codes) != 3 || codes[0].Code != "" || codes[2].Code != "ñ" {
		t.Errorf("DuckDB reads\n%s, want\n%s", codesText(codes), codesText(someCodes()))
	}
}

// TestCodesRewrittenByAnother: the content is still ours, in any order; a line
// without a code is not.
func TestCodesRewrittenByAnother(t *testing.T) {
	s, root := openDir(t)
	mustPutCodes(t, s, true, someCodes()...)
	file, copied := filepath.Join(root, filepath.FromSlash(codesObject)), filepath.Join(t.TempDir(), "copy.parquet")
	db, err := duckDB()
	if err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct {
		from  string
		wrote bool
	}{
		{"SELECT * FROM source ORDER BY ALL DESC", false},
		{"SELECT * FROM source UNION ALL SELECT * REPLACE (NULL AS cod_act) FROM source", true},
		{"SELECT * FROM source UNION ALL SELECT * REPLACE (NULL AS hit, last_seen_at - INTERVAL 1 DAY AS last_seen_at) FROM source", true},
	} {
		source := "WITH source AS (FROM read_parquet('" + file + "', hive_partitioning = false)) "
		if _, err := db.ExecContext(t.Context(), "COPY ("+source+step.from+") TO '"+copied+"' (FORMAT parquet)"); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(copied, file); err != nil {
			t.Fatal(err)
		}
		mustPutCodes(t, s, step.wrote, someCodes()...)
		wantCodes(t, s, someCodes()...)
	}
}

func TestDamagedCodes(t *testing.T) {
	s, root := openDir(t)
	mustPutCodes(t, s, true, someCodes()...)
	file := filepath.Join(root, filepath.FromSlash(codesObject))
	good, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	s.log = slog.New(slog.NewTextHandler(&log, nil))
	for name, data := range damaged(t, good) {
		log.Reset()
		writeFile(t, file, data)
		if _, err := s.Codes(t.Context(), "ventas"); !errors.Is(err, lake.ErrUnreadable) {
			t.Errorf("%s: a reader got %v", name, err)
		}
		mustPutCodes(t, s, false) // nothing is known
		mustPutCodes(t, s, true, someCodes()[1])
		wantCodes(t, s, someCodes()[1])
		if text := log.String(); strings.Count(text, "level=WARN") != 1 || !strings.Contains(text, codesObject) {
			t.Errorf("%s: the log says %q", name, text)
		}
	}

	type newer struct {
		lake.CodeRecord
		Channel *string `parquet:"channel,optional"`
	}
	var data bytes.Buffer
	if err := parquet.Write(&data, []newer{{CodeRecord: lake.CodeRecord{Code: new("1")}}}); err != nil {
		t.Fatal(err)
	}
	writeFile(t, file, data.Bytes())
	_, err = s.PutCodes(t.Context(), "ventas", someCodes())
	var refused *sinks.Error
	if !errors.As(err, &refused) || !strings.Contains(err.Error(), "unknown columns channel: upgrade wolkpipe") {
		t.Errorf("a newer version's object: %v", err)
	}
	if now, err := os.ReadFile(file); err != nil || !bytes.Equal(now, data.Bytes()) {
		t.Errorf("a newer version's object was replaced: %v", err)
	}
}

// TestPutCodesTogether: writers on one folder, whose puts fail before and after
// they are done, lose nothing of what any of them told, and readers always find
// a whole object.
func TestPutCodesTogether(t *testing.T) {
	first, root := openDir(t)
	second, err := Open(t.Context(), Options{Bucket: "file://" + root})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = second.Close() }()
	var conflicts atomic.Int64
	for round := range 25 {
		if err := os.RemoveAll(filepath.Join(root, "activity_codes")); err != nil {
			t.Fatal(err)
		}
		var all sync.WaitGroup
		for w, s := range []*Sink{first, second, first} {
			random := rand.New(rand.NewPCG(uint64(round), uint64(w)))
			s := newSink(&faulty{s.store, func(string) fault { return []fault{none, none, before, after}[random.IntN(4)] }}, nil)
			all.Go(func() {
				for step := range 2 {
					for {
						_, err := s.PutCodes(t.Context(), "ventas", []schemas.ActivityCode{
							known("all", "", 0, 10*step+w), known(fmt.Sprint(w, step), "", 0, 0)})
						if err == nil {
							break
						}
						if errors.Is(err, sinks.ErrConflict) {
							conflicts.Add(1)
						} else if !errors.Is(err, errInjected) {
							panic(err)
						}
						if _, err := s.Codes(t.Context(), "ventas"); err != nil {
							panic(err)
						}
					}
				}
			})
		}
		all.Wait()
		got, err := second.Codes(t.Context(), "ventas")
		if err != nil || len(got) != 7 || !got[6].LastSeenAt.Equal(known("", "", 0, 12).LastSeenAt) {
			t.Fatalf("round %d: %v of\n%s", round, err, codesText(got))
		}
	}
	if conflicts.Load() == 0 {
		t.Error("the writers never met")
	}
}
