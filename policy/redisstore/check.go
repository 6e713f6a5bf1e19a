package redisstore

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/redis/go-redis/v9"
)

// Finding is what Check says of one node of Redis.
type Finding struct {
	Node   string // host:port; "" of a single one
	Check  string // "eviction", "aof", "replicas"
	Level  string // "ok", "warn", "fail", "skip"
	Detail string
	Fix    string
}

// Check looks at how safe the policy is where it lies: a Redis that may evict keys may lose it (fail), and without an
// append-only file or a replica a crash loses what was committed since the last save (warn). It asks INFO of every
// master and writes nothing. A Redis that does not say is skipped by name.
func (s *Store) Check(ctx context.Context) ([]Finding, error) {
	cluster, ok := s.read.(*redis.ClusterClient)
	if !ok {
		info, err := s.read.Info(ctx).Result()
		return judgeInfo("", info), s.unlessDenied(err)
	}
	var mu sync.Mutex // guards by: nodes are asked at once
	by := map[string][]Finding{}
	err := cluster.ForEachMaster(ctx, func(ctx context.Context, node *redis.Client) error {
		info, err := node.Info(ctx).Result()
		mu.Lock()
		defer mu.Unlock()
		by[node.Options().Addr] = judgeInfo(node.Options().Addr, info)
		return s.unlessDenied(err)
	})
	var out []Finding
	for _, addr := range slices.Sorted(maps.Keys(by)) {
		out = append(out, by[addr]...)
	}
	return out, err
}

// unlessDenied: a user that may not ask INFO is no fault of the store; then every check is skipped.
func (s *Store) unlessDenied(err error) error {
	if redis.HasErrorPrefix(err, "NOPERM") {
		return nil
	}
	return s.fault(err)
}

// judgeInfo reads the text of INFO: "name:value" lines under "# Section" heads.
func judgeInfo(node, info string) []Finding {
	says := map[string]string{}
	for line := range strings.Lines(info) {
		if k, v, ok := strings.Cut(strings.TrimSpace(line), ":"); ok {
			says[k] = v
		}
	}
	rules := []struct {
		check, key, want string
		level            string // when it is not as wanted
		fine, bad, fix   string
	}{
		{"eviction", "maxmemory_policy", "noeviction", "fail", "a full Redis refuses commits and loses nothing",
			"maxmemory-policy is %s: a full Redis may throw the policy away", "CONFIG SET maxmemory-policy noeviction"},
		{"aof", "aof_enabled", "1", "warn", "the append-only file is on", "appendonly is off: a crash loses what was committed since the last save",
			"CONFIG SET appendonly yes"},
		{"replicas", "connected_slaves", "", "warn", "%s connected", "no replica is connected: the policy is lost with this machine", "add a replica, with Sentinel or Cluster to take over"},
	}
	var out []Finding
	for _, r := range rules {
		value, known := says[r.key]
		f := Finding{Node: node, Check: r.check, Level: "ok", Detail: r.fine}
		switch {
		case !known:
			f.Level, f.Detail = "skip", "Redis does not say"
		case r.check == "replicas" && value != "0":
			f.Detail = fmt.Sprintf(r.fine, value)
		case r.check == "replicas" || value != r.want:
			f.Level, f.Detail, f.Fix = r.level, r.bad, r.fix
			if strings.Contains(r.bad, "%s") {
				f.Detail = fmt.Sprintf(r.bad, value)
			}
		}
		out = append(out, f)
	}
	return out
}
