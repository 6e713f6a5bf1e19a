package proxy

// A response passes through this file from top to bottom:
//
//  1. whose is it: our branch in the top Via     2. did it come from where the request went
//  3. the client machine says what to do         4. pop our Via, pass it up: or try the next target
//
// A response whose transaction a restart has lost finds its way by what the branch's MAC proves.

import (
	"net/netip"
	"time"

	"github.com/hotcut/hotcut/policy"
	"github.com/hotcut/hotcut/proxy/choice"
	"github.com/hotcut/hotcut/proxy/health"
	"github.com/hotcut/hotcut/proxy/transaction"
	"github.com/hotcut/hotcut/proxy/transport"
	"github.com/hotcut/hotcut/proxy/wire"
)

func (s *shard) response(now int64, from transport.Peer, m *wire.Message, out *transport.Out) {
	s.in.now, s.in.m = now, nil
	_, id, ok := parseBranch(m.TopVia.Branch.Of(m.Raw))
	if !ok {
		s.edge.drop(causeStrayResponse)
		return
	}
	b := s.branches[id]
	if x := s.notices[id]; b == nil && x != nil {
		if from.Addr == x.peer.Addr {
			s.stepTerminated(now, x, responseEvent(m.Status), out)
		}
		return
	}
	if b == nil {
		s.lateResponse(from, m, id, out)
		return
	}
	if !s.cameFrom(from, b) {
		s.edge.drop(causeResponseSource)
		return
	}
	if m.CSeqIs("CANCEL") {
		if b.canceller != nil {
			s.stepCancel(now, b.canceller, responseEvent(m.Status), out)
		}
		return
	}
	if soleVia(m) { // below ours stands nobody to forward it to (RFC 3261 section 16.7 item 3)
		s.edge.drop(causeStrayResponse)
		return
	}
	if s.edge.media.asks() && s.consults(now, from, m, b.answerer(), b.callHash) {
		return
	}
	if b.req.tap.leg != 0 {
		s.tapResponse(now, b, m)
	}
	if b.target >= 0 {
		if m.Status != 503 && m.Status != 408 {
			b.req.topo.health.Hit(b.target, now)
		}
	}
	if b.over {
		s.afterEnd(now, b, m, out)
		return
	}
	s.stepClient(now, b, responseEvent(m.Status), m, out)
}

func responseEvent(status int) transaction.Event {
	switch {
	case status == 100:
		return transaction.Recv100
	case status < 200:
		return transaction.Recv1xx
	case status < 300:
		return transaction.Recv2xx
	}
	return transaction.RecvFinal
}

// cameFrom: a response comes from the address that the request went to, or from the same platform, carrier, trunk or
// edge, each of which may have several.
func (s *shard) cameFrom(from transport.Peer, b *branch) bool {
	to, h := b.peer, &b.req.hop
	if from.Addr.Addr() == to.Addr.Addr() {
		return true
	}
	topo := s.edge.topo.Load()
	switch h.to.kind {
	case endFlow:
		return h.toPeer && s.edge.fleet.knows(from.Addr.Addr())
	case endCarrier:
		i := topo.carrierOf(from.Addr, from.Proto)
		return i >= 0 && topo.carriers[i].hash == h.to.name
	case endTrunk:
		if p := s.edge.snapshot(); p != nil {
			_, tr := p.ByTrunk(from.Addr, from.Proto.String())
			return tr != nil && hash32(tr.Name) == h.to.name
		}
		return false
	}
	p, _ := topo.platformOf(to.Addr, to.Proto, -1)
	q, _ := topo.platformOf(from.Addr, from.Proto, int(from.Listener))
	return p != policy.NoPlatform && p == q || h.toPeer && s.edge.fleet.knows(from.Addr.Addr())
}

// stepClient gives an event to a client transaction and does what it asks. m is the response of a Recv event.
func (s *shard) stepClient(now int64, b *branch, ev transaction.Event, m *wire.Message, out *transport.Out) {
	if b.over { // only its keeping time has passed
		if ev == transaction.TimerFired {
			s.dropBranch(b)
		}
		return
	}
	do := b.client.Step(ev, transaction.Time(now))
	if do&transaction.DoResend != 0 && b.sent != nil {
		out.End(b.peer, append(out.Begin(), b.sent...), b.tag())
	}
	if m != nil && m.Status < 200 {
		if r := b.req; !b.ringing && r.invite && !r.hop.inDialog {
			s.edge.ring.Mark(r.key, true, false) // it may take minutes now, and its CANCEL or hop ACK come after a restart
		}
		b.ringing = true
		b.rang = b.rang || m.Status > 100
	}
	if do&transaction.DoPass != 0 {
		s.pass(now, b, m, out)
	}
	if do&transaction.DoAck != 0 {
		s.hopAck(b, m, out)
	}
	if b.ringing && b.want {
		s.sendCancel(now, b, out)
	}
	switch {
	case do&transaction.DoTimerC != 0:
		s.sendCancel(now, b, out)
	case do&transaction.DoTimeout != 0:
		s.branchFailed(now, b, causeTimeout, out)
	case do&transaction.DoError != 0:
		s.branchFailed(now, b, causeTransport, out)
	}
	if do&(transaction.DoTimeout|transaction.DoError) != 0 {
		b.given = b.given || b.req.invite // it may still have got it: see endBranch
	}
	if do&transaction.DoEnd != 0 {
		s.endBranch(now, b)
	} else {
		s.wheel.Set(&b.timer, b.client.Next())
	}
}

