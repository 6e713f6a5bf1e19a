package proxy

import (
	"strconv"

	"github.com/hotcut/hotcut/proxy/choice"
	"github.com/hotcut/hotcut/proxy/transport"
	"github.com/hotcut/hotcut/proxy/wire"
)

// rejection is a request that goes no further: what its sender is told (0: nothing) and what we count.
type rejection struct {
	code       int
	cause      cause
	retryAfter bool
	warning    string // value of a Warning header; empty: none
}

// reject answers without state: a repetition is refused again, and the ACK of it matches nothing and is dropped.
// To a UDP source that we do not know it is never longer than what it answers.
func (s *shard) reject(a *arrival, rej rejection, out *transport.Out) {
	s.edge.drop(rej.cause)
	s.edge.logRefusal(a, rej)
	if rej.code == 0 || a.m.Is("ACK") {
		return
	}
	extra := s.scratch[0][:0]
	if rej.retryAfter {
		extra = strconv.AppendUint(append(extra, "Retry-After: "...), 5+stableHash(a.m.CallID.Of(a.m.Raw))%10, 10)
		extra = append(extra, '\r', '\n')
	}
	if rej.warning != "" {
		extra = append(append(append(extra, "Warning: "...), rej.warning...), '\r', '\n')
	}
	if rej.code == 420 {
		extra = a.m.AppendUnsupported(extra) // all of them: RFC 3261 section 16.3 item 5
	}
	s.scratch[0] = extra
	s.edge.sendOwn(a, s.refusal(a, rej.code, extra, out), out)
}

// refusal is an answer of ours, without its phrase and what is only advice if it would be too long: better a short refusal
// than none.
func (s *shard) refusal(a *arrival, code int, extra []byte, out *transport.Out) []byte {
	resp := a.m.AppendResponse(out.Begin(), code, phrase(code), s.toTag(a.key), extra)
	if a.tooBig(resp) {
		if code != 420 {
			extra = nil
		}
		resp = a.m.AppendResponse(out.Begin(), code, "", s.toTag(a.key), extra)
	}
	return resp
}

// tooBig: an answer of ours to an address that anybody may have written there is no longer than what came from it.
func (a *arrival) tooBig(resp []byte) bool {
	return a.from.Proto == transport.UDP && !a.who.configured() && len(resp) > len(a.m.Raw)
}

// sendOwn sends an answer of ours that no transaction keeps.
func (e *Edge) sendOwn(a *arrival, resp []byte, out *transport.Out) {
	if a.tooBig(resp) {
		e.drop(causeTooBig)
		return
	}
	if status := resp[8:11]; status[0] >= '1' && status[0] <= '6' {
		e.count.responses.Add(int(status[0]-'1'), 1)
	}
	out.End(a.reply, resp, uint64(a.callHash))
}

// answerOptions answers an OPTIONS that asks the edge itself.
func (s *shard) answerOptions(a *arrival, out *transport.Out) {
	if s.edge.draining.Load() || a.policy == nil {
		s.reject(a, rejection{code: 503, cause: causeDraining, retryAfter: true}, out)
		return
	}
	resp := a.m.AppendResponse(out.Begin(), 200, "OK", s.toTag(a.key), nil)
	s.edge.sendOwn(a, resp, out)
}

// toTag is our To-tag for an answer of our own: a function of the request, so that a repetition gets the same.
func (s *shard) toTag(key choice.Key) []byte {
	const digits = "0123456789abcdef"
	b := s.scratch[2][:0]
	for _, c := range key[:6] {
		b = append(b, digits[c>>4], digits[c&15])
	}
	s.scratch[2] = b
	return b
}

// refuse answers a message that wire would not read, where enough of it was found.
func (e *Edge) refuse(now int64, from transport.Peer, m *wire.Message, fault wire.Fault, out *transport.Out) {
	e.count.faults.Add(int(fault), 1)
	e.count.causes.Add(int(causeScan), 1)
	if !m.Request || !m.Answerable || fault.Code() == 0 || m.Is("ACK") {
		return
	}
	h := e.callHash(m.CallID.Of(m.Raw))
	s := e.shardOf(h)
	s.mu.Lock()
	defer s.unlock(h)
	a := &s.in
	a.now, a.from, a.m, a.callHash = now, from, m, h
	a.topo, a.policy = e.topo.Load(), e.snapshot()
	a.lst = &a.topo.listeners[from.Listener]
	a.identify(e)
	if a.who.kind == partyStranger || !e.allow(a) {
		return
	}
	a.answersTo()
	m.Stamped(from.Addr, a.who.forceRport())
	a.name(s)
	e.sendOwn(a, s.refusal(a, fault.Code(), nil, out), out)
}

// broken is told of a stream that can no longer be framed: what stands there is answered if it can be, never forwarded.
func (e *Edge) broken(now int64, from transport.Peer, head []byte, fault wire.Fault, out *transport.Out) {
	sc := e.readers.Get().(*reader)
	defer e.readers.Put(sc)
	sc.m.Scan(head, &e.limits)
	e.refuse(now, from, &sc.m, fault, out)
}

func phrase(code int) string {
	switch code {
	case 200:
		return "OK"
	case 400:
		return "Bad Request"
	case 403:
		return "Forbidden"
	case 404:
		return "Not Found"
	case 408:
		return "Request Timeout"
	case 413:
		return "Request Entity Too Large"
	case 414:
		return "Request-URI Too Long"
	case 416:
		return "Unsupported URI Scheme"
	case 420:
		return "Bad Extension"
	case 430:
		return "Flow Failed"
	case 480:
		return "Temporarily Unavailable"
	case 481:
		return "Call/Transaction Does Not Exist"
	case 482:
		return "Loop Detected"
	case 483:
		return "Too Many Hops"
	case 487:
		return "Request Terminated"
	case 488:
		return "Not Acceptable Here"
	case 500:
		return "Server Internal Error"
	case 503:
		return "Service Unavailable"
	case 505:
		return "Version Not Supported"
	case 513:
		return "Message Too Large"
	}
	return "Refused"
}
