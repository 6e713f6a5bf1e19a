package proxy

// A response passes through this file from top to bottom:
//
//  1. whose is it: our branch in the top Via     2. did it come from where the request went
//  3. the client machine says what to do         4. pop our Via, pass it up: or try the next target
//
// A response whose transaction a restart has lost finds its way by what the branch's MAC proves.

import (
	"time"

	"github.com/hotcut/hotcut/policy"
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
		s.spare.giveBack(&b.sent)
		if r.invite {
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
