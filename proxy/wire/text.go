package wire

// AppendUnescaped appends b with its percent-escapes decoded (RFC 3261 section 19.1.2).
// What is no escape stays as it is. The result may hold any byte, NUL included.
func AppendUnescaped(dst, b []byte) []byte {
	for i := 0; i < len(b); i++ {
		if b[i] == '%' && i+2 < len(b) && isHex(b[i+1]) && isHex(b[i+2]) {
			dst = append(dst, unhex(b[i+1])<<4|unhex(b[i+2]))
			i += 2
			continue
		}
		dst = append(dst, b[i])
	}
	return dst
}

func unhex(c byte) byte {
	if isDigit(c) {
		return c - '0'
	}
	return c&^0x20 - 'A' + 10
}

// AppendQuoted appends s as a quoted string. Control characters, which few readers
// take even as quoted-pairs, become spaces.
func AppendQuoted(dst []byte, s string) []byte {
	dst = append(dst, '"')
	for i := range len(s) {
		switch c := s[i]; {
		case c == '"' || c == '\\':
			dst = append(dst, '\\', c)
		case c < 0x20 || c == 0x7f:
			dst = append(dst, ' ')
		default:
			dst = append(dst, c)
		}
	}
	return append(dst, '"')
}

// AppendList appends items separated by ", ". An item that is no token is quoted, so
// that no item can look like two.
func AppendList(dst []byte, items ...string) []byte {
	for i, s := range items {
		if i > 0 {
			dst = append(dst, ", "...)
		}
		if plain(s) {
			dst = append(dst, s...)
		} else {
			dst = AppendQuoted(dst, s)
		}
	}
	return dst
}

func plain(s string) bool {
	for i := range len(s) {
		if !isToken(s[i]) {
			return false
		}
	}
	return s != ""
}

// appendUnfolded appends a header value with every fold, and the white space around
// it, made one space.
func appendUnfolded(dst, b []byte) []byte {
	floor := len(dst)
	for i := 0; i < len(b); i++ {
		if b[i] != '\r' || i+2 >= len(b) || b[i+1] != '\n' || !isWSP(b[i+2]) {
			dst = append(dst, b[i])
			continue
		}
		for len(dst) > floor && isWSP(dst[len(dst)-1]) {
			dst = dst[:len(dst)-1]
		}
		dst = append(dst, ' ')
		for i += 2; i+1 < len(b) && isWSP(b[i+1]); i++ {
		}
	}
	return dst
}
