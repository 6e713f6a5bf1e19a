package proxy

import (
	"github.com/hotcut/hotcut/proxy/health"
	"github.com/hotcut/hotcut/proxy/transport"
	"github.com/hotcut/hotcut/proxy/wire"
)

// Requests over 1,300 bytes (RFC 3261 section 18.1.1): a datagram of that size is fragmented on its way, and what loses one
// fragment loses all. A target has one transport; one that takes TCP as well is configured a second time, with the same address
// and transport=tcp (in a pool of its own, if it is to get nothing else). What is too large for the first goes to the second,
// which for policy, tokens and records is the first all the same. If that one does not answer, and where there is none, the
// request goes by UDP and is counted.
//
// Carriers' and PBX trunks' calls that leave by a listener of their own stay on it: platforms know them by it.

const largeRequest = 1300 // bytes

// What happened to a large request, for the metric.
const (
	largeByStream = iota
	largeFragmented
)

var largeWords = []string{"stream", "fragmented"}

// overStream is where a large request for a hop goes instead; false: there is no other way.
func (r *request) overStream(topo *topology) (transport.Peer, bool) {
	h := &r.hop
	if h.target < 0 || h.peer.Proto != transport.UDP || r.fragment {
		return h.peer, false
	}
	x := &topo.targets[h.target]
	i := x.stream - 1
	if i < 0 || h.peer.Listener != x.listener || h.peer.Addr != x.addr || !topo.health.Up(i) {
		return h.peer, false
	}
	s := &topo.targets[i]
	return transport.Peer{Listener: s.listener, Proto: s.proto, Addr: s.addr}, true
}

// fit writes the request of a new branch, by a stream if it is too large for a datagram.
func (s *shard) fit(b *branch, m *wire.Message, out *transport.Out) []byte {
	r := b.req
	b.id = s.branchOf(r, m)
	buf := s.rewrite(out.Begin(), m, r, r.topo, b.id)
	if len(buf) <= largeRequest || b.peer.Proto != transport.UDP {
		return buf
	}
	to, ok := r.overStream(r.topo)
	if !ok {
		s.edge.count.large.Add(largeFragmented, 1)
		return buf
	}
	s.edge.count.large.Add(largeByStream, 1)
	datagram := r.hop.peer
	r.hop.peer, b.peer, b.large = to, to, true
	b.id = s.branchOf(r, m)
	buf = s.rewrite(out.Begin(), m, r, r.topo, b.id)
	r.hop.peer = datagram
	return buf
}

// byDatagram sends a large request by UDP after all: the target takes no TCP today.
func (s *shard) byDatagram(now int64, b *branch, why cause, out *transport.Out) bool {
	r := b.req
	if !b.large || why != causeTransport || b.ringing {
		return false
	}
	r.topo.health.Passive(r.topo.targets[b.target].stream-1, now, health.TransportError)
	m := &s.again
	if b.given || r.final || r.cancelled || r.current != b || r.raw == nil || m.Scan(r.raw, &s.edge.limits) != wire.FaultNone {
		return false
	}
	b.given, r.fragment = true, true
	s.launch(now, r, m, out)
	return true
}

// pairStreams finds, for each target over UDP, the same address over TCP.
func (t *topology) pairStreams() {
	for i := range t.targets {
		x := &t.targets[i]
		for j := range t.targets {
			if y := &t.targets[j]; x.proto == transport.UDP && y.proto == transport.TCP && x.platform == y.platform && x.addr == y.addr {
				x.stream = j + 1
			}
		}
	}
}
