package main

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/klauspost/compress/s2"
	"github.com/klauspost/compress/zstd"
	"github.com/nats-io/nats.go/jetstream"
)

// hunt looks for secrets in all that an installation says and keeps.
type hunt struct {
	s      *site
	forms  map[string]string // a secret or a form of it, and which secret it is
	nats   string            // the secret of NATS, once it is known
	said   []string          // all that was looked at before the secret of NATS was known
	looked int
	packed int // texts that were found compressed
	pages  int
}

func newHunt(s *site, secrets ...string) *hunt {
	h := &hunt{s: s, forms: map[string]string{}}
	for i, secret := range secrets {
		h.add(fmt.Sprintf("secret %d", i+1), secret)
	}
	return h
}

// add looks for a secret from then on as it is, in hexadecimal and in base64,
// wherever it stands in what was encoded. It gives what it looks for.
func (h *hunt) add(name, secret string) (forms map[string]string) {
	forms = map[string]string{secret: name, hex.EncodeToString([]byte(secret)): name + " in hexadecimal"}
	for shift := range 3 {
		// The first and the last characters depend on what stands beside.
		text := base64.RawStdEncoding.EncodeToString(append(make([]byte, shift), secret...))
		forms[text[4:len(text)-4]] = name + " in base64"
	}
	maps.Copy(h.forms, forms)
	return forms
}

func (h *hunt) text(where, text string) { h.look(where, []byte(text)) }

func (h *hunt) look(where string, data []byte) {
	h.s.t.Helper()
	h.looked++
	h.find(where, data, h.forms)
	if h.nats == "" {
		h.said = append(h.said, where+"\n"+string(data))
	}
}

// find tells which forms of secrets are in data, which is an error.
func (h *hunt) find(where string, data []byte, forms map[string]string) {
	h.s.t.Helper()
	for form, name := range forms {
		if at := bytes.Index(data, []byte(form)); at >= 0 {
			h.s.t.Errorf("%s is in %s, at %d of %d", name, where, at, len(data))
		}
	}
}

// deep looks at data and at all that is compressed in it.
func (h *hunt) deep(where string, data []byte) {
	h.s.t.Helper()
	h.look(where, data)
	for _, c := range []struct {
		magic string
		open  func(io.Reader) (io.Reader, error)
	}{
		{"\x28\xb5\x2f\xfd", func(r io.Reader) (io.Reader, error) { return zstd.NewReader(r, zstd.WithDecoderConcurrency(1)) }},
		{"\x1f\x8b\x08", func(r io.Reader) (io.Reader, error) { return gzip.NewReader(r) }},
		{"\xff\x06\x00\x00", func(r io.Reader) (io.Reader, error) { return s2.NewReader(r), nil }},
	} {
		for at := 0; ; at++ {
			next := bytes.Index(data[at:], []byte(c.magic))
			if next < 0 {
				break
			}
			at += next
			r, err := c.open(bytes.NewReader(data[at:]))
			if err != nil {
				continue // it is none
			}
			plain, _ := io.ReadAll(io.LimitReader(r, 64<<20)) // what follows it is something else
			if z, ok := r.(*zstd.Decoder); ok {
				z.Close()
			}
			if len(plain) > 0 {
				h.packed++
				h.look(fmt.Sprintf("%s, unpacked at %d", where, at), plain)
			}
		}
	}
}

func (h *hunt) process(p *process) {
	h.s.t.Helper()
	h.text(fmt.Sprintf("stdout of %v", p.cmd.Args), p.stdout.String())
	h.text(fmt.Sprintf("stderr of %v", p.cmd.Args), p.stderr.String())
}

// cmdline looks at what every user of the machine may see of a process.
func (h *hunt) cmdline(p *process) {
	h.s.t.Helper()
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", p.cmd.Process.Pid))
	if os.IsNotExist(err) {
		return // no Linux, or none of its processes
	}
	if err != nil {
		h.s.t.Fatal(err)
	}
	h.look(fmt.Sprintf("the command line of %v", p.cmd.Args), data)
}

var link = regexp.MustCompile(`(?:href|src)="(/[^"]*)"`)

