package media

import "net/netip"

// aim is all that a packet needs to know of one leg: whom it may come from and where packets go. It is immutable and
// sits behind one atomic pointer: SetRemote and the latch replace it whole, by compare-and-swap, so that an answer
// that arrives while a packet locks the leg is never overwritten by the older truth. A locked aim is what a kernel
// table holds per leg: one source that is accepted, and two destinations.
type aim struct {
	remote Remote
	sdp    netip.AddrPort // the last address that the party's SDP named; survives a hold with 0.0.0.0
	types  typeSet        // payload types of the party's SDP
	epoch  uint32         // counts re-openings by signalling: what a candidate proved before does not count after

	locked   bool
	peer     netip.AddrPort // locked: the one accepted source of media
	rtcpPeer netip.AddrPort // learned source of RTCP where it is not the SDP's
	prior    netip.Addr     // where the leg was locked last; T.38 may come from there

	to, toRTCP netip.AddrPort // where to send; zero: nowhere, for the reason why
	why        Drop
}

// firstAim is a leg that signalling has said nothing of.
var firstAim = &aim{why: DropNoRemote}

// pointed returns a at a new remote. A changed address re-opens the latch; a hold does not.
func (a *aim) pointed(leg Leg, r Remote) *aim {
	n := *a
	n.remote = r
	n.types = typeSet{}
	for _, p := range r.Payloads {
		n.types.add(p.Type)
	}
	if !r.held() && r.RTP != a.sdp {
		n.sdp = r.RTP
		n.open()
	}
	if r.rtcp() != a.remote.rtcp() && !r.held() {
		n.rtcpPeer = netip.AddrPort{}
	}
	return n.targeted(leg)
}

// turned returns a with another direction; addresses and lock stay.
func (a *aim) turned(d Direction) *aim {
	n := *a
	n.remote.Direction = d
	return &n
}

// lockedOn returns a locked on the address that has proved itself.
func (a *aim) lockedOn(leg Leg, peer netip.AddrPort) *aim {
	n := *a
	n.open()
	n.epoch = a.epoch
	n.locked, n.peer, n.prior = true, peer, peer.Addr()
	return n.targeted(leg)
}

// hearing returns a with RTCP going to the address that it comes from.
func (a *aim) hearing(leg Leg, rtcp netip.AddrPort) *aim {
	n := *a
	n.rtcpPeer = rtcp
	return n.targeted(leg)
}

// open forgets the lock.
func (a *aim) open() {
	a.locked, a.peer, a.rtcpPeer = false, netip.AddrPort{}, netip.AddrPort{}
	a.epoch++
}

// targeted works out where packets go.
func (a *aim) targeted(leg Leg) *aim {
	a.to, a.toRTCP, a.why = netip.AddrPort{}, netip.AddrPort{}, dropNone
	said := a.remote.rtcp()
	switch {
	case !a.remote.RTP.IsValid():
		a.why = DropNoRemote
	case a.remote.held():
		a.why = DropHeld
	case a.locked:
		a.to = a.peer
		switch {
		case a.remote.Mux:
			a.toRTCP = a.peer
		case a.rtcpPeer.IsValid():
			a.toRTCP = a.rtcpPeer
		case said.Addr() == a.peer.Addr():
			a.toRTCP = said // an address of the SDP that NAT made wrong is not used: it may be another customer's
		}
	case leg == Outside && !a.remote.ours && private(a.remote.RTP.Addr()):
		a.why = DropPrivateTarget
	default:
		a.to, a.toRTCP = a.remote.RTP, said
		if leg == Outside && !a.remote.ours && private(said.Addr()) {
			a.toRTCP = netip.AddrPort{}
		}
	}
	return a
}
