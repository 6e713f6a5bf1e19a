package proxy

import (
	"github.com/hotcut/hotcut/proxy/wire"
)

// Loops (RFC 5393 section 4.2): every Via of ours carries a hash of what the routing decision rests on. A request that
// comes back with an equal hash goes round for ever; one that comes back with another (a spiral through a proxying
// platform) is normal. The listener is part of it: the same request from a phone and back from a platform is routed
// differently.

const loopName = "hl"

func loopHash(m *wire.Message, listener uint16) uint32 {
	h := uint64(14695981039346656037)
	add := func(b []byte) {
		for _, c := range b {
			h = (h ^ uint64(c)) * 1099511628211
		}
		h = (h ^ 0x1f) * 1099511628211
	}
	raw := m.Raw
	add(m.RequestURI.Of(raw))
	add(m.CallID.Of(raw))
	add(m.From.Tag.Of(raw))
	add(m.To.Tag.Of(raw))
	add(m.CSeqMethod.Of(raw))
	h = (h ^ uint64(m.CSeq)) * 1099511628211
	h = (h ^ uint64(listener)) * 1099511628211
	for i := range m.Headers {
		switch m.Headers[i].ID {
		case wire.HRoute, wire.HProxyAuthorization, wire.HAuthorization:
			add(m.Headers[i].Value.Of(raw))
		}
	}
	return uint32(h ^ h>>32)
}

func loopParam(dst []byte, m *wire.Message, listener uint16) []byte {
	const digits = "0123456789abcdef"
	h := loopHash(m, listener)
	dst = append(dst, ";"+loopName+"="...)
	for shift := 28; shift >= 0; shift -= 4 {
		dst = append(dst, digits[h>>shift&15])
	}
	return dst
}

// looped: a Via of ours says that this very request was here before.
func (s *shard) looped(a *arrival) bool {
	var want [12]byte
	first := true
	for e := range a.m.Elems(wire.HVia) {
		v, ok := wire.Param(e.Whole.Of(a.m.Raw), loopName)
		if !ok {
			continue
		}
		if first {
			loopParam(want[:0], a.m, a.from.Listener)
			first = false
		}
		if string(v) == string(want[len(loopName)+2:]) {
			return true
		}
	}
	return false
}
