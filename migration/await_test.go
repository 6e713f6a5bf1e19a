package migration

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hotcut/hotcut/policy"
)

// board is a roster that changes as time goes by.
type board struct {
	mu    sync.Mutex // guards nodes
	nodes map[string]policy.NodeState
}

func (b *board) set(n policy.NodeState) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.nodes[n.Edge] = n
}

func (b *board) drop(name string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.nodes, name)
}

func (b *board) read(context.Context) ([]policy.NodeState, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	var out []policy.NodeState
	for _, n := range b.nodes {
		out = append(out, n)
	}
	return out, nil
}

func (b *board) later(d time.Duration, do func()) { time.AfterFunc(d, do) }

func at(edge string, rev uint64) policy.NodeState {
	return policy.NodeState{Edge: edge, Epoch: "e", Rev: rev, Boot: "b", SeenAt: time.Now().UnixMilli()}
}

// await runs Await in a bubble, where time costs nothing, with edge-1 to edge-3 at rev 4 on the roster.
func await(t *testing.T, limit time.Duration, es edges, script func(*board)) (c Convergence) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		b := &board{nodes: make(map[string]policy.NodeState)}
		for _, name := range []string{"edge-1", "edge-2", "edge-3"} {
			n := at(name, 4)
			n.Admin = name
			b.set(n)
		}
		known, _ := b.read(t.Context())
		script(b)
		f := &Fleet{Dial: es.dial, Limit: time.Second}
		ctx, cancel := context.WithTimeout(t.Context(), limit)
		defer cancel()
		c = f.Await(ctx, policy.Head{Epoch: "e", Rev: 5}, known, b.read, nil)
	})
	return c
}

func TestAwaitByRosterAndByAdmin(t *testing.T) {
	es := edges{"edge-3": {state: at("edge-3", 5)}} // its report never reaches the store, but it answers
	c := await(t, 10*time.Second, es, func(b *board) {
		b.later(100*time.Millisecond, func() { b.set(at("edge-1", 5)) })
		b.later(900*time.Millisecond, func() { b.set(at("edge-2", 6)) })
	})
	if !c.Done() || c.Listed != 3 || c.Err(time.Now()) != nil {
		t.Fatalf("%+v", c)
	}
	if c.Took < 900*time.Millisecond || c.Took > 900*time.Millisecond+slowLook {
		t.Errorf("took %s, want 900 ms and at most one look more", c.Took)
	}
}

func TestAwaitNamesTheSilent(t *testing.T) {
	c := await(t, 10*time.Second, nil, func(b *board) {
		b.set(at("edge-1", 5))
		silent := at("edge-2", 3)
		silent.SeenAt = time.Now().Add(-38 * time.Second).UnixMilli()
		b.set(silent)
		never := at("edge-3", 0)
		never.Epoch, never.SeenAt = "other", time.Now().Add(-50*time.Hour).UnixMilli()
		b.set(never)
	})
	if c.Applied != 1 || c.Listed != 3 || c.Took != 10*time.Second {
		t.Fatalf("%+v", c)
	}
	// The bubble's clock began at 2000-01-01 00:00:00 UTC.
	err := c.Err(time.Date(2000, 1, 1, 0, 0, 10, 0, time.UTC))
	if _, ok := errors.AsType[*LateError](err); !ok {
		t.Fatalf("got %v", err)
	}
	want := "rev 5 is committed, but on 1/3 edges; edge-2 last seen 48 s ago at rev 3; edge-3 last seen 2 days ago at rev 0"
	if err.Error() != want {
		t.Errorf("%q, want %q", err, want)
	}
}

func TestAwaitEndsWhenAllThatAreMissingRefused(t *testing.T) {
	c := await(t, time.Hour, nil, func(b *board) {
		b.set(at("edge-1", 5))
		b.set(at("edge-3", 5))
		no := at("edge-2", 4)
		no.Nack = &policy.Nack{Rev: 5, Reason: "tests[0] fails"}
		b.later(time.Second, func() { b.set(no) })
	})
	if c.Applied != 2 || c.Took > 2*time.Second {
		t.Fatalf("%+v", c)
	}
	if err := c.Err(time.Now()); err == nil || !strings.Contains(err.Error(), "edge-2 refused rev 5 (tests[0] fails) and stays at rev 4") {
		t.Errorf("%v", err)
	}
}

