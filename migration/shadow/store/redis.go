package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/hotcut/hotcut/migration/shadow/compare"
	"github.com/hotcut/hotcut/policy/redisstore"
)

// Redis is the store that edges of several machines share.
type Redis struct {
	o Options
	c *redisstore.Client
}

var _ Store = (*Redis)(nil)

const (
	redisPool    = 4
	redisTimeout = 3 * time.Second
)

// OpenRedis takes the URLs of redisstore.Open, with ?ns=. It connects to nothing yet.
func OpenRedis(url string, o Options) (*Redis, error) {
	o.defaults()
	c, err := redisstore.Dial(url, redisPool, redisTimeout)
	if err != nil {
		return nil, err
	}
	return &Redis{o: o, c: c}, nil
}

// Close closes the connections.
func (r *Redis) Close() error { return r.c.Close() }

func (r *Redis) key(tenant, name string) string {
	return redisstore.DataPrefix(r.c.NS, "shadow:"+tenant) + name
}

func (r *Redis) shared(name string) string { return redisstore.DataPrefix(r.c.NS, "shadow") + name }

// fault names the Redis, without its password.
func (r *Redis) fault(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("shadow store %s: %w", r.c.Addr, err)
}

// Write implements Store. Counts go first and the sets that lead to them last: what is listed is there. Each tenant's
// commands are a pipeline of their own slot.
func (r *Redis) Write(ctx context.Context, b *Batch) error {
	if err := checkNames(b.Edge, b.Boot); err != nil {
		return err
	}
	life := b.Edge + "|" + b.Boot
	var errs []error
	for tenant, tokens := range b.Gone {
		if err := r.withdraw(ctx, tenant, life, tokens); err != nil {
			errs = append(errs, err)
		}
	}
	for tenant, raw := range b.Tenants {
		if err := r.writeTenant(ctx, tenant, life, raw); err != nil {
			errs = append(errs, err)
		}
	}
	return r.fault(errors.Join(errs...))
}

func (r *Redis) writeTenant(ctx context.Context, tenant, life string, raw []byte) error {
	if err := checkTenant(tenant); err != nil {
		return err
	}
	now := r.o.Now()
	_, err := r.c.Pipelined(ctx, func(p redis.Pipeliner) error {
		p.Set(ctx, r.key(tenant, "tally:"+life), raw, r.o.Retention)
		p.ZAdd(ctx, r.key(tenant, "tallies"), redis.Z{Score: float64(now.UnixMilli()), Member: life})
		p.ZRemRangeByScore(ctx, r.key(tenant, "tallies"), "-inf", r.before(now))
		return nil
	})
	if err != nil {
		return err
	}
	_, err = r.c.Pipelined(ctx, func(p redis.Pipeliner) error {
		p.ZAdd(ctx, r.shared("tenants"), redis.Z{Score: float64(now.UnixMilli()), Member: tenant})
		p.ZRemRangeByScore(ctx, r.shared("tenants"), "-inf", r.before(now))
		return nil
	})
	return err
}

// before is the end of what has outlived the retention, as an exclusive bound.
func (r *Redis) before(now time.Time) string {
	return "(" + strconv.FormatInt(now.Add(-r.o.Retention).UnixMilli(), 10)
}

// withdraw takes back what crossed a purge. An edge may not delete (redisstore.EdgeRules): it lets its own keys expire, and
// takes its own names out of the sets by their scores.
func (r *Redis) withdraw(ctx context.Context, tenant, life string, tokens []string) error {
	if err := checkTenant(tenant); err != nil {
		return err
	}
	type name struct{ set, member string }
	names := []name{{r.key(tenant, "tallies"), life}, {r.shared("tenants"), tenant}}
	keys := []string{r.key(tenant, "tally:"+life)}
	for _, token := range tokens {
		names = append(names, name{r.key(tenant, "calls"), token})
		keys = append(keys, r.key(tenant, "call:"+token))
	}
	for _, key := range keys {
		// Only where it is: nothing is written that was not there.
		if err := r.c.SetXX(ctx, key, "", time.Millisecond).Err(); err != nil && !errors.Is(err, redis.Nil) {
			return err
		}
	}
	for _, n := range names {
		score, err := r.c.ZScore(ctx, n.set, n.member).Result()
		if errors.Is(err, redis.Nil) {
			continue
		}
		if err != nil {
			return err
		}
		at := strconv.FormatFloat(score, 'f', -1, 64)
		if err := r.c.ZRemRangeByScore(ctx, n.set, at, at).Err(); err != nil {
			return err
		}
	}
	return nil
}

