package policy

import (
	"iter"
	"net/netip"
)

// AllTenants is the id under which Motions reports a change of the globals.
const AllTenants = "*"

// Motions classifies c, made against s, tenant by tenant in the order of the change; a change of the globals, which
// touches everybody, comes last as AllTenants. A forced change is judged by what it would do to s.
func (c *Change) Motions(s *Snapshot) iter.Seq2[string, Motion] {
	return func(yield func(string, Motion) bool) {
		eff := *c
		if c.Force {
			if f, err := s.force(eff); err == nil {
				eff = f
			}
		}
		gb, ga := s.globals, s.globals
		if eff.Globals != nil && eff.Globals.After != nil {
			ga = eff.Globals.After.norm()
		}
		from, to := eff.exchange(gb, ga)
		for _, tc := range eff.Tenants {
			of := from | s.around(tc.ID, tc.After, gb) | sideOf(gb.platform())
			ot := to | s.around(tc.ID, tc.Before, ga) | sideOf(ga.platform())
			// The globals' own motion is reported once, for all: here a tenant is judged by its record.
			m := motionOf(tc.Before, tc.After, ga, ga, of, ot)
			if tc.Before == nil || tc.After == nil {
				m = motionOf(tc.Before, tc.After, gb, ga, of, ot)
			}
			if !yield(tc.ID, m) {
				return
			}
		}
		if eff.Globals != nil && eff.Globals.After != nil {
			yield(AllTenants, motionOfGlobals(gb, ga))
		}
	}
}

// exchange is where claims can go to and come from that pass between the tenants of one change.
func (c *Change) exchange(gb, ga Globals) (from, to sides) {
	if len(c.Tenants) < 2 {
		return 0, 0
	}
	for _, tc := range c.Tenants {
		if tc.Before != nil {
			from |= serves(tc.Before, gb)
		}
		if tc.After != nil {
			to |= serves(tc.After, ga)
		}
	}
	return from, to
}

// around is where the other tenants are whose wider claims hold a claim of t.
func (s *Snapshot) around(id string, t *Tenant, g Globals) (out sides) {
	if t == nil {
		return 0
	}
	add := func(other string) {
		if other != id {
			if r := s.Tenant(other); r != nil {
				out |= serves(r.Tenant, g)
			}
		}
	}
	for _, n := range t.Numbers {
		if c, err := parseClaim(n); err == nil {
			s.enclosing(c, func(h *heldClaim) { add(h.id) })
		}
	}
	for _, k := range t.Trunks {
		if p, fix := parseNet(k.Source); fix == "" {
			s.trunks.around(p, add)
		}
	}
	return out
}

// around visits the owners of p and of all networks that hold it.
func (t *trunkTable) around(p netip.Prefix, visit func(id string)) {
	lens := t.v6
	if p.Addr().Is4() {
		lens = t.v4
	}
	for _, l := range lens {
		if l.bits > p.Bits() {
			continue
		}
		wide, err := p.Addr().Prefix(l.bits)
		if err != nil {
			return
		}
		list, _ := t.nets.get(hashPrefix(wide), wide)
		for _, e := range list {
			visit(e.id)
		}
	}
}

// motionOfGlobals: lifting a halt lets everybody go where the records say. Freeze, gates and tests move nobody.
func motionOfGlobals(b, a Globals) (m Motion) {
	was, is := b.Halt == HaltAllLegacy, a.Halt == HaltAllLegacy
	switch {
	case was && !is:
		m |= TowardsCore
	case is && !was:
		m |= TowardsLegacy
	}
	return m | moves(sideOf(b.platform()), sideOf(a.platform()))
}

// MotionOfOverrides classifies a change of an edge's own orders: to take one back is a move towards core. nil is none.
func MotionOfOverrides(before, after *Overrides) (m Motion) {
	b, a := before.orders(), after.orders()
	for id := range b {
		if !a[id] {
			m |= TowardsCore
		}
	}
	for id := range a {
		if !b[id] {
			m |= TowardsLegacy
		}
	}
	return m
}

// orders are the ids that are ordered to legacy. Freeze moves nobody.
func (o *Overrides) orders() map[string]bool {
	ids := make(map[string]bool)
	if o == nil {
		return ids
	}
	if o.AllLegacy != nil {
		ids[AllTenants] = true
	}
	for id := range o.Tenants {
		ids[id] = true
	}
	return ids
}

// homeward reports whether c takes people back to legacy and nobody to core: nothing stands in its way.
func (c *Change) homeward(s *Snapshot) bool {
	home := c.Kind == KindRollback || c.Kind == KindHalt
	for _, m := range c.Motions(s) {
		if m&TowardsCore != 0 {
			return false
		}
		home = home || m == TowardsLegacy
	}
	return home
}
