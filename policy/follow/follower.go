package follow

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/hotcut/hotcut/policy"
	"github.com/hotcut/hotcut/policy/filestore"
)

// Config is what a follower works with.
type Config struct {
	Store  policy.Store
	Disk   *filestore.Disk
	Orders *filestore.OverridesFile
	Log    *slog.Logger

	// Fill completes each report with what only the edge knows (name, admin address, keys, dialogs).
	Fill func(*policy.NodeState)
	// ServeLegacy: while there has never been a policy, serve from an empty one (everything to legacy) instead of none.
	ServeLegacy bool
}

const (
	headEvery   = 2 * time.Second // the head is the truth, whatever the stream says
	reportEvery = time.Second
	callTime    = 2 * time.Second // of one small request to the store
	loadTime    = time.Minute     // of loading or catching up
	minBackoff  = 100 * time.Millisecond
	maxBackoff  = 2 * time.Second
)

// A Follower is one edge's view of the policy. New reads the disk copy, Run follows the store.
//
// Concurrency: whoever asks the store holds turn, so heads from the stream and from the poll are taken one after the
// other; mu guards the fields and is never held while something waits, so that reports and overrides pass while a store
// hangs. Readers see neither: view is an atomic pointer to an immutable snapshot.
type Follower struct {
	cfg  Config
	boot string
	view atomic.Pointer[policy.Snapshot] // with overrides
	seen atomic.Int64                    // unix ms, when the head was last read; 0: never

	turn sync.Mutex // one conversation with the store at a time

	mu      sync.Mutex // guards what follows
	base    *policy.Snapshot
	orders  *policy.Overrides
	applied int64 // unix ms
	stored  uint64
	nack    *policy.Nack
	alarms  []string
	unsaved []policy.Change // since stored; nil with dirty: write a checkpoint
	dirty   bool

	report chan struct{}
	save   chan struct{}
}

// New reads the disk copy and the overrides. A torn copy falls back to the one before; it is logged.
func New(cfg Config) (*Follower, error) {
	f := &Follower{cfg: cfg, report: make(chan struct{}, 1), save: make(chan struct{}, 1)}
	var b [8]byte
	rand.Read(b[:])
	f.boot = hex.EncodeToString(b[:])
	s, torn, err := cfg.Disk.Load()
	if err != nil {
		return nil, fmt.Errorf("disk copy of the policy: %w", err)
	}
	if torn != nil {
		cfg.Log.Warn("the newest disk copy of the policy is torn, the one before serves", "err", torn)
	}
	o, err := cfg.Orders.Load()
	if err != nil {
		return nil, fmt.Errorf("overrides: %w", err)
	}
	f.orders = o
	if s != nil {
		f.stored = s.Rev()
		f.applied = time.Now().UnixMilli()
	}
	f.swap(s)
	return f, nil
}

// Current is the policy in force with the edge's own orders; nil before there is one.
func (f *Follower) Current() *policy.Snapshot { return f.view.Load() }

// swap puts s into force. Called with mu held, or before Run.
func (f *Follower) swap(s *policy.Snapshot) {
	f.base = s
	if s == nil && (f.cfg.ServeLegacy || !filestore.Empty(f.orders)) {
		s = policy.Empty("")
	}
	if s != nil && !filestore.Empty(f.orders) {
		s = s.WithOverrides(f.orders)
	}
	f.view.Store(s)
}

// Run follows until ctx ends.
func (f *Follower) Run(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { f.runWatch(ctx); return nil })
	g.Go(func() error { f.runPoll(ctx); return nil })
	g.Go(func() error { f.runReports(ctx); return nil })
	g.Go(func() error { f.runSaves(ctx); return nil })
	g.Go(func() error { f.cfg.Orders.Watch(ctx, f.ordersChanged); return nil })
	return g.Wait()
}

// runWatch takes heads from the store's stream, and comes back to it whenever it breaks.
func (f *Follower) runWatch(ctx context.Context) {
	wait := minBackoff
	for ctx.Err() == nil {
		began := time.Now()
		err := f.cfg.Store.Watch(ctx, func(h policy.Head) { f.step(ctx, h) })
		if ctx.Err() != nil {
			return
		}
		if time.Since(began) > maxBackoff {
			wait = minBackoff
		}
		f.cfg.Log.Debug("the policy stream broke", "err", err, "again_in", wait.String())
		pause(ctx, wait)
		wait = min(2*wait, maxBackoff)
	}
}

// runPoll reads the head every 2 s: a stream that is silent may be dead.
func (f *Follower) runPoll(ctx context.Context) {
	tick := time.NewTicker(headEvery)
	defer tick.Stop()
	for {
		c, cancel := context.WithTimeout(ctx, callTime)
		h, err := f.cfg.Store.Head(c)
		cancel()
		switch {
		case err == nil:
			f.step(ctx, h)
		case errors.Is(err, policy.ErrNoPolicy):
			f.emptied()
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

func (f *Follower) runReports(ctx context.Context) {
	tick := time.NewTicker(reportEvery)
	defer tick.Stop()
	for {
		c, cancel := context.WithTimeout(ctx, callTime)
		if err := f.cfg.Store.Report(c, f.State()); err != nil {
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

// runSaves writes the disk copy, many revs at once if they come fast, and once more at the end.
func (f *Follower) runSaves(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			f.saveNow()
			return
		case <-f.save:
			f.saveNow()
		}
	}
}

func (f *Follower) saveNow() {
	f.mu.Lock()
	s, changes, dirty := f.base, f.unsaved, f.dirty
	f.unsaved, f.dirty = nil, false
	f.mu.Unlock()
	if !dirty || s == nil {
		return
	}
	err := f.cfg.Disk.Save(s, changes)
	f.mu.Lock()
	if err == nil {
		f.stored = s.Rev()
	} else {
		f.dirty, f.unsaved = true, nil
	}
	f.mu.Unlock()
	if err != nil {
		f.cfg.Log.Error("the policy could not be written to disk; it serves from memory", "rev", s.Rev(), "err", err)
		return
	}
	nudge(f.report)
}

// State is what the edge says of itself.
func (f *Follower) State() policy.NodeState {
	f.mu.Lock()
	n := policy.NodeState{Boot: f.boot, Schemas: []int{1}, Stored: f.stored, AppliedAt: f.applied, Nack: f.nack,
		Alarms: slices.Clone(f.alarms), Overrides: f.orders, State: policy.NoRev}
	if f.base != nil {
		n.Epoch, n.Rev, n.Chain = f.base.Epoch(), f.base.Rev(), f.base.Chain()
		n.State = policy.Stale
		switch seen := f.seen.Load(); {
		case seen == 0:
			n.State = policy.Disk
		case time.Now().UnixMilli()-seen < policy.Remain.Milliseconds():
			n.State = policy.Live
		}
	}
	f.mu.Unlock()
	if f.cfg.Fill != nil {
		f.cfg.Fill(&n)
	}
	return n
}

func nudge(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

func pause(ctx context.Context, d time.Duration) {
	var b [2]byte
	rand.Read(b[:])
	t := time.NewTimer(d/2 + d*time.Duration(b[0])/256)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}