// pass hands a response up: 1xx at once, every 2xx, the best final (best.go).
func (s *shard) pass(now int64, b *branch, m *wire.Message, out *transport.Out) {
	r := b.req
	status := m.Status
	switch {
	case status < 200:
		if b.given || r.final {
			return
		}
		if r.invite && !r.hop.inDialog && status > 100 {
			s.ringing(now, r, status)
		}
	case status < 300:
		r.open--
		if r.invite {
			b.sent = nil
			s.answered(now, r, b, m)
			s.cancelOthers(now, r, b, out)
		}
		s.negotiated(now, r, m)
	default:
		r.open--
		if r.final {
			return
		}
		if b.given { // it was silent for too long, but what it says may be the best in the end
			s.keep(r, b, m)
			return
		}
		if r.record != nil {
			r.record.PlatformCodes = append(r.record.PlatformCodes, status)
		}
		if r.challenged(status) {
			s.edge.drop(causePhoneChallenge)
			s.answer(now, r, 403, out)
			return
		}
		if status == 503 && b.target >= 0 {
			s.targetBusy(now, b, m)
		}
		if r.passesOn(status) && s.nextTarget(now, r, b, status, causeNone, out) {
			s.keep(r, b, m)
			return
		}
		if s.back(now, r, b, status, out) {
			return
		}
		s.conclude(now, r, b, m, out)
		return
	}
	s.up(now, r, status, s.popVia(out.Begin(), m, b.upstream()), out)
}

// passage is between whom a response passes.
type passage struct {
	said   voice   // by whom
	stream bool    // it goes up over one
	branch *branch // nil: after a restart
	answerer
}

func (b *branch) upstream() passage {
	r := b.req
	h := &r.hop
	return passage{branch: b, answerer: b.answerer(), stream: r.reply.Proto != transport.UDP,
		said: voice{trusted: !h.foreign, inside: h.to.kind == endNone || h.to.kind == endTarget, toForeign: !r.who.trusted(h)}}
}

// popVia removes our Via, and what the answering side may not say of itself; a 503 becomes a 500.
func (s *shard) popVia(dst []byte, m *wire.Message, p passage) []byte {
	sp := &s.splice
	sp.Reset(m)
	for e := range m.Elems(wire.HVia) {
		sp.DeleteElem(e)
		break
	}
	if !s.anchorResponse(sp, m, &p) && p.stream && m.ContentLength < 0 {
		sp.AddContentLength()
	}
	strip(sp, m, p.said)
	if p.branch != nil {
		s.spliceResponse(sp, m, p.branch)
	}
	if m.Status == 503 {
		sp.Replace(m.StartLine, []byte(line500))
	}
	return sp.AppendTo(dst)
}

// spliceResponse edits what a platform answers to a phone: where its challenge came from, what its registrar calls us, how
// long things last while the tenant moves.
func (s *shard) spliceResponse(sp *wire.Splice, m *wire.Message, b *branch) {
	r := b.req
	if r.register && r.hop.to.kind == endCarrier && m.Status/100 == 2 {
		s.restoreTrunkContacts(sp, m, r)
	}
	if r.hop.platform == policy.NoPlatform || r.who.kind != partyPhone && r.who.kind != partyTrunk {
		return
	}
	s.spliceChallenge(sp, m, r, s.in.now)
	switch {
	case m.Status < 200 || m.Status > 299:
	case r.reg != nil:
		s.bind(s.in.now, sp, m, b)
	case m.CSeqIs("SUBSCRIBE"):
		s.subscribed(s.in.now, sp, m, b)
	}
}

// challenges: a phone asks a platform, or who calls through it, for a digest. What it could do with the answer is known
// (RFC 3261 section 22.1 forbids nothing of the kind): it gets none.
func (r *request) challenged(status int) bool {
	return (status == 401 || status == 407) && r.hop.to.kind == endFlow && (r.who.kind == partyPlatform || r.who.kind == partyEdge)
}

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

// soleVia reports that nothing stands below the topmost Via.
func soleVia(m *wire.Message) bool {
	n := 0
	for range m.Elems(wire.HVia) {
		if n++; n == 2 {
			return false
		}
	}
	return true
}

// targetBusy tells health of a 503: with Retry-After the target asks for a rest.
func (s *shard) targetBusy(now int64, b *branch, m *wire.Message) {
	i := m.Find(wire.HRetryAfter)
	if i < 0 {
		b.req.topo.health.Passive(b.target, now, health.Busy503)
		return
	}
	seconds := 0
	for _, c := range m.Value(i) {
		if c < '0' || c > '9' || seconds > 1e6 {
			break
		}
		seconds = seconds*10 + int(c-'0')
	}
	b.req.topo.health.Busy(b.target, now, time.Duration(seconds)*time.Second)
}
