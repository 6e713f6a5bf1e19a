package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/hotcut/hotcut/migration/shadow/compare"
)

// Files is the store of one machine: its edge writes, its command line reads. Examples are found among the exchanges.
type Files struct {
	o   Options
	dir string

	triage sync.Mutex // one change of this process at a time; two processes replace whole files
}

var _ Store = (*Files)(nil)

// OpenFiles keeps below a state directory, which need not exist yet.
func OpenFiles(stateDir string, o Options) (*Files, error) {
	if stateDir == "" {
		return nil, errors.New("shadow: no Redis and no state directory: there is nowhere to keep what shadow calls show")
	}
	o.defaults()
	return &Files{o: o, dir: folder(stateDir)}, nil
}

// Close implements Store.
func (f *Files) Close() error { return nil }

func (f *Files) path(parts ...string) string {
	return filepath.Join(append([]string{f.dir}, parts...)...)
}

func (f *Files) tally(tenant, edge, boot string) string {
	return f.path("tallies", fileName(tenant), fileName(edge)+"~"+fileName(boot)+".json")
}

// blob is a file of counts: the tenant's name may not be readable from its folder.
type blob struct {
	Tenant string          `json:"tenant"`
	Counts json.RawMessage `json:"counts"`
}

// Write implements Store.
func (f *Files) Write(_ context.Context, b *Batch) error {
	if err := checkNames(b.Edge, b.Boot); err != nil {
		return err
	}
	var errs []error
	for tenant := range b.Gone {
		errs = append(errs, remove(f.tally(tenant, b.Edge, b.Boot)))
	}
	for tenant, raw := range b.Tenants {
		if err := checkTenant(tenant); err != nil {
			errs = append(errs, err)
			continue
		}
		text, err := json.Marshal(blob{tenant, raw})
		if err == nil {
			err = replace(f.tally(tenant, b.Edge, b.Boot), text)
		}
		errs = append(errs, err)
	}
	f.expire()
	return errors.Join(errs...)
}

// expire removes counts that no life of an edge has written for the retention.
func (f *Files) expire() {
	old := f.o.Now().Add(-f.o.Retention)
	for _, tenant := range names(f.path("tallies")) {
		for _, name := range names(f.path("tallies", tenant)) {
			path := f.path("tallies", tenant, name)
			if info, err := os.Stat(path); err == nil && info.ModTime().Before(old) {
				os.Remove(path)
			}
		}
		os.Remove(f.path("tallies", tenant)) // only if it is empty
	}
}

// names of a folder's entries; a folder that is not there has none.
func names(dir string) []string {
	entries, _ := os.ReadDir(dir) // what can not be listed is missed where it is read
	out := make([]string, 0, len(entries))
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), ".") {
			out = append(out, e.Name())
		}
	}
	return out
}

func remove(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// Tenants implements Store.
func (f *Files) Tenants(ctx context.Context) ([]string, error) {
	sum, _, err := f.Read(ctx, "")
	if err != nil {
		return nil, err
	}
	list := make([]string, 0, len(sum.Tenants))
	for name := range sum.Tenants {
		list = append(list, name)
	}
	slices.Sort(list)
	return list, nil
}

// Read implements Store.
func (f *Files) Read(_ context.Context, tenant string) (*compare.Tally, []string, error) {
	folders := names(f.path("tallies"))
	if tenant != "" {
		folders = []string{fileName(tenant)}
	}
	sum := &compare.Tally{Tenants: make(map[string]*compare.Tenant)}
	var damage []string
	for _, folder := range folders {
		lives := names(f.path("tallies", folder))
		for _, name := range lives[:min(len(lives), maxLives)] {
			if err := f.readBlob(f.path("tallies", folder, name), sum); err != nil {
				damage = append(damage, fmt.Sprintf("%s/%s: %v", folder, name, err))
			}
		}
	}
	return sum, damage, nil
}

func (f *Files) readBlob(path string, sum *compare.Tally) error {
	text, err := readBounded(path, compare.MaxTenantBytes+maxName*8)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // it expired, or was purged
	}
	if err != nil {
		return err
	}
	var b blob
	if err := json.Unmarshal(text, &b); err != nil {
		return err
	}
	if err := checkTenant(b.Tenant); err != nil {
		return err
	}
	return merge(sum, b.Tenant, b.Counts)
}

