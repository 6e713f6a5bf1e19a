package wire

import "slices"

// A Splice writes a changed message: a list of edits over the bytes of a scanned one.
// What no edit touches goes out as it came in, but for folded lines, which are
// unfolded, and bytes after the body, which are dropped. The zero value is ready for
// Reset; a Splice is meant to be reused and then allocates nothing.
type Splice struct {
	m     *Message
	edits []edit
	gone  []Elem // deleted elements, made into edits by resolve
	text  []byte // bytes of our own that edits refer to
}

// edit puts b in the place of the bytes [at,end).
type edit struct {
	at, end uint32
	b       []byte
}

// Reset starts a new list of edits over m, which must stay as it is until AppendTo.
func (s *Splice) Reset(m *Message) {
	clear(s.edits)
	s.m, s.edits, s.gone, s.text = m, s.edits[:0], s.gone[:0], s.text[:0]
}

// Insert puts b before the byte at this offset. Several inserts at one place keep the
// order of the calls. b is borrowed until AppendTo returns; so it is in Replace.
func (s *Splice) Insert(at uint32, b []byte) { s.add(edit{at, at, b}) }

// Replace puts b in the place of a span.
func (s *Splice) Replace(at Span, b []byte) { s.add(edit{at.Start, max(at.Start, at.End), b}) }

// Delete leaves out a span.
func (s *Splice) Delete(at Span) { s.Replace(at, nil) }

// DeleteHeader leaves out a whole header line: Headers[i] of the message.
func (s *Splice) DeleteHeader(i int) { s.Delete(s.m.Headers[i].Line) }

// DeleteElem leaves out one element of a header with its comma, or the whole line if
// no other element of it is left.
func (s *Splice) DeleteElem(e Elem) { s.gone = append(s.gone, e) }

// EndHeaders inserts b, whole header lines with their CRLFs, after the last header.
func (s *Splice) EndHeaders(b []byte) { s.Insert(s.m.HeaderEnd, b) }

// AddContentLength inserts a Content-Length if the message has none, which a stream
// requires and a datagram may leave out (RFC 3261 section 18.3).
func (s *Splice) AddContentLength() {
	if s.m.ContentLength >= 0 {
		return
	}
	start := len(s.text)
	s.text = append(s.text, "Content-Length: "...)
	s.text = appendUint(s.text, uint64(s.m.Body.Len()))
	s.text = append(s.text, "\r\n"...)
	s.EndHeaders(s.text[start:])
}

// add keeps edits ordered by position, equal positions in order of the calls. Callers
// mostly go from front to back, so the search is short. Offsets past the message mean
// its end.
func (s *Splice) add(e edit) {
	last := uint32(len(s.m.Raw))
	e.at, e.end = min(e.at, last), min(e.end, last)
	i := len(s.edits)
	for i > 0 && s.edits[i-1].at > e.at {
		i--
	}
	s.edits = slices.Insert(s.edits, i, e)
}

// AppendTo appends the changed message to dst. It may be called more than once.
func (s *Splice) AppendTo(dst []byte) []byte {
	s.resolve()
	pos := uint32(0)
	for i := range s.edits {
		e := &s.edits[i]
		if e.at > pos {
			dst = s.copy(dst, pos, e.at)
			pos = e.at
		}
		dst = append(dst, e.b...)
		pos = max(pos, e.end)
	}
	if end := s.m.Body.End; end > pos {
		dst = s.copy(dst, pos, end)
	}
	return dst
}

// copy appends the bytes [from,to) of the message.
func (s *Splice) copy(dst []byte, from, to uint32) []byte {
	m := s.m
	if !m.folded || from >= m.HeaderEnd {
		return append(dst, m.Raw[from:to]...)
	}
	head := min(to, m.HeaderEnd)
	dst = appendUnfolded(dst, m.Raw[from:head])
	return append(dst, m.Raw[head:to]...)
}

// resolve turns deleted elements into edits. It waits for AppendTo because where a
// comma goes depends on which of its neighbours stay.
func (s *Splice) resolve() {
	if len(s.gone) == 0 {
		return
	}
	slices.SortFunc(s.gone, func(a, b Elem) int { return int(int64(a.Whole.Start) - int64(b.Whole.Start)) })
	for i := 0; i < len(s.gone); {
		j := i + 1
		for j < len(s.gone) && s.gone[j].Header == s.gone[i].Header {
			j++
		}
		s.line(s.gone[i].Header, s.gone[i:j])
		i = j
	}
	s.gone = s.gone[:0]
}

// line deletes elements, in order of position, from one header line: a run of them goes
// with the comma after it, a run at the end with the comma before it.
func (s *Splice) line(header int, gone []Elem) {
	h := s.m.Headers[header]
	c := cursorOf(s.m.Raw, h.Value)
	var kept Span // the last element that stays
	runStart, run := uint32(0), false
	for elem, ok := c.next(); ok; elem, ok = c.next() {
		for len(gone) > 0 && gone[0].Whole.Start < elem.Start {
			gone = gone[1:]
		}
		if len(gone) > 0 && gone[0].Whole.Start == elem.Start {
			if !run {
				run, runStart = true, elem.Start
			}
			continue
		}
		if run {
			s.Delete(Span{runStart, elem.Start})
			run = false
		}
		kept = elem
	}
	switch {
	case !run:
	case kept.Empty():
		s.Delete(h.Line)
	default:
		s.Delete(Span{kept.End, h.Value.End})
	}
}

func appendUint(dst []byte, v uint64) []byte {
	if v >= 10 {
		dst = appendUint(dst, v/10)
	}
	return append(dst, '0'+byte(v%10))
}
