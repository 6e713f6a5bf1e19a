//go:build bench

package proxy

import (
	"context"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime/pprof"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/hotcut/hotcut/proxy/tap"
)

// TestTapCost measures what tapping every call takes of the CPU of a whole edge, sockets, timers and records included: of the
// profile of a process that is also both ends of its calls, the samples under the tap's functions to those under the edge's.
//
//	go test -tags bench -v -run TestTapCost ./proxy
func TestTapCost(t *testing.T) {
	const ends, lasts = 16, 60 * time.Second
	w := newWorld(t, mirroredTenant("acme"))
	l := &w.cfg.Limits
	l.SourceRate, l.SourceBurst, l.ExemptRate, l.ExemptBurst, l.KnownRate, l.KnownBurst = 1e5, 1e5, 1e5, 1e5, 1e6, 1e6
	ring := tap.NewRing(tap.DefaultSlots, tap.DefaultSlotBytes)
	w.tap, w.timed = ring, true
	w.start()
	ctx, stop := context.WithCancel(t.Context())
	taken := make(chan int)
	go func() {
		var ev tap.Event
		var buf []byte
		n, ok := 0, false
		for tick := time.Tick(time.Millisecond); ; {
			if buf, ok = ring.Take(&ev, buf); ok {
				n++
				continue
			}
			select {
			case <-ctx.Done():
				taken <- n
				return
			case <-tick:
			}
		}
	}()
	answering := make(chan struct{})
	go func() { // legacy answers what it is asked
		defer close(answering)
		for {
			select {
			case <-ctx.Done():
				return
			case m := <-w.legacy.got:
				switch {
				case strings.HasPrefix(m.text, "INVITE "):
					w.legacy.reply(m, "180 Ringing", "")
					w.legacy.reply(m, "200 OK", "")
				case strings.HasPrefix(m.text, "BYE "):
					w.legacy.reply(m, "200 OK", "")
				}
			}
		}
	}()
	profile := filepath.Join(t.TempDir(), "cpu")
	f, err := os.Create(profile)
	if err != nil {
		t.Fatal(err)
	}
	if err := pprof.StartCPUProfile(f); err != nil {
		t.Fatal(err)
	}
	end := time.Now().Add(lasts)
	calls := make(chan int)
	for i := range ends {
		p := newPeer(t)
		go func() {
			n := 0
			for ; time.Now().Before(end); n++ {
				c := &call{w: w, by: p, id: "c" + strconv.Itoa(i) + "-" + strconv.Itoa(n), domain: "acme.example", to: "<sip:bob@acme.example>"}
				p.send(w.out, c.request("INVITE", 1, "sip:bob@acme.example", ""))
				for m := range p.got {
					if strings.HasPrefix(m.text, "SIP/2.0 200") && strings.Contains(m.text, "INVITE\r\n") {
						c.answered(m)
						break
					}
				}
				p.send(w.out, c.request("ACK", 1, c.remote, ""))
				p.send(w.out, c.request("BYE", 2, c.remote, ""))
				for m := range p.got {
					if strings.HasPrefix(m.text, "SIP/2.0 200") && strings.Contains(m.text, " BYE\r\n") {
						break
					}
				}
			}
			calls <- n
		}()
	}
	total := 0
	for range ends {
		total += <-calls
	}
	pprof.StopCPUProfile()
	f.Close()
	stop()
	n := <-taken
	<-answering
	full, large := ring.Dropped()
	edge := accounted(t, profile, `proxy/transport\.|proxy\.\(\*Edge\)\.`)
	taps := accounted(t, profile, `proxy\.\(\*shard\)\.(tapPlaced|tapResponse|tapAck|tapRequest|put|tapDone)$`)
	samples := taps * 100 // per second, of the runtime's profiler
	low, high := poisson(samples)
	t.Logf("%d calls, %d messages tapped, %d and %d dropped; the edge took %.0f µs of a call, the tap %.2f: %.2f %%, by %.0f samples (95 %%: %.2f to %.2f %%)",
		total, n, full, large, edge/float64(total)*1e6, taps/float64(total)*1e6, taps/edge*100, samples, low/edge, high/edge)
	if low/edge > 1 {
		t.Errorf("the tap takes more than 1 %% of the edge")
	}
	if n < total*6*9/10 {
		t.Errorf("%d messages of %d calls were tapped", n, total)
	}
}

// poisson is where the mean of a count lies with a probability of 95 % (Byar's approximation).
func poisson(n float64) (low, high float64) {
	bound := func(n, z float64) float64 { return n * math.Pow(1-1/(9*n)+z/(3*math.Sqrt(n)), 3) }
	if n > 0 {
		low = bound(n, -1.96)
	}
	return low, bound(n+1, 1.96)
}

// accounted is how many seconds of a profile were spent under functions of these names.
func accounted(t *testing.T, profile, functions string) float64 {
	t.Helper()
	out, err := exec.Command("go", "tool", "pprof", "-top", "-unit=ms", "-nodefraction=0", "-edgefraction=0", "-nodecount=100000", "-focus="+functions, os.Args[0], profile).Output()
	if err != nil {
		t.Fatal(err)
	}
	m := regexp.MustCompile(`accounting for (\d+)ms`).FindSubmatch(out)
	if m == nil {
		t.Fatalf("no sum in\n%.600s", out)
	}
	ms, _ := strconv.ParseFloat(string(m[1]), 64)
	return ms / 1000
}
