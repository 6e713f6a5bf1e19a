//go:build bench

package bench

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

const (
	overloadStep = 3 * time.Second  // a rate on the way to the peak
	overloadRun  = 10 * time.Second // at twice the peak
)

// TestOverload finds how many calls a second an edge completes on one processor, and what it does at twice that rate: callers and callees
// have the other processor, and repeat what is not answered as RFC 3261 says.
//
//	HOTCUT_BENCH_HOGS  loops that share the edge's processor (1: it has half, so that one processor can make twice the load)
func TestOverload(t *testing.T) {
	if runtime.NumCPU() < 2 {
		t.Skip("the edge and its callers need a processor each")
	}
	hogs := number(t, "HOGS", 1)
	callee, outside := freeAddr(t), freeAddr(t)
	c := startHotcut(t, "hotcut", binary, callee, freeAddr(t), "taskset", "-c", "0")
	for range hogs {
		start(t, t.TempDir(), "hog", nil, "taskset", "-c", "0", "sh", "-c", "while :; do :; done")
	}
	pinned(t, 1)
	g := newCallers(t, netip.MustParseAddrPort(outside), netip.MustParseAddrPort(callee), netip.MustParseAddrPort(c.addr))
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() { defer close(ended); g.transport.Run(ctx) }()
	defer func() { stop(); <-ended }()

	fmt.Printf("\n%8s %12s %10s %8s %8s %10s\n", "calls/s", "completed/s", "refused/s", "silent", "lost", "resident")
	show := func(rate float64, d time.Duration, s callStats) float64 {
		done := float64(s.completed) / d.Seconds()
		fmt.Printf("%8.0f %12.0f %10.0f %8d %8d %6d MiB\n", rate, done, float64(s.refused)/d.Seconds(), s.silent, s.lost, c.proc.resident(t)>>20)
		return done
	}
	g.play(1000, overloadStep) // pages touched, heaps grown
	peak := 0.0
	for rate := 1500.0; rate < 60_000; rate *= 1.25 {
		s := g.play(rate, overloadStep)
		done := show(rate, overloadStep, s)
		if peak = max(peak, done); done < 0.9*rate {
			break
		}
	}
	s := g.play(2*peak, overloadRun)
	done := show(2*peak, overloadRun, s)
	fmt.Printf("at twice the peak of %.0f calls/s: goodput %.2f of it; %d of %d BYEs unanswered; the generator made %.2f of its rate\n",
		peak, done/peak, s.lost, s.byes, float64(s.made)/(2*peak*overloadRun.Seconds()))
	if done < 0.9*peak {
		t.Errorf("goodput %.2f of the peak, want 0.9", done/peak)
	}
	if float64(s.lost) > 0.001*float64(s.byes) {
		t.Errorf("%d of %d BYEs were not answered", s.lost, s.byes)
	}
}

// pinned keeps this process to one processor; what it starts later, too.
func pinned(t *testing.T, cpu int) {
	t.Helper()
	var set unix.CPUSet
	set.Set(cpu)
	tasks, _ := filepath.Glob("/proc/self/task/*")
	for _, task := range tasks {
		tid, err := strconv.Atoi(filepath.Base(task))
		if err == nil {
			err = unix.SchedSetaffinity(tid, &set)
		}
		if err != nil && !os.IsNotExist(err) && err != unix.ESRCH {
			t.Fatal(err)
		}
	}
}
