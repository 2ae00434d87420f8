package config

import (
	"net/netip"
	"net/url"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// The parsers of what names a place: servers, URLs, buckets, sockets.

var serverPattern = regexp.MustCompile(`^[0-9]{1,16}$`)

func parseServer(v value) (string, *flaw) {
	switch {
	case !serverPattern.MatchString(v.text):
		return "", wrong("write the digits of https://wv<server>.wolkvox.com", "%s is not the number of a server", quote(v.text))
	case v.wantText() != nil:
		return "", wrong(`put it in quotes: server: "`+v.text+`"`, "%s is a number in YAML, which drops or misreads leading zeros", v.text)
	}
	return v.text, nil
}

// parseBaseURL never shows the URL, in which somebody may have put a secret.
func parseBaseURL(v value) (string, *flaw) {
	if _, bad := parseHTTP(v, "http://127.0.0.1:8042", "the token goes into token"); bad != nil {
		return "", bad
	}
	return strings.TrimRight(v.text, "/"), nil
}

// parseHTTP reads a URL that is nothing but a place, and never shows it.
func parseHTTP(v value, example, credentials string) (*url.URL, *flaw) {
	mend := "write one such as " + example
	u, err := url.Parse(v.text)
	switch {
	case v.wantText() != nil || err != nil:
		return nil, wrong(mend, "is not a URL")
	case u.Scheme != "http" && u.Scheme != "https":
		return nil, wrong(mend, "is neither http:// nor https://")
	case u.Hostname() == "":
		return nil, wrong(mend, "names no host")
	case u.User != nil:
		return nil, wrong("take them out: "+credentials, "holds credentials")
	case u.RawQuery != "" || u.ForceQuery:
		return nil, wrong("end it before the ?", "holds a query")
	case u.Fragment != "" || strings.Contains(v.text, "#"):
		return nil, wrong("end it before the #", "holds a fragment")
	}
	return u, nil
}

// parseNATSURL takes what nats.go takes: URLs separated by commas. It never
// shows them, because they may hold credentials.
func parseNATSURL(v value) (string, *flaw) {
	const mend = "write one such as nats://nats.example.com:4222, several with commas between"
	if v.wantText() != nil {
		return "", wrong(mend, "is not a URL")
	}
	if v.text == "" {
		return "", nil
	}
	for part := range strings.SplitSeq(v.text, ",") {
		u, err := url.Parse(strings.TrimSpace(part))
		if err != nil || u.Hostname() == "" || !slices.Contains([]string{"nats", "tls", "ws", "wss"}, u.Scheme) {
			return "", wrong(mend, "holds something that is no nats://, tls://, ws:// or wss:// URL")
		}
	}
	return v.text, nil
}

// listener takes host:port; an empty host is every interface.
func listener(example string) func(value) (string, *flaw) {
	mend := "write host:port, such as " + example
	return func(v value) (string, *flaw) {
		host, port, ok := cutPort(v.text)
		if !ok {
			return "", wrong(mend, "%s is not host:port", quote(v.text))
		}
		n, err := strconv.ParseUint(port, 10, 16)
		if err != nil || strconv.FormatUint(n, 10) != port {
			return "", wrong(mend+", with a port up to 65535", "%s has the port %s", quote(v.text), quote(port))
		}
		bad := strings.ContainsAny(host, " /@[]")
		if strings.Contains(host, ":") {
			_, err := netip.ParseAddr(host)
			bad = err != nil
		}
		if bad {
			return "", wrong(mend, "%s is not an address", quote(v.text))
		}
		return v.text, nil
	}
}

// cutPort splits host:port, the host's brackets removed.
func cutPort(address string) (host, port string, ok bool) {
	i := strings.LastIndexByte(address, ':')
	if i < 0 {
		return "", "", false
	}
	host, port = address[:i], address[i+1:]
	if strings.HasPrefix(host, "[") && strings.HasSuffix(host, "]") {
		return host[1 : len(host)-1], port, true
	}
	return host, port, !strings.Contains(host, ":")
}

// loopback reports whether nobody but this machine reaches a host.
func loopback(host string) bool {
	addr, err := netip.ParseAddr(host)
	if err != nil {
		return host == "localhost"
	}
	return addr.IsLoopback()
}

// bucketSchemes are those of gocloud.dev/blob that the parquet sink commits
// to safely.
var bucketSchemes = []string{"file", "s3", "gs", "azblob", "mem"}

// bucketParser reads a bucket's URL; the path of a file: one is relative to dir.
func bucketParser(dir string) func(value) (string, *flaw) {
	return func(v value) (string, *flaw) {
		const mend = "write one such as s3://bucket?region=us-east-1, gs://bucket, azblob://container or file:lake"
		u, err := url.Parse(v.text)
		switch {
		case v.wantText() != nil || err != nil || u.Scheme == "":
			return "", wrong(mend, "is not a URL")
		case !slices.Contains(bucketSchemes, u.Scheme):
			return "", wrong(mend, "has the scheme %s, which is not known", quote(u.Scheme))
		case u.User != nil:
			return "", wrong("take them out: the store's own variables and files give them", "holds credentials")
		case u.Scheme == "file":
			return fileBucket(u, dir)
		case u.Scheme != "mem" && u.Host == "":
			return "", wrong(mend, "names no bucket")
		case strings.Trim(u.Path, "/") != "":
			return "", wrong("end it with the bucket's name: a folder in it goes into prefix", "names a folder, %s", quote(strings.Trim(u.Path, "/")))
		}
		return v.text, nil
	}
}

// fileBucket makes the path of a file: URL absolute. file:lake and
// file://lake are both a folder lake: nobody means a host of that name.
func fileBucket(u *url.URL, dir string) (string, *flaw) {
	path := u.Path
	if u.Opaque != "" {
		p, err := url.PathUnescape(u.Opaque)
		if err != nil {
			return "", wrong("write file:FOLDER", "is not a path")
		}
		path = p
	} else if u.Host != "localhost" {
		path = u.Host + u.Path
	}
	if path == "" {
		return "", wrong("write file:FOLDER", "names no folder")
	}
	return fileURL(absolute(dir, path), u.RawQuery), nil
}

func fileURL(path, query string) string {
	return (&url.URL{Scheme: "file", Path: filepath.ToSlash(path), RawQuery: query}).String()
}

// parsePrefix gives a folder within a bucket its final slash.
func parsePrefix(v value) (string, *flaw) {
	const mend = "write a folder such as team/wolkvox"
	if bad := v.wantText(); bad != nil {
		return "", bad
	}
	folder := strings.TrimSuffix(v.text, "/")
	if v.text == "" {
		return "", nil
	}
	for part := range strings.SplitSeq(folder, "/") {
		if part == "" || part == "." || part == ".." || strings.ContainsAny(part, "\\\x00\n") {
			return "", wrong(mend, "%s is not a plain folder", quote(v.text))
		}
	}
	return folder + "/", nil
}
