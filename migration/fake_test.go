package migration

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/hotcut/hotcut/policy"
	"github.com/hotcut/hotcut/policy/filestore"
)

// faulty is a real store that does what a test wants before, instead of or after a call.
type faulty struct {
	policy.Store
	apply  func(c policy.Change) (policy.Head, policy.Durability, error) // nil: the store's
	before func()                                                        // once, before the next Apply
	since  func(rev uint64) error
	nodes  func() ([]policy.NodeState, error)

	mu      sync.Mutex // guards applied
	applied []policy.Change
}

func (f *faulty) Apply(ctx context.Context, c policy.Change) (policy.Head, policy.Durability, error) {
	f.mu.Lock()
	f.applied = append(f.applied, c)
	f.mu.Unlock()
	if once := f.before; once != nil {
		f.before = nil
		once()
	}
	if f.apply != nil {
		return f.apply(c)
	}
	return f.Store.Apply(ctx, c)
}

func (f *faulty) Since(ctx context.Context, rev uint64) ([]policy.Change, error) {
	if f.since != nil {
		if err := f.since(rev); err != nil {
			return nil, err
		}
	}
	return f.Store.Since(ctx, rev)
}

func (f *faulty) Nodes(ctx context.Context) ([]policy.NodeState, error) {
	if f.nodes != nil {
		return f.nodes()
	}
	return f.Store.Nodes(ctx)
}

// edges are edges as their admin API shows them; one that is nil does not answer.
type edges map[string]*fakeEdge

type fakeEdge struct {
	state  policy.NodeState
	policy *policy.Snapshot
	drains []Drain
	refuse error // of an order
	phones func() (EdgePhones, error)
	doctor func(Probe) (Diagnosis, error)

	mu     sync.Mutex // guards orders
	orders []Order
}

var errDead = errors.New("no answer")

func (es edges) dial(admin string) (Edge, error) {
	e := es[admin]
	if e == nil {
		return Edge{}, fmt.Errorf("%s: %w", admin, errDead)
	}
	edge := Edge{
		State:  func(context.Context) (policy.NodeState, error) { return e.state, nil },
		Export: func(context.Context) (*policy.Snapshot, error) { return e.policy, nil },
		Draining: func(context.Context, string) ([]Drain, error) {
			return e.drains, nil
		},
		Order: func(_ context.Context, o Order) error {
			e.mu.Lock()
			defer e.mu.Unlock()
			e.orders = append(e.orders, o)
			return e.refuse
		},
		AcceptEpoch: func(context.Context, string) error { return e.refuse },
	}
	if e.phones != nil {
		edge.Phones = func(context.Context, string) (EdgePhones, error) { return e.phones() }
	}
	if e.doctor != nil {
		edge.Doctor = func(_ context.Context, p Probe) (Diagnosis, error) { return e.doctor(p) }
	}
	return edge, nil
}

// runs makes an edge that runs a policy.
func runs(name string, s *policy.Snapshot) *fakeEdge {
	return &fakeEdge{policy: s, state: policy.NodeState{Edge: name, Admin: name, Epoch: s.Epoch(), Rev: s.Rev(), Chain: s.Chain(), Boot: "b"}}
}

// newEngine makes an engine on a file store with a policy of these tenants, all on core.
func newEngine(t *testing.T, es edges, tenants ...string) (*Engine, *faulty) {
	t.Helper()
	real, err := filestore.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	store := &faulty{Store: real}
	e := &Engine{
		Store: store, Fleet: &Fleet{Dial: es.dial, Limit: time.Second}, Roster: t.TempDir() + "/roster.json",
		Limit: 5 * time.Second, Wait: time.Second, Now: time.Now, Say: t.Logf,
	}
	var list []*policy.Tenant
	for _, id := range tenants {
		fresh := Fresh(id)
		fresh.Domains, fresh.Stage = []string{id + ".example"}, policy.StageCore
		list = append(list, fresh)
	}
	if _, err := e.Init(t.Context(), policy.Globals{Default: "legacy", Halt: policy.HaltNone}, list, tester); err != nil {
		t.Fatal(err)
	}
	store.applied = nil
	return e, store
}

// by is an author with a key of its own: the same key commits once.
func by(key string) Author { return Author{Actor: "ops@test", Key: key} }

// do plans and commits.
func do(t *testing.T, e *Engine, g Goal) (*Outcome, error) {
	t.Helper()
	p, err := e.Plan(t.Context(), g)
	if err != nil {
		return nil, err
	}
	return e.Commit(t.Context(), g, p)
}

func mustDo(t *testing.T, e *Engine, g Goal) *Outcome {
	t.Helper()
	out, err := do(t, e, g)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func now(t *testing.T, e *Engine) *policy.Snapshot {
	t.Helper()
	s, err := e.Store.LoadAt(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	return s
}
