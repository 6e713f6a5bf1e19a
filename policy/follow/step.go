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
	f.turn.Lock()
	defer f.turn.Unlock()
	switch cur := f.inForce(); {
	case cur == nil:
		f.load(ctx, h)
	case h.Epoch != cur.Epoch():
		f.alarm(AlarmOtherEpoch, h)
	case h.Rev < cur.Rev():
		f.alarm(AlarmRegressed, h)
	case h.Rev == cur.Rev() && h.Chain != cur.Chain():
		f.alarm(AlarmForked, h)
	case h.Rev == cur.Rev():
		f.calm()
	default:
		f.catchUp(ctx, cur, h)
	}
}

// catchUp takes the records (applied, head] if all of them chain and validate.
func (f *Follower) catchUp(ctx context.Context, cur *policy.Snapshot, h policy.Head) {
	ctx, cancel := context.WithTimeout(ctx, loadTime)
	defer cancel()
	changes, err := f.cfg.Store.Since(ctx, cur.Rev())
	if errors.Is(err, policy.ErrTrimmed) {
		f.jump(ctx, cur, h)
		return
	}
	if err != nil || len(changes) == 0 {
		return // the next head tries again
	}
	s := cur
	for i := range changes {
		next, err := s.Apply(changes[i])
		if errors.Is(err, policy.ErrForked) {
			f.alarm(AlarmForked, h)
			return
		}
		if err != nil {
			f.refuse(changes[i].Rev, err)
			return
		}
		s = next
	}
	f.take(s, changes)
}

// jump: the records between us and the head are gone. The store must show that it descends from our chain.
func (f *Follower) jump(ctx context.Context, cur *policy.Snapshot, h policy.Head) {
	a, ok := f.cfg.Store.(policy.Ancestry)
	if !ok {
		f.alarm(AlarmForked, h)
		return
	}
	chain, err := a.ChainAt(ctx, cur.Rev())
	if err != nil {
		return
	}
	if chain != cur.Chain() {
		f.alarm(AlarmForked, h)
		return
	}
	f.load(ctx, h)
}

// load takes the store's head whole.
func (f *Follower) load(ctx context.Context, h policy.Head) {
	ctx, cancel := context.WithTimeout(ctx, loadTime)
	defer cancel()
	s, err := f.cfg.Store.LoadAt(ctx, 0)
	if err != nil {
		var refused *policy.Refusal
		if errors.As(err, &refused) {
			f.refuse(h.Rev, err)
		}
		return
	}
	f.take(s, nil)
}

// take puts s into force and tells everybody. changes lead to it from what was in force; nil: a whole load.
func (f *Follower) take(s *policy.Snapshot, changes []policy.Change) {
	f.mu.Lock()
	defer f.mu.Unlock()
	before := uint64(0)
	if f.base != nil {
		before = f.base.Rev()
	}
	f.swap(s)
	f.applied = time.Now().UnixMilli()
	f.nack, f.alarms = nil, nil
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

func (f *Follower) refuse(rev uint64, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.nack != nil && f.nack.Rev == rev {
		return
	}
	f.nack = &policy.Nack{Rev: rev, Reason: err.Error()}
	f.cfg.Log.Error("policy refused, what is in force stays", "rev", rev, "in_force", f.revLocked(), "err", err)
	nudge(f.report)
}

func (f *Follower) alarm(name string, h policy.Head) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.alarms) == 1 && f.alarms[0] == name {
		return
	}
	f.alarms = []string{name}
	f.cfg.Log.Error("the store's policy is not taken, what is in force stays", "alarm", name, "in_force", f.revLocked(),
		"store_rev", h.Rev, "store_epoch", h.Epoch)
	nudge(f.report)
}

func (f *Follower) calm() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.alarms != nil {
		f.alarms = nil
		nudge(f.report)
	}
}

// emptied: the store answers, and holds nothing.
func (f *Follower) emptied() {
	if f.inForce() != nil {
		f.alarm(AlarmEmptied, policy.Head{})
	}
}

// AcceptEpoch takes the store's head although it does not follow from what is in force: another lineage, or the same
// after a loss. It is a person's word, and only for the epoch that the person named.
func (f *Follower) AcceptEpoch(epoch string) error {
	ctx, cancel := context.WithTimeout(context.Background(), loadTime)
	defer cancel()
	f.turn.Lock()
	defer f.turn.Unlock()
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
	f.take(s, nil)
	return nil
}

func (f *Follower) revLocked() uint64 {
	if f.base == nil {
		return 0
	}
	return f.base.Rev()
}

// inForce is the policy without the edge's own orders.
func (f *Follower) inForce() *policy.Snapshot {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.base
}
