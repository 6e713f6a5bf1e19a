package wire

import "net/netip"

// A Message is the index of one SIP message: offsets into Raw, which it borrows. The
// zero value is ready; Scan may be called again and again and reuses what it can. It is
// not safe for concurrent use while it is being scanned.
type Message struct {
	Raw     []byte
	Request bool

	StartLine  Span // with its CRLF
	Version    Span // "SIP/2.0"; Check refuses any other
	Method     Span // of a request, never altered: methods are case-sensitive
	RequestURI Span
	Status     int // of a response
	Phrase     Span

	Headers   []Header // in order; the backing array is reused by the next Scan
	HeaderEnd uint32   // offset of the empty line: where a header can be appended
	Body      Span     // by Content-Length; of a datagram without it, the rest
	Trailing  int      // bytes after the body, of a datagram: never read, dropped by Splice

	TopVia        Via
	From, To      NameAddr
	CallID        Span
	CSeq          uint32
	CSeqMethod    Span
	MaxForwards   int // -1: absent
	ContentLength int // -1: absent

	// Answerable: this is a request with a topmost Via that names an address and a
	// CSeq, so AppendResponse can answer it even if Scan refused it. An ACK is never
	// answered all the same.
	Answerable bool

	first  [numHeaders]uint16 // 1 + index of the first header of each ID
	folded bool               // some header line has continuation lines
	noVia  bool               // a Via line could not be read: TopVia may not be the topmost
	stamp  stamp
}

// stamp is the source that AppendResponse writes into the topmost Via.
type stamp struct {
	src   netip.AddrPort
	force bool
}

func (m *Message) reset(raw []byte) {
	*m = Message{Raw: raw, Headers: m.Headers[:0], MaxForwards: -1, ContentLength: -1}
}

// Is reports whether m is a request with this method.
func (m *Message) Is(method string) bool {
	return m.Request && string(m.Method.Of(m.Raw)) == method
}

// CSeqIs reports whether the method in CSeq is this one: of a response, what it answers.
func (m *Message) CSeqIs(method string) bool {
	return string(m.CSeqMethod.Of(m.Raw)) == method
}

// Find returns the index in Headers of the first header with this ID, or -1.
func (m *Message) Find(id HeaderID) int {
	if id >= numHeaders {
		return -1
	}
	return int(m.first[id]) - 1
}

// Value returns the trimmed value of Headers[i], as it stands in Raw.
func (m *Message) Value(i int) []byte { return m.Headers[i].Value.Of(m.Raw) }

// AppendUnfolded appends the bytes of a span of a header value with every fold (white
// space around a CRLF) made one space, as RFC 3261 section 7.3.1 reads it.
func (m *Message) AppendUnfolded(dst []byte, s Span) []byte {
	return appendUnfolded(dst, s.Of(m.Raw))
}
