package storetest

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/hotcut/hotcut/policy"
)

// Run holds a store to the contract. open returns a new, empty store each time, and cleans it up with the test; it
// should write checkpoints often and keep few of them, or the test of trimming is skipped.
func Run(t *testing.T, open func(t *testing.T) policy.Store) {
	for _, c := range []struct {
		name string
		run  func(*testing.T, func(*testing.T) policy.Store)
	}{
		{"Empty", testEmpty},
		{"Init", testInit},
		{"Log", testLog},
		{"Conflict", testConflict},
		{"Rebase", testRebase},
		{"Force", testForce},
		{"Refusal", testRefusal},
		{"Forked", testForked},
		{"Key", testKey},
		{"Fence", testFence},
		{"Import", testImport},
		{"Watch", testWatch},
		{"Trimmed", testTrimmed},
		{"Resync", testResync},
		{"ResyncRegressed", testResyncRegressed},
		{"Nodes", testNodes},
		{"Cancelled", testCancelled},
		{"Writers", func(t *testing.T, open func(*testing.T) policy.Store) {
			per := 6
			if testing.Short() {
				per = 2
			}
			Writers(t, []policy.Store{open(t)}, 64, per)
		}},
	} {
		t.Run(c.name, func(t *testing.T) { c.run(t, open) })
	}
}

func want(t *testing.T, what string, got, sentinel error) {
	t.Helper()
	if !errors.Is(got, sentinel) {
		t.Errorf("%s: got %v, want %q", what, got, sentinel)
	}
}

func testEmpty(t *testing.T, open func(*testing.T) policy.Store) {
	s, ctx := open(t), t.Context()
	_, err := s.Head(ctx)
	want(t, "Head", err, policy.ErrNoPolicy)
	_, err = s.LoadAt(ctx, 0)
	want(t, "LoadAt", err, policy.ErrNoPolicy)
	_, err = s.Since(ctx, 0)
	want(t, "Since", err, policy.ErrNoPolicy)
	_, _, err = s.Apply(ctx, Add(policy.Head{Epoch: policy.MintEpoch()}, Tenant("a")))
	want(t, "Apply", err, policy.ErrNoPolicy)
	want(t, "Watch", s.Watch(ctx, func(h policy.Head) { t.Errorf("Watch reports %v", h) }), policy.ErrNoPolicy)
	if rev, err := s.ByKey(ctx, policy.MintKey()); rev != 0 || err != nil {
		t.Errorf("ByKey: %d, %v", rev, err)
	}
	if nodes, err := s.Nodes(ctx); len(nodes) != 0 || err != nil {
		t.Errorf("Nodes: %v, %v", nodes, err)
	}
}

func testInit(t *testing.T, open func(*testing.T) policy.Store) {
	s := open(t)
	c := Init()
	c.Epoch = ""
	_, _, err := s.Apply(t.Context(), c)
	want(t, "init without an epoch", err, policy.ErrForked)
	first := Init()
	h := Commit(t, s, first)
	if h.Rev != 1 || h.Epoch != first.Epoch || h.Halt != policy.HaltNone || h.Root == "" {
		t.Errorf("after init: %+v", h)
	}
	if got := head(t, s); got != h {
		t.Errorf("Apply returned %+v, Head returns %+v", h, got)
	}
	_, _, err = s.Apply(t.Context(), Init())
	want(t, "a second init", err, policy.ErrConflict)
}

