package proxy

import (
	"crypto/subtle"
	"encoding/binary"

	"github.com/hotcut/hotcut/proxy/location"
)

// A flow token is the user part of our Path: "ID.HINT". ID is the binding's, by which the location table knows the
// newest flow. HINT seals the flow that the REGISTER came by, for when the table has lost it. The token is constant while
// the flow is: no rev, and a key that does not rotate, so that a registrar never sees another path for one flow.

const (
	flowVersion = 1
	idLen       = 16 // characters of an id
)

// appendFlow appends the flow token of a binding.
func (s *sealer) appendFlow(dst []byte, id location.ID, edge uint32, e *end, tenant string) []byte {
	dst = append(id.Append(dst), '.')
	hint := *e
	hint.id = location.ID{}
	b := binary.BigEndian.AppendUint32(append(s.buf[:0], flowVersion), edge)
	b = append(append(b, byte(len(tenant))), tenant...)
	b = hint.append(b)
	return tokenCode.AppendEncode(dst, append(b, s.flowMAC(id, b)...))
}

func (s *sealer) flowMAC(id location.ID, fields []byte) []byte {
	s.flow.Reset()
	s.flow.Write(id[:])
	s.flow.Write(fields)
	return s.flow.Sum(s.sum[:0])[:macSize]
}

// isFlow tells a flow token, or one that wants to be, from a dialog's.
func isFlow(user []byte) bool { return len(user) > idLen && user[idLen] == '.' }

// openFlow reads and verifies a flow token. The pin's tenant is valid until the sealer's next call.
func (s *sealer) openFlow(p *pin, user []byte) bool {
	id, ok := location.ParseID(user[:idLen])
	if !ok || len(user)-idLen-1 > tokenCode.EncodedLen(len(s.raw)) {
		return false
	}
	n, ok := decodeToken(s.raw[:], user[idLen+1:])
	if !ok || n < macSize+8 {
		return false
	}
	fields, mac := s.raw[:n-macSize], s.raw[n-macSize:n]
	if subtle.ConstantTimeCompare(s.flowMAC(id, fields), mac) != 1 {
		return false
	}
	f := fieldsOf(fields)
	if f.byte() != flowVersion {
		return false
	}
	*p = pin{kind: tokenFlow, edge: f.uint32()}
	if n = int(f.byte()); f.short || n > len(f.b) {
		return false
	}
	p.tenant = view(f.b[:n])
	f.b = f.b[n:]
	p.a = f.end()
	p.a.id = id
	return !f.short && len(f.b) == 0 && p.known()
}

func fieldsOf(b []byte) fields { return fields{b: b} }

// bindingOf reads the user part of a Request-URI or Contact of ours as a binding's id: what targets without Path call.
func bindingOf(user []byte) (location.ID, bool) {
	if len(user) != idLen {
		return location.ID{}, false
	}
	return location.ParseID(user)
}

// appendPath writes our Path for the first of a REGISTER's bindings, and the option tag that goes with it.
func (s *sealer) appendPath(dst []byte, id location.ID, edge uint32, e *end, tenant string, l *listener) []byte {
	dst = append(dst, "Path: <sip:"...)
	dst = append(append(s.appendFlow(dst, id, edge, e, tenant), '@'), l.host...)
	return append(appendTransport(dst, l), ";lr>\r\nSupported: path\r\n"...)
}

// reachHost is the host:port by which a platform that knows our Contact reaches a phone: the name that all edges share,
// where they share one, since the registrar must not see another contact because another edge relayed the refresh.
func (l *listener) reachHost() string { return l.sentBy }
