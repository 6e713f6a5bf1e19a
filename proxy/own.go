package proxy

import (
	"crypto/rand"
	"encoding/binary"
	"sync"
	"sync/atomic"

	"github.com/hotcut/hotcut/proxy/health"
	"github.com/hotcut/hotcut/proxy/transaction"
	"github.com/hotcut/hotcut/proxy/transport"
	"github.com/hotcut/hotcut/proxy/wire"
)

// uac is the client side of Hotcut's own requests: non-INVITE client transactions (RFC 3261 section 17.1.2) towards
// configured targets. They leave by a listener of side own, by which nothing relayed ever leaves.
//
// Whoever asks sends, runChores repeats, readers bring answers. mu is a leaf lock: done is told without it, so
// that it may send again. Invariant: done is told exactly once of each request that send took, with the final response
// or with why there is none.
type uac struct {
	edge  *Edge
	boot  [8]byte
	mark  uint32 // upper half of its tags to the transport
	count atomic.Uint64
	next  atomic.Int64 // earliest deadline, 0: none; read by runChores without mu

	mu      sync.Mutex // guards pending, wheel and what pending holds
	pending map[uint32]*errand
	wheel   transaction.Wheel
}

// errand is one request of ours that waits for its final response.
type errand struct {
	id     uint64
	topo   *topology // that target is an index of
	target int
	peer   transport.Peer
	client transaction.Machine
	timer  transaction.Timer
	sent   []byte
	done   answered
}

// answered is told how a request of ours ended: m is the final response, valid during the call only; nil: there is none,
// and why says whether of silence (causeTimeout) or because the target could not be reached (causeTransport).
type answered func(now int64, m *wire.Message, why cause, out *transport.Out)

const (
	ownBranch  = branchCookie + "hr"
	maxErrands = 4096 // of ours without a final response; more are not sent
)

func (u *uac) init(e *Edge) {
	u.edge = e
	u.pending = map[uint32]*errand{}
	rand.Read(u.boot[:])
	var mark [4]byte
	rand.Read(mark[:])
	u.mark = binary.BigEndian.Uint32(mark[:])
}

// send sends a request of ours to a target, by the listener of side by that reaches it (inside: the one that relayed
// requests take). build appends it with its Via line. false: it was not sent and done will not be told, since no listener
// reaches the target or maxErrands are under way.
func (u *uac) send(now int64, topo *topology, target int, by side, build func(dst, via []byte) []byte, done answered, out *transport.Out) bool {
	t := &topo.targets[target]
	l := topo.listenerFor(by, t.proto, t.addr.Addr(), -1)
	if by == inside {
		l = int(t.listener)
	}
	if l < 0 {
		return false
	}
	x := &errand{id: u.count.Add(1), topo: topo, target: target, done: done,
		peer: transport.Peer{Listener: uint16(l), Proto: t.proto, Addr: t.addr}}
	x.timer.Owner = x
	via := wire.AppendVia(nil, t.proto.Token(), topo.listeners[l].sentBy, u.appendBranch(nil, x.id), nil)
	msg := build(out.Begin(), via)
	x.sent = append(make([]byte, 0, len(msg)), msg...)

	u.mu.Lock()
	if len(u.pending) >= maxErrands || u.pending[uint32(x.id)] != nil {
		u.mu.Unlock()
		u.edge.drop(causeTableFull)
		return false
	}
	x.client.Init(transaction.Client, t.proto != transport.UDP, &t.timers, transaction.Time(now))
	u.pending[uint32(x.id)] = x
	u.wheel.Set(&x.timer, x.client.Next())
	u.next.Store(int64(u.wheel.Next()))
	u.mu.Unlock()
	out.End(x.peer, msg, u.tag(x))
	return true
}

// tick repeats what was not answered, and gives up on what never will be.
func (u *uac) tick(now int64, out *transport.Out) {
	if at := u.next.Load(); at == 0 || at > now {
		return
	}
	var ended []*errand
	u.mu.Lock()
	u.wheel.Advance(transaction.Time(now), func(t *transaction.Timer) {
		x := t.Owner.(*errand)
		do := x.client.Step(transaction.TimerFired, transaction.Time(now))
		if do&transaction.DoResend != 0 {
			out.End(x.peer, x.sent, u.tag(x))
		}
		if do&transaction.DoEnd != 0 {
			delete(u.pending, uint32(x.id))
			ended = append(ended, x)
			return
		}
		u.wheel.Set(&x.timer, x.client.Next())
	})
	u.next.Store(int64(u.wheel.Next()))
	u.mu.Unlock()
	for _, x := range ended {
		x.topo.health.Passive(x.target, now, health.Timeout)
		u.tell(x, now, nil, causeTimeout, out)
	}
}

