package migration

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/hotcut/hotcut/policy"
)

// Edge is what an edge's admin API offers, reached past the store. A nil func is something this edge can not be asked.
type Edge struct {
	State       func(context.Context) (policy.NodeState, error)
	Order       func(context.Context, Order) error
	Export      func(context.Context) (*policy.Snapshot, error)
	Draining    func(ctx context.Context, tenant string) ([]Drain, error)
	AcceptEpoch func(ctx context.Context, epoch string) error
	Phones      func(ctx context.Context, tenant string) (EdgePhones, error)
	HeldUntil   func(ctx context.Context, tenant string, side policy.Platform) (int64, error) // unix seconds: the first end of what a platform holds of a tenant; 0: nothing
	Doctor      func(context.Context, Probe) (Diagnosis, error)
}

// Drain is a population of dialogs that stays where it is while new ones go elsewhere.
type Drain struct {
	Tenant   string          `json:"tenant"`
	Platform policy.Platform `json:"platform"`
	Count    int             `json:"count"`
	Oldest   int64           `json:"oldest"`            // unix milliseconds: start of the oldest; 0: unknown
	AtLeast  bool            `json:"atLeast,omitempty"` // an edge restarted: there may be more from before Since
	Since    int64           `json:"since,omitempty"`   // unix milliseconds
}

// Address is an edge by name and the URL of its admin API.
type Address struct {
	Name  string `json:"name"`
	Admin string `json:"admin"`
}

// Fleet is how the CLI reaches edges past the store: by its own list, and by the roster that it saw last.
type Fleet struct {
	Dial   func(admin string) (Edge, error)
	Listed []Address     // the CLI's own list: it wins over what the roster says
	Limit  time.Duration // of one question to one edge
}

// Addresses merges the CLI's own list with what nodes say of themselves, sorted by name.
func (f *Fleet) Addresses(nodes []policy.NodeState) []Address {
	by := make(map[string]string, len(nodes)+len(f.Listed))
	for _, n := range nodes {
		by[n.Edge] = n.Admin
	}
	for _, a := range f.Listed {
		by[a.Name] = a.Admin
	}
	out := make([]Address, 0, len(by))
	for name, admin := range by {
		out = append(out, Address{name, admin})
	}
	slices.SortFunc(out, func(a, b Address) int { return cmp.Compare(a.Name, b.Name) })
	return out
}

// Answer is what one edge said, or why it did not.
type Answer[T any] struct {
	Edge  string
	Value T
	Err   error
}

// Ask puts one question to all edges at once, each within the fleet's limit; see Each.
func Ask[T any](ctx context.Context, f *Fleet, to []Address, question func(context.Context, Edge) (T, error)) []Answer[T] {
	return Each(ctx, to, f.Limit, func(ctx context.Context, a Address) (T, error) {
		e, err := f.Dial(a.Admin)
		if err != nil {
			var none T
			return none, err
		}
		return question(ctx, e)
	})
}

// Each does the same with all edges at once, at most 32 at a time, each within limit. Answers come in the order of the
// addresses; one that could not be reached carries its error.
func Each[T any](ctx context.Context, to []Address, limit time.Duration, do func(context.Context, Address) (T, error)) []Answer[T] {
	out := make([]Answer[T], len(to))
	var wg sync.WaitGroup
	slots := make(chan struct{}, 32)
	for i, a := range to {
		wg.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			out[i].Edge = a.Name
			if a.Admin == "" {
				out[i].Err = errNoAddress
				return
			}
			ctx, cancel := context.WithTimeout(ctx, limit)
			defer cancel()
			out[i].Value, out[i].Err = do(ctx, a)
		})
	}
	wg.Wait()
	return out
}

var (
	errNoAddress  = errors.New("no admin address is known")
	errNotOffered = errors.New("this edge can not be asked that")
)

// ask is Ask for one edge.
func ask[T any](ctx context.Context, f *Fleet, a Address, question func(context.Context, Edge) (T, error)) (T, error) {
	one := Ask(ctx, f, []Address{a}, question)[0]
	if one.Err != nil {
		return one.Value, fmt.Errorf("%s: %w", a.Name, one.Err)
	}
	return one.Value, nil
}

// States asks edges what they run.
func (f *Fleet) States(ctx context.Context, to []Address) []Answer[policy.NodeState] {
	return Ask(ctx, f, to, func(ctx context.Context, e Edge) (policy.NodeState, error) { return e.State(ctx) })
}

// Draining asks edges for the dialogs that drain, of one tenant or of all (""), and sums them.
func (f *Fleet) Draining(ctx context.Context, to []Address, tenant string) (sum []Drain, silent []string) {
	type key struct {
		tenant   string
		platform policy.Platform
	}
	by := make(map[key]*Drain)
	for _, a := range Ask(ctx, f, to, func(ctx context.Context, e Edge) ([]Drain, error) { return e.Draining(ctx, tenant) }) {
		if a.Err != nil {
			silent = append(silent, a.Edge)
			continue
		}
		for _, d := range a.Value {
			k := key{d.Tenant, d.Platform}
			if by[k] == nil {
				by[k] = &Drain{Tenant: d.Tenant, Platform: d.Platform}
			}
			by[k].add(d)
		}
	}
	sum = make([]Drain, 0, len(by))
	for _, d := range by {
		sum = append(sum, *d)
	}
	slices.SortFunc(sum, func(a, b Drain) int {
		return cmp.Or(strings.Compare(a.Tenant, b.Tenant), cmp.Compare(a.Platform, b.Platform))
	})
	return sum, silent
}

func (d *Drain) add(o Drain) {
	d.Count += o.Count
	d.AtLeast = d.AtLeast || o.AtLeast
	d.Since = max(d.Since, o.Since)
	if o.Oldest != 0 && (d.Oldest == 0 || o.Oldest < d.Oldest) {
		d.Oldest = o.Oldest
	}
}
