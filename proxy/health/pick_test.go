package health

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
)

func table(n int) (*Table, []int) {
	targets := make([]Target, n)
	pool := make([]int, n)
	for i := range targets {
		targets[i] = Target{"a", fmt.Sprintf("sbc%d", i)}
		pool[i] = i
	}
	return New(targets, Config{}), pool
}

// order is the list of targets for a call, by trying one after the other.
func order(t *Table, pool []int, call uint64) []int {
	var list []int
	for skip := uint64(0); ; {
		i, ok := t.Pick(pool, call, skip)
		if !ok {
			return list
		}
		list = append(list, i)
		skip |= 1 << slices.Index(pool, i)
	}
}

func down(t *Table, i int) {
	for range 3 {
		t.Miss(i, 1)
	}
}

// TestOrderIsPinned holds the order that running edges use: a change would send
// the retransmissions of calls under way elsewhere.
func TestOrderIsPinned(t *testing.T) {
	tab, pool := table(5)
	for call, want := range map[uint64][]int{
		0:             {1, 3, 2, 4, 0},
		1:             {3, 4, 2, 1, 0},
		0xFEEDFACE:    {0, 2, 4, 1, 3},
		1<<64 - 1:     {2, 0, 1, 4, 3},
		0x123456789AB: {2, 3, 1, 0, 4},
	} {
		if got := order(tab, pool, call); !slices.Equal(got, want) {
			t.Errorf("%#x: %v, want %v", call, got, want)
		}
	}
}

// TestOrderIgnoresNumbering holds that neither the order in the configuration nor
// other pools matter, only pool and name.
func TestOrderIgnoresNumbering(t *testing.T) {
	a, pool := table(6)
	var targets []Target
	for i := range 6 {
		targets = append(targets, Target{"other", fmt.Sprint(i)}, Target{"a", fmt.Sprintf("sbc%d", 5-i)})
	}
	b := New(targets, Config{Seed: 9})
	poolB := []int{1, 3, 5, 7, 9, 11}
	names := func(t *Table, list []int) (s []string) {
		for _, i := range list {
			s = append(s, t.targets[i].Name)
		}
		return s
	}
	for call := range uint64(2000) {
		call *= 0x9E3779B97F4A7C15
		if x, y := names(a, order(a, pool, call)), names(b, order(b, poolB, call)); !slices.Equal(x, y) {
			t.Fatalf("%#x: %v on one edge, %v on another", call, x, y)
		}
	}
}

// TestPickIsEvenAndStable holds that each target gets its share, and that adding one
// moves calls to it alone, about one part in n.
func TestPickIsEvenAndStable(t *testing.T) {
	const calls, n = 40_000, 8
	tab, pool := table(n)
	counts := make([]int, n)
	moved := 0
	for call := range uint64(calls) { // consecutive: the hash must spread them itself
		before, _ := tab.Pick(pool[:n-1], call, 0)
		after, _ := tab.Pick(pool, call, 0)
		counts[after]++
		if after != before {
			moved++
			if after != n-1 {
				t.Fatalf("call %d moved from %d to %d when %d was added", call, before, after, n-1)
			}
		}
	}
	for i, c := range append(counts, moved) {
		if c < calls/n*95/100 || c > calls/n*105/100 {
			t.Errorf("%d: %d calls, want about %d", i, c, calls/n)
		}
	}
}

// TestDownMovesDownTheList holds that a call whose target is up stays, and one whose
// target is down goes to the next of its own list and comes back.
func TestDownMovesDownTheList(t *testing.T) {
	tab, pool := table(6)
	for call := range uint64(3000) {
		tab, want := New([]Target{{"a", "sbc0"}, {"a", "sbc1"}, {"a", "sbc2"}, {"a", "sbc3"}, {"a", "sbc4"}, {"a", "sbc5"}}, Config{}), order(tab, pool, call)
		down(tab, int(call)%6)
		down(tab, int(call+2)%6)
		var up, out []int
		for _, i := range want {
			if tab.Up(i) {
				up = append(up, i)
			} else {
				out = append(out, i)
			}
		}
		if len(out) != 2 {
			t.Fatalf("%d out", len(out))
		}
		// Those that are down come last, in the same order: tried anyway.
		if got := order(tab, pool, call); !slices.Equal(got, append(up, out...)) {
			t.Fatalf("call %d: %v, want %v then %v", call, got, up, out)
		}
	}
}

func TestPickEdges(t *testing.T) {
	tab, pool := table(3)
	if _, ok := tab.Pick(nil, 1, 0); ok {
		t.Error("an empty pool has a target")
	}
	if _, ok := tab.Pick(pool, 1, 0b111); ok {
		t.Error("all were tried")
	}
	if _, ok := tab.Pick([]int{-1, 3, 99}, 1, 0); ok {
		t.Error("unknown indexes were picked")
	}
	if i, ok := tab.Pick([]int{2, 77}, 1, 0); !ok || i != 2 {
		t.Error("a known index beside an unknown one was not picked")
	}
	if tab.Up(-1) || tab.Up(3) {
		t.Error("unknown targets are up")
	}
	big, wide := table(70)
	if i, ok := big.Pick(wide, 1, ^uint64(0)); !ok || i < 64 {
		t.Errorf("positions without a bit can not be skipped: %d %v", i, ok)
	}
}

func TestPickDoesNotAllocate(t *testing.T) {
	tab, pool := table(20)
	down(tab, 3)
	r := rand.New(rand.NewPCG(1, 1))
	if n := testing.AllocsPerRun(1000, func() {
		i, _ := tab.Pick(pool, r.Uint64(), r.Uint64())
		tab.Up(i)
		tab.Passive(0, 5, Answered)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkPick(b *testing.B) {
	tab, pool := table(8)
	for n := range uint64(b.N) {
		tab.Pick(pool, n, 0)
	}
}
