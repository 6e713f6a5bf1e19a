package proxy

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"log/slog"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/hotcut/hotcut/policy"
	"github.com/hotcut/hotcut/policy/follow"
	"github.com/hotcut/hotcut/proxy/admin"
	"github.com/hotcut/hotcut/proxy/callrecord"
	"github.com/hotcut/hotcut/proxy/choice"
	"github.com/hotcut/hotcut/proxy/config"
	"github.com/hotcut/hotcut/proxy/digest"
	"github.com/hotcut/hotcut/proxy/limit"
	"github.com/hotcut/hotcut/proxy/location"
	"github.com/hotcut/hotcut/proxy/transaction"
	"github.com/hotcut/hotcut/proxy/transport"
	"github.com/hotcut/hotcut/proxy/wire"
)

// Options are what an edge is made of.
type Options struct {
	Config *config.Config
	Store  policy.Store // closed by the caller
	Log    *slog.Logger // nil: discard
	Build  string       // version, for the roster
	// Reload reads the configuration again, for SIGHUP and `hotcut edges reload`. nil: reload is refused.
	Reload func() (*config.Config, error)
	// Share lets the edge share bindings with the others over the Redis that Config.Data or Config.Store names. nil: it shares
	// with nobody.
	Share func(url string, t *location.Table, log *slog.Logger) (*Sharing, error)
	// Tap gets copies of what mirrored calls say. nil: nothing is copied.
	Tap Tap
	// Shadow is what the edge shows of whoever has the tap. nil: nothing is mirrored.
	Shadow *Shadowing
	// PoisonBuffers overwrites receive buffers after each batch: tests see at once who kept a slice.
	PoisonBuffers bool
}

// Sharing is a running share of the location table: what its owner runs, asks and shows.
type Sharing struct {
	Run func(context.Context) error
	// Ask looks for one binding from aside, briefly; done is told on another goroutine, once the table knows it.
	Ask   func(id location.ID, done func(*location.Binding))
	State func() ShareState
}

// ShareState says how sharing goes. Counters count since the start.
type ShareState struct {
	Live      bool      // the bindings of all edges are known and followed
	Since     time.Time // of Live, as it is
	LastError string

	Published, Learned, Dropped, Foreign uint64 // records written, that brought news, too long to be written, that no edge wrote
	Asked, AskShed, AskLate              uint64 // single look-ups; of them not sent, not answered in time
}

// An Edge is one running Hotcut proxy node. New binds its sockets and opens its files; Run works; when Run returns,
// nothing of it is left. See shard for how it is shared between goroutines.
type Edge struct {
	// Set once by New.
	cfg         *config.Config
	opts        Options
	log         *slog.Logger
	hash        func(callID []byte) uint32 // spreads Call-IDs over shards
	inForce     func() *policy.Snapshot    // the policy; one atomic load
	started     time.Time
	limits      wire.Limits
	timers      transaction.Timers
	sosTimers   transaction.Timers // of an emergency call's targets but the last
	maxRequests int64              // of all shards
	maxDialogs  int                // per shard
	transport   *transport.Transport
	follower    *follow.Follower
	ring        *choice.Ring
	dialogFile  *choice.Dialogs
	records     *callrecord.Log
	media       *mediaPlane    // nil: SDP passes untouched
	sources     *limit.Sources // unknown ones
	known       *limit.Sources // platforms, carriers, PBX trunks, edges
	tenants     *limit.Tenants
	count       *counters
	location    *location.Table
	sharing     *Sharing // nil: bindings are not shared
	tap         Tap      // nil: nothing is copied
	nonces      *digest.Nonces
	phones      atomic.Pointer[map[netip.Addr]int32] // behind each address
	load        load
	intercepts  intercepts
	fuse        fuse
	callers     callers
	waits       waits
	evictedFor  *policy.Snapshot // of runChores: by which subscriptions were last looked at
	revSince    atomic.Int64     // unix ns: when the policy in force came
	now         func() int64     // for what comes from aside; steps get the time as a value
	newOut      func() *transport.Out
	open        func(conn uint64) bool // tells whether a connection is there; nil: there are none
	admin       *admin.Server
	refusals    refusalLog
	lines       lines

	topo       atomic.Pointer[topology]
	fleet      fleet
	probes     probes
	own        uac    // Hotcut's own requests
	keeper     keeper // what both platforms hold of this edge's phones
	draining   atomic.Bool
	drainUntil atomic.Int64                  // unix ns
	current    atomic.Pointer[config.Config] // as last reloaded
	drained    chan struct{}                 // closed when a drain has come to its end
	drainOne   sync.Once
	reloadMu   sync.Mutex // one reload at a time
	keyIDs     atomic.Pointer[[]string]
	panics     atomic.Uint64
	held       atomic.Int64 // requests of all shards

	readers sync.Pool
	shards  [shards]shard
}

