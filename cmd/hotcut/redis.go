package main

import (
	"context"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/logging"

	"github.com/hotcut/hotcut/migration"
	"github.com/hotcut/hotcut/policy"
	"github.com/hotcut/hotcut/policy/redisstore"
)

// openRedis takes ?ns=NAME off the URL, which is ours, and leaves the rest to Redis.
func openRedis(raw string) (policy.Store, error) {
	// The client's own log repeats, line by line, what its errors say once.
	redis.SetLogger(&logging.VoidLogger{})
	plain, ns, err := redisstore.Namespace(raw)
	if err != nil {
		return nil, err
	}
	return redisstore.Open(context.Background(), plain, ns)
}

// deniedByRedis: the user of the URL may not do this, or is nobody that Redis knows.
func deniedByRedis(err error) bool {
	for _, p := range []string{"NOPERM", "NOAUTH", "WRONGPASS"} {
		if redis.HasErrorPrefix(err, p) {
			return true
		}
	}
	return false
}

// storeFindings says how safe the policy is where it lies. A file is as safe as its disk: nothing is asked of it.
func (a *app) storeFindings(ctx context.Context, v *seen, store policy.Store) []migration.Finding {
	r, ok := store.(*redisstore.Store)
	if !ok || v.Gone != nil {
		return nil
	}
	ctx, cancel := a.limited(ctx)
	defer cancel()
	list, err := r.Check(ctx)
	out := []migration.Finding{}
	if err != nil {
		out = append(out, migration.Finding{Edges: []string{}, Check: "store", Level: migration.FoundWarn, Detail: err.Error(), Fix: "hotcut status"})
	}
	for _, f := range list {
		out = append(out, migration.Finding{Edges: []string{}, Check: "store " + f.Check, Target: f.Node, Level: f.Level, Detail: f.Detail, Fix: f.Fix})
	}
	return out
}
