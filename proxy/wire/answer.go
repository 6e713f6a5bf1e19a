package wire

import "strconv"

// AppendResponse appends a response of ours to the request m: its Vias (the topmost as
// Stamped says), From, To with toTag if it has no tag and code is not 100, Call-ID,
// CSeq, in a 100 also Timestamp (RFC 3261 sections 8.2.6.1 and 8.2.6.2), then extra
// (whole header lines) and Content-Length: 0. Headers that m lacks are left out, folded
// ones unfolded.
func (m *Message) AppendResponse(dst []byte, code int, phrase string, toTag []byte, extra []byte) []byte {
	dst = append(dst, "SIP/2.0 "...)
	dst = strconv.AppendInt(dst, int64(code), 10)
	dst = append(dst, ' ')
	dst = append(dst, phrase...)
	dst = append(dst, "\r\n"...)
	top := m.Find(HVia)
	for i := max(top, 0); top >= 0 && i < len(m.Headers); i++ {
		switch {
		case m.Headers[i].ID != HVia:
		case i == top:
			dst = m.appendTopVia(dst, m.Headers[i].Line)
		default:
			dst = m.appendLine(dst, i)
		}
	}
	dst = m.appendLine(dst, m.Find(HFrom))
	dst = m.appendLine(dst, m.Find(HTo))
	if m.Find(HTo) >= 0 && m.To.Tag.Empty() && len(toTag) > 0 && code != 100 {
		dst = append(dst[:len(dst)-2], ";tag="...)
		dst = append(dst, toTag...)
		dst = append(dst, "\r\n"...)
	}
	dst = m.appendLine(dst, m.Find(HCallID))
	dst = m.appendLine(dst, m.Find(HCSeq))
	if code == 100 {
		dst = m.appendLine(dst, m.Find(HTimestamp))
	}
	dst = append(dst, extra...)
	return append(dst, "Content-Length: 0\r\n\r\n"...)
}

// appendTopVia appends the line of the topmost Via with the edits of Stamped.
func (m *Message) appendTopVia(dst []byte, line Span) []byte {
	var (
		out stampEdits
		buf [80]byte // ";rport=65535;received=" and the longest address
	)
	text := m.stampEdits(&out, buf[:0], m.stamp)
	pos := line.Start
	for _, e := range out.list[:out.n] {
		dst = appendUnfolded(dst, m.Raw[pos:e.at.Start])
		dst = append(dst, text[e.from:e.to]...)
		pos = e.at.End
	}
	return m.endLine(dst, pos, line.End)
}

// appendLine appends a header line, unfolded; -1 is none.
func (m *Message) appendLine(dst []byte, i int) []byte {
	if i < 0 {
		return dst
	}
	return m.endLine(dst, m.Headers[i].Line.Start, m.Headers[i].Line.End)
}

// endLine appends the rest of a header line without white space at its end.
func (m *Message) endLine(dst []byte, from, end uint32) []byte {
	dst = appendUnfolded(dst, m.Raw[from:end-2])
	for len(dst) > 0 && isWSP(dst[len(dst)-1]) {
		dst = dst[:len(dst)-1]
	}
	return append(dst, "\r\n"...)
}

// AppendVia appends a Via line of ours. extra is appended as it is, after rport: more
// parameters, each with its semicolon.
func AppendVia(dst []byte, transport string, sentBy string, branch []byte, extra []byte) []byte {
	dst = append(dst, "Via: SIP/2.0/"...)
	dst = append(dst, transport...)
	dst = append(dst, ' ')
	dst = append(dst, sentBy...)
	dst = append(dst, ";branch="...)
	dst = append(dst, branch...)
	dst = append(dst, ";rport"...)
	dst = append(dst, extra...)
	return append(dst, "\r\n"...)
}

// AppendHop appends the CANCEL, or the ACK for a final response other than 2xx, of the
// INVITE m, which is one that we sent: the same Request-URI, its topmost Via alone, its
// Routes, From, Call-ID and CSeq number (RFC 3261 sections 9.1 and 17.1.1.3). to is the
// value of To in the response that an ACK acknowledges, nil for that of m. extra is
// whole header lines.
func (m *Message) AppendHop(dst []byte, method string, to []byte, extra []byte) []byte {
	dst = append(dst, method...)
	dst = append(dst, ' ')
	dst = append(dst, m.RequestURI.Of(m.Raw)...)
	dst = append(dst, " SIP/2.0\r\nVia: "...)
	dst = appendUnfolded(dst, m.TopVia.Elem.Of(m.Raw))
	dst = append(dst, "\r\n"...)
	if i := m.Find(HRoute); i >= 0 {
		for ; i < len(m.Headers); i++ {
			if m.Headers[i].ID == HRoute {
				dst = m.appendLine(dst, i)
			}
		}
	}
	dst = m.appendLine(dst, m.Find(HFrom))
	if to == nil {
		dst = m.appendLine(dst, m.Find(HTo))
	} else {
		dst = append(dst, "To: "...)
		dst = appendUnfolded(dst, to)
		dst = append(dst, "\r\n"...)
	}
	dst = m.appendLine(dst, m.Find(HCallID))
	dst = append(dst, "CSeq: "...)
	dst = strconv.AppendUint(dst, uint64(m.CSeq), 10)
	dst = append(dst, ' ')
	dst = append(dst, method...)
	dst = append(dst, "\r\nMax-Forwards: 70\r\n"...)
	dst = append(dst, extra...)
	return append(dst, "Content-Length: 0\r\n\r\n"...)
}
