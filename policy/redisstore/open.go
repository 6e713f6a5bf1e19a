package redisstore

import (
	"context"
	"errors"
	"fmt"
	"net"
	"regexp"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/hotcut/hotcut/policy"
)

// Store is a policy.Store in Redis.
type Store struct {
	ns    string
	key   keys
	every uint64 // revs between checkpoints
	keep  int    // checkpoints
	addr  string // for errors, without secrets

	read   redis.UniversalClient
	master func(ctx context.Context) (*redis.Conn, error) // the one connection that commits
	close  func() error

	commit sync.Mutex // one commit at a time

	mu    sync.Mutex // guards cache
	cache *policy.Snapshot

	lastDue     time.Time             // of the last look for a checkpoint; guarded by commit
	maintenance atomic.Pointer[error] // why the last checkpoint was not written

	background    sync.WaitGroup // watches
	checkpointing sync.WaitGroup
	life          context.Context // of watches: to Close
	end           context.CancelFunc
	outer         context.Context // of checkpoints: Close waits for one
}

var (
	_ policy.Store    = (*Store)(nil)
	_ policy.Ancestry = (*Store)(nil)
	_ policy.Peeker   = (*Store)(nil)
)

// Option of Open.
type Option func(*settings)

type settings struct {
	every uint64
	keep  int
	dial  func(ctx context.Context, network, addr string) (net.Conn, error)
}

// CheckpointEvery sets how many revs lie between two checkpoints (default 1,000) and how many are kept (default 5).
func CheckpointEvery(revs uint64, keep int) Option {
	return func(s *settings) { s.every, s.keep = max(revs, 1), max(keep, 1) }
}

// Dialer replaces the way to a TCP connection, for tunnels and for tests that count bytes. It is given the address of
// the URL; TLS is not added to what it returns.
func Dialer(dial func(ctx context.Context, network, addr string) (net.Conn, error)) Option {
	return func(s *settings) { s.dial = dial }
}

var validNS = regexp.MustCompile(`^[A-Za-z0-9._-]{1,64}$`)

// Open returns the store behind a URL: redis://, rediss:// (TLS), redis+sentinel:// and rediss+sentinel:// (with
// ?master_name=; the user and password of the URL are Sentinel's, ?username= and ?password= are Redis'; more Sentinels by
// &addr=), redis+cluster:// and rediss+cluster:// (more nodes by &addr=). ns tells installations on one Redis apart.
//
// It connects to nothing yet: an edge starts with Redis away. ctx bounds the background work of the store.
func Open(ctx context.Context, rawURL, ns string, opts ...Option) (*Store, error) {
	if !validNS.MatchString(ns) {
		return nil, fmt.Errorf("namespace %.80q: 1 to 64 of A-Z a-z 0-9 . _ -", ns)
	}
	set := settings{every: 1000, keep: 5}
	for _, o := range opts {
		o(&set)
	}
	s := &Store{ns: ns, key: keys("{hotcut:" + ns + "}:"), every: set.every, keep: set.keep, addr: Redact(rawURL)}
	read, err := dial(rawURL, set.dial, use{retries: 1, pool: 8, timeout: readTimeout})
	if err != nil {
		return nil, fmt.Errorf("store %s: %w", s.addr, err)
	}
	commit, err := dial(rawURL, set.dial, use{retries: -1, pool: 1, timeout: commitTimeout})
	if err != nil {
		return nil, fmt.Errorf("store %s: %w", s.addr, errors.Join(err, read.Close()))
	}
	s.read = read
	s.master = func(ctx context.Context) (*redis.Conn, error) { return commit.conn(ctx, s.key.head()) }
	s.close = func() error { return errors.Join(read.Close(), commit.Close()) }
	s.outer = ctx
	s.life, s.end = context.WithCancel(ctx)
	return s, nil
}

// Timeouts of one command. A commit waits longer than a look.
const (
	dialTimeout   = 2 * time.Second
	readTimeout   = 3 * time.Second
	commitTimeout = 10 * time.Second
)

// Close ends watches and closes the connections. A checkpoint that is being written is waited for: short commands may be
// the only ones that ever commit.
func (s *Store) Close() error {
	s.end()
	s.checkpointing.Wait()
	err := s.close()
	s.background.Wait()
	return err
}
