package sdp

import (
	"iter"
	"net/netip"
)

// ConnectionOf is the c= that counts for media i: its own, else the session's, which may be empty if the port is 0.
func (d *Description) ConnectionOf(i int) *Connection {
	if c := &d.Media[i].Connection; !c.Line.Empty() {
		return c
	}
	return &d.Connection
}

// Endpoint is where the writer of the description wants the packets of media i. rtp is not valid when nothing is to be sent
// there: port 0, a name, or the unspecified address. rtcp is what a=rtcp says, else the next port, also with rtcp-mux, which an
// offer only proposes; not valid for what has no RTCP.
func (d *Description) Endpoint(i int) (rtp, rtcp netip.AddrPort) {
	m, c := &d.Media[i], d.ConnectionOf(i)
	if m.Port == 0 || !c.Addr.IsValid() || c.null() {
		return rtp, rtcp
	}
	rtp = netip.AddrPortFrom(c.Addr.Unmap(), m.Port)
	if m.Kind != KindRTP {
		return rtp, rtcp
	}
	switch {
	case m.RTCP.Line.Empty():
		if m.Port < 65535 {
			rtcp = netip.AddrPortFrom(rtp.Addr(), m.Port+1)
		}
	case m.RTCP.Port == 0 || m.RTCP.null():
	case m.RTCP.Span.Empty():
		rtcp = netip.AddrPortFrom(rtp.Addr(), m.RTCP.Port)
	case m.RTCP.Addr.IsValid():
		rtcp = netip.AddrPortFrom(m.RTCP.Addr.Unmap(), m.RTCP.Port)
	}
	return rtp, rtcp
}

// Held reports whether the writer puts media i on hold: it does not want to receive (sendonly, inactive, RFC 3264 section
// 8.4), or gives the unspecified address outside of ICE (RFC 2543).
func (d *Description) Held(i int) bool {
	m := &d.Media[i]
	return m.Direction == SendOnly || m.Direction == Inactive || d.nullHold(i)
}

// nullHold: hold by address.
func (d *Description) nullHold(i int) bool { return d.ConnectionOf(i).null() && !d.Media[i].ICE }

// Relayable reports whether media i is wanted (its port is not 0) and travels over UDP.
func (d *Description) Relayable(i int) bool {
	m := &d.Media[i]
	return m.Port != 0 && m.Kind != KindOther
}

// Formats yields the formats of media i: payload types for RTP.
func (d *Description) Formats(i int) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		rest := d.Media[i].Formats
		for f := word(d.Raw, &rest); !f.Empty(); f = word(d.Raw, &rest) {
			if !yield(f.Of(d.Raw)) {
				return
			}
		}
	}
}

// PayloadSet is a set of RTP payload types.
type PayloadSet [2]uint64

// Has reports whether the payload type is in the set.
func (p *PayloadSet) Has(t uint8) bool { return t < 128 && p[t>>6]>>(t&63)&1 != 0 }

// PayloadTypes are the formats of media i that are RTP payload types.
func (d *Description) PayloadTypes(i int) (set PayloadSet) {
	if d.Media[i].Kind != KindRTP {
		return set
	}
	for f := range d.Formats(i) {
		if t, ok := readPort(f); ok && t < 128 {
			set[t>>6] |= 1 << (t & 63)
		}
	}
	return set
}
