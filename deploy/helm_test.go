package deploy_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

const chart = "helm/wolkpipe"

// object is a Kubernetes object as the chart renders it.
type object map[string]any

// at is what stands at a path, nil where nothing does. A number takes an item
// of a list.
func (o object) at(path ...any) any {
	var v any = map[string]any(o)
	for _, step := range path {
		switch step := step.(type) {
		case string:
			m, _ := v.(map[string]any)
			v = m[step]
		case int:
			l, _ := v.([]any)
			if step >= len(l) {
				return nil
			}
			v = l[step]
		}
	}
	return v
}

// helm runs a command of it. What it says on stderr, that the rules are linked
// among it, is told with an error only.
func helm(t *testing.T, args ...string) (string, error) {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), goTool(t, helmModule), args...).Output()
	if failure := (*exec.ExitError)(nil); errors.As(err, &failure) {
		return string(failure.Stderr) + string(out), err
	}
	return string(out), err
}

// render gives the chart's text for some values, and its objects by kind/name.
func render(t *testing.T, args ...string) (string, map[string]object) {
	t.Helper()
	text, err := helm(t, append([]string{"template", "wolkpipe", chart, "--namespace", "here", "--kube-version", "1.34"}, args...)...)
	if err != nil {
		t.Fatalf("helm template: %v\n%s", err, tail(text))
	}
	all := map[string]object{}
	decoder := yaml.NewDecoder(strings.NewReader(text))
	for {
		var o map[string]any // nested maps take this type
		err := decoder.Decode(&o)
		if errors.Is(err, io.EOF) {
			return text, all
		}
		if err != nil {
			t.Fatalf("%v\n%s", err, text)
		}
		if o != nil {
			all[fmt.Sprint(o["kind"], "/", object(o).at("metadata", "name"))] = o
		}
	}
}

// valueFiles are the values that the chart is tried with.
func valueFiles(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob(chart + "/ci/*-values.yaml")
	if err != nil || len(files) < 3 {
		t.Fatalf("values to try the chart with: %v, %v", files, err)
	}
	return files
}

// TestChart lints and renders the chart with each set of values, holds what
// comes out against the schemas of Kubernetes, and has wolkpipe check the
// configuration in it.
func TestChart(t *testing.T) {
	kubeconform, schemas := goTool(t, kubeconformModule), schemas(t)
	for _, values := range valueFiles(t) {
		t.Run(filepath.Base(values), func(t *testing.T) {
			if out, err := helm(t, "lint", chart, "--strict", "--kube-version", "1.34", "--values", values); err != nil {
				t.Errorf("helm lint: %v\n%s", err, out)
			}
			text, objects := render(t, "--values", values)
			file := write(t, filepath.Join(t.TempDir(), "rendered.yaml"), text)
			out, err := try(t, kubeconform, "-strict", "-summary", "-schema-location", schemas+"/{{.ResourceKind}}{{.KindSuffix}}.json", file)
			if err != nil || !strings.Contains(out, "Skipped: 0") {
				t.Errorf("kubeconform: %v\n%s", err, out)
			}
			checkPod(t, objects)
			check(t, objects["ConfigMap/wolkpipe"].at("data", "wolkpipe.yaml").(string))
		})
	}
}

