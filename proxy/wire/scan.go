package wire

// A message passes through this file from top to bottom:
//   1. lines: one index entry each, or a fault   2. the fields that we read   3. the body
// The first fault is the result, but reading goes on after it as long as lines can be
// told apart, because an answer needs headers that may come later.

// Scan indexes raw: a whole datagram or one message framed from a stream. It resets m,
// keeps raw (m.Raw) and copies nothing. lim may be nil. The result is FaultNone or the
// first thing that is wrong; then only Answerable and AppendResponse are to be relied
// on, and spans that are not empty.
func (m *Message) Scan(raw []byte, lim *Limits) Fault {
	lim = lim.orDefault()
	m.reset(raw)
	if len(raw) > lim.Message || uint64(len(raw)) > 1<<32-1 {
		m.Raw = nil
		return FaultTooLarge
	}
	fault := m.lines(lim)
	if f := m.fields(lim); fault == FaultNone {
		fault = f
	}
	if f := m.body(); fault == FaultNone {
		fault = f
	}
	return fault
}

// lines fills Headers and first. Lines with a fault of their own are left out.
func (m *Message) lines(lim *Limits) Fault {
	raw := m.Raw
	if len(raw) > lim.HeaderBytes {
		raw = raw[:lim.HeaderBytes]
	}
	// short is what it means when raw ends before the header section does.
	short := FaultTruncated
	if len(raw) < len(m.Raw) {
		short = FaultHeaderBytes
	}
	m.HeaderEnd = uint32(len(m.Raw))

	pos, fault := m.startLine(raw, lim)
	if pos == 0 {
		if fault == FaultNone || fault == FaultTruncated {
			fault = short
		}
		return fault
	}
	note := func(f Fault) {
		if fault == FaultNone {
			fault = f
		}
	}
	maxLines := min(lim.Headers, maxHeaders)
	for {
		if pos+2 > len(raw) {
			note(short)
			return fault
		}
		if raw[pos] == '\r' && raw[pos+1] == '\n' {
			m.HeaderEnd = uint32(pos)
			return fault
		}
		h := Header{}
		f, next := readLine(raw, pos, &h)
		if next == 0 {
			if f == FaultTruncated {
				f = short
			}
			note(f)
			return fault
		}
		pos = next
		if f != FaultNone {
			note(f)
			m.noVia = m.noVia || lookup(h.Name.Of(raw)) == HVia
			continue
		}
		if len(m.Headers) == maxLines {
			note(FaultHeaderCount)
			return fault
		}
		h.ID = lookup(h.Name.Of(raw))
		if m.first[h.ID] == 0 {
			m.first[h.ID] = uint16(len(m.Headers) + 1)
		} else if h.ID.single() {
			if h.ID == HContentLength {
				note(FaultDuplicateLength)
			} else {
				note(FaultDuplicateHeader)
			}
		}
		m.folded = m.folded || h.Folded
		m.Headers = append(m.Headers, h)
	}
}

// readLine reads the header line at pos into h, all but its ID. next is the offset
// after it; 0 means that raw ends before the line does. The line after it must have
// begun too, since only its first byte tells whether this one is continued.
func readLine(raw []byte, pos int, h *Header) (fault Fault, next int) {
	i := skipClass(raw, pos, len(raw), cToken)
	nameEnd := i
	for i < len(raw) && isWSP(raw[i]) {
		i++
	}
	// HCOLON = *( SP / HTAB ) ":" SWS (RFC 3261 section 25.1).
	switch {
	case i == len(raw):
		return FaultTruncated, 0
	case nameEnd == pos && i > pos:
		fault = FaultFold
	case nameEnd == pos || raw[i] != ':':
		fault = FaultHeaderName
	default:
		i++
	}
	value, controls := i, false
	for {
		i = control(raw, i)
		if i+2 >= len(raw) {
			if i < len(raw) && raw[i] == '\r' && i+1 < len(raw) && raw[i+1] != '\n' && fault == FaultNone {
				fault = FaultBareCR
			}
			if fault == FaultNone {
				fault = FaultTruncated
			}
			return fault, 0
		}
		switch raw[i] {
		case '\r':
			if raw[i+1] != '\n' {
				if fault == FaultNone || fault == FaultHeaderName {
					fault = FaultBareCR
				}
				i++
				continue
			}
			if isWSP(raw[i+2]) {
				h.Folded = true
				i += 3
				continue
			}
			if fault == FaultNone && (controls || h.Folded) {
				fault = quoting(raw[value:i], lookup(raw[pos:nameEnd]))
			}
			h.Line = span(pos, i+2)
			h.Name = span(pos, nameEnd)
			h.Value = span(trim(raw, value, i))
			return fault, i + 2
		case '\n':
			if fault == FaultNone || fault == FaultHeaderName {
				fault = FaultBareLF
			}
		case '\t':
		default:
			controls = true
		}
		i++
	}
}

// quoting looks closer at a value that has control characters or folds: the former
// must be quoted-pairs in a quoted string, the latter must not split one.
func quoting(value []byte, id HeaderID) Fault {
	quoted := false
	for i := 0; i < len(value); i++ {
		switch c := value[i]; {
		case c == '"' && id != HCallID: // in a Call-ID a quote is a letter like any other
			quoted = !quoted
		case c == '\\' && quoted:
			if i+1 < len(value) && value[i+1] == '\r' {
				return FaultFold
			}
			i++
		case c < 0x20 && !isSpace(c) || c == 0x7f:
			return FaultControl
		}
	}
	return FaultNone
}

// body places the body after the header section.
func (m *Message) body() Fault {
	start := int(m.HeaderEnd) + 2
	if start > len(m.Raw) {
		m.Body = span(len(m.Raw), len(m.Raw))
		return FaultTruncated
	}
	m.Body = span(start, len(m.Raw))
	if m.ContentLength < 0 {
		return FaultNone
	}
	if m.ContentLength > m.Body.Len() {
		return FaultBodyShort
	}
	m.Body.End = m.Body.Start + uint32(m.ContentLength)
	m.Trailing = len(m.Raw) - int(m.Body.End)
	return FaultNone
}
