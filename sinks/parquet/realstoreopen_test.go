package parquet

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"wolkpipe/sinks"
	"wolkpipe/sinks/sinktest/servers"
)

// realOpener makes TestRealOpener open a bucket's URL and tell how that went,
// realOpenTime says how long it may take.
const (
	realOpener   = "WOLKPIPE_TEST_REAL_OPENER"
	realOpenTime = "WOLKPIPE_TEST_REAL_OPEN_TIME"
)

// opened is what it tells.
type opened struct {
	Text string // of the error, "" for none
	Hint string // of a sinks.Error, "" for another
}

func TestRealOpener(t *testing.T) {
	if os.Getenv(realOpener) == "" {
		t.Skip("it is a process of TestRealOpen")
	}
	if limit := os.Getenv(realOpenTime); limit != "" {
		var err error
		if openTime, err = time.ParseDuration(limit); err != nil {
			t.Fatal(err)
		}
	}
	var told opened
	s, err := Open(t.Context(), Options{Bucket: os.Getenv(realOpener)})
	if err != nil {
		told.Text = err.Error()
		var typed *sinks.Error
		if errors.As(err, &typed) {
			told.Hint = typed.Hint
		}
	} else if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(told)
	if err != nil {
		t.Fatal(err)
	}
	fmt.Printf("\n%s%s\n", realOpener, text)
}

// openElsewhere opens a bucket in a process that has these variables and no
// others that matter: the drivers read some of them once.
func openElsewhere(t *testing.T, url string, env ...string) opened {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestRealOpener$", "-test.count=1", "-test.v")
	for _, line := range os.Environ() {
		if !strings.HasPrefix(line, "AWS_") && !strings.HasPrefix(line, "AZURE_") && !strings.HasPrefix(line, "GOOGLE_") &&
			!strings.HasPrefix(line, "STORAGE_") && !strings.HasPrefix(line, "HOME=") {
			cmd.Env = append(cmd.Env, line)
		}
	}
	cmd.Env = append(append(cmd.Env, "HOME="+t.TempDir(), "AWS_EC2_METADATA_DISABLED=true", realOpener+"="+url), env...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("opening %s: %v\n%s", url, err, out)
	}
	_, text, ok := strings.Cut(string(out), "\n"+realOpener)
	line, _, _ := strings.Cut(text, "\n")
	var told opened
	if err := json.Unmarshal([]byte(line), &told); !ok || err != nil {
		t.Fatalf("opening %s said %s, %v", url, out, err)
	}
	return told
}

// realCase is a way to open a bucket wrongly.
type realCase struct {
	name, url string
	env       []string
	hint      string // a part of a sinks.Error's; "" where another error is wanted
	text      string // a part of the whole text
}

// TestRealOpen opens buckets wrongly in every way that the servers mind, each
// in a process of its own: what no retry mends is a sinks.Error that names the
// mend, what may pass is not, and no secret is shown.
func TestRealOpen(t *testing.T) {
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = closed.Close()
	nobody := closed.Addr().String()
	silent, err := net.Listen("tcp", "127.0.0.1:0") // takes connections and never says a word
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = silent.Close() }()
	page := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("<html>")) }))
	defer page.Close()
	website, mute := strings.TrimPrefix(page.URL, "http://"), silent.Addr().String()
	cases := slices.Concat(s3Cases(t, nobody, website, mute), gcsCases(t, nobody, website, mute), azureCases(t, nobody, mute))
	t.Run("all", func(t *testing.T) {
		for _, c := range cases {
			scheme, _, _ := strings.Cut(c.url, ":")
			t.Run(scheme+" "+c.name, func(t *testing.T) {
				t.Parallel() // some wait between their driver's tries
				told := openElsewhere(t, c.url, c.env...)
				t.Log(told.Text)
				if c.hint == "" && told.Hint != "" || !strings.Contains(told.Hint, c.hint) || !strings.Contains(told.Text, c.text) {
					t.Errorf("the hint is %q, want %q; the text %q, want %q", told.Hint, c.hint, told.Text, c.text)
				}
				if (c.hint != "" || c.text != "") != (told.Text != "") {
					t.Errorf("opening gave %q", told.Text)
				}
				checkTold(t, c, told.Text)
			})
		}
	})
}

// checkTold: a message is one line, and no value of a variable is in it but an
// address.
func checkTold(t *testing.T, c realCase, text string) {
	t.Helper()
	if strings.ContainsAny(text, "\n\r") || len(text) > 700 {
		t.Errorf("the text is not one line of a readable length: %q", text)
	}
	for _, line := range c.env {
		name, value, _ := strings.Cut(line, "=")
		secret := strings.Contains(name, "KEY") || strings.Contains(name, "TOKEN")
		for part := range strings.SplitSeq(value, "&") {
			if secret && part != "" && strings.Contains(text, strings.TrimPrefix(part, "sig=")) {
				t.Errorf("the text shows %s: %q", name, text)
			}
		}
	}
	if strings.Contains(text, "HUSH") {
		t.Errorf("the text shows a secret of the URL: %q", text)
	}
}

