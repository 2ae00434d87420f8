package main

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"

	"wolkpipe/cmd/wolkpipe/config"
)

// TestSecretByURL reads variables that have a value, and some that never will.
func TestSecretByURL(t *testing.T) {
	for ref, want := range map[string]struct{ text, problem string }{
		"constant://?val=+hush+&decoder=string":    {text: "hush"},
		"constant://?val=hush":                     {text: "hush"},
		"constant://?decoder=string":               {problem: "the secret constant: is empty or no text"},
		"constant://?err=out+of+order":             {problem: "cannot be read: "},
		"constant://?val=hush&decoder=morse":       {problem: "opening the secret constant:"},
		"constant://?val=hush hush&decoder=morse":  {problem: "opening the secret constant:"},
		"constant://?val=hush&decoder=jsonmap&x=1": {problem: "opening the secret constant:"},
		"vault://ana:hush@host/path?token=hush":    {problem: "opening the secret vault://host/path: vault:// is not known: write env:NAME, file:PATH or a URL of "},
	} {
		t.Run(ref, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				text, err := readOnce(t.Context(), ref)
				if text != want.text || (err == nil) != (want.problem == "") {
					t.Fatalf("%q, %v, want %+v", text, err, want)
				}
				if err != nil && (!strings.Contains(err.Error(), want.problem) || strings.Contains(err.Error(), "hush") || strings.Contains(err.Error(), "%!")) {
					t.Errorf("%v, want %q", err, want.problem)
				}
			})
		})
	}
}

func readOnce(ctx context.Context, ref string) (string, error) {
	read, end, err := opener(ctx, config.Secret{Kind: config.URLSecret, Ref: ref})
	if err != nil {
		return "", err
	}
	defer end()
	return read(ctx)
}

// TestSecretThatIsNotThere asks a server that has none: the error says what
// the server said and shows no query.
func TestSecretThatIsNotThere(t *testing.T) {
	if testing.Short() {
		t.Skip("waits for as long as a command does")
	}
	server := httptest.NewServer(http.NotFoundHandler())
	defer server.Close()
	_, err := readOnce(t.Context(), server.URL+"/token?key=hush&decoder=string")
	if err == nil || !strings.Contains(err.Error(), "404") || strings.Contains(err.Error(), "hush") {
		t.Errorf("error %v", err)
	}
}

// TestHiddenSecret is of the errors that Go's client gives, which quote URLs.
func TestHiddenSecret(t *testing.T) {
	ref := "http://ana:hush@127.0.0.1:1/token?key=hush&decoder=string"
	for _, asked := range []string{ref, "http://hush@127.0.0.1:1/token?decoder=string&key=hush"} {
		answer, err := http.Get(asked) //nolint:noctx // nobody listens
		if err == nil {
			answer.Body.Close()
			t.Fatal("there was an answer")
		}
		said := hider(config.Secret{Kind: config.URLSecret, Ref: ref})(err)
		if strings.Contains(said, "hush") || !strings.Contains(said, "http://127.0.0.1:1/token") || !strings.Contains(said, "refused") {
			t.Errorf("%s: %s", asked, said)
		}
	}
}

// TestSecretInterrupted ends before the variable has a value.
func TestSecretInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := readOnce(ctx, "constant://?err=never"); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
}
