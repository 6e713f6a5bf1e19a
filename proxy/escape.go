package proxy

import (
	"bytes"
	"net/netip"

	"github.com/hotcut/hotcut/proxy/limit"
	"github.com/hotcut/hotcut/proxy/tap"
	"github.com/hotcut/hotcut/proxy/transport"
	"github.com/hotcut/hotcut/proxy/wire"
)

// A copy lives between the mirror and a dark core, on sockets that are not the edge's. What belongs there and comes here got out: it is
// refused whoever sent it and whatever else stands in it, before any token, flow or policy is read.
//
//	marked as a copy, or for the sink    403; an ACK and a response are dropped; so is what a stranger sends to the inside
//	from a dark core                     likewise
//
// The tap is told of it. Anybody can write the mark: whether it is a true one is for the mirror to say, who has the key. Each address can
// make itself heard within its budget only, so that forged marks do not fill the ring.

// escapes names why a request is refused as a copy; causeNone: it is none.
func (s *shard) escapes(a *arrival) cause {
	why := causeNone
	switch {
	case a.who.kind == partyDark:
		why = causeDarkSource
	case marked(a.m):
		why = causeShadowMark
	default:
		return causeNone
	}
	if s.edge.tap != nil && s.edge.allow(a) {
		s.tapped = tap.Event{At: a.now, Kind: tap.Escape, Party: tapParties[a.who.kind]}
		s.edge.tap.Put(&s.tapped, a.m.Raw).Done()
	}
	return why
}

// escapes is the same for a response. It goes to nobody.
func (e *Edge) escapes(now int64, from transport.Peer, r *reader) cause {
	topo := e.topo.Load()
	why, party := causeNone, partyStranger
	switch {
	case len(topo.dark) > 0 && topo.darkAt(from.Addr, from.Proto):
		why, party = causeDarkSource, partyDark
	case markedHeader(&r.m):
		why = causeShadowMark
	default:
		return causeNone
	}
	if e.tap != nil && e.sources.Allow(from.Addr.Addr(), now, limit.New, 1) {
		r.tapped = tap.Event{At: now, Kind: tap.Escape, Party: tapParties[party]}
		e.tap.Put(&r.tapped, r.m.Raw).Done()
	}
	return why
}

var sinkUser = []byte(tap.SinkUser)

// marked: the request has the header of a copy, or leads to the sink. Where it would be sent, or let others send, is looked at:
// Request-URI, Route and Contact.
func marked(m *wire.Message) bool {
	if bytes.Contains(m.RequestURI.Of(m.Raw), sinkUser) {
		return true
	}
	for i := range m.Headers {
		switch m.Headers[i].ID {
		case wire.HRoute, wire.HContact:
			if bytes.Contains(m.Headers[i].Value.Of(m.Raw), sinkUser) {
				return true
			}
		case wire.HXHotcut:
			if wire.EqualFold(m.Headers[i].Name.Of(m.Raw), tap.Header) {
				return true
			}
		}
	}
	return false
}

// markedHeader: the message has the header of a copy, in whatever case.
func markedHeader(m *wire.Message) bool {
	if m.Find(wire.HXHotcut) < 0 {
		return false
	}
	for i := range m.Headers {
		if m.Headers[i].ID == wire.HXHotcut && wire.EqualFold(m.Headers[i].Name.Of(m.Raw), tap.Header) {
			return true
		}
	}
	return false
}

// darkAt tells whether a dark core sends from there. The port of a connection says nothing: where a dark core shares an address with
// others and is known by its port, a connection from that address is theirs if they are known there.
func (t *topology) darkAt(a netip.AddrPort, proto transport.Proto) bool {
	for i := range t.dark {
		n := &t.dark[i]
		if !n.prefix.Contains(a.Addr()) {
			continue
		}
		if n.port == 0 || proto == transport.UDP && n.port == a.Port() || proto != transport.UDP && !t.othersAt(a.Addr()) {
			return true
		}
	}
	return false
}

// othersAt: a platform or carrier is configured at the address.
func (t *topology) othersAt(a netip.Addr) bool {
	for i := range t.targets {
		if t.targets[i].addr.Addr() == a {
			return true
		}
	}
	for i := range t.sources {
		if t.sources[i].prefix.Contains(a) {
			return true
		}
	}
	for i := range t.carriers {
		for _, n := range t.carriers[i].nets {
			if n.prefix.Contains(a) {
				return true
			}
		}
	}
	return false
}
