package redisstore

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/redis/go-redis/v9"

	"github.com/hotcut/hotcut/policy"
)

const pageSize = 256 // records per XRANGE

// Since implements policy.Store.
func (s *Store) Since(ctx context.Context, rev uint64) ([]policy.Change, error) {
	_, changes, err := s.since(ctx, rev, 0)
	return changes, err
}

// since returns the changes (rev, upTo], and the head that was read with the first page. upTo 0 is the head, and what
// has been committed since.
func (s *Store) since(ctx context.Context, rev, upTo uint64) (policy.Head, []policy.Change, error) {
	p := s.read.Pipeline()
	hv := p.HMGet(ctx, s.key.head(), headFields...)
	page := p.XRangeN(ctx, s.key.log(), streamID(rev+1), "+", pageSize)
	if _, err := p.Exec(ctx); err != nil {
		return policy.Head{}, nil, s.fault(err)
	}
	h, err := s.parseHead(hv.Val())
	if err != nil {
		return h, nil, err
	}
	if rev >= h.Rev {
		return h, nil, nil
	}
	want := h.Rev
	if upTo > 0 {
		want = min(want, upTo)
	}
	var out []policy.Change
	for msgs := page.Val(); ; {
		for _, m := range msgs {
			if upTo > 0 && rev+uint64(len(out)) == upTo {
				return h, out, nil
			}
			c, err := s.parseRecord(ctx, h, m)
			if err != nil {
				return h, nil, err
			}
			if c.Rev != rev+uint64(len(out))+1 {
				return h, nil, fmt.Errorf("rev %d: %w", rev+uint64(len(out))+1, policy.ErrTrimmed)
			}
			if n := len(out); n > 0 && policy.ChainOf(out[n-1].Chain, &c) != c.Chain {
				return h, nil, fmt.Errorf("%s: rev %d in the log does not chain from rev %d: %w", s.addr, c.Rev, out[n-1].Rev, errNotOurs)
			}
			out = append(out, c)
		}
		if len(msgs) < pageSize {
			break
		}
		if msgs, err = s.read.XRangeN(ctx, s.key.log(), streamID(rev+uint64(len(out))+1), "+", pageSize).Result(); err != nil {
			return h, nil, s.fault(err)
		}
	}
	if uint64(len(out)) < want-rev {
		return h, nil, fmt.Errorf("rev %d: %w", rev+uint64(len(out))+1, policy.ErrTrimmed)
	}
	return h, out, nil
}

// parseRecord reads one entry of the log, and fetches the pieces of a large import.
func (s *Store) parseRecord(ctx context.Context, h policy.Head, m redis.XMessage) (policy.Change, error) {
	id, _, _ := strings.Cut(m.ID, "-")
	body, _ := m.Values["c"].(string)
	c, err := policy.ParseChange([]byte(body))
	if err != nil {
		return c, fmt.Errorf("%s: log entry %.40s: %w", s.addr, m.ID, err)
	}
	if itoa(c.Rev) != id || c.Epoch != h.Epoch {
		return c, fmt.Errorf("%s: log entry %.40s holds rev %d of epoch %.40q: %w", s.addr, m.ID, c.Rev, c.Epoch, errNotOurs)
	}
	if at, ok := m.Values["p"].(string); ok {
		if c.Tenants, err = s.readPieces(ctx, at); err != nil {
			return c, fmt.Errorf("rev %d: %w", c.Rev, err)
		}
	}
	return c, nil
}

// LoadAt implements policy.Store: the nearest checkpoint before rev (or what this process holds already), and the
// records from there.
func (s *Store) LoadAt(ctx context.Context, rev uint64) (*policy.Snapshot, error) {
	h, err := s.Head(ctx)
	if err != nil {
		return nil, err
	}
	if rev == 0 || rev == h.Rev {
		return s.at(ctx, h)
	}
	if rev > h.Rev {
		return nil, fmt.Errorf("rev %d is ahead of the store, which is at %d", rev, h.Rev)
	}
	return s.rebuild(ctx, h, rev)
}

// at returns the snapshot of the head, or of a later one: from the cache and the log if that is possible.
func (s *Store) at(ctx context.Context, h policy.Head) (*policy.Snapshot, error) {
	s.mu.Lock()
	snap := s.cache
	s.mu.Unlock()
	if snap != nil && snap.Epoch() == h.Epoch {
		if next, err := s.catchUp(ctx, snap); err == nil {
			s.keepCache(next)
			return next, nil
		} else if errors.Is(err, policy.ErrUnreachable) || ctx.Err() != nil {
			return nil, err
		}
		// The store was resynced, emptied, or is not what it was: start from its checkpoints.
	}
	next, err := s.rebuild(ctx, h, h.Rev)
	if err != nil {
		return nil, err
	}
	if next.Head() != h {
		return nil, fmt.Errorf("%s: %w: the log leads to %v, the head is %v", s.addr, policy.ErrForked, next.Head(), h)
	}
	s.mu.Lock()
	s.cache = next
	s.mu.Unlock()
	return next, nil
}

