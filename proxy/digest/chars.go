package digest

func isSpace(c byte) bool { return c == ' ' || c == '\t' }

func isControl(c byte) bool { return c < 0x20 || c == 0x7f }

// isToken says whether c may be in a token (RFC 3261 section 25.1).
func isToken(c byte) bool {
	switch {
	case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
		return true
	}
	switch c {
	case '-', '.', '!', '%', '*', '_', '+', '`', '\'', '~':
		return true
	}
	return false
}

func skipSpace(b []byte, i int) int {
	for i < len(b) && isSpace(b[i]) {
		i++
	}
	return i
}

func skipToken(b []byte, i int) int {
	for i < len(b) && isToken(b[i]) {
		i++
	}
	return i
}

// equalFold compares b with lower, which is in lower case; only ASCII letters fold.
func equalFold(b []byte, lower string) bool {
	if len(b) != len(lower) {
		return false
	}
	for i, c := range b {
		if 'A' <= c && c <= 'Z' {
			c |= 0x20
		}
		if c != lower[i] {
			return false
		}
	}
	return true
}

// bareable says whether b can stand without quotes.
func bareable(b []byte) bool { return len(b) > 0 && skipToken(b, 0) == len(b) }

// quotable says whether s can stand between quotes as it is.
func quotable(s string) bool {
	for i := range len(s) {
		if c := s[i]; isControl(c) || c == '"' || c == '\\' {
			return false
		}
	}
	return true
}
