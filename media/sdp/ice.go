package sdp

import (
	"net/netip"
	"strconv"
)

// ICE is what a rewrite does to ICE lines. The relay is not an ICE agent: it answers no checks.
type ICE uint8

// The ways.
const (
	// ICEKeep: no line is touched. Ends that speak ICE will find a path around the relay.
	ICEKeep ICE = iota
	// ICERemove: no line of ICE is left: the ends send to c= and m=.
	ICERemove
	// ICEReplace: the relay takes the place of all candidates. Credentials stay, so that the ends check each other through the relay.
	// What has no credentials gets no candidates.
	ICEReplace
)

// Priorities of host candidates, components 1 and 2 (RFC 8445 section 5.1.2.1: type 126, local 65535).
const hostPriority = 126<<24 | 65535<<8

// iceLines edits the sections of the relayed and of the dead; the session's lines unless a live media stays that they count for.
func (s *splice) iceLines() {
	if s.ICE == ICEKeep {
		return
	}
	session := true
	placed := make([]bool, len(s.Description.Media))
	for i := range s.Description.Media {
		session = session && !s.stays(i)
	}
	for _, a := range s.Attributes {
		switch {
		case a.Media < 0 && !session, a.Media >= 0 && s.stays(a.Media):
		case s.ICE == ICERemove && a.Kind.isICE():
			s.replace(a.Line, "")
		case s.ICE == ICEReplace && (a.Kind == AttrCandidate || a.Kind == AttrRemoteCands):
			if a.Media >= 0 && a.Kind == AttrCandidate && !placed[a.Media] && s.wantsCandidates(a.Media) {
				placed[a.Media] = true
				s.replaceLine(a.Line, s.candidates(a.Media))
			} else {
				s.replace(a.Line, "")
			}
		}
	}
	if s.ICE != ICEReplace {
		return
	}
	for i := range placed {
		if !placed[i] && s.wantsCandidates(i) {
			s.insertLine(s.Description.Media[i].Section.End, s.candidates(i))
		}
	}
}

// wantsCandidates: one of a bundle is enough.
func (s *splice) wantsCandidates(i int) bool {
	return s.relayed(i) && s.Description.Media[i].ICE && s.SharesPort(i) == i
}

// candidates are our lines for media i, the end of the last left out.
func (s *splice) candidates(i int) string {
	ep, m := s.Rewrite.Media[i], &s.Description.Media[i]
	text := candidate(1, ep.Addr, ep.RTP)
	if rtcp := ep.rtcp(); m.Kind == KindRTP && rtcp != ep.RTP && !m.RTCPMuxOnly {
		text += s.eol + candidate(2, ep.Addr, rtcp)
	}
	return text
}

func candidate(component int, addr netip.Addr, port uint16) string {
	return "a=candidate:1 " + strconv.Itoa(component) + " UDP " + strconv.Itoa(hostPriority+256-component) + " " +
		addr.Unmap().WithZone("").String() + " " + strconv.Itoa(int(port)) + " typ host"
}