// keepCache never lets a slow reader put an older snapshot back.
func (s *Store) keepCache(next *policy.Snapshot) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cache == nil || s.cache.Epoch() != next.Epoch() || s.cache.Rev() < next.Rev() {
		s.cache = next
	}
}

// catchUp applies what the log has after snap, and holds the result against the head read with it.
func (s *Store) catchUp(ctx context.Context, snap *policy.Snapshot) (*policy.Snapshot, error) {
	h, changes, err := s.since(ctx, snap.Rev(), 0)
	if err != nil {
		return nil, err
	}
	for _, c := range changes {
		if snap, err = snap.Apply(c); err != nil {
			return nil, err
		}
		if snap.Rev() == h.Rev {
			break
		}
	}
	if snap.Head() != h {
		return nil, fmt.Errorf("%s: %w: what this process holds leads to %v, the head is %v", s.addr, policy.ErrForked, snap.Head(), h)
	}
	return snap, nil
}

// rebuild goes from the newest whole checkpoint at or before rev to rev.
func (s *Store) rebuild(ctx context.Context, h policy.Head, rev uint64) (*policy.Snapshot, error) {
	metas, err := s.checkpoints(ctx)
	if err != nil {
		return nil, err
	}
	var faults []error
	for i := len(metas) - 1; i >= -1; i-- {
		base := policy.Empty(h.Epoch)
		if i >= 0 {
			if metas[i].Rev > rev || metas[i].Epoch != h.Epoch {
				continue
			}
			if base, err = s.readCheckpoint(ctx, metas[i]); err != nil {
				if errors.Is(err, policy.ErrUnreachable) || ctx.Err() != nil {
					return nil, err
				}
				faults = append(faults, err)
				continue // damaged: the one before, and a longer replay
			}
		}
		if base.Rev() == rev {
			return base, nil
		}
		_, changes, err := s.since(ctx, base.Rev(), rev)
		if err != nil {
			return nil, errors.Join(append(faults, err)...)
		}
		for _, c := range changes {
			if base, err = base.Apply(c); err != nil {
				return nil, fmt.Errorf("%s: replaying rev %d: %w", s.addr, c.Rev, err)
			}
			if base.Rev() == rev {
				return base, nil
			}
		}
		return nil, fmt.Errorf("rev %d: %w", rev, policy.ErrTrimmed)
	}
	return nil, errors.Join(append(faults, fmt.Errorf("rev %d: %w", rev, policy.ErrTrimmed))...)
}

// Peek implements policy.Peeker: a few kilobytes of a policy of any size, proven against its root.
func (s *Store) Peek(ctx context.Context, ids ...string) (*policy.Light, error) {
	v, err := s.read.HMGet(ctx, s.key.head(), append(headFields, "globals")...).Result()
	if err != nil {
		return nil, s.fault(err)
	}
	h, err := s.parseHead(v)
	if err != nil {
		return nil, err
	}
	g, _ := v[len(headFields)].(string)
	l, err := s.light(ctx, s.read, h, g, ids)
	if err != nil {
		// Another commit may have come between the two reads: the caller's next attempt sees one state.
		return nil, fmt.Errorf("%s: %w", s.addr, err)
	}
	return l, nil
}

// light reads what policy.NewLight needs of the tenants ids at head h.
func (s *Store) light(ctx context.Context, r redis.Cmdable, h policy.Head, globals string, ids []string) (*policy.Light, error) {
	g, err := policy.ParseGlobals([]byte(globals))
	if err != nil {
		return nil, err
	}
	var numbers []int
	var fields []string
	for _, id := range ids {
		numbers = append(numbers, policy.BucketOf(id))
		fields = append(fields, strconv.Itoa(policy.BucketOf(id)))
	}
	p := r.Pipeline()
	roots := p.Get(ctx, s.key.roots())
	var recs, leaves *redis.SliceCmd
	if len(ids) > 0 {
		recs, leaves = p.HMGet(ctx, s.key.tenants(), ids...), p.HMGet(ctx, s.key.buckets(), fields...)
	}
	if _, err := p.Exec(ctx); err != nil {
		return nil, s.fault(err)
	}
	buckets := map[int][]byte{}
	var tenants []*policy.Tenant
	for i := range ids {
		b, _ := leaves.Val()[i].(string)
		buckets[numbers[i]] = []byte(b)
		body, ok := recs.Val()[i].(string)
		if !ok {
			continue
		}
		t, err := policy.ParseTenant([]byte(body))
		if err != nil {
			return nil, err
		}
		if t.ID != ids[i] {
			return nil, fmt.Errorf("asked for tenant %s, got %.70q: %w", ids[i], t.ID, errNotOurs)
		}
		tenants = append(tenants, t)
	}
	return policy.NewLight(h, g, []byte(roots.Val()), buckets, tenants)
}
