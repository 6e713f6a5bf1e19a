package share

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/redis/go-redis/v9"
	"golang.org/x/sync/errgroup"
)

// errAnew: what was followed is no longer what is there. Everything is to be read again.
var errAnew = errors.New("the stream of news has a hole")

// steady is how long a session must have lasted for the next to begin without haste being taken from it.
const steady = 10 * time.Second

// connect keeps a session with Redis, for ever.
func (s *Share) connect(ctx context.Context) {
	wait := s.pace.retryMin
	for ctx.Err() == nil {
		begin := time.Now()
		err := s.session(ctx)
		if ctx.Err() != nil {
			return
		}
		if !errors.Is(err, errAnew) {
			s.setLive(false, err)
		}
		if time.Since(begin) > steady {
			wait = s.pace.retryMin
		}
		// Edges that lost the same Redis do not all come back in the same moment.
		if !pause(ctx, wait/2+rand.N(wait)) {
			return
		}
		wait = min(2*wait, s.pace.retryMax)
	}
}

// pause returns false if ctx ends first.
func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}

// session reads everything, then follows and publishes until something fails.
func (s *Share) session(ctx context.Context) error {
	conn, err := s.client.Conn(ctx, s.key.news())
	if err != nil {
		return err
	}
	defer conn.Close()
	write, err := s.client.Conn(ctx, s.key.news())
	if err != nil {
		return err
	}
	defer write.Close()
	// What is written from here on is read as news: nothing falls between the two.
	at, err := s.tip(ctx, conn)
	if err != nil {
		return err
	}
	if err := s.scan(ctx, conn); err != nil {
		return err
	}
	if err := writeScript.Load(ctx, write).Err(); err != nil {
		return err
	}
	s.setLive(true, nil)
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return s.follow(ctx, conn, at) })
	g.Go(func() error { return s.publish(ctx, write) })
	return g.Wait()
}

// away are replies of a Redis that is there and can not serve now, or is not the one to ask any more.
var away = []string{"LOADING", "READONLY", "MASTERDOWN", "CLUSTERDOWN", "TRYAGAIN", "MOVED", "ASK", "BUSY", "NOREPLICAS", "UNBLOCKED"}

// refusal: Redis answered, and the session can go on.
func refusal(err error) bool {
	if _, ok := errors.AsType[redis.Error](err); !ok {
		return false
	}
	for _, p := range away {
		if redis.HasErrorPrefix(err, p) {
			return false
		}
	}
	return true
}
