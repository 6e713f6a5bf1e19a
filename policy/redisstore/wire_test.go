package redisstore_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"

	"github.com/hotcut/hotcut/policy"
	"github.com/hotcut/hotcut/policy/redisstore"
	"github.com/hotcut/hotcut/policy/storetest"
)

// tap is a dialer whose connections are watched and can be meddled with.
type tap struct {
	moved    atomic.Int64        // bytes, both ways
	commits  atomic.Int64        // EVALSHA seen
	cut      atomic.Bool         // close behind the next EVALSHA
	swapWith atomic.Pointer[tap] // each request gets the answer to one of the other's
	asked    chan net.Conn       // while swapped: connections that wait for an answer
}

func (p *tap) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	c, err := new(net.Dialer).DialContext(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	return &tappedConn{Conn: c, tap: p}, nil
}

type tappedConn struct {
	net.Conn
	tap  *tap
	from net.Conn // whose answer this request gets; nil: not known yet
}

func (c *tappedConn) Write(b []byte) (int, error) {
	c.tap.moved.Add(int64(len(b)))
	c.from = nil
	n, err := c.Conn.Write(b)
	if c.tap.swapWith.Load() != nil {
		c.tap.asked <- c.Conn
	}
	if bytes.Contains(bytes.ToLower(b), []byte("evalsha")) {
		c.tap.commits.Add(1)
		if c.tap.cut.CompareAndSwap(true, false) {
			c.Conn.Close()
		}
	}
	return n, err
}

func (c *tappedConn) Read(b []byte) (int, error) {
	from := c.Conn
	if c.from != nil {
		from = c.from // the answer comes in several parts
	} else if other := c.tap.swapWith.Load(); other != nil {
		select {
		case c.from = <-other.asked:
			from = c.from
		case <-time.After(time.Minute):
			return 0, errors.New("the other client asks nothing")
		}
	}
	n, err := from.Read(b)
	c.tap.moved.Add(int64(n))
	return n, err
}

// SetReadDeadline forgets the deadline while answers are swapped: the other client may ask late, and a connection that is given up takes the
// other's answers along.
func (c *tappedConn) SetReadDeadline(t time.Time) error {
	if c.tap.swapWith.Load() != nil {
		t = time.Time{}
	}
	return c.Conn.SetReadDeadline(t)
}

func tapped(t testing.TB, url, ns string) (*redisstore.Store, *tap) {
	t.Helper()
	p := &tap{asked: make(chan net.Conn, 64)}
	s, err := redisstore.Open(t.Context(), url, ns, redisstore.Dialer(p.dial))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s, p
}

// A flip by a fresh process moves kilobytes, whatever the size of the policy.
func TestFlipMovesKilobytes(t *testing.T) {
	m := miniredis.RunT(t)
	flipMoves(t, "redis://"+m.Addr(), 3000, 64<<10)
}

// flipMoves fills a store with tenants, and asserts that flip, rollback and halt of fresh processes move less than limit
// bytes each, and end in the state that the whole policy would have had.
func flipMoves(t *testing.T, url string, tenants int, limit int64) {
	writer, err := redisstore.Open(t.Context(), url, "test")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { writer.Close() })
	storetest.Seed(t, writer, tenants)
	for _, step := range []struct {
		name string
		make func(*policy.Light) policy.Change
	}{
		{"flip", func(l *policy.Light) policy.Change {
			before := l.Tenant("t7").Tenant
			after := *before
			after.Stage = policy.StageCore
			return policy.Change{Kind: policy.KindFlip, Tenants: []policy.TenantChange{{ID: "t7", Before: before, After: &after}}}
		}},
		{"rollback", func(l *policy.Light) policy.Change {
			after := *l.Tenant("t7").Tenant
			after.RolledBack = true
			return policy.Change{Kind: policy.KindRollback, Force: true, Tenants: []policy.TenantChange{{ID: "t7", After: &after}}}
		}},
		{"halt", func(l *policy.Light) policy.Change {
			g := l.Globals()
			g.Halt = policy.HaltAllLegacy
			return policy.Change{Kind: policy.KindHalt, Force: true, Globals: &policy.GlobalsChange{After: &g}}
		}},
	} {
		s, p := tapped(t, url, "test")
		l, err := s.Peek(t.Context(), "t7", "nobody")
		if err != nil {
			t.Fatal(err)
		}
		if l.Tenant("nobody") != nil || l.Tenant("t7") == nil {
			t.Error("Peek found the wrong tenants")
		}
		c := step.make(l)
		c.Epoch, c.Base, c.Actor, c.Key = l.Head().Epoch, l.Head().Rev, "test", policy.MintKey()
		p.moved.Store(0)
		h := storetest.Commit(t, s, c)
		if n := p.moved.Load(); n > limit {
			t.Errorf("a %s in a policy of %d tenants moved %d bytes, limit %d", step.name, tenants, n, limit)
		} else {
			t.Logf("a %s in a policy of %d tenants moved %d bytes", step.name, tenants, n)
		}
		// Proven by replaying it whole: chain, content and root.
		if whole := storetest.Load(t, writer); whole.Head() != h || whole.Len() != tenants {
			t.Errorf("after the %s the store holds %+v, the commit said %+v", step.name, whole.Head(), h)
		}
	}
	whole := storetest.Load(t, writer)
	if r := whole.Tenant("t7").Tenant; r.Stage != policy.StageCore || !r.RolledBack || whole.Globals().Halt != policy.HaltAllLegacy {
		t.Errorf("t7 %+v, globals %+v", r, whole.Globals())
	}
}

