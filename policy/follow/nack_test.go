package follow_test

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"

	"github.com/hotcut/hotcut/policy"
	"github.com/hotcut/hotcut/policy/redisstore"
	"github.com/hotcut/hotcut/policy/storetest"
)

// wait polls in real time for what a follower on a real connection does.
func wait(t *testing.T, what string, cond func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(time.Minute)
	for !cond() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("after a minute still not: %s", what)
		}
	}
}

func redisStore(t *testing.T, m *miniredis.Miniredis) (*redisstore.Store, *redis.Client) {
	t.Helper()
	s, err := redisstore.Open(t.Context(), "redis://"+m.Addr(), "test")
	if err != nil {
		t.Fatal(err)
	}
	raw := redis.NewClient(&redis.Options{Addr: m.Addr()})
	t.Cleanup(func() { s.Close(); raw.Close() })
	return s, raw
}

// A record that chains and does not validate (another build wrote it, or a hand) is nacked by its rev; those before it
// are taken.
func TestNack(t *testing.T) {
	t.Parallel()
	m := miniredis.RunT(t)
	s, raw := redisStore(t, m)
	state := t.TempDir()
	storetest.Seed(t, s, 2)
	e := startEdge(t, s, state)
	wait(t, "at rev 1", func() bool { return e.State().Rev == 1 })
	e.stop()

	good := storetest.Commit(t, s, storetest.Rollback(storetest.Load(t, s), "t0"))
	bad := storetest.Edit(storetest.Load(t, s), policy.KindTenant, "t0", func(t *policy.Tenant) { t.Domains = []string{"t1.example"} })
	bad.Rev = good.Rev + 1
	bad.Chain = policy.ChainOf(good.Chain, &bad)
	body, err := bad.Canonical()
	if err != nil {
		t.Fatal(err)
	}
	raw.XAdd(t.Context(), &redis.XAddArgs{Stream: "{hotcut:test}:log", ID: "3-0", Values: []string{"c", string(body)}})
	raw.HSet(t.Context(), "{hotcut:test}:head", "rev", "3", "chain", bad.Chain)

	e = startEdge(t, s, state)
	wait(t, "a nack in the roster", func() bool {
		nodes, err := s.Nodes(t.Context())
		return err == nil && len(nodes) == 1 && nodes[0].Nack != nil
	})
	wait(t, "the record before it", func() bool { return e.State().Rev == 2 })
	n := e.State()
	if n.Nack.Rev != 3 || !strings.Contains(n.Nack.Reason, "t1.example") || n.Rev != 2 || !e.Current().Tenant("t0").Tenant.RolledBack {
		t.Errorf("state %+v, nack %+v", n, n.Nack)
	}
}

// What chains and validates but has another root than the head says is not what was committed.
func TestRootDiffers(t *testing.T) {
	t.Parallel()
	m := miniredis.RunT(t)
	s, raw := redisStore(t, m)
	storetest.Seed(t, s, 1)
	e := startEdge(t, s, t.TempDir())
	wait(t, "at rev 1", func() bool { return e.State().Rev == 1 })
	e.stop()
	edit(t, s, 1, "n")
	raw.HSet(t.Context(), "{hotcut:test}:head", "root", strings.Repeat("0", 64))
	e = startEdge(t, s, e.state)
	wait(t, "a nack", func() bool { return e.State().Nack != nil })
	if n := e.State(); n.Rev != 1 || n.Nack.Rev != 2 || !strings.Contains(n.Nack.Reason, "root") {
		t.Errorf("state %+v, nack %+v", n, n.Nack)
	}
}

// Redis goes, and comes back with what it had: the follower finds it again by itself.
func TestRedisAway(t *testing.T) {
	t.Parallel()
	m := miniredis.NewMiniRedis()
	if err := m.StartAddr(fmt.Sprintf("127.%d.%d.1:0", 32+os.Getpid()>>8&127, os.Getpid()&255)); err != nil { // nobody else gets its port
		t.Fatal(err)
	}
	t.Cleanup(m.Close)
	addr := m.Addr()
	s, _ := redisStore(t, m)
	storetest.Seed(t, s, 1)
	e := startEdge(t, s, t.TempDir())
	wait(t, "live", func() bool { return e.State().State == policy.Live })
	m.Close()
	wait(t, "stale", func() bool { return e.State().State == policy.Stale })
	if e.Current().Rev() != 1 {
		t.Error("nothing in force")
	}
	if err := m.StartAddr(addr); err != nil {
		t.Fatal(err)
	}
	wait(t, "live again", func() bool { return e.State().State == policy.Live })
	h := edit(t, s, 1, "n")
	wait(t, "at the new rev", func() bool { return e.State().Rev == h.Rev })
	if got := e.applied(); !slices.Equal(got, []uint64{1, h.Rev}) {
		t.Errorf("applied %v", got)
	}
}
