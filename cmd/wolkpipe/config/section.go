package config

import (
	"log/slog"
	"strconv"
	"time"

	"go.yaml.in/yaml/v3"

	"wolkpipe/pipeline/window"
)

// config reads everything but the operations.
func (r *reader) config(s section) *Config {
	c := &Config{
		AgentNames: read(s, "agent_names", PlainAgents, oneOf(PlainAgents, HashedAgents)),
		AgentKey:   r.agentKey(s),
		Data:       absolute(r.dir, read(s, "data", "data", parsePath)),
	}
	if c.AgentNames == HashedAgents && c.AgentKey.Kind == "" && s.fine("agent_names", "agent_key") {
		s.problem("agent_names", "give a key of your own as agent_key: env:NAME or file:PATH", "hash has no agent_key to hash with")
	}
	c.NATS = r.nats(s.child("nats", "url", "listen", "allow_remote", "anonymous", "tls", "credentials", "replicas"))
	c.Sinks = r.sinks(s, c.Data)
	c.Status = Status{Listen: read(s.child("status", "listen"), "listen", "127.0.0.1:8017", listener("127.0.0.1:8017"))}
	c.Log = r.log(s.child("log", "level", "format"))
	traces := s.child("traces", "endpoint", "sample")
	c.Traces = Traces{Endpoint: read(traces, "endpoint", "", emptyOr(parseCollector)), Sample: read(traces, "sample", 1, parseShare)}
	return c
}

// child is a section within s.
func (s section) child(name string, known ...string) section {
	return s.section(s.nodes[name], place{s.at.file, s.at.line}, s.key(name), s.overridable, known...)
}

func (r *reader) agentKey(s section) Secret {
	key := read(s, "agent_key", Secret{}, emptyOr(func(v value) (Secret, *flaw) {
		return parseSecret(v, r.dir, "AGENT_KEY", false)
	}))
	r.reference(s, "agent_key", key)
	return key
}

// reference notes that the value of a key relies on something outside.
func (r *reader) reference(s section, name string, secret Secret) {
	if secret.Kind != "" {
		r.references = append(r.references, reference{s.placeOf(name), s.key(name), secret})
	}
}

func parsePath(v value) (string, *flaw) {
	if v.text == "" {
		return "", wrong("write a path", "is empty")
	}
	return parseText(v)
}

// path reads the path of a file that must be there; empty for none.
func (r *reader) path(s section, name string) string {
	path := read(s, name, "", parseText)
	if path == "" {
		return ""
	}
	path = absolute(r.dir, path)
	r.reference(s, name, Secret{FileSecret, path})
	return path
}

func (r *reader) nats(s section) NATS {
	tls := s.child("tls", "ca", "cert", "key")
	n := NATS{
		URL:         read(s, "url", "", parseNATSURL),
		Listen:      read(s, "listen", "127.0.0.1:4222", listener("127.0.0.1:4222")),
		AllowRemote: read(s, "allow_remote", false, parseBool),
		Anonymous:   read(s, "anonymous", true, parseBool),
		TLS:         TLS{CA: r.path(tls, "ca"), Cert: r.path(tls, "cert"), Key: r.path(tls, "key")},
		Credentials: r.path(s, "credentials"),
		Replicas:    read(s, "replicas", 1, between(1, 5)),
	}
	if n.TLS.Cert != "" && n.TLS.Key == "" && tls.fine("key") {
		tls.problem("cert", "give nats.tls.key as well", "is given without its key")
	}
	if n.TLS.Key != "" && n.TLS.Cert == "" && tls.fine("cert") {
		tls.problem("key", "give nats.tls.cert as well", "is given without its certificate")
	}
	if s.fine("url") && n.URL == "" {
		embedded(s, tls, n)
	}
	return n
}

// embedded checks what only makes sense with, or without, a server of ours.
func embedded(s, tls section, n NATS) {
	if n.Credentials != "" {
		s.problem("credentials", "give nats.url, or leave them out", "are for the server at nats.url, which is not given")
	}
	if n.Replicas > 1 {
		s.problem("replicas", "give nats.url of a cluster, or write 1", "is %d, but the embedded server is alone", n.Replicas)
	}
	if n.TLS.CA != "" && n.TLS.Cert == "" && tls.fine("cert", "key") {
		tls.problem("ca", "give nats.tls.cert and nats.tls.key as well", "does nothing for an embedded server without a certificate")
	}
	host, _, _ := cutPort(n.Listen)
	if !loopback(host) && !n.AllowRemote && n.TLS.Cert == "" && s.fine("listen", "allow_remote") && tls.fine("cert", "key") {
		s.problem("listen", "give nats.tls.cert and nats.tls.key, or write allow_remote: true", "%s can be reached from other machines, without TLS", quote(n.Listen))
	}
}

