package proxy

import (
	"github.com/hotcut/hotcut/policy"
	"github.com/hotcut/hotcut/proxy/transport"
)

// aim points h at a target. Carriers and PBX trunks leave by their own inside listener, since platforms tell trunks
// apart by source.
func (h *hop) aim(t *topology, i int, a *arrival) {
	x := &t.targets[i]
	h.target = i
	h.to = end{kind: endTarget, platform: x.platform, name: x.hash}
	h.peer = transport.Peer{Listener: x.listener, Proto: x.proto, Addr: x.addr}
	if a != nil {
		h.leaveBy(t, a.egress())
	}
}

// egress is the inside listener by which the sender's calls, and all that belongs to them, reach the platforms; -1: any.
func (a *arrival) egress() int {
	switch {
	case a.who.kind == partyCarrier:
		return a.topo.carriers[a.who.carrier].egress
	case a.who.kind == partyTrunk && a.who.trunk.Egress != "":
		return a.topo.listenerByHash(hash16(a.who.trunk.Egress))
	}
	return -1
}

// leaveBy changes the listener, if that one can reach the hop.
func (h *hop) leaveBy(t *topology, l int) {
	if l >= 0 && t.listeners[l].proto == h.peer.Proto && t.listeners[l].addr.Addr().Is4() == h.peer.Addr.Addr().Is4() {
		h.peer.Listener = uint16(l)
	}
}

func (h *hop) toCarrier(a *arrival, i int) {
	c := &a.topo.carriers[i]
	h.to, h.foreign, h.untouched = end{kind: endCarrier, name: c.hash}, !c.trusted, c.mediaOff
	h.peer = transport.Peer{Listener: c.listener, Proto: c.proto, Addr: c.addr}
}

func (h *hop) toTrunk(a *arrival, tr *policy.Trunk) bool {
	uri := []byte(tr.URI)
	addr, proto, ok := uriAddress(uri)
	if !ok {
		return false
	}
	l := a.topo.listenerFor(outside, proto, addr.Addr(), -1)
	if l < 0 {
		return false
	}
	h.to, h.foreign, h.untouched = end{kind: endTrunk, name: hash32(tr.Name)}, !tr.TrustIdentity, !tr.Anchored()
	h.peer = transport.Peer{Listener: uint16(l), Proto: proto, Addr: addr}
	return true
}
