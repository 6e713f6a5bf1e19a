package transport

import (
	"testing"
	"time"
)

// A datagram that lies in its socket while the one before is handled has waited that long when it is read. The kernel begins to
// stamp some time after the machine's first socket asked for it; until then a wait counts as none.
func TestWaitedIsWhatTheKernelSaw(t *testing.T) {
	const lies, attempts = 30 * time.Millisecond, 20
	began, release := make(chan struct{}), make(chan struct{})
	waits := make(chan int64, 1)
	tr := start(t, []Spec{udpSpec("127.0.0.1:0")}, Handler{
		Message: func(_ int64, _ Peer, raw []byte, _ *Out) {
			if string(raw) == "one" {
				began <- struct{}{}
				<-release
			}
		},
		Waited: func(_ int64, _ uint16, ns int64) { waits <- ns },
	}, Limits{})
	c := socket(t, "127.0.0.1:0")
	for range attempts {
		send(t, c, tr.Addr(0), "one")
		event(t, waits)
		event(t, began)
		at := time.Now()
		send(t, c, tr.Addr(0), "two")
		<-time.After(lies) // the wait is what is measured
		release <- struct{}{}
		got := time.Duration(event(t, waits))
		if most := time.Since(at); got > most {
			t.Fatalf("it is said to have waited %s, and lay there for %s", got, most)
		}
		if got >= lies*9/10 {
			return
		}
	}
	t.Errorf("nothing that lay there for %s was said to have", lies)
}

// The handler's timers tick on a lane that hears nothing; without UDP there is no lane.
func TestTicks(t *testing.T) {
	ticks := make(chan int64, 100)
	h := Handler{Tick: func(now int64, _ *Out) {
		select {
		case ticks <- now:
		default:
		}
	}}
	tr := start(t, []Spec{udpSpec("127.0.0.1:0")}, h, Limits{})
	if !tr.Ticks() {
		t.Error("a transport with a UDP socket says that it does not tick")
	}
	last := event(t, ticks)
	for range 5 {
		now := event(t, ticks)
		if now-last < int64(TickEvery) {
			t.Errorf("two ticks within %s", time.Duration(now-last))
		}
		last = now
	}
	if tr := start(t, []Spec{tcpSpec("127.0.0.1:0")}, h, Limits{}); tr.Ticks() {
		t.Error("a transport without UDP says that it ticks")
	}
}