// checkPod holds what must be so of any pod.
func checkPod(t *testing.T, objects map[string]object) {
	t.Helper()
	set := objects["StatefulSet/wolkpipe"]
	pod := object(set.at("spec", "template", "spec").(map[string]any))
	container := object(pod.at("containers", 0).(map[string]any))
	for what, got := range map[string]struct{ have, want any }{
		"service variables": {pod.at("enableServiceLinks"), false},
		"API token":         {pod.at("automountServiceAccountToken"), false},
		"root":              {pod.at("securityContext", "runAsNonRoot"), true},
		"seccomp":           {pod.at("securityContext", "seccompProfile", "type"), "RuntimeDefault"},
		"read-only root":    {container.at("securityContext", "readOnlyRootFilesystem"), true},
		"escalation":        {container.at("securityContext", "allowPrivilegeEscalation"), false},
		"capabilities":      {container.at("securityContext", "capabilities", "drop", 0), "ALL"},
		"liveness":          {container.at("livenessProbe", "httpGet", "path"), "/healthz"},
		"readiness":         {container.at("readinessProbe", "httpGet", "path"), "/readyz"},
		"volume":            {set.at("spec", "volumeClaimTemplates", 0, "metadata", "name"), "data"},
		"governing service": {set.at("spec", "serviceName"), "wolkpipe-pods"},
	} {
		if got.have != got.want {
			t.Errorf("%s: %v, not %v", what, got.have, got.want)
		}
	}
	if grace, _ := pod.at("terminationGracePeriodSeconds").(int); grace <= 25 {
		t.Errorf("%d s to end, and draining takes up to 25 s", grace)
	}
	for key := range objects {
		if strings.HasPrefix(key, "Secret/") {
			t.Errorf("the chart makes %s: secrets are only referred to", key)
		}
	}
	if objects["Service/wolkpipe-pods"] == nil {
		t.Error("the governing service is missing")
	}
}

// TestChartRules: the rules that the chart brings are the rules.
func TestChartRules(t *testing.T) {
	_, objects := render(t, "--values", chart+"/ci/cluster-values.yaml")
	have, err := yaml.Marshal(objects["PrometheusRule/wolkpipe"]["spec"])
	if err != nil {
		t.Fatal(err)
	}
	var rules any
	if err := yaml.Unmarshal([]byte(read(t, "prometheus/rules.yaml")), &rules); err != nil {
		t.Fatal(err)
	}
	want, err := yaml.Marshal(rules)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(have, want) {
		t.Errorf("the chart's rules differ from prometheus/rules.yaml:\n%s", have)
	}
}

// TestChartRefuses: values that cannot work are refused, and the error names
// the mend.
func TestChartRefuses(t *testing.T) {
	embedded, cluster := chart+"/ci/embedded-values.yaml", chart+"/ci/cluster-values.yaml"
	for name, c := range map[string]struct {
		values string
		set    []string
		want   string
	}{
		"no operations":         {"", nil, "operations"},
		"unknown key":           {embedded, []string{"--set", "replica=2"}, "replica"},
		"server as a number":    {embedded, []string{"--set", "config.operations[0].server=42"}, "server"},
		"token written out":     {embedded, []string{"--set", "config.operations[0].token=abc"}, "token"},
		"data of one's own":     {embedded, []string{"--set", "config.data=/x"}, "data"},
		"replicas of one":       {embedded, []string{"--set", "replicas=2"}, "config.nats.url"},
		"exposed in clear":      {embedded, []string{"--set", "nats.expose=true"}, "allow_remote"},
		"two servers":           {cluster, []string{"--set", "nats.expose=true"}, "nats.expose"},
		"lakes in folders":      {cluster, []string{"--set", "config.sinks=null"}, "config.sinks"},
		"a lake in a folder":    {cluster, []string{"--set", "config.sinks[1].bucket=file:/x,config.sinks[1].kind=parquet,config.sinks[1].name=lake"}, "bucket"},
		"tables' own catalog":   {cluster, []string{"--set", "config.sinks[2].name=tables,config.sinks[2].kind=iceberg,config.sinks[2].warehouse=s3://b/x"}, "catalog and a warehouse"},
		"files in a folder":     {cluster, []string{"--set", "config.sinks[2].name=files,config.sinks[2].kind=ndjson"}, "leave it out"},
		"tables in a folder":    {cluster, []string{"--set", "config.sinks[2].name=tables,config.sinks[2].kind=iceberg,config.sinks[2].catalog=postgres://h/d"}, "catalog and a warehouse"},
		"broken image's digest": {embedded, []string{"--set", "image.digest=sha256:1"}, "digest"},
	} {
		t.Run(name, func(t *testing.T) {
			args := []string{"template", "wolkpipe", chart, "--kube-version", "1.34"}
			if c.values != "" {
				args = append(args, "--values", c.values)
			}
			out, err := helm(t, append(args, c.set...)...)
			if err == nil {
				t.Fatal("it is rendered")
			}
			_, complaint, _ := strings.Cut(out, "Error: ")
			if !strings.Contains(complaint, c.want) {
				t.Errorf("the error does not name %q:\n%s", c.want, out)
			}
		})
	}
}

