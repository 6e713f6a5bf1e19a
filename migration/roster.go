package migration

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/hotcut/hotcut/policy"
)

// Roster is the edges as the store listed them when it was last seen. It is what a direct command and a stale view
// go by when the store is gone.
type Roster struct {
	SavedAt int64              `json:"savedAt"` // unix milliseconds
	Head    policy.Head        `json:"head"`
	Nodes   []policy.NodeState `json:"nodes"`
}

// maxRoster bounds what is read back: 10,000 edges of a few kilobytes.
const maxRoster = 64 << 20

// RosterPath names the cache file of one store below a cache folder.
func RosterPath(cache, store string) string {
	sum := sha256.Sum256([]byte(store))
	return filepath.Join(cache, "hotcut", "roster-"+hex.EncodeToString(sum[:8])+".json")
}

// SaveRoster replaces the cache file whole, so that a reader never sees half of one.
func SaveRoster(path string, r Roster) error {
	b, err := json.Marshal(r)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	tmp, err := os.CreateTemp(filepath.Dir(path), ".roster-*")
	if err != nil {
		return err
	}
	defer os.Remove(tmp.Name()) // after the rename there is nothing of that name
	if _, err := tmp.Write(b); err != nil {
		return errors.Join(err, tmp.Close())
	}
	if err := tmp.Close(); err != nil {
		return err
	}
	return os.Rename(tmp.Name(), path)
}

// LoadRoster reads the cache file. A missing one is an empty roster.
func LoadRoster(path string) (Roster, error) {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return Roster{}, nil
	}
	if err != nil {
		return Roster{}, err
	}
	if info.Size() > maxRoster {
		return Roster{}, fmt.Errorf("%s: %d bytes is more than a roster has", path, info.Size())
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return Roster{}, err
	}
	var r Roster
	if err := json.Unmarshal(b, &r); err != nil {
		return Roster{}, fmt.Errorf("%s: %w", path, err)
	}
	return r, nil
}

// Age is how long ago the store was last seen.
func (r Roster) Age(now time.Time) time.Duration {
	return max(0, now.Sub(time.UnixMilli(r.SavedAt)))
}
