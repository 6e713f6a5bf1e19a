package follow

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/hotcut/hotcut/policy"
)

// Alarms an edge raises; each stays until things are right again or a person has spoken.
const (
	AlarmForked     = "policy_forked"        // the store's chain does not contain ours
	AlarmRegressed  = "policy_regressed"     // the store is at a lower rev than we are
	AlarmOtherEpoch = "policy_other_epoch"   // the store holds another lineage
	AlarmEmptied    = "policy_emptied"       // the store answers, and holds nothing
	AlarmOrders     = "overrides_unreadable" // overrides.json can not be read; what was in force stays
	AlarmDisk       = "policy_not_stored"    // the disk copy can not be written
)

// step compares the store's head with what is in force and catches up if, and only if, the head chains from it. It
// reports whether the store said what its head is.
func (f *Follower) step(ctx context.Context) bool {
	f.turn.Lock()
	defer f.turn.Unlock()
	call, cancel := context.WithTimeout(ctx, callTime)
	h, err := f.cfg.Store.Head(call)
	cancel()
	if errors.Is(err, policy.ErrNoPolicy) && f.base != nil {
		f.alarmed(AlarmEmptied, h)
	}
	if err != nil {
		return false // the state turns stale by itself
	}
	f.seen.Store(max(1, int64(time.Since(f.born))))
	switch cur := f.base; {
	case cur == nil:
		f.load(ctx, h)
	case h.Epoch != cur.Epoch():
		f.alarmed(AlarmOtherEpoch, h)
	case h.Rev < cur.Rev():
		f.alarmed(AlarmRegressed, h)
	case h.Rev == cur.Rev() && h.Chain != cur.Chain():
		f.alarmed(AlarmForked, h)
	case h.Rev == cur.Rev():
		f.alarmed("", h)
	default:
		f.catchUp(ctx, h)
	}
	return true
}

// catchUp takes the records (applied, head] that chain and validate, up to the first that does not validate.
func (f *Follower) catchUp(ctx context.Context, h policy.Head) {
	ctx, cancel := context.WithTimeout(ctx, loadTime)
	defer cancel()
	cur := f.base
	changes, err := f.cfg.Store.Since(ctx, cur.Rev())
	if errors.Is(err, policy.ErrTrimmed) {
		f.jump(ctx, h)
		return
	}
	if err != nil || len(changes) == 0 {
		return // the next bell tries again
	}
	rev, chain := cur.Rev(), cur.Chain()
	for i := range changes {
		c := &changes[i]
		if c.Rev != rev+1 || c.Epoch != cur.Epoch() || policy.ChainOf(chain, c) != c.Chain || c.Rev == h.Rev && c.Chain != h.Chain {
			f.alarmed(AlarmForked, h)
			return
		}
		rev, chain = c.Rev, c.Chain
	}
	s, good := cur, 0
	for good < len(changes) {
		next, err := s.Apply(changes[good])
		if err == nil && next.Rev() == h.Rev && next.Root() != h.Root {
			err = fmt.Errorf("its content has root %.12s here, %.12s in the store", next.Root(), h.Root)
		}
		if err != nil {
			f.refused(changes[good].Rev, err)
			break
		}
		s = next
		good++
	}
	if good > 0 {
		f.take(s, changes[:good])
	}
}

// jump: the records between us and the head are gone. The store must name our chain among its ancestors.
func (f *Follower) jump(ctx context.Context, h policy.Head) {
	chain, err := f.cfg.Store.(policy.Ancestry).ChainAt(ctx, f.base.Rev())
	if err != nil {
		return
	}
	if chain != f.base.Chain() {
		f.alarmed(AlarmForked, h)
		return
	}
	f.load(ctx, h)
}

