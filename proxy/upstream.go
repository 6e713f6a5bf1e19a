package proxy

import (
	"time"

	"github.com/hotcut/hotcut/proxy/transaction"
	"github.com/hotcut/hotcut/proxy/transport"
	"github.com/hotcut/hotcut/proxy/wire"
)

// stepServer gives an event to the server transaction and does what it asks; the message of a Send event is sent by
// the caller when DoSend comes back.
func (s *shard) stepServer(now int64, r *request, ev transaction.Event, out *transport.Out) transaction.Do {
	do := r.server.Step(ev, transaction.Time(now))
	if do&transaction.DoResend != 0 && r.last != nil && r.mayRepeat(ev) {
		out.End(r.reply, append(out.Begin(), r.last...), uint64(r.callHash))
	}
	if do&transaction.DoEnd != 0 {
		s.wheel.Stop(&r.timer)
		s.wheel.Stop(&r.trying)
		s.wheel.Stop(&r.wait)
		delete(s.requests, r.key)
		if !r.final { // nobody answered, and nobody waits any more
			r.final = true
			s.spare.giveBack(&r.raw)
			s.finalSent(now, r, 408)
		}
	} else {
		s.wheel.Set(&r.timer, r.server.Next())
	}
	return do
}

// up relays a response upstream through the server transaction.
func (s *shard) up(now int64, r *request, code int, resp []byte, out *transport.Out) {
	r.own = false
	s.respond(now, r, code, resp, out)
}

// respond sends a response upstream through the server transaction, a relayed one or, with r.own, one of ours.
func (s *shard) respond(now int64, r *request, code int, resp []byte, out *transport.Out) {
	s.wheel.Stop(&r.trying)
	ev := transaction.SendFinal
	switch {
	case code < 200:
		ev = transaction.Send1xx
	case code < 300:
		ev = transaction.Send2xx
	}
	if code >= 200 {
		r.final = true
		s.spare.giveBack(&r.raw)
		s.finalSent(now, r, code)
	}
	do := s.stepServer(now, r, ev, out)
	if do&transaction.DoSend == 0 && !(r.invite && ev == transaction.Send2xx) {
		return // too late, or a second final; but a late 2xx to an INVITE always goes up
	}
	switch {
	case r.invite && ev == transaction.Send2xx:
		s.spare.giveBack(&r.last)
	case ev == transaction.Send1xx:
		s.spare.giveBack(&r.last)
		r.last = s.spare.copy(resp)
	default:
		r.last = append(r.last[:0], resp...)
	}
	if r.own && !r.affords(len(resp)) {
		s.edge.drop(causeTooBig)
		return
	}
	out.End(r.reply, resp, uint64(r.callHash))
	s.edge.count.responses.Add(code/100-1, 1)
}

// answer sends a final response of our own through the transaction of r.
func (s *shard) answer(now int64, r *request, code int, out *transport.Out) {
	if r.final || r.raw == nil {
		return
	}
	m := &s.again
	if m.Scan(r.raw, &s.edge.limits) != wire.FaultNone {
		return // it was accepted once; it can not happen
	}
	m.Stamped(r.src, r.who.forceRport())
	r.own = true
	var extra []byte
	if r.warning != "" {
		extra = append(append(append(s.scratch[0][:0], "Warning: "...), r.warning...), '\r', '\n')
	}
	resp := m.AppendResponse(out.Begin(), code, phrase(code), s.toTag(r.key), extra)
	if !r.verified() && len(resp) > r.credit { // better a short answer than none
		resp = m.AppendResponse(out.Begin(), code, "", s.toTag(r.key), nil)
	}
	s.respond(now, r, code, resp, out)
}

// tryingAfter is how long a 100 waits for something better (RFC 3261 section 17.2.1).
const tryingAfter = 200 * time.Millisecond

// trying is the timer of a request's 100.
type trying request

// sendTrying answers 100: long after the forwarded INVITE has gone to the kernel, and never after another response,
// which is why it is flushed under the shard's lock: a 180 that another goroutine sends a moment later waits for it.
// (A 100 in the INVITE's own batch was tried: on a loaded machine the callee's answer overtook it.)
func (s *shard) sendTrying(now int64, r *request, out *transport.Out) {
	m := &s.again
	if r.current == nil { // parked: if we die now, the caller must ask again
		return
	}
	if r.final || r.last != nil || r.raw == nil || m.Scan(r.raw, &s.edge.limits) != wire.FaultNone {
		return
	}
	m.Stamped(r.src, r.who.forceRport())
	resp := m.AppendResponse(out.Begin(), 100, "Trying", nil, nil)
	if !r.affordsFirst(len(resp)) {
		return // the next repetition pays for it
	}
	r.own = true
	if s.stepServer(now, r, transaction.Send1xx, out)&transaction.DoSend != 0 {
		r.last = s.spare.copy(resp)
		out.End(r.reply, resp, uint64(r.callHash))
		out.Flush()
	}
}
