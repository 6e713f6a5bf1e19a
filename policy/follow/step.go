package follow

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/hotcut/hotcut/policy"
)

// Alarms an edge raises about its policy; each stays until the store is right again or a person has spoken.
const (
	AlarmForked     = "policy_forked"      // the store's chain does not contain ours
	AlarmRegressed  = "policy_regressed"   // the store is at a lower rev than we are
	AlarmOtherEpoch = "policy_other_epoch" // the store holds another lineage
	AlarmEmptied    = "policy_emptied"     // the store holds nothing
)

// step compares the store's head with what is in force and catches up if, and only if, the head chains from it.
func (f *Follower) step(ctx context.Context, h policy.Head) {
	f.seen.Store(time.Now().UnixMilli())
	f.mu.Lock()
	defer f.mu.Unlock()
	switch cur := f.base; {
	case cur == nil:
		f.loadLocked(ctx, h)
	case h.Epoch != cur.Epoch():
		f.alarmLocked(AlarmOtherEpoch, h)
	case h.Rev < cur.Rev():
		f.alarmLocked(AlarmRegressed, h)
	case h.Rev == cur.Rev() && h.Chain != cur.Chain():
		f.alarmLocked(AlarmForked, h)
	case h.Rev == cur.Rev():
		f.calmLocked()
	default:
		f.catchUpLocked(ctx, h)
	}
}

// catchUpLocked takes the records (applied, head] if all of them chain and validate.
func (f *Follower) catchUpLocked(ctx context.Context, h policy.Head) {
	ctx, cancel := context.WithTimeout(ctx, loadTime)
	defer cancel()
	cur := f.base
	changes, err := f.cfg.Store.Since(ctx, cur.Rev())
	if errors.Is(err, policy.ErrTrimmed) {
		f.jumpLocked(ctx, h)
		return
	}
	if err != nil || len(changes) == 0 {
		return // the next head tries again
	}
	s := cur
	for i := range changes {
		next, err := s.Apply(changes[i])
		if errors.Is(err, policy.ErrForked) {
			f.alarmLocked(AlarmForked, h)
			return
		}
		if err != nil {
			f.nackLocked(changes[i].Rev, err)
			return
		}
		s = next
	}
	f.takeLocked(s, changes)
}

// jumpLocked: the records between us and the head are gone. The store must show that it descends from our chain.
func (f *Follower) jumpLocked(ctx context.Context, h policy.Head) {
	a, ok := f.cfg.Store.(policy.Ancestry)
	if !ok {
		f.alarmLocked(AlarmForked, h)
		return
	}
	chain, err := a.ChainAt(ctx, f.base.Rev())
	if err != nil {
		return
	}
	if chain != f.base.Chain() {
		f.alarmLocked(AlarmForked, h)
		return
	}
	f.loadLocked(ctx, h)
}

// loadLocked takes the store's head whole.
func (f *Follower) loadLocked(ctx context.Context, h policy.Head) {
	ctx, cancel := context.WithTimeout(ctx, loadTime)
	defer cancel()
	s, err := f.cfg.Store.LoadAt(ctx, 0)
	if err != nil {
		var refused *policy.Refusal
		if errors.As(err, &refused) {
			f.nackLocked(h.Rev, err)
		}
		return
	}
	f.takeLocked(s, nil)
}

// takeLocked puts s into force and tells everybody. changes lead to it from what was in force; nil: a whole load.
func (f *Follower) takeLocked(s *policy.Snapshot, changes []policy.Change) {
	before := uint64(0)
	if f.base != nil {
		before = f.base.Rev()
	}
	f.swap(s)
	f.applied = time.Now().UnixMilli()
	f.nack = nil
	f.calmLocked()
	if changes == nil || f.dirty && f.unsaved == nil {
		f.unsaved = nil
	} else {
		f.unsaved = append(f.unsaved, changes...)
	}
	f.dirty = true
	nudge(f.report)
	nudge(f.save)
	f.cfg.Log.Info("policy applied", "rev", s.Rev(), "from", before, "warnings", len(s.Warnings()))
}

func (f *Follower) nackLocked(rev uint64, err error) {
	if f.nack != nil && f.nack.Rev == rev {
		return
	}
	f.nack = &policy.Nack{Rev: rev, Reason: err.Error()}
	f.cfg.Log.Error("policy refused, what is in force stays", "rev", rev, "in_force", f.revLocked(), "err", err)
	nudge(f.report)
}

func (f *Follower) alarmLocked(name string, h policy.Head) {
	if len(f.alarms) == 1 && f.alarms[0] == name {
		return
	}
	f.alarms = []string{name}
	f.cfg.Log.Error("the store's policy is not taken, what is in force stays", "alarm", name, "in_force", f.revLocked(),
		"store_rev", h.Rev, "store_epoch", h.Epoch)
	nudge(f.report)
}

func (f *Follower) calmLocked() {
	if f.alarms != nil {
		f.alarms = nil
		nudge(f.report)
	}
}

// emptied: the store answers, and holds nothing.
func (f *Follower) emptied() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.base != nil {
		f.alarmLocked(AlarmEmptied, policy.Head{})
	}
}

// AcceptEpoch takes the store's head although it does not follow from what is in force: another lineage, or the same
// after a loss. It is a person's word, and only for the epoch that the person named.
func (f *Follower) AcceptEpoch(epoch string) error {
	ctx, cancel := context.WithTimeout(context.Background(), loadTime)
	defer cancel()
	h, err := f.cfg.Store.Head(ctx)
	if err != nil {
		return fmt.Errorf("read the store's head: %w", err)
	}
	if h.Epoch != epoch {
		return fmt.Errorf("the store holds epoch %s, not %s", h.Epoch, epoch)
	}
	s, err := f.cfg.Store.LoadAt(ctx, 0)
	if err != nil {
		return fmt.Errorf("load the store's head: %w", err)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.takeLocked(s, nil)
	return nil
}

func (f *Follower) revLocked() uint64 {
	if f.base == nil {
		return 0
	}
	return f.base.Rev()
}
