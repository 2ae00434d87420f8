package deploy_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	natsserver "github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"go.yaml.in/yaml/v3"
)

// variables are what the compose file is tried with.
var variables = map[string]string{
	"WOLKVOX_TOKEN": "a-token", "NATS_PASSWORD": "password0", "S3_ACCESS_KEY": "lake", "S3_SECRET_KEY": "lakesecret", "WOLKPIPE_IMAGE": "",
}

// compose reads the compose file as Compose's own library does, variables put in.
func compose(t *testing.T) object {
	t.Helper()
	text := regexp.MustCompile(`\$\{(\w+)(:[-?]([^}]*))?\}`).ReplaceAllStringFunc(read(t, "compose.yaml"), func(use string) string {
		m := regexp.MustCompile(`^\$\{(\w+)(:[-?]([^}]*))?\}$`).FindStringSubmatch(use)
		value, known := variables[m[1]]
		if !known {
			t.Errorf("compose.yaml uses %s, which its head does not tell of", m[1])
		}
		if value == "" && strings.HasPrefix(m[2], ":-") {
			return m[3]
		}
		return value
	})
	// Its command passes no environment on: there is nothing left to put in.
	out := must(t, goTool(t, composeModule), "-no-interpolation", write(t, filepath.Join(t.TempDir(), "compose.yaml"), text))
	var model map[string]any
	if err := yaml.Unmarshal([]byte(out), &model); err != nil {
		t.Fatal(err)
	}
	return model
}

// TestCompose: the file is one that Compose takes, its images are pinned, ports
// are this machine's alone, and wolkpipe takes its configuration. No container
// is run here: see TestComposeCluster for what is.
func TestCompose(t *testing.T) {
	model := compose(t)
	for name := range model["services"].(map[string]any) {
		service := object(model.at("services", name).(map[string]any))
		image := service.at("image").(string)
		if !regexp.MustCompile(`:v?\d+\.\d+\.\d+`).MatchString(image) {
			t.Errorf("%s: image %s is not pinned", name, image)
		}
		ports, _ := service.at("ports").([]any)
		for _, port := range ports {
			if published := object(port.(map[string]any)); published.at("host_ip") != "127.0.0.1" {
				t.Errorf("%s publishes %v to others", name, published)
			}
		}
	}
	url := model.at("services", "wolkpipe", "environment", "WOLKPIPE_NATS_URL").(string)
	check(t, model.at("configs", "wolkpipe.yaml", "content").(string), "WOLKPIPE_NATS_URL="+url)
	for _, match := range regexp.MustCompile(`(?m)^#.*export (.*)$`).FindAllStringSubmatch(read(t, "compose.yaml"), -1) {
		for name := range variables {
			if name != "WOLKPIPE_IMAGE" && !strings.Contains(match[1], name+"=") {
				t.Errorf("the head does not tell of %s", name)
			}
		}
	}
}

