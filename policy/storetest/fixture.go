package storetest

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"github.com/hotcut/hotcut/policy"
)

// Tenant returns a new tenant on legacy that claims nothing but the domain <id>.example.
func Tenant(id string) *policy.Tenant {
	return &policy.Tenant{
		ID:      id,
		Domains: []string{id + ".example"},
		Stage:   policy.StageLegacy,
		Salt:    policy.MintSalt(),
		HashVer: 1,
	}
}

// Add returns the change that adds tenants at base.
func Add(base policy.Head, tenants ...*policy.Tenant) policy.Change {
	c := blank(base, policy.KindTenant)
	for _, t := range tenants {
		c.Tenants = append(c.Tenants, policy.TenantChange{ID: t.ID, After: t})
	}
	slices.SortFunc(c.Tenants, func(a, b policy.TenantChange) int {
		if a.ID < b.ID {
			return -1
		}
		return 1
	})
	return c
}

// Edit returns the change of one tenant of s that edit makes.
func Edit(s *policy.Snapshot, kind policy.Kind, id string, edit func(*policy.Tenant)) policy.Change {
	c := blank(s.Head(), kind)
	before := s.Tenant(id).Tenant
	after := *before
	edit(&after)
	c.Tenants = []policy.TenantChange{{ID: id, Before: before, After: &after}}
	return c
}

// Rollback returns the change that says "legacy, whatever it was".
func Rollback(s *policy.Snapshot, id string) policy.Change {
	c := Edit(s, policy.KindRollback, id, func(t *policy.Tenant) { t.RolledBack = true })
	c.Force = true
	return c
}

// Init returns the first change of a new lineage, with tenants in it.
func Init(tenants ...*policy.Tenant) policy.Change {
	c := Add(policy.Head{Epoch: policy.MintEpoch()}, tenants...)
	c.Kind = policy.KindInit
	return c
}

func blank(base policy.Head, kind policy.Kind) policy.Change {
	return policy.Change{Epoch: base.Epoch, Base: base.Rev, Kind: kind, Actor: "storetest", Key: policy.MintKey()}
}

// Seed initialises a store with tenants t0, t1, ... and returns its snapshot.
func Seed(tb testing.TB, s policy.Store, n int) *policy.Snapshot {
	tb.Helper()
	var tenants []*policy.Tenant
	for i := range n {
		tenants = append(tenants, Tenant(fmt.Sprintf("t%d", i)))
	}
	Commit(tb, s, Init(tenants...))
	return Load(tb, s)
}

// Commit applies c, or fails the test.
func Commit(tb testing.TB, s policy.Store, c policy.Change) policy.Head {
	tb.Helper()
	h, _, err := s.Apply(tb.Context(), c)
	if err != nil {
		tb.Fatalf("%s at base %d: %v", c.Kind, c.Base, err)
	}
	return h
}

// Load returns the snapshot at the head, or fails the test.
func Load(tb testing.TB, s policy.Store) *policy.Snapshot {
	tb.Helper()
	snap, err := s.LoadAt(tb.Context(), 0)
	if err != nil {
		tb.Fatalf("LoadAt(0): %v", err)
	}
	return snap
}

// CheckChain fails the test unless the changes follow (rev, chain) without a gap, and returns where they lead.
func CheckChain(tb testing.TB, rev uint64, chain string, changes []policy.Change) (uint64, string) {
	tb.Helper()
	for i := range changes {
		c := &changes[i]
		if c.Rev != rev+1 {
			tb.Fatalf("rev %d follows rev %d", c.Rev, rev)
		}
		if got := policy.ChainOf(chain, c); got != c.Chain {
			tb.Fatalf("rev %d does not chain from rev %d: record says %s, its content %s", c.Rev, rev, c.Chain, got)
		}
		rev, chain = c.Rev, c.Chain
	}
	return rev, chain
}

func since(tb testing.TB, s policy.Store, rev uint64) []policy.Change {
	tb.Helper()
	changes, err := s.Since(tb.Context(), rev)
	if err != nil {
		tb.Fatalf("Since(%d): %v", rev, err)
	}
	return changes
}

func head(tb testing.TB, s policy.Store) policy.Head {
	tb.Helper()
	h, err := s.Head(tb.Context())
	if err != nil {
		tb.Fatalf("Head: %v", err)
	}
	return h
}

// watch runs Watch until the test ends and returns the heads it reports.
func watch(tb testing.TB, s policy.Store) <-chan policy.Head {
	heads := make(chan policy.Head, 1024)
	ctx, stop := context.WithCancel(tb.Context())
	done := make(chan error, 1)
	go func() { done <- s.Watch(ctx, func(h policy.Head) { heads <- h }) }()
	tb.Cleanup(func() {
		stop()
		if err := <-done; err == nil {
			tb.Error("Watch returned nil after its context had ended")
		}
	})
	return heads
}
