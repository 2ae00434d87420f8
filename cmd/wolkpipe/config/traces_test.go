package config

import "testing"

// TestCollector: the key comes first, then the variables that OpenTelemetry
// names, as it reads them.
func TestCollector(t *testing.T) {
	const own, general = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT"
	for name, c := range map[string]struct {
		key  string
		env  map[string]string
		want string // the endpoint, or the error
	}{
		"nothing":   {"", nil, ""},
		"blank":     {"", map[string]string{own: " ", general: ""}, ""},
		"key":       {"http://a:4318/v1/traces", map[string]string{own: "http://b", general: "http://c", "OTEL_SDK_DISABLED": "true"}, "http://a:4318/v1/traces"},
		"own":       {"", map[string]string{own: "https://b:4318/x", general: "http://c"}, "https://b:4318/x"},
		"as it is":  {"", map[string]string{own: "https://b:4318"}, "https://b:4318"},
		"general":   {"", map[string]string{general: "http://c:4318"}, "http://c:4318/v1/traces"},
		"below":     {"", map[string]string{general: "http://c:4318/otlp/", "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf"}, "http://c:4318/otlp/v1/traces"},
		"disabled":  {"", map[string]string{general: "http://c:4318", "OTEL_SDK_DISABLED": "TRUE"}, ""},
		"elsewhere": {"", map[string]string{general: "http://c:4318", "OTEL_TRACES_EXPORTER": "none"}, ""},
		"grpc": {"", map[string]string{general: "http://c:4317", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"},
			`$OTEL_EXPORTER_OTLP_ENDPOINT: the collector is meant to be spoken to in "grpc", and only OTLP over HTTP is known: give its HTTP address as traces.endpoint`},
		"own protocol": {"", map[string]string{general: "http://c:4318", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc", "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL": "http/protobuf"}, "http://c:4318/v1/traces"},
		"no URL":       {"", map[string]string{own: "c:4317"}, "$OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: the collector is neither http:// nor https://: write one such as http://127.0.0.1:4318"},
		"credentials":  {"", map[string]string{general: "http://me:" + secret + "@c"}, "$OTEL_EXPORTER_OTLP_ENDPOINT: the collector holds credentials: take them out: they go into the variable OTEL_EXPORTER_OTLP_HEADERS"},
	} {
		got, err := Traces{Endpoint: c.key}.Collector(lookup(c.env))
		if err != nil {
			got += err.Error()
		}
		if got != c.want {
			t.Errorf("%s: got %s, want %s", name, got, c.want)
		}
	}
}