func s3Cases(t *testing.T, nobody, website, mute string) []realCase {
	s := servers.S3(t)
	s.CreateBucket(t, realBucket)
	user := s.Reader(t, realBucket)
	with := func(change func(*servers.S3Server)) *servers.S3Server {
		other := *s
		change(&other)
		return &other
	}
	secret := with(func(s *servers.S3Server) { s.SecretKey = "HUSHHUSHHUSH" })
	access := with(func(s *servers.S3Server) { s.AccessKey = "AKIAHUSH" })
	region := with(func(s *servers.S3Server) { s.Region = "eu-west-9" })
	good, ok := s.URL(realBucket), s.Env()
	edit := func(from, to string) string { return strings.Replace(good, from, to, 1) }
	return []realCase{
		{"right", good, ok, "", ""},
		{"no bucket", s.URL("nothing"), ok, "create the bucket", "NoSuchBucket"},
		{"secret", good, secret.Env(), "correct the credentials: AWS_ACCESS_KEY_ID", "SignatureDoesNotMatch"},
		{"access key", good, access.Env(), "correct the credentials", "InvalidAccessKeyId"},
		{"no credentials", good, nil, "give wolkpipe credentials: AWS_ACCESS_KEY_ID", ""},
		{"region", region.URL(realBucket), ok, "set the bucket's parameter region", "eu-west-9"},
		{"no region", edit("region=us-east-1&", ""), ok, "set the bucket's parameter region", ""},
		{"may only read", user.URL(realBucket), user.Env(), "let these credentials read and write", "AccessDenied"},
		{"down", s.At(nobody).URL(realBucket), ok, "", "connection refused: check that the store is up"},
		{"silence", s.At(mute).URL(realBucket), append(s.Env(), realOpenTime+"=500ms"), "", "the store did not answer within 500ms"},
		{"a website", s.At(website).URL(realBucket), ok, "correct the endpoint", "names no version"},
		{"https", edit("http%3A", "https%3A"), ok, "the endpoint speaks http", ""},
		{"endpoint without a scheme", edit("http%3A%2F%2F", ""), ok, "correct the bucket's parameters", "endpoint is not of the form"},
		{"no such host", edit("127.0.0.1", "nowhere.invalid"), ok, "", "nowhere.invalid"},
		{"a parameter", good + "&secret=HUSH", ok, "correct the bucket's parameters", `there is no parameter "secret"`},
		{"a value", good + "&fips=perhaps", ok, "correct the bucket's parameters", "fips"},
		{"a path", edit("lake?", "lake/a?"), ok, "set bucket to", "a folder in it goes into prefix"},
		{"credentials in the URL", edit("s3://", "s3://AKIA:HUSH@"), ok, "set bucket to", "it holds credentials"},
		{"credentials in the endpoint", edit("%2F%2F", "%2F%2Fuser:HUSH@"), ok, "correct the bucket's parameters", ""},
		{"no URL", "s3://AKIA:HUSH@%zz", ok, "set bucket to", ""},
	}
}

// The server asks for no credentials, so that wrong ones are seen no further
// than the driver, and there is no user who may only read.
func gcsCases(t *testing.T, nobody, website, mute string) []realCase {
	s := servers.GCS(t)
	s.CreateBucket(t, realBucket)
	return []realCase{
		{"right", s.URL(realBucket), s.Env(), "", ""},
		{"no bucket", s.URL("nothing"), s.Env(), "create the bucket", "404"},
		{"credentials that are not there", s.URL(realBucket), []string{"GOOGLE_APPLICATION_CREDENTIALS=/nowhere.json"}, "give wolkpipe credentials: the file that GOOGLE_APPLICATION_CREDENTIALS", ""},
		{"down", s.URL(realBucket), s.At(nobody).Env(), "", "connection refused: check that the store is up"},
		{"silence", s.URL(realBucket), append(s.At(mute).Env(), realOpenTime+"=500ms"), "", "the store did not answer within 500ms"},
		{"a website", s.URL(realBucket), s.At(website).Env(), "", "check"},
		{"a parameter", s.URL(realBucket) + "?region=HUSH", s.Env(), "correct the bucket's parameters", `there is no parameter "region"`},
	}
}

func azureCases(t *testing.T, nobody, mute string) []realCase {
	s := servers.Azure(t)
	s.CreateBucket(t, realBucket)
	with := func(change func(*servers.AzureServer)) *servers.AzureServer {
		other := *s
		change(&other)
		return &other
	}
	key := with(func(s *servers.AzureServer) { s.Key = "SFVTSEhVU0hIVVNI" })
	nokey := with(func(s *servers.AzureServer) { s.Key = "HUSH, not base64" })
	account := with(func(s *servers.AzureServer) { s.Account = "nobody" })
	sas := func(domain string) []string {
		return []string{"AZURE_STORAGE_ACCOUNT=" + s.Account, "AZURE_STORAGE_SAS_TOKEN=sv=2024-11-04&sig=HUSHHUSH",
			"AZURE_STORAGE_PROTOCOL=http", "AZURE_STORAGE_DOMAIN=" + domain, "AZURE_STORAGE_IS_LOCAL_EMULATOR=true"}
	}
	good := s.URL(realBucket)
	return []realCase{
		{"right", good, s.Env(), "", ""},
		{"no container", s.URL("nothing"), s.Env(), "create the container", "ContainerNotFound"},
		{"key", good, key.Env(), "correct the credentials: AZURE_STORAGE_ACCOUNT", "403 Auth"},
		{"no key", good, nokey.Env(), "AZURE_STORAGE_KEY", "base64"},
		{"account", good, account.Env(), "the account and the domain", "404"},
		{"no account", "azblob://lake", nil, "AZURE_STORAGE_ACCOUNT", "AccountName is required"},
		{"down", s.At(nobody).URL(realBucket), s.Env(), "", "connection refused: check that the store is up"},
		{"silence", s.At(mute).URL(realBucket), append(s.Env(), realOpenTime+"=500ms"), "", "the store did not answer within 500ms"},
		{"token", "azblob://lake", sas(s.Addr), "correct the credentials: AZURE_STORAGE_ACCOUNT", "403"},
		{"token, down", "azblob://lake", sas(nobody), "", "connection refused"},
		{"token in the URL", good + "&sv=2024-11-04&sig=HUSH", s.Env(), "correct the bucket's parameters", "there is no parameter"},
	}
}
