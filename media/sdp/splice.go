package sdp

import (
	"net/netip"
	"slices"
	"strconv"
)

// An Endpoint is the relay's place for one m= line.
type Endpoint struct {
	Addr netip.Addr // not valid: the line stays as it is
	RTP  uint16     // port; 0: the line stays as it is
	RTCP uint16     // port; 0: RTP+1. The same as RTP where rtcp-mux is agreed
}

// A Rewrite is what Append changes.
type Rewrite struct {
	Media  []Endpoint // by index of m=; those beyond it stay as they are
	Origin netip.Addr // valid: takes the place of the address of o=
	ICE    ICE
}

// edit puts text in the place of [at,end).
type edit struct {
	at, end uint32
	text    string
	line    bool // text is a line, or several, the last one's end left out
}

// splice collects the edits of one rewrite.
type splice struct {
	*Description
	*Rewrite
	edits []edit
}

// Append appends the description to dst with the addresses and ports of r. An m= line with port 0 keeps it, whatever r
// says. The session's c= is rewritten unless a live m= line that stays needs it; then, and where one c= can not serve all,
// the lines that are relayed get a c= of their own.
func (d *Description) Append(dst []byte, r *Rewrite) []byte {
	s := splice{d, r, make([]edit, 0, 32)}
	if r.Origin.IsValid() && !d.Origin.Span.Empty() {
		s.target(d.Origin.Span, r.Origin)
	}
	session := s.sessionAddr()
	if session.IsValid() {
		s.target(d.Connection.Span, session)
	}
	for i := range d.Media {
		if s.relayed(i) {
			s.media(i, session)
		}
	}
	s.iceLines()
	slices.SortStableFunc(s.edits, func(a, b edit) int { return int(int64(a.at) - int64(b.at)) })
	pos := uint32(0)
	for _, e := range s.edits {
		dst = append(dst, d.Raw[pos:e.at]...)
		switch {
		case !e.line:
			dst = append(dst, e.text...)
		case dst[len(dst)-1] == '\n': // at least "v=0" is before it
			dst = append(append(dst, e.text...), d.eol...)
		default: // after a last line that has no end
			dst = append(append(dst, d.eol...), e.text...)
		}
		pos = e.end
	}
	return append(dst, d.Raw[pos:]...)
}

// relayed: the rewrite has a place for media i.
func (s *splice) relayed(i int) bool {
	return i < len(s.Rewrite.Media) && s.Description.Media[i].Port != 0 &&
		s.Rewrite.Media[i].Addr.IsValid() && s.Rewrite.Media[i].RTP != 0
}

// stays: media i is live, and the rewrite leaves it alone.
func (s *splice) stays(i int) bool { return s.Description.Media[i].Port != 0 && !s.relayed(i) }

// inherits: media i lives on the session's c=.
func (s *splice) inherits(i int) bool { return s.Description.Media[i].Connection.Line.Empty() }

// sessionAddr is what the session's c= becomes; not valid: it stays.
func (s *splice) sessionAddr() netip.Addr {
	if s.Connection.Line.Empty() {
		return netip.Addr{}
	}
	var first, inherited netip.Addr
	for i := range s.Description.Media {
		switch {
		case s.stays(i) && s.inherits(i):
			return netip.Addr{}
		case !s.relayed(i):
			continue
		case s.inherits(i) && !inherited.IsValid():
			inherited = s.place(i)
		}
		if !first.IsValid() {
			first = s.Rewrite.Media[i].Addr
		}
	}
	switch {
	case inherited.IsValid():
		return inherited
	case s.Connection.null():
		return netip.Addr{} // nobody's, and hides nothing
	}
	return first
}

// place is the address that media i is to have: a hold stays one.
func (s *splice) place(i int) netip.Addr {
	addr := s.Rewrite.Media[i].Addr
	if s.nullHold(i) {
		return nullLike(addr)
	}
	return addr
}

func nullLike(addr netip.Addr) netip.Addr {
	if addr.Unmap().Is4() {
		return netip.IPv4Unspecified()
	}
	return netip.IPv6Unspecified()
}

// media writes the port, the c= and the a=rtcp of a relayed media.
func (s *splice) media(i int, session netip.Addr) {
	m, ep, addr := &s.Description.Media[i], s.Rewrite.Media[i], s.place(i)
	s.replace(m.PortSpan, strconv.Itoa(int(ep.RTP)))
	switch {
	case !m.Connection.Line.Empty():
		s.target(m.Connection.Span, addr)
	case session != addr:
		s.insertLine(m.connectionAt, "c=IN "+targetText(addr))
	}
	if m.Kind != KindRTP {
		return
	}
	rtcp := ep.rtcp()
	switch {
	case !m.RTCP.Line.Empty():
		s.replace(m.RTCP.PortSpan, strconv.Itoa(int(rtcp)))
		if !m.RTCP.Span.Empty() {
			if m.RTCP.null() && !m.ICE {
				addr = nullLike(addr)
			}
			s.target(m.RTCP.Span, addr)
		}
	case rtcp != ep.RTP+1 && rtcp != ep.RTP:
		s.insertLine(m.Section.End, "a=rtcp:"+strconv.Itoa(int(rtcp)))
	}
}

// rtcp is the port of RTCP.
func (e Endpoint) rtcp() uint16 {
	switch {
	case e.RTCP != 0:
		return e.RTCP
	case e.RTP == 65535:
		return e.RTP
	}
	return e.RTP + 1
}

func (s *splice) replace(at Span, text string) {
	s.edits = append(s.edits, edit{at: at.Start, end: at.End, text: text})
}

func (s *splice) target(at Span, addr netip.Addr) { s.replace(at, targetText(addr)) }

func targetText(addr netip.Addr) string {
	addr = addr.Unmap().WithZone("")
	if addr.Is4() {
		return "IP4 " + addr.String()
	}
	return "IP6 " + addr.String()
}

// insertLine puts a line where another begins, or after the last.
func (s *splice) insertLine(at uint32, text string) { s.replaceLine(Span{at, at}, text) }

func (s *splice) replaceLine(at Span, text string) {
	s.edits = append(s.edits, edit{at: at.Start, end: at.End, text: text, line: true})
}
