package redisstore

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/klauspost/compress/zstd"
	"github.com/redis/go-redis/v9"

	"github.com/hotcut/hotcut/policy"
)

const (
	pieceTenants = 1000 // of an import, in one piece and in one write
	stageTime    = time.Hour
)

// stagePieces writes the tenants of a large import beside the log, 1,000 in a key, and returns what the record says of
// them. Until the commit takes them they go by themselves.
func (s *Store) stagePieces(ctx context.Context, id string, tenants []policy.TenantChange) (at string, n int, err error) {
	z, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1))
	if err != nil {
		return "", 0, err
	}
	for len(tenants) > 0 {
		m := min(len(tenants), pieceTenants)
		part := policy.Change{Tenants: tenants[:m]}
		tenants = tenants[m:]
		b, err := part.Canonical()
		if err != nil {
			return "", 0, err
		}
		if err := s.read.Set(ctx, s.key.piece(id, n), z.EncodeAll(b, nil), stageTime).Err(); err != nil {
			return "", 0, s.fault(err)
		}
		n++
	}
	return fmt.Sprintf("%s %d", id, n), n, nil
}

// parsePieces reads what stagePieces returned.
func parsePieces(at string) (id string, n int, err error) {
	if m, err := fmt.Sscanf(at, "%s %d", &id, &n); m != 2 || err != nil || n < 1 || n > policy.MaxTenants/pieceTenants+1 {
		return "", 0, fmt.Errorf("pieces %.100q: %w", at, errNotOurs)
	}
	return id, n, nil
}

func (s *Store) readPieces(ctx context.Context, at string) ([]policy.TenantChange, error) {
	id, n, err := parsePieces(at)
	if err != nil {
		return nil, err
	}
	z, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(policy.MaxChange+1<<20))
	if err != nil {
		return nil, err
	}
	defer z.Close()
	var out []policy.TenantChange
	for i := range n {
		p, err := s.read.Get(ctx, s.key.piece(id, i)).Bytes()
		if errors.Is(err, redis.Nil) {
			return nil, fmt.Errorf("piece %d of %d of an import is gone: %w", i, n, policy.ErrTrimmed)
		}
		if err != nil {
			return nil, s.fault(err)
		}
		b, err := z.DecodeAll(p, nil)
		if err != nil {
			return nil, fmt.Errorf("piece %d of %d of an import: %w", i, n, err)
		}
		part, err := policy.ParseChange(b)
		if err != nil {
			return nil, fmt.Errorf("piece %d of %d of an import: %w", i, n, err)
		}
		out = append(out, part.Tenants...)
	}
	return out, nil
}

// stageContent writes the records and buckets of snap beside those in force, a thousand at a time, for one RENAME at
// commit: a large import does not hold up Redis for its size.
func (s *Store) stageContent(ctx context.Context, id string, snap *policy.Snapshot) error {
	tenants, buckets := s.key.stagedTenants(id), s.key.stagedBuckets(id)
	var pairs []any
	put := func(key string) error {
		if len(pairs) == 0 {
			return nil
		}
		p := s.read.Pipeline()
		p.HSet(ctx, key, pairs...)
		p.PExpire(ctx, key, stageTime)
		_, err := p.Exec(ctx)
		pairs = pairs[:0]
		return s.fault(err)
	}
	for r := range snap.All() {
		b, err := r.Tenant.Canonical()
		if err != nil {
			return err
		}
		if pairs = append(pairs, r.Tenant.ID, b); len(pairs) >= 2*pieceTenants {
			if err := put(tenants); err != nil {
				return err
			}
		}
	}
	if err := put(tenants); err != nil {
		return err
	}
	for i := range policy.Buckets {
		if pairs = append(pairs, strconv.Itoa(i), snap.AppendBucket(nil, i)); len(pairs) >= 256 {
			if err := put(buckets); err != nil {
				return err
			}
		}
	}
	return put(buckets)
}

// unstage removes what a failed commit left.
func (s *Store) unstage(ctx context.Context, id string, pieces int) {
	// The reason of the failure may be that ctx has ended; what stays goes by itself within the hour.
	s.read.Unlink(ctx, s.key.stagedTenants(id), s.key.stagedBuckets(id))
	for i := range pieces {
		s.read.Unlink(ctx, s.key.piece(id, i))
	}
}
