package filestore_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/hotcut/hotcut/policy"
	"github.com/hotcut/hotcut/policy/filestore"
	"github.com/hotcut/hotcut/policy/storetest"
)

func grow(t *testing.T, s policy.Store, n int) policy.Head {
	t.Helper()
	var h policy.Head
	for i := range n {
		h = storetest.Commit(t, s, storetest.Edit(storetest.Load(t, s), policy.KindTenant, "t0", func(t *policy.Tenant) { t.Name = fmt.Sprint(i) }))
	}
	return h
}

func glob(t *testing.T, dir, pattern string) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, pattern))
	if err != nil || len(files) == 0 {
		t.Fatalf("%s: %v, %v", pattern, files, err)
	}
	slices.Sort(files)
	return files
}

func mangle(t *testing.T, path string, f func([]byte) []byte) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, f(b), 0o600); err != nil {
		t.Fatal(err)
	}
}

// A record that a crash left half written was never acknowledged: it is not seen, and the next commit cuts it off.
func TestTornTail(t *testing.T) {
	for name, tail := range map[string]string{
		"half a record":     "0123456789abcdef",
		"a whole wrong one": strings.Repeat("0", 64) + " {}\n",
		"zeroes":            string(make([]byte, 4096)),
		"zeroes and a line": string(make([]byte, 100)) + "\n",
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			s := open(t, dir)
			storetest.Seed(t, s, 1)
			h := grow(t, s, 3)
			mangle(t, glob(t, dir, "log-*")[0], func(b []byte) []byte { return append(b, tail...) })
			for _, reader := range []*filestore.Store{s, open(t, dir)} {
				if got, err := reader.Head(t.Context()); err != nil || got != h {
					t.Fatalf("%+v, %v; want %+v", got, err, h)
				}
			}
			next := grow(t, open(t, dir), 1)
			if got := storetest.Load(t, s); next.Rev != h.Rev+1 || got.Head() != next {
				t.Errorf("committed %+v, loaded %+v", next, got.Head())
			}
			if got := storetest.Load(t, open(t, dir)); got.Head() != next {
				t.Errorf("a new reader loads %+v", got.Head())
			}
		})
	}
}

// Damage with good records behind it is an error that names the file: to skip a record would fork the policy.
func TestDamagedMiddle(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	storetest.Seed(t, s, 1)
	grow(t, s, 5)
	log := glob(t, dir, "log-*")[0]
	mangle(t, log, func(b []byte) []byte { b[len(b)/2] ^= 1; return b })
	fresh := open(t, dir)
	_, err := fresh.Head(t.Context())
	if err == nil || !strings.Contains(err.Error(), log) {
		t.Errorf("Head: %v", err)
	}
	if _, _, err := fresh.Apply(t.Context(), storetest.Init()); err == nil {
		t.Error("a damaged store takes commits")
	}
}

// The newest checkpoint is torn: the one before and a longer replay lead to the same policy.
func TestTornCheckpoint(t *testing.T) {
	for name, damage := range map[string]func([]byte) []byte{
		"cut":     func(b []byte) []byte { return b[:len(b)/2] },
		"flipped": func(b []byte) []byte { b[len(b)-20] ^= 1; return b },
		"empty":   func(b []byte) []byte { return nil },
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			s := open(t, dir) // a checkpoint every 40 revs
			storetest.Seed(t, s, 2)
			h := grow(t, s, 100)
			files := glob(t, dir, "ckpt-*")
			slices.SortFunc(files, func(a, b string) int { return len(a) - len(b) })
			mangle(t, files[len(files)-1], damage)
			fresh := open(t, dir)
			if got := storetest.Load(t, fresh); got.Head() != h || got.Len() != 2 {
				t.Errorf("loaded %+v, want %+v", got.Head(), h)
			}
			if next := grow(t, fresh, 1); next.Rev != h.Rev+1 {
				t.Errorf("next %+v", next)
			}
		})
	}
}

