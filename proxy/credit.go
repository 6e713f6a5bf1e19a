package proxy

import (
	"github.com/hotcut/hotcut/proxy/location"
	"github.com/hotcut/hotcut/proxy/transaction"
	"github.com/hotcut/hotcut/proxy/transport"
)

// A datagram's source is what its sender wrote there. Until it has shown that it hears us, an edge must be of no use to
// whoever wrote somebody else's address: what we answer of our own accord is never more than came from there. Each request
// has an account of it; repetitions and CANCEL pay in.

// verified: the source hears us. It has a connection, is configured, is bound by a 2xx to its REGISTER, or speaks in a dialog
// whose tag it can only have from us.
func (r *request) verified() bool {
	return r.reply.Proto != transport.UDP || r.who.configured() || r.hop.from != (location.ID{}) || r.hop.inDialog
}

// affords takes an answer of ours of n bytes from the account of r, if there is so much left.
func (r *request) affords(n int) bool {
	switch {
	case r.verified():
		return true
	case n > r.credit:
		return false
	}
	r.credit -= n
	return true
}

// affordsFirst: the account bears a provisional response and the final one that may follow, if that must be ours. A final
// response is worth more: without a 100 the phone repeats itself and pays in, without a final one it waits for ever.
func (r *request) affordsFirst(n int) bool {
	const final = 64 // that it is longer than the 100: phrase and To-tag
	return (r.verified() || r.credit >= 2*n+final) && r.affords(n)
}

// mayRepeat bounds how often a source that is not verified gets a response: one that is relayed three times, one of ours
// once; and whenever what it asks with is as long.
func (r *request) mayRepeat(ev transaction.Event) bool {
	asked := ev != transaction.TimerFired
	if r.verified() || asked && r.final && r.affords(len(r.last)) || asked && !r.final && r.affordsFirst(len(r.last)) {
		return true
	}
	r.repeats = min(r.repeats+1, 3)
	return !r.own && r.repeats <= 2
}

// repeated handles a retransmission of r, which pays in.
func (s *shard) repeated(now int64, r *request, n int, out *transport.Out) {
	if !r.verified() {
		r.credit += n
	}
	if r.invite && r.last == nil && !r.final && !r.verified() {
		s.wheel.Set(&r.trying, transaction.Time(now).Add(tryingAfter))
	}
	s.stepServer(now, r, transaction.Retransmission, out)
}
