package store

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync"
	"time"

	"github.com/hotcut/hotcut/migration/shadow/compare"
	"github.com/hotcut/hotcut/migration/shadow/record"
)

// Keeper is what an edge does with its verdicts: it counts them, keeps their exchanges on the disk and writes both where
// they are shared, while Run runs.
//
// Invariant: Put never waits. What does not fit into the queue is dropped and counted, the newest first: what is in it is
// older and nearer to being kept. The tally belongs to Run's goroutine; a store that hangs delays writing, not counting.
type Keeper struct {
	// Set once by NewKeeper.
	o     KeeperOptions
	tally *compare.Tally

	mu     sync.Mutex // guards what follows
	queue  []item
	bytes  int64
	stats  KeeperStats
	drops  map[drop]uint64 // since the tally was told
	wakeup chan struct{}

	flushes chan chan struct{}
}

type item struct {
	v            *compare.Verdict
	live, shadow *record.Exchange
	bytes        int64
}

type drop struct{ tenant, reason string }

// Reasons of calls that the keeper drops.
const (
	DropQueue    = "keeper_queue"    // more verdicts than are counted in time
	DropExchange = "keeper_exchange" // counted, but its messages are not on the disk
)

// KeeperOptions is what a Keeper is made of. What has a default may be left out.
type KeeperOptions struct {
	Edge, Boot string
	Store      Store
	Exchanges  *Exchanges                           // nil: no messages are kept
	Redactor   func(tenant string) *record.Redactor // of what is kept
	Rules      []compare.Rule                       // of the verdicts; nil: compare.Rules
	Profile    func(tenant string) string           // identifies a profile's content; nil: the verdict's Profile
	Fault      func(err error)                      // what went wrong in the background; nil: Log
	Every      time.Duration                        // between two writes; 5 s
	Retention  time.Duration                        // 30 days
	QueueBytes int64                                // of exchanges that wait; 32 MiB
	Yield      func()                               // called after each verdict, for who has something more urgent; nil: nothing
	Log        *slog.Logger
	Now        func() time.Time
}

// KeeperStats is what a keeper has done.
type KeeperStats struct {
	Kept    uint64    `json:"kept"`    // verdicts that were counted
	Dropped uint64    `json:"dropped"` // verdicts that did not fit into the queue
	Waiting int       `json:"waiting"`
	Written time.Time `json:"written,omitzero"` // when the store took everything
	Failing string    `json:"failing,omitempty"`
}

