package migration

import (
	"context"
	"errors"
	"slices"

	"github.com/hotcut/hotcut/policy"
)

// loads is how many times longer than a question a whole policy may take: 100,000 tenants are about 100 MB.
const loads = 6

// Present reads the policy and the roster. An edge ahead of the store makes it a *RegressedError.
func (e *Engine) Present(ctx context.Context) (Present, error) {
	return e.present(ctx, nil)
}

// present reads the policy as far as the tenants of need it, all of it when none is named.
func (e *Engine) present(ctx context.Context, of []string) (Present, error) {
	ctx, cancel := context.WithTimeout(ctx, e.Limit*loads)
	defer cancel()
	// The roster first: read after the head it could show an edge that has just applied something newer.
	nodes, err := e.Store.Nodes(ctx)
	if err != nil {
		return Present{}, err
	}
	at := Present{Nodes: nodes, light: e.peek(ctx, of), unread: new(bool)}
	if at.light == nil {
		at.Snapshot, err = e.Store.LoadAt(ctx, 0)
	}
	if errors.Is(err, policy.ErrNoPolicy) {
		return Present{}, e.emptied(ctx, nodes, err)
	}
	if err != nil {
		return Present{}, err
	}
	head := at.head()
	for _, n := range nodes {
		if n.Epoch == head.Epoch && n.Rev > head.Rev {
			return Present{}, &RegressedError{Edge: n.Edge, EdgeRev: n.Rev, Rev: head.Rev}
		}
	}
	e.remember(head, nodes)
	at.At = e.Now()
	return at, nil
}

// peeks is how often tenants are read while others commit in between.
const peeks = 3

// peek reads a few tenants, if that is what is wanted and the store can. nil: read all. That also tells what is wrong
// with the store, if something is.
func (e *Engine) peek(ctx context.Context, of []string) *policy.Light {
	store, can := e.Store.(policy.Peeker)
	of = slices.Compact(slices.Sorted(slices.Values(of)))
	if !can || len(of) == 0 || len(of) > policy.MaxLight {
		return nil
	}
	for range peeks {
		l, err := store.Peek(ctx, of...)
		if err == nil {
			return l
		}
		if ctx.Err() != nil || errors.Is(err, policy.ErrUnreachable) || errors.Is(err, policy.ErrNoPolicy) {
			return nil
		}
	}
	return nil
}

// emptied tells a store that never held a policy from one that lost it.
func (e *Engine) emptied(ctx context.Context, nodes []policy.NodeState, err error) error {
	old, _ := e.lastRoster() // an unreadable cache is no cache
	for _, a := range e.Fleet.States(ctx, e.Fleet.Addresses(append(old.Nodes, nodes...))) {
		if a.Err == nil && a.Value.Rev > 0 {
			return &RegressedError{Edge: a.Edge, EdgeRev: a.Value.Rev}
		}
	}
	return err
}

// remember keeps the roster for the day the store is gone. A cache that can not be written costs only that.
func (e *Engine) remember(head policy.Head, nodes []policy.NodeState) {
	if e.Roster == "" {
		return
	}
	if err := SaveRoster(e.Roster, Roster{SavedAt: e.Now().UnixMilli(), Head: head, Nodes: nodes}); err != nil {
		e.Say("the roster could not be kept for later: %v", err)
	}
}

func (e *Engine) lastRoster() (Roster, error) {
	if e.Roster == "" {
		return Roster{}, nil
	}
	return LoadRoster(e.Roster)
}
