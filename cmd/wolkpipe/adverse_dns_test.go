package main

import (
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3"

	"wolkpipe/pipeline"
	"wolkpipe/sinks/sinktest/servers"
)

// ownNames gives the site's processes names of their own: a file of hosts, and
// a server of names that nobody runs. set says which names there are; all of
// them are this machine's. It takes some seconds until a process looks again.
func (s *site) ownNames() (set func(names ...string)) {
	s.t.Helper()
	set = func(names ...string) {
		s.t.Helper() // in place: a mount is of the file, not of its name
		if err := os.WriteFile(s.path("hosts"), []byte("127.0.0.1 localhost "+strings.Join(names, " ")+"\n"), 0o644); err != nil {
			s.t.Fatal(err)
		}
	}
	set()
	ownMounts.Lock()
	s.t.Cleanup(ownMounts.Unlock)
	s.write("resolv.conf", "nameserver 127.13.13.13\noptions timeout:1 attempts:1\n")
	mounts := fmt.Sprintf("mount --bind %s /etc/hosts && mount --bind %s /etc/resolv.conf", s.path("hosts"), s.path("resolv.conf"))
	if text, err := exec.Command("unshare", "-m", "sh", "-c", mounts).CombinedOutput(); err != nil {
		s.t.Skipf("a process cannot have names of its own: %v: %s", err, text)
	}
	s.write("named", fmt.Sprintf("#!/bin/sh\nexec unshare -m sh -c '%s && exec %s \"$@\"' sh \"$@\"\n", mounts, s.program))
	if err := os.Chmod(s.path("named"), 0o700); err != nil {
		s.t.Fatal(err)
	}
	s.program, s.env = s.path("named"), append(s.env, "GODEBUG=netdns=go", "NO_PROXY=*", "no_proxy=*")
	return set
}

// named is a cable's address by another name.
func named(t *testing.T, name string, c *cable) string {
	t.Helper()
	_, port, err := net.SplitHostPort(c.address)
	if err != nil {
		t.Fatal(err)
	}
	return net.JoinHostPort(name, port)
}

// TestNamesDoNotResolve has the names of the source, of the bucket and of NATS
// resolve or not, at the start and in the middle: what does not is told with
// its name, and nothing but a name that resolves again is needed to go on.
func TestNamesDoNotResolve(t *testing.T) {
	endures(t)
	t.Parallel()
	if testing.Short() {
		t.Skip("names are kept for seconds: it waits for most of its time")
	}
	a := adverseSite(t, "names do not resolve", 17, "ventas")
	nats, store := newNATS(t, ""), servers.S3(t)
	nats.start()
	if _, err := store.Client().CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: new("lake")}); err != nil {
		t.Fatal(err)
	}
	source, broker, bucket := newCable(t, strings.TrimPrefix(a.url, "http://")), newCable(t, nats.address), newCable(t, store.Addr)
	set := a.ownNames()
	a.env = append(a.env, store.Env()...)
	a.url, a.nats = "http://"+named(t, "source.test", source), "nats://"+nats.address
	a.configure(adverseSince, adverseGrid.String(), fmt.Sprintf("nats: {url: %q}", "nats://"+named(t, "nats.test", broker)), "status: {listen: \"127.0.0.1:0\"}",
		fmt.Sprintf("sinks: [{name: events, kind: events}, {name: lake, kind: parquet, bucket: %q}]", store.At(named(t, "bucket.test", bucket)).URL("lake")))
	a.times++
	a.refused("lookup nats.test", "check the name in nats.url")

	set("nats.test")
	a.times += 2
	p := a.start()
	unresolved := func(s pipeline.Status) bool {
		return strings.Contains(operation(t, s, "ventas").Error, "lookup source.test")
	}
	p.says("lookup bucket.test")
	a.status(p, unresolved)
	set("nats.test", "source.test", "bucket.test")
	a.status(p, complete)

	// Connections that are there need no name: they are broken until a process
	// no longer takes a name for what it was.
	set("nats.test")
	a.times += 2
	a.status(p, func(s pipeline.Status) bool {
		source.breakAll()
		bucket.breakAll()
		return unresolved(s)
	})
	set("nats.test", "source.test")
	a.status(p, func(s pipeline.Status) bool {
		bucket.breakAll()
		return failing("lake", "lookup bucket.test")(s)
	})
	set("source.test", "bucket.test")
	a.times++
	broken := make(chan struct{})
	go func() {
		for {
			select {
			case <-broken:
				return
			case <-t.Context().Done():
				return
			case <-time.After(200 * time.Millisecond):
				broker.breakAll()
			}
		}
	}()
	a.unready(p, "lookup nats.test")
	close(broken)
	a.memory(p)
	set("nats.test", "source.test", "bucket.test")
	healed := time.Now()
	a.ended = func() { a.fetchLake(store, "lake") }
	a.converges(p, adverseSince, adverseGrid, healed)
}

// fetchLake copies the lake out of its bucket to where check looks for it.
func (s *site) fetchLake(store *servers.S3Server, bucket string) {
	s.t.Helper()
	client := store.Client()
	for token := (*string)(nil); ; {
		page, err := client.ListObjectsV2(s.t.Context(), &s3.ListObjectsV2Input{Bucket: &bucket, ContinuationToken: token})
		if err != nil {
			s.t.Fatal(err)
		}
		for _, object := range page.Contents {
			got, err := client.GetObject(s.t.Context(), &s3.GetObjectInput{Bucket: &bucket, Key: object.Key})
			if err != nil {
				s.t.Fatal(err)
			}
			data, err := io.ReadAll(got.Body)
			_ = got.Body.Close()
			path := s.path("data", "lake", filepath.FromSlash(*object.Key))
			if err == nil {
				err = os.MkdirAll(filepath.Dir(path), 0o700)
			}
			if err == nil {
				err = os.WriteFile(path, data, 0o600)
			}
			if err != nil {
				s.t.Fatal(err)
			}
		}
		if token = page.NextContinuationToken; token == nil {
			return
		}
	}
}
