package migration

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"github.com/hotcut/hotcut/policy"
)

// Freshness says how much what is shown can be trusted.
type Freshness struct {
	State policy.LinkState `json:"state"` // live: from the store; stale: from edges, without the store; disk: from the CLI's cache
	AgeMs int64            `json:"ageMs"` // since the store was last seen
}

// View is what can be seen right now, from the store or, when it is gone, from the edges.
type View struct {
	Present   // not Known when nobody could give a policy
	Fresh     Freshness
	Head      policy.Head                // of the store, or of the highest edge
	Answers   []Answer[policy.NodeState] // what each edge said itself; only when the store is gone
	Gone      error                      // why the store could not be asked; nil: live
	Regressed *RegressedError            // the store is behind an edge
}

// View looks. It fails only when there is nothing to show at all. of names the only tenants that will be looked at, if
// that is known: then Snapshot may be nil although the policy is Known.
func (e *Engine) View(ctx context.Context, of ...string) (*View, error) {
	at, err := e.present(ctx, of)
	if err == nil && at.light != nil && slices.ContainsFunc(of, func(id string) bool { return at.record(id) == nil }) {
		at, err = e.present(ctx, nil) // what is near to what does not exist
	}
	var behind *RegressedError
	switch {
	case err == nil:
		return &View{Present: at, Fresh: Freshness{State: policy.Live}, Head: at.head()}, nil
	case errors.As(err, &behind) && behind.Rev > 0:
		return e.regressed(ctx, behind)
	case errors.As(err, &behind):
		return e.pastStore(ctx, err, behind)
	case errors.Is(err, policy.ErrNoPolicy):
		return nil, err
	}
	return e.pastStore(ctx, err, nil)
}

// regressed shows what the store holds, although an edge is ahead of it.
func (e *Engine) regressed(ctx context.Context, behind *RegressedError) (*View, error) {
	ctx, cancel := context.WithTimeout(ctx, e.Limit)
	defer cancel()
	s, err := e.Store.LoadAt(ctx, 0)
	if err != nil {
		return nil, err
	}
	nodes, err := e.Store.Nodes(ctx)
	if err != nil {
		return nil, err
	}
	return &View{Present: Present{Snapshot: s, Nodes: nodes, At: e.Now()}, Fresh: Freshness{State: policy.Live}, Head: s.Head(), Regressed: behind}, nil
}

// pastStore asks the edges of the last roster and takes the policy of the highest.
func (e *Engine) pastStore(ctx context.Context, gone error, behind *RegressedError) (*View, error) {
	old, err := e.lastRoster()
	if err != nil {
		e.Say("the last roster can not be read: %v", err)
	}
	to := e.Fleet.Addresses(old.Nodes)
	if len(to) == 0 {
		return nil, gone
	}
	now := e.Now()
	v := &View{Present: Present{At: now}, Fresh: Freshness{State: policy.Disk}, Head: old.Head, Gone: gone, Regressed: behind}
	if old.SavedAt > 0 {
		v.Fresh.AgeMs = old.Age(now).Milliseconds()
	}
	v.Answers = e.Fleet.States(ctx, to)
	var best policy.NodeState
	for i, a := range v.Answers {
		n := a.Value
		if a.Err != nil {
			n = nodeOf(old.Nodes, to[i])
		} else {
			n.Edge, n.SeenAt = a.Edge, now.UnixMilli()
			if n.Rev > best.Rev {
				best = n
			}
		}
		v.Nodes = append(v.Nodes, n)
	}
	if best.Rev == 0 {
		return v, nil
	}
	v.Fresh.State = policy.Stale
	v.Head = policy.Head{Epoch: best.Epoch, Rev: best.Rev, Chain: best.Chain}
	if s, err := e.export(ctx, best.Edge, old.Nodes); err == nil {
		v.Snapshot, v.Head = s, s.Head()
	} else {
		e.Say("%v", err)
	}
	return v, nil
}

// nodeOf is what the last roster knew of an edge that does not answer now.
func nodeOf(nodes []policy.NodeState, a Address) policy.NodeState {
	for _, n := range nodes {
		if n.Edge == a.Name {
			return n
		}
	}
	return policy.NodeState{Edge: a.Name, Admin: a.Admin}
}

// Silent lists the nodes that have not been heard of within the time that makes one live, longest silence first.
func (v *View) Silent() []policy.NodeState {
	var out []policy.NodeState
	for _, n := range v.Nodes {
		if v.At.Sub(time.UnixMilli(n.SeenAt)) > policy.Remain {
			out = append(out, n)
		}
	}
	slices.SortFunc(out, func(a, b policy.NodeState) int { return cmp.Compare(a.SeenAt, b.SeenAt) })
	return out
}

// OnHead counts the nodes that run the head.
func (v *View) OnHead() int {
	n := 0
	for _, node := range v.Nodes {
		if node.Epoch == v.Head.Epoch && node.Rev >= v.Head.Rev {
			n++
		}
	}
	return n
}
