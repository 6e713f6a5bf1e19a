package sdp

import "bytes"

// Bounds of a multipart body.
const (
	MaxParts = 32 // in one level
	MaxDepth = 3  // multipart in multipart
)

// Find looks for the session description in a body of this Content-Type: the whole of application/sdp, one part of a
// multipart (RFC 2046, RFC 5621). found is false, without a fault, if there is none: the body is somebody else's. A part
// whose Content-Disposition is not "session", such as early-session (RFC 3959), is not looked at.
func Find(contentType, body []byte) (part Span, found bool, fault Fault) {
	return find(contentType, body, span(0, len(body)), MaxDepth)
}

// Replace appends body to dst with other bytes in the place of the part.
func Replace(dst, body []byte, part Span, sdp []byte) []byte {
	dst = append(dst, body[:part.Start]...)
	dst = append(dst, sdp...)
	return append(dst, body[part.End:]...)
}

func find(contentType, body []byte, in Span, depth int) (part Span, found bool, fault Fault) {
	media, params, _ := bytes.Cut(contentType, []byte(";"))
	media = bytes.Trim(media, " \t")
	if equalFold(media, "application/sdp") {
		return in, true, FaultNone
	}
	if len(media) < 10 || !equalFold(media[:10], "multipart/") {
		return part, false, FaultNone
	}
	if depth == 0 {
		return part, false, FaultPartCount
	}
	boundary, ok := boundaryOf(params)
	if !ok {
		return part, false, FaultMultipart
	}
	r := partReader{body: body[:in.End], delimiter: append([]byte("--"), boundary...)}
	if !r.start(int(in.Start)) {
		return part, false, FaultMultipart
	}
	for n := 0; !r.last; n++ {
		if n == MaxParts {
			return part, false, FaultPartCount
		}
		p, ok := r.next()
		if !ok {
			return part, false, FaultMultipart
		}
		h, content, ok := readPartHeaders(body, p)
		if !ok {
			return part, false, FaultMultipart
		}
		if h.disposition != nil && !equalFold(h.disposition, "session") {
			continue
		}
		one, has, fault := find(h.contentType, body, content, depth-1)
		switch {
		case fault != FaultNone:
			return part, false, fault
		case !has:
			continue
		case found:
			return part, false, FaultTwoDescriptions
		case h.encoded:
			return part, false, FaultPartEncoding
		}
		part, found = one, true
	}
	return part, found, FaultNone
}

// partReader cuts a multipart body at its delimiter lines.
type partReader struct {
	body      []byte
	delimiter []byte // "--" and the boundary
	pos       int    // the first byte of a part
	last      bool   // the closing delimiter was read
}

// start skips the preamble.
func (r *partReader) start(pos int) bool {
	for at := pos; at < len(r.body); {
		if next, closing, is := r.delimiterLine(at); is {
			r.pos, r.last = next, closing
			return true
		}
		if at = nextLine(r.body, at); at == 0 {
			break
		}
	}
	return false
}

// next is the part up to the next delimiter line, the line end before that left out.
func (r *partReader) next() (Span, bool) {
	for at := r.pos; at > 0 && at < len(r.body); at = nextLine(r.body, at) {
		after, closing, is := r.delimiterLine(at)
		if !is {
			continue
		}
		start, end := r.pos, at
		if end > start {
			end-- // its LF
			if end > start && r.body[end-1] == '\r' {
				end--
			}
		}
		r.pos, r.last = after, closing
		return span(start, end), true
	}
	return Span{}, false
}

// delimiterLine reads "--boundary", "--boundary--", spaces and the line end at pos.
func (r *partReader) delimiterLine(pos int) (next int, closing, is bool) {
	rest := r.body[pos:]
	if !bytes.HasPrefix(rest, r.delimiter) {
		return 0, false, false
	}
	rest = rest[len(r.delimiter):]
	if bytes.HasPrefix(rest, []byte("--")) {
		closing, rest = true, rest[2:]
	}
	rest = bytes.TrimLeft(rest, " \t")
	next = len(r.body) - len(rest)
	switch {
	case bytes.HasPrefix(rest, []byte("\r\n")):
		return next + 2, closing, true
	case bytes.HasPrefix(rest, []byte("\n")):
		return next + 1, closing, true
	}
	return next, closing, closing && len(rest) == 0
}

// nextLine is the offset after the next LF; 0: there is none.
func nextLine(b []byte, pos int) int {
	i := bytes.IndexByte(b[pos:], '\n')
	if i < 0 {
		return 0
	}
	return pos + i + 1
}

// partHeaders of one part, as far as they matter here.
type partHeaders struct {
	contentType []byte
	disposition []byte // without parameters; nil: not given
	encoded     bool
}

// readPartHeaders reads up to the empty line. What a folded line continues is not looked at: the words that matter stand
// first, and a value that begins in the fold is taken for none.
func readPartHeaders(body []byte, part Span) (h partHeaders, content Span, ok bool) {
	end, headers := int(part.End), 0
	for pos := int(part.Start); pos < end; {
		next := nextLine(body[:end], pos)
		if next == 0 {
			return h, content, false
		}
		line := bytes.TrimSuffix(body[pos:next-1], []byte("\r"))
		pos = next
		if len(line) == 0 {
			return h, span(pos, end), true
		}
		if first := line[0]; (first == ' ' || first == '\t') && headers > 0 {
			continue
		}
		headers++
		name, value, colon := bytes.Cut(line, []byte(":"))
		if !colon {
			return h, content, false
		}
		name, value = bytes.Trim(name, " \t"), bytes.Trim(value, " \t")
		switch {
		case equalFold(name, "content-type"), equalFold(name, "c"):
			if h.contentType != nil {
				return h, content, false
			}
			h.contentType = value
		case equalFold(name, "content-disposition"):
			kind, _, _ := bytes.Cut(value, []byte(";"))
			h.disposition = bytes.Trim(kind, " \t")
		case equalFold(name, "content-transfer-encoding"):
			h.encoded = !equalFold(value, "7bit") && !equalFold(value, "8bit") && !equalFold(value, "binary")
		case equalFold(name, "content-encoding"), equalFold(name, "e"):
			h.encoded = h.encoded || !equalFold(value, "identity")
		}
	}
	return h, content, false
}

// boundaryOf reads the boundary parameter: 1 to 70 characters, quoted or not, given once.
func boundaryOf(params []byte) (boundary []byte, ok bool) {
	for len(params) > 0 {
		name, rest, eq := bytes.Cut(params, []byte("="))
		if !eq {
			break
		}
		name = name[bytes.LastIndexByte(name, ';')+1:] // parameters before it that have no value
		rest = bytes.TrimLeft(rest, " \t")
		var value []byte
		if len(rest) > 0 && rest[0] == '"' {
			end := bytes.IndexByte(rest[1:], '"')
			if end < 0 || bytes.IndexByte(rest[1:1+end], '\\') >= 0 {
				return nil, false
			}
			value, rest = rest[1:1+end], rest[end+2:]
			_, params, _ = bytes.Cut(rest, []byte(";"))
		} else {
			value, params, _ = bytes.Cut(rest, []byte(";"))
			value = bytes.TrimRight(value, " \t")
		}
		if !equalFold(bytes.Trim(name, " \t"), "boundary") {
			continue
		}
		if boundary != nil {
			return nil, false
		}
		boundary = value
	}
	if len(boundary) == 0 || len(boundary) > 70 || boundary[len(boundary)-1] == ' ' {
		return nil, false
	}
	for _, c := range boundary {
		if c < ' ' || c > '~' {
			return nil, false
		}
	}
	return boundary, true
}
