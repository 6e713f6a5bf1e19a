package location

import (
	"math/rand/v2"
	"testing"
)

// News in any order, any number of times, ends in the same binding.
func TestMergeIsAJoin(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 30_000 {
		a, b, c := anyBinding(r), anyBinding(r), anyBinding(r)
		if r.IntN(2) == 0 { // of one moment, as after a split
			b.Stamp, c.Stamp = a.Stamp, a.Stamp
		}
		a0, b0 := *a, *b
		ab := Merge(a, b)
		if *ab != *Merge(b, a) {
			t.Fatalf("not commutative:\n%+v\n%+v", a, b)
		}
		if *Merge(ab, c) != *Merge(a, Merge(b, c)) {
			t.Fatalf("not associative:\n%+v\n%+v\n%+v", a, b, c)
		}
		if Merge(ab, a) != ab || Merge(ab, b) != ab || Merge(a, a.Clone()) != a {
			t.Fatalf("not idempotent, or a copy without need:\n%+v\n%+v", a, b)
		}
		if *a != a0 || *b != b0 {
			t.Fatal("an argument was changed")
		}
	}
	one := anyBinding(r)
	if Merge(nil, one) != one || Merge(one, nil) != one {
		t.Error("nil is news")
	}
}

func TestMergeTakesTheBestOfBoth(t *testing.T) {
	old, newer := phone(1), phone(1)
	newer.Stamp++
	newer.Flow.Edge = "edge-2"
	newer.Holds[0].Stamp -= 5
	newer.Holds[0].Until = 1
	old.Holds[1].Stamp++
	old.Holds[1].CSeq = 99
	m := Merge(old, newer)
	if m.Flow.Edge != "edge-2" || m.Stamp != newer.Stamp || m.Holds[0] != old.Holds[0] || m.Holds[1] != old.Holds[1] {
		t.Errorf("%+v", m)
	}
}
