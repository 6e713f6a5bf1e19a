package storetest

import (
	"slices"
	"strconv"
	"testing"

	"github.com/hotcut/hotcut/policy"
)

func itoa(i int) string { return strconv.Itoa(i) }

func resyncChange(s *policy.Snapshot) policy.Change { return blank(s.Head(), policy.KindResync) }

// testResync: an emptied store is filled again from an edge.
func testResync(t *testing.T, open func(*testing.T) policy.Store) {
	old, empty, ctx := open(t), open(t), t.Context()
	Seed(t, old, 3)
	Commit(t, old, Edit(Load(t, old), policy.KindFlip, "t1", func(t *policy.Tenant) { t.Stage = policy.StageCore }))
	edge := Load(t, old)

	_, err := empty.Resync(ctx, edge, edge.Rev(), resyncChange(edge))
	want(t, "resync to a number that was used", err, policy.ErrConflict)
	h, err := empty.Resync(ctx, edge, edge.Rev()+3, resyncChange(edge))
	if err != nil {
		t.Fatal(err)
	}
	if h.Epoch != edge.Epoch() || h.Rev != edge.Rev()+3 || h.Root != edge.Root() {
		t.Errorf("head %+v after a resync from %+v", h, edge.Head())
	}
	if got := head(t, empty); got != h {
		t.Errorf("Resync returned %+v, Head %+v", h, got)
	}
	tip := Load(t, empty)
	if tip.Head() != h || !slices.Equal(sortedIDs(tip), sortedIDs(edge)) || tip.Tenant("t1").Tenant.Stage != policy.StageCore {
		t.Errorf("content %v at %+v", sortedIDs(tip), tip.Head())
	}
	// The edge can not replay its way there, and sees that its own chain is named.
	_, err = empty.Since(ctx, edge.Rev())
	want(t, "Since the edge's rev", err, policy.ErrTrimmed)
	if got := chainAt(t, empty, edge.Rev()); got != edge.Chain() {
		t.Errorf("ChainAt(%d) is %q, the edge has %q", edge.Rev(), got, edge.Chain())
	}
	if got := chainAt(t, empty, h.Rev); got != h.Chain {
		t.Errorf("ChainAt(%d) is %q, the head %q", h.Rev, got, h.Chain)
	}
	// And life goes on.
	next := Commit(t, empty, Edit(tip, policy.KindFlip, "t2", func(t *policy.Tenant) { t.Stage = policy.StageCore }))
	if next.Rev != h.Rev+1 {
		t.Errorf("the next commit made rev %d", next.Rev)
	}
	CheckChain(t, h.Rev, h.Chain, since(t, empty, h.Rev))
}

// testResyncRegressed: a store that lost commits, and made others under the same numbers, follows the edge again.
func testResyncRegressed(t *testing.T, open func(*testing.T) policy.Store) {
	whole, lost, ctx := open(t), open(t), t.Context()
	first := Init(Tenant("t0"))
	Commit(t, whole, first)
	Commit(t, lost, first) // same epoch, other times: a fork from rev 1 on
	for i := range 8 {
		Commit(t, whole, Add(head(t, whole), Tenant("kept"+itoa(i))))
	}
	for i := range 3 {
		Commit(t, lost, Add(head(t, lost), Tenant("forked"+itoa(i))))
	}
	edge, fork := Load(t, whole), Load(t, lost)

	other := open(t)
	foreign := Seed(t, other, 1)
	_, err := lost.Resync(ctx, foreign, 100, resyncChange(foreign))
	want(t, "resync with another epoch", err, policy.ErrForked)
	_, err = whole.Resync(ctx, fork, fork.Rev()+1, resyncChange(fork))
	want(t, "resync below the head", err, policy.ErrConflict)

	h, err := lost.Resync(ctx, edge, edge.Rev()+1, resyncChange(edge))
	if err != nil {
		t.Fatal(err)
	}
	if tip := Load(t, lost); tip.Head() != h || !slices.Equal(sortedIDs(tip), sortedIDs(edge)) {
		t.Errorf("content %v at %+v, head %+v", sortedIDs(tip), tip.Head(), h)
	}
	if got := chainAt(t, lost, fork.Rev()); got == fork.Chain() {
		t.Error("the fork is named as an ancestor of the resync")
	}
	if got := chainAt(t, lost, edge.Rev()); got != edge.Chain() {
		t.Errorf("ChainAt(%d) is %q, the edge has %q", edge.Rev(), got, edge.Chain())
	}
	_, err = lost.Since(ctx, fork.Rev())
	want(t, "Since the fork's rev", err, policy.ErrTrimmed)
	if next := Commit(t, lost, Add(h, Tenant("next"))); next.Rev != h.Rev+1 {
		t.Errorf("the next commit made rev %d", next.Rev)
	}
	if tip := Load(t, lost); tip.Head() != head(t, lost) {
		t.Errorf("content %+v, head %+v", tip.Head(), head(t, lost))
	}
}
