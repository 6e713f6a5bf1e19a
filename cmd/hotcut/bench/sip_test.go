//go:build bench

package bench

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

var binary string // the program under test, built once

func TestMain(m *testing.M) {
	if pairs := os.Getenv(forwardEnv); pairs != "" {
		forward(pairs)
	}
	dir, err := os.MkdirTemp("", "hotcut-bench")
	if err != nil {
		panic(err)
	}
	binary = filepath.Join(dir, "hotcut")
	build := exec.Command("go", "build", "-trimpath", "-o", binary, "github.com/hotcut/hotcut/cmd/hotcut")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	build.Stderr = os.Stderr
	code := 1
	if err := build.Run(); err == nil {
		code = m.Run()
	}
	os.RemoveAll(dir)
	os.Exit(code)
}

// TestSIP is the SIP half of `make bench`. The environment changes its size, and what takes part:
//
//	HOTCUT_BENCH_RATE     calls per second (2000)
//	HOTCUT_BENCH_SECONDS  length of a round (30)
//	HOTCUT_BENCH_ROUNDS   rounds (5)
//	HOTCUT_BENCH_MEMORY   concurrent calls of the memory round (20000; 0: none)
//	HOTCUT_BENCH_ONLY     names of those that take part, of direct,kamailio,forwarder,hotcut; the first two always do
//	HOTCUT_BENCH_ALSO     NAME=BINARY,... further builds of hotcut: what a change brings is seen within the same rounds
func TestSIP(t *testing.T) {
	rate, seconds, rounds := number(t, "RATE", 2000), number(t, "SECONDS", 30), number(t, "ROUNDS", 5)
	concurrent := number(t, "MEMORY", 20_000)
	callee, p := startCallee(t), newProber(t)
	forwarder, forwarderProbes := startForwarder(t, callee, p.addr)
	direct, kamailio := &contestant{name: "direct", addr: callee}, startKamailio(t, callee, p.addr)
	hotcut := startHotcut(t, "hotcut", binary, callee, p.addr)
	all := []*contestant{direct, kamailio, forwarder, hotcut}
	for also := range strings.SplitSeq(os.Getenv("HOTCUT_BENCH_ALSO"), ",") {
		if name, path, ok := strings.Cut(also, "="); ok {
			all = append(all, startHotcut(t, name, path, callee, p.addr))
		}
	}
	if only := os.Getenv("HOTCUT_BENCH_ONLY"); only != "" {
		names := append(strings.Split(only, ","), "direct", "kamailio")
		all = slices.DeleteFunc(all, func(c *contestant) bool { return !slices.Contains(names, c.name) })
	}
	probeAt := func(c *contestant) string {
		switch c {
		case direct:
			return p.addr
		case forwarder:
			return forwarderProbes
		}
		return c.addr
	}
	for _, c := range all { // pages touched, connections learnt, heaps grown
		_, wait := startCalls(t, c.addr, max(rate/4, 1), rate, 0)
		wait(time.Minute)
	}
	for n := range rounds {
		for k := range all {
			c := all[(n+k)%len(all)]
			r := c.play(t, rate, seconds, p, probeAt(c))
			c.rounds = append(c.rounds, r)
			t.Logf("round %d %-10s %6.1f us/call, %d calls, %d failed, %d sent again, %d MiB", n+1, c.name, r.cpu, r.calls, r.failed, r.again, r.resident>>20)
		}
	}
	if concurrent > 0 {
		for _, c := range all {
			if c.proc != nil {
				c.hold(t, min(rate, 1000), concurrent)
			}
		}
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%d calls/s of 7 messages, %d rounds of %d s each, %d tenants, %s, %d processors, load of the machine before: %s\n",
		rate, rounds, seconds, tenants, processor(), runtime.NumCPU(), loadBefore)
	table(&b, all)
	if concurrent > 0 {
		for _, c := range all {
			if c.proc != nil {
				fmt.Fprintf(&b, "%s: %d MiB resident with %d calls up, %d failed\n", c.name, c.memory>>20, concurrent, c.failed)
			}
		}
	}
	now := figures{}
	for name, to := range map[string]*contestant{"cpu_hotcut_to_kamailio": kamailio, "cpu_hotcut_to_forwarder": forwarder} {
		if ratio, n := hotcut.ratio(to); n > 0 {
			now[name] = ratio
		}
	}
	if concurrent == 20_000 {
		now["mib_at_20000_calls"] = float64(hotcut.memory >> 20)
	}
	worse := compare(&b, now, readFigures(t, repository(t, "testdata", "bench", "sip.txt")))
	fmt.Print("\n", b.String())
	if len(worse) > 0 {
		fmt.Printf("worse than the figures in testdata/bench/sip.txt by more than %.0f %%: %s\n", 100*tolerance, strings.Join(worse, ", "))
	}
	if l := hotcut.total(); l.failed > 0 || l.calls == 0 {
		t.Errorf("%d calls through hotcut failed, %d succeeded", l.failed, l.calls)
	}
}

// play is one round of one contestant.
func (c *contestant) play(t *testing.T, rate, seconds int, p *prober, probes string) (r round) {
	t.Helper()
	var before int64
	if c.proc != nil {
		before = c.proc.cpu(t)
	}
	stop, done := make(chan struct{}), make(chan struct{})
	_, wait := startCalls(t, c.addr, rate, rate*seconds, 0)
	go func() {
		r.took = p.run(t, probes, stop)
		close(done)
	}()
	r.load = wait(time.Duration(seconds+40) * time.Second)
	if c.proc != nil {
		r.cpu = float64(c.proc.cpu(t)-before) / 1000 / float64(max(r.calls, 1))
		r.resident = c.proc.resident(t)
	}
	close(stop)
	<-done
	return r
}

// hold has many calls up at once, and reads the memory while they are.
func (c *contestant) hold(t *testing.T, rate, calls int) {
	t.Helper()
	up := time.Duration(calls/rate) * time.Second
	_, wait := startCalls(t, c.addr, rate, calls, up+10*time.Second)
	time.Sleep(up + 5*time.Second) // all are up, none has ended
	c.memory = c.proc.resident(t)
	c.failed = wait(up + time.Minute).failed
}

func number(t *testing.T, name string, usual int) int {
	t.Helper()
	s := os.Getenv("HOTCUT_BENCH_" + name)
	if s == "" {
		return usual
	}
	n, err := strconv.Atoi(s)
	if err != nil || n < 0 {
		t.Fatalf("HOTCUT_BENCH_%s: %q is no number", name, s)
	}
	return n
}

var loadBefore = func() string {
	b, _ := os.ReadFile("/proc/loadavg")
	one, _, _ := strings.Cut(string(b), " ")
	return one
}()

func processor() string {
	b, _ := os.ReadFile("/proc/cpuinfo")
	for line := range strings.Lines(string(b)) {
		if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return runtime.GOARCH
}
