package consume

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// saved is a Fold as JSON.
type saved struct {
	Stream time.Time    `json:"stream"`
	Next   uint64       `json:"next"`
	Counts []savedCount `json:"counts"` // sorted, so that equal folds are equal bytes
}

type savedCount struct {
	Operation    string    `json:"operation"`
	Window       string    `json:"window_local"`
	Agent        string    `json:"agent_name"`
	Code         string    `json:"cod_act"`
	Interactions int64     `json:"interactions"`
	Revision     int64     `json:"revision"`
	ObservedAt   time.Time `json:"observed_at"`
}

// MarshalJSON gives all that the fold holds: its counts, and where to go on.
func (f *Fold) MarshalJSON() ([]byte, error) {
	s := saved{Stream: f.stream, Next: f.next, Counts: make([]savedCount, 0, len(f.counts))}
	for k, c := range f.counts {
		s.Counts = append(s.Counts, savedCount{k.Operation, k.Window, k.Agent, k.Code, c.Interactions, c.Revision, c.ObservedAt})
	}
	slices.SortFunc(s.Counts, func(a, b savedCount) int {
		return cmp.Or(cmp.Compare(a.Operation, b.Operation), cmp.Compare(a.Window, b.Window), cmp.Compare(a.Agent, b.Agent), cmp.Compare(a.Code, b.Code))
	})
	return json.Marshal(s)
}

// UnmarshalJSON makes f what MarshalJSON gave. After an error f is unchanged.
func (f *Fold) UnmarshalJSON(data []byte) error {
	var s saved
	if err := json.Unmarshal(data, &s); err != nil {
		return err
	}
	counts := make(map[Key]Count, len(s.Counts))
	for _, c := range s.Counts {
		counts[Key{c.Operation, c.Window, c.Agent, c.Code}] = Count{c.Interactions, c.ObservedAt, c.Revision}
	}
	*f = Fold{counts: counts, next: s.Next, stream: s.Stream}
	return nil
}

// Load reads the fold that Save wrote to a file; where there is no file, an
// empty one.
func Load(path string) (*Fold, error) {
	f := new(Fold)
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return f, nil
	}
	if err == nil {
		err = json.Unmarshal(data, f)
	}
	if err != nil {
		return nil, fmt.Errorf("reading the state of a consumer from %s (without the file it begins anew): %w", path, err)
	}
	return f, nil
}

// checkpointEvery is how many events at most a program reads anew after it was
// killed. Saving writes the whole state.
const checkpointEvery = 1000

// Checkpoint saves the fold when that is due: when no events are pending, as
// the message's metadata tells, and after every 1000. It is called after each
// Apply.
func (f *Fold) Checkpoint(path string, pending uint64) error {
	if pending > 0 && f.unsaved < checkpointEvery {
		return nil
	}
	return f.Save(path)
}

// Save writes the fold to a file, of mode 0600 because agents are named in it.
// It is there as a whole or as it was before, also after a loss of power. One
// process at a time may save to a path.
func (f *Fold) Save(path string) (err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("saving the state of a consumer: %w", err)
		}
	}()
	data, err := f.MarshalJSON()
	if err != nil {
		return err
	}
	beside := path + ".tmp"
	file, err := os.OpenFile(beside, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = file.Write(data)
	if err = errors.Join(err, file.Sync(), file.Close()); err != nil {
		return err
	}
	if err := os.Rename(beside, path); err != nil {
		return err
	}
	// Some systems cannot sync a folder: then a loss of power may bring the
	// older file back, which is as good.
	if folder, err := os.Open(filepath.Dir(path)); err == nil {
		_ = folder.Sync()
		_ = folder.Close()
	}
	f.unsaved = 0
	return nil
}
