package redisstore_test

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"

	"github.com/hotcut/hotcut/policy"
	"github.com/hotcut/hotcut/policy/redisstore"
	"github.com/hotcut/hotcut/policy/storetest"
)

// The roster never forgets by itself; an idempotency key lives a day.
func TestTimes(t *testing.T) {
	m := miniredis.RunT(t)
	s := open(t, m)
	c := storetest.Init(storetest.Tenant("t0"))
	storetest.Commit(t, s, c)
	if err := s.Report(t.Context(), policy.NodeState{Edge: "edge-7", Rev: 1}); err != nil {
		t.Fatal(err)
	}
	if rev, err := s.ByKey(t.Context(), c.Key); rev != 1 || err != nil {
		t.Errorf("ByKey: %d, %v", rev, err)
	}
	m.FastForward(10000 * time.Hour)
	nodes, err := s.Nodes(t.Context())
	if err != nil || len(nodes) != 1 || nodes[0].Edge != "edge-7" {
		t.Errorf("after a year: %+v, %v", nodes, err)
	}
	if rev, err := s.ByKey(t.Context(), c.Key); rev != 0 || err != nil {
		t.Errorf("ByKey after a year: %d, %v", rev, err)
	}
	if tip := storetest.Load(t, s); tip.Len() != 1 {
		t.Errorf("after a year the policy has %d tenants", tip.Len())
	}
}

func TestNodesDamaged(t *testing.T) {
	m := miniredis.RunT(t)
	s := open(t, m)
	m.HSet("{hotcut:test}:nodes", "edge-1", "17 {", "edge-2", `17 {"edge":"edge-3"}`, "edge-4", `17 {"edge":"edge-4","rev":9}`)
	nodes, err := s.Nodes(t.Context())
	if err != nil || len(nodes) != 3 {
		t.Fatalf("%+v, %v", nodes, err)
	}
	for i, want := range []policy.NodeState{
		{Edge: "edge-1", State: policy.NoRev, Alarms: []string{"roster_entry_damaged"}},
		{Edge: "edge-2", State: policy.NoRev, Alarms: []string{"roster_entry_damaged"}},
		{Edge: "edge-4", Rev: 9, SeenAt: 17},
	} {
		if !reflect.DeepEqual(nodes[i], want) {
			t.Errorf("%+v, want %+v", nodes[i], want)
		}
	}
}

func TestLeaseFences(t *testing.T) {
	m := miniredis.RunT(t)
	now := time.Unix(1_800_000_000, 0)
	m.SetTime(now)
	s := open(t, m)
	snap := storetest.Seed(t, s, 2)
	take := func(holder string) uint64 {
		t.Helper()
		fence, err := s.TakeLease(t.Context(), holder, time.Minute)
		if err != nil {
			t.Fatal(err)
		}
		return fence
	}
	auto := func(id string, fence uint64) error {
		c := storetest.Edit(snap, policy.KindAuto, id, func(t *policy.Tenant) { t.Stage = policy.StageShadow })
		c.Fence = fence
		_, _, err := s.Apply(t.Context(), c)
		return err
	}
	first := take("a")
	if first == 0 || take("a") != first {
		t.Errorf("fence %d, renewed %d", first, take("a"))
	}
	if take("b") != 0 {
		t.Error("two hold one lease")
	}
	if err := auto("t0", first); err != nil {
		t.Error(err)
	}
	m.SetTime(now.Add(2 * time.Minute))
	if second := take("b"); second <= first {
		t.Errorf("the next holder's fence is %d after %d", second, first)
	}
	if err := auto("t1", first); !errors.Is(err, policy.ErrConflict) {
		t.Errorf("the former holder commits: %v", err)
	}
}

