//go:build interop

package follow_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/hotcut/hotcut/policy"
	"github.com/hotcut/hotcut/policy/filestore"
	"github.com/hotcut/hotcut/policy/follow"
	"github.com/hotcut/hotcut/policy/redisstore"
	"github.com/hotcut/hotcut/policy/redisstore/redistest"
	"github.com/hotcut/hotcut/policy/storetest"
)

func realStore(t testing.TB, srv *redistest.Server) *redisstore.Store {
	t.Helper()
	s, err := redisstore.Open(context.Background(), srv.URL(), "follow")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// Redis is killed and comes back empty: the edge serves on, says so, and its policy re-seeds the store; no edge goes
// backwards.
func TestRealEmptiedStore(t *testing.T) {
	srv := redistest.Start(t)
	s := realStore(t, srv)
	storetest.Seed(t, s, 3)
	h := edit(t, s, 5, "n")
	a, b := startEdge(t, realStore(t, srv), t.TempDir()), startEdge(t, realStore(t, srv), t.TempDir())
	both := func(what string, cond func(*edge) bool) {
		t.Helper()
		wait(t, what, func() bool { return cond(a) && cond(b) })
	}
	both("at the head", func(e *edge) bool { return e.State().Rev == h.Rev })
	srv.Restart() // without persistence
	both("alarmed", func(e *edge) bool { return slices.Contains(e.State().Alarms, follow.AlarmEmptied) })
	if a.Current().Head() != h || b.Current().Head() != h {
		t.Errorf("in force %+v and %+v, was %+v", a.Current().Head(), b.Current().Head(), h)
	}
	if _, err := s.Head(t.Context()); !errors.Is(err, policy.ErrNoPolicy) {
		t.Fatalf("Head: %v", err)
	}
	to, err := s.Resync(t.Context(), a.Current(), h.Rev+1, policy.Change{Actor: "test"})
	if err != nil {
		t.Fatal(err)
	}
	both("resynced", func(e *edge) bool { n := e.State(); return n.Rev == to.Rev && len(n.Alarms) == 0 })
	next := edit(t, s, 1, "m")
	both("following", func(e *edge) bool { return e.State().Rev == next.Rev })
	for _, e := range []*edge{a, b} {
		if got := e.applied(); !slices.IsSorted(got) {
			t.Errorf("went backwards: %v", got)
		}
	}
}

// The master is lost with commits that its replica never got, and the replica, promoted, makes others: nine where eight
// were lost. An edge that looks only then does not take them.
func TestRealFailoverFork(t *testing.T) {
	master := redistest.Start(t)
	s := realStore(t, master)
	storetest.Seed(t, s, 1)
	replica := redistest.Start(t, redistest.Args("--replicaof", fmt.Sprintf("127.0.0.1 %d", master.Port())))
	behind := realStore(t, replica)
	wait(t, "replicated", func() bool { h, err := behind.Head(t.Context()); return err == nil && h.Rev == 1 })
	replica.Do("REPLICAOF", "NO", "ONE") // cut off, and promoted
	kept := edit(t, s, 8, "kept")
	state := t.TempDir()
	e := startEdge(t, s, state)
	wait(t, "at the head", func() bool { return e.State().Rev == kept.Rev && e.State().Stored == kept.Rev })
	e.stop()
	master.Kill()
	if fork := edit(t, behind, 9, "lost"); fork.Rev != kept.Rev+1 {
		t.Fatalf("the fork is at rev %d", fork.Rev)
	}
	e = startEdge(t, behind, state)
	wait(t, "alarmed", func() bool { return slices.Contains(e.State().Alarms, follow.AlarmForked) })
	if e.Current().Head() != kept {
		t.Errorf("in force %+v, was %+v", e.Current().Head(), kept)
	}
}

// Kill, pause and restart under commits: readers never wait, nobody goes backwards, all end at the head.
func TestRealOutages(t *testing.T) {
	srv := redistest.Start(t, redistest.Persist())
	s := realStore(t, srv)
	storetest.Seed(t, s, 20)
	e := startEdge(t, realStore(t, srv), t.TempDir())
	wait(t, "serving", func() bool { return e.Current() != nil })

	ctx, stop := context.WithCancel(context.Background())
	var all sync.WaitGroup
	all.Go(func() { // commits, as far as it goes
		for i := 0; ctx.Err() == nil; i++ {
			c, cancel := context.WithTimeout(ctx, 2*time.Second)
			if snap, err := s.LoadAt(c, 0); err == nil {
				s.Apply(c, storetest.Edit(snap, policy.KindTenant, fmt.Sprint("t", i%20), func(t *policy.Tenant) { t.Mirror = i % 10000 }))
			}
			cancel()
		}
	})
	var slowest time.Duration
	all.Go(func() { // decisions
		for ctx.Err() == nil {
			for range 1000 {
				began := time.Now()
				p := e.Current()
				p.Decide(policy.Query{Method: "INVITE", Tenant: p.ByDomain("t3.example"), Unit: "bob", Direction: policy.Outbound})
				slowest = max(slowest, time.Since(began))
			}
			select {
			case <-ctx.Done():
			case <-time.After(time.Millisecond):
			}
		}
	})
	progress := func() {
		t.Helper()
		rev := e.State().Rev
		wait(t, "progress", func() bool { return e.State().Rev > rev+10 })
	}
	for range 2 {
		progress()
		srv.Kill()
		wait(t, "stale", func() bool { return e.State().State == policy.Stale })
		srv.Restart()
		progress()
		srv.Pause()
		wait(t, "stale", func() bool { return e.State().State == policy.Stale })
		srv.Resume()
	}
	progress()
	stop()
	all.Wait()
	h, err := s.Head(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	wait(t, "at the head", func() bool { n := e.State(); return n.Rev == h.Rev && n.Chain == h.Chain })
	if got := e.applied(); !slices.IsSorted(got) {
		t.Errorf("went backwards: %v", got)
	}
	if slowest > time.Second { // two shared cores: the scheduler, not the store
		t.Errorf("a decision took %v", slowest)
	}
	t.Logf("slowest decision %v, head rev %d", slowest, h.Rev)
}

// BenchmarkConvergence: 20 followers, 10,000 tenants, flips one after the other; every follower must apply every rev, in
// order. Reported: from the commit's acknowledgement to the last follower's swap.
func BenchmarkConvergence(b *testing.B) {
	const followers, flips = 20, 500
	srv := redistest.Start(b)
	s := realStore(b, srv)
	storetest.Seed(b, s, 10000)
	var mu sync.Mutex
	appliedAt := map[uint64]time.Time{} // by the last follower
	var edges []*follow.Follower
	revs := make([][]uint64, followers)
	ctx, stop := context.WithCancel(context.Background())
	var all sync.WaitGroup
	defer func() { stop(); all.Wait() }()
	for i := range followers {
		dir := b.TempDir()
		disk, err := filestore.OpenDisk(dir)
		if err != nil {
			b.Fatal(err)
		}
		f, err := follow.New(follow.Config{
			Store: realStore(b, srv), Disk: disk, Orders: filestore.NewOverridesFile(dir),
			Fill: func(n *policy.NodeState) { n.Edge = fmt.Sprint("edge-", i) },
			Apply: func(p *policy.Snapshot) {
				now := time.Now()
				mu.Lock()
				defer mu.Unlock()
				// A follower may take several revs at once: it has then applied all of them.
				from := p.Rev()
				if n := len(revs[i]); n > 0 {
					from = revs[i][n-1] + 1
				}
				for rev := from; rev <= p.Rev(); rev++ {
					if now.After(appliedAt[rev]) {
						appliedAt[rev] = now
					}
				}
				revs[i] = append(revs[i], p.Rev())
			},
		})
		if err != nil {
			b.Fatal(err)
		}
		edges = append(edges, f)
		all.Go(func() { f.Run(ctx) })
	}
	reached := func(rev uint64) {
		b.Helper()
		deadline := time.Now().Add(2 * time.Minute)
		for _, f := range edges {
			for p := f.Current(); p == nil || p.Rev() < rev; p = f.Current() {
				if time.Now().After(deadline) {
					b.Fatalf("not all at rev %d", rev)
				}
				time.Sleep(time.Millisecond)
			}
		}
	}
	reached(1)
	for b.Loop() {
		committed := map[uint64]time.Time{}
		var last policy.Head
		for i := range flips {
			snap, err := s.LoadAt(ctx, 0)
			if err != nil {
				b.Fatal(err)
			}
			id := fmt.Sprint("t", (i*37)%10000)
			last = storetest.Commit(b, s, storetest.Edit(snap, policy.KindFlip, id, func(t *policy.Tenant) { t.Mirror = (t.Mirror + 1) % 10000 }))
			committed[last.Rev] = time.Now()
			time.Sleep(10 * time.Millisecond) // an operator's script, not a flood
		}
		reached(last.Rev)
		var took []float64
		mu.Lock()
		for rev, at := range committed {
			took = append(took, float64(appliedAt[rev].Sub(at).Microseconds())/1000)
		}
		mu.Unlock()
		slices.Sort(took)
		b.ReportMetric(took[len(took)/2], "p50-ms")
		b.ReportMetric(took[len(took)*99/100], "p99-ms")
		b.ReportMetric(took[len(took)-1], "max-ms")
		for i, f := range edges {
			if f.Current().Head() != last {
				b.Errorf("follower %d is at %+v, the head %+v", i, f.Current().Head(), last)
			}
			mu.Lock()
			if !slices.IsSorted(revs[i]) {
				b.Errorf("follower %d went backwards: %v", i, revs[i])
			}
			mu.Unlock()
		}
	}
}

// A rollback that is committed as soon as Redis is back reaches an edge within the poll of an outage, and the time of a
// reply: not when a backoff ends.
func TestRealBackAtOnce(t *testing.T) {
	srv := redistest.Start(t, redistest.Persist())
	s := realStore(t, srv)
	snap := storetest.Seed(t, s, 20)
	e := startEdge(t, realStore(t, srv), t.TempDir())
	wait(t, "serving", func() bool { return e.Current() != nil })
	for i := range 3 {
		srv.Kill()
		wait(t, "stale", func() bool { return e.State().State == policy.Stale })
		srv.Restart()
		began := time.Now()
		h := storetest.Commit(t, s, storetest.Rollback(snap, fmt.Sprint("t", i)))
		wait(t, "rolled back", func() bool { return e.State().Rev == h.Rev })
		took := time.Since(began)
		t.Logf("in force %v after Redis was back", took)
		if took > 10*time.Second { // 375 ms, as TestBackAtOnceAfterAnOutage has it, where nothing else runs
			t.Errorf("in force %v after Redis was back", took)
		}
	}
}
