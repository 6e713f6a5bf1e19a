//go:build interop

package store

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/hotcut/hotcut/migration/shadow/compare"
	"github.com/hotcut/hotcut/policy/redisstore"
	"github.com/hotcut/hotcut/policy/redisstore/redistest"
)

func clusterOf(t *testing.T, srv *redistest.Server) {
	t.Helper()
	if got := srv.Do("CLUSTER", "ADDSLOTSRANGE", "0", "16383"); got != "+OK" {
		t.Fatal(got)
	}
	deadline := time.Now().Add(time.Minute)
	for {
		c := redis.NewClient(&redis.Options{Addr: srv.Addr()})
		info, err := c.ClusterInfo(t.Context()).Result()
		c.Close()
		if err == nil && strings.Contains(info, "cluster_state:ok") {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("the Cluster does not come up: %v %s", err, info)
		}
	}
}

// The whole round on a real Redis, alone and as a Cluster: written, summed, found, triaged, purged without a rest. What
// an edge does, it does with no more rights than redisstore.EdgeRules gives it.
func TestRealRedis(t *testing.T) {
	for _, kind := range []string{"one", "cluster"} {
		t.Run(kind, func(t *testing.T) {
			var srv *redistest.Server
			scheme := "redis://"
			if kind == "cluster" {
				srv = redistest.Start(t, redistest.Cluster())
				clusterOf(t, srv)
				scheme = "redis+cluster://"
			} else {
				srv = redistest.Start(t)
			}
			rules := append([]string{"ACL", "SETUSER", "edge", "on", ">secret"}, redisstore.EdgeRules("test")...)
			if got := srv.Do(rules...); got != "+OK" {
				t.Fatal(got)
			}
			edge, err := OpenRedis(scheme+"edge:secret@"+srv.Addr()+"?ns=test", Options{})
			if err != nil {
				t.Fatal(err)
			}
			defer edge.Close()
			admin, err := OpenRedis(scheme+srv.Addr()+"?ns=test", Options{})
			if err != nil {
				t.Fatal(err)
			}
			defer admin.Close()
			ctx := t.Context()
			now := time.Now()
			for _, tenant := range []string{"acme", "globex"} {
				for i := range 3 {
					tally := compare.New(fmt.Sprint("e", i), "boot", nil)
					for range 2 {
						tally.Add(verdict(tenant, "c~a", now, compare.Major))
						write(t, edge, tally)
					}
				}
				if err := edge.Keep(ctx, &Example{Verdict: verdict(tenant, "c~a", now, compare.Major)}); err != nil {
					t.Fatal(err)
				}
			}
			for _, s := range []*Redis{edge, admin} {
				if sum := read(t, s, ""); sampled(sum, "acme") != 6 || sampled(sum, "globex") != 6 {
					t.Errorf("acme %d, globex %d", sampled(sum, "acme"), sampled(sum, "globex"))
				}
				if x, err := s.Find(ctx, "acme", "c~a"); err != nil || x.Verdict.CallID != "c~a" {
					t.Errorf("%v", err)
				}
			}
			if err := admin.SetTriage(ctx, "acme", "a", compare.Triage{State: compare.StateBug, At: 1}); err != nil {
				t.Fatal(err)
			}
			if all, err := edge.Triage(ctx, "acme"); err != nil || len(all) != 1 {
				t.Errorf("%v %v", all, err)
			}
			if err := admin.Purge(ctx, "acme"); err != nil {
				t.Fatal(err)
			}
			if marks, err := edge.Marks(ctx); err != nil || marks[Mark("acme")] == 0 {
				t.Errorf("%v %v", marks, err)
			}
			if sum := read(t, edge, ""); sum.Tenants["acme"] != nil || sampled(sum, "globex") != 6 {
				t.Errorf("after the purge: %v, globex %d", sum.Tenants["acme"], sampled(sum, "globex"))
			}
			// An edge whose counts crossed the purge takes them back.
			late := compare.New("e0", "boot", nil)
			late.Add(verdict("acme", "c~late", now, compare.Major))
			write(t, edge, late)
			err = errors.Join(
				edge.Keep(ctx, &Example{Verdict: verdict("acme", "c~late", now, compare.Major)}),
				edge.Write(ctx, &Batch{Edge: "e0", Boot: "boot", Gone: map[string][]string{"acme": {"c~late"}}}),
			)
			if err != nil {
				t.Fatal(err)
			}
			for deadline := time.Now().Add(time.Minute); ; {
				left := keysOf(t, srv, "*acme*")
				if len(left) == 0 {
					break
				}
				if time.Now().After(deadline) {
					t.Fatalf("left: %v", left)
				}
			}
			if left := keysOf(t, srv, "*globex*"); len(left) < 3 {
				t.Errorf("another tenant's keys: %v", left)
			}
		})
	}
}

func keysOf(t *testing.T, srv *redistest.Server, pattern string) []string {
	t.Helper()
	c := redis.NewClient(&redis.Options{Addr: srv.Addr()})
	defer c.Close()
	keys, err := c.Keys(t.Context(), pattern).Result()
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(keys)
	// A key that has expired may still be listed.
	return slices.DeleteFunc(keys, func(k string) bool { return c.Exists(t.Context(), k).Val() == 0 })
}

// A Redis that goes away and comes back empty: the keeper's counts are of its whole life, so the next write has all.
func TestRealRedisForgetsEverything(t *testing.T) {
	srv := redistest.Start(t)
	s, err := OpenRedis(srv.URL()+"?ns=test", Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	k := keeper(t, KeeperOptions{Store: s, Every: 20 * time.Millisecond})
	stop := run(k)
	defer stop()
	until := func(what string, n uint64) {
		t.Helper()
		look := time.NewTicker(5 * time.Millisecond) // the keeper's pace is 20 ms
		defer look.Stop()
		for deadline := time.After(time.Minute); ; {
			if sum, _, err := s.Read(t.Context(), "acme"); err == nil && sampled(sum, "acme") == n {
				return
			}
			select {
			case <-look.C:
			case <-deadline:
				t.Fatalf("%s: never %d calls, %+v", what, n, k.Stats())
			}
		}
	}
	put := func(token string) { k.Put(verdict("acme", token, time.Now(), compare.Major), nil, nil) }
	put("c~a")
	until("first", 1)
	srv.Kill()
	put("c~b")
	srv.Restart()
	put("c~c")
	until("all of this life", 3)
}
