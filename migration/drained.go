package migration

import (
	"context"
	"slices"
	"time"

	"github.com/hotcut/hotcut/policy"
)

// Drained is whether nothing of the tenants drains any more. It is said only when every edge answered and none of them
// says "at least": an edge that restarted may not know all its calls yet.
type Drained struct {
	Done     bool
	Draining []Drain
	Silent   []string
}

// drainLook is the pace of looking at what drains: calls last minutes.
const drainLook = time.Second

// AwaitDrained looks until the tenants (none: all) have drained or ctx ends. progress sees every look.
func (e *Engine) AwaitDrained(ctx context.Context, tenants []string, progress func(Drained)) Drained {
	old, _ := e.lastRoster()
	for {
		d := e.drained(ctx, old.Nodes, tenants)
		if progress != nil {
			progress(d)
		}
		if d.Done {
			return d
		}
		select {
		case <-ctx.Done():
			return d
		case <-time.After(drainLook):
		}
	}
}

func (e *Engine) drained(ctx context.Context, nodes []policy.NodeState, tenants []string) Drained {
	one := ""
	if len(tenants) == 1 {
		one = tenants[0]
	}
	sum, silent := e.draining(context.WithoutCancel(ctx), nodes, one)
	d := Drained{Draining: []Drain{}, Silent: silent, Done: len(silent) == 0}
	for _, s := range sum {
		if len(tenants) > 0 && !slices.Contains(tenants, s.Tenant) {
			continue
		}
		if s.Count > 0 || s.AtLeast {
			d.Draining = append(d.Draining, s)
			d.Done = false
		}
	}
	return d
}
