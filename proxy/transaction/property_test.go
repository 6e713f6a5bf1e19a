package transaction

import (
	"math/rand/v2"
	"testing"
	"time"
)

// TestRandomLives gives machines random events in random order and holds what
// their owner relies on, whatever peers send.
func TestRandomLives(t *testing.T) {
	timers := DefaultTimers()
	for seed := range uint64(20_000) {
		r := rand.New(rand.NewPCG(seed, 17))
		kind := InviteServer + Kind(seed%4)
		var m Machine
		now := epoch
		var finals, nonFinal2xx, ends, failures int
		note := func(ev Event, do Do) {
			if ends > 0 && do != 0 {
				t.Fatalf("seed %d: %v says %v after its end", seed, ev, do)
			}
			if do&DoEnd != 0 {
				ends++
			}
			if (do&DoEnd != 0) != (m.State() == Terminated && ends == 1 && do != 0) {
				t.Fatalf("seed %d: %v says %v in %v", seed, ev, do, m.State())
			}
			if do&DoTimeout != 0 && do&DoEnd == 0 {
				t.Fatalf("seed %d: %v says %v", seed, ev, do)
			}
			switch kind {
			case InviteClient, Client:
				if do&DoError != 0 && do&DoEnd == 0 {
					t.Fatalf("seed %d: %v says %v", seed, ev, do)
				}
				if do&(DoError|DoTimeout) != 0 {
					failures++
				}
				if do&DoPass != 0 && ev == RecvFinal {
					nonFinal2xx++
				}
				if do&DoPass != 0 && (ev == Recv2xx || ev == RecvFinal) {
					finals++
				}
			default:
				if do&DoSend != 0 && ev == SendFinal {
					nonFinal2xx++
				}
			}
			if m.State() == Terminated && m.Next() != 0 {
				t.Fatalf("seed %d: a terminated machine has a deadline", seed)
			}
		}
		note(0, m.Init(kind, r.IntN(2) == 0, &timers, now))
		for range r.IntN(40) {
			if r.IntN(2) == 0 {
				now = now.Add(time.Duration(r.Int64N(int64(8 * time.Second))))
			} else if n := m.Next(); n != 0 {
				now = max(now, n)
			}
			ev := Retransmission + Event(r.IntN(int(TimerFired)))
			do := m.Step(ev, now)
			note(ev, do)
			if ev == TimerFired && m.Next() != 0 && m.Next() <= now {
				t.Fatalf("seed %d: a deadline of %v is left at %v", seed, m.Next(), now)
			}
		}
		// Left alone, it ends, but for an INVITE server that nobody answers.
		if kind == InviteServer && m.State() == Proceeding {
			note(SendFinal, m.Step(SendFinal, now))
		}
		start := now
		for steps := 0; m.State() != Terminated; steps++ {
			n := m.Next()
			if n == 0 || steps > 30 {
				t.Fatalf("seed %d: %v in %v never ends", seed, kind, m.State())
			}
			now = max(now, n)
			note(TimerFired, m.Step(TimerFired, now))
		}
		if most := timers.C + 64*timers.T1 + timers.D; now.Sub(start) > most {
			t.Fatalf("seed %d: %v has lived %v after its last event", seed, kind, now.Sub(start))
		}
		if ends != 1 || nonFinal2xx > 1 {
			t.Fatalf("seed %d: %v: %d ends, %d finals other than 2xx", seed, kind, ends, nonFinal2xx)
		}
		if (kind == InviteClient || kind == Client) && (failures > 1 || (failures == 1) == (finals > 0)) {
			t.Fatalf("seed %d: %v: %d failures, %d finals", seed, kind, failures, finals)
		}
	}
}
