package status

import (
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// What a browser is told of every answer. Nothing is loaded from elsewhere, and
// nothing in a page's text is ever code.
var headers = map[string]string{
	"Content-Security-Policy": "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; " +
		"base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
	"X-Content-Type-Options":       "nosniff",
	"X-Frame-Options":              "DENY",
	"Referrer-Policy":              "no-referrer",
	"Cross-Origin-Opener-Policy":   "same-origin",
	"Cross-Origin-Resource-Policy": "same-origin",
	"Cache-Control":                "no-store",
}

// harden adds headers to every answer.
func harden(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for name, value := range headers {
			w.Header().Set(name, value)
		}
		next.ServeHTTP(w, r)
	})
}

// local refuses foreign names of the host where the server listens on loopback.
// A page from elsewhere can have its own name point here and so read what is
// meant for this machine alone; its requests carry that name. Addresses are
// always taken: a name is what that takes. configured is the host that
// `status.listen` names.
func local(addr net.Addr, configured string, next http.Handler) http.Handler {
	if tcp, ok := addr.(*net.TCPAddr); !ok || !tcp.IP.IsLoopback() {
		return next // which names lead here is not known
	}
	known := []string{"localhost", strings.ToLower(configured)}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name := hostname(r.Host)
		_, err := netip.ParseAddr(name)
		if name != "" && err != nil && !slices.Contains(known, name) && !strings.HasSuffix(name, ".localhost") {
			http.Error(w, "this server listens on loopback and answers to localhost, an address, or the host of `status.listen` only: "+
				"let a proxy send one of them as Host", http.StatusMisdirectedRequest)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// hostname is a Host header without its port, in lower case.
func hostname(host string) string {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	host = strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
	return strings.TrimSuffix(strings.ToLower(host), ".")
}