func TestAwaitCountsWhoComesAndGoes(t *testing.T) {
	c := await(t, 10*time.Second, nil, func(b *board) {
		b.set(at("edge-1", 5))
		b.later(time.Second, func() { b.drop("edge-2") }) // a clean drain
		b.later(2*time.Second, func() { b.set(at("edge-4", 4)) })
		b.later(3*time.Second, func() { b.set(at("edge-3", 5)) })
		b.later(4*time.Second, func() { b.set(at("edge-4", 5)) })
	})
	if !c.Done() || c.Listed != 3 || c.Edges[2].Edge != "edge-4" || c.Took < 4*time.Second {
		t.Errorf("%+v", c)
	}
}

// The store goes away right after the commit: what is known of the roster still counts, and edges still answer.
func TestAwaitWithoutTheStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		es := edges{"edge-1": {state: at("edge-1", 5)}}
		f := &Fleet{Dial: es.dial, Limit: time.Second}
		known := []policy.NodeState{{Edge: "edge-1", Admin: "edge-1", Epoch: "e", Rev: 4}, {Edge: "edge-2", Admin: "edge-2", Epoch: "e", Rev: 4, SeenAt: 1}}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		c := f.Await(ctx, policy.Head{Epoch: "e", Rev: 5}, known, func(context.Context) ([]policy.NodeState, error) { return nil, policy.ErrUnreachable }, nil)
		if c.Applied != 1 || c.Listed != 2 {
			t.Errorf("%+v", c)
		}
	})
}

func TestDrainedIsSaidOnlyWhenItIsKnown(t *testing.T) {
	for name, c := range map[string]struct {
		es   edges
		done bool
	}{
		"nothing drains":           {edges{"a": {}, "b": {}}, true},
		"a call":                   {edges{"a": {drains: []Drain{{Tenant: "acme", Platform: policy.Core, Count: 1}}}, "b": {}}, false},
		"a call of another tenant": {edges{"a": {drains: []Drain{{Tenant: "birch", Platform: policy.Core, Count: 1}}}, "b": {}}, true},
		"an edge is silent":        {edges{"a": {}}, false},
		"an edge restarted":        {edges{"a": {drains: []Drain{{Tenant: "acme", Platform: policy.Core, AtLeast: true}}}, "b": {}}, false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				e := &Engine{Fleet: &Fleet{Dial: c.es.dial, Limit: time.Second, Listed: []Address{{"edge-a", "a"}, {"edge-b", "b"}}}}
				ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
				defer cancel()
				began := time.Now()
				d := e.AwaitDrained(ctx, []string{"acme"}, nil)
				if d.Done != c.done {
					t.Errorf("%+v", d)
				}
				if took := time.Since(began); !c.done && took != 3*time.Second {
					t.Errorf("gave up after %s", took)
				}
			})
		})
	}
}

func TestDrainingIsSummed(t *testing.T) {
	es := edges{
		"a": {drains: []Drain{{Tenant: "acme", Platform: policy.Core, Count: 2, Oldest: 2000, Since: 10}, {Tenant: "birch", Platform: policy.Legacy, Count: 1}}},
		"b": {drains: []Drain{{Tenant: "acme", Platform: policy.Core, Count: 3, Oldest: 1000, Since: 20, AtLeast: true}}},
	}
	f := &Fleet{Dial: es.dial, Limit: time.Second, Listed: []Address{{"edge-a", "a"}, {"edge-b", "b"}, {"edge-c", "c"}}}
	sum, silent := f.Draining(t.Context(), f.Addresses(nil), "")
	want := Drain{Tenant: "acme", Platform: policy.Core, Count: 5, Oldest: 1000, Since: 20, AtLeast: true}
	if len(sum) != 2 || sum[0] != want || len(silent) != 1 || silent[0] != "edge-c" {
		t.Errorf("%+v, silent %v", sum, silent)
	}
}

func TestAgo(t *testing.T) {
	for d, want := range map[time.Duration]string{
		-time.Second: "<10 ms", 9 * time.Millisecond: "<10 ms", 10 * time.Millisecond: "0.01 s", 380 * time.Millisecond: "0.38 s", 48 * time.Second: "48 s", 662 * time.Second: "11m02s",
		185 * time.Minute: "3h05m", 50 * time.Hour: "2 days",
	} {
		if got := Ago(d); got != want {
			t.Errorf("%v: %q, want %q", d, got, want)
		}
	}
}
