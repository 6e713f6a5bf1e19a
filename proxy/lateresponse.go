package proxy

import (
	"net/netip"

	"github.com/hotcut/hotcut/proxy/choice"
	"github.com/hotcut/hotcut/proxy/transport"
	"github.com/hotcut/hotcut/proxy/wire"
)

// lateResponse forwards a response whose transaction we no longer have (after a restart, or a 2xx after everything
// was freed): statelessly, by the second Via, and only when the branch proves that we wrote it for that upstream.
func (s *shard) lateResponse(from transport.Peer, m *wire.Message, id branchID, out *transport.Out) {
	topo := s.edge.topo.Load()
	raw := m.Raw
	second, ok := nextVia(m)
	if !ok || m.Status == 100 && !m.CSeqIs("INVITE") || m.CSeqIs("CANCEL") || m.CSeqIs("REGISTER") { // the phone repeats a REGISTER, and then it is bound
		s.edge.drop(causeStrayResponse)
		return
	}
	upstream, ok := viaSource(&second, raw)
	if !ok {
		s.edge.drop(causeStrayResponse)
		return
	}
	reply := addressKey(upstream.Addr(), upstream.Port())
	proto := transport.UDP
	if wire.EqualFold(second.Transport.Of(raw), "TCP") {
		proto = transport.TCP
	}
	class := m.CSeqMethod.Of(raw)
	var next [19]byte
	k := addressKey(from.Addr.Addr(), from.Addr.Port())
	copy(next[:], k[:])
	next[18] = byte(from.Proto)
	for i := range topo.listeners {
		l := &topo.listeners[i]
		if l.proto != proto {
			continue
		}
		for k := range s.seal.keys {
			mac := s.seal.keys[k].mac
			key := s.seal.upstreamKey(mac, m, &second, class, reply[:], l.hash)
			if s.seal.branch(mac, key, second.Host.Of(raw), next[:]) != id {
				continue
			}
			switch {
			case m.CSeqIs("BYE"):
				s.endRestored(m)
			case !m.CSeqIs("INVITE"):
			case m.Status < 200: // it has the call: see stepClient
				s.edge.ring.Mark(key, true, false)
				if m.Status == 100 {
					return
				}
			case m.Status < 300 && m.Status >= 200:
				s.restoreDialog(m, key)
				s.edge.ring.MarkAnswered(key)
			case m.Status >= 300 && s.concluded(key): // a target that was given up long ago: the caller has had an answer
				s.edge.drop(causeStrayResponse)
				return
			}
			r := s.requests[key]
			if r != nil && (!r.invite || m.Status/100 != 2) {
				r = nil
			}
			if proto != transport.UDP && r == nil { // never dial out to deliver a response to an outsider
				s.edge.drop(causeNoFlow)
				return
			}
			way := topo.passageOf(from, l)
			way.answerer = s.lateAnswerer(m, key, from, upstream.Addr(), topo)
			if s.edge.media.asks() && s.consults(s.in.now, from, m, way.answerer, s.edge.callHash(m.CallID.Of(raw))) {
				return
			}
			resp := s.popVia(out.Begin(), m, way)
			if r != nil { // the target has refused before, which is still being repeated: no longer
				s.up(s.in.now, r, m.Status, resp, out)
				return
			}
			out.End(transport.Peer{Listener: l.index, Proto: transport.UDP, Addr: upstream}, resp, uint64(s.edge.callHash(m.CallID.Of(raw))))
			s.edge.count.stateless.Add(0, 1)
			return
		}
	}
	s.edge.drop(causeStrayResponse)
}

// concluded tells whether a refusal of an INVITE comes too late: this process sends, or has sent, a final response upstream, or the
// call was answered. Of other refusals nobody knows after a restart whether that of the process before arrived: what a target then
// repeats passes.
func (s *shard) concluded(upstream choice.Key) bool {
	if s.requests[upstream] != nil {
		return true // it is still at it, or has just been
	}
	c, ok := s.edge.ring.Finished(upstream)
	return ok && (c.Answered || c.At >= s.edge.started.UnixNano())
}

// passageOf is what the sides of a response say of it when nothing else is known: outside, only a trusted carrier is
// believed.
func (t *topology) passageOf(from transport.Peer, up *listener) passage {
	v := voice{inside: t.listeners[from.Listener].side != outside, toForeign: up.side == outside}
	v.trusted = v.inside
	if i := t.carrierOf(from.Addr, from.Proto); !v.inside && i >= 0 {
		v.trusted = t.carriers[i].trusted
	}
	return passage{said: v, stream: up.proto != transport.UDP}
}

// viaSource is where a request came from, as the Via that we stamped has it.
func viaSource(v *wire.Via, raw []byte) (netip.AddrPort, bool) {
	host := v.Received.Of(raw)
	if len(host) == 0 {
		host = v.Host.Of(raw)
	}
	ip, ok := wire.ParseAddr(host)
	port := v.RPortVal
	if port == 0 {
		if port = v.Port; port == 0 {
			port = 5060
		}
	}
	return netip.AddrPortFrom(ip, port), ok
}

// nextVia is the Via below ours: whom we answer.
func nextVia(m *wire.Message) (wire.Via, bool) {
	n := 0
	for e := range m.Elems(wire.HVia) {
		if n++; n == 2 {
			return m.Via(e)
		}
	}
	return wire.Via{}, false
}
