package redisstore

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"

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
	quietOnce.Do(func() { redis.SetLogger(silent{}) })
	set := settings{every: 1000, keep: 5}
	for _, o := range opts {
		o(&set)
	}
	s := &Store{ns: ns, key: keys("{hotcut:" + ns + "}:"), every: set.every, keep: set.keep, addr: Redact(rawURL)}
	if err := s.connect(rawURL, set); err != nil {
		if ue, ok := errors.AsType[*url.Error](err); ok {
			err = ue.Err // a url.Error repeats the URL, password and all
		}
		return nil, fmt.Errorf("store %s: %w", s.addr, err)
	}
	s.outer = ctx
	s.life, s.end = context.WithCancel(ctx)
	return s, nil
}

// go-redis writes to stderr by itself what every caller here is told by an error.
type silent struct{}

func (silent) Printf(context.Context, string, ...any) {}

var quietOnce sync.Once

// Timeouts of one command. A commit waits longer than a look.
const (
	dialTimeout   = 2 * time.Second
	readTimeout   = 3 * time.Second
	commitTimeout = 10 * time.Second
)

func (s *Store) connect(rawURL string, set settings) error {
	scheme, rest, ok := strings.Cut(rawURL, "://")
	if !ok {
		return errors.New("is no URL: write redis://host:6379/0")
	}
	base, kind, _ := strings.Cut(scheme, "+")
	if base != "redis" && base != "rediss" {
		return fmt.Errorf("scheme %q: use redis, rediss, redis+sentinel, rediss+sentinel, redis+cluster or rediss+cluster", scheme)
	}
	plain := base + "://" + rest
	switch kind {
	case "":
		return s.connectOne(plain, set)
	case "sentinel":
		return s.connectSentinel(plain, set)
	case "cluster":
		return s.connectCluster(plain, set)
	}
	return fmt.Errorf("scheme %q: after + stands sentinel or cluster", scheme)
}

func quiet() *maintnotifications.Config {
	return &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
}

func (s *Store) connectOne(u string, set settings) error {
	parse := func(retries, pool int, timeout time.Duration) (*redis.Client, error) {
		o, err := redis.ParseURL(u)
		if err != nil {
			return nil, err
		}
		o.MaxRetries, o.PoolSize, o.ReadTimeout, o.WriteTimeout = retries, pool, timeout, timeout
		o.DialTimeout, o.DialerRetries = dialTimeout, 1
		o.ContextTimeoutEnabled, o.DisableIdentity, o.MaintNotificationsConfig = true, true, quiet()
		o.PipelinePoolSize = -1
		secure(o.TLSConfig)
		if o.Dialer = set.dial; o.Dialer == nil {
			o.Dialer = redis.NewDialer(o)
		}
		o.Dialer = undaunted(o.Dialer)
		return redis.NewClient(o), nil
	}
	read, err := parse(1, 8, readTimeout)
	if err != nil {
		return err
	}
	commit, err := parse(-1, 1, commitTimeout)
	if err != nil {
		return err
	}
	s.read = read
	s.master = func(context.Context) (*redis.Conn, error) { return commit.Conn(), nil }
	s.close = func() error { return errors.Join(read.Close(), commit.Close()) }
	return nil
}

func (s *Store) connectSentinel(u string, set settings) error {
	parse := func(retries, pool int, timeout time.Duration) (*redis.Client, error) {
		o, err := redis.ParseFailoverURL(u)
		if err != nil {
			return nil, err
		}
		if o.MasterName == "" {
			return nil, errors.New("names no master: add ?master_name=")
		}
		if o.ReplicaOnly || o.RouteByLatency || o.RouteRandomly {
			return nil, errors.New("reads from replicas may go backwards: remove replica_only, route_by_latency, route_randomly")
		}
		o.MaxRetries, o.PoolSize, o.ReadTimeout, o.WriteTimeout = retries, pool, timeout, timeout
		o.DialTimeout, o.DialerRetries = dialTimeout, 1
		o.ContextTimeoutEnabled, o.DisableIdentity = true, true
		o.PipelinePoolSize = -1
		if set.dial != nil {
			o.Dialer = set.dial
		}
		secure(o.TLSConfig)
		return redis.NewFailoverClient(o), nil
	}
	read, err := parse(1, 8, readTimeout)
	if err != nil {
		return err
	}
	commit, err := parse(-1, 1, commitTimeout)
	if err != nil {
		return err
	}
	s.read = read
	s.master = func(context.Context) (*redis.Conn, error) { return commit.Conn(), nil }
	s.close = func() error { return errors.Join(read.Close(), commit.Close()) }
	return nil
}

func (s *Store) connectCluster(u string, set settings) error {
	parse := func(redirects, pool int, timeout time.Duration) (*redis.ClusterClient, error) {
		o, err := redis.ParseClusterURL(u)
		if err != nil {
			return nil, err
		}
		if o.ReadOnly || o.RouteByLatency || o.RouteRandomly {
			return nil, errors.New("reads from replicas may go backwards: remove read_only, route_by_latency, route_randomly")
		}
		o.MaxRedirects, o.MaxRetries, o.PoolSize, o.ReadTimeout, o.WriteTimeout = redirects, -1, pool, timeout, timeout
		o.DialTimeout, o.DialerRetries = dialTimeout, 1
		o.ContextTimeoutEnabled, o.DisableIdentity, o.MaintNotificationsConfig = true, true, quiet()
		o.PipelinePoolSize = -1
		if set.dial != nil {
			o.Dialer = set.dial
		}
		secure(o.TLSConfig)
		return redis.NewClusterClient(o), nil
	}
	read, err := parse(3, 8, readTimeout)
	if err != nil {
		return err
	}
	commit, err := parse(3, 1, commitTimeout)
	if err != nil {
		return err
	}
	s.read = read
	s.master = func(ctx context.Context) (*redis.Conn, error) {
		node, err := commit.MasterForKey(ctx, s.key.head())
		if err != nil {
			commit.ReloadState(ctx)
			return nil, err
		}
		return node.Conn(), nil
	}
	s.close = func() error { return errors.Join(read.Close(), commit.Close()) }
	return nil
}

func secure(c *tls.Config) {
	if c != nil {
		c.MinVersion = tls.VersionTLS12
	}
}

// Close ends watches and closes the connections. A checkpoint that is being written is waited for: short commands may be
// the only ones that ever commit.
func (s *Store) Close() error {
	s.end()
	s.checkpointing.Wait()
	err := s.close()
	s.background.Wait()
	return err
}
