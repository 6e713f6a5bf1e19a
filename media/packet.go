package media

import "encoding/binary"

// class is what a datagram is, told from its first bytes (RFC 7983, RFC 5761 section 4).
type class uint8

const (
	classRTP class = iota
	classRTCP
	classUDPTL
	classOther // STUN or DTLS: what the parties set their keys and paths up with
)

const (
	minRTP      = 12
	minRTCP     = 8
	minUDPTL    = 4
	minSTUN     = 20
	minDTLS     = 13
	maxPacket   = 1500
	stunMagic   = 0x2112A442 // RFC 8489 section 5
	rtpVersion2 = 0x80
)

// rtpHeader is the fixed header of RFC 3550 section 5.1, read in place.
type rtpHeader struct {
	marker      bool
	payloadType uint8
	seq         uint16
	timestamp   uint32
	ssrc        uint32
}

// readRTP reads the fixed header of a datagram that classify took for RTP.
func readRTP(b []byte) rtpHeader {
	_ = b[minRTP-1]
	return rtpHeader{
		marker:      b[1]&0x80 != 0,
		payloadType: b[1] & 0x7f,
		seq:         binary.BigEndian.Uint16(b[2:]),
		timestamp:   binary.BigEndian.Uint32(b[4:]),
		ssrc:        binary.BigEndian.Uint32(b[8:]),
	}
}

// classify tells what came in at a port. own are the payload types agreed on: a type in RTCP's range that both
// parties named is RTP where RTCP has a port of its own.
func classify(at port, b []byte, kinds [2]Kind, mux bool, agreed typeSet) (class, Drop) {
	if len(b) > maxPacket {
		return 0, DropLong
	}
	if len(b) < minUDPTL {
		return 0, DropShort
	}
	fax := !at.rtcp() && (kinds[0] == UDPTL || kinds[1] == UDPTL)
	if fax && (kinds[0] == kinds[1] || !likeRTP(b, agreed)) {
		return classUDPTL, dropNone
	}
	switch first := b[0]; {
	case first <= 3:
		return classOther, checkSTUN(b)
	case first >= 20 && first <= 63:
		if len(b) < minDTLS {
			return 0, DropShort
		}
		return classOther, dropNone
	case first < 128 || first > 191:
		return 0, DropKind
	}
	if len(b) < minRTCP {
		return 0, DropShort
	}
	if b[1] >= 192 && b[1] <= 223 && (at.rtcp() || mux || !agreed.has(b[1]&0x7f)) {
		return classRTCP, dropNone
	}
	switch {
	case at.rtcp():
		return 0, DropKind
	case len(b) < minRTP:
		return 0, DropShort
	case len(b) < minRTP+4*int(b[0]&0x0f):
		return 0, DropMalformed // more contributing sources than bytes
	}
	return classRTP, dropNone
}

// likeRTP tells audio from fax on a port that is changing from one to the other.
func likeRTP(b []byte, agreed typeSet) bool {
	return len(b) >= minRTP && b[0]&0xc0 == rtpVersion2 && (agreed.empty() || agreed.has(b[1]&0x7f))
}

func checkSTUN(b []byte) Drop {
	switch {
	case len(b) < minSTUN:
		return DropShort
	case binary.BigEndian.Uint32(b[4:]) != stunMagic:
		return DropKind
	case int(binary.BigEndian.Uint16(b[2:])) != len(b)-minSTUN:
		return DropMalformed
	}
	return dropNone
}
