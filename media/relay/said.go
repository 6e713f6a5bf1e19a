package relay

import (
	"hash/maphash"
	"net/netip"
	"slices"

	"github.com/hotcut/hotcut/media"
	"github.com/hotcut/hotcut/media/sdp"
)

// voice is one description of a party, as its sessions need it. It is immutable once noted, so that what was in force
// before an offer is a pointer.
type voice struct {
	sum    uint64 // of the description
	tag    string
	early  bool // from an 18x
	answer bool // it answered an offer

	signalling netip.Addr
	loose      bool
	slots      [sdp.MaxMedia]*said // by slot; nil: not wanted
}

// said is what a party says of one line.
type said struct {
	kind      media.Kind
	rtp, rtcp netip.AddrPort
	mux       bool // offered or accepted
	keys      bool // keys of SRTP stand beside a profile that may go without
	secure    bool // the profile is a secure one
	direction media.Direction
	payloads  []media.Payload
}

var seed = maphash.MakeSeed()

// read makes a voice of a description whose lines have their places.
func (g *dialog) read(x *sdp.Description, d *Description, p *placing) *voice {
	v := &voice{sum: maphash.Bytes(seed, x.Raw), tag: d.Tag, early: d.Stage == Early, loose: d.Loose}
	if !d.Trusted {
		v.signalling = d.Signalling
	}
	for i := range x.Media {
		at := p.at[i]
		switch {
		case at < 0:
		case v.slots[at] == nil:
			v.slots[at] = readLine(x, i, d, g.slots[at].session, d.From)
		default: // bundled with an earlier line
			v.slots[at].join(x, i)
		}
	}
	return v
}

// readLine reads media i of a description.
func readLine(x *sdp.Description, i int, d *Description, s *media.Session, from media.Leg) *said {
	m := &x.Media[i]
	l := &said{
		kind: kindOf(x, i), mux: m.RTCPMux, direction: media.Direction(m.Direction), payloads: payloadsOf(x, i),
		secure: secureProto(m.Proto.Of(x.Raw)), keys: hasKeys(x, i),
	}
	own, _, _ := s.Local(from)
	l.rtp, l.rtcp = x.Endpoint(i)
	switch c := x.ConnectionOf(i); {
	case d.SourceAddress && d.Signalling.IsValid() && l.rtp.IsValid():
		l.rtp = netip.AddrPortFrom(d.Signalling, m.Port)
		if l.rtcp.IsValid() {
			l.rtcp = netip.AddrPortFrom(d.Signalling, l.rtcp.Port())
		}
	case l.rtp.IsValid():
	case !c.Addr.IsValid() && d.Signalling.IsValid(): // a name
		l.rtp = netip.AddrPortFrom(d.Signalling, m.Port)
	default: // hold, or a name of nobody knows whom
		l.rtp = netip.AddrPortFrom(unspecified(own), m.Port)
	}
	if l.rtcp.IsValid() && l.rtcp.Addr().Unmap().Is4() != own.Is4() {
		l.rtcp = netip.AddrPort{}
	}
	return l
}

// join adds a line that has the same ports.
func (l *said) join(x *sdp.Description, i int) {
	if media.Direction(x.Media[i].Direction).Sends() && !l.direction.Sends() {
		l.direction = media.Direction(x.Media[i].Direction)
	}
	for _, p := range payloadsOf(x, i) {
		if !slices.ContainsFunc(l.payloads, func(q media.Payload) bool { return q.Type == p.Type }) {
			l.payloads = append(l.payloads, p)
		}
	}
}

// kindOf is how the packets of media i look. T.38 over DTLS looks like DTLS, not like UDPTL.
func kindOf(x *sdp.Description, i int) media.Kind {
	if m := &x.Media[i]; m.Kind == sdp.KindUDPTL && !secureProto(m.Proto.Of(x.Raw)) {
		return media.UDPTL
	}
	return media.RTP
}

// secureProto: RTP/SAVP, RTP/SAVPF, and all that is over TLS or DTLS.
func secureProto(proto []byte) bool {
	for i := range proto {
		if foldPrefix(proto[i:], "/SAVP") || foldPrefix(proto[i:], "TLS/") {
			return true
		}
	}
	return false
}

func foldPrefix(b []byte, upper string) bool {
	if len(b) < len(upper) {
		return false
	}
	for i := range len(upper) {
		c := b[i]
		if c >= 'a' && c <= 'z' {
			c -= 'a' - 'A'
		}
		if c != upper[i] {
			return false
		}
	}
	return true
}

func hasKeys(x *sdp.Description, i int) bool {
	for _, a := range x.Attributes {
		if (a.Kind == sdp.AttrCrypto || a.Kind == sdp.AttrFingerprint) && (a.Media == i || a.Media < 0) {
			return true
		}
	}
	return false
}

func payloadsOf(x *sdp.Description, i int) (list []media.Payload) {
	set := x.PayloadTypes(i)
	for t := range uint8(128) {
		if set.Has(t) {
			c := x.Codec(i, t)
			list = append(list, media.Payload{Type: t, Name: c.Name, ClockRate: uint32(c.Rate)})
		}
	}
	return list
}

func unspecified(like netip.Addr) netip.Addr {
	if like.Is4() {
		return netip.IPv4Unspecified()
	}
	return netip.IPv6Unspecified()
}

// remote is what a session is told of a party; other is what the other party says of the same line, nil if it has not.
func (l *said) remote(v *voice, other *said) media.Remote {
	r := media.Remote{
		RTP: l.rtp, RTCP: l.rtcp, Signalling: v.signalling, Kind: l.kind, Secure: l.secure, Loose: v.loose,
		Direction: l.direction, Early: v.early, Payloads: l.payloads,
	}
	if other != nil {
		r.Mux = l.mux && other.mux
		r.Secure = r.Secure || l.keys && other.keys
	}
	return r
}

// off is a remote that wants nothing any more.
func off(last media.Remote) media.Remote {
	last.RTP = netip.AddrPortFrom(last.RTP.Addr(), 0)
	last.RTCP = netip.AddrPort{}
	last.Direction = media.Inactive
	return last
}

func sameRemote(a, b *media.Remote) bool {
	return a.RTP == b.RTP && a.RTCP == b.RTCP && a.Signalling == b.Signalling && a.Kind == b.Kind && a.Mux == b.Mux &&
		a.Secure == b.Secure && a.Loose == b.Loose && a.Direction == b.Direction && a.Early == b.Early && slices.Equal(a.Payloads, b.Payloads)
}
