package wire

const maxCSeq = 1<<31 - 1 // RFC 3261 section 8.1.1.5

// fields reads the header fields that every message needs. All of them are read, also
// after a fault, which is the first found.
func (m *Message) fields(lim *Limits) (fault Fault) {
	note := func(f Fault) {
		if fault == FaultNone {
			fault = f
		}
	}
	note(m.vias(lim))
	note(m.address(HFrom, &m.From, FaultNoFrom, FaultFrom, lim))
	note(m.address(HTo, &m.To, FaultNoTo, FaultTo, lim))
	note(m.callID(lim))
	note(m.cseq())
	if i := m.Find(HMaxForwards); i >= 0 {
		v, ok := decimal(m.Value(i), 255)
		if ok {
			m.MaxForwards = int(v)
		} else {
			note(FaultMaxForwards)
		}
	}
	if i := m.Find(HContentLength); i >= 0 {
		n, ok := contentLength(m.Value(i))
		if ok {
			m.ContentLength = n
		} else {
			note(FaultContentLength)
		}
	}
	m.Answerable = m.Request && !m.noVia && !m.TopVia.Host.Empty() && m.first[HCSeq] != 0
	return fault
}

// contentLength reads a Content-Length: one to seven digits.
func contentLength(value []byte) (int, bool) {
	if len(value) > 7 {
		return 0, false
	}
	v, ok := decimal(value, 9_999_999)
	return int(v), ok
}

func (m *Message) callID(lim *Limits) Fault {
	i := m.Find(HCallID)
	if i < 0 {
		return FaultNoCallID
	}
	m.CallID = m.Headers[i].Value
	if m.CallID.Len() > lim.CallID {
		return FaultCallIDTooLong
	}
	v := m.CallID.Of(m.Raw)
	for _, c := range v {
		if c <= ' ' || c >= 0x7f {
			return FaultCallID
		}
	}
	if len(v) == 0 {
		return FaultCallID
	}
	return FaultNone
}

func (m *Message) cseq() Fault {
	i := m.Find(HCSeq)
	if i < 0 {
		return FaultNoCSeq
	}
	v, raw := m.Headers[i].Value, m.Raw
	start, end := int(v.Start), int(v.End)
	digits := skipClass(raw, start, end, cDigit)
	method := skipSpace(raw, digits, end)
	if method == digits || method == end || skipClass(raw, method, end, cToken) != end {
		return FaultCSeq
	}
	n, ok := decimal(raw[start:digits], maxCSeq)
	if !ok {
		return FaultCSeq
	}
	m.CSeq, m.CSeqMethod = n, span(method, end)
	return FaultNone
}

// address reads From or To.
func (m *Message) address(id HeaderID, to *NameAddr, missing, bad Fault, lim *Limits) Fault {
	i := m.Find(id)
	if i < 0 {
		return missing
	}
	v := m.Headers[i].Value
	a, f := readNameAddr(m.Raw, int(v.Start), int(v.End))
	switch {
	case f == FaultDuplicateParam:
		return f
	case f != FaultNone:
		return bad
	case a.URI.Len() > lim.URI:
		return FaultURITooLong
	case a.Tag.Len() > lim.Tag:
		return FaultTagTooLong
	}
	*to = a
	return FaultNone
}
