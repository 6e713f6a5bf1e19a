package policy

import (
	"fmt"
	"strconv"
	"strings"
)

// ParseShare reads a share as people write it, in percent with up to two decimals and an optional percent sign
// ("10", "12.34%"), and returns basis points in [0, FullShare].
func ParseShare(s string) (int, error) {
	bad := func(why string) (int, error) {
		if len(s) > 32 {
			s = s[:32] + "..."
		}
		return 0, fmt.Errorf("share %q %s: write percent from 0 to 100 in steps of 0.01, such as 12.5%%", s, why)
	}
	whole, frac, dot := strings.Cut(strings.TrimSuffix(s, "%"), ".")
	if !digits(whole) || dot && !digits(frac) {
		return bad("is not a number")
	}
	if len(frac) > 2 {
		return bad("is finer than 0.01")
	}
	if len(whole) > 3 {
		return bad("is more than 100")
	}
	bp, err := strconv.Atoi(whole + (frac + "00")[:2])
	if err != nil || bp > FullShare {
		return bad("is more than 100")
	}
	return bp, nil
}

// FormatShare writes basis points as percent without needless zeros: 1234 is "12.34%", 1000 is "10%".
func FormatShare(bp int) string {
	s := strconv.Itoa(bp / 100)
	if r := bp % 100; r != 0 {
		s += strings.TrimRight(fmt.Sprintf(".%02d", r), "0")
	}
	return s + "%"
}

// digits reports whether s is one or more ASCII digits.
func digits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return s != ""
}