// New checks the configuration, binds every listener and opens the state directory. It starts nothing.
func New(o Options) (_ *Edge, err error) {
	if err := o.Config.Validate(); err != nil {
		return nil, err
	}
	res, err := o.Config.Resolve()
	if err != nil {
		return nil, err
	}
	ring, err := config.LoadKeys(o.Config.Keys)
	if err != nil {
		return nil, err
	}
	e := &Edge{cfg: o.Config, opts: o, tap: o.Tap, log: o.Log, hash: seededHash(), started: time.Now(), drained: make(chan struct{})}
	if e.log == nil {
		e.log = slog.New(slog.DiscardHandler)
	}
	e.setLimits()
	e.count = newCounters(e)
	e.lines.queue = make(chan func(), 64)
	e.nonces = digest.NewNonces(nonceEntries, nonceAge*time.Second)
	e.intercepts.seed, e.fuse.seed = maphash.MakeSeed(), maphash.MakeSeed()
	e.waits.init()
	e.now = func() int64 { return time.Now().UnixNano() }
	e.newOut = func() *transport.Out { return e.transport.NewOut() }
	e.readers.New = func() any { return new(reader) }
	e.probes.init(e)
	e.own.init(e)
	defer func() {
		if err != nil {
			e.closeMedia()
			e.closeFiles()
			e.closeSockets()
		}
	}()
	if err := e.openFiles(); err != nil {
		return nil, err
	}
	if err := e.openKeeper(ring); err != nil {
		return nil, err
	}
	if err := e.openMedia(&res.Media); err != nil {
		return nil, err
	}
	if o.Share != nil && res.Data != "" {
		if e.sharing, err = o.Share(res.Data, e.location, e.log); err != nil {
			return nil, err
		}
	}
	if e.transport, err = transport.New(specs(res), e.handler(), e.transportLimits()); err != nil {
		return nil, err
	}
	e.open = e.transport.Open
	topo := buildTopology(o.Config, res, e, nil)
	if err := topo.checkNames(); err != nil {
		return nil, err
	}
	e.topo.Store(topo)
	e.current.Store(o.Config)
	e.setKeys(ring)
	e.restoreDialogs(time.Now().UnixNano())
	e.restoreAnchors(time.Now().UnixNano())
	if e.follower, err = e.newFollower(); err != nil {
		return nil, err
	}
	e.inForce = e.follower.Current
	if e.admin, err = admin.New(admin.Listen{Socket: o.Config.Admin.Socket, Metrics: o.Config.Admin.Metrics}, e.backend(), e.log); err != nil {
		return nil, err
	}
	return e, nil
}

// Run serves until ctx ends or a drain has come to its end. Living calls survive it: what they need is in their tokens.
func (e *Edge) Run(ctx context.Context) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	defer e.closeFiles()
	g, ctx := errgroup.WithContext(ctx)
	e.keeper.start(time.Now().UnixNano())
	lasting, endRecords := context.WithCancel(context.Background()) // the last calls' figures come when all else has ended
	recorded := make(chan error, 1)
	go func() { recorded <- e.records.Run(lasting) }()
	g.Go(func() error { return e.transport.Run(ctx) })
	g.Go(func() error { e.runChores(ctx); return nil })
	g.Go(func() error { return e.follower.Run(ctx) })
	g.Go(func() error { e.runRoster(ctx); return nil })
	g.Go(func() error { e.lines.run(ctx); return nil })
	g.Go(func() error { return e.location.Run(ctx) })
	g.Go(func() error { e.runRollCall(ctx); return nil })
	if e.media != nil {
		g.Go(func() error { return e.runMedia(ctx) })
	}
	g.Go(func() error { e.waits.run(ctx, func(x resumption) { e.answered(x.key, x.callHash) }); return nil })
	if e.sharing != nil {
		g.Go(func() error { return e.sharing.Run(ctx) })
	}
	g.Go(func() error { return e.admin.Run(ctx) })
	g.Go(func() error {
		select {
		case <-ctx.Done():
			return nil
		case <-e.drained:
			return errDrained
		}
	})
	err := g.Wait()
	e.closeMedia()
	endRecords()
	err = errors.Join(err, <-recorded)
	if errors.Is(err, errDrained) {
		return e.leave()
	}
	if errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

var errDrained = errors.New("drained")

// closeSockets releases what New bound, if it goes no further.
func (e *Edge) closeSockets() {
	if e.transport == nil {
		return
	}
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	e.transport.Run(ended)
}

