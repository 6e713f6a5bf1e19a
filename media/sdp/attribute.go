package sdp

import (
	"bytes"
	"time"
)

// An Attribute is an a= line of a kind that a relay or its caller has a reason to see.
type Attribute struct {
	Kind  AttributeKind
	Media int  // index into Description.Media; -1: of the session
	Line  Span // with its end
	Value Span // after the colon; empty: it has none
}

// AttributeKind tells the attributes that are indexed.
type AttributeKind uint8

// The kinds of attributes in the index. Those with a meaning of their own (rtcp, ptime, mid, directions) are fields of Media.
const (
	AttrCandidate   AttributeKind = iota + 1 // ICE, RFC 8839
	AttrICEUfrag                             // ICE, RFC 8839
	AttrICEPwd                               // ICE, RFC 8839
	AttrRemoteCands                          // ICE remote-candidates, RFC 8839
	AttrICEOther                             // ice-lite, ice-options, ice-mismatch, ice-pacing, end-of-candidates
	AttrCrypto                               // SDES, RFC 4568
	AttrSetup                                // RFC 4145
	AttrFingerprint                          // DTLS, RFC 8122
	AttrGroup                                // RFC 5888; BUNDLE and others
	AttrRTPMap                               // RFC 8866
)

// Names of attributes are case-sensitive (RFC 8866 section 5.13).
var attributeKinds = map[string]AttributeKind{
	"candidate":         AttrCandidate,
	"ice-ufrag":         AttrICEUfrag,
	"ice-pwd":           AttrICEPwd,
	"remote-candidates": AttrRemoteCands,
	"ice-lite":          AttrICEOther,
	"ice-options":       AttrICEOther,
	"ice-mismatch":      AttrICEOther,
	"ice-pacing":        AttrICEOther,
	"end-of-candidates": AttrICEOther,
	"crypto":            AttrCrypto,
	"setup":             AttrSetup,
	"fingerprint":       AttrFingerprint,
	"group":             AttrGroup,
	"rtpmap":            AttrRTPMap,
}

// isICE: lines that ICE=remove takes away.
func (k AttributeKind) isICE() bool { return k >= AttrCandidate && k <= AttrICEOther }

// attribute reads the value of an a= line of media m, or of the session if m is nil.
func (s *scanner) attribute(d *Description, m *Media, line, value Span) Fault {
	text := value.Of(d.Raw)
	name, arg := text, Span{value.End, value.End}
	if i := bytes.IndexByte(text, ':'); i >= 0 {
		name, arg = text[:i], Span{value.Start + uint32(i) + 1, value.End}
	}
	if kind, known := attributeKinds[string(name)]; known {
		d.Attributes = append(d.Attributes, Attribute{Kind: kind, Media: len(d.Media) - 1, Line: line, Value: arg})
		if kind == AttrICEUfrag && m == nil {
			d.ice = true
		} else if kind == AttrICEUfrag {
			m.ICE = true
		}
		return FaultNone
	}
	if dir, is := directionOf(name); is && arg.Empty() {
		if m == nil {
			d.Direction = dir
		} else {
			m.Direction = dir // of several, the last
		}
		return FaultNone
	}
	if m == nil {
		if string(name) == "ptime" {
			_, fault := readPtime(arg.Of(d.Raw))
			return fault
		}
		return FaultNone
	}
	switch string(name) {
	case "rtcp":
		return readRTCP(&m.RTCP, d.Raw, line, arg)
	case "rtcp-mux":
		m.RTCPMux = true
	case "rtcp-mux-only":
		m.RTCPMux, m.RTCPMuxOnly = true, true
	case "bundle-only":
		m.BundleOnly = true
	case "mid":
		m.Mid = trim(d.Raw, arg)
	case "ptime":
		var fault Fault
		m.Ptime, fault = readPtime(arg.Of(d.Raw))
		return fault
	}
	return FaultNone
}

func directionOf(name []byte) (Direction, bool) {
	switch string(name) {
	case "sendrecv":
		return SendRecv, true
	case "sendonly":
		return SendOnly, true
	case "recvonly":
		return RecvOnly, true
	case "inactive":
		return Inactive, true
	}
	return 0, false
}

// readPtime reads milliseconds, an integer or a real (RFC 8866 section 6.4), spaces around it borne.
func readPtime(b []byte) (time.Duration, Fault) {
	b = bytes.Trim(b, " ")
	whole, fraction, dot := bytes.Cut(b, []byte("."))
	if len(whole) == 0 || len(whole) > 5 || dot && (len(fraction) == 0 || len(fraction) > 3) {
		return 0, FaultPtime
	}
	micros, unit := 0, 1000
	for _, c := range whole {
		if c < '0' || c > '9' {
			return 0, FaultPtime
		}
		micros = 10*micros + int(c-'0')
	}
	micros *= 1000
	for _, c := range fraction {
		if c < '0' || c > '9' {
			return 0, FaultPtime
		}
		unit /= 10
		micros += unit * int(c-'0')
	}
	if micros == 0 {
		return 0, FaultPtime
	}
	return time.Duration(micros) * time.Microsecond, FaultNone
}
