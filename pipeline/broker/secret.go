package broker

import (
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

func secretPath(dir string) string { return filepath.Join(dir, "nats.secret") }

// ownSecret reads the data folder's secret, and makes one where there is none.
// The caller holds the folder's lock.
func ownSecret(dir string) (string, error) {
	secret, err := readSecret(dir)
	if !errors.Is(err, os.ErrNotExist) {
		return secret, err
	}
	secret = rand.Text()
	if err := writeFile(secretPath(dir), secret+"\n"); err != nil {
		return "", fmt.Errorf("writing the server's secret: %w", err)
	}
	return secret, nil
}

func readSecret(dir string) (string, error) {
	path := secretPath(dir)
	text, err := os.ReadFile(path)
	if err != nil {
		return "", fmt.Errorf("reading the server's secret: %w", err)
	}
	secret := strings.TrimSpace(string(text))
	if len(secret) < 16 || strings.ContainsAny(secret, "\"\\\n\r\t ") {
		return "", fmt.Errorf("%s does not hold a secret of wolkpipe's: remove it, and the next start makes a new one", path)
	}
	return secret, nil
}

// writeFile puts a private file in place whole: readers see the old text or
// the new, also after a crash.
func writeFile(path, text string) (err error) {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-*") // mode 0600
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = os.Remove(f.Name()) // the first error says more
		}
	}()
	if _, err = f.WriteString(text); err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}
