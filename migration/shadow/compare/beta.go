package compare

import "math"

// logBeta is the logarithm of the unregularised incomplete beta function B(x; a, b), for 0 < x < 1 and a, b > 0. It is
// computed in logarithms throughout: the printed forms of what is made of it are 0/0 at a hundred thousand calls.
func logBeta(x, a, b float64) float64 {
	front := a*math.Log(x) + b*math.Log1p(-x)
	if x < (a+1)/(a+b+2) {
		return front + math.Log(betaFraction(x, a, b)/a)
	}
	// Above the mean the complement converges, and is the small part: B(a, b) - B(1-x; b, a).
	whole := logWholeBeta(a, b)
	rest := front + math.Log(betaFraction(1-x, b, a)/b)
	if rest >= whole {
		return math.Inf(-1)
	}
	return whole + math.Log1p(-math.Exp(rest-whole))
}

func logWholeBeta(a, b float64) float64 {
	la, _ := math.Lgamma(a)
	lb, _ := math.Lgamma(b)
	lab, _ := math.Lgamma(a + b)
	return la + lb - lab
}

// betaFraction is the continued fraction of the incomplete beta function (Abramowitz and Stegun 26.5.8), evaluated by
// Lentz's method. It converges in about sqrt(max(a, b)) steps where x < (a+1)/(a+b+2).
func betaFraction(x, a, b float64) float64 {
	const (
		tiny  = 1e-300
		close = 1e-15
		steps = 100_000
	)
	solid := func(v float64) float64 {
		if math.Abs(v) < tiny {
			return tiny
		}
		return v
	}
	c, d := 1.0, 1/solid(1-(a+b)*x/(a+1))
	h := d
	for i := 1; i <= steps; i++ {
		m := float64(i)
		even := m * (b - m) * x / ((a + 2*m - 1) * (a + 2*m))
		d, c = 1/solid(1+even*d), solid(1+even/c)
		h *= d * c
		odd := -(a + m) * (a + b + m) * x / ((a + 2*m) * (a + 2*m + 1))
		d, c = 1/solid(1+odd*d), solid(1+odd/c)
		h *= d * c
		if math.Abs(d*c-1) < close {
			break
		}
	}
	return h
}

// logE is the logarithm of the e-value against "the rate is at least p0" after s events in n observations: a mixture of
// the alternatives below p0, weighted by a Beta(1/2, 1/2) that ends at p0, over the likelihood at p0. Under the hypothesis
// its mean is at most 1 at any stopping time, so that it may be looked at after every call.
func logE(p0 float64, s, n uint64) float64 {
	const half = 0.5
	sf, nf := float64(min(s, n)), float64(n)
	return logBeta(p0, half+sf, half+nf-sf) - logBeta(p0, half, half) - (sf*math.Log(p0) + (nf-sf)*math.Log1p(-p0))
}
