package wire

import (
	"bytes"
	"iter"
)

// An Elem is one element of a comma-separated header field.
type Elem struct {
	Header int  // index of its line in Message.Headers
	Whole  Span // its bytes, trimmed
	// NameAddr is set for fields that hold addresses. An element of bad syntax, and
	// the Contact "*", have an empty URI.
	NameAddr
	First, Last bool // in its header line
}

// Elems yields the comma-separated elements of all lines of a field, from the top.
// Commas in quoted strings and in angle brackets do not separate. Empty elements are
// passed over. It is not for fields that are no lists (Authorization, Date, Subject).
func (m *Message) Elems(id HeaderID) iter.Seq[Elem] {
	return func(yield func(Elem) bool) { m.elems(id, yield) }
}

func (m *Message) elems(id HeaderID, yield func(Elem) bool) {
	first := m.Find(id)
	if first < 0 {
		return
	}
	for i := first; i < len(m.Headers); i++ {
		if m.Headers[i].ID != id {
			continue
		}
		c := cursorOf(m.Raw, m.Headers[i].Value)
		whole, ok := c.next()
		for isFirst := true; ok; isFirst = false {
			e := Elem{Header: i, Whole: whole, First: isFirst}
			whole, ok = c.next()
			e.Last = !ok
			if id.addresses() {
				if a, f := readNameAddr(m.Raw, int(e.Whole.Start), int(e.Whole.End)); f == FaultNone && string(a.URI.Of(m.Raw)) != "*" {
					e.NameAddr = a
				}
			}
			if !yield(e) {
				return
			}
		}
	}
}

// cursor walks over the elements of one header value.
type cursor struct {
	b        []byte
	pos, end int
}

func cursorOf(raw []byte, value Span) cursor {
	return cursor{raw, int(value.Start), int(value.End)}
}

// next returns the next element that is not empty.
func (c *cursor) next() (Span, bool) {
	for c.pos < c.end {
		start := c.pos
		i := comma(c.b, start, c.end)
		c.pos = i + 1
		if s, e := trim(c.b, start, i); s < e {
			return span(s, e), true
		}
	}
	return Span{}, false
}

// comma returns the offset of the first comma in [i,end) that separates elements, or end.
// Within angle brackets a quote is just a (bad) character of the URI.
func comma(b []byte, i, end int) int {
	if bytes.IndexByte(b[i:end], ',') < 0 { // nearly always
		return end
	}
	for ; i < end; i++ {
		switch b[i] {
		case ',':
			return i
		case '"':
			j := skipQuoted(b, i, end)
			if j == i {
				return end
			}
			i = j - 1
		case '<':
			for i < end && b[i] != '>' {
				i++
			}
		}
	}
	return end
}
