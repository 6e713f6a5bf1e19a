package wire

// A Via is one element of a Via header (RFC 3261 section 20.42). Spans are into the
// message.
type Via struct {
	Elem       Span // the element within its header line, without comma
	Transport  Span // "UDP", "TCP", ... as it came
	Host       Span // of sent-by; an IPv6 address without its brackets
	Branch     Span
	Received   Span
	Params     Span   // from the first ';' to the end of the element
	RPortParam Span   // "rport" or "rport=5060"
	Port       uint16 // of sent-by, 0: none
	RPortVal   uint16 // 0: none
	RPort      bool   // rport is there (RFC 3581), with or without a value
}

// vias reads the topmost Via into TopVia and checks all others.
func (m *Message) vias(lim *Limits) Fault {
	first := m.Find(HVia)
	if first < 0 {
		return FaultNoVia
	}
	var other Via
	for i := first; i < len(m.Headers); i++ {
		if m.Headers[i].ID != HVia {
			continue
		}
		pos, end := int(m.Headers[i].Value.Start), int(m.Headers[i].Value.End)
		for n := 0; ; n++ {
			v := &other
			if i == first && n == 0 {
				v = &m.TopVia
			}
			next, fault := readVia(m.Raw, pos, end, v)
			if fault != FaultNone {
				return fault
			}
			if v.Branch.Len() > lim.Branch {
				return FaultBranchTooLong
			}
			if next == end {
				break
			}
			pos = next + 1 // the comma
		}
	}
	return FaultNone
}

// Via reads an element of Elems(HVia): the one below ours tells where a response goes.
func (m *Message) Via(e Elem) (v Via, ok bool) {
	next, fault := readVia(m.Raw, int(e.Whole.Start), int(e.Whole.End), &v)
	return v, fault == FaultNone && next == int(e.Whole.End)
}

// readVia reads one element from pos and returns the offset of the comma after it, or
// end. After a fault v holds what was read before it.
func readVia(b []byte, pos, end int, v *Via) (next int, fault Fault) {
	*v = Via{}
	pos = skipSpace(b, pos, end)
	i := pos
	// sent-protocol = protocol-name SLASH protocol-version SLASH transport, with white
	// space around the slashes; nearly always there is none.
	if end-i > 8 && string(b[i:i+8]) == "SIP/2.0/" {
		i += 8
	} else {
		for range 2 {
			start := skipSpace(b, i, end)
			i = skipClass(b, start, end, cToken)
			if i == start {
				return 0, FaultVia
			}
			i = skipSpace(b, i, end)
			if i == end || b[i] != '/' {
				return 0, FaultVia
			}
			i++
		}
		i = skipSpace(b, i, end)
	}
	start := i
	i = skipClass(b, i, end, cToken)
	if i == start {
		return 0, FaultVia
	}
	transport := span(start, i)
	start = i
	i = skipSpace(b, i, end)
	if i == start {
		return 0, FaultVia
	}
	host, port, i, ok := readHostPort(b, i, end, true)
	if !ok {
		return 0, FaultVia
	}
	v.Transport, v.Host, v.Port = transport, host, port
	v.Elem = span(pos, i)
	for {
		j := skipSpace(b, i, end)
		if j == end {
			break
		}
		if b[j] == ',' {
			return j, FaultNone
		}
		if b[j] != ';' {
			return 0, FaultVia
		}
		p, ok := readParam(b, j+1, end)
		if !ok {
			return 0, FaultVia
		}
		if v.Params.Empty() {
			v.Params.Start = uint32(j)
		}
		v.Params.End, v.Elem.End = p.whole.End, p.whole.End
		i = int(p.whole.End)
		if f := v.param(b, &p); f != FaultNone {
			return 0, f
		}
	}
	return end, FaultNone
}

// param keeps the parameters that we read: each of them at most once.
func (v *Via) param(b []byte, p *param) Fault {
	name := p.name.Of(b)
	switch len(name) {
	case 6:
		if isName(name, "branch") {
			if !v.Branch.Empty() {
				return FaultDuplicateParam
			}
			if p.value.Empty() {
				return FaultVia
			}
			v.Branch = p.value
		}
	case 8:
		if isName(name, "received") {
			if !v.Received.Empty() {
				return FaultDuplicateParam
			}
			if p.value.Empty() {
				return FaultVia
			}
			v.Received = p.value
		}
	case 5:
		if isName(name, "rport") {
			if v.RPort {
				return FaultDuplicateParam
			}
			v.RPort, v.RPortParam = true, p.whole
			if !p.value.Empty() {
				n, ok := decimal(p.value.Of(b), 1<<16-1)
				if !ok {
					return FaultVia
				}
				v.RPortVal = uint16(n)
			}
		}
	}
	return FaultNone
}

// readHostPort reads host [ ":" port ] at i. With spaces, white space may surround the
// colon (sent-by); in a URI it may not.
func readHostPort(b []byte, i, end int, spaces bool) (host Span, port uint16, next int, ok bool) {
	if i < end && b[i] == '[' {
		start := i + 1
		for i = start; i < end && (isHex(b[i]) || b[i] == ':' || b[i] == '.'); i++ {
		}
		if i == end || b[i] != ']' {
			return host, 0, 0, false
		}
		if _, valid := ParseAddr(b[start:i]); !valid {
			return host, 0, 0, false
		}
		host = span(start, i)
		i++
	} else {
		start := i
		for ; i < end && class[b[i]]&cHost != 0; i++ {
			if b[i] == '.' && (i == start || b[i-1] == '.') { // an empty label
				return host, 0, 0, false
			}
		}
		if i == start {
			return host, 0, 0, false
		}
		host = span(start, i)
	}
	j := i
	if spaces {
		j = skipSpace(b, j, end)
	}
	if j == end || b[j] != ':' {
		return host, 0, i, true
	}
	j++
	if spaces {
		j = skipSpace(b, j, end)
	}
	i = skipClass(b, j, end, cDigit)
	n, valid := decimal(b[j:i], 1<<16-1)
	if !valid || n == 0 {
		return host, 0, 0, false
	}
	return host, uint16(n), i, true
}