func TestDisk(t *testing.T) {
	dir := t.TempDir()
	store := open(t, t.TempDir())
	storetest.Seed(t, store, 3)
	load := func() (*filestore.Disk, *policy.Snapshot, error) {
		t.Helper()
		d, err := filestore.OpenDisk(dir)
		if err != nil {
			t.Fatal(err)
		}
		s, torn, err := d.Load()
		if err != nil {
			t.Fatal(err)
		}
		return d, s, torn
	}
	d, s, torn := load()
	if s != nil || torn != nil {
		t.Fatalf("an empty directory holds %v, %v", s, torn)
	}
	snap := storetest.Load(t, store)
	save := func(changes []policy.Change) {
		t.Helper()
		if err := d.Save(snap, changes); err != nil {
			t.Fatal(err)
		}
	}
	save(nil)
	// Coalesced: several changes in one write, appended to the log.
	for range 3 {
		from := snap.Rev()
		grow(t, store, 4)
		snap = storetest.Load(t, store)
		changes, err := store.Since(t.Context(), from)
		if err != nil {
			t.Fatal(err)
		}
		save(changes)
	}
	if n := len(glob(t, dir, "policy-*.ckpt")); n != 1 {
		t.Errorf("%d checkpoints for 12 changes", n)
	}
	if _, s, torn = load(); s.Head() != snap.Head() || torn != nil {
		t.Errorf("loaded %+v, %v; saved %+v", s.Head(), torn, snap.Head())
	}
	logged := snap

	// Changes that do not lead there are not appended: the whole is written.
	grow(t, store, 2)
	snap = storetest.Load(t, store)
	save(nil)
	if n := len(glob(t, dir, "policy-*.ckpt")); n != 2 {
		t.Errorf("%d checkpoints after a leap", n)
	}
	if _, s, torn = load(); s.Head() != snap.Head() || torn != nil {
		t.Errorf("loaded %+v, %v; saved %+v", s.Head(), torn, snap.Head())
	}

	// Torn: the pair before.
	files := glob(t, dir, "policy-*.ckpt")
	mangle(t, files[1], func(b []byte) []byte { return b[:len(b)-1] })
	d, s, torn = load()
	if s == nil || s.Head() != logged.Head() || torn == nil {
		t.Fatalf("loaded %v, %v; the copy before held %+v", s, torn, logged.Head())
	}
	save(nil)
	if _, s, torn = load(); s.Head() != snap.Head() || torn != nil {
		t.Errorf("loaded %+v, %v; saved %+v", s.Head(), torn, snap.Head())
	}

	// A torn log tail costs the last records only.
	from := snap.Rev()
	grow(t, store, 2)
	snap = storetest.Load(t, store)
	changes, err := store.Since(t.Context(), from)
	if err != nil {
		t.Fatal(err)
	}
	save(changes)
	logs := glob(t, dir, "policy-*.log")
	mangle(t, logs[len(logs)-1], func(b []byte) []byte { return b[:len(b)-3] })
	d, s, _ = load()
	if s.Rev() != snap.Rev()-1 {
		t.Errorf("loaded rev %d, saved %d with a torn last record", s.Rev(), snap.Rev())
	}
	save(changes[1:])
	if _, s, torn = load(); s.Head() != snap.Head() || torn != nil {
		t.Errorf("loaded %+v, %v; saved %+v", s.Head(), torn, snap.Head())
	}
	if n := len(glob(t, dir, "policy-*.ckpt")); n > 3 {
		t.Errorf("%d checkpoints are kept", n)
	}

	// Nothing whole at all.
	for _, f := range glob(t, dir, "policy-*.ckpt") {
		mangle(t, f, func([]byte) []byte { return []byte("nonsense") })
	}
	if _, s, torn = load(); s != nil || torn == nil {
		t.Errorf("loaded %v, %v from nonsense", s, torn)
	}
}