// load takes the store's content whole, if it is what the head said or follows it.
func (f *Follower) load(ctx context.Context, h policy.Head) {
	ctx, cancel := context.WithTimeout(ctx, loadTime)
	defer cancel()
	s, err := f.cfg.Store.LoadAt(ctx, 0)
	if err != nil {
		if _, ok := errors.AsType[*policy.Refusal](err); ok {
			f.refused(h.Rev, err)
		}
		return
	}
	if s.Epoch() != h.Epoch || s.Rev() < h.Rev || s.Rev() == h.Rev && s.Head() != h {
		return // the store changed under us: the next bell looks again
	}
	f.take(s, nil)
}

// take puts s into force and tells everybody. changes lead to it from what was in force; nil: a whole load. Called with
// turn held.
func (f *Follower) take(s *policy.Snapshot, changes []policy.Change) {
	f.mu.Lock()
	before := f.revLocked()
	f.base = s
	f.show()
	f.applied = time.Now().UnixMilli()
	if f.nack != nil && (s.Rev() >= f.nack.Rev || changes == nil) {
		f.nack = nil
	}
	f.alarm = ""
	if changes == nil || f.dirty && f.unsaved == nil || len(f.unsaved) > 1000 {
		f.unsaved = nil
	} else {
		f.unsaved = append(f.unsaved, changes...)
	}
	f.dirty = true
	f.mu.Unlock()
	nudge(f.report)
	nudge(f.save)
	f.cfg.Log.Info("policy applied", "rev", s.Rev(), "from", before, "warnings", len(s.Warnings()))
}

// refused nacks a rev.
func (f *Follower) refused(rev uint64, err error) {
	f.mu.Lock()
	again := f.nack != nil && f.nack.Rev == rev
	f.nack = &policy.Nack{Rev: rev, Reason: clip(err.Error())}
	f.mu.Unlock()
	if !again {
		f.cfg.Log.Error("policy refused, what is in force stays", "rev", rev, "err", err)
		nudge(f.report)
	}
}

// clip: a nack goes into every report.
func clip(s string) string { return s[:min(len(s), 2000)] }

// alarmed raises an alarm about the store, "" takes it away.
func (f *Follower) alarmed(name string, h policy.Head) {
	f.mu.Lock()
	again, rev := f.alarm == name, f.revLocked()
	f.alarm = name
	f.mu.Unlock()
	if again {
		return
	}
	nudge(f.report)
	if name == "" {
		f.cfg.Log.Info("the store agrees again", "rev", rev)
		return
	}
	f.cfg.Log.Error("the store's policy is not taken, what is in force stays", "alarm", name, "in_force", rev,
		"store_rev", h.Rev, "store_epoch", h.Epoch)
}

func (f *Follower) alarmsLocked() []string {
	var out []string
	if f.alarm != "" {
		out = append(out, f.alarm)
	}
	if f.badFile {
		out = append(out, AlarmOrders)
	}
	if f.badDisk {
		out = append(out, AlarmDisk)
	}
	return out
}

// AcceptEpoch takes the store's head although it does not follow from what is in force: another lineage, or the same one
// after a fork. It is a person's word, and only for the epoch that the person named. Within one epoch it goes forward
// only: for a store that has lost commits the way is a resync.
func (f *Follower) AcceptEpoch(epoch string) error {
	ctx, cancel := context.WithTimeout(context.Background(), loadTime)
	defer cancel()
	f.turn.Lock()
	defer f.turn.Unlock()
	s, err := f.cfg.Store.LoadAt(ctx, 0)
	if err != nil {
		return fmt.Errorf("load the store's head: %w", err)
	}
	if s.Epoch() != epoch {
		return fmt.Errorf("the store holds epoch %s, not %.40s", s.Epoch(), epoch)
	}
	if b := f.base; b != nil && b.Epoch() == epoch {
		if b.Rev() == s.Rev() && b.Chain() == s.Chain() {
			return nil
		}
		if s.Rev() <= b.Rev() {
			return fmt.Errorf("the store is at rev %d of this epoch, this edge at %d: it does not go back; run `hotcut policy resync`", s.Rev(), b.Rev())
		}
	}
	f.take(s, nil)
	return nil
}

func (f *Follower) revLocked() uint64 {
	if f.base == nil {
		return 0
	}
	return f.base.Rev()
}
