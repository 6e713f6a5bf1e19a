package policy

// digitString is up to 15 decimal digits in one word: digit i in bits 60-4i, so that a common prefix is one comparison
// and no node of the trie points at text.
type digitString struct {
	v uint64
	n uint8
}

// digitsOf packs a number that has n digits.
func digitsOf(number uint64, n uint8) (d digitString) {
	d.n = n
	for i := int(n) - 1; i >= 0; i-- {
		d.v |= number % 10 << (60 - 4*i)
		number /= 10
	}
	return d
}

// packDigits packs text, which may be longer than a number can be or hold something else: then ok is false.
func packDigits(s string) (d digitString, ok bool) {
	if len(s) > maxDigits {
		return d, false
	}
	for i := range len(s) {
		c := s[i] - '0'
		if c > 9 {
			return d, false
		}
		d.v |= uint64(c) << (60 - 4*i)
	}
	d.n = uint8(len(s))
	return d, true
}

func (d digitString) first() uint8 { return uint8(d.v >> 60) }

// cut returns d without its first n digits, n at most 15.
func (d digitString) cut(n uint8) digitString { return digitString{d.v << (4 * n), d.n - n} }

// head returns the first n digits, n from 1 to 15.
func (d digitString) head(n uint8) digitString {
	return digitString{d.v >> (64 - 4*n) << (64 - 4*n), n}
}

// join appends e.
func (d digitString) join(e digitString) digitString {
	return digitString{d.v | e.v>>(4*d.n), d.n + e.n}
}

// begins reports whether d begins with p, which is not empty.
func (d digitString) begins(p digitString) bool {
	return d.n >= p.n && (d.v^p.v)>>(64-4*p.n) == 0
}

// common is the length of the longest common prefix.
func (d digitString) common(e digitString) uint8 {
	n := uint8(0)
	for m := min(d.n, e.n); n < m && (d.v^e.v)<<(4*n)>>60 == 0; n++ {
	}
	return n
}
