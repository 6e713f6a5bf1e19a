package ng

import (
	"net/netip"
	"slices"
	"strings"
)

// Flags say how an offer or an answer is to be treated. The zero value asks for nothing: the server's defaults.
type Flags struct {
	TrustAddress     bool // the address in the SDP is where packets go
	SIPSourceAddress bool // it is not: ReceivedFrom is
	Symmetric        bool
	Asymmetric       bool // the end sends from elsewhere than it receives: never learn its address
	PortLatching     bool // keep ports that an offer of the same media used before

	ReplaceOrigin            bool // the address of o=
	ReplaceSessionConnection bool // the session's c=

	ICE               ICE
	Direction         [2]string // names of interfaces: of the sender of this SDP, of its receiver; an answer that has it has it the other way round
	AddressFamily     Family    // of the rewritten SDP
	TransportProtocol string    // of the rewritten SDP: RTP/AVP, RTP/AVPF, RTP/SAVP, RTP/SAVPF
	RTCPMux           []string  // offer, require, demux, accept, reject
	ReceivedFrom      netip.Addr
	MediaAddress      netip.Addr // what the rewritten SDP says in place of the relay's own address, as rtpengine 10.5 does (its manual says otherwise)
	Record            Record

	Other []string // of the list "flags", verbatim; for readers of requests that know more than this package
}

// LooseLatching, among Flags.Other, is a word of our own: the media of the SDP's sender may come from any address, as behind
// pools of carrier-grade NAT. It asks rtpengine for nothing that it does not do anyway; it notes a flag that it does not know.
const LooseLatching = "loose-latching"

// ICE is what happens to ICE lines.
type ICE string

// The ways.
const (
	ICEDefault ICE = "default" // as force if the SDP has ICE, else none is added; so is the zero value
	ICERemove  ICE = "remove"
	ICEForce   ICE = "force" // the relay becomes the only candidate
)

// Family is an address family.
type Family string

// The families.
const (
	IP4 Family = "IP4"
	IP6 Family = "IP6"
)

// Record is whether the call is recorded. Our relay records nothing, whatever it is asked.
type Record string

// The zero value is the server's default.
const (
	RecordOff Record = "off"
	RecordOn  Record = "on"
)

// names of flags without a value, in the order in which they are written.
var flagNames = []struct {
	name string
	of   func(*Flags) *bool
}{
	{"trust-address", func(f *Flags) *bool { return &f.TrustAddress }},
	{"SIP-source-address", func(f *Flags) *bool { return &f.SIPSourceAddress }},
	{"symmetric", func(f *Flags) *bool { return &f.Symmetric }},
	{"asymmetric", func(f *Flags) *bool { return &f.Asymmetric }},
	{"port-latching", func(f *Flags) *bool { return &f.PortLatching }},
}

// maxOther bounds the flags that we do not know.
const maxOther = 64

// read takes the flags out of a request whose keys have hyphens. A value that we do not know is as if it were not said.
func (f *Flags) read(d Dict, fatal *bool) {
flags:
	for _, name := range d.strs("flags") {
		name = strings.ReplaceAll(name, " ", "-")
		for _, known := range flagNames {
			if name == known.name {
				*known.of(f) = true
				continue flags
			}
		}
		switch name {
		case "fatal":
			*fatal = true
		case "replace-origin":
			f.ReplaceOrigin = true
		case "replace-session-connection":
			f.ReplaceSessionConnection = true
		default:
			if len(f.Other) < maxOther {
				f.Other = append(f.Other, name)
			}
		}
	}
	for _, what := range d.strs("replace") {
		switch strings.ReplaceAll(what, " ", "-") {
		case "origin":
			f.ReplaceOrigin = true
		case "session-connection":
			f.ReplaceSessionConnection = true
		}
	}
	switch ice := ICE(d.str("ICE")); ice {
	case ICEDefault, ICERemove, ICEForce:
		f.ICE = ice
	}
	if names := d.strs("direction"); len(names) == 2 {
		f.Direction = [2]string(names)
	}
	switch family := Family(d.str("address-family")); family {
	case IP4, IP6:
		f.AddressFamily = family
	}
	f.TransportProtocol = d.str("transport-protocol")
	f.RTCPMux = d.strs("rtcp-mux")
	if from := d.strs("received-from"); len(from) == 2 {
		f.ReceivedFrom = address(from[1])
	}
	f.MediaAddress = address(d.str("media-address"))
	switch strings.ToLower(d.str("record-call")) {
	case "yes", "on":
		f.Record = RecordOn
	case "no", "off":
		f.Record = RecordOff
	}
}

// address reads an address, not a name; not valid if it is none.
func address(s string) netip.Addr {
	a, err := netip.ParseAddr(s)
	if err != nil || a.Zone() != "" {
		return netip.Addr{}
	}
	return a.Unmap()
}

func (f *Flags) write(d Dict, fatal bool) {
	var flags, replace []string
	for _, known := range flagNames {
		if *known.of(f) {
			flags = append(flags, known.name)
		}
	}
	if fatal {
		flags = append(flags, "fatal")
	}
	d.setStrs("flags", slices.Concat(flags, f.Other))
	if f.ReplaceOrigin {
		replace = append(replace, "origin")
	}
	if f.ReplaceSessionConnection {
		replace = append(replace, "session-connection")
	}
	d.setStrs("replace", replace)
	d.setStr("ICE", string(f.ICE))
	if f.Direction != [2]string{} {
		d["direction"] = listOf(f.Direction[:])
	}
	d.setStr("address-family", string(f.AddressFamily))
	d.setStr("transport-protocol", f.TransportProtocol)
	d.setStrs("rtcp-mux", f.RTCPMux)
	if f.ReceivedFrom.IsValid() {
		d["received-from"] = []any{string(familyOf(f.ReceivedFrom)), f.ReceivedFrom.Unmap().String()}
	}
	if f.MediaAddress.IsValid() {
		d["media-address"] = f.MediaAddress.Unmap().String()
	}
	d.setStr("record-call", string(f.Record))
}

func familyOf(a netip.Addr) Family {
	if a.Unmap().Is4() {
		return IP4
	}
	return IP6
}
