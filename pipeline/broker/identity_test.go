package broker

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
)

func TestIdentityStays(t *testing.T) {
	dir := t.TempDir()
	first, err := Identity(dir)
	if err != nil || first == "" {
		t.Fatal(first, err)
	}
	if again, err := Identity(dir); err != nil || again != first {
		t.Errorf("the identity was %q, now %q, %v", first, again, err)
	}
	if other, err := Identity(t.TempDir()); err != nil || other == first {
		t.Errorf("another folder has the same identity %q, %v", other, err)
	}
	if err := os.WriteFile(filepath.Join(dir, "identity"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if id, err := Identity(dir); err == nil {
		t.Errorf("an empty file gave the identity %q", id)
	}
}

func TestHeldFolderIsRefused(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	release, err := Hold(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	var inUse *InUseError
	if _, err := Hold(t.Context(), dir); !errors.As(err, &inUse) || inUse.PID != os.Getpid() {
		t.Errorf("a held folder gave %v", err)
	}
	release()
	again, err := Hold(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	again()
}