// kinds are the kinds that the chart makes, and where Kubernetes describes
// them. Of a disruption budget's first version the later one is a superset.
var kinds = map[string]struct{ file, definition string }{
	"statefulset-apps-v1":           {"v3/apis/apps/v1.json", "io.k8s.api.apps.v1.StatefulSet"},
	"service-v1":                    {"v3/api/v1.json", "io.k8s.api.core.v1.Service"},
	"configmap-v1":                  {"v3/api/v1.json", "io.k8s.api.core.v1.ConfigMap"},
	"serviceaccount-v1":             {"v3/api/v1.json", "io.k8s.api.core.v1.ServiceAccount"},
	"poddisruptionbudget-policy-v1": {"swagger.json", "io.k8s.api.policy.v1beta1.PodDisruptionBudget"},
	"networkpolicy-networking-v1":   {"swagger.json", "io.k8s.api.networking.v1.NetworkPolicy"},
}

// schemas makes a folder of JSON schemas: of Kubernetes' own kinds from the API
// descriptions that the module of kubectl carries, which helm needs too; of the
// Prometheus operator's kinds those in helm/schemas.
func schemas(t *testing.T) string {
	t.Helper()
	folder := t.TempDir()
	if err := os.CopyFS(folder, os.DirFS("helm/schemas")); err != nil {
		t.Fatal(err)
	}
	source := filepath.Join(moduleFolder(t, "k8s.io/kubectl@v0.37.0"), "testdata", "openapi")
	for name, kind := range kinds {
		var api struct {
			Definitions map[string]any
			Components  struct{ Schemas map[string]any }
		}
		if err := json.Unmarshal([]byte(read(t, filepath.Join(source, kind.file))), &api); err != nil {
			t.Fatal(err)
		}
		all := api.Definitions
		if all == nil {
			all = api.Components.Schemas
		}
		if all[kind.definition] == nil {
			t.Fatalf("%s does not describe %s", kind.file, kind.definition)
		}
		needed := map[string]any{}
		strict(all, kind.definition, needed)
		schema, err := json.Marshal(map[string]any{"$ref": "#/definitions/" + kind.definition, "definitions": needed})
		if err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(folder, name+".json"), string(schema))
	}
	return folder
}

// strict puts a definition and what it refers to into needed, so that a key
// that it does not know is an error.
func strict(all map[string]any, name string, needed map[string]any) {
	if needed[name] != nil {
		return
	}
	needed[name] = true // a definition may refer to itself
	definition, _ := all[name].(map[string]any)
	definition = maps.Clone(definition)
	switch name { // both are described as texts
	case "io.k8s.apimachinery.pkg.util.intstr.IntOrString":
		definition = map[string]any{"type": []string{"integer", "string"}}
	case "io.k8s.apimachinery.pkg.api.resource.Quantity":
		definition = map[string]any{"type": []string{"number", "string"}}
	}
	if definition["properties"] != nil && definition["additionalProperties"] == nil {
		definition["additionalProperties"] = false
	}
	needed[name] = refer(definition, func(other string) { strict(all, other, needed) })
}

// refer copies a schema, its references made to be within one file.
func refer(v any, found func(name string)) any {
	switch v := v.(type) {
	case map[string]any:
		out := map[string]any{}
		for key, value := range v {
			if target, ok := value.(string); ok && key == "$ref" {
				name := target[strings.LastIndex(target, "/")+1:]
				found(name)
				out[key] = "#/definitions/" + name
				continue
			}
			if values, ok := value.([]any); ok && key == "enum" { // some stand there twice, which a schema may not have
				slices.SortFunc(values, func(a, b any) int { return strings.Compare(fmt.Sprint(a), fmt.Sprint(b)) })
				out[key] = slices.Compact(values)
				continue
			}
			out[key] = refer(value, found)
		}
		return out
	case []any:
		out := slices.Clone(v)
		for i := range out {
			out[i] = refer(out[i], found)
		}
		return out
	}
	return v
}
