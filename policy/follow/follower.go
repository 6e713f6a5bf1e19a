package follow

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/hotcut/hotcut/policy"
	"github.com/hotcut/hotcut/policy/filestore"
)

// Config is what a follower works with. Store, Disk and Orders are needed, the rest may be left out.
type Config struct {
	Store  policy.Store // must be a policy.Ancestry as well, as redisstore and filestore are
	Disk   *filestore.Disk
	Orders *filestore.OverridesFile
	Log    *slog.Logger

	// Fill completes each report with what only the edge knows (name, admin address, keys, dialogs).
	Fill func(*policy.NodeState)
	// Apply is told of every snapshot put into force, in order, also of those that only the orders changed. It must not
	// call the follower.
	Apply func(*policy.Snapshot)
	// ServeLegacy: while there has never been a policy, serve from an empty one (everything to legacy) instead of none.
	ServeLegacy bool
}

const (
	headEvery   = 2 * time.Second        // the head is the truth, whatever the stream says
	headAlone   = 250 * time.Millisecond // while no stream rings
	reportEvery = time.Second
	callTime    = 2 * time.Second // of one small request to the store
	loadTime    = time.Minute     // of loading or catching up
	minBackoff  = 100 * time.Millisecond
	maxBackoff  = 2 * time.Second
)

// A Follower is one edge's view of the policy. New reads the disk copy, Run follows the store.
//
// Concurrency: turn is held by whoever compares, catches up and swaps, over calls to the store; editing is held by
// whoever changes the orders, over writes to the disk. mu is held for moments only, so a State or an order never waits
// for the store. Readers see none of them: view is an atomic pointer to an immutable snapshot.
// Invariant: base changes only with turn and mu held. Order of locking: turn or editing, then mu.
type Follower struct {
	cfg     Config
	boot    string
	born    time.Time
	view    atomic.Pointer[policy.Snapshot] // with overrides
	seen    atomic.Int64                    // when the head was last read, nanoseconds since born; 0: never
	turn    sync.Mutex
	editing sync.Mutex

	mu      sync.Mutex // guards what follows
	base    *policy.Snapshot
	orders  *policy.Overrides
	applied int64 // unix ms
	stored  uint64
	nack    *policy.Nack
	alarm   string          // about the store
	badFile bool            // the overrides file can not be read
	badDisk bool            // the disk copy can not be written
	unsaved []policy.Change // since stored; nil with dirty: write a checkpoint
	dirty   bool

	streaming atomic.Bool // the store's stream rings

	wake   chan struct{}
	again  chan struct{} // the store answers: the stream may come back
	report chan struct{}
	save   chan struct{}
}

// New reads the disk copy and the overrides. A torn copy falls back to the one before, an overrides file that can not be
// read to the orders that were last in force; both are logged.
func New(cfg Config) (*Follower, error) {
	if _, ok := cfg.Store.(policy.Ancestry); !ok {
		return nil, fmt.Errorf("store %T can not say what it descends from", cfg.Store)
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	f := &Follower{cfg: cfg, born: time.Now(), boot: mintBoot(),
		wake: make(chan struct{}, 1), again: make(chan struct{}, 1), report: make(chan struct{}, 1), save: make(chan struct{}, 1)}
	s, torn, err := cfg.Disk.Load()
	if err != nil {
		return nil, fmt.Errorf("disk copy of the policy: %w", err)
	}
	if torn != nil {
		cfg.Log.Warn("the newest disk copy of the policy is torn", "err", torn, "serving", s != nil)
	}
	if s != nil {
		f.stored, f.applied = s.Rev(), time.Now().UnixMilli()
	}
	if f.orders, err = cfg.Orders.Load(); err != nil {
		f.badFile = true
		f.orders = cfg.Orders.Kept()
		cfg.Log.Error("the overrides file can not be read; the orders last in force stay", "err", err, "tenants", tenants(f.orders))
	}
	f.base = s
	f.show()
	return f, nil
}

func mintBoot() string {
	var b [8]byte
	rand.Read(b[:])
	return hex.EncodeToString(b[:])
}

// Current is the policy in force with the edge's own orders; nil before there is one.
func (f *Follower) Current() *policy.Snapshot { return f.view.Load() }

// show puts base and orders into force. Called with mu held, or before Run.
func (f *Follower) show() {
	s := f.base
	if s == nil && (f.cfg.ServeLegacy || !filestore.Empty(f.orders)) {
		s = policy.Empty("")
	}
	if s != nil && !filestore.Empty(f.orders) {
		s = s.WithOverrides(f.orders)
	}
	f.view.Store(s)
	if f.cfg.Apply != nil && s != nil {
		f.cfg.Apply(s)
	}
}

// Run follows until ctx ends.
func (f *Follower) Run(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { f.runWatch(ctx); return nil })
	g.Go(func() error { f.runSteps(ctx); return nil })
	g.Go(func() error { f.runReports(ctx); return nil })
	g.Go(func() error { f.runSaves(ctx); return nil })
	g.Go(func() error { f.cfg.Orders.Watch(ctx, f.ordersChanged); return nil })
	return g.Wait()
}