// The light way refuses what the whole one refuses.
func TestLightJudgesAlike(t *testing.T) {
	m := miniredis.RunT(t)
	writer := open(t, m)
	snap := storetest.Seed(t, writer, 3)
	storetest.Commit(t, writer, storetest.Edit(snap, policy.KindFlip, "t0", func(t *policy.Tenant) { t.Stage = policy.StageShadow }))

	fresh := func() *redisstore.Store { return open(t, m) }
	_, _, err := fresh().Apply(t.Context(), storetest.Edit(snap, policy.KindFlip, "t0", func(t *policy.Tenant) { t.Stage = policy.StageCore }))
	if !errors.Is(err, policy.ErrConflict) {
		t.Errorf("a stale record: %v", err)
	}
	_, _, err = fresh().Apply(t.Context(), storetest.Edit(snap, policy.KindTenant, "t1", func(t *policy.Tenant) { t.Domains = []string{"t2.example"} }))
	if _, ok := errors.AsType[*policy.Refusal](err); !ok {
		t.Errorf("a claim on another's domain: %v", err)
	}
	_, _, err = fresh().Apply(t.Context(), storetest.Edit(snap, policy.KindTenant, "t1", func(t *policy.Tenant) { t.Share = -5 }))
	if _, ok := errors.AsType[*policy.Refusal](err); !ok {
		t.Errorf("a share below zero: %v", err)
	}
	// A damaged index is noticed: the whole policy is read, and the index written anew where it was touched.
	raw := redis.NewClient(&redis.Options{Addr: m.Addr()})
	defer raw.Close()
	raw.HSet(t.Context(), "{hotcut:test}:buckets", fmt.Sprint(policy.BucketOf("t1")), "nonsense")
	s := fresh()
	h := storetest.Commit(t, s, storetest.Edit(snap, policy.KindFlip, "t1", func(t *policy.Tenant) { t.Stage = policy.StageCore }))
	if got := storetest.Load(t, writer).Head(); got != h {
		t.Errorf("%+v, committed %+v", got, h)
	}
	if _, err := s.Peek(t.Context(), "t1"); err != nil {
		t.Errorf("after the commit the index is still damaged: %v", err)
	}
}

// With tests in the policy only what they can not refuse is judged lightly.
func TestLightWithTests(t *testing.T) {
	m := miniredis.RunT(t)
	writer := open(t, m)
	storetest.Seed(t, writer, 2)
	snap := storetest.Load(t, writer)
	g := snap.Globals()
	after := g
	after.Tests = []policy.Test{{From: "a@t1.example", To: "b@t1.example", Expect: "legacy"}}
	storetest.Commit(t, writer, policy.Change{Epoch: snap.Epoch(), Base: snap.Rev(), Kind: policy.KindTenant, Actor: "test",
		Globals: &policy.GlobalsChange{Before: &g, After: &after}})
	snap = storetest.Load(t, writer)
	_, _, err := open(t, m).Apply(t.Context(), storetest.Edit(snap, policy.KindFlip, "t1", func(t *policy.Tenant) { t.Stage = policy.StageCore }))
	if _, ok := errors.AsType[*policy.Refusal](err); !ok {
		t.Errorf("a flip that fails a test: %v", err)
	}
	storetest.Commit(t, open(t, m), storetest.Rollback(snap, "t0"))
}

