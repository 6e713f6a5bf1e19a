package follow

import (
	"maps"

	"github.com/hotcut/hotcut/policy"
)

// Override changes the edge's own orders: edit gets a copy, what it leaves is saved and then in force. They hold with
// no store, no controller and no CLI alive, and survive a restart.
func (f *Follower) Override(edit func(*policy.Overrides) error) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	next := policy.Overrides{}
	if f.orders != nil {
		next = *f.orders
		next.Tenants = maps.Clone(f.orders.Tenants)
	}
	if err := edit(&next); err != nil {
		return err
	}
	// In force first: a full disk must not stand between a call and legacy. The error still reaches the operator.
	f.useLocked(&next)
	return f.cfg.Orders.Save(&next)
}

func (f *Follower) useLocked(o *policy.Overrides) {
	f.orders = o
	f.swap(f.base)
	f.cfg.Log.Warn("overrides in force", "all_legacy", o != nil && o.AllLegacy != nil, "tenants", tenants(o))
	nudge(f.report)
}

func tenants(o *policy.Overrides) int {
	if o == nil {
		return 0
	}
	return len(o.Tenants)
}

// ordersChanged takes what a person wrote into the file.
func (f *Follower) ordersChanged(o *policy.Overrides, err error) {
	if err != nil {
		f.cfg.Log.Error("the overrides file can not be read; what is in force stays", "err", err)
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if !equalOrders(f.orders, o) {
		f.useLocked(o)
	}
}

func equalOrders(a, b *policy.Overrides) bool {
	if a == nil {
		a = &policy.Overrides{}
	}
	if b == nil {
		b = &policy.Overrides{}
	}
	same := func(x, y *policy.Override) bool { return x == nil && y == nil || x != nil && y != nil && *x == *y }
	return same(a.AllLegacy, b.AllLegacy) && same(a.Freeze, b.Freeze) && maps.Equal(a.Tenants, b.Tenants)
}
