package proxy

// A request passes through this file from top to bottom:
//
//  1. who sent it, and have we met it before?    2. refuse what must not be forwarded
//  3. find its owner: pin, else policy           4. seal the pin, splice, forward
//  5. answer 100, if nothing better comes
//
// The whole path runs under its shard's lock and never waits: what takes time comes back as an event.

import (
	"cmp"

	"github.com/hotcut/hotcut/proxy/transaction"
	"github.com/hotcut/hotcut/proxy/transport"
	"github.com/hotcut/hotcut/proxy/wire"
)

func (s *shard) serve(now int64, from transport.Peer, m *wire.Message, callHash uint32, out *transport.Out) {
	a := &s.in
	a.now, a.from, a.m, a.callHash = now, from, m, callHash
	a.topo, a.policy = s.edge.topo.Load(), s.edge.snapshot()
	a.lst = &a.topo.listeners[from.Listener]
	a.asked, a.located, a.trace.Tenant, a.aor = false, false, nil, ""

	// 1. Who sent it, and have we met it before?
	a.identify(s.edge)
	s.edge.count.requests.Add(methodIndex(m.Method.Of(m.Raw)), 1)
	escape := s.escapes(a)
	if a.who.kind == partyStranger {
		s.edge.drop(cmp.Or(escape, causeUnknownInside))
		return
	}
	m = s.loosen(a)
	a.answersTo()
	m.Stamped(from.Addr, a.who.forceRport())
	a.name(s)
	if escape != causeNone {
		s.reject(a, rejection{code: 403, cause: escape}, out)
		return
	}
	switch {
	case m.Is("ACK"):
		s.ack(a, out)
		return
	case m.Is("CANCEL"):
		s.cancel(a, out)
		return
	}
	if r := s.requests[a.key]; r != nil {
		s.repeated(now, r, len(m.Raw), out)
		return
	}

	// 2. Refuse what must not be forwarded.
	if rej := s.admit(a); rej.code != 0 || rej.cause != causeNone {
		s.reject(a, rej, out)
		return
	}
	if s.forUs(a) {
		s.answerOptions(a, out)
		return
	}

	// 3. Find its owner.
	var h hop
	if rej := s.route(a, &h); rej.cause != causeNone {
		s.reject(a, rej, out)
		return
	}
	if rej := s.anchor(a, &h); rej.cause != causeNone {
		s.reject(a, rej, out)
		return
	}

	// 4. Forward it, when it is its turn, and 5. say so within 200 ms, unless the platform has spoken by then.
	turn, rej := s.turn(now, &h)
	if rej.cause != causeNone {
		s.reject(a, rej, out)
		return
	}
	awaited := s.missing(a, &h)
	r := s.newRequest(a, &h)
	switch {
	case r.asking:
		s.ask(now, r)
	case len(awaited) > 0:
		s.await(now, r, awaited)
	case turn > 0:
		s.park(now, r, turn)
	default:
		s.proceed(now, r, m, out)
	}
	if r.invite {
		s.wheel.Set(&r.trying, transaction.Time(now).Add(tryingAfter))
	}
}

// admit refuses what no owner would change: syntax that matters, loops, floods, drains.
func (s *shard) admit(a *arrival) rejection {
	m := a.m
	if f := m.Check(); f != wire.FaultNone {
		s.edge.count.faults.Add(int(f), 1)
		return rejection{code: f.Code(), cause: causeScan}
	}
	if f := m.ProxyRequire(); f != wire.FaultNone {
		return rejection{code: f.Code(), cause: causeBadExtension}
	}
	if !s.edge.allow(a) && !(s.emergency(a) && s.edge.allowEmergency(a)) {
		return rejection{code: 503, cause: causeSourceLimit, retryAfter: true}
	}
	a.readRoutes(s)
	if m.To.Tag.Empty() && (m.Is("BYE") || m.Is("PRACK") || m.Is("UPDATE")) {
		return rejection{code: 481, cause: causeNoDialog} // they live in dialogs only: never by policy
	}
	if a.state == badToken {
		return rejection{code: 403, cause: causeBadToken}
	}
	if s.looped(a) {
		return rejection{code: 482, cause: causeLoop}
	}
	if s.fused(a) {
		return rejection{code: 482, cause: causeFuse}
	}
	living := !m.To.Tag.Empty() || a.state == goodToken && a.token.kind != tokenFlow
	room := s.edge.maxRequests
	if living {
		room += room / 2 // when nothing new goes, a call can still end
	}
	switch {
	case s.edge.held.Load() >= room:
		if s.edge.held.Load() < s.edge.maxRequests*3/2 && s.emergency(a) {
			break
		}
		return rejection{code: 503, cause: causeTableFull, retryAfter: true}
	case living:
	case s.scanner(a) && !s.emergency(a):
		return rejection{cause: causeScanner}
	case s.edge.draining.Load() && !s.emergency(a) && (a.state != goodToken || m.Is("INVITE") || m.Is("SUBSCRIBE")): // a flow still takes a NOTIFY
		return rejection{code: 503, cause: causeDraining, retryAfter: true}
	case a.policy == nil && a.state != goodToken:
		return rejection{code: 503, cause: causeNoPolicy, retryAfter: true}
	case s.overloaded(a):
		return rejection{code: 503, cause: causeOverload, retryAfter: !a.who.configured()}
	}
	return rejection{}
}

// class names the method for keys: an INVITE, its CANCEL and its hop ACK are one.
func class(m *wire.Message) []byte {
	if m.Is("CANCEL") || m.Is("ACK") {
		return classInvite
	}
	return m.Method.Of(m.Raw)
}

var classInvite = []byte("INVITE")

// forUs: an OPTIONS that asks the edge itself, not a user behind it.
func (s *shard) forUs(a *arrival) bool {
	if !a.m.Is("OPTIONS") || a.hasNext || a.state == goodToken {
		return false
	}
	uri := a.m.RequestURI.Of(a.m.Raw)
	u, ok := wire.ParseURI(uri)
	return ok && u.User.Empty() && a.topo.us(u.Host.Of(uri), u.Port)
}
