package proxy

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"net/netip"

	"github.com/hotcut/hotcut/policy"
	"github.com/hotcut/hotcut/proxy/location"
	"github.com/hotcut/hotcut/proxy/transport"
)

// A pin seals both ends of a dialog into the user part of our Record-Route, so that what follows needs no shared
// state: A is the initiator, B is where we sent its request. The MAC covers the fields, the Call-ID and the
// initiator's tag; so the tag that fits also tells the direction: From-tag: towards B, To-tag: towards A.
//
// A flow, sealed into Path, opens as a pin with one end: see flow.go.
type pin struct {
	kind     byte // tokenDialog, tokenSubscription or tokenFlow
	platform policy.Platform
	rev      uint64
	leg      uint32 // media leg; 0: not anchored
	edge     uint32 // name hash of the edge that sealed it
	listener uint16 // name hash of the listener that the first request came by
	a, b     end
	tenant   string // of a decoded pin: aliases the decoder's buffer
}

const (
	tokenDialog       = 'D'
	tokenSubscription = 'S' // a dialog made by SUBSCRIBE
	tokenFlow         = 'F'

	tokenVersion = 2
	macSize      = 16
	maxToken     = 192 // bytes before base64; a tenant's id is at most 63
)

// end is one party to a dialog, named so that it means the same on every edge and after any restart.
type end struct {
	kind     endKind
	platform policy.Platform // endTarget
	proto    transport.Proto // endFlow
	listener uint16          // endFlow: name hash
	name     uint32          // endTarget, endCarrier, endTrunk: name hash
	conn     uint64          // endFlow over a stream
	addr     netip.AddrPort  // endFlow
	id       location.ID     // endFlow: the binding that knows the newest flow; zero: none does
}

const hasID = 0x80 // in a token's byte of the protocol

type endKind uint8

const (
	endNone endKind = iota
	endFlow
	endTarget
	endCarrier
	endTrunk
)

// Every character of it is allowed unescaped in a SIP user part. Strict: one token has one spelling.
var tokenCode = base64.RawURLEncoding.Strict()

// decodeToken reads what tokenCode wrote. The package base64 passes over line ends; a token has none.
func decodeToken(dst, token []byte) (n int, ok bool) {
	if bytes.ContainsAny(token, "\r\n") {
		return 0, false
	}
	n, err := tokenCode.Decode(dst, token)
	return n, err == nil
}

// appendFields writes the pin's fields; what follows them in a token is the MAC.
func (p *pin) appendFields(b []byte, key uint16) []byte {
	b = append(b, tokenVersion, p.kind, byte(p.platform))
	b = binary.BigEndian.AppendUint16(b, key)
	b = binary.BigEndian.AppendUint32(b, p.edge)
	b = binary.BigEndian.AppendUint16(b, p.listener)
	b = binary.AppendUvarint(b, p.rev)
	b = binary.AppendUvarint(b, uint64(p.leg))
	b = append(b, byte(len(p.tenant)))
	b = append(b, p.tenant...)
	b = p.a.append(b)
	return p.b.append(b)
}

func (e *end) append(b []byte) []byte {
	b = append(b, byte(e.kind))
	switch e.kind {
	case endFlow:
		if e.id == (location.ID{}) {
			b = append(b, byte(e.proto))
		} else {
			b = append(append(b, byte(e.proto)|hasID), e.id[:]...)
		}
		b = binary.BigEndian.AppendUint16(b, e.listener)
		if e.proto != transport.UDP {
			b = binary.BigEndian.AppendUint64(b, e.conn)
		}
		ip := e.addr.Addr()
		if ip.Is4() {
			a := ip.As4()
			b = append(append(b, 4), a[:]...)
		} else {
			a := ip.As16()
			b = append(append(b, 16), a[:]...)
		}
		b = binary.BigEndian.AppendUint16(b, e.addr.Port())
	case endTarget:
		b = append(b, byte(e.platform))
		b = binary.BigEndian.AppendUint32(b, e.name)
	case endCarrier, endTrunk:
		b = binary.BigEndian.AppendUint32(b, e.name)
	}
	return b
}

// known tells whether all of p's values have a meaning here: a newer edge may seal what this one can not follow.
func (p *pin) known() bool {
	switch {
	case p.platform > policy.Core || p.a.platform > policy.Core || p.b.platform > policy.Core:
		return false
	case p.a.proto > transport.TCP || p.b.proto > transport.TCP:
		return false
	case p.kind == tokenFlow:
		return p.a.kind == endFlow && p.b.kind == endNone
	}
	return (p.kind == tokenDialog || p.kind == tokenSubscription) && p.a.kind != endNone && p.b.kind != endNone
}

// fields is a cursor over a token's bytes; short is set once and for all when they run out.
type fields struct {
	b     []byte
	short bool
}

func (f *fields) take(n int) []byte {
	if f.short || len(f.b) < n {
		f.short = true
		return make([]byte, 16)[:min(n, 16)]
	}
	v := f.b[:n]
	f.b = f.b[n:]
	return v
}

func (f *fields) byte() byte     { return f.take(1)[0] }
func (f *fields) uint16() uint16 { return binary.BigEndian.Uint16(f.take(2)) }
func (f *fields) uint32() uint32 { return binary.BigEndian.Uint32(f.take(4)) }
func (f *fields) uint64() uint64 { return binary.BigEndian.Uint64(f.take(8)) }
func (f *fields) uvarint() uint64 {
	v, n := binary.Uvarint(f.b)
	if f.short || n <= 0 {
		f.short = true
		return 0
	}
	f.b = f.b[n:]
	return v
}

func (f *fields) end() (e end) {
	e.kind = endKind(f.byte())
	switch e.kind {
	case endNone:
	case endFlow:
		proto := f.byte()
		if proto&hasID != 0 {
			e.id = location.ID(f.take(len(e.id)))
		}
		e.proto = transport.Proto(proto &^ hasID)
		e.listener = f.uint16()
		if e.proto != transport.UDP {
			e.conn = f.uint64()
		}
		switch f.byte() {
		case 4:
			e.addr = netip.AddrPortFrom(netip.AddrFrom4([4]byte(f.take(4))), f.uint16())
		case 16:
			e.addr = netip.AddrPortFrom(netip.AddrFrom16([16]byte(f.take(16))), f.uint16())
		default:
			f.short = true
		}
	case endTarget:
		e.platform = policy.Platform(f.byte())
		e.name = f.uint32()
	case endCarrier, endTrunk:
		e.name = f.uint32()
	default:
		f.short = true
	}
	return e
}

// decodeFields reads what appendFields wrote. It believes nothing: the caller checks the MAC before it uses p.
func (p *pin) decodeFields(b []byte) (key uint16, ok bool) {
	f := fields{b: b}
	if f.byte() != tokenVersion {
		return 0, false
	}
	p.kind = f.byte()
	p.platform = policy.Platform(f.byte())
	key = f.uint16()
	p.edge = f.uint32()
	p.listener = f.uint16()
	p.rev = f.uvarint()
	p.leg = uint32(f.uvarint())
	n := int(f.byte())
	if f.short || n > 63 || n > len(f.b) {
		return 0, false
	}
	p.tenant = view(f.b[:n])
	f.b = f.b[n:]
	p.a = f.end()
	p.b = f.end()
	return key, !f.short && len(f.b) == 0 && p.known()
}
