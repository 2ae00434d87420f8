// Package config owns wolkpipe's configuration: one YAML file, a few
// environment variables on top of it, or three flags in its place.
//
// Reading is strict and total. A key that is not known, a value of the wrong
// kind, two settings that contradict each other: each is a [Problem] with its
// line and its mend, and all of them are told at once, as [Errors].
//
// [Load] and [FromFlags] judge the text alone. Whether the variables and files
// that it names are there is a question about the machine, and
// [Config.CheckReferences] answers it; commands that need no token do not ask.
// Nothing here opens a connection, a store or a socket.
package config

import (
	"log/slog"
	"time"

	"wolkpipe/pipeline/window"
)

// Config is a whole configuration, defaults filled in and paths absolute.
type Config struct {
	Operations []Operation // at least one, names unique
	AgentNames string      // PlainAgents or HashedAgents
	AgentKey   Secret      // of HashedAgents; otherwise possibly none
	NATS       NATS
	Data       string // absolute folder
	Sinks      []Sink // names unique, at most one of kind EventsSink
	Status     Status
	Log        Log
	Traces     Traces

	references []reference // what CheckReferences looks for
}

// What becomes of agents' names in events and lake.
const (
	PlainAgents  = "plain"
	HashedAgents = "hash"
)

// Operation is one contact centre at the source.
type Operation struct {
	Name       string // [a-z][a-z0-9_-]{0,62}
	Server     string // digits of https://wv<server>.wolkvox.com; empty if URL is given
	URL        string // http or https, no credentials, query or fragment; empty if Server is given
	Token      Secret
	Timezone   window.Zone
	Window     window.Grid
	Delay      time.Duration   // after a window's end, before it is first asked for; >= 0
	Settle     []time.Duration // ages of a day, rising; empty: never compared again
	Since      window.Date     // from 2000 on; 0: the day of the first run
	Quota      int             // calls a day; 0: ask the source
	Duplicates string          // DropDuplicates or SumDuplicates
}

// What becomes of rows that are alike to the byte.
const (
	DropDuplicates = "drop"
	SumDuplicates  = "sum"
)

// NATS is the server that holds journal and events.
type NATS struct {
	URL         string // empty: the embedded server. May hold credentials: not for logs
	Listen      string // host:port of the embedded server
	AllowRemote bool   // listen beyond loopback without TLS
	Anonymous   bool   // whoever reaches the embedded server may consume events
	TLS         TLS
	Credentials string // absolute path of a .creds file, or empty
	Replicas    int    // of every stream and bucket, 1 to 5
}

// TLS names PEM files by absolute path; empty where not given. Cert and Key
// are given both or neither.
type TLS struct{ CA, Cert, Key string }

// Sink is one place that is brought to hold what the journal says.
type Sink struct {
	Name   string        // [a-z][a-z0-9_-]{0,62}, not Quarantine
	Kind   string        // EventsSink, ParquetSink, IcebergSink or NDJSONSink
	RowTTL time.Duration // EventsSink: life of row events; 0: for ever
	Bucket string        // ParquetSink: a gocloud.dev/blob URL; the path of file:// is absolute
	Prefix string        // ParquetSink: empty, or a folder that ends in /
	Folder string        // NDJSONSink: absolute

	// Of an IcebergSink.
	Catalog   string        // sqlite:///path, file:///path, postgres://…, http(s)://…, glue://region; no password
	Warehouse string        // file:///path, s3://…, gs://…, abfs(s)://…; empty: the catalog's choice
	Namespace string        // of its tables
	Interval  time.Duration // between commits, at least
	Keep      time.Duration // for which snapshots stay
	Token     Secret        // of a REST catalog
}

// Kinds of sink.
const (
	EventsSink  = "events"
	ParquetSink = "parquet"
	IcebergSink = "iceberg"
	NDJSONSink  = "ndjson"
)

// Quarantine is the name of the sink of rejected rows, which is always there.
const Quarantine = "quarantine"

// Status is the HTTP server of the status page, metrics and health.
type Status struct {
	Listen string // host:port
}

// Traces says where spans go.
type Traces struct {
	Endpoint string  // an OTLP/HTTP collector's http or https URL, with its path; empty: none
	Sample   float64 // the share of traces that is told, 0 to 1
}

// Log says what goes to stderr.
type Log struct {
	Level  slog.Level
	Format string // AutoFormat, TextFormat or JSONFormat
}

// Forms of the log.
const (
	AutoFormat = "auto" // text on a terminal, else JSON
	TextFormat = "text"
	JSONFormat = "json"
)

// LookupEnv looks up an environment variable, as os.LookupEnv does.
type LookupEnv func(name string) (value string, ok bool)

// A reference is something outside the text that it relies on.
type reference struct {
	at     place
	key    string
	secret Secret // a plain file is one whose content nobody keeps
}

// CheckReferences reports every environment variable and file named by c that
// is not there, not readable or empty, as [Errors]. What runtimevar URLs name
// is not looked for.
func (c *Config) CheckReferences(env LookupEnv) error {
	var problems Errors
	for _, ref := range c.references {
		if ref.secret.Kind != EnvSecret && ref.secret.Kind != FileSecret {
			continue
		}
		if _, err := ref.secret.Read(env); err != nil {
			problems = append(problems, Problem{
				File: ref.at.file, Line: ref.at.line, Key: ref.key,
				What: label(ref.key) + ": " + err.Error(),
				Mend: "provide it, or name another",
			})
		}
	}
	return problems.sorted()
}
