package health

import (
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

const (
	second = int64(time.Second)
	start  = int64(1_700_000_000) * second
)

// verdicts writes the state of each target as one letter: U up, D down, F failing
// but kept since half the pool is out.
func verdicts(t *Table) string {
	var b []byte
	for _, s := range t.Snapshot() {
		switch {
		case !s.Up:
			b = append(b, 'D')
		case s.Reason != "":
			b = append(b, 'F')
		default:
			b = append(b, 'U')
		}
	}
	return string(b)
}

// TestVerdicts replays signs in a pool of four: m is a missed probe, h a hit, x a
// transport error, t a timeout, a an answer, r a 503 without and b one with
// Retry-After 30 s, s with 5 s, each followed by the target's number; "." is ten seconds.
func TestVerdicts(t *testing.T) {
	for _, c := range []struct{ name, signs, want string }{
		{"two misses are not enough", "m0 m0", "UUUU"},
		{"three misses", "m0 m0 m0", "DUUU"},
		{"not in a row", "m0 m0 h0 m0 m0", "UUUU"},
		{"an answer counts as a hit", "m0 m0 a0 m0 m0", "UUUU"},
		{"one hit is not enough", "m0 m0 m0 h0", "DUUU"},
		{"two hits", "m0 m0 m0 h0 h0", "UUUU"},
		{"hits not in a row", "m0 m0 m0 h0 m0 h0", "DUUU"},
		{"after two hits three misses again", "m0 m0 m0 h0 h0 m0 m0", "UUUU"},
		{"transport errors", "x1 x1 x1", "UDUU"},
		{"timeouts", "t1 t1 t1", "UDUU"},
		{"mixed", "m1 x1 t1", "UDUU"},
		{"answers bring it back", "x1 x1 x1 a1 a1", "UUUU"},
		{"503 alone is neither", "m0 m0 r0 m0", "DUUU"},
		{"503 alone never ejects", "r0 r0 r0 r0", "UUUU"},
		{"503 does not bring it back", "m0 m0 m0 r0 r0", "DUUU"},
		{"busy", "b2", "UUDU"},
		{"busy and answers", "b2 a2 a2 a2", "UUDU"},
		{"busy is over", "b2 . . .", "UUUU"},
		{"busy again is longer", "b2 . . b2 . .", "UUDU"},
		{"busy and failing", "b2 m2 m2 m2 . . .", "UUDU"},
		{"failing and busy, then hits", "m2 m2 m2 b2 h2 h2", "UUDU"},
		{"failing and busy, then hits, then over", "m2 m2 m2 b2 h2 h2 . . .", "UUUU"},
		{"half a pool", "m0 m0 m0 m1 m1 m1", "DDUU"},
		{"not more than half", "m0 m0 m0 m1 m1 m1 m2 m2 m2 m3 m3 m3", "DDFF"},
		{"the next takes the place", "m0 m0 m0 m1 m1 m1 . m2 m2 m2 . m3 m3 m3 h0 h0", "UDDF"},
		{"the first to fail are out", "m1 m1 m1 . m2 m2 m2 . m0 m0 m0", "FDDU"},
		{"a shorter time does not end a longer", "b2 s2 .", "UUDU"},
		{"busy ones count too", "b0 b1 b2", "DDFU"},
	} {
		t.Run(c.name, func(t *testing.T) {
			tab, _ := table(4)
			now := start
			for s := range strings.FieldsSeq(c.signs) {
				if s == "." {
					now += 10 * second
					tab.Due(now)
					continue
				}
				i := int(s[1] - '0')
				switch s[0] {
				case 'm':
					tab.Miss(i, now)
				case 'h':
					tab.Hit(i, now)
				case 'x':
					tab.Passive(i, now, TransportError)
				case 't':
					tab.Passive(i, now, Timeout)
				case 'a':
					tab.Passive(i, now, Answered)
				case 'r':
					tab.Passive(i, now, Busy503)
				case 's':
					tab.Busy(i, now, 5*time.Second)
				case 'b':
					tab.Busy(i, now, 30*time.Second)
				default:
					t.Fatalf("sign %q", s)
				}
			}
			if got := verdicts(tab); got != c.want {
				t.Errorf("%s: %s, want %s", c.signs, got, c.want)
			}
		})
	}
}

func TestReasons(t *testing.T) {
	tab, _ := table(12)
	for range 3 {
		tab.Miss(0, start)
		tab.Passive(1, start+1, TransportError)
		tab.Passive(2, start+2, Timeout)
	}
	tab.Busy(3, start+3, time.Hour) // believed for five minutes
	want := []string{"missed_probes", "unreachable", "silent", "busy", ""}
	for i, s := range tab.Snapshot()[:5] {
		if s.Reason != want[i] {
			t.Errorf("%d: %q, want %q", i, s.Reason, want[i])
		}
		if i < 4 && (s.Up || s.Since != start+int64(min(i, 3))) {
			t.Errorf("%d: up %v since %d", i, s.Up, s.Since)
		}
	}
	tab.Due(start + 299*second)
	if tab.Up(3) {
		t.Error("busy ended early")
	}
	tab.Due(start + 301*second)
	if !tab.Up(3) {
		t.Error("a Retry-After of an hour was believed")
	}
}

// TestSmallPools holds that one target is never ejected and of two or three only one.
func TestSmallPools(t *testing.T) {
	for n, want := range []string{1: "F", 2: "DF", 3: "DFF"} {
		if n == 0 {
			continue
		}
		tab, _ := table(n)
		for i := range n {
			down(tab, i)
		}
		if got := verdicts(tab); got != want {
			t.Errorf("%d targets: %s, want %s", n, got, want)
		}
	}
}

func TestPoolsAreApart(t *testing.T) {
	tab := New([]Target{{"a", "x"}, {"a", "y"}, {"b", "x"}, {"b", "y"}}, Config{})
	down(tab, 0)
	down(tab, 2)
	if got := verdicts(tab); got != "DUDU" {
		t.Errorf("%s", got)
	}
}

// TestSchedule holds interval and jitter of an hour of probes, and that the first
// come within a tenth of the interval.
func TestSchedule(t *testing.T) {
	tab, _ := table(50)
	last := make([]int64, 50)
	var shortest, longest, n int64 = 1 << 62, 0, 0
	for now := start; now < start+3600*second; now += second / 10 {
		for _, i := range tab.Due(now) {
			if last[i] == 0 {
				if now > start+second+second/10 {
					t.Errorf("the first probe of %d comes after %v", i, time.Duration(now-start))
				}
			} else {
				gap := now - last[i]
				shortest, longest = min(shortest, gap), max(longest, gap)
				n++
			}
			last[i] = now
		}
	}
	if shortest < 8*second || longest > 12*second+second/10 {
		t.Errorf("intervals from %v to %v, want 8 to 12 s", time.Duration(shortest), time.Duration(longest))
	}
	if longest-shortest < 3*second {
		t.Errorf("intervals from %v to %v do not vary", time.Duration(shortest), time.Duration(longest))
	}
	if mean := 50 * 3600 / n; mean < 9 || mean > 11 {
		t.Errorf("mean interval %d s", mean)
	}
	// A clock that was set back by a day does not stop the probes.
	if due := tab.Due(start - 86400*second); len(due) != 50 {
		t.Errorf("%d probes after the clock went back", len(due))
	}
	if due := tab.Due(start - 86400*second); len(due) != 0 {
		t.Errorf("%d probes twice", len(due))
	}
}

func TestScheduleFollowsSeed(t *testing.T) {
	run := func(seed uint64) (times []int64) {
		tab := New([]Target{{"a", "x"}}, Config{Seed: seed})
		for now := start; now < start+100*second; now += second / 10 {
			if len(tab.Due(now)) > 0 {
				times = append(times, now)
			}
		}
		return times
	}
	if !slices.Equal(run(1), run(1)) {
		t.Error("one seed, two schedules")
	}
	if slices.Equal(run(1), run(2)) {
		t.Error("two seeds, one schedule")
	}
}

// TestKeep holds that a reload forgets nothing of what stays, and that a pool which
// shrank has half of it up.
func TestKeep(t *testing.T) {
	old := New([]Target{{"a", "1"}, {"a", "2"}, {"a", "3"}, {"a", "4"}, {"b", "1"}}, Config{})
	old.Due(start)
	down(old, 0)
	down(old, 1)
	old.Busy(2, start, 30*time.Second)
	old.Miss(3, start)
	next := New([]Target{{"b", "1"}, {"a", "4"}, {"a", "2"}, {"a", "1"}, {"a", "new"}, {"b", "2"}}, Config{})
	next.Keep(old)
	if got := verdicts(next); got != "UUDDUU" {
		t.Errorf("after a reload %s", got)
	}
	if s := next.Snapshot(); s[1].Misses != 1 || s[3].Since != 1 {
		t.Errorf("%+v", s)
	}
	next.Hit(2, start)
	next.Hit(2, start)
	if got := verdicts(next); got != "UUUDUU" {
		t.Errorf("after hits %s", got)
	}
	if a, b := len(old.Due(start+second/2)), len(next.Due(start+second/2)); a+b == 0 || b > 6 {
		t.Errorf("%d and %d due", a, b)
	}
	small := New([]Target{{"a", "1"}}, Config{})
	small.Keep(old)
	if !small.Up(0) || verdicts(small) != "F" {
		t.Errorf("a pool of one is %s", verdicts(small))
	}
}

// TestRandomSigns holds the promises under any signs: never more than half a pool
// out, none out without a verdict, and something to pick.
func TestRandomSigns(t *testing.T) {
	for seed := range uint64(300) {
		r := rand.New(rand.NewPCG(seed, 3))
		n := 1 + r.IntN(9)
		tab, pool := table(n)
		now := start
		for range 400 {
			now += r.Int64N(5 * second)
			i := r.IntN(n+2) - 1 // sometimes unknown
			switch r.IntN(6) {
			case 0:
				tab.Hit(i, now)
			case 1, 2:
				tab.Miss(i, now)
			case 3:
				tab.Passive(i, now, Sign(r.IntN(5)))
			case 4:
				tab.Busy(i, now, time.Duration(r.Int64N(400*second)-10))
			default:
				tab.Due(now)
			}
			out := 0
			for i, s := range tab.Snapshot() {
				if s.Up != tab.Up(i) || s.Up == false && s.Reason == "" {
					t.Fatalf("seed %d: %+v", seed, s)
				}
				if !s.Up {
					out++
				}
				if x := &tab.targets[i]; x.clean.Load() && (x.misses != 0 || s.Reason != "") {
					t.Fatalf("seed %d: %+v is clean", seed, s)
				}
			}
			if out > n/2 {
				t.Fatalf("seed %d: %d of %d out", seed, out, n)
			}
			if i, ok := tab.Pick(pool, r.Uint64(), 0); !ok || !tab.Up(i) {
				t.Fatalf("seed %d: picked %d %v, %d of %d out", seed, i, ok, out, n)
			}
		}
		// Left in peace it recovers.
		now += 3600 * second
		tab.Due(now)
		for i := range n {
			tab.Hit(i, now)
			tab.Hit(i, now)
		}
		for i, s := range tab.Snapshot() {
			if !s.Up || s.Reason != "" {
				t.Fatalf("seed %d: %d stays %+v", seed, i, s)
			}
		}
	}
}

func TestConcurrently(t *testing.T) {
	tab, pool := table(6)
	var wg sync.WaitGroup
	for g := range uint64(6) {
		wg.Go(func() {
			r := rand.New(rand.NewPCG(g, 0))
			for n := range int64(3000) {
				tab.Miss(r.IntN(6), start+n)
				tab.Passive(r.IntN(6), start+n, Answered)
				tab.Pick(pool, r.Uint64(), 0)
				if n%100 == 0 {
					tab.Due(start + n*second)
					tab.Snapshot()
				}
			}
		})
	}
	wg.Wait()
}
