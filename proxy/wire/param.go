package wire

import "iter"

// param is one ";name=value" of a header field. value is empty for a flag.
type param struct{ whole, name, value Span }

// readParam reads a parameter from i, which is after its ';'. Names are tokens; values
// are quoted strings or runs of printable ASCII without separators, which is wider than
// RFC 3261's gen-value: tokens, hosts and IPv6 addresses without brackets all fit.
func readParam(b []byte, i, end int) (p param, ok bool) {
	start := skipSpace(b, i, end)
	i = skipClass(b, start, end, cToken)
	if i == start {
		return p, false
	}
	p.name = span(start, i)
	p.whole = p.name
	i = skipSpace(b, i, end)
	if i == end || b[i] != '=' {
		return p, true
	}
	i = skipSpace(b, i+1, end)
	start = i
	if i < end && b[i] == '"' {
		i = skipQuoted(b, i, end)
	} else {
		i = skipClass(b, i, end, cValue)
	}
	if i == start {
		return p, false
	}
	p.value = span(start, i)
	p.whole.End = uint32(i)
	return p, true
}

// skipQuoted returns the offset after the quoted string that begins at i, or i if it
// has no end.
func skipQuoted(b []byte, i, end int) int {
	for j := i + 1; j < end; j++ {
		switch b[j] {
		case '"':
			return j + 1
		case '\\':
			j++
		}
	}
	return i
}

// Params yields the name and value of each parameter of a ";name=value;flag" list, of a
// header field or of a URI; the first ';' may be missing. Values keep their quotes. What
// is no parameter is passed over.
func Params(params []byte) iter.Seq2[[]byte, []byte] {
	return func(yield func(name, value []byte) bool) {
		for i := 0; i < len(params); {
			if params[i] == ';' || isSpace(params[i]) {
				i++
				continue
			}
			name, value, next := nextParam(params, i)
			i = next
			if len(name) > 0 && !yield(name, value) {
				return
			}
		}
	}
}

// Param finds a parameter by name, in any case, in a list as Params takes it.
func Param(params []byte, name string) (value []byte, found bool) {
	for i := 0; i < len(params); {
		if params[i] == ';' || isSpace(params[i]) {
			i++
			continue
		}
		n, v, next := nextParam(params, i)
		if EqualFold(n, name) {
			return v, true
		}
		i = next
	}
	return nil, false
}

// nextParam splits the parameter at i from what follows it.
func nextParam(b []byte, i int) (name, value []byte, next int) {
	start, eq := i, -1
	for ; i < len(b) && b[i] != ';'; i++ {
		switch b[i] {
		case '=':
			if eq < 0 {
				eq = i
			}
		case '"':
			j := skipQuoted(b, i, len(b))
			if j == i { // no end: look no further, or many of them cost their square
				j = len(b)
			}
			i = j - 1
		}
	}
	if eq < 0 {
		eq = i
	} else {
		s, e := trim(b, eq+1, i)
		value = b[s:e:e]
	}
	s, e := trim(b, start, eq)
	return b[s:e:e], value, i
}
