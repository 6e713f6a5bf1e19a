package compare

import (
	"cmp"
	"maps"
	"math"
	"slices"
	"strings"
	"time"
)

// TimePair is one time of one outcome class on both sides.
type TimePair struct {
	Build  string       `json:"build"`
	Name   string       `json:"name"`
	Class  string       `json:"class"`
	Live   Distribution `json:"live"`
	Shadow Distribution `json:"shadow"`
}

// TimeKey of a TimePair.
func TimeKey(build, name, class string) string {
	return strings.Join([]string{build, name, class}, "|")
}

// Distribution is counts per fixed logarithmic bucket, eight to an octave, sparse: any two can be added. Bucket 0 is all
// up to 1 ms, the last one all above 5 minutes.
type Distribution map[int]uint64

// bucketBounds are the upper bounds: the same on every machine, whatever its logarithm rounds to.
var bucketBounds = func() []time.Duration {
	var bounds []time.Duration
	for i := 0; ; i++ {
		// In µs, so that the last bits of Exp2 do not matter.
		d := time.Duration(math.Round(1000*math.Exp2(float64(i)/8))) * time.Microsecond
		bounds = append(bounds, d)
		if d > 5*time.Minute {
			return bounds
		}
	}
}()

func bucketOf(d time.Duration) int {
	i, _ := slices.BinarySearch(bucketBounds, d)
	return i
}

// bucketSpan is above from, up to to. The last bucket is open; its end is drawn at twice its begin.
func bucketSpan(i int) (from, to time.Duration) {
	if i > 0 {
		from = bucketBounds[i-1]
	}
	if i < len(bucketBounds) {
		return from, bucketBounds[i]
	}
	return from, 2 * from
}

// Add counts one duration; a negative one is 0.
func (d Distribution) Add(v time.Duration) { d[bucketOf(v)]++ }

// N is how many were counted.
func (d Distribution) N() uint64 {
	var n uint64
	for _, c := range d {
		n += c
	}
	return n
}

// Above is how many are surely above a limit: those of buckets that begin at it or later.
func (d Distribution) Above(limit time.Duration) uint64 {
	var n uint64
	for i, c := range d {
		if from, _ := bucketSpan(i); from >= limit {
			n += c
		}
	}
	return n
}

// Quantile q of [0, 1], interpolated inside its bucket; 0 of nothing.
func (d Distribution) Quantile(q float64) time.Duration {
	rank, below := q*float64(d.N()), 0.0
	last := time.Duration(0)
	for _, i := range slices.Sorted(maps.Keys(d)) {
		from, to := bucketSpan(i)
		c := float64(d[i])
		if c > 0 && below+c >= rank {
			return from + time.Duration(float64(to-from)*max(rank-below, 0)/c)
		}
		below, last = below+c, to
	}
	return last
}

// Quantiles of the distribution. The median's interval is between the order statistics that a binomial count of p 0.5
// leaves in with 95 % (normal approximation), which assumes no shape; below 8 values it is all of them.
func (d Distribution) Quantiles() Quantiles {
	n := d.N()
	q := Quantiles{N: n, Buckets: []Bucket{}}
	if n == 0 {
		return q
	}
	half := 0.5
	if n >= 8 {
		half = min(z95/(2*math.Sqrt(float64(n))), 0.5)
	}
	q.Median, q.P90 = d.Quantile(0.5), d.Quantile(0.9)
	q.Low, q.High = d.Quantile(0.5-half), d.Quantile(0.5+half)
	for _, i := range slices.Sorted(maps.Keys(d)) {
		from, to := bucketSpan(i)
		q.Buckets = append(q.Buckets, Bucket{from, to, d[i]})
	}
	return q
}

// What must be shown before a core is called late: its median is later by more than people put down to chance, or more of
// its calls than the readiness gate allows come later than legacy's slow ones.
const (
	lateMedian = 250 * time.Millisecond
	lateP90    = 500 * time.Millisecond // beyond legacy's own p90
	lateShare  = 0.15
	lateNeeds  = 8 // calls
)

// View compares the two sides: the shift of the medians with an interval from those of both (MOVER: the distances of the
// two limits are added in squares, Zou and Donner 2008), and the share of late calls.
func (p *TimePair) View() TimeView {
	v := TimeView{Name: p.Name, Class: p.Class, Live: p.Live.Quantiles(), Shadow: p.Shadow.Quantiles()}
	v.Late = NewRate(p.Shadow.Above(v.Live.P90+lateP90), v.Shadow.N)
	if v.Live.N == 0 || v.Shadow.N == 0 {
		return v
	}
	v.Shift = v.Shadow.Median - v.Live.Median
	v.ShiftLow = v.Shift - hypot(v.Shadow.Median-v.Shadow.Low, v.Live.High-v.Live.Median)
	v.ShiftHigh = v.Shift + hypot(v.Shadow.High-v.Shadow.Median, v.Live.Median-v.Live.Low)
	if min(v.Live.N, v.Shadow.N) < lateNeeds {
		return v
	}
	// A bucket is 9 % wide: what is inside one was not seen.
	grain := v.Live.Median / 10
	if v.ShiftLow > lateMedian+grain || v.Late.Low > lateShare {
		v.Severity, v.Words = Major, timeWords(p.Name)
	}
	return v
}

func hypot(a, b time.Duration) time.Duration {
	return time.Duration(math.Hypot(float64(a), float64(b)))
}

func timeWords(name string) string {
	switch name {
	case TimeRing:
		return "phones ring later: callers hear silence longer"
	case TimeAnswer:
		return "calls are put through later"
	case TimeFirst:
		return "the platform takes longer to react to a call"
	}
	return "the " + name + " comes later"
}

// Names of times.
const (
	TimeFirst  = "first answer"
	TimeRing   = "ring"
	TimeAnswer = "answer"
)

func compareTimes(a, b TimeView) int {
	return cmp.Or(cmp.Compare(timeOrder(a.Name), timeOrder(b.Name)), cmp.Compare(b.Live.N, a.Live.N), cmp.Compare(a.Class, b.Class))
}

func timeOrder(name string) int { return slices.Index([]string{TimeFirst, TimeRing, TimeAnswer}, name) }
