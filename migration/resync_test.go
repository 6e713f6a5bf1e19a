package migration

import (
	"errors"
	"testing"
	"time"

	"github.com/hotcut/hotcut/policy"
	"github.com/hotcut/hotcut/policy/filestore"
)

// emptied gives the engine a store that lost everything, and a roster from before.
func emptied(t *testing.T, e *Engine, nodes ...policy.NodeState) {
	t.Helper()
	real, err := filestore.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	e.Store = &faulty{Store: real}
	if err := SaveRoster(e.Roster, Roster{SavedAt: 1, Nodes: nodes}); err != nil {
		t.Fatal(err)
	}
}

func TestResyncGoesAboveEveryRevThatAnybodyRan(t *testing.T) {
	es := edges{}
	e, _ := newEngine(t, es, "acme")
	low := now(t, e)
	mustDo(t, e, Rollback([]string{"acme"}, by("1")))
	high := now(t, e)
	es["a"], es["b"] = runs("edge-a", low), runs("edge-b", high)
	emptied(t, e, policy.NodeState{Edge: "edge-a", Admin: "a"}, policy.NodeState{Edge: "edge-b", Admin: "b"},
		policy.NodeState{Edge: "edge-c", Admin: "c", Epoch: high.Epoch(), Rev: 9}) // silent, and was further
	// Nothing towards core, and nothing new, before the resync.
	if _, ok := errors.AsType[*RegressedError](errOf(do(t, e, Resume(by("2"))))); !ok {
		t.Error("a store that lost its policy was not noticed")
	}
	if _, err := e.Init(t.Context(), policy.Globals{}, nil, by("3")); err == nil {
		t.Error("init over edges that run a policy")
	}
	src, err := e.ResyncSource(t.Context(), ResyncFrom{})
	if err != nil || src.Edge != "edge-b" || src.Rev != 2 || src.Next != 10 || src.StoreRev != 0 {
		t.Fatalf("%+v, %v", src, err)
	}
	done, err := e.Resync(t.Context(), ResyncFrom{}, by("4"))
	if err != nil || done.Head.Rev != 10 || done.Lost != 2 {
		t.Fatalf("%+v, %v", done, err)
	}
	s := now(t, e)
	if s.Epoch() != high.Epoch() || !s.Tenant("acme").Tenant.RolledBack {
		t.Error("the store does not hold what the highest edge ran")
	}
	nodes, err := e.Store.Nodes(t.Context())
	if err != nil || len(nodes) != 3 {
		t.Errorf("%d edges on the roster, %v: none may be left out because the store forgot", len(nodes), err)
	}
	if _, err := e.Resync(t.Context(), ResyncFrom{}, by("5")); !errors.Is(err, ErrNothingToResync) {
		t.Errorf("a second resync: %v", err)
	}
}

