package migration

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/hotcut/hotcut/policy"
)

// Engine commits plans and waits for the edges. Its fields are set once, before use.
type Engine struct {
	Store  policy.Store
	Fleet  *Fleet
	Roster string        // cache file of the roster; "": none is kept
	Limit  time.Duration // of one reading or one commit
	Wait   time.Duration // for the edges to follow; 0: not at all
	Now    func() time.Time

	Say      func(format string, args ...any) // what a person should hear on the way
	Progress func(Convergence)                // nil: nobody watches
}

// Outcome is a change that was committed.
type Outcome struct {
	Plan       *Plan             `json:"plan"`
	From       uint64            `json:"from"` // the rev before
	Head       policy.Head       `json:"head"`
	Durability policy.Durability `json:"durability"`
	Edges      Convergence       `json:"edges"`
	Waited     bool              `json:"waited"`
	Draining   []Drain           `json:"draining"`
	Unasked    []string          `json:"unasked"` // edges that did not say what drains
}

// UnknownError: the store went away before it answered. The key tells later whether the change was committed.
type UnknownError struct {
	Key string
	Err error
}

func (e *UnknownError) Error() string { return e.Err.Error() }
func (e *UnknownError) Unwrap() error { return e.Err }

// maxPiece is how many tenants one change of a mass rollback holds.
const maxPiece = 1000

// Plan reads the present and plans the goal. of names the tenants that it is about, so that only they are read where
// they suffice; it is a hint that changes no plan. None: the goal is about everybody.
func (e *Engine) Plan(ctx context.Context, goal Goal, of ...string) (*Plan, error) {
	at, err := e.present(ctx, of)
	if err != nil {
		return nil, err
	}
	p, err := goal(at)
	if at.light != nil && (*at.unread || errors.Is(err, policy.ErrNeedsWhole)) {
		if at, err = e.present(ctx, nil); err != nil {
			return nil, err
		}
		p, err = goal(at)
	}
	if err != nil {
		return nil, err
	}
	if at.Measured = e.preflight(ctx, at, p); at.Measured != nil {
		if p, err = goal(at); err != nil {
			return nil, err
		}
	}
	p.of = of
	return p, nil
}

// PlanBack is Plan for goals towards legacy: a store that fell behind its edges is brought past them first, unasked.
func (e *Engine) PlanBack(ctx context.Context, goal Goal, by Author, of ...string) (*Plan, error) {
	p, err := e.Plan(ctx, goal, of...)
	var behind *RegressedError
	if !errors.As(err, &behind) {
		return p, err
	}
	e.Say("%v", behind)
	r, err := e.Resync(ctx, ResyncFrom{}, by)
	if err != nil {
		return nil, fmt.Errorf("%w; and the resync failed: %w", behind, err)
	}
	e.Say("resynced from %s: rev %d", r.Edge, r.Head.Rev)
	return e.Plan(ctx, goal, of...)
}

// Commit applies a plan that was confirmed and waits for the edges. A plan that forces its state, or insists, is made again
// on conflict, until it holds or ctx ends; any other conflict is the caller's to look at.
func (e *Engine) Commit(ctx context.Context, goal Goal, p *Plan) (*Outcome, error) {
	if err := p.Refusal(); err != nil {
		return nil, err
	}
	for p.Change.Force || p.insists {
		out, err := e.commit(ctx, p)
		if !errors.Is(err, policy.ErrConflict) || ctx.Err() != nil {
			return out, err
		}
		if p, err = e.Plan(ctx, goal, p.of...); err != nil {
			return nil, err
		}
	}
	return e.commit(ctx, p)
}

func (e *Engine) commit(ctx context.Context, p *Plan) (*Outcome, error) {
	out := &Outcome{Plan: p, From: p.Change.Base, Edges: Convergence{Edges: []EdgeResult{}}, Draining: []Drain{}, Unasked: []string{}}
	if p.Empty() {
		ctx, cancel := context.WithTimeout(ctx, e.Limit)
		defer cancel()
		var err error
		out.Head, err = e.Store.Head(ctx)
		return out, err
	}
	for _, c := range p.pieces() {
		head, durability, err := e.apply(ctx, c)
		if err != nil {
			return nil, err
		}
		if out.Head.Rev == 0 {
			out.From = head.Rev - 1
		}
		out.Head, out.Durability = head, durability
	}
	return out, nil
}

// pieces cuts a mass rollback up, or whatever else is made again where it meets a conflict; everything else is one change.
func (p *Plan) pieces() []policy.Change {
	c := p.Change
	if !c.Force && !p.insists || len(c.Tenants) <= maxPiece {
		return []policy.Change{c}
	}
	var out []policy.Change
	for part := range slices.Chunk(c.Tenants, maxPiece) {
		piece := c
		piece.Tenants = part
		piece.Key = fmt.Sprintf("%s-%d", c.Key, len(out)+1)
		if len(out) > 0 {
			piece.Globals = nil
		}
		out = append(out, piece)
	}
	return out
}

// apply commits one change. When the store went away before it answered, the idempotency key is asked for once; a
// rollback, which commits the same state however often, is sent again.
func (e *Engine) apply(ctx context.Context, c policy.Change) (policy.Head, policy.Durability, error) {
	head, durability, err := e.applyOnce(ctx, c)
	if !errors.Is(err, policy.ErrUnknownOutcome) {
		return head, durability, err
	}
	if c.Force {
		if head, durability, again := e.applyOnce(ctx, c); again == nil {
			return head, durability, nil
		}
	}
	return policy.Head{}, policy.Durability{}, &UnknownError{Key: c.Key, Err: err}
}

func (e *Engine) applyOnce(ctx context.Context, c policy.Change) (policy.Head, policy.Durability, error) {
	ctx, cancel := context.WithTimeout(ctx, e.Limit)
	defer cancel()
	return e.Store.Apply(ctx, c)
}

// Follow waits for the edges and asks them what drains. The error is a *LateError or nil.
func (e *Engine) Follow(ctx context.Context, out *Outcome) error {
	if e.Wait <= 0 || out.Plan.Empty() && out.Plan.Change.Kind != policy.KindResync && !out.Plan.standsAnyway() {
		return nil
	}
	waiting, cancel := context.WithTimeout(ctx, e.Wait)
	defer cancel()
	old, _ := e.lastRoster()
	out.Edges = e.Fleet.Await(waiting, out.Head, old.Nodes, e.Store.Nodes, e.Progress)
	out.Waited = true
	if len(out.Plan.Change.Tenants) == 1 {
		out.Draining, out.Unasked = e.draining(ctx, old.Nodes, out.Plan.Change.Tenants[0].ID)
	} else if out.Plan.Moving() > 0 {
		out.Draining, out.Unasked = e.draining(ctx, old.Nodes, "")
	}
	return out.Edges.Err(e.Now())
}

func (e *Engine) draining(ctx context.Context, nodes []policy.NodeState, tenant string) ([]Drain, []string) {
	sum, silent := e.Fleet.Draining(ctx, e.Fleet.Addresses(nodes), tenant)
	return sum, slices.Clip(append([]string{}, silent...))
}
