package sdp

import "net/netip"

// readConnection reads a c= line into c: "IN IP4 192.0.2.1".
func readConnection(c *Connection, raw []byte, line, value Span) Fault {
	if !c.Line.Empty() {
		return FaultDuplicateConnection
	}
	c.Line = line
	if string(word(raw, &value).Of(raw)) != "IN" {
		return FaultConnection
	}
	fault := readTarget(&c.Target, raw, &value)
	if fault == FaultNone && !trim(raw, value).Empty() {
		return FaultConnection
	}
	return fault
}

// readRTCP reads the value of a=rtcp: "53020" or "53020 IN IP6 2001:db8::1".
func readRTCP(r *RTCP, raw []byte, line, value Span) Fault {
	if !r.Line.Empty() {
		return FaultDuplicateRTCP
	}
	r.Line = line
	r.PortSpan = word(raw, &value)
	var ok bool
	if r.Port, ok = readPort(r.PortSpan.Of(raw)); !ok {
		return FaultPort
	}
	if trim(raw, value).Empty() {
		return FaultNone
	}
	if string(word(raw, &value).Of(raw)) != "IN" {
		return FaultConnection
	}
	fault := readTarget(&r.Target, raw, &value)
	if fault == FaultNone && !trim(raw, value).Empty() {
		return FaultConnection
	}
	return fault
}

// readTarget reads an address type and an address off s.
func readTarget(t *Target, raw []byte, s *Span) Fault {
	family, host := word(raw, s), word(raw, s)
	if family.Empty() || host.Empty() {
		return FaultConnection
	}
	t.Span = Span{family.Start, host.End}
	four := false
	switch string(family.Of(raw)) {
	case "IP4":
		four = true
	case "IP6":
	default:
		return FaultConnection
	}
	text := host.Of(raw)
	for i, c := range text {
		if c == '/' { // TTL or number of addresses: multicast only
			if a, err := netip.ParseAddr(string(text[:i])); err == nil && a.IsMulticast() {
				return FaultMulticast
			}
			return FaultConnection
		}
	}
	if len(text) > 253 { // the longest host name
		return FaultConnection
	}
	addr, err := netip.ParseAddr(string(text))
	switch {
	case err != nil:
		if !isName(text) {
			return FaultConnection
		}
		return FaultNone
	case addr.Zone() != "" || addr.Is4() != four:
		return FaultConnection
	case addr.Unmap().IsMulticast():
		return FaultMulticast
	}
	t.Addr = addr
	return FaultNone
}

// isName: letters, digits, '-' and '_' between dots, and a last label that is no number ("10.0.0.010" is not a name).
func isName(b []byte) bool {
	label, letters := 0, false
	for i, c := range b {
		switch {
		case c == '.':
			if label == 0 {
				return false
			}
			if i < len(b)-1 {
				label, letters = 0, false
			}
			continue
		case c >= '0' && c <= '9':
		case c == '-' || c == '_' || c|0x20 >= 'a' && c|0x20 <= 'z':
			letters = true
		default:
			return false
		}
		label++
	}
	return label > 0 && letters
}

// readOrigin finds the address of o=, counted from the right, because user names with spaces exist. It is no fault if it can not:
// only a rewrite of o= needs it.
func readOrigin(raw []byte, value Span) Target {
	value = trim(raw, value)
	var last [3]Span // network type, address type, address
	for w := word(raw, &value); !w.Empty(); w = word(raw, &value) {
		last[0], last[1], last[2] = last[1], last[2], w
	}
	if last[0].Empty() || string(last[0].Of(raw)) != "IN" {
		return Target{}
	}
	var t Target
	rest := Span{last[1].Start, last[2].End}
	if readTarget(&t, raw, &rest) != FaultNone {
		return Target{}
	}
	return t
}
