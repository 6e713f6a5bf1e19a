package digest

// maxValue is the longest value that is read, in bytes.
const maxValue = 8 << 10

// A Span is where something lies in a value: an offset and a length in bytes.
type Span struct{ Off, Len uint16 }

// In returns the bytes of s, without copying.
func (s Span) In(value []byte) []byte {
	end := int(s.Off) + int(s.Len)
	return value[s.Off:end:end]
}

// Present tells a parameter with an empty value from one that is missing.
func (s Span) Present() bool { return s.Off != 0 || s.Len != 0 }

func (s Span) end() int { return int(s.Off) + int(s.Len) }

// Params are the parameters of one value that mean something to us. A span holds what
// is between the quotes, quoted-pairs as they were written, or the bare value.
type Params struct {
	Scheme Span // not of Authentication-Info

	Realm, Nonce, Opaque, QOP, Algorithm, Stale Span
	Username, URI, Response, CNonce, NC         Span
	NextNonce                                   Span

	opaqueName Span // the name itself: where the parameter begins
	last       int  // end of the last parameter
}

// ParseChallenge reads the value of WWW-Authenticate or Proxy-Authenticate. False: not
// a Digest challenge with realm and nonce, or not well-formed; p is then undefined.
func ParseChallenge(p *Params, value []byte) bool {
	return p.readScheme(value) && p.Realm.Present() && p.Nonce.Present()
}

// ParseCredentials reads the value of Authorization or Proxy-Authorization. False: not
// Digest credentials with realm, nonce, uri and response, or not well-formed. The
// username may be missing: RFC 7616 section 3.4.4 has another way to write it.
func ParseCredentials(p *Params, value []byte) bool {
	return p.readScheme(value) && p.Realm.Present() && p.Nonce.Present() &&
		p.URI.Present() && p.Response.Present()
}

// ParseInfo reads the value of Authentication-Info, which names no scheme.
func ParseInfo(p *Params, value []byte) bool {
	*p = Params{}
	return len(value) <= maxValue && p.read(value, 0)
}

func (p *Params) readScheme(value []byte) bool {
	*p = Params{}
	if len(value) > maxValue {
		return false
	}
	start := skipSpace(value, 0)
	end := skipToken(value, start)
	if !equalFold(value[start:end], "digest") || end == len(value) || !isSpace(value[end]) {
		return false
	}
	p.Scheme = span(start, end)
	return p.read(value, end)
}

// read reads parameters from i to the end. Empty ones (two commas, or one at the end)
// are harmless and occur.
func (p *Params) read(value []byte, i int) bool {
	for {
		for i < len(value) && (isSpace(value[i]) || value[i] == ',') {
			i++
		}
		if i == len(value) {
			return true
		}
		start := i
		i = skipToken(value, i)
		name := value[start:i]
		i = skipSpace(value, i)
		if len(name) == 0 || i == len(value) || value[i] != '=' {
			return false
		}
		at, end, ok := readValue(value, skipSpace(value, i+1), i+1)
		if !ok {
			return false
		}
		p.last = end
		if i = skipSpace(value, end); i < len(value) && value[i] != ',' {
			return false
		}
		slot := p.slot(name)
		switch {
		case slot == nil: // unknown: kept where it is
		case slot.Present():
			return false
		default:
			*slot = at
			if slot == &p.Opaque {
				p.opaqueName = span(start, start+len(name))
			}
		}
	}
}

// readValue reads a quoted string or a bare value at i; bare is where an empty one
// would lie.
func readValue(value []byte, i, bare int) (at Span, end int, ok bool) {
	if i == len(value) || value[i] == ',' {
		return span(bare, bare), bare, true
	}
	if value[i] != '"' {
		start := i
		for ; i < len(value) && value[i] != ',' && !isSpace(value[i]); i++ {
			if isControl(value[i]) || value[i] == '"' || value[i] == '\\' {
				return Span{}, 0, false
			}
		}
		return span(start, i), i, true
	}
	i++
	for start := i; i < len(value); i++ {
		switch c := value[i]; {
		case c == '"':
			return span(start, i), i + 1, true
		case c == '\\':
			if i++; i == len(value) || isControl(value[i]) {
				return Span{}, 0, false
			}
		case isControl(c) && c != '\t':
			return Span{}, 0, false
		}
	}
	return Span{}, 0, false
}

// slot is where the value of a parameter belongs; nil: nowhere.
func (p *Params) slot(name []byte) *Span {
	switch len(name) {
	case 2:
		if equalFold(name, "nc") {
			return &p.NC
		}
	case 3:
		switch {
		case equalFold(name, "qop"):
			return &p.QOP
		case equalFold(name, "uri"):
			return &p.URI
		}
	case 5:
		switch {
		case equalFold(name, "realm"):
			return &p.Realm
		case equalFold(name, "nonce"):
			return &p.Nonce
		case equalFold(name, "stale"):
			return &p.Stale
		}
	case 6:
		switch {
		case equalFold(name, "opaque"):
			return &p.Opaque
		case equalFold(name, "cnonce"):
			return &p.CNonce
		}
	case 8:
		switch {
		case equalFold(name, "username"):
			return &p.Username
		case equalFold(name, "response"):
			return &p.Response
		}
	case 9:
		switch {
		case equalFold(name, "algorithm"):
			return &p.Algorithm
		case equalFold(name, "nextnonce"):
			return &p.NextNonce
		}
	}
	return nil
}

func span(start, end int) Span { return Span{uint16(start), uint16(end - start)} }

// isQuoted says whether s, of a parameter, lies between quotes: a bare value follows
// "=" or white space.
func isQuoted(value []byte, s Span) bool { return value[s.Off-1] == '"' }
