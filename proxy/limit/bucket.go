package limit

// budget is the rule of a token bucket.
type budget struct{ rate, burst float64 } // tokens per second; tokens

// refill returns what tokens have become after ns nanoseconds. A clock that went
// back adds none.
func (b budget) refill(tokens float64, ns int64) float64 {
	if ns <= 0 {
		return min(tokens, b.burst)
	}
	return min(b.burst, tokens+b.rate*float64(ns)/1e9)
}

// later is the moment up to which a bucket is refilled: readers may be a little
// behind each other, which must not refill the same time twice; but a clock that
// was set back must not stop the refill until it catches up.
func later(seen, now int64) int64 {
	const behind = 1_000_000_000
	if now > seen || now < seen-behind {
		return now
	}
	return seen
}
