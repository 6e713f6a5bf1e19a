package compare

import "math"

// z of a two-sided 95 % interval.
const z95 = 1.959963984540054

// NewRate is count of n with Wilson's score interval at 95 % (E. B. Wilson, JASA 22, 1927): it needs no table, holds its
// level on average also for few and for extreme counts, and never leaves [0, 1]. A count above n is taken for n.
func NewRate(count, n uint64) Rate {
	count = min(count, n)
	r := Rate{Of: n, Count: count, High: 1}
	if n == 0 {
		return r
	}
	p, m, z2 := float64(count)/float64(n), float64(n), z95*z95
	middle := (p + z2/(2*m)) / (1 + z2/m)
	half := z95 / (1 + z2/m) * math.Sqrt(p*(1-p)/m+z2/(4*m*m))
	r.Share, r.Low, r.High = p, max(middle-half, 0), min(middle+half, 1)
	if count == 0 {
		r.Low = 0 // and not the rounding of middle-half
	}
	if count == n {
		r.High = 1
	}
	return r
}
