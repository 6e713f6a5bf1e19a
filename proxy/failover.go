package proxy

import (
	"github.com/hotcut/hotcut/proxy/health"
	"github.com/hotcut/hotcut/proxy/transaction"
	"github.com/hotcut/hotcut/proxy/transport"
	"github.com/hotcut/hotcut/proxy/wire"
)

// retryable: codes by which a target says that it, not the callee, can not serve.
func retryable(status int) bool { return status == 503 || status == 500 }

// maySwitch tells whether r may go to another target of the same platform. By silence only where a repeated request
// does no harm; never in a dialog, unless the pool shares dialogs; never after CANCEL. why is causeNone for an explicit
// refusal. For the other platform see across.go.
func (r *request) maySwitch(why cause, method []byte) bool {
	h, silence := &r.hop, why == causeTimeout
	if r.cancelled || r.final || r.raw == nil || h.target < 0 || r.triedAll() && !r.mayCross(why) {
		return false
	}
	if h.inDialog && !r.sharedDialogs() {
		return false
	}
	if r.invite && r.current != nil && r.current.rang && !h.emergency {
		return false // somebody's telephone rang: the answer is the callee's, not the target's
	}
	switch string(method) {
	case "INVITE", "REGISTER", "OPTIONS":
		return true
	case "SUBSCRIBE":
		return !silence || !h.inDialog
	case "MESSAGE", "REFER", "PUBLISH", "INFO":
		return !silence && r.current != nil && !r.current.ringing
	}
	return !silence
}

func (r *request) sharedDialogs() bool { return len(r.hop.pool) > 1 && r.hop.inDialog }

// nextTarget gives up b and tries the next target: of its pool, then, where that is allowed, of the other platform. why is
// causeNone for an explicit refusal, whose status it is.
func (s *shard) nextTarget(now int64, r *request, b *branch, status int, why cause, out *transport.Out) bool {
	if r.raw == nil {
		return false
	}
	m := &s.again
	if m.Scan(r.raw, &s.edge.limits) != wire.FaultNone {
		return false
	}
	if !r.maySwitch(why, m.Method.Of(m.Raw)) || (b.ringing && why == causeTimeout) {
		return false
	}
	i, ok := 0, false
	if !r.triedAll() {
		i, ok = r.topo.health.Pick(r.hop.pool, stableHash(m.CallID.Of(m.Raw)), r.tried)
	}
	if !ok {
		if i, ok = s.cross(r, m, why); !ok {
			return false
		}
	}
	r.tries(b, status, why)
	topo := r.topo
	used := r.hop.peer.Listener
	egress := b.target < 0 || used != topo.targets[b.target].listener
	r.hop.aim(topo, i, nil)
	if egress {
		r.hop.leaveBy(topo, int(used))
	}
	b.given = true
	s.edge.count.failovers.Add(0, 1)
	s.launch(now, r, m, out)
	return true
}

// markTried notes that a target of the pool has had its turn.
func (r *request) markTried(target int) {
	for i, x := range r.hop.pool {
		if x == target && i < 64 {
			r.tried |= 1 << i
		}
	}
}

// triedAll: nobody is left to fail over to.
func (r *request) triedAll() bool {
	n := min(len(r.hop.pool), 64)
	return r.tried == 1<<n-1
}

// branchFailed: no final response will come from b.
func (s *shard) branchFailed(now int64, b *branch, why cause, out *transport.Out) {
	r := b.req
	r.open--
	s.edge.drop(why)
	if s.byDatagram(now, b, why, out) {
		return
	}
	if b.target >= 0 {
		kind := health.Timeout
		if why == causeTransport {
			kind = health.TransportError
		}
		r.topo.health.Passive(b.target, now, kind)
	}
	if b.given || r.final || r.current != b {
		return
	}
	if s.nextTarget(now, r, b, 0, why, out) || s.back(now, r, b, 503, out) {
		return
	}
	if s.upKept(now, r, out) { // a peer's answer outranks our own
		return
	}
	switch {
	case r.invite && r.cancelled:
		s.answer(now, r, 487, out)
	case why == causeTransport && r.hop.to.kind == endFlow:
		s.answer(now, r, 480, out) // the phone is gone, and we are not
	case why == causeTransport && (r.hop.to.kind == endCarrier || r.hop.to.kind == endTrunk):
		s.answer(now, r, 500, out) // likewise
	case why == causeTransport:
		s.answer(now, r, 503, out)
	case r.invite:
		s.answer(now, r, 408, out)
	default: // RFC 4320: no 408 to a non-INVITE, it would come too late to be of use
		r.final = true
		s.spare.giveBack(&r.raw)
		s.finalSent(now, r, 408)
	}
}

// endBranch frees a branch, but keeps an INVITE's that we gave up, or that failed without an answer, for 64*T1: it may still
// ring, or answer.
func (s *shard) endBranch(now int64, b *branch) {
	b.over = true
	if b.given && b.req.invite && b.sent != nil {
		s.wheel.Set(&b.timer, transaction.Time(now).Add(64*s.edge.timers.T1))
		return
	}
	s.dropBranch(b)
}

// dropBranch frees b. Its place in the tables may be a younger branch's already: a late duplicate of the same request.
func (s *shard) dropBranch(b *branch) {
	s.wheel.Stop(&b.timer)
	if b.canceller != nil {
		s.wheel.Stop(&b.canceller.timer)
	}
	if s.branches[b.id] == b {
		delete(s.branches, b.id)
	}
	if s.streams[b.tag()] == b {
		delete(s.streams, b.tag())
	}
}

// afterEnd: a target that we gave up for its silence speaks after all.
func (s *shard) afterEnd(now int64, b *branch, m *wire.Message, out *transport.Out) {
	switch {
	case !m.CSeqIs("INVITE"):
	case m.Status < 200:
		b.ringing = true
		s.sendCancel(now, b, out)
	case m.Status < 300:
		s.spare.giveBack(&b.sent) // it has answered: no 1xx that was overtaken may cancel it now
		s.answered(now, b.req, b, m)
		s.cancelOthers(now, b.req, b, out)
		s.up(now, b.req, m.Status, s.popVia(out.Begin(), m, b.upstream()), out)
	default:
		if !b.req.final {
			s.keep(b.req, b, m)
		}
		s.hopAck(b, m, out)
	}
}