// NewKeeper checks the options. It starts nothing.
func NewKeeper(o KeeperOptions) (*Keeper, error) {
	if o.Store == nil || o.Redactor == nil {
		return nil, errors.New("shadow: a keeper needs a store and redactors")
	}
	if err := checkNames(o.Edge, o.Boot); err != nil {
		return nil, fmt.Errorf("shadow: %w", err)
	}
	o.Every = cmp.Or(o.Every, 5*time.Second)
	o.Retention = cmp.Or(o.Retention, 30*24*time.Hour)
	o.QueueBytes = cmp.Or(o.QueueBytes, 32<<20)
	if o.Rules == nil {
		o.Rules = compare.Rules
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Yield == nil {
		o.Yield = func() {}
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Fault == nil {
		o.Fault = func(err error) { o.Log.Warn("shadow calls are not kept", "err", err) }
	}
	return &Keeper{
		o: o, tally: compare.New(o.Edge, o.Boot, o.Rules), drops: make(map[drop]uint64), wakeup: make(chan struct{}, 1),
		flushes: make(chan chan struct{}),
	}, nil
}

// Put hands over a verdict with its exchanges, which are the keeper's from then on and may be unredacted. It never waits.
func (k *Keeper) Put(v *compare.Verdict, live, shadow *record.Exchange) {
	it := item{v, live, shadow, weigh(live) + weigh(shadow)}
	k.mu.Lock()
	if fits := len(k.queue) < maxQueue && k.bytes+it.bytes <= k.o.QueueBytes; fits {
		k.queue = append(k.queue, it)
		k.bytes += it.bytes
	} else {
		k.stats.Dropped++
		k.dropped(v.Tenant, DropQueue, 1)
	}
	k.mu.Unlock()
	select {
	case k.wakeup <- struct{}{}:
	default:
	}
}

// Drop counts n calls of a tenant that the mirror lost, by its reason.
func (k *Keeper) Drop(tenant, reason string, n uint64) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.dropped(tenant, reason, n)
}

const (
	maxQueue = 8192 // verdicts
	maxDrops = 4096 // tenants and reasons between two looks at them
)

// dropped needs mu.
func (k *Keeper) dropped(tenant, reason string, n uint64) {
	d := drop{tenant, reason}
	if _, known := k.drops[d]; !known && len(k.drops) >= maxDrops {
		d.tenant = "" // of nobody in particular
	}
	k.drops[d] += n
}

// Flush writes what waits and reads who was purged, now, and returns when that is done. After it nothing of a tenant that was
// purged before is left here. Run must be running.
func (k *Keeper) Flush(ctx context.Context) error {
	done := make(chan struct{})
	select {
	case k.flushes <- done:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// Stats may be asked at any time.
func (k *Keeper) Stats() KeeperStats {
	k.mu.Lock()
	defer k.mu.Unlock()
	s := k.stats
	s.Waiting = len(k.queue)
	return s
}

func weigh(x *record.Exchange) int64 {
	const fixed = 2 << 10 // of an exchange without messages
	if x == nil {
		return 0
	}
	n := int64(fixed)
	legs := func(l *record.Leg) {
		for i := range l.Messages {
			n += int64(len(l.Messages[i].Raw)) + 64
		}
	}
	legs(&x.Near)
	for i := range x.Far {
		legs(&x.Far[i])
	}
	return n
}

// Run keeps until ctx ends, and then writes once more what is waiting: at most some seconds. A fault of ours ends it sooner; then
// verdicts are dropped and counted, and the process goes on.
func (k *Keeper) Run(ctx context.Context) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("a fault of ours: %v; nothing is kept until the edge is started again", p)
			k.o.Log.Error("shadow: a fault of ours", "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
			k.fault(err)
		}
	}()
	w := newWriting(k)
	tick := time.NewTicker(k.o.Every)
	defer tick.Stop()
	var asked, served []chan struct{} // who waits for a round that is to begin, and for the one under way
	flush := func() {
		if len(asked) > 0 && !w.busy {
			k.drain(ctx, w)
			w.start(ctx)
			asked, served = nil, asked
		}
	}
	for {
		select {
		case <-k.wakeup:
			k.drain(ctx, w)
		case done := <-k.flushes:
			asked = append(asked, done)
			flush()
		case r := <-w.done:
			w.finish(r)
			for _, done := range served {
				close(done)
			}
			served = nil
			if flush(); r.err == nil && len(w.gone) > 0 {
				w.start(ctx) // what was purged goes now
			}
		case <-tick.C:
			k.drain(ctx, w)
			w.start(ctx)
		case <-ctx.Done():
			if w.busy {
				w.finish(<-w.done)
			}
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastWrite)
			defer cancel()
			k.drain(last, w)
			w.start(last)
			if w.finish(<-w.done); len(w.gone) > 0 {
				w.start(last)
				w.finish(<-w.done)
			}
			return nil
		}
	}
}

const lastWrite = 5 * time.Second

// drain counts and keeps all that waits.
func (k *Keeper) drain(ctx context.Context, w *writing) {
	k.mu.Lock()
	queue, drops := k.queue, k.drops
	k.queue, k.bytes, k.drops = nil, 0, make(map[drop]uint64)
	k.mu.Unlock()
	for _, it := range queue {
		k.keep(it, w)
		k.o.Yield()
	}
	for d, n := range drops {
		if d.tenant != "" {
			k.tally.Drop(d.tenant, d.reason, n)
		}
	}
	k.mu.Lock()
	k.stats.Kept += uint64(len(queue))
	k.mu.Unlock()
}

func (k *Keeper) keep(it item, w *writing) {
	sampled := k.tally.Add(it.v)
	x := &Example{Verdict: it.v}
	r := k.o.Redactor(it.v.Tenant)
	if r != nil {
		for _, side := range []struct {
			from *record.Exchange
			to   **record.Exchange
		}{{it.live, &x.Live}, {it.shadow, &x.Shadow}} {
			if side.from != nil {
				*side.to = r.Exchange(side.from)
			}
		}
	}
	if k.o.Exchanges != nil {
		if err := k.o.Exchanges.Append(x); err != nil {
			k.tally.Drop(it.v.Tenant, DropExchange, 1)
			k.fault(err)
		}
	}
	if sampled && len(w.samples) < maxSamples {
		w.samples = append(w.samples, x)
	}
}

func (k *Keeper) fault(err error) {
	k.mu.Lock()
	news := k.stats.Failing != err.Error()
	k.stats.Failing = err.Error()
	k.mu.Unlock()
	if news {
		k.o.Fault(err)
	}
}
