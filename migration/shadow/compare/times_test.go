package compare

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"
)

func TestBucketsHoldWhatTheySay(t *testing.T) {
	for _, d := range []time.Duration{
		-time.Second, 0, 1, time.Millisecond, time.Millisecond + 1, 20 * time.Millisecond, time.Second, 6 * time.Second, 3 * time.Minute,
		5 * time.Minute, 6 * time.Minute, 1000 * time.Hour, math.MaxInt64,
	} {
		i := bucketOf(d)
		from, to := bucketSpan(i)
		open := i == len(bucketBounds)
		if v := max(d, 0); v > to && !open || i > 0 && v <= from {
			t.Errorf("%v is in bucket %d, above %v up to %v", d, i, from, to)
		}
		if width := float64(to-from) / float64(to); i > 0 && !open && width > 0.1 {
			t.Errorf("bucket %d is %.0f %% wide", i, 100*width)
		}
	}
	if n := len(bucketBounds); n > 200 {
		t.Errorf("%d buckets", n)
	}
}

func drawn(r *rand.Rand, n int, median time.Duration) Distribution {
	d := make(Distribution)
	for range n {
		d.Add(time.Duration(float64(median) * math.Exp(0.4*r.NormFloat64())))
	}
	return d
}

// Fixed seeds: the interval of the median holds what was drawn from in about 95 % of the runs, a core that is as fast as
// legacy is called late in none, and one that is 2 s late in all.
func TestShiftOfMedians(t *testing.T) {
	const runs, n = 400, 150
	r := rand.New(rand.NewPCG(3, 3))
	held := 0
	for range runs {
		same := TimePair{Name: TimeRing, Live: drawn(r, n, 3*time.Second), Shadow: drawn(r, n, 3*time.Second)}
		v := same.View()
		if v.ShiftLow <= 0 && v.ShiftHigh >= 0 {
			held++
		}
		if v.Severity != None {
			t.Errorf("a core as fast as legacy is called late: %v (%v to %v), %v late", v.Shift, v.ShiftLow, v.ShiftHigh, v.Late)
		}
		late := TimePair{Name: TimeRing, Live: drawn(r, n, 3*time.Second), Shadow: drawn(r, n, 5*time.Second)}
		if v := late.View(); v.Severity != Major || v.Words == "" {
			t.Errorf("a core that is 2 s late: %v (%v to %v)", v.Shift, v.ShiftLow, v.ShiftHigh)
		}
	}
	if share := float64(held) / runs; share < 0.92 {
		t.Errorf("the interval held in %.1f %% of %d runs", 100*share, runs)
	} else {
		t.Logf("the interval held in %.1f %% of %d runs", 100*share, runs)
	}
}

func TestOneSlowTailIsEnough(t *testing.T) {
	p := TimePair{Name: TimeAnswer, Live: make(Distribution), Shadow: make(Distribution)}
	for i := range 200 {
		p.Live.Add(2 * time.Second)
		if i%3 == 0 {
			p.Shadow.Add(9 * time.Second) // a third of the calls
		} else {
			p.Shadow.Add(2 * time.Second)
		}
	}
	if v := p.View(); v.Severity != Major || v.Late.Low <= lateShare {
		t.Errorf("%+v", v)
	}
	few := TimePair{Name: TimeAnswer, Live: Distribution{bucketOf(time.Second): 3}, Shadow: Distribution{bucketOf(9 * time.Second): 3}}
	if v := few.View(); v.Severity != None {
		t.Errorf("three calls are no evidence: %+v", v)
	}
}

func TestWilson(t *testing.T) {
	// Values of Newcombe, Statistics in Medicine 17 (1998), table I, method 3.
	for _, c := range []struct {
		count, n  uint64
		low, high float64
	}{
		{81, 263, 0.2553, 0.3662}, {15, 148, 0.0624, 0.1605}, {0, 20, 0, 0.1611}, {1, 29, 0.0061, 0.1718}, {29, 29, 0.8830, 1}, {0, 0, 0, 1}, {5, 3, 0.4385, 1},
	} {
		if r := NewRate(c.count, c.n); math.Abs(r.Low-c.low) > 5e-5 || math.Abs(r.High-c.high) > 5e-5 {
			t.Errorf("%d of %d: %.4f to %.4f, want %.4f to %.4f", c.count, c.n, r.Low, r.High, c.low, c.high)
		}
	}
}