// site looks at every page that others lead to, and at what is for machines.
func (h *hunt) site(url string) {
	h.s.t.Helper()
	const most = 60
	todo := []string{"/", "/metrics", "/healthz", "/readyz", "/nothing", "/api/v1/coverage?operation=ventas&from=" + yesterday() + "&to=" + yesterday()}
	seen := map[string]bool{}
	for len(todo) > 0 && len(seen) < most {
		path := strings.ReplaceAll(todo[0], "&amp;", "&")
		if todo = todo[1:]; seen[path] {
			continue
		}
		seen[path] = true
		r, err := http.NewRequestWithContext(h.s.t.Context(), http.MethodGet, url+path, nil)
		if err != nil {
			h.s.t.Fatal(err)
		}
		answer, err := http.DefaultClient.Do(r)
		if err != nil {
			h.s.t.Fatal(err)
		}
		body, err := io.ReadAll(answer.Body)
		_ = answer.Body.Close()
		if err != nil {
			h.s.t.Fatal(err)
		}
		h.deep("page "+path, append(fmt.Append(nil, answer.Header), body...))
		for _, found := range link.FindAllSubmatch(body, -1) {
			todo = append(todo, string(found[1]))
		}
	}
	h.pages = max(h.pages, len(seen))
}

// files looks into every file. Secrets may stand in those that are meant to
// hold them, which nobody else may read.
func (h *hunt) files() {
	h.s.t.Helper()
	h.nats = h.s.natsSecret()
	forms := h.add("the secret of NATS", h.nats)
	for _, text := range h.said {
		where, _, _ := strings.Cut(text, "\n")
		h.find(where, []byte(text), forms)
	}
	holds := map[string]string{
		h.s.path("token-ventas"): newToken, h.s.path("agent.key"): agentKey, h.s.path("data", "nats.secret"): h.nats,
	}
	err := filepath.WalkDir(h.s.dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		secret, meant := holds[path]
		if !meant {
			h.deep(path, append([]byte(path+"\n"), data...))
			return nil
		}
		if info, err := d.Info(); err != nil || info.Mode().Perm() != 0o600 || strings.TrimSpace(string(data)) != secret {
			h.s.t.Errorf("%s holds %d bytes, with mode %v", path, len(data), info.Mode())
		}
		delete(holds, path)
		return nil
	})
	if err != nil || len(holds) > 0 {
		h.s.t.Errorf("files that should hold secrets: %d are missing, %v", len(holds), err)
	}
}

// streams looks into every message of every stream and bucket.
func (h *hunt) streams() {
	h.s.t.Helper()
	nc, end := h.s.connect()
	defer end()
	js, err := jetstream.New(nc)
	if err != nil {
		h.s.t.Fatal(err)
	}
	streams := js.ListStreams(h.s.t.Context())
	n := 0
	for info := range streams.Info() {
		h.look("the settings of "+info.Config.Name, fmt.Appendf(nil, "%+v", info))
		if n++; info.State.Msgs == 0 {
			continue
		}
		stream, err := js.Stream(h.s.t.Context(), info.Config.Name)
		if err != nil {
			h.s.t.Fatal(err)
		}
		for seq := info.State.FirstSeq; seq <= info.State.LastSeq; seq++ {
			m, err := stream.GetMsg(h.s.t.Context(), seq)
			if err != nil {
				continue // overwritten since
			}
			h.deep(fmt.Sprintf("message %d of %s", seq, info.Config.Name), append(fmt.Appendf(nil, "%s\n%v\n", m.Subject, m.Header), m.Data...))
		}
	}
	if streams.Err() != nil || n < 6 {
		h.s.t.Errorf("%d streams, %v", n, streams.Err())
	}
}

// done fails the test where too little was looked at.
func (h *hunt) done() {
	h.s.t.Helper()
	h.s.t.Logf("looked at %d texts, %d of which were compressed, and at %d pages", h.looked, h.packed, h.pages)
	if h.looked < 100 || h.packed < 10 || h.pages < 10 {
		h.s.t.Errorf("looked at %d texts, %d of which were compressed, and at %d pages: something is not where it is looked for", h.looked, h.packed, h.pages)
	}
}
