package media

import (
	"net/netip"
	"time"
)

// A packet passes through this file from top to bottom:
//
//  1. What is it?               by its first bytes; what no party of a call sends goes
//  2. Is it from our peer?      the latch of the leg that it came in by decides, and learns
//  3. Count it                  what the leg sends, as RFC 3550 counts
//  4. Where does it go?         one load of the other leg's aim; nowhere has a name too
//  5. Count it again            what the other leg was sent
//
// It runs on the session's thread. Nothing here locks, allocates, reads a clock or changes a byte of the packet; what
// took a clock, a socket or a log line stands in the loop that calls it. (The few packets that move a latch allocate
// the new aim.)

// to says where a packet leaves: by which socket, and to whom.
type to struct {
	port port
	addr netip.AddrPort
}

// route decides on one packet that came in at a port of the session, from an address, at a time since the engine's
// start. A packet with a drop goes nowhere.
func (s *Session) route(at port, from netip.AddrPort, packet []byte, now time.Duration) (to, Drop) {
	leg := at.leg()
	out := leg.other()
	in, target := s.legs[leg].aim.Load(), s.legs[out].aim.Load()

	agreed := typeSet{in.types[0] | target.types[0], in.types[1] | target.types[1]}
	class, drop := classify(at, packet, [2]Kind{in.remote.Kind, target.remote.Kind}, in.remote.Mux, agreed)
	if drop != dropNone {
		return to{}, s.refuse(leg, drop)
	}

	var header rtpHeader
	switch class {
	case classRTP:
		header = readRTP(packet)
		drop = s.media(leg, in, from, packet, &header, now)
	case classUDPTL:
		drop = s.media(leg, in, from, packet, nil, now)
	case classRTCP:
		drop = s.control(leg, in, at, from, packet, now)
	case classOther:
		drop = s.handshake(leg, in, at, from)
	}
	if drop != dropNone {
		return to{}, s.refuse(leg, drop)
	}

	switch class {
	case classRTP:
		s.legs[leg].in.rtp(&header, len(packet), now, in.remote.Payloads, target.remote.Payloads)
	case classUDPTL:
		s.legs[leg].in.udptl(len(packet), now)
	case classRTCP:
		s.reported(leg, packet, in.remote.Secure || target.remote.Secure, now)
	}

	leave := to{port: rtpPort(out), addr: target.to}
	if class == classRTCP || at.rtcp() {
		leave.addr = target.toRTCP
		if !target.remote.Mux {
			leave.port = rtcpPort(out)
		}
	}
	switch {
	case leave.addr.IsValid():
	case target.why != dropNone:
		return to{}, s.refuse(leg, target.why)
	default:
		return to{}, s.refuse(leg, DropNoRTCP)
	}

	if class != classRTCP {
		s.legs[out].out.packets++
		s.legs[out].out.bytes += uint64(len(packet))
	}
	return leave, dropNone
}

// refuse counts a dropped packet against the leg that it came in by.
func (s *Session) refuse(leg Leg, d Drop) Drop {
	s.legs[leg].dropped[d]++
	return d
}
