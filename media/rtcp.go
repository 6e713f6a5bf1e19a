package media

import (
	"encoding/binary"
	"time"
)

const (
	typeSR     = 200
	typeRR     = 201
	blockSize  = 24
	maxSane    = 10 * time.Second // a longer round trip is a clock that lies
	keptSRs    = 4                // sender reports that an answer may refer to
	maxCompond = 32               // packets looked at in one compound packet
)

// farView is what the party of a leg says of the stream that we send it, from its RTCP reports.
type farView struct {
	reports  uint32
	fraction uint8  // lost since its last report, of 256
	lost     int32  // since it began, 24 bits signed
	jitter   uint32 // timestamp units of the stream that it receives

	sent    [keptSRs]sentReport // sender reports passed on to it
	sentAt  uint8
	trips   uint32
	tripSum time.Duration
	trip    time.Duration // newest
	tripMax time.Duration
}

// sentReport is a sender report on its way to the party: its answer names it by the middle of its NTP time.
type sentReport struct {
	lsr uint32
	at  time.Duration
	is  bool
}

// reported reads an accepted RTCP packet of a leg: what it says of the stream that it gets, and the sender report that
// goes on to the other leg. Encrypted ones (SRTCP) say nothing.
func (s *Session) reported(leg Leg, packet []byte, encrypted bool, now time.Duration) {
	s.legs[leg].rtcp++
	if encrypted {
		return
	}
	from, other := &s.legs[leg], &s.legs[leg.other()]
	walkRTCP(packet, func(kind uint8, body []byte, blocks int) {
		if kind == typeSR {
			other.far.passed(binary.BigEndian.Uint32(body[6:]), now)
			body = body[20:]
		}
		for b := body[4:]; blocks > 0 && len(b) >= blockSize; b, blocks = b[blockSize:], blocks-1 {
			if other.in.begun && binary.BigEndian.Uint32(b) == other.in.ssrc {
				from.far.block(b, now)
			}
		}
	})
}

// walkRTCP calls f with every sender and receiver report of a compound packet, without its four bytes of common header.
// A packet that ends too early ends the walk. body holds the sender's SSRC, for an SR its 20 bytes of sender
// information, then report blocks; blocks is how many the header promises.
func walkRTCP(packet []byte, f func(kind uint8, body []byte, blocks int)) {
	for range maxCompond {
		if len(packet) < minRTCP || packet[0]&0xc0 != rtpVersion2 {
			return
		}
		end := 4 + 4*int(binary.BigEndian.Uint16(packet[2:]))
		if end > len(packet) {
			return
		}
		kind, body := packet[1], packet[4:end]
		if kind == typeSR && len(body) >= 24 || kind == typeRR && len(body) >= 4 {
			f(kind, body, int(packet[0]&0x1f))
		}
		packet = packet[end:]
	}
}

// passed notes a sender report that goes to the party now.
func (v *farView) passed(lsr uint32, now time.Duration) {
	v.sent[v.sentAt%keptSRs] = sentReport{lsr, now, true}
	v.sentAt++
}

// block takes one report block (RFC 3550 section 6.4.1).
func (v *farView) block(b []byte, now time.Duration) {
	v.reports++
	v.fraction = b[4]
	v.lost = int32(binary.BigEndian.Uint32(b[4:])<<8) >> 8
	v.jitter = binary.BigEndian.Uint32(b[12:])
	lsr, dlsr := binary.BigEndian.Uint32(b[16:]), binary.BigEndian.Uint32(b[20:])
	if lsr == 0 {
		return
	}
	for _, r := range v.sent {
		if !r.is || r.lsr != lsr {
			continue
		}
		// The time since the report passed here, less the time that the party held it: the way there and back.
		trip := now - r.at - time.Duration(dlsr)*time.Second/65536
		if trip < 0 || trip > maxSane {
			return
		}
		v.trips++
		v.trip = trip
		v.tripSum += trip
		v.tripMax = max(v.tripMax, trip)
		return
	}
}
