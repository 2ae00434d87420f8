package main

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"regexp"
	"strings"
	"time"

	"gocloud.dev/runtimevar"

	"wolkpipe/cmd/wolkpipe/config"
)

// opener gives a function that reads a secret as it now is, and one that
// ends what was opened for it.
func opener(ctx context.Context, s config.Secret) (read func(context.Context) (string, error), end func(), err error) {
	if s.Kind != config.URLSecret {
		return func(context.Context) (string, error) { return s.Read(os.LookupEnv) }, func() {}, nil
	}
	hidden := hider(s)
	variable, err := open(ctx, s)
	if err != nil {
		return nil, nil, fmt.Errorf("opening the secret %s: %s", s, hidden(err))
	}
	read = func(ctx context.Context) (string, error) {
		waiting, stop := context.WithTimeout(ctx, secretLimit) // Latest waits for a first good value
		defer stop()
		snapshot, err := variable.Latest(waiting)
		if ctx.Err() != nil && err != nil {
			return "", fmt.Errorf("reading the secret %s: %w", s, ctx.Err())
		}
		if err != nil {
			if health := variable.CheckHealth(); health != nil {
				err = health
			}
			return "", fmt.Errorf("the secret %s cannot be read: %s", s, hidden(err))
		}
		text := ""
		switch value := snapshot.Value.(type) {
		case string:
			text = value
		case []byte:
			text = string(value)
		}
		if text = strings.TrimSpace(text); text == "" {
			return "", fmt.Errorf("the secret %s is empty or no text: add ?decoder=string", s)
		}
		return text, nil
	}
	return read, func() { _ = variable.Close() }, nil
}

// secretLimit is how long a secret that has never been read is waited for.
const secretLimit = 10 * time.Second

// open opens the variable at a URL.
func open(ctx context.Context, s config.Secret) (*runtimevar.Variable, error) {
	mux := runtimevar.DefaultURLMux()
	if scheme, _, _ := strings.Cut(s.Ref, "://"); !mux.ValidVariableScheme(scheme) {
		return nil, fmt.Errorf("%s:// is not known: write env:NAME, file:PATH or a URL of %s",
			scheme, strings.Join(mux.VariableSchemes(), ", "))
	}
	return mux.OpenVariable(ctx, s.Ref)
}

// What a text may say of a URL after its path, and before its host.
var (
	queryText = regexp.MustCompile(`\?[^\s"]*`)
	userText  = regexp.MustCompile(`://[^/\s"]*@`)
)

// hider gives what an error says without the query and the user of the
// secret's URL, either of which may be the secret itself.
func hider(s config.Secret) func(error) string {
	query := ""
	if u, err := url.Parse(s.Ref); err == nil {
		query = u.RawQuery
	}
	return func(err error) string {
		text := err.Error()
		if query != "" {
			text = strings.ReplaceAll(text, query, "") // it may hold white space
		}
		return userText.ReplaceAllString(queryText.ReplaceAllString(text, ""), "://")
	}
}
