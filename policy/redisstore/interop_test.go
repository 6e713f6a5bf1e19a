//go:build interop

package redisstore_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/hotcut/hotcut/policy"
	"github.com/hotcut/hotcut/policy/redisstore"
	"github.com/hotcut/hotcut/policy/redisstore/redistest"
	"github.com/hotcut/hotcut/policy/storetest"
)

var nsCount atomic.Int64

// openReal returns an empty store on a real server: a namespace of its own.
func openReal(t testing.TB, srv *redistest.Server) *redisstore.Store {
	t.Helper()
	return openNS(t, srv, fmt.Sprint("ns", nsCount.Add(1)))
}

func openNS(t testing.TB, srv *redistest.Server, ns string) *redisstore.Store {
	t.Helper()
	s, err := redisstore.Open(context.Background(), srv.URL(), ns, redisstore.CheckpointEvery(40, 3))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func TestRealStore(t *testing.T) {
	srv := redistest.Start(t)
	storetest.Run(t, func(t *testing.T) policy.Store { return openReal(t, srv) })
}

// 64 writers on handles of their own, 10,000 commits.
func TestRealWriters(t *testing.T) {
	srv := redistest.Start(t)
	per := 157
	if testing.Short() {
		per = 12
	}
	var handles []policy.Store
	for range 16 {
		handles = append(handles, openNS(t, srv, "writers"))
	}
	storetest.Writers(t, handles, 64, per)
}

// One flip in a policy of 100,000 tenants moves kilobytes, not the policy.
func TestRealFlipMovesKilobytes(t *testing.T) {
	tenants := 100000
	if testing.Short() {
		tenants = 10000
	}
	flipMoves(t, redistest.Start(t).URL(), tenants, 128<<10)
}

// A replica that acknowledges is counted; without one a commit does not wait for it.
func TestRealDurability(t *testing.T) {
	srv := redistest.Start(t)
	s := openReal(t, srv)
	snap := storetest.Seed(t, s, 1)
	_, d, err := s.Apply(t.Context(), storetest.Rollback(snap, "t0"))
	if err != nil || d.Replicas != 0 || d.Note != "no replicas" {
		t.Errorf("%+v, %v", d, err)
	}
	redistest.Start(t, redistest.Args("--replicaof", fmt.Sprintf("127.0.0.1 %d", srv.Port())))
	raw := redis.NewClient(&redis.Options{Addr: srv.Addr()})
	t.Cleanup(func() { raw.Close() })
	conn := raw.Conn()
	t.Cleanup(func() { conn.Close() })
	until(t, func() bool { // a replica counts when it has taken a write, not when it has called
		return conn.Set(t.Context(), "probe", "x", 0).Err() == nil && conn.Wait(t.Context(), 1, 200*time.Millisecond).Val() == 1
	})
	tries := 0
	until(t, func() bool { // on a machine that is busy a replica may need longer than a commit waits
		tries++
		_, d, err = s.Apply(t.Context(), storetest.Edit(storetest.Load(t, s), policy.KindTenant, "t0", func(t *policy.Tenant) { t.Name = fmt.Sprint(tries) }))
		if err != nil || d.Replicas == 0 && d.Note != "not replicated within 500 ms" {
			t.Fatalf("%+v, %v", d, err)
		}
		return d.Replicas > 0
	})
	if d.Replicas != 1 || d.Note != "replicated to 1" {
		t.Errorf("%+v", d)
	}
}

// Redis is killed, paused and restarted while writers commit. Every commit that was acknowledged is in the log under its
// rev; one of unknown outcome is there once or not at all; nothing else is.
func TestRealKilledUnderLoad(t *testing.T) {
	srv := redistest.Start(t, redistest.Persist())
	const writers = 8
	storetest.Seed(t, openNS(t, srv, "load"), writers)
	var mu sync.Mutex
	acked, unknown := map[string]uint64{}, map[string]bool{}
	stop := make(chan struct{})
	var all sync.WaitGroup
	for w := range writers {
		s := openNS(t, srv, "load")
		all.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second)
				snap, err := s.LoadAt(ctx, 0)
				if err == nil {
					c := storetest.Edit(snap, policy.KindTenant, fmt.Sprint("t", w), func(t *policy.Tenant) { t.Mirror++ })
					var h policy.Head
					h, _, err = s.Apply(ctx, c)
					mu.Lock()
					switch {
					case err == nil:
						acked[c.Key] = h.Rev
					case errors.Is(err, policy.ErrUnknownOutcome):
						unknown[c.Key] = true
					case errors.Is(err, policy.ErrUnreachable), errors.Is(err, context.DeadlineExceeded):
					case errors.Is(err, policy.ErrConflict): // its own commit of unknown outcome was there after all
					default:
						t.Errorf("writer %d: %v", w, err)
					}
					mu.Unlock()
				}
				cancel()
			}
		})
	}
	commits := func() int { mu.Lock(); defer mu.Unlock(); return len(acked) }
	more := func() { n := commits(); until(t, func() bool { return commits() >= n+20 }) }
	for range 3 {
		more()
		srv.Kill()
		srv.Restart()
		more()
		srv.Pause()
		time.AfterFunc(200*time.Millisecond, srv.Resume)
		more()
	}
	close(stop)
	all.Wait()

	s := openNS(t, srv, "load")
	h, err := s.Head(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	at := map[string]uint64{}
	for rev := h.Rev; rev > 1; { // back through the log as far as it goes
		changes, err := s.Since(t.Context(), rev-1)
		if errors.Is(err, policy.ErrTrimmed) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if other, ok := at[changes[0].Key]; ok {
			t.Errorf("key %s stands at rev %d and %d", changes[0].Key, other, rev)
		}
		at[changes[0].Key] = rev
		rev--
	}
	checked := 0
	for key, rev := range acked {
		got, err := s.ByKey(t.Context(), key)
		if err != nil || got != rev {
			t.Errorf("rev %d was acknowledged, its key says %d, %v", rev, got, err)
		}
		if logged, ok := at[key]; ok {
			checked++
			if logged != rev {
				t.Errorf("acknowledged as rev %d, in the log at %d", rev, logged)
			}
		}
	}
	for key, rev := range at {
		if _, ok := acked[key]; !ok && !unknown[key] && rev > 1 {
			t.Errorf("rev %d was neither acknowledged nor unknown", rev)
		}
	}
	if tip := storetest.Load(t, s); tip.Head() != h {
		t.Errorf("head %+v, loaded %+v", h, tip.Head())
	}
	t.Logf("%d acknowledged (%d still in the log), %d unknown, head rev %d", len(acked), checked, len(unknown), h.Rev)
}

// While the server is stopped in mid-air no call outlives its context by much, and the watch finds its way back.
func TestRealPaused(t *testing.T) {
	srv := redistest.Start(t)
	s := openReal(t, srv)
	snap := storetest.Seed(t, s, 1)
	srv.Pause()
	t.Cleanup(srv.Resume)
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	began := time.Now()
	_, _, err := s.Apply(ctx, storetest.Rollback(snap, "t0"))
	if err == nil || time.Since(began) > 20*time.Second {
		t.Errorf("Apply: %v after %v", err, time.Since(began))
	}
	if _, err := s.Head(ctx); !errors.Is(err, policy.ErrUnreachable) {
		t.Errorf("Head: %v", err)
	}
	srv.Resume()
	if h := storetest.Commit(t, s, storetest.Rollback(snap, "t0")); h.Rev < 2 {
		t.Errorf("head %+v", h)
	}
}
