package media

import (
	"errors"
	"fmt"
	"net/netip"
)

// Kind is what a media line carries.
type Kind uint8

const (
	RTP   Kind = iota // RTP or SRTP, RFC 3550 and 3711
	UDPTL             // T.38 fax, "m=image udptl"
)

// Direction is what the remote party says that it will do, in its own SDP (RFC 8866 section 6.7).
type Direction uint8

const (
	SendRecv Direction = iota
	SendOnly
	RecvOnly
	Inactive
)

// Sends says whether media is to be expected from the party.
func (d Direction) Sends() bool { return d == SendRecv || d == SendOnly }

// Payload is one RTP payload type of an SDP. A static type (RFC 3551) may come without name and clock rate.
type Payload struct {
	Type      uint8  // 0 to 127
	Name      string // encoding name of a=rtpmap, e.g. "PCMU", "telephone-event"
	ClockRate uint32 // Hz
}

// Remote is what signalling knows of the party behind one leg: the media line of its newest offer or answer.
type Remote struct {
	RTP        netip.AddrPort // from c= and m=. 0.0.0.0, :: or port 0: the party wants nothing sent (hold, RFC 2543)
	RTCP       netip.AddrPort // from a=rtcp (RFC 3605). Zero: the address of RTP, the next port
	Signalling netip.Addr     // source of the SIP message that brought the SDP. Zero: unknown
	Kind       Kind
	Mux        bool // rtcp-mux agreed (RFC 5761): RTCP has the port of RTP
	Secure     bool // SRTP: packets can not be told from forged ones by what they say, so only addresses count
	Loose      bool // media may come from any address (pools of carrier-grade NAT)
	Direction  Direction
	Early      bool // from a provisional response: nobody owes media yet, so its absence is no event
	Payloads   []Payload

	ours bool // RTP is a port of another session of this engine
}

const maxPayloads = 128 // as many as there are payload types

var errRemote = errors.New("media: unusable remote")

// check refuses what no packet may ever be sent to.
func (r *Remote) check(own netip.Addr) error {
	switch {
	case !r.RTP.IsValid():
		return fmt.Errorf("%w: no address", errRemote)
	case r.RTP.Addr().Is4() != own.Is4():
		return fmt.Errorf("%w: %v is of another address family than the leg's %v", errRemote, r.RTP, own)
	case forbidden(r.RTP.Addr()), r.RTCP.IsValid() && forbidden(r.RTCP.Addr()):
		return fmt.Errorf("%w: multicast or broadcast address", errRemote)
	case r.RTCP.IsValid() && r.RTCP.Addr().Is4() != own.Is4():
		return fmt.Errorf("%w: RTCP address %v is of another family than the leg's %v", errRemote, r.RTCP, own)
	case len(r.Payloads) > maxPayloads:
		return fmt.Errorf("%w: %d payload types", errRemote, len(r.Payloads))
	}
	for _, p := range r.Payloads {
		if p.Type > 127 {
			return fmt.Errorf("%w: payload type %d", errRemote, p.Type)
		}
	}
	return nil
}

func forbidden(a netip.Addr) bool {
	return a.IsMulticast() || a == netip.AddrFrom4([4]byte{255, 255, 255, 255})
}

// held says that the party wants nothing sent.
func (r *Remote) held() bool { return r.RTP.Addr().IsUnspecified() || r.RTP.Port() == 0 }

// rtcp is where the party wants its RTCP, or zero.
func (r *Remote) rtcp() netip.AddrPort {
	switch {
	case r.held():
		return netip.AddrPort{}
	case r.Mux:
		return r.RTP
	case r.RTCP.IsValid() && r.RTCP.Port() != 0 && !r.RTCP.Addr().IsUnspecified():
		return r.RTCP
	case r.RTP.Port() == 65535:
		return netip.AddrPort{}
	}
	return netip.AddrPortFrom(r.RTP.Addr(), r.RTP.Port()+1)
}

var cgnat = netip.MustParsePrefix("100.64.0.0/10") // RFC 6598

// private says whether an address of an SDP from outside can not be the party's address as we reach it: RFC 1918, RFC
// 6598, RFC 4193, link-local and loopback. Until the leg locks, nothing is sent there.
func private(a netip.Addr) bool {
	return a.IsPrivate() || a.IsLoopback() || a.IsLinkLocalUnicast() || cgnat.Contains(a)
}
