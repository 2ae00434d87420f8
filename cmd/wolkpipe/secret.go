package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"gocloud.dev/runtimevar"

	"wolkpipe/cmd/wolkpipe/config"
)

// opener gives a function that reads a secret as it now is, and one that
// ends what was opened for it.
func opener(ctx context.Context, s config.Secret) (read func(context.Context) (string, error), end func(), err error) {
	if s.Kind != config.URLSecret {
		return func(context.Context) (string, error) { return s.Read(os.LookupEnv) }, func() {}, nil
	}
	variable, err := runtimevar.OpenVariable(ctx, s.Ref)
	if err != nil {
		return nil, nil, fmt.Errorf("opening the secret %s: %w", s, errors.Unwrap(err))
	}
	read = func(ctx context.Context) (string, error) {
		snapshot, err := variable.Latest(ctx)
		if err != nil {
			return "", fmt.Errorf("the secret %s cannot be read", s)
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
