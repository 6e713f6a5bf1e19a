package proxy

import (
	"context"
	"math/rand/v2"
	"net/netip"
	"time"

	"github.com/hotcut/hotcut/proxy/location"
	"github.com/hotcut/hotcut/proxy/transport"
)

// The roll call goes over the bindings from aside. It counts how many phones stand behind each address, since a source
// with bindings has as many budgets as phones; and it keeps the paths to this edge's own phones open: NATs and firewalls
// forget a UDP flow within half a minute, and a silent connection within minutes.

const (
	countEvery    = 5 * time.Second
	keepalivePace = 100 * time.Millisecond
)

// keepalive is what is sent over both kinds of transport: two line ends, which every reader of SIP must pass over (RFC
// 3261 section 7.5; over a stream it is the ping of RFC 5626 section 3.5.1).
var keepalive = []byte("\r\n\r\n")

func (e *Edge) runRollCall(ctx context.Context) {
	out := e.transport.NewOut()
	tick := time.NewTicker(keepalivePace)
	defer tick.Stop()
	var round keepaliveRound
	counted := time.Time{}
	for {
		now := time.Now()
		if now.Sub(counted) >= countEvery {
			counted = now
			e.countSources(now.Unix())
		}
		if period := e.current.Load().Timers.Keepalive; period > 0 {
			if round.over() {
				round = e.newRound(now, period)
			}
			e.keepAlive(&round, now, out)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// countSources counts the phones behind each address.
func (e *Edge) countSources(now int64) {
	m := map[netip.Addr]int32{}
	for b := range e.location.All() {
		if b.Until() > now {
			m[sourceOf(b.Flow.Addr.Addr())]++
		}
	}
	e.phones.Store(&m)
}

// sourceOf is what a budget belongs to: an IPv4 address, or an IPv6 network.
func sourceOf(a netip.Addr) netip.Addr {
	if a.Is4() {
		return a
	}
	p, err := a.WithZone("").Prefix(64)
	if err != nil {
		return a
	}
	return p.Addr()
}

// phonesBehind is how many budgets an address has.
func (e *Edge) phonesBehind(a netip.Addr) int {
	m := e.phones.Load()
	if m == nil || len(*m) == 0 {
		return 1
	}
	return max(int((*m)[sourceOf(a)]), 1)
}

// registered: a phone is, from there.
func (e *Edge) registered(a netip.Addr) bool {
	m := e.phones.Load()
	return m != nil && (*m)[sourceOf(a)] > 0
}

// keepaliveRound is one keepalive to every phone, spread over a period.
type keepaliveRound struct {
	peers []transport.Peer
	sent  int
	began time.Time
	lasts time.Duration
}

func (r *keepaliveRound) over() bool { return r.sent >= len(r.peers) && time.Since(r.began) >= r.lasts }

func (e *Edge) newRound(now time.Time, period time.Duration) keepaliveRound {
	r := keepaliveRound{began: now, lasts: time.Duration(float64(period) * (0.8 + 0.4*rand.Float64()))}
	topo := e.topo.Load()
	for b := range e.location.All() {
		if b.Flow.Edge == e.cfg.Node && e.alive(b, now.UnixNano()) {
			if p, ok := topo.flowPeer(&b.Flow); ok {
				r.peers = append(r.peers, p)
			}
		}
	}
	return r
}

// keepAlive sends what is due by now.
func (e *Edge) keepAlive(r *keepaliveRound, now time.Time, out *transport.Out) {
	due := len(r.peers)
	if gone := now.Sub(r.began); gone < r.lasts {
		due = int(float64(len(r.peers)) * float64(gone) / float64(r.lasts))
	}
	for ; r.sent < due; r.sent++ {
		out.End(r.peers[r.sent], append(out.Begin(), keepalive...), 0)
		e.count.keepalives.Add(0, 1)
	}
	out.Flush()
}

// flowPeer is how a flow of this edge is addressed.
func (t *topology) flowPeer(f *location.Flow) (transport.Peer, bool) {
	l := t.listenerByHash(hash16(f.Listener))
	if l < 0 || t.listeners[l].proto.String() != f.Proto {
		return transport.Peer{}, false
	}
	return transport.Peer{Listener: uint16(l), Proto: t.listeners[l].proto, Conn: f.Conn, Addr: f.Addr}, true
}
