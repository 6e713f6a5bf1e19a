package wire

import "net/netip"

// Check applies the rules on meaning that need no state, to a message that Scan has
// passed. For the usual request it reads the Request-URI and the URIs of From and To,
// and the Contacts of a REGISTER; for a response the next Via.
func (m *Message) Check() Fault {
	raw := m.Raw
	if !EqualFold(m.Version.Of(raw), "SIP/2.0") {
		return FaultVersion
	}
	if !m.Request {
		return m.checkNextVia()
	}
	if string(m.CSeqMethod.Of(raw)) != string(m.Method.Of(raw)) {
		return FaultCSeqMethod
	}
	if f := checkRequestURI(m.RequestURI.Of(raw)); f != FaultNone {
		return f
	}
	if _, ok := ParseURI(m.From.URI.Of(raw)); !ok {
		return FaultFromURI
	}
	if _, ok := ParseURI(m.To.URI.Of(raw)); !ok {
		return FaultToURI
	}
	if m.Is("REGISTER") {
		if f := m.checkContacts(); f != FaultNone {
			return f
		}
	}
	if m.MaxForwards == 0 {
		return FaultHops
	}
	return FaultNone
}

func checkRequestURI(b []byte) Fault {
	u, ok := ParseURI(b)
	if !ok || !u.Headers.Empty() { // headers are not allowed there: RFC 3261 section 19.1.1
		return FaultRequestURI
	}
	switch scheme := u.Scheme.Of(b); {
	case isName(scheme, "sip"), isName(scheme, "sips"), isName(scheme, "tel"), isName(scheme, "urn"):
		return FaultNone
	}
	return FaultScheme
}

// checkContacts: every Contact is an address with a URI, or "*" stands alone.
func (m *Message) checkContacts() Fault {
	n, star := 0, false
	for e := range m.Elems(HContact) {
		n++
		if string(e.Whole.Of(m.Raw)) == "*" {
			star = true
		} else if _, ok := ParseURI(e.URI.Of(m.Raw)); !ok {
			return FaultContact
		}
	}
	if star && n > 1 {
		return FaultContact
	}
	return FaultNone
}

// checkNextVia: a response must not be sent to everybody (RFC 4475 section 3.3.9).
func (m *Message) checkNextVia() Fault {
	n := 0
	for e := range m.Elems(HVia) {
		if n++; n < 2 {
			continue
		}
		v, ok := m.Via(e)
		if !ok {
			return FaultVia
		}
		host := v.Host
		if !v.Received.Empty() {
			host = v.Received
		}
		if ip, ok := ParseAddr(host.Of(m.Raw)); ok && everybody(ip) {
			return FaultNextVia
		}
		break
	}
	return FaultNone
}

func everybody(ip netip.Addr) bool {
	return ip.IsMulticast() || ip.IsUnspecified() || ip == netip.AddrFrom4([4]byte{255, 255, 255, 255})
}

// ProxyRequire returns FaultProxyRequire if m asks a proxy for an extension that is not
// among supported (RFC 3261 section 16.3 item 5), else FaultNone. ACK and CANCEL ask for
// nothing (section 8.2.2.3).
func (m *Message) ProxyRequire(supported ...string) Fault {
	if m.Is("ACK") || m.Is("CANCEL") {
		return FaultNone
	}
	for e := range m.Elems(HProxyRequire) {
		if !oneOf(e.Whole.Of(m.Raw), supported) {
			return FaultProxyRequire
		}
	}
	return FaultNone
}

// AppendUnsupported appends the Unsupported header line that goes with a 420: the
// options of Proxy-Require that are not among supported. It appends nothing if there
// are none.
func (m *Message) AppendUnsupported(dst []byte, supported ...string) []byte {
	n := 0
	for e := range m.Elems(HProxyRequire) {
		option := e.Whole.Of(m.Raw)
		if oneOf(option, supported) {
			continue
		}
		if n++; n == 1 {
			dst = append(dst, "Unsupported: "...)
		} else {
			dst = append(dst, ", "...)
		}
		dst = appendUnfolded(dst, option)
	}
	if n > 0 {
		dst = append(dst, "\r\n"...)
	}
	return dst
}

func oneOf(option []byte, list []string) bool {
	for _, s := range list {
		if EqualFold(option, s) {
			return true
		}
	}
	return false
}
