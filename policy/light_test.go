package policy

import (
	"bytes"
	"errors"
	"fmt"
	"testing"
	"time"
)

// lightAt reads from s what a store would hand out for the tenants ids.
func lightAt(s *Snapshot, ids ...string) (*Light, error) {
	buckets := map[int][]byte{}
	var tenants []*Tenant
	for _, id := range ids {
		buckets[BucketOf(id)] = s.AppendBucket(nil, BucketOf(id))
		if r := s.Tenant(id); r != nil {
			tenants = append(tenants, r.Tenant)
		}
	}
	return NewLight(s.Head(), s.Globals(), s.AppendBucketHashes(nil), buckets, tenants)
}

func lightPolicy(t *testing.T, n int) *Snapshot {
	t.Helper()
	c := Change{Epoch: MintEpoch(), Kind: KindInit, Actor: "test"}
	for i := range n {
		id := fmt.Sprintf("t%04d", i)
		c.Tenants = append(c.Tenants, TenantChange{ID: id, After: &Tenant{ID: id, Domains: []string{id + ".example"}, Salt: MintSalt(), HashVer: 1}})
	}
	_, s, err := Empty(c.Epoch).Next(c, time.UnixMilli(1))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func editOf(s *Snapshot, kind Kind, id string, edit func(*Tenant)) Change {
	before := s.Tenant(id).Tenant
	after := *before
	edit(&after)
	return Change{Epoch: s.Epoch(), Base: s.Rev(), Kind: kind, Actor: "test", Key: "k", Tenants: []TenantChange{{ID: id, Before: before, After: &after}}}
}

// What Light seals is what the whole policy seals: the same change, chain and root, and the same buckets.
func TestLightIsTheWhole(t *testing.T) {
	s := lightPolicy(t, 3000)
	at := time.UnixMilli(5)
	g := s.Globals()
	g.Halt = HaltAllLegacy
	two := editOf(s, KindFlip, "t0001", func(t *Tenant) { t.Stage = StageCore })
	two.Tenants = append(two.Tenants, editOf(s, KindFlip, "t0002", func(t *Tenant) { t.Stage = StageShadow }).Tenants...)
	forced := editOf(s, KindRollback, "t0003", func(t *Tenant) { t.RolledBack = true })
	forced.Force, forced.Tenants[0].Before = true, nil
	reads := editOf(s, KindFlip, "t0004", func(t *Tenant) { t.Stage = StageCore })
	reads.ReadGlobals = true
	for name, c := range map[string]Change{
		"flip": two, "rollback": forced, "reads globals": reads,
		"halt": {Epoch: s.Epoch(), Base: s.Rev(), Kind: KindHalt, Force: true, Globals: &GlobalsChange{After: &g}},
	} {
		t.Run(name, func(t *testing.T) {
			var ids []string
			for _, tc := range c.Tenants {
				ids = append(ids, tc.ID)
			}
			l, err := lightAt(s, ids...)
			if err != nil {
				t.Fatal(err)
			}
			step, err := l.Next(c, at)
			if err != nil {
				t.Fatal(err)
			}
			sealed, next, err := s.Next(c, at)
			if err != nil {
				t.Fatal(err)
			}
			a, _ := step.Change.Canonical()
			b, _ := sealed.Canonical()
			if !bytes.Equal(a, b) || step.Head != next.Head() {
				t.Errorf("light: %s\n%+v\nwhole: %s\n%+v", a, step.Head, b, next.Head())
			}
			for i, b := range step.Buckets {
				if !bytes.Equal(b, next.AppendBucket(nil, i)) || step.Hashes[i] != next.BucketHash(i) {
					t.Errorf("bucket %d differs", i)
				}
			}
		})
	}
}

func TestLightLeavesToTheWhole(t *testing.T) {
	s := lightPolicy(t, 10)
	l, err := lightAt(s, "t0001")
	if err != nil {
		t.Fatal(err)
	}
	claims := editOf(s, KindTenant, "t0001", func(t *Tenant) { t.Domains = []string{"t0002.example"} })
	remove := editOf(s, KindTenant, "t0001", func(*Tenant) {})
	remove.Tenants[0].After = nil
	add := editOf(s, KindTenant, "t0001", func(t *Tenant) { t.ID = "new" })
	add.Tenants[0].ID, add.Tenants[0].Before = "new", nil
	reads := editOf(s, KindFlip, "t0001", func(t *Tenant) { t.Stage = StageCore })
	reads.ReadGlobals, reads.Base = true, 0 // they may have changed at rev 1
	for name, c := range map[string]Change{"claims": claims, "remove": remove, "add": add, "reads globals": reads} {
		if _, err := l.Next(c, time.UnixMilli(5)); !errors.Is(err, ErrNeedsWhole) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, c := range map[string]Change{"claims": claims, "remove": remove, "add": add} {
		if _, err := l.Motions(&c); !errors.Is(err, ErrNeedsWhole) {
			t.Errorf("motions of %s: %v", name, err)
		}
	}
	l.Steady(0) // the log was read: it did not
	if _, err := l.Next(reads, time.UnixMilli(5)); err != nil {
		t.Errorf("globals known to stand since its base: %v", err)
	}
	stale := editOf(s, KindFlip, "t0001", func(t *Tenant) { t.Stage = StageCore })
	stale.Tenants[0].Before = &Tenant{ID: "t0001", Domains: []string{"t0001.example"}, Name: "another", Salt: s.Tenant("t0001").Tenant.Salt, HashVer: 1}
	if _, err := l.Next(stale, time.UnixMilli(5)); !errors.Is(err, ErrConflict) {
		t.Errorf("a stale record: %v", err)
	}
}

// Nothing is believed that does not lead to the root.
func TestLightIsProven(t *testing.T) {
	s := lightPolicy(t, 100)
	h, g, hashes := s.Head(), s.Globals(), s.AppendBucketHashes(nil)
	i := BucketOf("t0001")
	bucket, tenant := s.AppendBucket(nil, i), s.Tenant("t0001").Tenant
	forged := *tenant
	forged.Stage = StageCore
	flipped := bytes.Clone(bucket)
	flipped[len(flipped)-1] ^= 1
	badHashes := bytes.Clone(hashes)
	badHashes[5] ^= 1
	halted := g
	halted.Halt = HaltFreeze
	for _, c := range []struct {
		name    string
		g       Globals
		hashes  []byte
		buckets map[int][]byte
		tenants []*Tenant
	}{
		{"another record", g, hashes, map[int][]byte{i: bucket}, []*Tenant{&forged}},
		{"a record without its bucket", g, hashes, nil, []*Tenant{tenant}},
		{"another bucket", g, hashes, map[int][]byte{i: flipped}, []*Tenant{tenant}},
		{"a bucket in another's place", g, hashes, map[int][]byte{(i + 1) % Buckets: bucket}, nil},
		{"a bucket cut short", g, hashes, map[int][]byte{i: bucket[:len(bucket)-1]}, nil},
		{"no bucket of that number", g, hashes, map[int][]byte{Buckets: bucket}, nil},
		{"other hashes", g, badHashes, nil, nil},
		{"too few hashes", g, hashes[:32], nil, nil},
		{"other globals", halted, hashes, nil, nil},
	} {
		if _, err := NewLight(h, c.g, c.hashes, c.buckets, c.tenants); err == nil {
			t.Errorf("%s is believed", c.name)
		}
	}
}

func FuzzBucket(f *testing.F) {
	s := Empty(MintEpoch())
	f.Add(5, s.AppendBucket(nil, 5))
	f.Add(BucketOf("acme"), appendLeaf(nil, "acme", [32]byte{1}))
	f.Fuzz(func(t *testing.T, i int, b []byte) {
		leaves, err := parseBucket(i, b)
		if err != nil {
			return
		}
		var again []byte
		for _, l := range leaves {
			again = appendLeaf(again, l.id, l.hash)
		}
		if !bytes.Equal(again, b) {
			t.Errorf("%x is read as %x", b, again)
		}
	})
}

func TestCheckResync(t *testing.T) {
	s := lightPolicy(t, 1) // rev 1
	other := Head{Epoch: MintEpoch(), Rev: 1}
	for _, c := range []struct {
		name string
		h    Head
		rev  uint64
		want error
	}{
		{"empty store", Head{}, 2, nil},
		{"regressed store", Head{Epoch: s.Epoch(), Rev: 4}, 5, nil},
		{"the edge's own number", Head{}, 1, ErrConflict},
		{"the store's own number", Head{Epoch: s.Epoch(), Rev: 4}, 4, ErrConflict},
		{"another epoch", other, 9, ErrForked},
	} {
		if err := CheckResync(c.h, s, c.rev); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}
