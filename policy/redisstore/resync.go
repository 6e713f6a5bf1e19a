package redisstore

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/hotcut/hotcut/policy"
)

// Resync implements policy.Store. The checkpoint of the new rev is written first, the content is staged, and one script
// puts both into force. The old log stays readable; only the rev of snap is named as an ancestor.
func (s *Store) Resync(ctx context.Context, snap *policy.Snapshot, newRev uint64, c policy.Change) (policy.Head, error) {
	if c.Key == "" {
		c.Key = policy.MintKey()
	}
	s.commit.Lock()
	defer s.commit.Unlock()
	conn, err := s.master(ctx)
	if err != nil {
		return policy.Head{}, s.fault(err)
	}
	defer conn.Close()
	l, err := s.look(ctx, conn, c.Key)
	if err != nil {
		return policy.Head{}, err
	}
	if l.seen != "" {
		h, _, err := s.seen(ctx, l)
		return h, err
	}
	if err := policy.CheckResync(l.head, snap, newRev); err != nil {
		return l.head, err
	}
	change, next, err := snap.Resync(newRev, c, l.now)
	if err != nil {
		return l.head, err
	}
	meta, err := s.writeCheckpoint(ctx, next, l.now)
	if err != nil {
		return l.head, err
	}
	if err := s.stageContent(ctx, c.Key, next); err != nil {
		s.unstage(ctx, c.Key, 0)
		return l.head, err
	}
	body, err := change.Canonical()
	if err != nil {
		return l.head, err
	}
	globals, err := json.Marshal(next.Globals())
	if err != nil {
		return l.head, err
	}
	ckpt, err := json.Marshal(meta)
	if err != nil {
		return l.head, err
	}
	h := next.Head()
	keys := []string{s.key.log(), s.key.head(), s.key.tenants(), s.key.idem(c.Key), s.key.chains(), s.key.roots(), s.key.buckets(),
		s.key.ckpts(), s.key.stagedTenants(c.Key), s.key.stagedBuckets(c.Key)}
	status, value, err := s.evaluate(ctx, conn, resyncScript, keys, []any{s.ns, h.Epoch, itoa(h.Rev), h.Chain, h.Root, string(h.Halt),
		globals, body, c.Key, next.AppendBucketHashes(nil), ckpt, itoa(snap.Rev()), snap.Chain()}, c.Key)
	if err != nil {
		return l.head, err
	}
	if status != "ok" {
		s.unstage(ctx, c.Key, 0)
		if err := s.refused(status, value); !errors.Is(err, errMoved) {
			return l.head, err
		}
		return l.head, fmt.Errorf("%w: the same resync was sent twice", policy.ErrConflict)
	}
	s.mu.Lock()
	s.cache = next
	s.mu.Unlock()
	s.durability(ctx, conn)
	return h, nil
}
