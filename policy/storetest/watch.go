package storetest

import (
	"context"
	"errors"
	"reflect"
	"testing"

	"github.com/hotcut/hotcut/policy"
)

func testWatch(t *testing.T, open func(*testing.T) policy.Store) {
	s := open(t)
	snap := Seed(t, s, 1)
	heads := watch(t, s)
	if h := <-heads; h != snap.Head() {
		t.Fatalf("Watch begins with %+v, the head is %+v", h, snap.Head())
	}
	var last policy.Head
	for i := range 20 {
		last = Commit(t, s, Edit(Load(t, s), policy.KindTenant, "t0", func(t *policy.Tenant) { t.Name = itoa(i) }))
	}
	for rev := snap.Rev(); ; {
		h := <-heads
		if h.Rev <= rev {
			t.Fatalf("Watch reports rev %d after rev %d", h.Rev, rev)
		}
		if rev = h.Rev; rev == last.Rev {
			if h != last {
				t.Errorf("Watch ends with %+v, the head is %+v", h, last)
			}
			return
		}
	}
}

func testTrimmed(t *testing.T, open func(*testing.T) policy.Store) {
	s := open(t)
	snap := Seed(t, s, 1)
	tenant := snap.Tenant("t0").Tenant
	for i := range 400 {
		c := Edit(Load(t, s), policy.KindTenant, "t0", func(t *policy.Tenant) { t.Name = itoa(i) })
		h := Commit(t, s, c)
		if _, err := s.Since(t.Context(), 0); err == nil {
			continue
		} else if !errors.Is(err, policy.ErrTrimmed) {
			t.Fatalf("Since(0) at rev %d: %v", h.Rev, err)
		}
		_, err := s.LoadAt(t.Context(), 1)
		want(t, "LoadAt(1)", err, policy.ErrTrimmed)
		if tip := Load(t, s); tip.Head() != h || !reflect.DeepEqual(tip.Tenant("t0").Tenant.Domains, tenant.Domains) {
			t.Errorf("LoadAt(0) after trimming: %+v, head %+v", tip.Head(), h)
		}
		if got := since(t, s, h.Rev-1); len(got) != 1 || got[0].Chain != h.Chain {
			t.Errorf("the last record: %+v", got)
		}
		if chain := chainAt(t, s, 1); chain != snap.Chain() {
			t.Errorf("ChainAt(1) is %q, rev 1 had %q", chain, snap.Chain())
		}
		return
	}
	t.Skip("this store keeps more than 400 revs")
}

func chainAt(t *testing.T, s policy.Store, rev uint64) string {
	t.Helper()
	a, ok := s.(policy.Ancestry)
	if !ok {
		t.Fatalf("%T has no ChainAt", s)
	}
	chain, err := a.ChainAt(t.Context(), rev)
	if err != nil {
		t.Fatalf("ChainAt(%d): %v", rev, err)
	}
	return chain
}

func testNodes(t *testing.T, open func(*testing.T) policy.Store) {
	s, ctx := open(t), t.Context()
	for _, n := range []policy.NodeState{
		{Edge: "edge-2", Rev: 1, State: policy.Live, SeenAt: 5},
		{Edge: "edge-1", Rev: 7, State: policy.Disk, Alarms: []string{"policy_forked"}},
		{Edge: "edge-2", Rev: 2, State: policy.Stale, Nack: &policy.Nack{Rev: 3, Reason: "a test failed"}},
	} {
		if err := s.Report(ctx, n); err != nil {
			t.Fatal(err)
		}
	}
	nodes, err := s.Nodes(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if len(nodes) != 2 || nodes[0].Edge != "edge-1" || nodes[1].Edge != "edge-2" {
		t.Fatalf("nodes %+v", nodes)
	}
	if n := nodes[1]; n.Rev != 2 || n.State != policy.Stale || n.Nack == nil || n.Nack.Reason != "a test failed" {
		t.Errorf("edge-2: %+v", n)
	}
	for _, n := range nodes {
		if n.SeenAt < 1e12 {
			t.Errorf("%s was seen at %d: not a time the store set", n.Edge, n.SeenAt)
		}
	}
	for range 2 { // forgetting is idempotent
		if err := s.Forget(ctx, "edge-2"); err != nil {
			t.Fatal(err)
		}
	}
	if nodes, err = s.Nodes(ctx); err != nil || len(nodes) != 1 || nodes[0].Edge != "edge-1" {
		t.Errorf("after forget: %+v, %v", nodes, err)
	}
	if err := s.Report(ctx, policy.NodeState{}); err == nil {
		t.Error("a report without a name is taken")
	}
}

func testCancelled(t *testing.T, open func(*testing.T) policy.Store) {
	s := open(t)
	snap := Seed(t, s, 1)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, _, err := s.Apply(ctx, Edit(snap, policy.KindFlip, "t0", func(t *policy.Tenant) { t.Stage = policy.StageCore }))
	if err == nil {
		t.Error("Apply ignores a context that has ended")
	}
	if h := head(t, s); h != snap.Head() {
		t.Errorf("and moved the head to %+v", h)
	}
	if err := s.Watch(ctx, func(policy.Head) {}); err == nil {
		t.Error("Watch ignores a context that has ended")
	}
}
