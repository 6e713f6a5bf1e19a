package policy

import (
	"fmt"
	"time"
)

// Apply makes the snapshot after c. c must follow: same epoch, rev one higher (a resync may leap), and a chain that
// fits, else ErrForked; its Before records must be the present ones, else ErrConflict. Everything is validated and the
// policy's tests are run: what does not hold is a *Refusal that lists it all. A test that fails is only a warning when
// the change moves somebody towards legacy and nobody towards core, or when the test failed before too.
// Overrides carry over. The records of c are kept: the caller never changes them again.
func (s *Snapshot) Apply(c Change) (*Snapshot, error) {
	switch {
	case c.Epoch != s.epoch:
		return nil, fmt.Errorf("%w: change of epoch %s, policy of epoch %s", ErrForked, clip(c.Epoch, 40), s.epoch)
	case c.Rev != s.rev+1 && !(c.Kind == KindResync && c.Rev > s.rev):
		return nil, fmt.Errorf("%w: rev %d does not follow rev %d", ErrForked, c.Rev, s.rev)
	case c.Chain == "" || c.Chain != ChainOf(s.chain, &c):
		return nil, fmt.Errorf("%w: rev %d does not chain from rev %d here", ErrForked, c.Rev, s.rev)
	}
	return s.apply(&c)
}

// apply is Apply for a change that is known to follow.
func (s *Snapshot) apply(c *Change) (*Snapshot, error) {
	if err := s.conflict(c); err != nil {
		return nil, err
	}
	next := *s
	next.rev, next.chain, next.warnings = c.Rev, c.Chain, nil
	b := newBuilder(&next)
	recs := b.compileAll(s, c)
	if g := c.Globals; g != nil {
		if g.After == nil {
			b.list = append(b.list, Fault{Field: "globals.after", Problem: "is missing", Fix: "write the globals whole"})
		} else {
			b.list = append(b.list, g.After.check()...)
			next.globals, next.globalsRev = g.After.norm(), c.Rev
		}
	}
	if len(b.list) > 0 {
		return nil, refuse(b.list)
	}
	for i, tc := range c.Tenants {
		if old := s.Tenant(tc.ID); old != nil {
			b.takeAway(old, recs[i])
		}
	}
	for i, tc := range c.Tenants {
		if recs[i] != nil {
			b.put(s.Tenant(tc.ID), recs[i])
		}
	}
	if _, err := b.finish(); err != nil {
		return nil, err
	}
	if err := next.judge(s, c); err != nil {
		return nil, err
	}
	return &next, nil
}

// compileAll compiles the records after the change; nil for one that is removed or faulty.
func (b *builder) compileAll(s *Snapshot, c *Change) []*Record {
	recs := make([]*Record, len(c.Tenants))
	seen := make(map[string]bool, len(c.Tenants))
	for i, tc := range c.Tenants {
		f := &faults{tenant: clip(tc.ID, 63)}
		old := s.Tenant(tc.ID)
		switch {
		case seen[tc.ID]:
			f.add("tenants", tc.ID, "stands twice in one change", "merge the two")
		case tc.After == nil && old == nil:
			f.add("tenants", tc.ID, "does not exist", "`hotcut tenant list` shows those that do")
		case tc.After == nil:
		case tc.After.ID != tc.ID:
			f.add("id", tc.After.ID, "differs from the change's own "+tc.ID, "a tenant keeps its id: remove one and add the other")
		case old != nil && tc.After.Salt != old.Tenant.Salt:
			f.add("salt", tc.After.Salt, "differs from the salt in force", "keep "+old.Tenant.Salt+": another salt would move people")
		default:
			r, list := compile(tc.After, nil)
			recs[i] = r
			f.list = append(f.list, list...)
		}
		seen[tc.ID] = true
		b.list = append(b.list, f.list...)
	}
	return recs
}

