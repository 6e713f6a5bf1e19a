package follow_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hotcut/hotcut/policy"
	"github.com/hotcut/hotcut/policy/filestore"
	"github.com/hotcut/hotcut/policy/follow"
	"github.com/hotcut/hotcut/policy/storetest"
)

// edge is one follower under test, and what it was told to put into force.
type edge struct {
	*follow.Follower
	state string // directory
	stop  func()

	mu   sync.Mutex
	revs []uint64
}

// startEdge runs a follower on a state directory until stop or the end of the test.
func startEdge(t testing.TB, store policy.Store, state string) *edge {
	t.Helper()
	disk, err := filestore.OpenDisk(filepath.Join(state, "policy"))
	if err != nil {
		t.Fatal(err)
	}
	e := &edge{state: state}
	e.Follower, err = follow.New(follow.Config{
		Store: store, Disk: disk, Orders: filestore.NewOverridesFile(state),
		Fill: func(n *policy.NodeState) { n.Edge = "edge-1" },
		Apply: func(s *policy.Snapshot) {
			e.mu.Lock()
			defer e.mu.Unlock()
			e.revs = append(e.revs, s.Rev())
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); e.Run(ctx) }()
	e.stop = sync.OnceFunc(func() { cancel(); <-done })
	t.Cleanup(e.stop)
	return e
}

func (e *edge) applied() []uint64 {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Clone(e.revs)
}

// until waits, in the bubble's time, for what must come.
func until(t *testing.T, what string, cond func() bool) {
	t.Helper()
	for range 3000 {
		if cond() {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatalf("after 30 s still not: %s", what)
}

func (e *edge) untilRev(t *testing.T, rev uint64) {
	t.Helper()
	until(t, fmt.Sprintf("at rev %d: %+v", rev, e.State()), func() bool { s := e.Current(); return s != nil && s.Rev() == rev })
}

func (e *edge) untilAlarm(t *testing.T, name string) {
	t.Helper()
	until(t, "alarm "+name, func() bool { return slices.Contains(e.State().Alarms, name) })
}

func (e *edge) untilCalm(t *testing.T) {
	t.Helper()
	until(t, "no alarm", func() bool { return len(e.State().Alarms) == 0 })
}

// fileStore opens the directory; checkpoints come often, so that logs are trimmed.
func fileStore(t testing.TB, dir string) *filestore.Store {
	t.Helper()
	s, err := filestore.Open(dir, filestore.CheckpointEvery(20, 2))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// edit commits n changes of tenant t0 and returns the head.
func edit(t testing.TB, s policy.Store, n int, mark string) policy.Head {
	t.Helper()
	var h policy.Head
	for i := range n {
		h = storetest.Commit(t, s, storetest.Edit(storetest.Load(t, s), policy.KindTenant, "t0", func(t *policy.Tenant) {
			t.Name = fmt.Sprint(mark, i)
		}))
	}
	return h
}

func TestFollows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := fileStore(t, t.TempDir())
		e := startEdge(t, s, t.TempDir())
		synctest.Wait()
		if e.Current() != nil || e.State().State != policy.NoRev {
			t.Fatalf("without a policy: %+v", e.State())
		}
		storetest.Seed(t, s, 2)
		e.untilRev(t, 1)
		h := edit(t, s, 15, "n")
		e.untilRev(t, h.Rev)
		if e.Current().Head() != h {
			t.Errorf("in force %+v, head %+v", e.Current().Head(), h)
		}
		if !slices.IsSorted(e.applied()) {
			t.Errorf("went backwards: %v", e.applied())
		}
		until(t, "the roster says so", func() bool {
			nodes, err := s.Nodes(t.Context())
			return err == nil && len(nodes) == 1 && nodes[0].Edge == "edge-1" && nodes[0].Rev == h.Rev &&
				nodes[0].Stored == h.Rev && nodes[0].State == policy.Live && nodes[0].Chain == h.Chain
		})
		e.stop()
	})
}

func TestStates(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir, state := t.TempDir(), t.TempDir()
		manifest := filepath.Join(dir, "MANIFEST")
		s := fileStore(t, dir)
		storetest.Seed(t, s, 1)
		e := startEdge(t, s, state)
		e.untilRev(t, 1)
		until(t, "stored", func() bool { return e.State().Stored == 1 })

		// The store is away: live for 5 s, then stale for ever.
		if err := os.Rename(manifest, manifest+".away"); err != nil {
			t.Fatal(err)
		}
		e.untilAlarm(t, follow.AlarmEmptied)
		time.Sleep(6 * time.Second)
		if n := e.State(); n.State != policy.Stale || n.Rev != 1 || e.Current() == nil {
			t.Errorf("6 s after the store went: %+v", n)
		}
		e.stop()

		// A restart without a store serves from the disk.
		e = startEdge(t, s, state)
		time.Sleep(time.Minute)
		if n := e.State(); n.State != policy.Disk || n.Rev != 1 || n.Stored != 1 || e.Current() == nil {
			t.Errorf("started without a store: %+v", n)
		}
		if err := os.Rename(manifest+".away", manifest); err != nil {
			t.Fatal(err)
		}
		until(t, "live again", func() bool { return e.State().State == policy.Live })
		e.untilCalm(t)
		h := edit(t, s, 1, "n")
		e.untilRev(t, h.Rev)
		e.stop()
	})
}

