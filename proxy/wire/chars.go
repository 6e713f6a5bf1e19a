package wire

import (
	"encoding/binary"
	"math/bits"
)

// Character classes of RFC 3261 section 25.1.
const (
	cToken  uint8 = 1 << iota // token
	cHost                     // hostname characters, and '_', which the field is full of
	cUser                     // userinfo without ':' and '%': unreserved, user-unreserved, '#'
	cParam                    // URI parameter without ';', '=' and '%'
	cValue                    // unquoted value of a header parameter
	cDigit                    //
	cOpaque                   // any URI that we only carry, without '%'
	cHex                      //
)

// class is the table behind all character tests: one load per byte.
var class = makeClass()

func makeClass() (t [256]uint8) {
	set := func(bit uint8, chars string) {
		for i := range len(chars) {
			t[chars[i]] |= bit
		}
	}
	const (
		digits = "0123456789"
		alnum  = digits + "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
		mark   = "-_.!~*'()"
	)
	set(cToken, alnum+"-.!%*_+`'~")
	set(cHost, alnum+"-._")
	set(cUser, alnum+mark+"&=+$,;?/#")
	set(cParam, alnum+mark+"[]/:&+$=#|^{}`")
	set(cDigit, digits)
	set(cHex, digits+"abcdefABCDEF")
	for c := byte(0x21); c < 0x7f; c++ {
		switch c {
		case '"', '<', '>', '\\':
		default:
			t[c] |= cOpaque
		}
		switch c {
		case ';', ',', '"', '<', '>', '\\':
		default:
			t[c] |= cValue
		}
	}
	t['%'] &^= cOpaque
	return t
}

func isToken(c byte) bool { return class[c]&cToken != 0 }
func isDigit(c byte) bool { return class[c]&cDigit != 0 }
func isHex(c byte) bool   { return class[c]&cHex != 0 }

// isSpace is true for what may separate words in a value that Scan has passed: SP,
// HTAB, and the CR LF of a fold.
func isSpace(c byte) bool { return c == ' ' || c == '\t' || c == '\r' || c == '\n' }

func isWSP(c byte) bool { return c == ' ' || c == '\t' }

// skipSpace returns the first offset in [i,end) that is not white space, or end.
func skipSpace(b []byte, i, end int) int {
	for i < end && isSpace(b[i]) {
		i++
	}
	return i
}

// skipClass returns the first offset in [i,end) that is not of the class, or end.
func skipClass(b []byte, i, end int, bit uint8) int {
	for i < end && class[b[i]]&bit != 0 {
		i++
	}
	return i
}

// trim narrows [start,end) by the white space at both ends.
func trim(b []byte, start, end int) (int, int) {
	start = skipSpace(b, start, end)
	for end > start && isSpace(b[end-1]) {
		end--
	}
	return start, end
}

// control returns the offset of the first control character (below 0x20, or 0x7f) at
// or after i, or len(b). It looks at eight bytes at a time: subtracting 0x20 from each
// byte borrows into its top bit where the byte was smaller, and bytes of 0x80 and
// above are masked out. A false hit is only possible above a true one, and only the
// lowest is used.
func control(b []byte, i int) int {
	const (
		ones = 0x0101010101010101
		high = 0x8080808080808080
	)
	for ; i+8 <= len(b); i += 8 {
		w := binary.LittleEndian.Uint64(b[i:])
		x := w ^ (0x7f * ones)
		hit := ((w - 0x20*ones) &^ w & high) | ((x - ones) &^ x & high)
		if hit != 0 {
			return i + bits.TrailingZeros64(hit)>>3
		}
	}
	for ; i < len(b); i++ {
		if b[i] < 0x20 || b[i] == 0x7f {
			return i
		}
	}
	return i
}

func lower(c byte) byte {
	if c-'A' < 26 {
		return c | 0x20
	}
	return c
}

// EqualFold reports whether a and b are the same but for the case of ASCII letters.
// Unlike bytes.EqualFold it folds nothing else: no other letter equals one of ours.
func EqualFold[A, B ~[]byte | ~string](a A, b B) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range len(a) {
		if a[i] != b[i] && lower(a[i]) != lower(b[i]) {
			return false
		}
	}
	return true
}

// decimal reads an unsigned decimal number of at least one digit and of at most max.
// Leading zeros are allowed.
func decimal(b []byte, max uint32) (uint32, bool) {
	if len(b) == 0 {
		return 0, false
	}
	var v uint64
	for _, c := range b {
		if !isDigit(c) {
			return 0, false
		}
		v = v*10 + uint64(c-'0')
		if v > uint64(max) {
			return 0, false
		}
	}
	return uint32(v), true
}
