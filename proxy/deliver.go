package proxy

import (
	"time"

	"github.com/hotcut/hotcut/policy"
	"github.com/hotcut/hotcut/proxy/location"
	"github.com/hotcut/hotcut/proxy/transport"
	"github.com/hotcut/hotcut/proxy/wire"
)

// A platform calls a phone by what we told its registrar: our Path (the token stands in a Route) or our Contact (the id
// is the user of the Request-URI). Both name a binding; the location table knows its newest flow.
//
//  1. find the binding           2. what a platform that does not serve may not say is answered here
//  3. intercept calls            4. deliver through the edge that owns the flow

const (
	askWait     = 50 * time.Millisecond // for news from Redis, before a phone is given up
	lateRefresh = 32                    // seconds that a phone may be late: 64*T1 of its REGISTER
)

// deliver finds a binding's phone. hint is the flow that the token seals; nil: the request names an id alone.
func (s *shard) deliver(a *arrival, id location.ID, hint *pin, h *hop) rejection {
	if a.who.kind != partyPlatform && a.who.kind != partyEdge {
		return rejection{code: 403, cause: causeWrongSide}
	}

	// 1. Find the binding. A miss asks the other edges' common memory, once.
	b := s.edge.location.Get(id)
	if b == nil && !a.located && s.edge.canAsk() && !a.m.Is("ACK") {
		h.ask = id
		return rejection{}
	}
	h.decision = policy.Decision{Platform: a.who.platform, Reason: policy.ReasonDialogPin}
	tenant := ""
	if b != nil {
		tenant = b.Tenant
	} else if hint != nil {
		tenant = hint.tenant
	}
	var rec *policy.Record
	if a.policy != nil {
		h.decision.Rev = a.policy.Rev()
		if rec = a.policy.Tenant(tenant); rec != nil {
			h.decision.Tenant, h.tenant = rec.Tenant.ID, rec
		}
	}

	// 2. and 3. Does the platform that asks serve this phone?
	if a.who.kind == partyPlatform && a.m.To.Tag.Empty() && a.policy != nil {
		if done, rej := s.screen(a, b, tenant, h); done {
			return rej
		}
	}

	// 4. Deliver.
	switch {
	case b != nil && b.Flow.Edge == s.edge.cfg.Node:
		e, ok := s.flowOf(a, b)
		if !ok {
			return rejection{code: 430, cause: causeNoFlow}
		}
		if hint == nil {
			h.retarget = b.URI
		}
		h.seal = recordRouted(a.m) && a.who.platform != policy.NoPlatform
		return s.toFlow(a, a.topo.node, &e, h)
	case b != nil:
		return s.toFlow(a, hash32(b.Flow.Edge), &end{}, h)
	case hint != nil && hint.a.proto == transport.UDP: // nobody remembers it, but the token does
		h.seal = recordRouted(a.m) && a.who.platform != policy.NoPlatform
		return s.toFlow(a, hint.edge, &hint.a, h)
	case hint != nil && hint.edge != a.topo.node:
		return s.toFlow(a, hint.edge, &hint.a, h)
	}
	return rejection{code: 430, cause: causeNoFlow}
}

// flowOf is the living flow of a binding that this edge owns.
func (s *shard) flowOf(a *arrival, b *location.Binding) (end, bool) {
	f := &b.Flow
	e := end{kind: endFlow, proto: transport.UDP, listener: hash16(f.Listener), conn: f.Conn, addr: f.Addr, id: b.ID}
	if f.Proto == "tcp" {
		e.proto = transport.TCP
	}
	return e, s.edge.alive(b, a.now)
}

// alive tells whether a phone that this edge owns can be reached: it came back when it was told to, whatever the platforms
// hold of it (that may be for hours), and its connection, if it has one, is open.
func (e *Edge) alive(b *location.Binding, now int64) bool {
	if b.Told+lateRefresh <= now/1e9 {
		return false
	}
	return b.Flow.Proto != "tcp" || e.open != nil && e.open(b.Flow.Conn)
}

// toFlow reaches a phone: over its own connection or address, by the listener that it came by; or by way of the edge
// that owns the flow.
func (s *shard) toFlow(a *arrival, owner uint32, e *end, h *hop) rejection {
	if owner != a.topo.node {
		if a.who.kind == partyEdge {
			return rejection{code: 430, cause: causeNoFlow} // never more than one hop between edges
		}
		peer, ok := s.edge.fleet.find(owner)
		if !ok {
			return rejection{code: 480, cause: causeUnreachablePeer}
		}
		l := a.topo.listenerFor(inside, peer.Proto, peer.Addr.Addr(), -1)
		if l < 0 {
			return rejection{code: 480, cause: causeUnreachablePeer}
		}
		peer.Listener = uint16(l)
		h.peer, h.toPeer, h.seal, h.sealed, h.retarget = peer, true, false, a.sealed, ""
		return rejection{}
	}
	l := a.topo.listenerByHash(e.listener)
	if l < 0 || a.topo.listeners[l].proto != e.proto {
		return rejection{code: 430, cause: causeNoFlow}
	}
	h.to, h.foreign = *e, true
	h.peer = transport.Peer{Listener: uint16(l), Proto: e.proto, Conn: e.conn, Addr: e.addr}
	return rejection{}
}

// newest is the flow that a pin's end has become: a phone that moved, or reconnected, in mid-call is where its binding
// says.
func (s *shard) newest(a *arrival, owner uint32, e end) (uint32, end) {
	if e.id == (location.ID{}) {
		return owner, e
	}
	b := s.edge.location.Get(e.id)
	if b == nil || b.Told == 0 {
		return owner, e
	}
	if b.Flow.Edge != s.edge.cfg.Node {
		return hash32(b.Flow.Edge), e
	}
	if f, ok := s.flowOf(a, b); ok {
		return a.topo.node, f
	}
	return owner, e
}

// bound is the binding by which a phone that sends us something is known: for the pin of a dialog that it begins, and for
// the Service-Route of its platform.
func (s *shard) bound(a *arrival) *location.Binding {
	if a.who.kind != partyPhone || a.trace.Tenant == nil || a.policy == nil {
		return nil
	}
	t := a.trace.Tenant.Tenant
	if len(t.Domains) == 0 || a.question.FromUser == "" {
		return nil
	}
	s.scratch[0] = append(append(append(s.scratch[0][:0], a.question.FromUser...), '@'), t.Domains[0]...)
	for _, b := range s.edge.location.OfAoR(t.ID, view(s.scratch[0])) {
		if b.Flow.Addr == a.from.Addr && b.Flow.Conn == a.from.Conn && b.Flow.Edge == s.edge.cfg.Node {
			return b
		}
	}
	return nil
}

// reachesByID: the Request-URI is our Contact for a binding, and a platform or an edge calls it.
func (s *shard) reachesByID(a *arrival) bool {
	if a.who.kind != partyPlatform && a.who.kind != partyEdge || !a.m.To.Tag.Empty() && a.state == goodToken {
		return false
	}
	uri := a.m.RequestURI.Of(a.m.Raw)
	u, ok := wire.ParseURI(uri)
	if !ok {
		return false
	}
	a.reached, ok = bindingOf(u.User.Of(uri))
	return ok && (a.topo.reaches(u.Host.Of(uri), u.Port) || s.edge.location.Get(a.reached) != nil) // or another edge's name
}