// readBounded looks at the length before it reads.
func readBounded(path string, most int64) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if info.Size() > most {
		return nil, fmt.Errorf("%d bytes, at most %d", info.Size(), most)
	}
	return os.ReadFile(path)
}

// Keep implements Store: the exchanges have the call already.
func (f *Files) Keep(context.Context, *Example) error { return nil }

// Find implements Store.
func (f *Files) Find(_ context.Context, tenant, token string) (*Example, error) {
	return findExchange(f.dir, tenant, token)
}

func (f *Files) triagePath(tenant string) string { return f.path("triage", fileName(tenant)+".json") }

// Triage implements Store.
func (f *Files) Triage(_ context.Context, tenant string) (map[compare.ClusterID]compare.Triage, error) {
	text, err := readBounded(f.triagePath(tenant), maxTriages*8<<10)
	if errors.Is(err, fs.ErrNotExist) {
		return map[compare.ClusterID]compare.Triage{}, nil
	}
	if err != nil {
		return nil, err
	}
	var raw map[string]json.RawMessage
	if err := json.Unmarshal(text, &raw); err != nil {
		return nil, fmt.Errorf("%s: %w", f.triagePath(tenant), err)
	}
	all := make(map[string]string, len(raw))
	for id, r := range raw {
		all[id] = string(r)
	}
	return triages(all)
}

// SetTriage implements Store.
func (f *Files) SetTriage(ctx context.Context, tenant string, id compare.ClusterID, t compare.Triage) error {
	if err := errors.Join(checkTenant(tenant), checkTriage(id, t)); err != nil {
		return err
	}
	f.triage.Lock()
	defer f.triage.Unlock()
	all, err := f.Triage(ctx, tenant)
	if err != nil {
		return err // a file that can not be read is not overwritten
	}
	if _, known := all[id]; !known && len(all) >= maxTriages {
		return fmt.Errorf("tenant %s has %d triaged clusters already", tenant, len(all))
	}
	all[id] = t
	text, err := json.MarshalIndent(all, "", " ")
	if err != nil {
		return err
	}
	return replace(f.triagePath(tenant), text)
}

// Marks implements Store.
func (f *Files) Marks(context.Context) (map[string]int64, error) {
	old := f.o.Now().Add(-f.o.Retention).UnixMilli()
	marks := make(map[string]int64)
	for _, name := range names(f.path("purged")) {
		text, err := readBounded(f.path("purged", name), 64)
		if err != nil {
			continue // removed meanwhile
		}
		at, err := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64)
		if err != nil || at < old {
			os.Remove(f.path("purged", name))
			continue
		}
		marks[name] = at
	}
	return marks, nil
}

// Purge implements Store, for what is on this disk: the mark makes a running edge forget what it has in memory.
func (f *Files) Purge(_ context.Context, tenant string) error {
	if err := checkTenant(tenant); err != nil {
		return err
	}
	at := strconv.FormatInt(f.o.Now().UnixMilli(), 10)
	if err := replace(f.path("purged", Mark(tenant)), []byte(at)); err != nil {
		return err
	}
	return errors.Join(
		os.RemoveAll(f.path("tallies", fileName(tenant))),
		os.RemoveAll(f.path("exchanges", fileName(tenant))),
		remove(f.triagePath(tenant)),
	)
}

// unixMilli of a file name that is a time.
func unixMilli(name, suffix string) (time.Time, bool) {
	digits, ok := strings.CutSuffix(name, suffix)
	ms, err := strconv.ParseInt(digits, 10, 64)
	return time.UnixMilli(ms), ok && err == nil && ms > 0
}
