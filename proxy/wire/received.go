package wire

import (
	"net/netip"
	"strconv"
)

// Stamped remembers the source of the message for AppendResponse, which then writes
// the topmost Via as AppendReceived would have. Scan forgets it.
func (m *Message) Stamped(src netip.AddrPort, force bool) { m.stamp = stamp{src, force} }

// AppendReceived edits the topmost Via to say where the message came from: received
// when sent-by is a name or another address (RFC 3261 section 18.2.1), received and the
// value of rport when rport is asked for (RFC 3581 section 4) or force is set. What the
// sender claimed in either is overwritten.
func (m *Message) AppendReceived(s *Splice, src netip.AddrPort, force bool) {
	var out stampEdits
	s.text = m.stampEdits(&out, s.text, stamp{src, force})
	for _, e := range out.list[:out.n] {
		s.Replace(e.at, s.text[e.from:e.to:e.to])
	}
}

// stampEdits is what a stamp changes: at most rport and received, in order of position.
// The new texts are offsets into a buffer that may move while they are written.
type stampEdits struct {
	n    int
	list [2]struct {
		at       Span
		from, to int
	}
}

func (out *stampEdits) add(at Span, from, to int) {
	e := &out.list[out.n]
	e.at, e.from, e.to = at, from, to
	out.n++
}

// stampEdits works out the edits of a stamp and appends their text to text.
func (m *Message) stampEdits(out *stampEdits, text []byte, st stamp) []byte {
	v := &m.TopVia
	if v.Elem.Empty() || !st.src.IsValid() {
		return text
	}
	ip := st.src.Addr().Unmap().WithZone("")
	rport := st.force || v.RPort
	received := rport || !v.Received.Empty()
	if !received {
		sentBy, numeric := ParseAddr(v.Host.Of(m.Raw))
		received = !numeric || sentBy != ip
	}
	end := Span{v.Elem.End, v.Elem.End}
	if rport {
		at, from := v.RPortParam, len(text)
		if at.Empty() {
			at, text = end, append(text, ';')
		}
		text = append(text, "rport="...)
		text = strconv.AppendUint(text, uint64(st.src.Port()), 10)
		out.add(at, from, len(text))
	}
	if received {
		at, from := v.Received, len(text)
		if at.Empty() {
			at, text = end, append(text, ";received="...)
		}
		text = ip.AppendTo(text)
		out.add(at, from, len(text))
	}
	if l := &out.list; out.n == 2 && l[1].at.Start < l[0].at.Start {
		l[0], l[1] = l[1], l[0]
	}
	return text
}