// Nine commits between two looks, after a failover that lost eight: the head is ahead of the edge and of another past.
func TestForkIsNotTaken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		root := t.TempDir()
		dir, state := filepath.Join(root, "store"), t.TempDir()
		s := fileStore(t, dir)
		storetest.Seed(t, s, 2)
		if err := os.CopyFS(filepath.Join(root, "replica"), os.DirFS(dir)); err != nil {
			t.Fatal(err)
		}
		kept := edit(t, s, 8, "kept")
		e := startEdge(t, s, state)
		e.untilRev(t, kept.Rev)
		until(t, "stored", func() bool { return e.State().Stored == kept.Rev })
		e.stop()

		replica := fileStore(t, filepath.Join(root, "replica"))
		fork := edit(t, replica, 9, "lost")
		if fork.Rev != kept.Rev+1 {
			t.Fatalf("the fork is at rev %d, the edge at %d", fork.Rev, kept.Rev)
		}
		e = startEdge(t, replica, state)
		e.untilAlarm(t, follow.AlarmForked)
		time.Sleep(time.Minute)
		edit(t, replica, 30, "more") // past a checkpoint and a trim
		time.Sleep(time.Minute)
		if got := e.Current(); got.Rev() != kept.Rev || got.Chain() != kept.Chain || got.Tenant("t0").Tenant.Name != "kept7" {
			t.Fatalf("the edge took the fork: %+v", got.Head())
		}
		if n := e.State(); !slices.Contains(n.Alarms, follow.AlarmForked) || n.State != policy.Live {
			t.Errorf("state %+v", n)
		}
		// The way out: the edge's policy under a number that nobody has used.
		c := policy.Change{Actor: "test", Key: policy.MintKey()}
		head, err := replica.Head(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		h, err := replica.Resync(t.Context(), e.Current(), head.Rev+1, c)
		if err != nil {
			t.Fatal(err)
		}
		e.untilRev(t, h.Rev)
		e.untilCalm(t)
		if e.Current().Tenant("t0").Tenant.Name != "kept7" || !slices.IsSorted(e.applied()) {
			t.Errorf("after the resync: %+v, applied %v", e.Current().Head(), e.applied())
		}
		e.stop()
	})
}

func TestRegressedStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		root, state := t.TempDir(), t.TempDir()
		s := fileStore(t, filepath.Join(root, "store"))
		storetest.Seed(t, s, 1)
		if err := os.CopyFS(filepath.Join(root, "old"), os.DirFS(filepath.Join(root, "store"))); err != nil {
			t.Fatal(err)
		}
		h := edit(t, s, 4, "n")
		e := startEdge(t, s, state)
		e.untilRev(t, h.Rev)
		e.stop()
		old := fileStore(t, filepath.Join(root, "old"))
		e = startEdge(t, old, state)
		e.untilAlarm(t, follow.AlarmRegressed)
		if err := e.AcceptEpoch(h.Epoch); err == nil {
			t.Error("an edge goes back within its epoch on a person's word")
		}
		if e.Current().Head() != h {
			t.Errorf("in force %+v, was %+v", e.Current().Head(), h)
		}
		e.stop()
	})
}

func TestOtherEpoch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		state := t.TempDir()
		s, other := fileStore(t, t.TempDir()), fileStore(t, t.TempDir())
		storetest.Seed(t, s, 1)
		h := edit(t, s, 4, "n")
		e := startEdge(t, s, state)
		e.untilRev(t, h.Rev)
		e.stop()

		storetest.Seed(t, other, 3)
		theirs := storetest.Load(t, other).Head()
		e = startEdge(t, other, state)
		e.untilAlarm(t, follow.AlarmOtherEpoch)
		if err := e.AcceptEpoch(policy.MintEpoch()); err == nil {
			t.Error("an epoch is accepted that the store does not hold")
		}
		if e.Current().Head() != h {
			t.Fatalf("in force %+v, was %+v", e.Current().Head(), h)
		}
		if err := e.AcceptEpoch(theirs.Epoch); err != nil {
			t.Fatal(err)
		}
		if e.Current().Head() != theirs || e.Current().Len() != 3 {
			t.Errorf("in force %+v, accepted %+v", e.Current().Head(), theirs)
		}
		e.untilCalm(t)
		until(t, "stored", func() bool { return e.State().Stored == theirs.Rev })
		e.stop()
		if again := startEdge(t, other, state); again.Current().Head() != theirs {
			t.Errorf("after a restart %+v", again.Current().Head())
		} else {
			again.stop()
		}
	})
}

// An edge that was off while the log was trimmed goes to the head by its checkpoint, if that names its chain.
func TestTrimmedLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		state := t.TempDir()
		s := fileStore(t, t.TempDir())
		storetest.Seed(t, s, 2)
		e := startEdge(t, s, state)
		e.untilRev(t, 1)
		e.stop()
		h := edit(t, s, 90, "n")
		if _, err := s.Since(t.Context(), 1); err == nil {
			t.Fatal("the log was not trimmed")
		}
		e = startEdge(t, s, state)
		e.untilRev(t, h.Rev)
		if got := e.applied(); !slices.Equal(got, []uint64{1, h.Rev}) {
			t.Errorf("applied %v", got)
		}
		e.untilCalm(t)
		e.stop()
	})
}

// A torn disk copy falls back to the one before, and the follower goes on from there.
func TestTornDisk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		state := t.TempDir()
		s := fileStore(t, t.TempDir())
		storetest.Seed(t, s, 1)
		e := startEdge(t, s, state)
		e.untilRev(t, 1)
		e.stop()
		h := edit(t, s, 70, "n") // the jump over a trimmed log writes a second checkpoint
		e = startEdge(t, s, state)
		e.untilRev(t, h.Rev)
		e.stop()
		files, err := filepath.Glob(filepath.Join(state, "policy", "*.ckpt"))
		if err != nil || len(files) != 2 {
			t.Fatalf("%v, %v", files, err)
		}
		slices.Sort(files)
		if err := os.Truncate(files[1], 300); err != nil {
			t.Fatal(err)
		}
		e = startEdge(t, s, state)
		if got := e.applied()[0]; got != 1 {
			t.Errorf("began with rev %d", got)
		}
		e.untilRev(t, h.Rev)
		until(t, "stored again", func() bool { return e.State().Stored == h.Rev })
		e.stop()
	})
}
