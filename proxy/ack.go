package proxy

import (
	"github.com/hotcut/hotcut/proxy/transaction"
	"github.com/hotcut/hotcut/proxy/transport"
	"github.com/hotcut/hotcut/proxy/wire"
)

// ack ends a transaction (the ACK of a non-2xx, hop by hop) or passes through (the ACK of a 2xx, end to end: one copy
// out for every copy in, no transaction).
func (s *shard) ack(a *arrival, out *transport.Out) {
	if r := s.requests[a.key]; r != nil && r.invite {
		if s.stepServer(a.now, r, transaction.Ack, out)&transaction.DoPass == 0 {
			return
		}
	}
	if a.m.MaxForwards == 0 || a.m.To.Tag.Empty() || string(a.m.To.Tag.Of(a.m.Raw)) == string(s.toTag(a.key)) {
		// An ACK is never answered; one for a 2xx names both ends, and no policy routes it. One that names a tag of ours is for a
		// refusal that nobody behind us knows of, whatever Route it has from its INVITE.
		s.edge.drop(causeStrayAck)
		return
	}
	a.readRoutes(s)
	var h hop
	if a.state == badToken {
		s.edge.drop(causeBadToken)
		return
	}
	if a.state == noToken || a.token.kind == tokenFlow { // of a call to a phone that was turned over, too
		if c, ok := s.edge.ring.Get(a.key, a.now); ok && s.ringHop(a, c, &h) {
			s.forwardBare(a, &h, out) // a hop ACK after a restart
			return
		}
		if d, _ := s.findDialog(a.m); d == nil && a.state == noToken {
			s.edge.drop(causeStrayAck)
			return
		}
	}
	if rej := s.route(a, &h); rej.cause != causeNone {
		s.edge.drop(rej.cause)
		return
	}
	s.anchor(a, &h)
	if h.question != nil && s.wait(a.from, a.m, a.named, a.callHash, h.question) {
		return
	}
	h.seal = false
	if s.edge.tap != nil && h.inDialog {
		s.tapAck(a, &h)
	}
	s.forwardBare(a, &h, out)
}

// hopAck acknowledges a non-2xx final on the branch that it came by (RFC 3261 section 17.1.1.3).
func (s *shard) hopAck(b *branch, resp *wire.Message, out *transport.Out) {
	m := &s.again
	if b.sent == nil || m.Scan(b.sent, &s.edge.limits) != wire.FaultNone {
		return
	}
	to := resp.Headers[resp.Find(wire.HTo)].Value.Of(resp.Raw)
	out.End(b.peer, m.AppendHop(out.Begin(), "ACK", to, nil), uint64(b.callHash))
}
