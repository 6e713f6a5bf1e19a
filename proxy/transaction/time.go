package transaction

import "time"

// Time is a moment in nanoseconds since the Unix epoch; 0 means never. Machines
// and the wheel take it as a value and never read a clock.
type Time int64

// At converts t.
func At(t time.Time) Time { return Time(t.UnixNano()) }

// Add returns the moment d after t.
func (t Time) Add(d time.Duration) Time { return t + Time(d) }

// Sub returns how long t is after u.
func (t Time) Sub(u Time) time.Duration { return time.Duration(t - u) }

// earlier returns the earlier of two moments, either of which may be never.
func earlier(a, b Time) Time {
	if a == 0 || b != 0 && b < a {
		return b
	}
	return a
}
