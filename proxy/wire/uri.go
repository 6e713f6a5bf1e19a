package wire

// A URI is the parts of a URI (RFC 3261 section 19.1, RFC 3966 for tel). Spans are
// relative to the bytes it was parsed from.
type URI struct {
	Scheme   Span
	Rest     Span // all after the scheme's colon
	User     Span // sip, sips: as it came, percent-encoded; tel: the number
	Password Span
	Host     Span   // an IPv6 address without its brackets
	Params   Span   // from the first ';' on
	Headers  Span   // after '?'
	Port     uint16 // 0: none
}

// ParseURI reads sip, sips and tel URIs by their grammar; of any other only Scheme and
// Rest are set. It reports whether b follows the grammar: no spaces, controls, brackets
// or quotes, complete percent-escapes, a host, a port of 1 to 65535.
func ParseURI(b []byte) (u URI, ok bool) {
	colon := 0
	for colon < len(b) && b[colon] != ':' {
		c := b[colon]
		if l := c | 0x20; (l < 'a' || l > 'z') && (colon == 0 || !isDigit(c) && c != '+' && c != '-' && c != '.') {
			return u, false
		}
		colon++
	}
	if colon == 0 || colon+1 >= len(b) {
		return u, false
	}
	u.Scheme = span(0, colon)
	u.Rest = span(colon+1, len(b))
	switch scheme := b[:colon]; {
	case isName(scheme, "sip"), isName(scheme, "sips"):
		return u, u.sip(b, colon+1)
	case isName(scheme, "tel"):
		return u, u.tel(b, colon+1)
	default:
		return u, escaped(b, colon+1, len(b), cOpaque) == len(b)
	}
}

// escaped skips characters of a class and whole percent-escapes.
func escaped(b []byte, i, end int, bit uint8) int {
	for i < end {
		if class[b[i]]&bit != 0 {
			i++
		} else if b[i] == '%' && i+2 < end && isHex(b[i+1]) && isHex(b[i+2]) {
			i += 3
		} else {
			break
		}
	}
	return i
}

// sip: [ user [ ":" password ] "@" ] hostport uri-parameters [ headers ]. Only a
// userinfo can have an '@', so the first one ends it wherever it stands: parameters
// before it belong to the user (RFC 4475 section 3.1.1.9).
func (u *URI) sip(b []byte, i int) bool {
	at := i
	for at < len(b) && b[at] != '@' {
		at++
	}
	if at < len(b) {
		end := escaped(b, i, at, cUser)
		if end == i {
			return false
		}
		u.User = span(i, end)
		if end < at && b[end] == ':' {
			u.Password = span(end+1, at)
			end = escaped(b, end+1, at, cUser)
		}
		if end != at {
			return false
		}
		i = at + 1
	}
	var ok bool
	u.Host, u.Port, i, ok = readHostPort(b, i, len(b), false)
	if !ok {
		return false
	}
	return u.tail(b, i, true)
}

// tel: a number of digits and visual separators, '+' first if global, then parameters.
func (u *URI) tel(b []byte, i int) bool {
	start, digits := i, 0
	if b[i] == '+' {
		i++
	}
	for ; i < len(b) && b[i] != ';'; i++ {
		switch c := b[i]; {
		case isHex(c) || c == '*' || c == '#':
			digits++
		case c != '-' && c != '.' && c != '(' && c != ')':
			return false
		}
	}
	u.User = span(start, i)
	return digits > 0 && u.tail(b, i, false)
}

// tail reads *( ";" pname [ "=" pvalue ] ) [ "?" headers ].
func (u *URI) tail(b []byte, i int, headers bool) bool {
	start := i
	for i < len(b) && b[i] == ';' {
		name := i + 1
		if i = escaped(b, name, len(b), cParam); i == name || b[name] == '=' {
			return false
		}
	}
	if i > start {
		u.Params = span(start, i)
	}
	if i < len(b) && b[i] == '?' && headers {
		u.Headers = span(i+1, len(b))
		i = escaped(b, i+1, len(b), cParam|cUser)
		return i == len(b) && !u.Headers.Empty()
	}
	return i == len(b)
}
