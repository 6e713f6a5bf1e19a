package wire

import "bytes"

// A FrameKind is what a stream has at its front.
type FrameKind uint8

const (
	// FrameMore: not a whole unit yet; read more and ask again.
	FrameMore FrameKind = iota
	// FrameMessage: a message, for Scan.
	FrameMessage
	// FrameKeepalive: CRLF CRLF, a ping (RFC 5626 section 3.5.1), or a single CRLF, a
	// pong or one half of a ping that was split; Framer.Ping tells when to answer.
	FrameKeepalive
)

// Frame finds the first unit of a stream at the front of buf: n bytes of the kind. A
// fault means that the stream can not be followed any further and must be closed; n is
// then the length of the header section if it is complete, so that its request may be
// scanned and answered first, else 0. lim may be nil.
func Frame(buf []byte, lim *Limits) (n int, kind FrameKind, f Fault) {
	fr := Framer{Limits: lim}
	return fr.Next(buf)
}

// A Framer is Frame for one connection: it remembers how far it has looked, so that a
// message which arrives byte by byte is read once. The zero value is ready.
type Framer struct {
	Limits *Limits // nil: DefaultLimits

	looked int // offset before which no header section ends
	need   int // length of the message once known
	crlf   bool
	ping   bool
}

// Next finds the first unit of buf, as Frame does. After FrameMore it must be called
// with the same bytes and more; after another kind with the bytes that follow the unit.
func (fr *Framer) Next(buf []byte) (n int, kind FrameKind, f Fault) {
	lim := fr.Limits.orDefault()
	if fr.need == 0 {
		n, kind, f = fr.start(buf, lim)
		if kind != FrameMessage {
			return n, kind, f
		}
		fr.need = n
	}
	if len(buf) < fr.need {
		return 0, FrameMore, FaultNone
	}
	n = fr.need
	fr.need, fr.looked, fr.crlf, fr.ping = 0, 0, false, false
	return n, FrameMessage, FaultNone
}

// Ping reports whether the keepalive that Next has just returned is the end of a
// CRLF CRLF, to be answered with CRLF, even if its halves came apart.
func (fr *Framer) Ping() bool { return fr.ping }

// start handles keepalives and, with the whole header section there, finds the length of
// the message (n, as FrameMessage).
func (fr *Framer) start(buf []byte, lim *Limits) (n int, kind FrameKind, f Fault) {
	if len(buf) == 0 {
		return 0, FrameMore, FaultNone
	}
	switch c := buf[0]; {
	case c == '\r':
		return fr.keepalive(buf)
	case c == '\n':
		return 0, FrameMore, FaultBareLF
	case !isToken(c):
		return 0, FrameMore, FaultStartLine
	}
	head := buf[:min(len(buf), lim.HeaderBytes)]
	end := bytes.Index(head[min(fr.looked, len(head)):], []byte("\r\n\r\n"))
	if end < 0 {
		if len(buf) >= lim.HeaderBytes {
			return 0, FrameMore, FaultHeaderBytes
		}
		fr.looked = max(0, len(head)-3)
		return 0, FrameMore, FaultNone
	}
	headLen := fr.looked + end + 4
	length, f := frameLength(buf[:headLen])
	if f == FaultNone && headLen+length > lim.Message {
		f = FaultTooLarge
	}
	if f != FaultNone {
		return headLen, FrameMore, f
	}
	return headLen + length, FrameMessage, FaultNone
}

func (fr *Framer) keepalive(buf []byte) (n int, kind FrameKind, f Fault) {
	switch {
	case len(buf) < 2:
		return 0, FrameMore, FaultNone
	case buf[1] != '\n':
		return 0, FrameMore, FaultBareCR
	case len(buf) >= 4 && buf[2] == '\r' && buf[3] == '\n' && !fr.crlf:
		fr.ping, fr.crlf = true, false
		return 4, FrameKeepalive, FaultNone
	}
	fr.ping = fr.crlf
	fr.crlf = !fr.crlf
	return 2, FrameKeepalive, FaultNone
}

// frameLength finds the body length in a whole header section, by the same reading of
// lines and names as Scan. Faults that do not touch the framing are left to Scan.
func frameLength(head []byte) (length int, f Fault) {
	var line Message
	pos, f := line.startLine(head, &DefaultLimits)
	if pos == 0 || f == FaultBareCR || f == FaultBareLF {
		return 0, f
	}
	length = -1
	for !(head[pos] == '\r' && head[pos+1] == '\n') {
		var h Header
		f, next := readLine(head, pos, &h)
		if next == 0 || f == FaultBareCR || f == FaultBareLF {
			return 0, f
		}
		pos = next
		if lookup(h.Name.Of(head)) != HContentLength {
			continue
		}
		if f != FaultNone {
			return 0, FaultContentLength
		}
		if length >= 0 {
			return 0, FaultDuplicateLength
		}
		var ok bool
		if length, ok = contentLength(h.Value.Of(head)); !ok {
			return 0, FaultContentLength
		}
	}
	if length < 0 {
		return 0, FaultNoContentLength
	}
	return length, FaultNone
}