// TestComposeCluster runs what the compose file would, but without containers:
// three NATS servers and an S3 gateway by its settings, addresses and folders
// replaced, and wolkpipe on them by its configuration, twice at once.
func TestComposeCluster(t *testing.T) {
	if testing.Short() {
		t.Skip("starts six servers")
	}
	model := compose(t)
	urls, servers := natsCluster(t, model)
	s3 := gateway(t, model)
	source := simulate(t, "operations: [{name: ventas, timezone: America/Bogota, tokens: [a-token], interactions_per_day: 500, licences: 5}]\n")

	text := model.at("configs", "wolkpipe.yaml", "content").(string)
	text = strings.NewReplacer(`server: "0042"`, fmt.Sprintf("url: %q", source), "http://s3:7070", s3).Replace(text)
	text += "status: {listen: \"127.0.0.1:0\"}\n"
	environment := model.at("services", "wolkpipe", "environment").(map[string]any)
	for name, value := range environment {
		value := value.(string)
		if name == "WOLKPIPE_NATS_URL" {
			value = strings.NewReplacer("nats-0:4222", urls[0], "nats-1:4222", urls[1], "nats-2:4222", urls[2]).Replace(value)
		}
		t.Setenv(name, value)
	}
	first, second := run(t, text), run(t, text)

	nc, err := nats.Connect(os.Getenv("WOLKPIPE_NATS_URL"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"CHAT7_JOURNAL", "CHAT7_EVENTS"} {
		stream, err := js.Stream(t.Context(), name)
		if err != nil {
			t.Fatal(err)
		}
		if n := stream.CachedInfo().Config.Replicas; n != 3 {
			t.Errorf("%s has %d replicas", name, n)
		}
	}
	covered := func(d *daemon) func() bool {
		return func() bool {
			_, metrics := get(t, d.status+"/metrics")
			return strings.Contains(metrics, `wolkpipe_windows_missing{operation="ventas"} 0`) &&
				strings.Contains(metrics, `wolkpipe_sink_backlog_windows{sink="lake"} 0`) &&
				strings.Contains(metrics, "wolkpipe_window_lag_seconds{") && !strings.Contains(metrics, `wolkpipe_sink_failing{sink="lake"} 1`)
		}
	}
	eventually(t, "the first replica to be up to date", covered(first))
	eventually(t, "the second replica to be up to date", covered(second))
	eventually(t, "the lake in the bucket", func() bool {
		found, err := filepath.Glob(filepath.Join(lakeFolder, "wolkpipe/chat_7_windows/operation=ventas/*/*.parquet"))
		return err == nil && len(found) > 0
	})

	// One of three servers gone, the others go on.
	servers[0].Shutdown()
	servers[0].WaitForShutdown()
	for _, d := range []*daemon{first, second} {
		eventually(t, "readiness without one server", func() bool {
			code, _ := get(t, d.status+"/readyz")
			return code == 200
		})
	}
}

// natsCluster starts the three servers by the compose file's nats.conf.
func natsCluster(t *testing.T, model object) (urls []string, servers []*natsserver.Server) {
	t.Helper()
	text := model.at("configs", "nats.conf", "content").(string)
	var client, route [3]int
	for i := range client {
		client[i], route[i] = freePort(t), freePort(t)
	}
	for i := range client {
		text := strings.NewReplacer(
			"0.0.0.0:4222", fmt.Sprintf("127.0.0.1:%d", client[i]), "0.0.0.0:6222", fmt.Sprintf("127.0.0.1:%d", route[i]),
			"nats-0:6222", fmt.Sprintf("127.0.0.1:%d", route[0]), "nats-1:6222", fmt.Sprintf("127.0.0.1:%d", route[1]),
			"nats-2:6222", fmt.Sprintf("127.0.0.1:%d", route[2]), "/data", t.TempDir(),
		).Replace(text)
		o, err := natsserver.ProcessConfigFile(write(t, filepath.Join(t.TempDir(), "nats.conf"), text))
		if err != nil {
			t.Fatalf("nats.conf: %v\n%s", err, text)
		}
		if !o.SyncAlways {
			t.Error("the servers acknowledge what is not on the disk")
		}
		command := model.at("services", fmt.Sprintf("nats-%d", i), "command").([]any)
		o.ServerName, o.NoSigs, o.NoLog = command[len(command)-1].(string), true, true
		s, err := natsserver.NewServer(o)
		if err != nil {
			t.Fatal(err)
		}
		go s.Start()
		t.Cleanup(func() {
			s.Shutdown()
			s.WaitForShutdown()
		})
		servers, urls = append(servers, s), append(urls, fmt.Sprintf("127.0.0.1:%d", client[i]))
	}
	eventually(t, "a leader of the cluster", func() bool {
		for _, s := range servers {
			if s.JetStreamIsLeader() && len(s.JetStreamClusterPeers()) == 3 {
				return true
			}
		}
		return false
	})
	return urls, servers
}

// lakeFolder is the gateway's folder of buckets.
var lakeFolder string

// gateway starts the S3 server by the compose file's command.
func gateway(t *testing.T, model object) (url string) {
	t.Helper()
	service := object(model.at("services", "s3").(map[string]any))
	lakeFolder = t.TempDir()
	if err := os.Mkdir(filepath.Join(lakeFolder, "wolkpipe"), 0o755); err != nil { // the volume's place
		t.Fatal(err)
	}
	address := fmt.Sprintf("127.0.0.1:%d", freePort(t))
	var args []string
	for _, arg := range service.at("command").([]any) {
		args = append(args, strings.NewReplacer(":7070", address, "/lake", lakeFolder).Replace(arg.(string)))
	}
	for name, value := range service.at("environment").(map[string]any) {
		t.Setenv(name, value.(string))
	}
	start(t, t.TempDir(), goTool(t, gatewayModule), args...)
	eventually(t, "the S3 gateway", func() bool {
		code, _ := get(t, "http://"+address+"/")
		return code != 0
	})
	return "http://" + address
}
