package transaction

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

const tickTime = Time(tickLength)

type armed struct {
	id   int
	tick uint64
	seq  int
}

// model is the wheel as a sorted list.
type model struct {
	now  uint64
	seq  int
	list []armed
}

func (m *model) stop(id int) {
	m.list = slices.DeleteFunc(m.list, func(a armed) bool { return a.id == id })
}

func (m *model) set(id int, at Time) {
	m.stop(id)
	if at == 0 {
		return
	}
	tick := uint64(0)
	if at > 0 {
		tick = (uint64(at) + uint64(tickLength) - 1) / uint64(tickLength)
	}
	m.seq++
	m.list = append(m.list, armed{id, max(tick, m.now+1), m.seq})
}

// first is the one due next, by (deadline tick, order of Set).
func (m *model) first() (armed, bool) {
	if len(m.list) == 0 {
		return armed{}, false
	}
	return slices.MinFunc(m.list, func(a, b armed) int {
		if a.tick != b.tick {
			return int(int64(a.tick) - int64(b.tick))
		}
		return a.seq - b.seq
	}), true
}

// TestWheelAgainstSortedList drives wheel and list with the same random sets,
// stops and advances, also from within fire, and compares all that is seen.
func TestWheelAgainstSortedList(t *testing.T) {
	reach := []time.Duration{0, 10 * time.Millisecond, 640 * time.Millisecond, 41 * time.Second,
		44 * time.Minute, 47 * time.Hour, 125 * 24 * time.Hour, 20 * 365 * 24 * time.Hour}
	for seed := range uint64(200) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			r := rand.New(rand.NewPCG(seed, 1))
			now := Time(r.Int64N(int64(3 * epoch)))
			if seed%5 == 0 {
				now = 0
			}
			var w Wheel
			var m model
			timers := make([]Timer, 60)
			for i := range timers {
				timers[i].Owner = i
			}
			span := func() Time { return Time(r.Int64N(int64(reach[r.IntN(len(reach))]) + 1)) }
			change := func() {
				id := r.IntN(len(timers))
				switch r.IntN(8) {
				case 0:
					w.Stop(&timers[id])
					m.stop(id)
				case 1: // in the past
					at := now - span()
					w.Set(&timers[id], at)
					m.set(id, at)
				default:
					at := now + span()
					w.Set(&timers[id], at)
					m.set(id, at)
				}
			}
			for range 300 {
				for range r.IntN(6) {
					change()
				}
				if now > math.MaxInt64/4*3 {
					break // the steps of years would leave the range of Time
				}
				if r.IntN(3) == 0 {
					now += span()
				} else if n := w.Next(); n != 0 {
					if a, _ := m.first(); n > Time(a.tick)*tickTime {
						t.Fatalf("Next %d is past the first deadline %d", n, Time(a.tick)*tickTime)
					}
					now = max(now, n)
				}
				end := uint64(now / tickTime)
				w.Advance(now, func(got *Timer) {
					want, ok := m.first()
					if !ok || want.tick > end || got.Owner != want.id {
						t.Fatalf("fired %v, want %v (%v)", got.Owner, want, ok)
					}
					if got.Armed() {
						t.Fatal("a timer that fires is still armed")
					}
					m.now = want.tick
					m.stop(want.id)
					for range r.IntN(2) {
						change()
					}
				})
				m.now = max(m.now, end)
				if a, ok := m.first(); ok && a.tick <= end {
					t.Fatalf("%v was due at %d and did not fire", a, end)
				}
				if w.Len() != len(m.list) {
					t.Fatalf("Len %d, want %d", w.Len(), len(m.list))
				}
				if (w.Next() == 0) != (len(m.list) == 0) {
					t.Fatalf("Next %d with %d timers", w.Next(), len(m.list))
				}
				for i := range timers {
					in := slices.ContainsFunc(m.list, func(a armed) bool { return a.id == i })
					if timers[i].Armed() != in {
						t.Fatalf("timer %d: armed %v, want %v", i, timers[i].Armed(), in)
					}
				}
			}
		})
	}
}

// TestWheelNextProgresses holds what a loop over Next relies on: each Advance to
// Next fires or makes Next later, and a far deadline takes few such steps.
func TestWheelNextProgresses(t *testing.T) {
	for _, far := range []time.Duration{time.Millisecond, time.Hour, 200 * 24 * time.Hour, 100 * 365 * 24 * time.Hour} {
		var w Wheel
		var timer Timer
		w.Advance(epoch, nil)
		w.Set(&timer, epoch.Add(far))
		fired := false
		steps := 0
		for last := Time(0); !fired; steps++ {
			next := w.Next()
			if next <= last {
				t.Fatalf("%v: Next stays at %d", far, next)
			}
			last = next
			w.Advance(next, func(*Timer) {
				fired = true
				if late := next - epoch.Add(far); late < 0 || late >= tickTime {
					t.Errorf("%v: fired %v late", far, time.Duration(late))
				}
			})
		}
		if steps > levels {
			t.Errorf("%v: %d steps", far, steps)
		}
	}
}

func TestWheelEdges(t *testing.T) {
	var w Wheel
	var a, b Timer
	w.Stop(&a)
	w.Set(&a, 0)
	if a.Armed() || w.Len() != 0 || w.Next() != 0 {
		t.Fatal("never is armed")
	}
	w.Set(&a, math.MaxInt64) // the last moment there is
	w.Set(&b, math.MinInt64)
	if w.Next() != tickTime {
		t.Fatalf("a time before the epoch is not past: %d", w.Next())
	}
	w.Advance(-5, func(*Timer) { t.Fatal("fired before the epoch") })
	fired := 0
	w.Advance(math.MaxInt64, func(got *Timer) {
		if got != &b {
			t.Fatal("fired early")
		}
		fired++
	})
	if fired != 1 || w.Len() != 1 {
		t.Fatalf("fired %d, %d left", fired, w.Len())
	}
	w.Advance(epoch, func(*Timer) { t.Fatal("fired when the clock went back") })
}

// TestWheelAlwaysSetAnew holds that a fire function can not hold Advance for ever.
func TestWheelAlwaysSetAnew(t *testing.T) {
	var w Wheel
	var a Timer
	w.Advance(epoch, nil)
	w.Set(&a, epoch)
	fired := 0
	w.Advance(epoch.Add(time.Second), func(*Timer) {
		fired++
		w.Set(&a, epoch)
	})
	if fired != 100 {
		t.Errorf("fired %d times in a second, want once per 10 ms", fired)
	}
}

func TestWheelDoesNotAllocate(t *testing.T) {
	var w Wheel
	timers := make([]Timer, 1000)
	now := epoch
	fire := func(*Timer) {}
	if n := testing.AllocsPerRun(100, func() {
		for i := range timers {
			w.Set(&timers[i], now.Add(time.Duration(i)*time.Millisecond))
		}
		now = now.Add(700 * time.Millisecond)
		w.Advance(now, fire)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkWheelSetStop(b *testing.B) {
	var w Wheel
	var a Timer
	w.Advance(epoch, nil)
	for i := range b.N {
		w.Set(&a, epoch.Add(time.Duration(i%32000)*time.Millisecond))
	}
}
