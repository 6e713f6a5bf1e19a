package media

import (
	"encoding/binary"
	"net/netip"
	"time"
)

const (
	provingPackets = 3                // consecutive plausible packets that make a candidate the peer
	provingStep    = 10               // largest step of the sequence number between them
	reopenAfter    = 2 * time.Second  // silence after which a party may come from elsewhere
	reopenStep     = 3000             // largest step of the sequence number over that silence: a minute of packets
	rtcpReopen     = 30 * time.Second // silence after which RTCP may come from another port: RFC 3550 sends every 5 s
	candidates     = 4                // addresses that may prove themselves side by side
)

// latch is how far a leg has come in finding its peer. Only the session's thread touches it.
//
//	WAIT    the SDP's exact address locks at once. An address that may be the party's (the SDP's IP, the IP that its
//	        SIP came from, inside any of the platform's networks) locks with its third consecutive plausible packet.
//	LOCKED  the peer, and nobody else. After 2 s without it the same stream may go on from such an address.
//	        An offer or answer that changes the party's address leads back to WAIT.
type latch struct {
	epoch     uint32 // of the aim that the candidates prove themselves for
	proofs    [candidates]proof
	lastMedia time.Duration // when the peer last sent
	lockedAt  time.Duration // when it became the peer
	lastRTCP  time.Duration // when the learned RTCP source last sent
	ssrc      uint32        // of the peer's newest packet
	seq       uint16        // of the peer's newest packet
	heard     bool          // ssrc and seq are there
}

// proof is one address on its way to the lock.
type proof struct {
	from netip.AddrPort
	ssrc uint32
	seq  uint16
	n    uint8
	at   time.Duration
}

// eligible says whether an address may be the party's although it is not the one of the SDP.
func (s *Session) eligible(leg Leg, a *aim, from netip.Addr) bool {
	switch {
	case !a.remote.RTP.IsValid():
		return false // nobody has said yet whom to expect
	case from == a.remote.Signalling:
		return true
	case a.remote.Secure:
		return false
	case a.remote.Kind == UDPTL && from == a.prior:
		return true
	case leg == Inside && s.trusted(from), a.remote.Loose:
		return true
	}
	return a.remote.Kind == RTP && from == a.sdp.Addr()
}

// media decides whether an RTP or UDPTL packet is the party's, and moves the latch. rtp is nil for UDPTL.
func (s *Session) media(leg Leg, a *aim, from netip.AddrPort, packet []byte, rtp *rtpHeader, now time.Duration) Drop {
	l := &s.legs[leg].latch
	if l.epoch != a.epoch {
		*l = latch{epoch: a.epoch, lastMedia: now}
	}
	if a.locked && from == a.peer {
		l.lastMedia = now
		if rtp != nil {
			l.ssrc, l.seq, l.heard = rtp.ssrc, rtp.seq, true
		}
		return dropNone
	}
	exact := from == a.sdp
	switch {
	case from.Port() == 0 || !exact && !s.eligible(leg, a, from.Addr()):
		return DropForeign
	case a.locked && now-l.lastMedia < reopenAfter:
		return DropForeign
	case a.locked && !exact && rtp != nil && !l.follows(rtp):
		return DropForeign
	case !exact && !l.prove(from, packet, rtp, s.agreed(), now):
		return DropUnproven
	}
	if !s.swap(leg, a, a.lockedOn(leg, from)) {
		return DropUnproven // an offer or answer came in between; the next packet meets it
	}
	l.proofs = [candidates]proof{}
	l.lastMedia, l.lockedAt = now, now
	if rtp != nil {
		l.ssrc, l.seq, l.heard = rtp.ssrc, rtp.seq, true
	}
	return dropNone
}

// follows says whether a packet goes on with the stream that the peer fell silent in. Of a peer that was not heard since
// the engine started again, nothing is known.
func (l *latch) follows(h *rtpHeader) bool {
	step := h.seq - l.seq
	return !l.heard || h.ssrc == l.ssrc && step >= 1 && step <= reopenStep
}

// prove counts a candidate's packets and says whether it is the peer now.
func (l *latch) prove(from netip.AddrPort, packet []byte, rtp *rtpHeader, agreed typeSet, now time.Duration) bool {
	p := l.candidate(from)
	if rtp == nil {
		// A UDPTL packet starts with its sequence number; senders repeat packets.
		return p.step(0, binary.BigEndian.Uint16(packet), true, now)
	}
	if !agreed.empty() && !agreed.has(rtp.payloadType) {
		p.n = 0
		return false
	}
	return p.step(rtp.ssrc, rtp.seq, false, now)
}

// candidate finds the proof of an address; a new one takes the place of the one that has proved least.
func (l *latch) candidate(from netip.AddrPort) *proof {
	weakest := &l.proofs[0]
	for i := range l.proofs {
		p := &l.proofs[i]
		if p.from == from {
			return p
		}
		if p.n < weakest.n || p.n == weakest.n && p.at < weakest.at {
			weakest = p
		}
	}
	*weakest = proof{from: from}
	return weakest
}

// step takes one plausible packet and says whether it was the last that was needed.
func (p *proof) step(ssrc uint32, seq uint16, repeats bool, now time.Duration) bool {
	delta := seq - p.seq
	switch {
	case p.n > 0 && repeats && delta == 0:
	case p.n > 0 && p.ssrc == ssrc && delta >= 1 && delta <= provingStep:
		p.n++
	default:
		p.n = 1
	}
	p.ssrc, p.seq, p.at = ssrc, seq, now
	return p.n >= provingPackets
}

// control decides whether an RTCP packet is the party's. It follows the lock of the leg's RTP.
func (s *Session) control(leg Leg, a *aim, at port, from netip.AddrPort, packet []byte, now time.Duration) Drop {
	l := &s.legs[leg].latch
	if !at.rtcp() {
		if a.locked && from == a.peer || !a.locked && from == a.sdp {
			return dropNone
		}
		return DropForeign
	}
	said := a.remote.rtcp()
	if a.remote.held() && a.sdp.IsValid() {
		said = netip.AddrPortFrom(a.sdp.Addr(), a.sdp.Port()+1)
	}
	switch {
	case from == a.rtcpPeer && from.IsValid():
		l.lastRTCP = now
		return dropNone
	case from == said:
		return dropNone
	case from.Port() == 0 || !a.locked || from.Addr() != a.peer.Addr():
		return DropForeign
	case a.rtcpPeer.IsValid() && now-l.lastRTCP < rtcpReopen:
		return DropForeign
	case !l.heard || binary.BigEndian.Uint32(packet[4:]) != l.ssrc:
		return DropUnproven // RTCP of the stream that we hear carries its SSRC, encrypted or not
	case !s.swap(leg, a, a.hearing(leg, from)):
		return DropUnproven
	}
	l.lastRTCP = now
	return dropNone
}

// handshake decides whether STUN or DTLS is the party's. It locks nothing: a lock needs media.
func (s *Session) handshake(leg Leg, a *aim, at port, from netip.AddrPort) Drop {
	switch {
	case a.locked && !at.rtcp() && from == a.peer:
	case a.locked && at.rtcp() && from.Addr() == a.peer.Addr():
	case !a.locked && (from.Addr() == a.sdp.Addr() || s.eligible(leg, a, from.Addr())):
	default:
		return DropForeign
	}
	return dropNone
}
