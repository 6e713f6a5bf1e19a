package filestore

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/hotcut/hotcut/policy"
)

// Apply implements policy.Store. The change that it acknowledges has been fsynced. A failed fsync leaves the outcome
// unknown, as it leaves the kernel's.
func (s *Store) Apply(ctx context.Context, c policy.Change) (policy.Head, policy.Durability, error) {
	var none policy.Durability
	if c.Kind == policy.KindResync {
		return policy.Head{}, none, errors.New("a resync is committed by Resync, not by Apply")
	}
	if c.Key == "" {
		c.Key = policy.MintKey()
	}
	unlock, err := s.lock(ctx, c.Kind == policy.KindInit)
	if err != nil {
		return policy.Head{}, none, err
	}
	defer unlock()

	err = s.refresh()
	if errors.Is(err, policy.ErrNoPolicy) && c.Kind == policy.KindInit {
		return s.create(c)
	}
	if err != nil {
		return policy.Head{}, none, err
	}
	if rev := s.keys[c.Key]; rev != 0 {
		return s.headAt(rev), policy.Durability{Note: "fsynced before"}, nil
	}
	head := s.snap.Head()
	switch {
	case c.Kind == policy.KindInit:
		return head, none, fmt.Errorf("the store holds a policy already, at rev %d: %w", head.Rev, policy.ErrConflict)
	case c.Epoch != head.Epoch:
		return head, none, fmt.Errorf("the change is of epoch %q, the store of %q: %w", c.Epoch, head.Epoch, policy.ErrForked)
	case c.Base > head.Rev:
		return head, none, fmt.Errorf("the change was made at rev %d, the store is at %d only: %w", c.Base, head.Rev, policy.ErrForked)
	case c.Kind == policy.KindAuto && c.Fence != 0:
		// Leases live in Redis; here nobody ever took one.
		return head, none, fmt.Errorf("fence %d is not in force: %w", c.Fence, policy.ErrConflict)
	}
	sealed, next, err := s.snap.Next(c, s.now())
	if err != nil {
		return head, none, err
	}
	if err := s.append(&sealed, next); err != nil {
		return head, none, err
	}
	s.checkpointIfDue()
	return next.Head(), policy.Durability{Note: "fsynced"}, nil
}

// lock takes mu and the flock. Only what creates a store makes its directory.
func (s *Store) lock(ctx context.Context, create bool) (func(), error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s.mu.Lock()
	if create {
		if err := os.MkdirAll(s.dir, dirMode); err != nil {
			s.mu.Unlock()
			return nil, err
		}
	}
	unlock, err := lockFile(ctx, s.dir)
	if err != nil {
		s.mu.Unlock()
		if os.IsNotExist(err) {
			err = fmt.Errorf("%s: %w", s.dir, policy.ErrNoPolicy)
		}
		return nil, err
	}
	return func() { unlock(); s.mu.Unlock() }, nil
}

// now never lets the times of the log run backwards.
func (s *Store) now() time.Time { return time.UnixMilli(max(time.Now().UnixMilli(), s.lastAt)) }

// headAt is the head as a change left it; root and halt are known for the tip only.
func (s *Store) headAt(rev uint64) policy.Head {
	if rev == s.snap.Rev() {
		return s.snap.Head()
	}
	h := policy.Head{Epoch: s.man.Epoch, Rev: rev}
	if i, ok := s.find(rev); ok {
		h.Chain = s.recs[i].chain
	}
	return h
}

// create starts a lineage with its first record.
func (s *Store) create(c policy.Change) (policy.Head, policy.Durability, error) {
	var none policy.Durability
	if c.Epoch == "" {
		return policy.Head{}, none, fmt.Errorf("init names no epoch: %w", policy.ErrForked)
	}
	sealed, next, err := policy.Empty(c.Epoch).Next(c, time.Now())
	if err != nil {
		return policy.Head{}, none, err
	}
	line, err := appendLine(nil, &sealed)
	if err != nil {
		return policy.Head{}, none, err
	}
	// Gen tells the files of this lineage from what an older one may have left here.
	m := &manifest{Version: 1, Epoch: c.Epoch, Gen: uint64(time.Now().UnixNano())}
	m.Segments = []segRef{{Gen: m.Gen}}
	if err := replaceBytes(s.path(m.Segments[0].file()), line); err != nil {
		return policy.Head{}, none, err
	}
	if err := replaceBytes(s.path("past"), nil); err != nil {
		return policy.Head{}, none, err
	}
	if err := m.write(s.dir); err != nil {
		return policy.Head{}, none, err
	}
	if err := s.refresh(); err != nil {
		return policy.Head{}, none, fmt.Errorf("%w: %w", policy.ErrUnknownOutcome, err)
	}
	return next.Head(), policy.Durability{Note: "fsynced"}, nil
}

// append writes one record behind the last good one; a torn tail is cut off first. Called with the flock held.
func (s *Store) append(c *policy.Change, next *policy.Snapshot) error {
	line, err := appendLine(nil, c)
	if err != nil {
		return err
	}
	path := s.path(s.seg.file())
	f, err := os.OpenFile(path, os.O_WRONLY, fileMode)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := f.Truncate(s.off); err != nil {
		return err
	}
	if _, err := f.WriteAt(line, s.off); err != nil {
		return errors.Join(fmt.Errorf("rev %d not written: %w", c.Rev, err), f.Truncate(s.off))
	}
	if err := f.Sync(); err != nil {
		s.forgetAll()
		return fmt.Errorf("%w: %w", policy.ErrUnknownOutcome, err)
	}
	from := s.off
	s.off += int64(len(line))
	s.snap = next
	s.note(c, s.seg, from, s.off)
	s.logStamp, err = stampOf(path)
	if err != nil {
		s.logStamp = stamp{} // the next refresh looks again
	}
	return nil
}
