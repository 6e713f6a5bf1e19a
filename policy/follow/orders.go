package follow

import (
	"maps"

	"github.com/hotcut/hotcut/policy"
)

// Override changes the edge's own orders: edit gets a copy, what it leaves is in force and then saved. They hold with no
// store, no controller and no CLI alive, and survive a restart once Override has returned nil.
func (f *Follower) Override(edit func(*policy.Overrides) error) error {
	f.editing.Lock()
	defer f.editing.Unlock()
	f.mu.Lock()
	next := clone(f.orders)
	f.mu.Unlock()
	if err := edit(next); err != nil {
		return err
	}
	// In force first: a full disk must not stand between a call and legacy. The error still reaches the operator.
	f.use(next, false)
	return f.cfg.Orders.Save(next)
}

func clone(o *policy.Overrides) *policy.Overrides {
	if o == nil {
		return new(policy.Overrides)
	}
	c := *o
	c.Tenants = maps.Clone(o.Tenants)
	return &c
}

// use puts orders into force. Called with editing held.
func (f *Follower) use(o *policy.Overrides, badFile bool) {
	f.mu.Lock()
	same := equal(f.orders, o)
	changed := f.badFile != badFile || !same
	f.badFile = badFile
	if !same {
		f.orders = o
		f.show()
	}
	f.mu.Unlock()
	if changed {
		nudge(f.report)
	}
	if !same {
		f.cfg.Log.Warn("overrides in force", "all_legacy", o != nil && o.AllLegacy != nil, "tenants", tenants(o))
	}
}

func tenants(o *policy.Overrides) int {
	if o == nil {
		return 0
	}
	return len(o.Tenants)
}

// ordersChanged takes what a person wrote into the file. It reads the file itself, with editing held: what the watcher
// read may have been overtaken by an Override.
func (f *Follower) ordersChanged(*policy.Overrides, error) {
	f.editing.Lock()
	defer f.editing.Unlock()
	o, err := f.cfg.Orders.Load()
	if err != nil {
		f.mu.Lock()
		o = f.orders
		f.mu.Unlock()
		f.cfg.Log.Error("the overrides file can not be read; what is in force stays", "err", err)
		f.use(o, true)
		return
	}
	f.use(o, false)
	if err := f.cfg.Orders.Keep(o); err != nil {
		f.cfg.Log.Error("the overrides in force could not be kept for the next start", "err", err)
	}
}

func equal(a, b *policy.Overrides) bool {
	if a == nil {
		a = &policy.Overrides{}
	}
	if b == nil {
		b = &policy.Overrides{}
	}
	same := func(x, y *policy.Override) bool { return x == nil && y == nil || x != nil && y != nil && *x == *y }
	return same(a.AllLegacy, b.AllLegacy) && same(a.Freeze, b.Freeze) && maps.Equal(a.Tenants, b.Tenants)
}
