package sdp

import (
	"net/netip"
	"time"
)

// Bounds of a description; what is over them is refused.
const (
	MaxSize    = 64 << 10 // bytes
	MaxLines   = 2048
	MaxMedia   = 32 // m= lines
	MaxFormats = 128
)

// A Span is a half-open range of offsets into the bytes it was read from.
type Span struct{ Start, End uint32 }

// Of returns the bytes of s in raw, without copying.
func (s Span) Of(raw []byte) []byte { return raw[s.Start:s.End:s.End] }

// Empty reports whether s has no bytes.
func (s Span) Empty() bool { return s.Start >= s.End }

func span(start, end int) Span { return Span{uint32(start), uint32(end)} }

// A Description is the index of one session description. It is meant to be reused: Scan keeps its memory.
type Description struct {
	Raw        []byte // what was scanned; borrowed
	Origin     Target // the address of o=; empty when o= is missing or unreadable
	Connection Connection
	Direction  Direction // of the session; each Media has its own, inherited or not
	Media      []Media
	Attributes []Attribute // those of the kinds that this package knows, in order

	eol string
	ice bool // credentials for all sections
}

// Media is one m= line with the lines that follow it.
type Media struct {
	Line    Span // the m= line with its end
	Section Span // from Line.Start to the next m=
	Type    Span // audio, video, image, ...
	Proto   Span
	Formats Span // may have inner spaces; see Description.Formats
	Kind    Kind

	Port     uint16 // 0: not wanted, rejected, or bundled with another (BundleOnly)
	PortSpan Span

	Connection Connection // its own; see Description.ConnectionOf
	RTCP       RTCP
	Direction  Direction
	Ptime      time.Duration // 0: not said
	Mid        Span
	Bundle     int // index of the a=group:BUNDLE line that names it; -1: none

	RTCPMux     bool // a=rtcp-mux (RFC 5761) or rtcp-mux-only
	RTCPMuxOnly bool // RFC 8858
	BundleOnly  bool // RFC 8843
	ICE         bool // it or the session has ICE credentials

	connectionAt uint32 // where a c= of its own belongs
}

// Kind is how a media's packets travel.
type Kind uint8

// The kinds. What is not KindOther travels over UDP and can be relayed.
const (
	KindOther Kind = iota
	KindRTP        // RTP/AVP and its profiles, secured or not
	KindUDPTL      // T.38 (ITU-T T.38 annex D)
	KindDTLS       // data channels: UDP/DTLS/SCTP
)

// Direction of a=sendrecv and its kin.
type Direction uint8

// The directions, as the writer of the description sees them.
const (
	SendRecv Direction = iota
	SendOnly
	RecvOnly
	Inactive
)

// A Target is an address as o=, c= and a=rtcp give it.
type Target struct {
	Span Span       // from the address type to the address, such as "IP4 192.0.2.1"; empty: there is none
	Addr netip.Addr // not valid: a name, which nobody here resolves
}

// Connection is a c= line.
type Connection struct {
	Line Span // with its end; empty: there is none
	Target
}

// RTCP is an a=rtcp line (RFC 3605).
type RTCP struct {
	Line     Span // with its end; empty: there is none
	Port     uint16
	PortSpan Span
	Target   // empty: the address of c=
}

// null: the unspecified address, which says hold.
func (t *Target) null() bool { return t.Addr.IsValid() && t.Addr.Unmap().IsUnspecified() }
