package compare

import (
	"math"
	"math/rand/v2"
	"testing"
)

// clean calls, and calls with one mismatch, that the specification names for "ready" at 5 %.
func TestEvidenceGolden(t *testing.T) {
	for _, c := range []struct {
		p0    float64
		s     uint64
		calls uint64
	}{
		{0.05, 0, 74}, {0.02, 0, 188}, {0.01, 0, 377}, {0.005, 0, 756},
		{0.05, 1, 131}, {0.02, 1, 330}, {0.01, 1, 663}, {0.005, 1, 1329},
	} {
		need := math.Log(20)
		if before, at := logE(c.p0, c.s, c.calls-1), logE(c.p0, c.s, c.calls); before >= need || at < need {
			t.Errorf("p0 %v with %d: log E is %.4f after %d calls and %.4f after %d; must pass %.4f between them",
				c.p0, c.s, before, c.calls-1, at, c.calls, need)
		}
	}
}

// The incomplete beta function against its integral, by Simpson's rule after t = sin² u, which takes the poles away.
func TestLogBetaIsTheIntegral(t *testing.T) {
	simpson := func(x, a, b float64) float64 {
		const steps = 4_000
		end := math.Asin(math.Sqrt(x))
		f := func(u float64) float64 {
			return 2 * math.Pow(math.Sin(u), 2*a-1) * math.Pow(math.Cos(u), 2*b-1)
		}
		sum := f(0) + f(end)
		for i := 1; i < steps; i++ {
			sum += f(end*float64(i)/steps) * float64(2+2*(i%2))
		}
		return sum * end / steps / 3
	}
	for _, a := range []float64{0.5, 1, 1.5, 7.5, 40.5} {
		for _, b := range []float64{0.5, 2, 12.5, 90.5} {
			for _, x := range []float64{0.005, 0.05, 0.4, 0.5, 0.6, 0.99} {
				got, want := logBeta(x, a, b), math.Log(simpson(x, a, b))
				if math.Abs(got-want) > 1e-6*max(1, math.Abs(want)) {
					t.Errorf("log B(%v; %v, %v) = %.9f, want %.9f", x, a, b, got, want)
				}
			}
		}
	}
}

func TestLogEStaysFiniteAtAMillionCalls(t *testing.T) {
	for _, s := range []uint64{0, 1, 1000, 500_000, 999_999, 1_000_000} {
		for _, p0 := range []float64{0.005, 0.5, 0.6} {
			if e := logE(p0, s, 1_000_000); math.IsNaN(e) || math.IsInf(e, 1) {
				t.Errorf("log E(%v) of %d in a million: %v", p0, s, e)
			}
		}
	}
}

func TestNoiseGolden(t *testing.T) {
	for _, c := range []struct {
		core, legacy uint64
		want         Noise
	}{
		{0, 0, Undecided},
		{1, 0, Undecided},
		{5, 0, Undecided}, {6, 0, IsReal}, // only the core ever differs
		{0, 4, Undecided}, {0, 5, IsNoise}, // only legacy ever differs from itself
		{20, 20, Undecided}, {100, 100, Undecided}, {200, 200, IsNoise}, // both as often
		{600, 400, IsReal},   // theta 0.6
		{5500, 4500, IsReal}, // between the limits both are shown: real
		{30, 10, IsReal},
	} {
		tr := Triples{OnlyCore: c.core, OnlyLegacy: c.legacy}
		if got := tr.Judge(); got != c.want {
			t.Errorf("only the core %d, only legacy %d: %s, want %s (log E noise %.2f, real %.2f)", c.core, c.legacy, got, c.want,
				logE(noiseBelow, c.core, c.core+c.legacy), logE(realAbove, c.legacy, c.core+c.legacy))
		}
	}
}

// Looked at after every triple, the test is wrong in at most 5 % of the fields. Fails only when the lower 99.9 % bound of
// the error rate is above that.
func TestNoiseErrorRateUnderPeeking(t *testing.T) {
	const (
		fields = 2000
		long   = 300
		alpha  = 0.05
	)
	for _, c := range []struct {
		theta float64
		wrong Noise
	}{
		{noiseBelow, IsNoise}, {realAbove, IsReal},
	} {
		r := rand.New(rand.NewPCG(20, uint64(c.theta*100)))
		// Verdicts depend on two counts: each is computed once.
		known := make(map[[2]uint64]Noise)
		errs := 0
		for range fields {
			var tr Triples
			for range long {
				if r.Float64() < c.theta {
					tr.OnlyCore++
				} else {
					tr.OnlyLegacy++
				}
				at := [2]uint64{tr.OnlyCore, tr.OnlyLegacy}
				verdict, ok := known[at]
				if !ok {
					verdict = tr.Judge()
					known[at] = verdict
				}
				if verdict == c.wrong {
					errs++
					break
				}
			}
		}
		rate := float64(errs) / fields
		if low := rate - 3.09*math.Sqrt(rate*(1-rate)/fields); low > alpha {
			t.Errorf("theta %v is called %s in %.2f %% of the fields (at least %.2f %%)", c.theta, c.wrong, 100*rate, 100*low)
		}
		t.Logf("theta %v is called %s in %.2f %% of %d fields", c.theta, c.wrong, 100*rate, fields)
	}
}
