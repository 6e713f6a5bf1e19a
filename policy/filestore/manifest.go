package filestore

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	"github.com/hotcut/hotcut/policy"
)

// manifest names every file that counts. It is replaced as a whole, so a reader sees one state of the directory.
type manifest struct {
	Version     int      `json:"version"` // 1
	Epoch       string   `json:"epoch"`
	Gen         uint64   `json:"gen"`      // raised by resync, so that file names never come twice
	Resynced    uint64   `json:"resynced"` // rev of the last resync: older records need not be ancestors
	Checkpoints []uint64 `json:"checkpoints"`
	Times       []int64  `json:"times"` // unix seconds, beside Checkpoints
	Segments    []segRef `json:"segments"`
}

// segRef names a segment: the records after From.
type segRef struct {
	Gen  uint64 `json:"gen"`
	From uint64 `json:"from"`
}

func (m *manifest) checkpoint(i int) string {
	gen := uint64(0)
	for _, s := range m.Segments {
		if s.From == m.Checkpoints[i] {
			gen = s.Gen
		}
	}
	return fmt.Sprintf("ckpt-%d-%d", gen, m.Checkpoints[i])
}

func (s segRef) file() string { return fmt.Sprintf("log-%d-%d", s.Gen, s.From) }

func (m *manifest) last() segRef { return m.Segments[len(m.Segments)-1] }

func (m *manifest) clone() *manifest {
	n := *m
	n.Checkpoints = append([]uint64(nil), m.Checkpoints...)
	n.Times = append([]int64(nil), m.Times...)
	n.Segments = append([]segRef(nil), m.Segments...)
	return &n
}

// readManifest returns policy.ErrNoPolicy when there is none.
func readManifest(dir string) (*manifest, error) {
	path := filepath.Join(dir, "MANIFEST")
	b, err := os.ReadFile(path)
	if os.IsNotExist(err) {
		return nil, fmt.Errorf("%s: %w", dir, policy.ErrNoPolicy)
	}
	if err != nil {
		return nil, err
	}
	return parseManifest(path, b)
}

func parseManifest(path string, b []byte) (*manifest, error) {
	var m manifest
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(&m); err != nil {
		return nil, fmt.Errorf("%s: %w: %w", path, errTorn, err)
	}
	if m.Version != 1 {
		return nil, fmt.Errorf("%s: version %d, this build reads 1", path, m.Version)
	}
	if m.Epoch == "" || len(m.Segments) == 0 || len(m.Times) != len(m.Checkpoints) {
		return nil, fmt.Errorf("%s: %w: incomplete", path, errTorn)
	}
	for i := range m.Segments[1:] {
		if m.Segments[i].From >= m.Segments[i+1].From {
			return nil, fmt.Errorf("%s: %w: segments out of order", path, errTorn)
		}
	}
	for i, rev := range m.Checkpoints {
		if i > 0 && m.Checkpoints[i-1] >= rev {
			return nil, fmt.Errorf("%s: %w: checkpoints out of order", path, errTorn)
		}
	}
	return &m, nil
}

func (m *manifest) write(dir string) error {
	b, err := json.Marshal(m)
	if err != nil {
		return err
	}
	return replaceBytes(filepath.Join(dir, "MANIFEST"), append(b, '\n'))
}