// Tenants implements Store.
func (r *Redis) Tenants(ctx context.Context) ([]string, error) {
	list, err := r.c.ZRangeByScore(ctx, r.shared("tenants"), &redis.ZRangeBy{Min: r.after(), Max: "+inf"}).Result()
	slices.Sort(list)
	return list, r.fault(err)
}

func (r *Redis) after() string {
	return strconv.FormatInt(r.o.Now().Add(-r.o.Retention).UnixMilli(), 10)
}

// Read implements Store.
func (r *Redis) Read(ctx context.Context, tenant string) (*compare.Tally, []string, error) {
	tenants := []string{tenant}
	if tenant == "" {
		var err error
		if tenants, err = r.Tenants(ctx); err != nil {
			return nil, nil, err
		}
	}
	sum := &compare.Tally{Tenants: make(map[string]*compare.Tenant)}
	var damage []string
	for _, name := range tenants {
		if err := checkTenant(name); err != nil {
			damage = append(damage, err.Error())
			continue
		}
		bad, err := r.readTenant(ctx, name, sum)
		if err != nil {
			return nil, nil, r.fault(err)
		}
		damage = append(damage, bad...)
	}
	return sum, damage, nil
}

// perRead bounds one reply: a tally may have megabytes.
const perRead = 16

func (r *Redis) readTenant(ctx context.Context, tenant string, sum *compare.Tally) (damage []string, err error) {
	lives, err := r.c.ZRevRangeByScore(ctx, r.key(tenant, "tallies"), &redis.ZRangeBy{Min: r.after(), Max: "+inf", Count: maxLives}).Result()
	if err != nil {
		return nil, err
	}
	for some := range slices.Chunk(lives, perRead) {
		keys := make([]string, len(some))
		for i, life := range some {
			keys[i] = r.key(tenant, "tally:"+life)
		}
		raws, err := r.c.MGet(ctx, keys...).Result()
		if err != nil {
			return nil, err
		}
		for i, v := range raws {
			raw, ok := v.(string)
			if !ok || raw == "" {
				continue // expired, or withdrawn
			}
			if err := merge(sum, tenant, []byte(raw)); err != nil {
				damage = append(damage, fmt.Sprintf("tenant %s, edge %s: %v", tenant, some[i], err))
			}
		}
	}
	return damage, nil
}

func merge(sum *compare.Tally, tenant string, raw []byte) error {
	c, err := compare.DecodeTenant(raw)
	if err != nil {
		return err
	}
	compare.Merge(sum, &compare.Tally{Tenants: map[string]*compare.Tenant{tenant: c}})
	return nil
}

// Keep implements Store.
func (r *Redis) Keep(ctx context.Context, x *Example) error {
	raw, err := x.encode(maxExample)
	if err != nil {
		return err
	}
	tenant, token := x.Verdict.Tenant, x.Verdict.CallID
	if err := checkTenant(tenant); err != nil {
		return err
	}
	now := r.o.Now()
	calls := r.key(tenant, "calls")
	var held *redis.IntCmd
	if _, err := r.c.Pipelined(ctx, func(p redis.Pipeliner) error {
		p.ZRemRangeByScore(ctx, calls, "-inf", r.before(now))
		held = p.ZCard(ctx, calls)
		return nil
	}); err != nil {
		return r.fault(err)
	}
	if held.Val() >= maxCalls {
		return fmt.Errorf("tenant %s: %w", tenant, ErrFull)
	}
	_, err = r.c.Pipelined(ctx, func(p redis.Pipeliner) error {
		p.Set(ctx, r.key(tenant, "call:"+token), raw, r.o.Retention)
		p.ZAdd(ctx, calls, redis.Z{Score: float64(now.UnixMilli()), Member: token})
		return nil
	})
	return r.fault(err)
}

