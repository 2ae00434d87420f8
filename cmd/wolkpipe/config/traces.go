package config

import (
	"cmp"
	"strconv"
	"strings"
)

// parseCollector reads the URL of an OTLP/HTTP collector. Without a path it
// has the usual one.
func parseCollector(v value) (string, *flaw) {
	u, bad := parseHTTP(v, "http://127.0.0.1:4318", "they go into the variable OTEL_EXPORTER_OTLP_HEADERS")
	if bad != nil {
		return "", bad
	}
	if port := u.Port(); strings.HasSuffix(u.Host, ":") || port != "" && !isPort(port) {
		return "", wrong("write a port from 1 to 65535, such as 4318", "has no such port")
	}
	if strings.Trim(u.Path, "/") == "" {
		u.Path, u.RawPath = "/v1/traces", ""
	}
	return u.String(), nil
}

func isPort(text string) bool {
	n, err := decimal(text)
	return err == nil && n > 0 && n < 1<<16
}

// parseShare parses a part of all, 0 to 1.
func parseShare(v value) (float64, *flaw) {
	n, err := strconv.ParseFloat(v.text, 64)
	if err != nil || !(n >= 0 && n <= 1) {
		return 0, wrong("write a number from 0 to 1, such as 0.1", "is %s", quote(v.text))
	}
	return n, nil
}

// Collector is where spans go: to [Traces.Endpoint], or where that is not
// given to what OpenTelemetry's own variables name. It is empty where traces are
// not wanted. The error is a [Problem] with those variables, which may be meant
// for others on the machine.
func (t Traces) Collector(env LookupEnv) (string, error) {
	get := func(name string) string {
		text, _ := env(name)
		return strings.TrimSpace(text)
	}
	if t.Endpoint != "" {
		return t.Endpoint, nil
	}
	if strings.EqualFold(get("OTEL_SDK_DISABLED"), "true") || get("OTEL_TRACES_EXPORTER") == "none" {
		return "", nil
	}
	name, path := "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", ""
	if get(name) == "" {
		name, path = "OTEL_EXPORTER_OTLP_ENDPOINT", "/v1/traces" // of all signals: each has its path below it
	}
	text := get(name)
	if text == "" {
		return "", nil
	}
	report := func(bad *flaw) (string, error) {
		return "", Problem{File: "$" + name, Key: "traces.endpoint", What: "the collector " + bad.what, Mend: bad.mend}
	}
	protocol := cmp.Or(get("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL"), get("OTEL_EXPORTER_OTLP_PROTOCOL"))
	if protocol != "" && !strings.HasPrefix(protocol, "http/") {
		return report(wrong("give its HTTP address as traces.endpoint", "is meant to be spoken to in %s, and only OTLP over HTTP is known", quote(protocol)))
	}
	if _, bad := parseCollector(value{text: text}); bad != nil {
		return report(bad)
	}
	if path != "" {
		return strings.TrimRight(text, "/") + path, nil
	}
	return text, nil
}