// runWatch is rung by the store's stream, and comes back to it for ever: later and later, and at once when the store is
// heard of again.
func (f *Follower) runWatch(ctx context.Context) {
	wait := minBackoff
	for ctx.Err() == nil {
		began := time.Now()
		err := f.cfg.Store.Watch(ctx, func(policy.Head) {
			f.streaming.Store(true)
			nudge(f.wake)
		})
		if ctx.Err() != nil {
			return
		}
		if f.streaming.Swap(false) {
			nudge(f.wake) // ask more often from now on
		}
		if time.Since(began) > maxBackoff {
			wait = minBackoff
		}
		f.cfg.Log.Debug("the policy stream broke", "err", err, "again_in", wait.String())
		if pause(ctx, wait, f.again) {
			wait = minBackoff
			continue
		}
		wait = min(2*wait, maxBackoff)
	}
}

// runSteps asks for the head when the bell rings, and every 2 s: a stream that is silent may be dead. While there is no
// stream it asks every 250 ms: the first answer after an outage brings the policy, and the stream back. Answers alone do
// not: a store that answers and refuses the stream is not asked for it at every answer.
func (f *Follower) runSteps(ctx context.Context) {
	for heard := true; ctx.Err() == nil; {
		answered := f.step(ctx)
		if answered && !heard && !f.streaming.Load() {
			nudge(f.again)
		}
		heard = answered
		every := headEvery
		if !f.streaming.Load() {
			every = headAlone
		}
		pause(ctx, every, f.wake)
	}
}

// State is what the edge says of itself. It never waits for the store.
func (f *Follower) State() policy.NodeState {
	f.mu.Lock()
	n := policy.NodeState{Boot: f.boot, Schemas: []int{policy.Schema}, Stored: f.stored, AppliedAt: f.applied, Nack: f.nack,
		Alarms: f.alarmsLocked(), Overrides: f.orders, State: policy.NoRev}
	if f.base != nil {
		n.Epoch, n.Rev, n.Chain = f.base.Epoch(), f.base.Rev(), f.base.Chain()
		n.State = policy.Stale
		switch seen := f.seen.Load(); {
		case seen == 0:
			n.State = policy.Disk
		case time.Since(f.born)-time.Duration(seen) < policy.Remain:
			n.State = policy.Live
		}
	}
	f.mu.Unlock()
	if f.cfg.Fill != nil {
		f.cfg.Fill(&n)
	}
	return n
}

func (f *Follower) runReports(ctx context.Context) {
	tick := time.NewTicker(reportEvery)
	defer tick.Stop()
	for {
		c, cancel := context.WithTimeout(ctx, callTime)
		if err := f.cfg.Store.Report(c, f.State()); err != nil && !errors.Is(err, context.Canceled) {
			f.cfg.Log.Debug("the store did not take the report", "err", err)
		}
		cancel()
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		case <-f.report:
		}
	}
}

func nudge(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// pause waits d, give or take a half: edges that lost the store together do not come back together. It reports whether
// the bell rang before that.
func pause(ctx context.Context, d time.Duration, bell <-chan struct{}) bool {
	var b [1]byte
	rand.Read(b[:])
	t := time.NewTimer(d/2 + d*time.Duration(b[0])/256)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	case <-bell:
		return true
	}
	return false
}