func testLog(t *testing.T, open func(*testing.T) policy.Store) {
	s := open(t)
	snap := Seed(t, s, 2)
	Commit(t, s, Edit(snap, policy.KindFlip, "t0", func(t *policy.Tenant) { t.Stage = policy.StageCore }))
	Commit(t, s, Add(head(t, s), Tenant("b")))
	remove := blank(head(t, s), policy.KindTenant)
	remove.Tenants = []policy.TenantChange{{ID: "t1", Before: snap.Tenant("t1").Tenant}}
	Commit(t, s, remove)
	halt := blank(head(t, s), policy.KindHalt)
	g := Load(t, s).Globals()
	after := g
	after.Halt = policy.HaltAllLegacy
	halt.Globals = &policy.GlobalsChange{Before: &g, After: &after}
	h := Commit(t, s, halt)
	if h.Rev != 5 || h.Halt != policy.HaltAllLegacy {
		t.Errorf("head %+v", h)
	}

	all := since(t, s, 0)
	rev, chain := CheckChain(t, 0, policy.Empty(h.Epoch).Chain(), all)
	if rev != h.Rev || chain != h.Chain {
		t.Errorf("the log leads to rev %d chain %s, the head is %+v", rev, chain, h)
	}
	for i, c := range all {
		if c.Actor != "storetest" || c.At == 0 || i > 0 && c.At < all[i-1].At {
			t.Errorf("rev %d: actor %q, at %d", c.Rev, c.Actor, c.At)
		}
	}
	// Every rev can be had again, with the content and the root of its day.
	replay := policy.Empty(h.Epoch)
	for _, c := range all {
		var err error
		if replay, err = replay.Apply(c); err != nil {
			t.Fatal(err)
		}
		at, err := s.LoadAt(t.Context(), c.Rev)
		if err != nil {
			t.Fatalf("LoadAt(%d): %v", c.Rev, err)
		}
		if at.Head() != replay.Head() || at.Len() != replay.Len() {
			t.Errorf("LoadAt(%d): %+v, replayed %+v", c.Rev, at.Head(), replay.Head())
		}
	}
	if tip := Load(t, s); tip.Head() != h || tip.Tenant("t1") != nil || tip.Tenant("b") == nil {
		t.Errorf("LoadAt(0) is %+v, the head %+v", tip.Head(), h)
	}
	if got := since(t, s, 3); len(got) != 2 || got[0].Rev != 4 {
		t.Errorf("Since(3): %d changes", len(got))
	}
	for _, rev := range []uint64{5, 6, 1000} {
		if got := since(t, s, rev); len(got) != 0 {
			t.Errorf("Since(%d): %d changes", rev, len(got))
		}
	}
	if _, err := s.LoadAt(t.Context(), 6); err == nil {
		t.Error("LoadAt of a rev that was never made gives no error")
	}
}

func testConflict(t *testing.T, open func(*testing.T) policy.Store) {
	s := open(t)
	snap := Seed(t, s, 1)
	Commit(t, s, Edit(snap, policy.KindFlip, "t0", func(t *policy.Tenant) { t.Stage = policy.StageShadow }))
	late := Edit(snap, policy.KindFlip, "t0", func(t *policy.Tenant) { t.Stage = policy.StageCore })
	before := head(t, s)
	_, _, err := s.Apply(t.Context(), late)
	want(t, "a change of a record that somebody else has changed", err, policy.ErrConflict)
	_, _, err = s.Apply(t.Context(), Add(snap.Head(), Tenant("t0")))
	want(t, "adding a tenant that is there", err, policy.ErrConflict)

	g := snap.Globals()
	after := g
	after.Halt = policy.HaltFreeze
	c := blank(snap.Head(), policy.KindHalt)
	c.Globals = &policy.GlobalsChange{Before: &g, After: &after}
	Commit(t, s, c)
	c.Key = policy.MintKey()
	_, _, err = s.Apply(t.Context(), c)
	want(t, "a change of globals that somebody else has changed", err, policy.ErrConflict)
	if h := head(t, s); h.Rev != before.Rev+1 {
		t.Errorf("conflicts moved the head to rev %d", h.Rev)
	}
	if rev, err := s.ByKey(t.Context(), c.Key); rev != 0 || err != nil {
		t.Errorf("the key of a refused change stands for rev %d, %v", rev, err)
	}
}

func testRebase(t *testing.T, open func(*testing.T) policy.Store) {
	s := open(t)
	snap := Seed(t, s, 2)
	core := func(t *policy.Tenant) { t.Stage = policy.StageCore }
	Commit(t, s, Edit(snap, policy.KindFlip, "t0", core))
	h := Commit(t, s, Edit(snap, policy.KindFlip, "t1", core)) // from the same base
	tip := Load(t, s)
	for _, id := range []string{"t0", "t1"} {
		if tip.Tenant(id).Tenant.Stage != policy.StageCore {
			t.Errorf("%s is %v", id, tip.Tenant(id).Tenant.Stage)
		}
	}
	if c := since(t, s, 2); h.Rev != 3 || len(c) != 1 || c[0].Base != snap.Rev() || c[0].Rev != 3 {
		t.Errorf("head %+v, its record %+v", h, c)
	}
}

func testForce(t *testing.T, open func(*testing.T) policy.Store) {
	s := open(t)
	snap := Seed(t, s, 1)
	Commit(t, s, Edit(snap, policy.KindFlip, "t0", func(t *policy.Tenant) { t.Stage, t.Share = policy.StageCanary, 2500 }))
	h := Commit(t, s, Rollback(snap, "t0")) // made from the base before
	got := Load(t, s).Tenant("t0").Tenant
	if !got.RolledBack || got.Stage != policy.StageCanary || got.Share != 2500 {
		t.Errorf("rolled back: %+v", got)
	}
	c := since(t, s, h.Rev-1)[0].Tenants[0]
	if c.Before == nil || c.Before.Share != 2500 || c.Before.RolledBack {
		t.Errorf("the record of the rollback says that before stood %+v", c.Before)
	}
}