func (r *reader) log(s section) Log {
	levels := map[string]slog.Level{"debug": slog.LevelDebug, "info": slog.LevelInfo, "warn": slog.LevelWarn, "error": slog.LevelError}
	return Log{
		Level:  levels[read(s, "level", "info", oneOf("debug", "info", "warn", "error"))],
		Format: read(s, "format", AutoFormat, oneOf(AutoFormat, TextFormat, JSONFormat)),
	}
}

func (r *reader) operations(s section) []Operation {
	const mend = "write at least one, with name, server, token and timezone"
	if !s.has("operations") {
		s.problem("operations", mend, "is missing")
		return nil
	}
	items, ok := s.items("operations", mend)
	if ok && len(items) == 0 {
		s.problem("operations", mend, "is an empty list")
	}
	var all []Operation
	names := unique{}
	for i, n := range items {
		item := r.section(n, place{s.at.file, n.Line}, "operations["+strconv.Itoa(i)+"]", false,
			"name", "server", "url", "token", "timezone", "window", "delay", "settle", "since", "quota", "duplicates")
		o := r.operation(item)
		names.check(item, o.Name)
		all = append(all, o)
	}
	return all
}

// unique finds names given twice: name to line.
type unique map[string]int

func (u unique) check(s section, name string) {
	if name == "" {
		return
	}
	if first, ok := u[name]; ok {
		s.problem("name", "choose another", "%s is taken, by line %d", name, first)
		return
	}
	u[name] = s.placeOf("name").line
}

func (r *reader) operation(s section) Operation {
	fiveMinutes, _ := window.NewGrid(5 * time.Minute)
	o := Operation{
		Name:   required(s, "name", "write one such as ventas: it becomes part of subjects and paths", parseName),
		Server: read(s, "server", "", parseServer),
		URL:    read(s, "url", "", emptyOr(parseBaseURL)),
		Token: required(s, "token", "write env:NAME, file:PATH or a runtimevar URL", func(v value) (Secret, *flaw) {
			return parseSecret(v, r.dir, "WOLKVOX_TOKEN", true)
		}),
		Timezone:   required(s, "timezone", "write the IANA name of the server's, such as America/Bogota", parseZone),
		Window:     read(s, "window", fiveMinutes, parseGrid),
		Delay:      read(s, "delay", time.Minute, parseDelay),
		Settle:     settle(s),
		Since:      read(s, "since", 0, parseDate),
		Quota:      read(s, "quota", 0, parseQuota),
		Duplicates: read(s, "duplicates", DropDuplicates, oneOf(DropDuplicates, SumDuplicates)),
	}
	r.reference(s, "token", o.Token)
	if s.fine("server", "url") {
		switch {
		case o.Server == "" && o.URL == "":
			s.problem("server", `write server: "0042" for https://wv0042.wolkvox.com, or url`, "is missing")
		case o.Server != "" && o.URL != "":
			s.problem("url", "keep one of them", "is given besides server")
		}
	}
	return o
}

// emptyOr lets an empty value mean that there is none.
func emptyOr[T any](parse func(value) (T, *flaw)) func(value) (T, *flaw) {
	return func(v value) (T, *flaw) {
		if v.text == "" && v.wantText() == nil {
			var none T
			return none, nil
		}
		return parse(v)
	}
}

// DefaultSettle is the ages of [Operation.Settle] where none are given.
func DefaultSettle() []time.Duration {
	return []time.Duration{time.Hour, 24 * time.Hour, 7 * 24 * time.Hour}
}

func settle(s section) []time.Duration {
	const mend = "write a list such as [1h, 24h, 168h], or [] for never"
	items, ok := s.items("settle", mend)
	if !ok {
		return DefaultSettle()
	}
	ages := []time.Duration{}
	for _, n := range items {
		at := place{s.file, n.Line}
		if n.Kind != yaml.ScalarNode {
			s.problemAt(at, "settle", mend, "holds %s, where a duration belongs", kindOf(n))
			return nil
		}
		age, bad := parseDuration(value{at, n.Value, n.ShortTag()})
		if bad != nil {
			s.fault(at, "settle", bad)
			return nil
		}
		if age <= 0 || len(ages) > 0 && age <= ages[len(ages)-1] {
			s.problemAt(at, "settle", mend, "does not rise at %s", quote(n.Value))
			return nil
		}
		ages = append(ages, age)
	}
	return ages
}
