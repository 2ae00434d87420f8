package chat7

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

func TestTokenThatIsNone(t *testing.T) {
	for _, token := range []string{"", " ", secret + "\n", secret + "\r\nX: y", "a " + secret, "\x00" + secret, secret + "ñ", "\ufeff" + secret, secret + "\x7f"} {
		client := serve(t, func(o *Options) { o.Token = tokenOf(token) }, func(http.ResponseWriter, *http.Request) { t.Errorf("asked with %q", token) })
		_, err := client.Rows(t.Context(), noon)
		if failureOf(t, err, BadToken).Open() {
			t.Error("open")
		}
	}
}

func TestTokenThatCannotBeRead(t *testing.T) {
	missing := errors.New("no such file")
	client := serve(t, func(o *Options) {
		o.Token = func(context.Context) (string, error) { return "", missing }
	}, func(http.ResponseWriter, *http.Request) { t.Error("asked") })
	_, err := client.Rows(t.Context(), noon)
	if failureOf(t, err, Transient).Open() || !errors.Is(err, missing) {
		t.Errorf("%v", err)
	}

	// A secret store that does not answer is no slow source.
	client = serve(t, func(o *Options) {
		o.Timeout = 10 * time.Millisecond
		o.Token = func(ctx context.Context) (string, error) { <-ctx.Done(); return "", ctx.Err() }
	}, func(http.ResponseWriter, *http.Request) { t.Error("asked") })
	_, err = client.Rows(t.Context(), noon)
	if failureOf(t, err, Transient).Open() {
		t.Error("open")
	}
}

func TestTokenIsAskedForEveryCall(t *testing.T) {
	n := 0
	var got []string
	client := serve(t, func(o *Options) {
		o.Token = func(context.Context) (string, error) { n++; return fmt.Sprint("token-", n), nil }
	}, func(w http.ResponseWriter, r *http.Request) {
		got = append(got, r.Header.Get("wolkvox-token"))
		_, _ = io.WriteString(w, full)
	})
	for range 2 {
		if _, err := client.Rows(t.Context(), noon); err != nil {
			t.Fatal(err)
		}
	}
	if strings.Join(got, " ") != "token-1 token-2" {
		t.Errorf("%q", got)
	}
}

// A source may repeat the token in whatever it says; failureOf looks for it in
// everything that an error shows.
func TestTokenIsNeverShown(t *testing.T) {
	hidden := secret[:5] + "\u200b" + secret[5:]
	for _, c := range []struct {
		kind   Kind
		status int
		body   string
	}{
		{UnknownForbidden, 403, `{"code":403,"error":"FORBIDDEN","msg":"TOKEN ` + secret + ` IS NOT KNOWN"}`},
		{UnknownForbidden, 403, `{"code":403,"error":"` + secret + `","msg":"` + hidden + `"}`},
		{UnknownForbidden, 403, strings.Repeat("x ", 95) + secret},
		{Transient, 200, `{"code":"` + secret + `","msg":"","data":[]}`},
		{Transient, 404, `wolkvox-token: ` + secret},
		{Transient, 200, `{"code":200,"error":"` + secret + `","data":[]}`},
		{Transient, 200, `<html>` + hidden},
		{Transient, 500, secret},
		{Permanent, 400, `{"code":"` + secret + `","msg":"` + secret + `"}`},
	} {
		client := serve(t, nil, func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(c.status)
			_, _ = io.WriteString(w, c.body)
		})
		_, err := client.Rows(t.Context(), noon)
		failure := failureOf(t, err, c.kind)
		if c.status != 200 && !strings.Contains(failure.Message, "[token]") {
			t.Errorf("%s: %q", c.body, failure.Message)
		}
		if n := len([]rune(failure.Message)); n > messageLimit {
			t.Errorf("%s: %d characters", c.body, n)
		}
		for _, shown := range []string{fmt.Sprintf("%+v", client), fmt.Sprintf("%#v", client), fmt.Sprintf("%+v %#v", client.options, client.options)} {
			if strings.Contains(shown, secret) {
				t.Errorf("the token is in %s", shown)
			}
		}
	}
	client := serve(t, nil, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Encoding", secret)
		_, _ = io.WriteString(w, full)
	})
	_, err := client.Rows(t.Context(), noon)
	_ = failureOf(t, err, Transient)
}
