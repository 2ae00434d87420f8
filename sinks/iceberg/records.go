package iceberg

import (
	"time"

	"wolkpipe/schemas"
	"wolkpipe/sinks"
	"wolkpipe/sinks/lake"
)

// The records of the data files: those of the lake with the operation and the
// day, which engines look for in the file as well as in the partition. An id
// is the column's for ever: a column that goes leaves its id unused.

type rowFile struct {
	Operation    string         `parquet:"operation,dict,id(1)"`
	Day          int32          `parquet:"day,dict,date,id(2)"`
	WindowStart  lake.Instant   `parquet:"window_start,timestamp(microsecond:utc),id(3)"`
	WindowEnd    lake.Instant   `parquet:"window_end,timestamp(microsecond:utc),id(4)"`
	WindowLocal  lake.WallClock `parquet:"window_local,timestamp(microsecond:local),id(5)"`
	Timezone     string         `parquet:"timezone,dict,id(6)"`
	Agent        string         `parquet:"agent_name,dict,id(7)"`
	Code         string         `parquet:"cod_act,dict,id(8)"`
	Description  *string        `parquet:"description_cod_act,optional,dict,id(9)"`
	Interactions int64          `parquet:"interactions,id(10)"`
	Method       schemas.Method `parquet:"method,dict,id(11)"`
	ObservedAt   lake.Instant   `parquet:"observed_at,timestamp(microsecond:utc),id(12)"`
}

func rowFileOf(p place, r *lake.RowRecord) rowFile {
	return rowFile{
		p.operation, p.day, r.WindowStart, r.WindowEnd, r.WindowLocal, r.Timezone, r.Agent, r.Code, r.Description,
		r.Interactions, r.Method, r.ObservedAt,
	}
}

type windowFile struct {
	Operation    string         `parquet:"operation,dict,id(1)"`
	Day          int32          `parquet:"day,dict,date,id(2)"`
	WindowStart  lake.Instant   `parquet:"window_start,timestamp(microsecond:utc),id(3)"`
	WindowEnd    lake.Instant   `parquet:"window_end,timestamp(microsecond:utc),id(4)"`
	WindowLocal  lake.WallClock `parquet:"window_local,timestamp(microsecond:local),id(5)"`
	Timezone     string         `parquet:"timezone,dict,id(6)"`
	ObservedAt   lake.Instant   `parquet:"observed_at,timestamp(microsecond:utc),id(7)"`
	Method       schemas.Method `parquet:"method,dict,id(8)"`
	State        schemas.State  `parquet:"state,dict,id(9)"`
	RowCount     int64          `parquet:"row_count,id(10)"`
	Interactions int64          `parquet:"interactions,id(11)"`
	RejectedRows int64          `parquet:"rejected_rows,id(12)"`
	DroppedRows  int64          `parquet:"dropped_rows,id(13)"`
}

func windowFileOf(p place, r *lake.WindowRecord) windowFile {
	return windowFile{
		p.operation, p.day, r.WindowStart, r.WindowEnd, r.WindowLocal, r.Timezone, r.ObservedAt, r.Method, r.State,
		r.RowCount, r.Interactions, r.RejectedRows, r.DroppedRows,
	}
}

type codeFile struct {
	Operation   string       `parquet:"operation,dict,id(1)"`
	Code        *string      `parquet:"cod_act,optional,id(2)"`
	Description *string      `parquet:"description_cod_act,optional,id(3)"`
	Hit         *string      `parquet:"hit,optional,dict,id(4)"`
	RPC         *string      `parquet:"rpc,optional,dict,id(5)"`
	Chat        *string      `parquet:"chat,optional,dict,id(6)"`
	Voice       *string      `parquet:"voice,optional,dict,id(7)"`
	TypeCode    *string      `parquet:"type_code,optional,dict,id(8)"`
	FirstSeenAt lake.Instant `parquet:"first_seen_at,timestamp(microsecond:utc),id(9)"`
	LastSeenAt  lake.Instant `parquet:"last_seen_at,timestamp(microsecond:utc),id(10)"`
}

func codeFileOf(p place, r *lake.CodeRecord) codeFile {
	return codeFile{p.operation, r.Code, r.Description, r.Hit, r.RPC, r.Chat, r.Voice, r.TypeCode, r.FirstSeenAt, r.LastSeenAt}
}

// place is the partition of a data file.
type place struct {
	operation string
	day       int32 // days since 1970-01-01; 0 in a table without days
}

// placeOf is the partition of a day; an operation's, where the day is empty.
func placeOf(key sinks.Key) place {
	t, _ := time.Parse(time.DateOnly, key.Day)
	if key.Day == "" {
		t = time.Unix(0, 0)
	}
	return place{key.Operation, int32(t.Unix() / (24 * 60 * 60))}
}
