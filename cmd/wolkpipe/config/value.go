package config

import (
	"net/netip"
	"net/url"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"wolkpipe/pipeline/window"
)

// The parsers of single values. Each gives a *flaw for what it refuses.

func parseText(v value) (string, error) {
	if err := v.wantText(); err != nil {
		return "", err
	}
	return v.text, nil
}

// oneOf parses one of a few words.
func oneOf(words ...string) func(value) (string, error) {
	return func(v value) (string, error) {
		if !slices.Contains(words, v.text) {
			return "", wrong("write "+alternatives(words), "%s is not known", quote(v.text))
		}
		return v.text, nil
	}
}

// alternatives is "a, b or c".
func alternatives(words []string) string {
	last := len(words) - 1
	if last < 1 {
		return strings.Join(words, "")
	}
	return strings.Join(words[:last], ", ") + " or " + words[last]
}

func parseBool(v value) (bool, error) {
	switch v.text {
	case "true":
		return true, nil
	case "false":
		return false, nil
	}
	return false, wrong("write true or false", "is %s", quote(v.text))
}

// between parses a whole number.
func between(least, most int) func(value) (int, error) {
	return func(v value) (int, error) {
		n, err := decimal(v.text)
		if err != nil || n < least || n > most {
			return 0, wrong("write a number from "+strconv.Itoa(least)+" to "+strconv.Itoa(most), "is %s", quote(v.text))
		}
		return n, nil
	}
}

// decimal parses digits as people mean them: in YAML 010 is 8 and 1_0 is 10,
// so neither is taken.
func decimal(text string) (int, error) {
	n, err := strconv.Atoi(text)
	if err == nil && strconv.Itoa(n) != text {
		return 0, strconv.ErrSyntax
	}
	return n, err
}

func parseDuration(v value) (time.Duration, error) {
	if v.text == "0" {
		return 0, nil
	}
	d, err := time.ParseDuration(v.text)
	if err == nil {
		return d, nil
	}
	if _, err := strconv.ParseFloat(v.text, 64); err == nil {
		return 0, wrong("add it: "+v.text+"s, "+v.text+"m or "+v.text+"h", "%s has no unit", quote(v.text))
	}
	if days, err := strconv.Atoi(strings.TrimSuffix(v.text, "d")); err == nil && days > 0 && days < 10_000 {
		return 0, wrong("write "+strconv.Itoa(days*24)+"h", "%s is in days, which are not all equally long", quote(v.text))
	}
	return 0, wrong("write one such as 90s, 5m or 24h", "%s is not a duration", quote(v.text))
}

func parseDelay(v value) (time.Duration, error) {
	d, err := parseDuration(v)
	if err == nil && d < 0 {
		return 0, wrong("write 0 or more", "%s is negative", quote(v.text))
	}
	return d, err
}

func parseGrid(v value) (window.Grid, error) {
	d, err := parseDuration(v)
	if err != nil {
		return 0, err
	}
	g, err := window.NewGrid(d)
	if err != nil {
		return 0, wrong("write a part of a day from 1s to 24h, such as 5m", "%s does not tile a day", quote(v.text))
	}
	return g, nil
}

func parseZone(v value) (window.Zone, error) {
	const mend = "write an IANA name such as America/Bogota"
	if err := v.wantText(); err != nil {
		return window.Zone{}, wrong(mend, "%s is not a time zone", quote(v.text))
	}
	z, err := window.LoadZone(v.text)
	if err != nil {
		return window.Zone{}, wrong(mend, "%s is not a known time zone", quote(v.text))
	}
	return z, nil
}

// firstDate is the earliest that since may name: a slip of the keyboard in
// the year would otherwise ask for centuries.
var firstDate = window.DateOf(2000, time.January, 1)

func parseDate(v value) (window.Date, error) {
	d, err := window.ParseDate(v.text)
	if err != nil {
		return 0, wrong("write one such as 2026-11-01", "%s is not a date", quote(v.text))
	}
	if d < firstDate {
		return 0, wrong("write "+firstDate.String()+" or later", "%s is too early", quote(v.text))
	}
	return d, nil
}

// parseQuota gives 0 for auto.
func parseQuota(v value) (int, error) {
	if v.text == "auto" {
		return 0, nil
	}
	n, err := decimal(v.text)
	if err != nil || n < 1 {
		return 0, wrong("write auto, or a number of calls a day from 1", "is %s", quote(v.text))
	}
	return n, nil
}

var namePattern = regexp.MustCompile(`^[a-z][a-z0-9_-]{0,62}$`)

func parseName(v value) (string, error) {
	const mend = "write a small letter, then up to 62 of a-z, 0-9, _ and -"
	if !namePattern.MatchString(v.text) {
		return "", wrong(mend, "%s cannot be a name", quote(v.text))
	}
	return parseText(v)
}

var serverPattern = regexp.MustCompile(`^[0-9]{1,16}$`)

func parseServer(v value) (string, error) {
	switch {
	case !serverPattern.MatchString(v.text):
		return "", wrong("write the digits of https://wv<server>.wolkvox.com", "%s is not the number of a server", quote(v.text))
	case v.wantText() != nil:
		return "", wrong(`put it in quotes: server: "`+v.text+`"`, "%s is a number in YAML, which drops or misreads leading zeros", v.text)
	}
	return v.text, nil
}

// parseBaseURL never shows the URL, in which somebody may have put a secret.
func parseBaseURL(v value) (string, error) {
	const mend = "write one such as http://127.0.0.1:8042"
	u, err := url.Parse(v.text)
	switch {
	case v.wantText() != nil || err != nil:
		return "", wrong(mend, "is not a URL")
	case u.Scheme != "http" && u.Scheme != "https":
		return "", wrong(mend, "is neither http:// nor https://")
	case u.Hostname() == "":
		return "", wrong(mend, "names no host")
	case u.User != nil:
		return "", wrong("take them out: the token goes into token", "holds credentials")
	case u.RawQuery != "" || u.ForceQuery:
		return "", wrong("end it before the ?", "holds a query")
	case u.Fragment != "" || strings.Contains(v.text, "#"):
		return "", wrong("end it before the #", "holds a fragment")
	}
	return strings.TrimRight(v.text, "/"), nil
}

// parseNATSURL takes what nats.go takes: URLs separated by commas. It never
// shows them, because they may hold credentials.
func parseNATSURL(v value) (string, error) {
	const mend = "write one such as nats://nats.example.com:4222, several with commas between"
	if err := v.wantText(); err != nil {
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
func listener(example string) func(value) (string, error) {
	mend := "write host:port, such as " + example
	return func(v value) (string, error) {
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
func bucketParser(dir string) func(value) (string, error) {
	return func(v value) (string, error) {
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
		}
		return v.text, nil
	}
}

// fileBucket makes the path of a file: URL absolute. file:lake and
// file://lake are both a folder lake: nobody means a host of that name.
func fileBucket(u *url.URL, dir string) (string, error) {
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
func parsePrefix(v value) (string, error) {
	const mend = "write a folder such as team/wolkvox"
	if err := v.wantText(); err != nil {
		return "", err
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
