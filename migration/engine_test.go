package migration

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/hotcut/hotcut/policy"
)

func TestRollbackHoldsWhateverHappensMeanwhile(t *testing.T) {
	e, store := newEngine(t, nil, "acme")
	// Somebody changes the tenant between our look and our commit.
	store.before = func() {
		mustDo(t, e, Set("acme", Fields{"name": []byte(`"Acme"`)}, by("other")))
	}
	out := mustDo(t, e, Rollback([]string{"acme"}, by("back")))
	acme := now(t, e).Tenant("acme").Tenant
	if !acme.RolledBack || acme.Name != "Acme" {
		t.Errorf("rolled back %v, name %q: the rollback must hold and keep the other's change", acme.RolledBack, acme.Name)
	}
	if out.From != 2 || out.Head.Rev != 3 {
		t.Errorf("rev %d -> %d, want 2 -> 3", out.From, out.Head.Rev)
	}
}

func TestRollbackIsPlannedAgainOnConflict(t *testing.T) {
	e, store := newEngine(t, nil, "acme")
	tries := 0
	store.apply = func(c policy.Change) (policy.Head, policy.Durability, error) {
		if tries++; tries < 4 {
			return policy.Head{}, policy.Durability{}, policy.ErrConflict
		}
		return store.Store.Apply(t.Context(), c)
	}
	mustDo(t, e, Rollback([]string{"acme"}, by("back")))
	if tries != 4 || !now(t, e).Tenant("acme").Tenant.RolledBack {
		t.Errorf("%d tries, rolled back %v", tries, now(t, e).Tenant("acme").Tenant.RolledBack)
	}
}

func TestFlipDoesNotOvertake(t *testing.T) {
	e, store := newEngine(t, nil, "acme")
	mustDo(t, e, Rollback([]string{"acme"}, by("back")))
	flip := Flip(FlipTo{Tenant: "acme", Stage: policy.StageCore}, by("flip"))
	// A hold that came after the look: the flip that did not see it must not pass.
	store.before = func() { mustDo(t, e, Hold([]string{"acme"}, by("hold"))) }
	if _, err := do(t, e, flip); !errors.Is(err, policy.ErrConflict) {
		t.Errorf("got %v, want a conflict", err)
	}
	mustDo(t, e, Release([]string{"acme"}, by("release")))
	// The same with a freeze, which touches another record than the flip.
	store.before = func() { mustDo(t, e, Halt(policy.HaltFreeze, by("freeze"))) }
	if _, err := do(t, e, flip); !errors.Is(err, policy.ErrConflict) {
		t.Errorf("got %v, want a conflict", err)
	}
	if !now(t, e).Tenant("acme").Tenant.RolledBack {
		t.Error("the tenant moved to core under a freeze")
	}
}

func TestCommitRefusesAPlanThatGatesRefuse(t *testing.T) {
	e, store := newEngine(t, nil, "acme")
	mustDo(t, e, Rollback([]string{"acme"}, by("1")))
	mustDo(t, e, Hold([]string{"acme"}, by("2")))
	store.applied = nil
	flip := Flip(FlipTo{Tenant: "acme", Stage: policy.StageCore}, by("3"))
	p, err := e.Plan(t.Context(), flip)
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := errors.AsType[*GateError](errOf(e.Commit(t.Context(), flip, p))); !ok || len(store.applied) > 0 {
		t.Errorf("committed %d changes past a hold", len(store.applied))
	}
}

func errOf(_ *Outcome, err error) error { return err }

func TestUnknownOutcome(t *testing.T) {
	e, store := newEngine(t, nil, "acme")
	mustDo(t, e, Rollback([]string{"acme"}, by("1")))
	// The store commits and goes away before it answers.
	lost := true
	store.apply = func(c policy.Change) (policy.Head, policy.Durability, error) {
		head, d, err := store.Store.Apply(t.Context(), c)
		if lost && err == nil {
			return policy.Head{}, policy.Durability{}, fmt.Errorf("read: %w", policy.ErrUnknownOutcome)
		}
		return head, d, err
	}
	_, err := do(t, e, Flip(FlipTo{Tenant: "acme", Stage: policy.StageCore}, by("flip-key")))
	unknown, ok := errors.AsType[*UnknownError](err)
	if !ok || unknown.Key != "flip-key" {
		t.Fatalf("got %v, want an unknown outcome with the key of the flip", err)
	}
	if rev, err := e.Store.ByKey(t.Context(), unknown.Key); err != nil || rev != 3 {
		t.Errorf("the key tells rev %d, %v; want 3", rev, err)
	}
	// A rollback is sent again with the same key, which commits once.
	before := now(t, e).Rev()
	store.before = func() { lost = true }
	n := 0
	store.apply = func(c policy.Change) (policy.Head, policy.Durability, error) {
		head, d, err := store.Store.Apply(t.Context(), c)
		if n++; n == 1 {
			return policy.Head{}, policy.Durability{}, policy.ErrUnknownOutcome
		}
		return head, d, err
	}
	out := mustDo(t, e, Rollback([]string{"acme"}, by("back-key")))
	if out.Head.Rev != before+1 || now(t, e).Rev() != before+1 {
		t.Errorf("rev %d and head %d, want %d once", out.Head.Rev, now(t, e).Rev(), before+1)
	}
}