func testRefusal(t *testing.T, open func(*testing.T) policy.Store) {
	s := open(t)
	Seed(t, s, 1)
	before := head(t, s)
	thief := Tenant("thief")
	thief.Domains = []string{"t0.example"}
	_, _, err := s.Apply(t.Context(), Add(before, thief))
	if _, ok := errors.AsType[*policy.Refusal](err); !ok {
		t.Fatalf("a second claim on a domain: %v", err)
	}
	if msg := err.Error(); !strings.Contains(msg, "thief") || !strings.Contains(msg, "t0") {
		t.Errorf("the refusal does not name both: %s", msg)
	}
	if got := head(t, s); got != before {
		t.Errorf("a refusal moved the head to %+v", got)
	}
}

func testForked(t *testing.T, open func(*testing.T) policy.Store) {
	s := open(t)
	snap := Seed(t, s, 1)
	flip := func() policy.Change {
		return Edit(snap, policy.KindFlip, "t0", func(t *policy.Tenant) { t.Stage = policy.StageCore })
	}
	c := flip()
	c.Epoch = policy.MintEpoch()
	_, _, err := s.Apply(t.Context(), c)
	want(t, "another epoch", err, policy.ErrForked)
	c = flip()
	c.Base = snap.Rev() + 8 // its author saw revs that this store has lost
	_, _, err = s.Apply(t.Context(), c)
	want(t, "a base ahead of the store", err, policy.ErrForked)
	if got := head(t, s); got != snap.Head() {
		t.Errorf("the head moved to %+v", got)
	}
}

func testKey(t *testing.T, open func(*testing.T) policy.Store) {
	s := open(t)
	snap := Seed(t, s, 1)
	c := Edit(snap, policy.KindFlip, "t0", func(t *policy.Tenant) { t.Stage = policy.StageCore })
	first := Commit(t, s, c)
	Commit(t, s, Add(first, Tenant("later")))
	again, _, err := s.Apply(t.Context(), c)
	if err != nil || again.Rev != first.Rev || again.Chain != first.Chain || again.Epoch != first.Epoch {
		t.Errorf("the same key again: %+v, %v; first %+v", again, err, first)
	}
	if h := head(t, s); h.Rev != first.Rev+1 {
		t.Errorf("the same key made rev %d", h.Rev)
	}
	if rev, err := s.ByKey(t.Context(), c.Key); rev != first.Rev || err != nil {
		t.Errorf("ByKey: %d, %v", rev, err)
	}
}

func testFence(t *testing.T, open func(*testing.T) policy.Store) {
	s := open(t)
	snap := Seed(t, s, 1)
	c := Edit(snap, policy.KindAuto, "t0", func(t *policy.Tenant) { t.Stage = policy.StageShadow })
	c.Fence = 7
	_, _, err := s.Apply(t.Context(), c)
	want(t, "automation with a fence that is not in force", err, policy.ErrConflict)
	c.Kind = policy.KindFlip
	Commit(t, s, c) // the fence binds automation only, never a person
}

func testImport(t *testing.T, open func(*testing.T) policy.Store) {
	s := open(t)
	Commit(t, s, Init(Tenant("before")))
	var tenants []*policy.Tenant
	for i := range 2500 {
		tenants = append(tenants, Tenant("imported-"+strings.Repeat("x", i%7)+"-"+itoa(i)))
	}
	c := Add(head(t, s), tenants...)
	c.Kind = policy.KindImport
	h := Commit(t, s, c)
	tip := Load(t, s)
	if tip.Len() != 2501 || tip.Head() != h || h.Rev != 2 {
		t.Fatalf("after an import of 2,500: %d tenants, %+v, head %+v", tip.Len(), tip.Head(), h)
	}
	got := since(t, s, 1)
	if len(got) != 1 || len(got[0].Tenants) != 2500 {
		t.Fatalf("the import is %d records", len(got))
	}
	CheckChain(t, 1, since(t, s, 0)[0].Chain, got)
	Commit(t, s, Edit(tip, policy.KindFlip, tenants[1234].ID, func(t *policy.Tenant) { t.Stage = policy.StageCore }))
	if h, tip := head(t, s), Load(t, s); tip.Head() != h {
		t.Errorf("after a flip: %+v, head %+v", tip.Head(), h)
	}
}

func sortedIDs(s *policy.Snapshot) []string {
	var ids []string
	for r := range s.All() {
		ids = append(ids, r.Tenant.ID)
	}
	if !slices.IsSorted(ids) {
		slices.Sort(ids)
	}
	return ids
}
