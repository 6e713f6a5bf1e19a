package policy

import (
	"fmt"
	"strconv"
	"strings"
)

// maxDigits is the length of the longest E.164 number (ITU-T E.164: 15 digits with the country code). Nothing longer is
// ever looked up.
const maxDigits = 15

// claim says which numbers are a tenant's: a prefix (numbers of any length that begin with it) or an inclusive range
// (numbers of exactly its length).
type claim struct {
	lo, hi uint64 // of a prefix both are its digits
	digits uint8  // of the prefix, or of each number of the range
	prefix bool
}

var pow10 = func() (p [maxDigits + 1]uint64) {
	p[0] = 1
	for i := 1; i < len(p); i++ {
		p[i] = p[i-1] * 10
	}
	return p
}()

// at returns the interval that c covers among the numbers of length n, and whether it covers any.
func (c claim) at(n uint8) (lo, hi uint64, ok bool) {
	if !c.prefix {
		return c.lo, c.hi, n == c.digits
	}
	if n < c.digits || n > maxDigits {
		return 0, 0, false
	}
	p := pow10[n-c.digits]
	return c.lo * p, c.lo*p + (p - 1), true
}

// String is the form of Tenant.Numbers.
func (c claim) String() string {
	if c.prefix {
		return "+" + strconv.FormatUint(c.lo, 10)
	}
	return fmt.Sprintf("+%d-+%d", c.lo, c.hi)
}

// parseClaim reads "+1303555" or "+13035550100-+13035550199". The error says what to write instead.
func parseClaim(s string) (claim, error) {
	from, to, isRange := strings.Cut(s, "-+")
	lo, n, err := parseE164(from)
	if err != nil {
		return claim{}, err
	}
	if !isRange {
		return claim{lo: lo, hi: lo, digits: n, prefix: true}, nil
	}
	to = "+" + to
	hi, m, err := parseE164(to)
	if err != nil {
		return claim{}, err
	}
	if n != m {
		return claim{}, fmt.Errorf("the ends of a range have %d and %d digits: write numbers of one length", n, m)
	}
	if lo > hi {
		return claim{}, fmt.Errorf("the range runs backwards: write %s-%s", to, from)
	}
	return claim{lo: lo, hi: hi, digits: n}, nil
}

func parseE164(s string) (uint64, uint8, error) {
	d, plus := strings.CutPrefix(s, "+")
	switch {
	case !plus:
		return 0, 0, fmt.Errorf("a number begins with + and its country code: write +%s", clip(d, 20))
	case !digits(d):
		return 0, 0, fmt.Errorf("only digits follow the +: write +13035550100, or +13035550100-+13035550199 for a range")
	case d[0] == '0':
		return 0, 0, fmt.Errorf("no country code begins with 0: write + and the country code")
	case len(d) > maxDigits:
		return 0, 0, fmt.Errorf("%d digits are more than E.164 allows: write at most %d", len(d), maxDigits)
	}
	v, err := strconv.ParseUint(d, 10, 64)
	return v, uint8(len(d)), err
}

// clash says how two claims that must be disjoint or strictly nested are neither. They are compared length by length:
// a prefix of the range's own length or longer is inside the range.
func (c claim) clash(d claim) string {
	if c.prefix && d.prefix {
		if c.lo == d.lo && c.digits == d.digits {
			return "equals"
		}
		return ""
	}
	n := c.digits
	if c.prefix {
		n = d.digits
	}
	cl, ch, ok1 := c.at(n)
	dl, dh, ok2 := d.at(n)
	switch {
	case !ok1 || !ok2 || ch < dl || dh < cl:
		return ""
	case cl == dl && ch == dh:
		return "equals"
	case cl <= dl && dh <= ch, dl <= cl && ch <= dh:
		return ""
	}
	return "crosses"
}

// blocks cuts c into the fewest digit prefixes that cover it: the places in the trie where it stands.
func (c claim) blocks(yield func(prefix digitString)) {
	if c.prefix {
		yield(digitsOf(c.lo, c.digits))
		return
	}
	for lo := c.lo; lo <= c.hi; {
		k := 0
		for k+1 < int(c.digits) && lo%pow10[k+1] == 0 && lo+pow10[k+1]-1 <= c.hi {
			k++
		}
		yield(digitsOf(lo/pow10[k], c.digits-uint8(k)))
		lo += pow10[k]
	}
}