// ErrFull: there are as many examples of the tenant as are kept.
var ErrFull = errors.New("enough examples are kept")

// Find implements Store.
func (r *Redis) Find(ctx context.Context, tenant, token string) (*Example, error) {
	if err := checkTenant(tenant); err != nil {
		return nil, err
	}
	raw, err := r.c.Get(ctx, r.key(tenant, "call:"+token)).Bytes()
	if errors.Is(err, redis.Nil) || err == nil && len(raw) == 0 {
		return nil, ErrNotFound
	}
	if err != nil {
		return nil, r.fault(err)
	}
	return decodeExample(raw)
}

// Triage implements Store.
func (r *Redis) Triage(ctx context.Context, tenant string) (map[compare.ClusterID]compare.Triage, error) {
	if err := checkTenant(tenant); err != nil {
		return nil, err
	}
	all, err := r.c.HGetAll(ctx, r.key(tenant, "triage")).Result()
	if err != nil {
		return nil, r.fault(err)
	}
	return triages(all)
}

func triages(all map[string]string) (map[compare.ClusterID]compare.Triage, error) {
	out := make(map[compare.ClusterID]compare.Triage, len(all))
	var errs []error
	for id, raw := range all {
		t, err := decodeTriage(id, raw)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		out[compare.ClusterID(id)] = t
	}
	return out, errors.Join(errs...)
}

// SetTriage implements Store.
func (r *Redis) SetTriage(ctx context.Context, tenant string, id compare.ClusterID, t compare.Triage) error {
	if err := errors.Join(checkTenant(tenant), checkTriage(id, t)); err != nil {
		return err
	}
	raw, err := json.Marshal(t)
	if err != nil {
		return err
	}
	key := r.key(tenant, "triage")
	n, err := r.c.HLen(ctx, key).Result()
	if err != nil {
		return r.fault(err)
	}
	if n >= maxTriages {
		return fmt.Errorf("tenant %s has %d triaged clusters already", tenant, n)
	}
	return r.fault(r.c.HSet(ctx, key, string(id), raw).Err())
}

// Marks implements Store.
func (r *Redis) Marks(ctx context.Context) (map[string]int64, error) {
	list, err := r.c.ZRangeByScoreWithScores(ctx, r.shared("purged"), &redis.ZRangeBy{Min: r.after(), Max: "+inf"}).Result()
	if err != nil {
		return nil, r.fault(err)
	}
	marks := make(map[string]int64, len(list))
	for _, z := range list {
		if name, ok := z.Member.(string); ok {
			marks[name] = int64(z.Score)
		}
	}
	return marks, nil
}

// Purge implements Store. The mark stands before anything is deleted: an edge that writes afterwards sees it and takes
// back what it wrote, and what it wrote before is found by the scan. Keys are looked for by name and not by the sets that
// list them, which may have forgotten some.
func (r *Redis) Purge(ctx context.Context, tenant string) error {
	if err := checkTenant(tenant); err != nil {
		return err
	}
	now := r.o.Now()
	if _, err := r.c.Pipelined(ctx, func(p redis.Pipeliner) error {
		p.ZAdd(ctx, r.shared("purged"), redis.Z{Score: float64(now.UnixMilli()), Member: Mark(tenant)})
		p.ZRemRangeByScore(ctx, r.shared("purged"), "-inf", r.before(now))
		p.ZRem(ctx, r.shared("tenants"), tenant)
		return nil
	}); err != nil {
		return r.fault(err)
	}
	conn, err := r.c.Conn(ctx, r.key(tenant, "tallies"))
	if err != nil {
		return r.fault(err)
	}
	defer conn.Close()
	pattern := globEscaper.Replace(r.key(tenant, "")) + "*"
	for cursor := uint64(0); ; {
		keys, next, err := conn.Scan(ctx, cursor, pattern, 1000).Result()
		if err == nil && len(keys) > 0 {
			err = conn.Unlink(ctx, keys...).Err()
		}
		if err != nil {
			return r.fault(err)
		}
		if cursor = next; cursor == 0 {
			return nil
		}
	}
}

var globEscaper = strings.NewReplacer(`\`, `\\`, "*", `\*`, "?", `\?`, "[", `\[`, "]", `\]`)
