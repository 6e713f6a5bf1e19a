package proxy

import (
	"hash/maphash"
	"sync"
	"sync/atomic"

	"github.com/hotcut/hotcut/media/relay"
	"github.com/hotcut/hotcut/proxy/choice"
	"github.com/hotcut/hotcut/proxy/digest"
	"github.com/hotcut/hotcut/proxy/location"
	"github.com/hotcut/hotcut/proxy/tap"
	"github.com/hotcut/hotcut/proxy/transaction"
	"github.com/hotcut/hotcut/proxy/transport"
	"github.com/hotcut/hotcut/proxy/wire"
)

const shards = 256 // by seeded hash of Call-ID

// A shard is plain single-threaded state: the transactions, dialogs and timers of the Call-IDs that hash to it.
//
// Concurrency of the edge: mu is taken by the goroutine that read a batch, for one message, or by whoever runs the timers
// when next has passed; it is almost never contended. Under it nothing waits: no socket is read, no name resolved, no
// store asked. What comes out goes into the caller's Out, in order, and leaves when the batch is flushed. The topology,
// the policy and the health of targets are read through atomics; there is never a second lock but the leaf locks of
// the tables in choice, limit and transport, which call nothing of ours.
type shard struct {
	next atomic.Int64 // earliest deadline, 0: none; read without mu by whoever runs the timers

	mu       sync.Mutex
	edge     *Edge
	copied   *tap.Cell // of what was tapped last: the reader has it when the step ends
	tapped   tap.Event // scratch; these two stand here since this memory is in the cache when a step begins
	seal     *sealer
	names    *location.Namer
	auth     *digest.Sealer
	requests map[choice.Key]*request
	branches map[branchID]*branch
	streams  map[uint64]*branch // by transport tag: branches over streams, whose sends can fail later
	dialogs  map[choice.Key]*dialog
	subs     map[choice.Key]*subscription
	notices  map[branchID]*subscription // by the branch of our NOTIFY
	anchors  map[relay.Key]*anchor
	pauses   map[string]*pause // by Call-ID: of calls for which a media server is asked
	wheel    transaction.Wheel
	size     atomic.Int64 // requests, for metrics
	live     atomic.Int64 // dialogs
	fired    uint32       // Call-ID hash of the timer that fires

	// Scratch of one step.
	in      arrival
	again   wire.Message // a message of ours, scanned again
	splice  wire.Splice
	loose   loose
	scratch [4][]byte
	anchoring
	replied replied
	nonce   []byte
	spare   spare
}

func (s *shard) init(e *Edge, keys []signKey, binding []byte) {
	s.edge = e
	s.setKeys(keys, binding)
	s.requests = map[choice.Key]*request{}
	s.branches = map[branchID]*branch{}
	s.streams = map[uint64]*branch{}
	s.dialogs = map[choice.Key]*dialog{}
	s.subs = map[choice.Key]*subscription{}
	s.notices = map[branchID]*subscription{}
	s.anchors = map[relay.Key]*anchor{}
	s.pauses = map[string]*pause{}
	for i := range s.scratch {
		s.scratch[i] = make([]byte, 0, 512)
	}
}

func (s *shard) setKeys(keys []signKey, binding []byte) {
	s.seal, s.names, s.auth = newSealer(keys, binding), location.NewNamer(binding), digest.NewSealer(binding)
}

// callHash spreads Call-IDs over shards, pooled connections and rendezvous order. It is seeded per process, except
// for the target order, which must be the same on every edge: see targetHash.
func (e *Edge) callHash(callID []byte) uint32 { return e.hash(callID) }

// seededHash returns the hash of one process: nobody can aim Call-IDs at one shard.
func seededHash() func([]byte) uint32 {
	seed := maphash.MakeSeed()
	return func(callID []byte) uint32 { return uint32(maphash.Bytes(seed, callID)) }
}

func (e *Edge) shardOf(callHash uint32) *shard { return &e.shards[callHash%shards] }

// message is where every datagram and every stream message enters, on its reader's goroutine.
func (e *Edge) message(now int64, from transport.Peer, raw []byte, out *transport.Out) {
	sc := e.readers.Get().(*reader)
	defer e.readers.Put(sc)
	m := &sc.m
	if fault := m.Scan(raw, &e.limits); fault != wire.FaultNone {
		e.refuse(now, from, m, fault, out)
		return
	}
	if m.Trailing > 0 {
		e.drop(causeTrailing)
	}
	if !m.Request {
		if fault := m.Check(); fault != wire.FaultNone {
			e.refuse(now, from, m, fault, out)
			return
		}
		if c := e.escapes(now, from, sc); c != causeNone {
			e.drop(c)
			return
		}
		if e.probes.answer(now, from, m) || e.own.answer(now, from, m, out) {
			return
		}
	}
	h, named := e.callHash(m.CallID.Of(raw)), e.named(m)
	s := e.shardOf(h)
	s.mu.Lock()
	defer s.unlock(h)
	s.in.named = named
	if len(s.pauses) > 0 && s.queued(from, m, named) {
		return
	}
	if m.Request {
		s.serve(now, from, m, h, out)
	} else {
		s.response(now, from, m, out)
	}
}

// reader is the scratch of one goroutine outside the shards.
type reader struct {
	m      wire.Message
	tapped tap.Event
}