// conflict reports whether what c says was before is what is now.
func (s *Snapshot) conflict(c *Change) error {
	for _, tc := range c.Tenants {
		cur := s.Tenant(tc.ID)
		if (cur == nil) != (tc.Before == nil) {
			if cur == nil {
				return fmt.Errorf("%w: tenant %s does not exist any more, rev %d", ErrConflict, clip(tc.ID, 63), s.rev)
			}
			return fmt.Errorf("%w: tenant %s exists already, rev %d", ErrConflict, tc.ID, s.rev)
		}
		if cur != nil && !cur.is(tc.Before) {
			return fmt.Errorf("%w: tenant %s, rev %d", ErrConflict, tc.ID, s.rev)
		}
	}
	if g := c.Globals; g != nil && (g.Before == nil && s.rev > 0 || g.Before != nil) {
		if g.Before == nil {
			return fmt.Errorf("%w: the change does not say what the globals were, rev %d", ErrConflict, s.rev)
		}
		if h, err := g.Before.hash(); err != nil || h != s.globalsHash {
			return fmt.Errorf("%w: the globals, rev %d", ErrConflict, s.rev)
		}
	}
	return nil
}

// is reports whether a tenant has exactly this record's content.
func (r *Record) is(t *Tenant) bool {
	if r.Tenant == t {
		return true
	}
	b, err := t.Canonical()
	return err == nil && len(b) == r.size && sha(b) == r.hash
}

// Next is what a store does at commit: it checks c against s (ErrForked, ErrConflict), completes it (with Force the
// records before, and for a rollback and a halt the records after; rev, time, chain) and applies it.
// It returns the sealed change, which goes into the log as it is, and the snapshot after it.
func (s *Snapshot) Next(c Change, at time.Time) (Change, *Snapshot, error) {
	if c.Epoch != s.epoch {
		return c, nil, fmt.Errorf("%w: change of epoch %q, policy of epoch %s", ErrForked, clip(c.Epoch, 40), s.epoch)
	}
	if c.Force {
		var err error
		if c, err = s.force(c); err != nil {
			return c, nil, err
		}
	} else if c.Base > s.rev {
		return c, nil, fmt.Errorf("%w: its author looked at rev %d, the store is at rev %d", ErrForked, c.Base, s.rev)
	} else if c.ReadGlobals && c.Globals == nil && c.Base < s.globalsRev {
		return c, nil, fmt.Errorf("%w: the globals changed at rev %d, after rev %d", ErrConflict, s.globalsRev, c.Base)
	}
	return s.seal(c, s.rev+1, at)
}

// Resync re-seals s, the highest snapshot that an edge still has, as rev newRev (greater than any rev that an edge ever
// ran). The change carries no content: it leaps from s.Rev to newRev, and chains from s.
func (s *Snapshot) Resync(newRev uint64, c Change, at time.Time) (Change, *Snapshot, error) {
	c.Kind, c.Epoch, c.Tenants, c.Globals = KindResync, s.epoch, nil, nil
	if newRev <= s.rev {
		return c, nil, fmt.Errorf("%w: resync to rev %d would go back from rev %d", ErrForked, newRev, s.rev)
	}
	return s.seal(c, newRev, at)
}

func (s *Snapshot) seal(c Change, rev uint64, at time.Time) (Change, *Snapshot, error) {
	c.Rev, c.At = rev, at.UnixMilli()
	c.Tenants = sortedByID(c.Tenants)
	if c.Chain = ChainOf(s.chain, &c); c.Chain == "" {
		_, err := c.Canonical()
		return c, nil, refuse([]Fault{{Field: "change", Problem: err.Error()}})
	}
	next, err := s.apply(&c)
	if err != nil {
		return c, nil, err
	}
	return c, next, nil
}

// force states "this, whatever it was": Before is what is now. A rollback and a halt also take everything else of the
// record after from now: they are orders, not records.
func (s *Snapshot) force(c Change) (Change, error) {
	f := &faults{}
	tenants := make([]TenantChange, len(c.Tenants))
	for i, tc := range c.Tenants {
		cur := s.Tenant(tc.ID)
		tc.Before = nil
		if cur != nil {
			tc.Before = cur.Tenant
		}
		if c.Kind == KindRollback {
			if cur == nil {
				f.tenant = clip(tc.ID, 63)
				f.add("tenants", tc.ID, "does not exist", "`hotcut tenant list` shows those that do")
				continue
			}
			after := *cur.Tenant
			after.RolledBack = true
			tc.After = &after
		}
		tenants[i] = tc
	}
	c.Tenants = tenants
	if c.Globals != nil {
		g := GlobalsChange{Before: new(s.globals), After: c.Globals.After}
		if c.Kind == KindHalt && g.After != nil {
			after := s.globals
			after.Halt = g.After.norm().Halt
			g.After = &after
		}
		c.Globals = &g
	}
	return c, refuse(f.list)
}
