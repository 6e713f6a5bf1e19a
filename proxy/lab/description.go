package lab

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// direction is what a party says of its audio (RFC 8866 section 6.7): its own sending and receiving.
type direction struct{ sends, hears bool }

var bothWays = direction{true, true}

func (d direction) String() string {
	switch d {
	case bothWays:
		return "sendrecv"
	case direction{sends: true}:
		return "sendonly"
	case direction{hears: true}:
		return "recvonly"
	}
	return "inactive"
}

// answered is the direction of an answer to an offer by whom wants as much as it is offered (RFC 3264 section 6.1).
func (d direction) answered() direction { return direction{sends: d.hears, hears: d.sends} }

// describe is an SDP of one audio line: PCMU, PCMA (which is offered, and never sent) and telephone events. The session name says who wrote it; version counts what
// it has said of this call (RFC 3264 section 8).
func describe(name string, at netip.AddrPort, version int, d direction) []byte {
	host := at.Addr().String()
	return fmt.Appendf(nil, "v=0\r\no=- 1 %d IN IP4 %s\r\ns=%s\r\nc=IN IP4 %s\r\nt=0 0\r\nm=audio %d RTP/AVP %d %d %d\r\na=rtpmap:%d PCMU/8000\r\na=rtpmap:%d PCMA/8000\r\na=rtpmap:%d telephone-event/8000\r\na=fmtp:%d 0-15\r\na=ptime:20\r\na=%s\r\n",
		version, host, name, host, at.Port(), typePCMU, typePCMA, typeEvent, typePCMU, typePCMA, typeEvent, typeEvent, d)
}

// described reads where a description wants its audio and what the describing party does. It is the lab's own reading:
// who judges an edge must not share its mistakes. False: there is no audio line that the lab can talk to.
func described(body []byte) (at netip.AddrPort, d direction, ok bool) {
	var host netip.Addr
	port, audio, session := uint64(0), false, bothWays
	d = bothWays
	for line := range strings.Lines(string(body)) {
		line = strings.TrimRight(line, "\r\n")
		switch {
		case strings.HasPrefix(line, "m="):
			if audio { // a second line: the lab talks by the first
				return netip.AddrPortFrom(host, uint16(port)), d, host.IsValid() && port > 0
			}
			f := strings.Fields(line[2:])
			if len(f) < 4 || f[0] != "audio" {
				continue
			}
			n, err := strconv.ParseUint(f[1], 10, 16)
			if err != nil {
				return netip.AddrPort{}, d, false
			}
			port, audio, d = n, true, session
		case strings.HasPrefix(line, "c="):
			f := strings.Fields(line[2:])
			if len(f) != 3 {
				return netip.AddrPort{}, d, false
			}
			a, err := netip.ParseAddr(f[2])
			if err != nil {
				return netip.AddrPort{}, d, false
			}
			host = a
		case strings.HasPrefix(line, "a="):
			for _, known := range []direction{bothWays, {sends: true}, {hears: true}, {}} {
				if line[2:] == known.String() {
					d = known
					if !audio {
						session = known
					}
				}
			}
		}
	}
	return netip.AddrPortFrom(host, uint16(port)), d, host.IsValid() && port > 0
}

// sessionName reads the s= line of a description.
func sessionName(body []byte) string {
	for line := range strings.Lines(string(body)) {
		if name, found := strings.CutPrefix(line, "s="); found {
			return strings.TrimRight(name, "\r\n")
		}
	}
	return ""
}