func TestOverridesFile(t *testing.T) {
	dir := t.TempDir()
	f := filestore.NewOverridesFile(dir)
	if o, err := f.Load(); o != nil || err != nil {
		t.Fatalf("without a file: %v, %v", o, err)
	}
	o := &policy.Overrides{AllLegacy: &policy.Override{By: "anna", At: 5, Incident: "INC-1"}, Tenants: map[string]policy.Override{"acme": {By: "bob", At: 6}}}
	if err := f.Save(o); err != nil {
		t.Fatal(err)
	}
	got, err := f.Load()
	if err != nil || *got.AllLegacy != *o.AllLegacy || got.Tenants["acme"] != o.Tenants["acme"] {
		t.Errorf("%+v, %v", got, err)
	}
	if k := f.Kept(); k == nil || *k.AllLegacy != *o.AllLegacy {
		t.Errorf("kept %+v", k)
	}
	if err := f.Save(&policy.Overrides{}); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(f.Path()); !os.IsNotExist(err) || f.Kept() != nil {
		t.Errorf("without orders: %v, kept %v", err, f.Kept())
	}
	for _, bad := range []string{"", "{", "[]", `{"allLegacy":true}`, `{"alllegaci":{}}`, `{"tenants":{"Acme":{"by":"x"}}}`, `{} {}`, `{"tenants":{"":{}}}`} {
		if o, err := filestore.ParseOverrides([]byte(bad)); err == nil {
			t.Errorf("%q is read as %+v", bad, o)
		}
	}
}

func FuzzOverrides(f *testing.F) {
	f.Add([]byte(`{"allLegacy":{"by":"anna","at":5},"tenants":{"acme":{"by":"bob"}}}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		o, err := filestore.ParseOverrides(b)
		if err != nil {
			return
		}
		file := filestore.NewOverridesFile(t.TempDir())
		if err := file.Save(o); err != nil {
			t.Fatal(err)
		}
		if again, err := file.Load(); err != nil || filestore.Empty(again) != filestore.Empty(o) {
			t.Errorf("%q: saved %+v, loaded %+v, %v", b, o, again, err)
		}
	})
}

// Whatever stands in the files of a store, it gives an error or a policy, and never more than it can prove.
func FuzzStoreFiles(f *testing.F) {
	dir := f.TempDir()
	s, err := filestore.Open(dir)
	if err != nil {
		f.Fatal(err)
	}
	c := storetest.Init(storetest.Tenant("t0"))
	if _, _, err := s.Apply(f.Context(), c); err != nil {
		f.Fatal(err)
	}
	man, err := os.ReadFile(filepath.Join(dir, "MANIFEST"))
	if err != nil {
		f.Fatal(err)
	}
	logs, err := filepath.Glob(filepath.Join(dir, "log-*"))
	if err != nil || len(logs) != 1 {
		f.Fatal(logs, err)
	}
	log, err := os.ReadFile(logs[0])
	if err != nil {
		f.Fatal(err)
	}
	f.Add(man, log, []byte(""))
	f.Add(man, append(log, log...), []byte("1 0000\n"))
	f.Fuzz(func(t *testing.T, man, log, past []byte) {
		dir := t.TempDir()
		for name, b := range map[string][]byte{"MANIFEST": man, filepath.Base(logs[0]): log, "past": past} {
			if err := os.WriteFile(filepath.Join(dir, name), b, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		s, err := filestore.Open(dir)
		if err != nil {
			t.Fatal(err)
		}
		h, err := s.Head(t.Context())
		if err != nil {
			return
		}
		snap, err := s.LoadAt(t.Context(), 0)
		if err != nil || snap.Head() != h {
			t.Fatalf("head %+v, loaded %v, %v", h, snap, err)
		}
		if _, err := s.ChainAt(t.Context(), 1); err != nil {
			t.Error(err)
		}
		var export bytes.Buffer
		if err := snap.Encode(&export); err != nil {
			t.Error(err)
		}
	})
}
