package migration

import (
	"context"
	"errors"
	"fmt"

	"github.com/hotcut/hotcut/policy"
)

// ResyncFrom narrows the choice of a resync: by edge, by epoch, or (both empty) the highest rev there is.
type ResyncFrom struct {
	Edge  string
	Epoch string
}

// Resynced is a store brought past its edges.
type Resynced struct {
	Edge string      `json:"edge"` // whose policy it was
	Rev  uint64      `json:"rev"`  // that it ran
	Head policy.Head `json:"head"`
	Lost uint64      `json:"lost"` // revs that the store had lost
}

// ErrNothingToResync: no edge is ahead of the store.
var ErrNothingToResync = errors.New("no edge is ahead of the store")

// Source is the edge that a resync would take, and the rev that it would make.
type Source struct {
	Edge     string `json:"edge"`
	Epoch    string `json:"epoch"`
	Rev      uint64 `json:"rev"`      // that the edge runs
	StoreRev uint64 `json:"storeRev"` // 0: the store holds nothing
	Next     uint64 `json:"next"`     // above every rev that anybody is known to have run
	known    []policy.NodeState
}

// ResyncSource chooses the edge.
func (e *Engine) ResyncSource(ctx context.Context, from ResyncFrom) (Source, error) {
	head, err := e.head(ctx)
	if err != nil {
		return Source{}, err
	}
	known := e.known(ctx)
	if head.Rev > 0 && from.Epoch == "" {
		from.Epoch = head.Epoch
	}
	best, err := highest(e.Fleet.States(ctx, e.Fleet.Addresses(known)), from)
	if err != nil {
		return Source{}, err
	}
	if best.Epoch == head.Epoch && best.Rev <= head.Rev {
		return Source{}, ErrNothingToResync
	}
	next := best.Rev
	if head.Epoch == best.Epoch {
		next = max(next, head.Rev)
	}
	for _, n := range known { // silent edges may be further than those that answer
		if n.Epoch == best.Epoch {
			next = max(next, n.Rev)
		}
	}
	return Source{Edge: best.Edge, Epoch: best.Epoch, Rev: best.Rev, StoreRev: head.Rev, Next: next + 1, known: known}, nil
}

// Resync commits the highest policy that an edge runs as one above every rev that anybody is known to have run. The
// edges keep serving what they serve; nobody moves but what a lagging edge still had to follow.
func (e *Engine) Resync(ctx context.Context, from ResyncFrom, by Author) (Resynced, error) {
	src, err := e.ResyncSource(ctx, from)
	if err != nil {
		return Resynced{}, err
	}
	s, err := e.export(ctx, src.Edge, src.known)
	if err != nil {
		return Resynced{}, err
	}
	if s.Epoch() != src.Epoch || s.Rev() >= src.Next {
		return Resynced{}, fmt.Errorf("%s moved on to rev %d while it was asked: try again", src.Edge, s.Rev())
	}
	c := policy.Change{Epoch: s.Epoch(), Base: s.Rev(), Kind: policy.KindResync, Actor: by.Actor, Reason: by.Reason, Incident: by.Incident, Key: by.Key}
	ctx, cancel := context.WithTimeout(ctx, e.Limit)
	defer cancel()
	to, err := e.Store.Resync(ctx, s, src.Next, c)
	if err != nil {
		return Resynced{}, err
	}
	e.relist(ctx, src.known)
	return Resynced{Edge: src.Edge, Rev: s.Rev(), Head: to, Lost: s.Rev() - min(src.StoreRev, s.Rev())}, nil
}

// relist puts edges back on a roster that was lost with the policy: an edge leaves it by a drain or by being forgotten,
// not because the store forgot. Until an edge reports again it is listed as what it was, and so as late.
func (e *Engine) relist(ctx context.Context, known []policy.NodeState) {
	nodes, err := e.Store.Nodes(ctx)
	if err != nil {
		e.Say("the roster could not be restored: %v", err)
		return
	}
	listed := make(map[string]bool, len(nodes))
	for _, n := range nodes {
		listed[n.Edge] = true
	}
	for _, n := range known {
		if listed[n.Edge] {
			continue
		}
		n.State, n.Alarms = policy.Stale, []string{"not_seen_since_resync"}
		if err := e.Store.Report(ctx, n); err != nil {
			e.Say("%s could not be put back on the roster: %v", n.Edge, err)
		}
	}
}

func (e *Engine) head(ctx context.Context) (policy.Head, error) {
	ctx, cancel := context.WithTimeout(ctx, e.Limit)
	defer cancel()
	head, err := e.Store.Head(ctx)
	if errors.Is(err, policy.ErrNoPolicy) {
		return policy.Head{}, nil
	}
	return head, err
}

// known is every edge that the store or the last roster lists, the store's word first.
func (e *Engine) known(ctx context.Context) []policy.NodeState {
	ctx, cancel := context.WithTimeout(ctx, e.Limit)
	defer cancel()
	nodes, err := e.Store.Nodes(ctx)
	if err != nil {
		e.Say("the store does not list its edges: %v", err)
	}
	have := make(map[string]bool, len(nodes))
	for _, n := range nodes {
		have[n.Edge] = true
	}
	old, _ := e.lastRoster()
	for _, n := range old.Nodes {
		if !have[n.Edge] {
			nodes = append(nodes, n)
		}
	}
	return nodes
}

// highest picks the edge whose policy is to be committed. Two edges at one rev with different chains are a fork: a
// person decides, not we.
func highest(answers []Answer[policy.NodeState], from ResyncFrom) (policy.NodeState, error) {
	var best policy.NodeState
	answered := 0
	for _, a := range answers {
		n := a.Value
		if a.Err != nil || n.Rev == 0 || (from.Edge != "" && a.Edge != from.Edge) || (from.Epoch != "" && n.Epoch != from.Epoch) {
			continue
		}
		n.Edge = a.Edge
		answered++
		switch {
		case best.Rev == 0:
			best = n
		case n.Epoch != best.Epoch:
			return best, &GoalError{Problem: fmt.Sprintf("%s and %s run different epochs, %.8s and %.8s", best.Edge, n.Edge, best.Epoch, n.Epoch),
				Fix: "hotcut policy resync --from " + best.Edge}
		case n.Rev > best.Rev:
			best = n
		case n.Rev == best.Rev && n.Chain != best.Chain:
			return best, &GoalError{Problem: fmt.Sprintf("%s and %s run different policies under rev %d", best.Edge, n.Edge, n.Rev),
				Fix: "hotcut policy resync --from " + best.Edge}
		}
	}
	if answered == 0 {
		return best, fmt.Errorf("none of %d edges answered with a policy to resync from", len(answers))
	}
	return best, nil
}

func (e *Engine) export(ctx context.Context, edge string, known []policy.NodeState) (*policy.Snapshot, error) {
	for _, a := range e.Fleet.Addresses(known) {
		if a.Name == edge {
			return ask(ctx, e.Fleet, a, func(ctx context.Context, e Edge) (*policy.Snapshot, error) { return e.Export(ctx) })
		}
	}
	return nil, fmt.Errorf("%s: no admin address is known", edge)
}
