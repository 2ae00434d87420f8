package parquet

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
)

// parameters are those that the URL of a bucket may have: the drivers', but
// for key, which makes a bucket of one object. They are checked here because a
// driver's complaint shows the whole URL, with whatever somebody put in it.
var parameters = map[string][]string{
	"s3": {
		"region", "endpoint", "use_path_style", "s3ForcePathStyle", "disable_https", "hostname_immutable", "profile", "role", "anonymous",
		"dualstack", "fips", "accelerate", "ssetype", "kmskeyid", "rate_limiter_capacity",
		"request_checksum_calculation", "response_checksum_validation", "awssdk", "prefix",
	},
	"gs":     {"access_id", "private_key_path", "anonymous", "universe_domain", "grpc", "zonal", "prefix"},
	"azblob": {"domain", "protocol", "cdn", "localemu", "prefix"},
	"mem":    {"nomd5"},
}

// shown is a bucket's URL as messages name it: what can hold no secret.
func shown(u *url.URL) string {
	return (&url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path, OmitHost: u.Scheme == "file" && u.Host == "" && u.Path == ""}).String()
}

// checkURL refuses what would be ignored, or would show a secret. Parameters
// are named, their values never.
func checkURL(u *url.URL) error {
	if u.User != nil {
		return fmt.Errorf("%w: it holds credentials, which the store's own variables and files give", errBucket)
	}
	if u.Scheme == "file" {
		return nil
	}
	known, ok := parameters[u.Scheme]
	if !ok {
		return fmt.Errorf("%w: scheme %q is not known", errBucket, u.Scheme)
	}
	if strings.Trim(u.Path, "/") != "" {
		return fmt.Errorf("%w: %s://%s ends with the bucket's name; a folder in it goes into prefix", errBucket, u.Scheme, u.Host)
	}
	query, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return fmt.Errorf("%w: its parameters cannot be read", errBucket)
	}
	for name := range query {
		if !slices.Contains(known, name) {
			return fmt.Errorf("%w: there is no parameter %q, only %s", errParameter, name, strings.Join(known, ", "))
		}
	}
	if endpoint := query.Get("endpoint"); endpoint != "" {
		e, err := url.Parse(endpoint)
		if err != nil || e.Scheme != "http" && e.Scheme != "https" || e.Host == "" || e.User != nil || e.RawQuery != "" {
			return fmt.Errorf("%w: endpoint is not of the form https://host:port", errParameter)
		}
	}
	return nil
}
