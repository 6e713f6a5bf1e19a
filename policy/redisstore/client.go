package redisstore

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
)

// Client is a way to the Redis behind a store URL, for what edges share beside the policy. It sends nothing twice by
// itself.
type Client struct {
	redis.UniversalClient
	Addr string // the URL without passwords
	NS   string // the namespace

	conn func(ctx context.Context, key string) (*redis.Conn, error)
}

// Dial returns the way to the Redis behind a URL of the forms that Open takes, with ?ns= as Namespace reads it. It
// connects to nothing yet. pool is how many connections there may be; one command takes at most timeout.
func Dial(rawURL string, pool int, timeout time.Duration) (*Client, error) {
	plain, ns, err := Namespace(rawURL)
	if err != nil {
		return nil, err
	}
	if !validNS.MatchString(ns) {
		return nil, fmt.Errorf("namespace %.80q: 1 to 64 of A-Z a-z 0-9 . _ -", ns)
	}
	c, err := dial(plain, nil, use{retries: -1, pool: pool, timeout: timeout})
	if err != nil {
		return nil, fmt.Errorf("store %s: %w", Redact(rawURL), err)
	}
	return &Client{UniversalClient: c.UniversalClient, conn: c.conn, Addr: Redact(plain), NS: ns}, nil
}

// Conn returns one connection, to the node that may write key: whoever watches it notices when that becomes another.
func (c *Client) Conn(ctx context.Context, key string) (*redis.Conn, error) { return c.conn(ctx, key) }

// DefaultNS is the namespace of a URL without ?ns=: installations that share one Redis name theirs.
const DefaultNS = "default"

// Namespace takes ?ns=NAME off a store URL, which is ours, and leaves the rest to Redis.
func Namespace(rawURL string) (plain, ns string, err error) {
	u, err := url.Parse(rawURL)
	if err != nil {
		return "", "", fmt.Errorf("store %s: not a URL", Redact(rawURL))
	}
	q := u.Query()
	if !q.Has("ns") {
		return rawURL, DefaultNS, nil
	}
	ns = q.Get("ns")
	q.Del("ns")
	u.RawQuery = q.Encode()
	return u.String(), ns, nil
}

// DataPrefix begins every key of one kind of data that edges share in a namespace. It has a hash tag of its own: in a
// Cluster one kind of data is together, and need not be where the policy is.
func DataPrefix(ns, kind string) string { return "{hotcut:" + ns + ":" + kind + "}:" }

// go-redis writes to stderr by itself what every caller here is told by an error.
type silent struct{}

func (silent) Printf(context.Context, string, ...any) {}

var quietOnce sync.Once

// use is what a client is for.
type use struct {
	retries int // of a command whose connection failed; -1: none
	pool    int // connections
	timeout time.Duration
}

// client is a connected Client without its names.
type client struct {
	redis.UniversalClient
	conn func(ctx context.Context, key string) (*redis.Conn, error)
}

func dial(rawURL string, dialer dialFunc, u use) (c client, err error) {
	quietOnce.Do(func() { redis.SetLogger(silent{}) })
	defer func() {
		if ue, ok := errors.AsType[*url.Error](err); ok {
			err = ue.Err // a url.Error repeats the URL, password and all
		}
	}()
	scheme, rest, ok := strings.Cut(rawURL, "://")
	if !ok {
		return c, errors.New("is no URL: write redis://host:6379/0")
	}
	base, kind, _ := strings.Cut(scheme, "+")
	if base != "redis" && base != "rediss" {
		return c, fmt.Errorf("scheme %q: use redis, rediss, redis+sentinel, rediss+sentinel, redis+cluster or rediss+cluster", scheme)
	}
	plain := base + "://" + rest
	switch kind {
	case "":
		return dialOne(plain, dialer, u)
	case "sentinel":
		return dialSentinel(plain, dialer, u)
	case "cluster":
		return dialCluster(plain, dialer, u)
	}
	return c, fmt.Errorf("scheme %q: after + stands sentinel or cluster", scheme)
}

func quiet() *maintnotifications.Config {
	return &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
}

func secure(c *tls.Config) {
	if c != nil {
		c.MinVersion = tls.VersionTLS12
	}
}

func dialOne(plain string, dialer dialFunc, u use) (client, error) {
	o, err := redis.ParseURL(plain)
	if err != nil {
		return client{}, err
	}
	o.MaxRetries, o.PoolSize, o.ReadTimeout, o.WriteTimeout = u.retries, u.pool, u.timeout, u.timeout
	o.DialTimeout, o.DialerRetries = dialTimeout, 1
	o.ContextTimeoutEnabled, o.DisableIdentity, o.MaintNotificationsConfig = true, true, quiet()
	o.PipelinePoolSize = -1
	secure(o.TLSConfig)
	if o.Dialer = dialer; o.Dialer == nil {
		o.Dialer = redis.NewDialer(o)
	}
	o.Dialer = undaunted(o.Dialer)
	c := redis.NewClient(o)
	return client{c, func(context.Context, string) (*redis.Conn, error) { return c.Conn(), nil }}, nil
}

func dialSentinel(plain string, dialer dialFunc, u use) (client, error) {
	o, err := redis.ParseFailoverURL(plain)
	if err != nil {
		return client{}, err
	}
	if o.MasterName == "" {
		return client{}, errors.New("names no master: add ?master_name=")
	}
	if o.ReplicaOnly || o.RouteByLatency || o.RouteRandomly {
		return client{}, errors.New("reads from replicas may go backwards: remove replica_only, route_by_latency, route_randomly")
	}
	o.MaxRetries, o.PoolSize, o.ReadTimeout, o.WriteTimeout = u.retries, u.pool, u.timeout, u.timeout
	o.DialTimeout, o.DialerRetries = dialTimeout, 1
	o.ContextTimeoutEnabled, o.DisableIdentity = true, true
	o.PipelinePoolSize = -1
	if dialer != nil {
		o.Dialer = dialer
	}
	secure(o.TLSConfig)
	c := redis.NewFailoverClient(o)
	return client{c, func(context.Context, string) (*redis.Conn, error) { return c.Conn(), nil }}, nil
}

func dialCluster(plain string, dialer dialFunc, u use) (client, error) {
	o, err := redis.ParseClusterURL(plain)
	if err != nil {
		return client{}, err
	}
	if o.ReadOnly || o.RouteByLatency || o.RouteRandomly {
		return client{}, errors.New("reads from replicas may go backwards: remove read_only, route_by_latency, route_randomly")
	}
	o.MaxRedirects, o.MaxRetries, o.PoolSize, o.ReadTimeout, o.WriteTimeout = 3, -1, u.pool, u.timeout, u.timeout
	o.DialTimeout, o.DialerRetries = dialTimeout, 1
	o.ContextTimeoutEnabled, o.DisableIdentity, o.MaintNotificationsConfig = true, true, quiet()
	o.PipelinePoolSize = -1
	if dialer != nil {
		o.Dialer = dialer
	}
	secure(o.TLSConfig)
	c := redis.NewClusterClient(o)
	return client{c, func(ctx context.Context, key string) (*redis.Conn, error) {
		node, err := c.MasterForKey(ctx, key)
		if err != nil {
			c.ReloadState(ctx)
			return nil, err
		}
		return node.Conn(), nil
	}}, nil
}
