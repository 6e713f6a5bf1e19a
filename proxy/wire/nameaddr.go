package wire

// A NameAddr is an address with its parameters, as in From, To, Contact and Route
// (RFC 3261 section 20.10). Spans are into the message.
type NameAddr struct {
	Name   Span // display name, with its quotes if it has any
	URI    Span // without angle brackets
	Params Span // from the first ';' after the URI to the end
	Tag    Span
}

// readNameAddr reads the whole of [pos,end): one name-addr or addr-spec. The fault is
// FaultNone, FaultDuplicateParam, or FaultFrom for bad syntax.
func readNameAddr(b []byte, pos, end int) (a NameAddr, fault Fault) {
	const bad = FaultFrom
	i := skipSpace(b, pos, end)
	start := i
	if i < end && b[i] == '"' {
		i = skipQuoted(b, i, end)
		if i == start {
			return a, bad
		}
		a.Name = span(start, i)
		i = skipSpace(b, i, end)
		if i == end || b[i] != '<' {
			return a, bad
		}
	} else {
		// An unquoted display name runs up to '<'; without one this is an addr-spec.
		for i < end && b[i] != '<' && b[i] != ';' && b[i] != ',' && b[i] != '"' && b[i] != '>' {
			i++
		}
		if i < end && b[i] == '<' {
			s, e := trim(b, start, i)
			if s < e {
				a.Name = span(s, e)
			}
		}
	}
	if i < end && b[i] == '<' {
		start = i + 1
		for i = start; i < end && b[i] != '>'; i++ {
			if c := b[i]; c <= ' ' || c >= 0x7f || c == '"' || c == '<' {
				return a, bad
			}
		}
		if i == start || i == end {
			return a, bad
		}
		a.URI = span(start, i)
		i++
	} else {
		// Without brackets a URI ends at ';' and has no ',' and no '?'.
		for i = start; i < end && !isSpace(b[i]) && b[i] != ';'; i++ {
			if class[b[i]]&cValue == 0 || b[i] == '?' {
				return a, bad
			}
		}
		if i == start {
			return a, bad
		}
		a.URI = span(start, i)
	}
	for {
		j := skipSpace(b, i, end)
		if j == end {
			return a, FaultNone
		}
		if b[j] != ';' {
			return a, bad
		}
		p, ok := readParam(b, j+1, end)
		if !ok {
			return a, bad
		}
		if a.Params.Empty() {
			a.Params.Start = uint32(j)
		}
		a.Params.End = p.whole.End
		i = int(p.whole.End)
		if p.name.Len() == 3 && isName(p.name.Of(b), "tag") {
			if !a.Tag.Empty() {
				return a, FaultDuplicateParam
			}
			if p.value.Empty() || b[p.value.Start] == '"' {
				return a, bad
			}
			a.Tag = p.value
		}
	}
}