// answer takes a response to a request of ours; false: it is none. One that comes from somewhere else than the target's
// platform is dropped, and so is what was answered before.
func (u *uac) answer(now int64, from transport.Peer, m *wire.Message, out *transport.Out) bool {
	boot, id, ours := parseOwnBranch(m.TopVia.Branch.Of(m.Raw))
	if !ours {
		return false
	}
	if boot != u.boot {
		return true // to the process before this one
	}
	u.mu.Lock()
	x := u.pending[uint32(id)]
	if x == nil || x.id != id {
		u.mu.Unlock()
		return true
	}
	if !x.cameFrom(from) {
		u.mu.Unlock()
		u.edge.drop(causeResponseSource)
		return true
	}
	x.client.Step(responseEvent(m.Status), transaction.Time(now))
	if m.Status < 200 {
		u.wheel.Set(&x.timer, x.client.Next())
		u.mu.Unlock()
		return true
	}
	u.end(x)
	u.mu.Unlock()
	switch m.Status {
	case 503:
		x.topo.health.Passive(x.target, now, health.Busy503)
	case 408:
	default:
		x.topo.health.Hit(x.target, now)
	}
	u.tell(x, now, m, causeNone, out)
	return true
}

func (x *errand) cameFrom(from transport.Peer) bool {
	if from.Addr.Addr() == x.peer.Addr.Addr() {
		return true
	}
	p, _ := x.topo.platformOf(from.Addr, from.Proto, -1)
	return p == x.topo.targets[x.target].platform
}

// end takes x from the tables; u.mu is held.
func (u *uac) end(x *errand) {
	u.wheel.Stop(&x.timer)
	delete(u.pending, uint32(x.id))
	u.next.Store(int64(u.wheel.Next()))
}

// unreachable takes an ICMP error about a request of ours; false: m is none.
func (u *uac) unreachable(now int64, m *wire.Message, out *transport.Out) bool {
	boot, id, ours := parseOwnBranch(m.TopVia.Branch.Of(m.Raw))
	if !ours {
		return false
	}
	if boot == u.boot {
		u.fail(now, id, 1<<64-1, out)
	}
	return true
}

// failed takes word that a stream did not carry a request of ours; false: the tag is none of ours.
func (u *uac) failed(now int64, tag uint64, out *transport.Out) bool {
	return uint32(tag>>32) == u.mark && u.fail(now, tag, 1<<32-1, out)
}

// fail ends the request whose id is that of want in the bits of mask.
func (u *uac) fail(now int64, want, mask uint64, out *transport.Out) bool {
	u.mu.Lock()
	x := u.pending[uint32(want)]
	if x == nil || x.id&mask != want&mask {
		u.mu.Unlock()
		return false
	}
	u.end(x)
	u.mu.Unlock()
	x.topo.health.Passive(x.target, now, health.TransportError)
	u.tell(x, now, nil, causeTransport, out)
	return true
}

// tell runs done outside every lock. A panic in it is a fault of ours and costs that request, never the edge.
func (u *uac) tell(x *errand, now int64, m *wire.Message, why cause, out *transport.Out) {
	defer func() {
		if p := recover(); p != nil {
			u.edge.panicked(p, &arrival{})
		}
	}()
	x.done(now, m, why, out)
}

// size is how many requests of ours wait for an answer.
func (u *uac) size() int {
	u.mu.Lock()
	defer u.mu.Unlock()
	return len(u.pending)
}

func (u *uac) tag(x *errand) uint64 { return uint64(u.mark)<<32 | uint64(uint32(x.id)) }

func (u *uac) appendBranch(b []byte, id uint64) []byte {
	var raw [16]byte
	copy(raw[:], u.boot[:])
	binary.BigEndian.PutUint64(raw[8:], id)
	b = append(b, ownBranch...)
	at := len(b)
	b = branchCode.AppendEncode(b, raw[:])
	lower(b[at:])
	return b
}

// parseOwnBranch reads a branch that appendBranch wrote, in this process or in one before. One that begins like ours and
// can not be read is ours all the same: nobody else has a use for it.
func parseOwnBranch(b []byte) (boot [8]byte, id uint64, ours bool) {
	if len(b) != len(ownBranch)+26 || string(b[:len(ownBranch)]) != ownBranch {
		return boot, 0, false
	}
	var up [26]byte
	for i, c := range b[len(ownBranch):] {
		if c >= 'a' && c <= 'v' {
			c -= 'a' - 'A'
		}
		up[i] = c
	}
	var raw [16]byte
	if n, err := branchCode.Decode(raw[:], up[:]); err != nil || n != len(raw) {
		return boot, 0, true
	}
	return [8]byte(raw[:8]), binary.BigEndian.Uint64(raw[8:]), true
}