func TestRollbackResyncsByItself(t *testing.T) {
	es := edges{}
	e, _ := newEngine(t, es, "acme")
	es["a"] = runs("edge-a", now(t, e))
	emptied(t, e, policy.NodeState{Edge: "edge-a", Admin: "a"})
	goal := Rollback([]string{"acme"}, by("back"))
	p, err := e.PlanBack(t.Context(), goal, by("resync"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := e.Commit(t.Context(), goal, p); err != nil {
		t.Fatal(err)
	}
	if s := now(t, e); s.Rev() != 3 || !s.Tenant("acme").Tenant.RolledBack {
		t.Errorf("rev %d, rolled back %v; want 3, true", s.Rev(), s.Tenant("acme").Tenant.RolledBack)
	}
}

func TestResyncLeavesAForkToAPerson(t *testing.T) {
	es := edges{}
	e, _ := newEngine(t, es, "acme")
	s := now(t, e)
	es["a"], es["b"] = runs("edge-a", s), runs("edge-b", s)
	es["b"].state.Chain = "another"
	known := []policy.NodeState{{Edge: "edge-a", Admin: "a"}, {Edge: "edge-b", Admin: "b"}}
	emptied(t, e, known...)
	var goal *GoalError
	if _, err := e.ResyncSource(t.Context(), ResyncFrom{}); !errors.As(err, &goal) {
		t.Errorf("a fork was not noticed: %v", err)
	}
	if src, err := e.ResyncSource(t.Context(), ResyncFrom{Edge: "edge-b"}); err != nil || src.Edge != "edge-b" {
		t.Errorf("%+v, %v", src, err)
	}
	es["b"].state.Epoch = "other"
	if _, err := e.ResyncSource(t.Context(), ResyncFrom{}); !errors.As(err, &goal) {
		t.Errorf("two epochs were not noticed: %v", err)
	}
	if src, err := e.ResyncSource(t.Context(), ResyncFrom{Epoch: s.Epoch()}); err != nil || src.Edge != "edge-a" {
		t.Errorf("%+v, %v", src, err)
	}
	clear(es)
	if _, err := e.ResyncSource(t.Context(), ResyncFrom{}); err == nil {
		t.Error("resync from nobody")
	}
}

func TestDirectReachesEveryKnownEdge(t *testing.T) {
	es := edges{"a": {}, "b": {refuse: errors.New("disk full")}, "own": {}}
	e := &Engine{Fleet: &Fleet{Dial: es.dial, Limit: time.Second, Listed: []Address{{"edge-own", "own"}}}, Roster: t.TempDir() + "/roster.json",
		Say: t.Logf, Now: time.Now}
	o := Order{Tenants: []string{"acme"}, By: policy.Override{By: "ops@test", At: 1}}
	if err := SaveRoster(e.Roster, Roster{Nodes: []policy.NodeState{{Edge: "edge-a", Admin: "a"}, {Edge: "edge-b", Admin: "b"}, {Edge: "edge-c", Admin: "c"}, {Edge: "edge-own", Admin: "old"}}}); err != nil {
		t.Fatal(err)
	}
	got, err := e.Direct(t.Context(), o)
	if err != nil || len(got) != 4 {
		t.Fatalf("%+v, %v", got, err)
	}
	for i, done := range []bool{true, false, false, true} {
		if got[i].Done != done || done == (got[i].Err != "") {
			t.Errorf("%+v, want done %v", got[i], done)
		}
	}
	if n := len(es["own"].orders); n != 1 || es["own"].orders[0].Tenants[0] != "acme" {
		t.Errorf("the CLI's own list does not win over the roster: %d orders", n)
	}
	e.Roster, e.Fleet.Listed = "", nil
	var goal *GoalError
	if _, err := e.Direct(t.Context(), o); !errors.As(err, &goal) {
		t.Errorf("an order to nobody: %v", err)
	}
}

func TestEpochPlan(t *testing.T) {
	es := edges{}
	e, _ := newEngine(t, es, "acme")
	// An edge that runs another lineage, in which acme is on legacy.
	other := policy.Empty(policy.MintEpoch())
	fresh := *now(t, e).Tenant("acme").Tenant
	fresh.Stage = policy.StageLegacy
	_, s, err := other.Next(policy.Change{Epoch: other.Epoch(), Kind: policy.KindInit, Actor: "ops", Key: "k",
		Globals: &policy.GlobalsChange{After: &policy.Globals{Default: "legacy", Halt: policy.HaltNone}},
		Tenants: []policy.TenantChange{{ID: "acme", After: &fresh}}}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	es["a"], es["b"] = runs("edge-a", s), runs("edge-b", now(t, e))
	e.Fleet.Listed = []Address{{"edge-a", "a"}, {"edge-b", "b"}, {"edge-c", "c"}}
	p, foreign, err := e.EpochPlan(t.Context(), by("1"))
	if err != nil || len(foreign) != 1 || foreign[0].Name != "edge-a" {
		t.Fatalf("%+v, %v", foreign, err)
	}
	if ids := p.CoreWard(); len(ids) != 1 || ids[0] != "acme" || len(p.Verdicts) == 0 || len(p.Warnings) == 0 {
		t.Errorf("core-ward %v, verdicts %v, warnings %v: the store's policy would move acme to core on edge-a", ids, p.Verdicts, p.Warnings)
	}
	if r := e.AcceptEpoch(t.Context(), foreign, p.Change.Epoch); len(r) != 1 || !r[0].Done {
		t.Errorf("%+v", r)
	}
}