// The connection is lost behind the commit: unknown, sent once, and the key tells.
func TestUnknownOutcome(t *testing.T) {
	m := miniredis.RunT(t)
	s, p := tapped(t, "redis://"+m.Addr(), "test")
	snap := storetest.Seed(t, s, 1)
	c := storetest.Edit(snap, policy.KindFlip, "t0", func(t *policy.Tenant) { t.Stage = policy.StageCore })
	p.commits.Store(0)
	p.cut.Store(true)
	_, _, err := s.Apply(t.Context(), c)
	if !errors.Is(err, policy.ErrUnknownOutcome) || !strings.Contains(err.Error(), c.Key) {
		t.Fatalf("got %v", err)
	}
	if n := p.commits.Load(); n != 1 {
		t.Errorf("the commit was sent %d times", n)
	}
	until(t, func() bool { rev, err := s.ByKey(t.Context(), c.Key); return err == nil && rev == 2 })
	if h, _, err := s.Apply(t.Context(), c); err != nil || h.Rev != 2 {
		t.Errorf("the same key again: %+v, %v", h, err)
	}
}

func until(t *testing.T, cond func() bool) {
	t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	deadline := time.After(time.Minute)
	for !cond() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatal("it does not come")
		}
	}
}

func TestUnreachable(t *testing.T) {
	m := startMini(t)
	m.RequireUserAuth("anna", "s3cr3t")
	s, err := redisstore.Open(t.Context(), "redis://anna:s3cr3t@"+m.Addr(), "test")
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	snap := storetest.Seed(t, s, 1)
	addr := m.Addr()
	m.Close()
	_, _, err = s.Apply(t.Context(), storetest.Rollback(snap, "t0"))
	if !errors.Is(err, policy.ErrUnreachable) || errors.Is(err, policy.ErrUnknownOutcome) {
		t.Errorf("Apply: %v", err)
	}
	if _, herr := s.Head(t.Context()); !errors.Is(herr, policy.ErrUnreachable) {
		t.Errorf("Head: %v", herr)
	}
	if werr := s.Watch(t.Context(), func(policy.Head) {}); !errors.Is(werr, policy.ErrUnreachable) {
		t.Errorf("Watch: %v", werr)
	}
	if strings.Contains(err.Error(), "s3cr3t") || !strings.Contains(err.Error(), addr) {
		t.Errorf("the error must name the address and not the password: %v", err)
	}
}

// Two clients get each other's replies: neither believes what it reads.
func TestSwappedReplies(t *testing.T) {
	m := miniredis.RunT(t)
	for _, ns := range []string{"a", "b"} { // by others: a writer's checkpoint comes behind its commit, on a connection of its own
		w, err := redisstore.Open(t.Context(), "redis://"+m.Addr(), ns)
		if err != nil {
			t.Fatal(err)
		}
		storetest.Seed(t, w, 1)
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
	}
	a, ta := tapped(t, "redis://"+m.Addr(), "a")
	b, tb := tapped(t, "redis://"+m.Addr(), "b")
	for _, s := range []*redisstore.Store{a, b} {
		if _, err := s.Head(t.Context()); err != nil { // a warm connection: no handshake is swapped
			t.Fatal(err)
		}
	}
	ta.swapWith.Store(tb)
	tb.swapWith.Store(ta)
	both := func(what string, ask func(s *redisstore.Store) error) {
		t.Helper()
		errs := make(chan error, 2)
		for _, s := range []*redisstore.Store{a, b} {
			go func() { errs <- ask(s) }()
		}
		for range 2 {
			if err := <-errs; err == nil || !strings.Contains(err.Error(), "not an answer") {
				t.Errorf("%s believes another's reply: %v", what, err)
			}
		}
	}
	both("Head", func(s *redisstore.Store) error { _, err := s.Head(t.Context()); return err })
	both("Since", func(s *redisstore.Store) error { _, err := s.Since(t.Context(), 0); return err })
}
