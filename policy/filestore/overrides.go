package filestore

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/hotcut/hotcut/policy"
)

// Bounds of overrides.json.
const (
	maxOverrides       = 16 << 20 // bytes
	maxOverrideTenants = 200000
	overridesPoll      = 200 * time.Millisecond
)

// OverridesFile is overrides.json in an edge's state directory: its own orders to serve legacy. The admin API writes
// it; so may a person with an editor, when nothing else is alive:
//
//	{"allLegacy": {"by": "anna", "reason": "core is down"}, "tenants": {"acme": {"by": "anna"}}}
//
// A file that can not be read right changes nothing that is in force. Removing the file removes the orders.
type OverridesFile struct {
	path string
}

// NewOverridesFile names the file in dir; it need not exist.
func NewOverridesFile(dir string) *OverridesFile {
	return &OverridesFile{path: filepath.Join(dir, "overrides.json")}
}

// Path of the file, for messages.
func (f *OverridesFile) Path() string { return f.path }

// Load returns nil without a file. An order without a time gets the file's.
func (f *OverridesFile) Load() (*policy.Overrides, error) { return loadOverrides(f.path) }

// Kept returns the orders that were last in force, nil if there were none. They are a second copy, for a start with a
// file that somebody left unreadable: orders towards legacy do not vanish for a missing comma.
func (f *OverridesFile) Kept() *policy.Overrides {
	o, err := loadOverrides(f.kept())
	if err != nil {
		return nil
	}
	return o
}

func (f *OverridesFile) kept() string { return f.path + ".last" }

// Keep stores the second copy.
func (f *OverridesFile) Keep(o *policy.Overrides) error { return saveOverrides(f.kept(), o) }

func loadOverrides(path string) (*policy.Overrides, error) {
	file, err := os.Open(path)
	if os.IsNotExist(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer file.Close()
	b, err := io.ReadAll(io.LimitReader(file, maxOverrides+1))
	if err != nil {
		return nil, err
	}
	o, err := ParseOverrides(b)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	st, err := file.Stat()
	if err != nil {
		return nil, err
	}
	stampOrders(o, st.ModTime().Unix())
	return o, nil
}

func stampOrders(o *policy.Overrides, at int64) {
	for _, v := range []*policy.Override{o.AllLegacy, o.Freeze} {
		if v != nil && v.At == 0 {
			v.At = at
		}
	}
	for id, v := range o.Tenants {
		if v.At == 0 {
			v.At = at
			o.Tenants[id] = v
		}
	}
}

// ParseOverrides reads overrides.json: strict, every name known, every tenant id well formed.
func ParseOverrides(b []byte) (*policy.Overrides, error) {
	if len(b) > maxOverrides {
		return nil, fmt.Errorf("more than %d bytes", maxOverrides)
	}
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	o := new(policy.Overrides)
	if err := d.Decode(o); err != nil {
		return nil, err
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, fmt.Errorf("something follows the closing brace at byte %d", d.InputOffset())
	}
	if len(o.Tenants) > maxOverrideTenants {
		return nil, fmt.Errorf("more than %d tenants: use allLegacy", maxOverrideTenants)
	}
	for id := range o.Tenants {
		if !tenantID(id) {
			return nil, fmt.Errorf("tenants: %.80q is no tenant id ([a-z0-9-]{1,63})", id)
		}
	}
	return o, nil
}

func tenantID(s string) bool {
	if s == "" || len(s) > 63 {
		return false
	}
	for i := range len(s) {
		c := s[i]
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' {
			return false
		}
	}
	return true
}

// Empty: no order stands in o.
func Empty(o *policy.Overrides) bool {
	return o == nil || o.AllLegacy == nil && o.Freeze == nil && len(o.Tenants) == 0
}

// Save replaces the file; without an order in o it is removed. The orders survive a power cut once Save has returned.
func (f *OverridesFile) Save(o *policy.Overrides) error {
	return errors.Join(saveOverrides(f.path, o), f.Keep(o))
}

func saveOverrides(path string, o *policy.Overrides) error {
	if Empty(o) {
		if err := os.Remove(path); err != nil && !os.IsNotExist(err) {
			return err
		}
		return syncDir(filepath.Dir(path))
	}
	b, err := json.MarshalIndent(o, "", "  ")
	if err != nil {
		return err
	}
	return replaceBytes(path, append(b, '\n'))
}

// Watch calls changed with what Load returns, now and whenever the file has changed, until ctx ends. A file that is
// gone counts only when it is still gone at the next look: editors take it away for a moment.
func (f *OverridesFile) Watch(ctx context.Context, changed func(*policy.Overrides, error)) {
	tick := time.NewTicker(overridesPoll)
	defer tick.Stop()
	var last stamp
	gone := false
	for first := true; ; first = false {
		st, err := stampOf(f.path)
		switch {
		case err != nil:
			changed(nil, err)
		case st == stamp{} && !first && !gone && last != st:
			gone = true
		case first || st != last:
			last, gone = st, false
			changed(f.Load())
		default:
			gone = false
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}
