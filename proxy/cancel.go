package proxy

import (
	"github.com/hotcut/hotcut/policy"
	"github.com/hotcut/hotcut/proxy/choice"
	"github.com/hotcut/hotcut/proxy/transaction"
	"github.com/hotcut/hotcut/proxy/transport"
	"github.com/hotcut/hotcut/proxy/wire"
)

// cancelling is the client transaction of a CANCEL that we sent: the branch of its INVITE, and a machine of its own.
type cancelling struct {
	branch *branch
	client transaction.Machine
	timer  transaction.Timer
	sent   []byte
}

// cancel answers a CANCEL at once and passes it on where a 1xx has come; elsewhere it waits for one (RFC 3261 section
// 9.1). It never becomes a 487 of ours while a 2xx can still cross.
func (s *shard) cancel(a *arrival, out *transport.Out) {
	r := s.requests[a.key]
	if r == nil || !r.invite {
		if !s.cancelByRing(a, out) {
			s.edge.drop(causeStrayCancel)
		}
		return
	}
	r.credit += len(a.m.Raw)
	if resp := a.m.AppendResponse(out.Begin(), 200, "OK", s.toTag(r.key), nil); r.affords(len(resp)) {
		out.End(a.reply, resp, uint64(a.callHash))
	} else {
		s.edge.drop(causeTooBig)
	}
	if r.final || r.cancelled {
		return
	}
	r.cancelled = true
	if r.tap.leg != 0 {
		s.tapRequest(a.now, r, a.m)
	}
	r.reasons = appendHeaders(nil, a.m, wire.HReason)
	s.cancelBranch(a.now, r.current, out)
}

// cancelBranch sends CANCEL where a 1xx has come, and elsewhere with the first.
func (s *shard) cancelBranch(now int64, b *branch, out *transport.Out) {
	if b == nil || b.over {
		return
	}
	b.want = true
	if b.ringing {
		s.sendCancel(now, b, out)
	}
}

// cancelByRing: the edge was restarted between INVITE and CANCEL. The ring knows the target, and the branch is a pure
// function of the message, so the CANCEL is forwarded as it would have been.
func (s *shard) cancelByRing(a *arrival, out *transport.Out) bool {
	c, ok := s.edge.ring.Get(a.key, a.now)
	if !ok || a.m.MaxForwards == 0 {
		return false
	}
	var h hop
	if !s.ringHop(a, c, &h) {
		return false
	}
	s.forwardBare(a, &h, out)
	s.edge.sendOwn(a, s.refusal(a, 200, nil, out), out)
	return true
}

// ringHop points at the target that the ring remembers.
func (s *shard) ringHop(a *arrival, c choice.Choice, h *hop) bool {
	for i := range a.topo.targets {
		t := &a.topo.targets[i]
		if uint64(t.hash) == c.Target && t.platform == policy.Platform(c.Platform) {
			h.aim(a.topo, i, a)
			return true
		}
	}
	return false
}

// forwardBare forwards a request without a transaction: an ACK, or a CANCEL or hop ACK after a restart. Its branch is
// the one that a transaction would have had.
func (s *shard) forwardBare(a *arrival, h *hop, out *transport.Out) {
	r := request{key: a.key, signer: a.signer, callHash: a.callHash, listener: a.from.Listener, who: a.who, reply: a.reply, src: a.from.Addr, topo: a.topo, hop: *h}
	out.End(h.peer, s.rewrite(out.Begin(), a.m, &r, a.topo, s.branchOf(&r, a.m)), uint64(a.callHash))
}

// sendCancel starts the CANCEL of a branch that has answered with a 1xx.
func (s *shard) sendCancel(now int64, b *branch, out *transport.Out) {
	if b.canceller != nil || b.sent == nil {
		return
	}
	m := &s.again
	if m.Scan(b.sent, &s.edge.limits) != wire.FaultNone {
		return
	}
	c := &cancelling{branch: b}
	c.timer.Owner = c
	c.sent = m.AppendHop(nil, "CANCEL", nil, b.req.reasons)
	c.client.Init(transaction.Client, b.peer.Proto != transport.UDP, &s.edge.timers, transaction.Time(now))
	s.wheel.Set(&c.timer, c.client.Next())
	b.canceller, b.want = c, false
	out.End(b.peer, append(out.Begin(), c.sent...), uint64(b.callHash)) // its loss is not the INVITE's: no tag of the branch
	if b.over {
		return // given up long ago: only its keeping time runs
	}
	b.client.Step(transaction.SendCancel, transaction.Time(now))
	s.wheel.Set(&b.timer, b.client.Next())
}

func (s *shard) stepCancel(now int64, c *cancelling, ev transaction.Event, out *transport.Out) {
	do := c.client.Step(ev, transaction.Time(now))
	if do&transaction.DoResend != 0 {
		out.End(c.branch.peer, append(out.Begin(), c.sent...), uint64(c.branch.callHash))
	}
	if do&transaction.DoEnd != 0 {
		s.wheel.Stop(&c.timer)
		return
	}
	s.wheel.Set(&c.timer, c.client.Next())
}

// cancelOthers: one branch has answered; what else still runs for this request is cancelled.
func (s *shard) cancelOthers(now int64, r *request, winner *branch, out *transport.Out) {
	if r.current != winner {
		s.cancelBranch(now, r.current, out)
	}
}

// appendHeaders copies whole header lines of one name.
func appendHeaders(dst []byte, m *wire.Message, id wire.HeaderID) []byte {
	for i := range m.Headers {
		if m.Headers[i].ID == id {
			dst = append(dst, m.Headers[i].Line.Of(m.Raw)...)
		}
	}
	return dst
}