// unlock publishes the next deadline and ends a step. A panic in a step is a fault of ours: it costs the calls of that
// Call-ID, never the edge; it is counted and logged, and fails every test.
//
// It must be deferred itself, not called by a deferred function: recover works nowhere else.
func (s *shard) unlock(callHash uint32) {
	if p := recover(); p != nil {
		s.forgetCall(callHash)
		s.edge.panicked(p, &s.in)
	}
	s.replied = replied{}
	s.in.m = nil // the reader's, and soon another message
	if len(s.spare.given) > 0 {
		s.spare.stepped(s.edge.opts.PoisonBuffers)
	}
	s.next.Store(int64(s.wheel.Next()))
	if n := int64(len(s.requests)); n != s.size.Load() {
		s.edge.held.Add(n - s.size.Swap(n))
	}
	s.live.Store(int64(len(s.dialogs)))
	s.tapDone() // after the others: then there is nothing to wait for
	s.mu.Unlock()
}

// forgetCall drops all state of one Call-ID hash after a panic. It trusts nothing that a half-done step may have left.
func (s *shard) forgetCall(callHash uint32) {
	for k, r := range s.requests {
		if r.callHash == callHash {
			s.wheel.Stop(&r.timer)
			s.wheel.Stop(&r.trying)
			s.wheel.Stop(&r.wait)
			delete(s.requests, k)
		}
	}
	for _, b := range s.branches {
		if b.callHash == callHash {
			s.dropBranch(b)
		}
	}
	for _, d := range s.dialogs {
		if d.callHash == callHash {
			s.closeDialog(d)
		}
	}
	for id, l := range s.pauses {
		if l.callHash == callHash {
			delete(s.pauses, id)
		}
	}
	for _, x := range s.subs {
		if x.callHash == callHash {
			s.dropSubscription(x)
		}
	}
}

// tick is all that a simulated edge does by the clock.
func (e *Edge) tick(now int64, out *transport.Out) {
	e.obey(now)
	e.expire(now, out)
}

// obey turns subscriptions out that another platform serves since the policy changed.
func (e *Edge) obey(now int64) {
	if p := e.snapshot(); p != e.evictedFor {
		e.evict(now, p)
	}
}

// expire runs the timers of every shard that has one due.
func (e *Edge) expire(now int64, out *transport.Out) {
	for i := range e.shards {
		s := &e.shards[i]
		if at := s.next.Load(); at != 0 && at <= now {
			s.expire(now, out)
		}
	}
}

func (s *shard) expire(now int64, out *transport.Out) {
	s.mu.Lock()
	defer s.unlockTimers()
	s.wheel.Advance(transaction.Time(now), func(t *transaction.Timer) {
		switch o := t.Owner.(type) {
		case *request:
			s.fired = o.callHash
			s.stepServer(now, o, transaction.TimerFired, out)
		case *parked:
			s.fired = o.callHash
			s.resume(now, (*request)(o), out)
		case *trying:
			s.fired = o.callHash
			s.sendTrying(now, (*request)(o), out)
		case *branch:
			s.fired = o.callHash
			s.stepClient(now, o, transaction.TimerFired, nil, out)
		case *cancelling:
			s.fired = o.branch.callHash
			s.stepCancel(now, o, transaction.TimerFired, out)
		case *subscription:
			s.fired = o.callHash
			s.subscriptionDue(now, o, out)
		case *dialog:
			s.fired = o.callHash
			s.dialogIdle(now, o)
		}
	})
}

// unlockTimers is unlock for the timers: whose was under way is known only afterwards. What else was due fires with the
// next tick.
func (s *shard) unlockTimers() {
	if p := recover(); p != nil {
		s.forgetCall(s.fired)
		s.edge.panicked(p, &s.in)
	}
	s.unlock(s.fired)
}

// failed is told by the transport that a message sent over a stream will not arrive.
func (e *Edge) failed(now int64, _ transport.Peer, tag uint64, _ error, out *transport.Out) {
	if e.own.failed(now, tag, out) {
		return
	}
	h := uint32(tag)
	s := e.shardOf(h)
	s.mu.Lock()
	defer s.unlock(h)
	if b := s.streams[tag]; b != nil {
		s.stepClient(now, b, transaction.TransportError, nil, out)
	}
}

// unreachable is told of an ICMP error, with as much of our datagram as the network quoted.
func (e *Edge) unreachable(now int64, _ uint16, _ netipAddrPort, datagram []byte, out *transport.Out) {
	sc := e.readers.Get().(*reader)
	defer e.readers.Put(sc)
	m := &sc.m
	m.Scan(datagram, &e.limits) // cut or not: what it found is enough
	if !m.Request || m.TopVia.Branch.Empty() || m.Is("CANCEL") || m.Is("ACK") {
		return
	}
	if e.own.unreachable(now, m, out) {
		return
	}
	_, id, ok := parseBranch(m.TopVia.Branch.Of(datagram))
	if !ok {
		return
	}
	// Linux quotes some 520 bytes: with our Record-Routes above it, the Call-ID is rarely among them.
	for i := range e.shards {
		if e.shards[i].unreachable(now, id, out) {
			return
		}
	}
}

func (s *shard) unreachable(now int64, id branchID, out *transport.Out) bool {
	s.mu.Lock()
	b := s.branches[id]
	if b == nil {
		s.mu.Unlock()
		return false
	}
	defer s.unlock(b.callHash)
	s.stepClient(now, b, transaction.TransportError, nil, out)
	return true
}
