package redisstore

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/hotcut/hotcut/policy"
)

var headFields = []string{"ns", "epoch", "rev", "chain", "root", "halt"}

// Head implements policy.Store.
func (s *Store) Head(ctx context.Context) (policy.Head, error) {
	v, err := s.read.HMGet(ctx, s.key.head(), headFields...).Result()
	if err != nil {
		return policy.Head{}, s.fault(err)
	}
	return s.parseHead(v)
}

// parseHead reads the fields of headFields, and knows whose reply it is by the namespace in it.
func (s *Store) parseHead(v []any) (policy.Head, error) {
	var f [6]string
	if len(v) < len(f) {
		return policy.Head{}, fmt.Errorf("%s: head of %d fields: %w", s.addr, len(v), errNotOurs)
	}
	missing := 0
	for i := range f {
		var ok bool
		if f[i], ok = v[i].(string); !ok {
			missing++
		}
	}
	if missing == len(f) {
		return policy.Head{}, s.noPolicy()
	}
	if missing > 0 || f[0] != s.ns {
		return policy.Head{}, fmt.Errorf("%s: head of namespace %.70q: %w", s.addr, f[0], errNotOurs)
	}
	rev, err := strconv.ParseUint(f[2], 10, 64)
	if err != nil || rev == 0 || f[1] == "" || len(f[3]) != 64 || len(f[4]) != 64 {
		return policy.Head{}, fmt.Errorf("%s: head rev %.30q epoch %.40q chain %.70q: %w", s.addr, f[2], f[1], f[3], errNotOurs)
	}
	return policy.Head{Epoch: f[1], Rev: rev, Chain: f[3], Root: f[4], Halt: policy.Halt(f[5])}, nil
}

// ChainAt implements policy.Ancestry.
func (s *Store) ChainAt(ctx context.Context, rev uint64) (string, error) {
	if _, err := s.Head(ctx); err != nil {
		return "", err
	}
	chain, err := s.read.HGet(ctx, s.key.chains(), itoa(rev)).Result()
	if errors.Is(err, redis.Nil) {
		return "", nil
	}
	return chain, s.fault(err)
}

// ByKey implements policy.Store. A key is known for 24 hours.
func (s *Store) ByKey(ctx context.Context, key string) (uint64, error) {
	v, err := s.read.Get(ctx, s.key.idem(key)).Result()
	if errors.Is(err, redis.Nil) {
		return 0, nil
	}
	if err != nil {
		return 0, s.fault(err)
	}
	rev, _, err := parseIdem(v)
	return rev, err
}

// parseIdem reads "rev chain".
func parseIdem(v string) (uint64, string, error) {
	var rev uint64
	var chain string
	if n, err := fmt.Sscanf(v, "%d %s", &rev, &chain); n != 2 || err != nil {
		return 0, "", fmt.Errorf("idempotency key holds %.100q: %w", v, errNotOurs)
	}
	return rev, chain, nil
}

// watchBlock is how long one XREAD waits, and watchPoll how often the head is read whatever the stream says.
const (
	watchBlock = 2 * time.Second
	watchPoll  = 2 * time.Second
)

// Watch implements policy.Store: a blocking XREAD from the last rev seen wakes it, and every 2 s it reads the head all
// the same: the head is the truth, the stream only a bell.
func (s *Store) Watch(ctx context.Context, f func(policy.Head)) error {
	last, err := s.Head(ctx)
	if err != nil {
		return err
	}
	f(last)
	bell, broken := make(chan struct{}, 1), make(chan error, 1)
	listen, stop := context.WithCancel(s.life)
	defer stop()
	// go-redis can not interrupt a blocked read: the listener may outlive this call by one XREAD. Close waits for it.
	s.background.Go(func() { s.listen(listen, last.Rev, bell, broken) })
	tick := time.NewTicker(watchPoll)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-s.life.Done():
			return fmt.Errorf("%s: the store was closed: %w", s.addr, policy.ErrUnreachable)
		case err := <-broken:
			return s.fault(err)
		case <-bell:
		case <-tick.C:
		}
		h, err := s.Head(ctx)
		if err != nil {
			return err
		}
		if h != last {
			last = h
			f(h)
		}
	}
}

// listen rings the bell for every batch of records after rev.
func (s *Store) listen(ctx context.Context, rev uint64, bell chan<- struct{}, broken chan<- error) {
	from := streamID(rev)
	for ctx.Err() == nil {
		res, err := s.read.XRead(ctx, &redis.XReadArgs{Streams: []string{s.key.log(), from}, Count: 64, Block: watchBlock}).Result()
		if errors.Is(err, redis.Nil) {
			continue
		}
		if err != nil {
			broken <- err // has room: this is its only sender, once
			return
		}
		for _, stream := range res {
			for _, m := range stream.Messages {
				from = m.ID
			}
		}
		select {
		case bell <- struct{}{}:
		default:
		}
	}
}