// Redis has forgotten the script (a restart, SCRIPT FLUSH): it is loaded again, and the commit is sent once.
func TestScriptFlushed(t *testing.T) {
	m := miniredis.RunT(t)
	s, p := tapped(t, "redis://"+m.Addr(), "test")
	snap := storetest.Seed(t, s, 1)
	raw := redis.NewClient(&redis.Options{Addr: m.Addr()})
	defer raw.Close()
	if err := raw.ScriptFlush(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
	p.commits.Store(0)
	if h := storetest.Commit(t, s, storetest.Rollback(snap, "t0")); h.Rev != 2 {
		t.Errorf("rev %d", h.Rev)
	}
	if n := p.commits.Load(); n != 2 {
		t.Errorf("EVALSHA was sent %d times, want one NOSCRIPT and one commit", n)
	}
}

// A checkpoint that is damaged is passed over for the one before.
func TestDamagedCheckpoint(t *testing.T) {
	m := miniredis.RunT(t)
	s, err := redisstore.Open(t.Context(), "redis://"+m.Addr(), "test", redisstore.CheckpointEvery(5, 3))
	if err != nil {
		t.Fatal(err)
	}
	snap := storetest.Seed(t, s, 1)
	for i := range 12 {
		storetest.Commit(t, s, storetest.Edit(snap, policy.KindTenant, "t0", func(t *policy.Tenant) { t.Name = fmt.Sprint(i) }))
		snap = storetest.Load(t, s)
	}
	if err := s.Close(); err != nil { // waits for the checkpoints
		t.Fatal(err)
	}
	if err := s.Maintenance(); err != nil {
		t.Fatal(err)
	}
	var newest string
	for _, k := range m.Keys() {
		if strings.HasPrefix(k, "{hotcut:test}:ckpt:") && k > newest && strings.HasSuffix(k, ":0") {
			newest = k
		}
	}
	if newest == "" {
		t.Fatal("no checkpoint")
	}
	for _, damage := range []func(){
		func() { b, _ := m.Get(newest); m.Set(newest, b[:len(b)-9]) },
		func() { m.Set(newest, "") },
		func() { m.Del(newest) },
	} {
		damage()
		if got := storetest.Load(t, open(t, m)); got.Head() != snap.Head() {
			t.Errorf("loaded %+v, want %+v", got.Head(), snap.Head())
		}
	}
}

// A head that was lost while the log is there is no empty store: init would use its numbers again.
func TestHeadLost(t *testing.T) {
	m := miniredis.RunT(t)
	s := open(t, m)
	storetest.Seed(t, s, 1)
	edge := storetest.Load(t, s)
	m.Del("{hotcut:test}:head")
	_, err := s.Head(t.Context())
	if !errors.Is(err, policy.ErrNoPolicy) || !strings.Contains(err.Error(), "resync") {
		t.Errorf("Head: %v", err)
	}
	if _, _, err := s.Apply(t.Context(), storetest.Init(storetest.Tenant("x"))); err == nil {
		t.Error("init over a log gives rev 1 a second time")
	}
	h, err := s.Resync(t.Context(), edge, edge.Rev()+1, policy.Change{Actor: "test"})
	if err != nil || storetest.Load(t, open(t, m)).Head() != h {
		t.Errorf("resync: %+v, %v", h, err)
	}
}

func TestOpenRefuses(t *testing.T) {
	for _, c := range []struct{ url, ns, want string }{
		{"redis://127.0.0.1:6379", "", "namespace"},
		{"redis://127.0.0.1:6379", "a}b", "namespace"},
		{"127.0.0.1:6379", "x", "redis://"},
		{"http://127.0.0.1", "x", "http"},
		{"redis+magic://127.0.0.1", "x", "sentinel or cluster"},
		{"redis+sentinel://127.0.0.1:26379", "x", "master_name"},
		{"redis+sentinel://127.0.0.1:26379?master_name=m&replica_only=true", "x", "backwards"},
		{"redis+cluster://127.0.0.1:7000?read_only=true", "x", "backwards"},
		{"redis://anna:s3cr3t@127.0.0.1:6379?nonsense=1", "x", "nonsense"},
		{"redis://anna:s3%ZZcr3t@127.0.0.1:6379", "x", "xxxxx"},
		{"redis+sentinel://127.0.0.1:26379?password=s3cr3t", "x", "master_name"},
	} {
		_, err := redisstore.Open(t.Context(), c.url, c.ns)
		if err == nil {
			t.Errorf("%s, %q: no error", c.url, c.ns)
			continue
		}
		if !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "cr3t") {
			t.Errorf("%s: %v", c.url, err)
		}
	}
	for _, url := range []string{
		"redis://127.0.0.1:6379/2", "rediss://u:p@127.0.0.1", "redis+cluster://127.0.0.1:7000?addr=127.0.0.1:7001",
		"redis+sentinel://127.0.0.1:26379?master_name=m&addr=127.0.0.2:26379", "rediss+sentinel://127.0.0.1?master_name=m",
	} {
		s, err := redisstore.Open(t.Context(), url, "x") // connects to nothing
		if err != nil {
			t.Errorf("%s: %v", url, err)
			continue
		}
		s.Close()
	}
}

func FuzzRedact(f *testing.F) {
	f.Add("s3cr3t")
	f.Add("a/b?c#d@e:f")
	f.Fuzz(func(t *testing.T, secret string) {
		// A password of common letters may stand elsewhere in the URL.
		secret = "PW" + secret + "PW"
		for _, url := range []string{"redis://anna:" + secret + "@host:6379/0", "redis://:" + secret + "@host"} {
			if got := redisstore.Redact(url); strings.Contains(got, secret) {
				t.Errorf("%q becomes %q", url, got)
			}
		}
		if !strings.ContainsAny(secret, "&#") {
			if got := redisstore.Redact("redis+sentinel://host?password=" + secret); strings.Contains(got, secret) {
				t.Errorf("query: %q", got)
			}
		}
	})
}