func TestMassRollbackGoesInPieces(t *testing.T) {
	const n = 2*maxPiece + 500
	ids := make([]string, n)
	for i := range ids {
		ids[i] = fmt.Sprintf("t%04d", i)
	}
	e, store := newEngine(t, nil, ids...)
	out := mustDo(t, e, RollbackAll(by("all")))
	keys := make(map[string]bool)
	total := 0
	for _, c := range store.applied {
		if len(c.Tenants) > maxPiece {
			t.Errorf("a piece of %d tenants", len(c.Tenants))
		}
		total += len(c.Tenants)
		keys[c.Key] = true
	}
	if len(store.applied) != 3 || len(keys) != 3 || total != n {
		t.Errorf("%d pieces, %d keys, %d tenants; want 3, 3, %d", len(store.applied), len(keys), total, n)
	}
	if out.From != 1 || out.Head.Rev != 4 {
		t.Errorf("rev %d -> %d, want 1 -> 4", out.From, out.Head.Rev)
	}
	for r := range now(t, e).All() {
		if !r.Tenant.RolledBack {
			t.Fatalf("%s is still on core", r.Tenant.ID)
		}
	}
}

func TestPastReadsBackAsFarAsItMust(t *testing.T) {
	e, store := newEngine(t, nil, "acme")
	for i := range 200 {
		mustDo(t, e, Set("acme", Fields{"name": fmt.Appendf(nil, `"n%d"`, i)}, by(fmt.Sprint(i))))
	}
	for _, c := range []struct {
		since    time.Time
		n        int
		least    int
		trimmed  uint64 // revs up to it are gone
		wantFull bool
	}{
		{n: 10, least: 10, wantFull: true},
		{least: 201, wantFull: true},
		{since: time.Now().Add(-time.Hour), least: 201, wantFull: true},
		{least: 101, trimmed: 100, wantFull: false},
		{n: 20, least: 20, trimmed: 100, wantFull: true},
	} {
		store.since = func(rev uint64) error {
			if rev < c.trimmed {
				return fmt.Errorf("rev %d: %w", rev, policy.ErrTrimmed)
			}
			return nil
		}
		log, whole, err := e.Past(t.Context(), c.since, c.n)
		if err != nil || len(log) < c.least || whole != c.wantFull {
			t.Errorf("%+v: %d changes, whole %v, %v", c, len(log), whole, err)
		}
	}
}

func TestChangeAt(t *testing.T) {
	e, _ := newEngine(t, nil, "acme")
	mustDo(t, e, Rollback([]string{"acme"}, by("1")))
	if c, err := e.ChangeAt(t.Context(), 2); err != nil || c.Rev != 2 || c.Kind != policy.KindRollback {
		t.Errorf("rev %d %s, %v", c.Rev, c.Kind, err)
	}
	for _, rev := range []uint64{0, 3} {
		if _, err := e.ChangeAt(t.Context(), rev); err == nil {
			t.Errorf("rev %d was made by nothing", rev)
		}
	}
}

func TestViewWithoutTheStore(t *testing.T) {
	es := edges{}
	e, store := newEngine(t, es, "acme", "birch")
	ahead := now(t, e)
	es["a"], es["c"] = runs("edge-a", ahead), runs("edge-c", policy.Empty("other"))
	if err := SaveRoster(e.Roster, Roster{SavedAt: time.Now().Add(-time.Minute).UnixMilli(), Nodes: []policy.NodeState{
		{Edge: "edge-a", Admin: "a"}, {Edge: "edge-b", Admin: "b", Rev: 7, SeenAt: 1}, {Edge: "edge-c", Admin: "c"}}}); err != nil {
		t.Fatal(err)
	}
	gone := fmt.Errorf("dial: %w", policy.ErrUnreachable)
	store.nodes = func() ([]policy.NodeState, error) { return nil, gone }
	v, err := e.View(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if v.Fresh.State != policy.Stale || v.Fresh.AgeMs < 60_000 || !errors.Is(v.Gone, policy.ErrUnreachable) {
		t.Errorf("freshness %+v, gone %v", v.Fresh, v.Gone)
	}
	if v.Snapshot == nil || v.Snapshot.Len() != 2 || len(v.Nodes) != 3 || v.Nodes[1].Rev != 7 {
		t.Errorf("%d nodes; the policy of the highest edge and the last word of the silent one are wanted", len(v.Nodes))
	}
	// Nobody answers: the cache is all there is.
	delete(es, "a")
	delete(es, "c")
	if v, err = e.View(t.Context()); err != nil || v.Fresh.State != policy.Disk || v.Snapshot != nil {
		t.Errorf("%+v, %v", v, err)
	}
	// And without a cache there is nothing.
	e.Roster = ""
	if _, err := e.View(t.Context()); !errors.Is(err, policy.ErrUnreachable) {
		t.Errorf("got %v", err)
	}
}

func TestPresentSeesAnEdgeAhead(t *testing.T) {
	e, store := newEngine(t, nil, "acme")
	epoch := now(t, e).Epoch()
	store.nodes = func() ([]policy.NodeState, error) {
		return []policy.NodeState{{Edge: "edge-1", Epoch: epoch, Rev: 1}, {Edge: "edge-2", Epoch: "other", Rev: 99}, {Edge: "edge-3", Epoch: epoch, Rev: 2}}, nil
	}
	_, err := e.Plan(context.Background(), Resume(by("1")))
	if behind, ok := errors.AsType[*RegressedError](err); !ok || behind.Edge != "edge-3" || behind.EdgeRev != 2 || behind.Rev != 1 {
		t.Errorf("got %v", err)
	}
}