// Ready tells whether the edge can serve new calls; the error says why not.
func (e *Edge) Ready() error {
	switch {
	case e.snapshot() == nil:
		return errors.New("no policy yet: the store has not been reached and there is no copy on disk")
	case e.draining.Load():
		return errors.New("draining")
	}
	return nil
}

// Addr is the bound address of a listener by name: for tests and the lab, which bind to port 0.
func (e *Edge) Addr(listener string) string {
	for _, l := range e.topo.Load().listeners {
		if l.name == listener {
			return l.addr.String()
		}
	}
	return ""
}

// snapshot is the policy in force: one atomic load. nil: none yet.
func (e *Edge) snapshot() *policy.Snapshot { return e.inForce() }

func (e *Edge) handler() transport.Handler {
	return transport.Handler{
		Message: e.message, Tick: e.expire, Waited: e.waited, Failed: e.failed, Unreachable: e.unreachable, Broken: e.broken, Closed: e.closed,
		Refused: func(reason string, _ netipAddrPort) { e.count.refused(reason) },
	}
}

func (e *Edge) setLimits() {
	c := e.cfg
	l := &c.Limits
	e.limits = wire.Limits{Message: l.Message, HeaderBytes: l.HeaderSection, Headers: l.Headers, CallID: l.CallID, Branch: l.Branch, Tag: l.Tag, URI: l.URI}
	e.timers = transactionTimers(c)
	e.sosTimers = e.timers
	e.sosTimers.B = min(emergencyWait, e.timers.B)
	e.maxRequests = int64(l.Transactions)
	e.maxDialogs = max(l.Dialogs/shards*2, 16)
	e.sources = limit.NewSources(limit.SourcesConfig{Entries: l.Sources, Rate: float64(l.SourceRate), Burst: float64(l.SourceBurst),
		ExemptRate: float64(l.ExemptRate), ExemptBurst: float64(l.ExemptBurst)})
	e.known = limit.NewSources(limit.SourcesConfig{Entries: 4096, Rate: float64(l.KnownRate), Burst: float64(l.KnownBurst),
		ExemptRate: float64(l.KnownRate), ExemptBurst: float64(l.KnownBurst)})
	e.tenants = limit.NewTenants()
}

// setKeys gives every shard sealers for the ring's keys. The first signs.
func (e *Edge) setKeys(ring config.KeyRing) {
	binding, _ := ring.Binding()
	ring = ring.Tokens()
	keys := make([]signKey, len(ring))
	for i := range ring {
		keys[i] = signKey{id: ring[i].ID, tag: hash16(ring[i].ID), secret: ring[i].Secret[:]}
	}
	for i := range e.shards {
		s := &e.shards[i]
		s.mu.Lock()
		if s.edge == nil {
			s.init(e, keys, binding[:])
		} else {
			s.setKeys(keys, binding[:])
		}
		s.mu.Unlock()
	}
	ids := ring.IDs()
	e.keyIDs.Store(&ids)
}

// chores is how often is done what can be some milliseconds late.
const chores = 25 * time.Millisecond

// runChores tells phones' bindings to platforms, probes targets and looks at the edge itself. The shards' timers are not among that: the
// goroutine that reads the sockets runs them (Handler.Tick), since waking another one each 10 ms costs more than they do. An edge that
// has streams only has no such goroutine, and runs them here.
func (e *Edge) runChores(ctx context.Context) {
	out := e.transport.NewOut()
	every, timers := chores, !e.transport.Ticks()
	if timers {
		every = transport.TickEvery
	}
	tick := time.NewTicker(every)
	defer tick.Stop()
	probe, now := int64(0), int64(0)
	for {
		select {
		case <-ctx.Done():
			return
		case due := <-tick.C:
			now = time.Now().UnixNano()
			e.lagged(now, max(now-due.UnixNano(), 0))
		}
		if timers {
			e.expire(now, out)
		}
		e.obey(now)
		e.own.tick(now, out)
		e.keeper.tick(now, out)
		if now-probe > int64(100*time.Millisecond) {
			probe = now
			out.Step()
			e.probes.tick(now, out)
			e.load.look(now, processorTime())
		}
		out.Flush()
	}
}

// panicked reports a fault of ours.
func (e *Edge) panicked(p any, a *arrival) {
	e.panics.Add(1)
	e.drop(causePanic)
	var raw []byte
	if a.m != nil { // nil: a timer's step, or a response's
		raw = a.m.Raw
	}
	what, message, where := fmt.Sprint(p), hash64(string(raw)), stack()
	e.lines.put(func() {
		e.log.Error("a step panicked; the state of that Call-ID was dropped", "panic", what, "message_hash", message, "stack", where)
	})
}

func (e *Edge) drop(c cause) {
	if c != causeNone {
		e.count.causes.Add(int(c), 1)
	}
}
