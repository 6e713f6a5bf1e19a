package media

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"testing"
)

func descriptors(t *testing.T) int {
	t.Helper()
	list, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(list)
}

// 10,000 sessions opened, used and closed leave nothing: no descriptor, goroutine, port, place in a table or line of the
// journal.
func TestNothingIsLeft(t *testing.T) {
	total := 10_000
	if testing.Short() || raceEnabled {
		total = 1_000
	}
	const atOnce = 200
	o := testOptions()
	o.State = t.TempDir()
	o.Threads = 2
	closed := make(chan *Stats, atOnce)
	o.OnEvent = func(ev Event) {
		if ev.Kind == EventClosed {
			closed <- ev.Final
		}
	}
	goroutines := runtime.NumGoroutine()
	e := start(t, o)
	_, a, b := call(t, e, "stays")
	a.to, b.to = a.addr(), b.addr() // both phones are in many calls from here on
	before := descriptors(t)

	for done := 0; done < total; done += atOnce {
		var open []*Session
		for i := range atOnce {
			s, err := e.Open(SessionKey{CallID: fmt.Sprint(done + i)}, Families{})
			if err != nil {
				t.Fatal(err)
			}
			for leg, p := range []*phone{a, b} {
				if err := s.SetRemote(Leg(leg), Remote{RTP: p.addr()}); err != nil {
					t.Fatal(err)
				}
			}
			open = append(open, s)
			a.to = local(s, Outside)
			packet := a.say()
			b.to = local(s, Inside)
			b.hears(packet)
		}
		for _, s := range open {
			s.Close()
		}
		for range open {
			if final := <-closed; final.Legs[Outside].In.Packets != 1 || final.Legs[Inside].Out.Packets != 1 {
				t.Fatalf("%+v", final)
			}
		}
	}

	c := e.Counters()
	if c.Sessions != 1 || c.Opened != uint64(total)+1 || c.EventsLost != 0 || c.JournalErrors != 0 || c.Deaf != 0 {
		t.Errorf("%+v", c)
	}
	for _, p := range c.Ports {
		if p.Free+p.Resting != o.Ports.pairs()-1 {
			t.Errorf("%v: %d pairs free, %d resting, of %d", p.Addr, p.Free, p.Resting, o.Ports.pairs())
		}
	}
	running := goroutines + o.Threads + 4 // Run, its caller, the reporter, the journal
	eventually(t, "descriptors and goroutines are back", func() bool {
		return descriptors(t) <= before && runtime.NumGoroutine() <= running
	})
	e.Close()
	eventually(t, "no goroutine is left", func() bool { return runtime.NumGoroutine() <= goroutines })
	for _, th := range e.threads {
		if th.sessions != 0 || len(th.slots) > 2*atOnce || th.load.Load() != 0 {
			t.Errorf("a thread has %d sessions in %d places", th.sessions, len(th.slots))
		}
	}
	info, err := os.Stat(filepath.Join(o.State, journalName))
	if err != nil {
		t.Fatal(err)
	}
	if most := int64(2*journalSlop+4*atOnce) * 1024; info.Size() > most {
		t.Errorf("the journal has grown to %d bytes", info.Size())
	}
	if left, err := readJournal(filepath.Join(o.State, journalName)); err != nil || len(left) != 1 || left[0].Key.CallID != "stays" {
		t.Errorf("the journal has %d sessions: %v", len(left), err)
	}
}
