//go:build bench

package bench

import (
	"fmt"
	"io"
	"math"
	"net/http"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"text/tabwriter"
	"time"

	"github.com/hotcut/hotcut/policy"
)

// TestShadow is the part of `make bench` that asks whether live calls feel that they are copied. One edge, under calls all the time, with
// the prober's INVITEs among them; in each round, in turns, without copies, without once more, and with a copy of every call to
// a dark core. What the edge adds to an INVITE's way is compared in each round: the second phase without copies to the first, and the phase
// with copies to the first. The environment changes its size:
//
//	HOTCUT_BENCH_SHADOW_RATE     calls per second (200), beside 200 of the prober
//	HOTCUT_BENCH_SHADOW_SECONDS  length of a phase (4)
//	HOTCUT_BENCH_SHADOW_ROUNDS   rounds (10)
func TestShadow(t *testing.T) {
	rate, seconds, rounds := number(t, "SHADOW_RATE", 200), number(t, "SHADOW_SECONDS", 4), number(t, "SHADOW_ROUNDS", 10)
	callee, p := startCallee(t), newProber(t)
	p.every = 5 * time.Millisecond
	s := site{policy: provider(t, policy.StageLegacy, policy.Pools{Legacy: "probe"}),
		listeners: fmt.Sprintf("  - {name: sink, side: shadow, transport: udp, address: %q}\n", freeAddr(t)),
		platforms: fmt.Sprintf(`  legacy: {targets: [{name: l1, uri: "sip:%s"}, {name: l2, uri: "sip:%s", pool: probe}], sources: ["%[1]s", "%[2]s"]}
  core: {targets: [{name: c1, uri: "sip:%[3]s"}], sources: ["%[3]s"], dark: [{name: d1, uri: "sip:%[4]s", build: "1", sources: ["%[4]s"]}]}
`, callee, p.addr, freeAddr(t), startCallee(t))}
	edge := s.start(t, "hotcut", binary)
	calls := rate * (rounds*4*(seconds+10) + 60) // more than there is time for
	load, wait := startCalls(t, edge.addr, rate, calls, 0)

	mirrored := func() float64 { return s.metric(t, "hotcut_shadow_mirrored_total") }
	probe := func(at string) latencies {
		stop, done := make(chan struct{}), make(chan []time.Duration)
		go func() { done <- p.run(t, at, stop) }()
		time.Sleep(time.Duration(seconds) * time.Second) // a phase lasts so long
		close(stop)
		return latencyOf(<-done)
	}
	rows := make([][phases]latencies, rounds)
	for n := range rounds {
		for k := range phases {
			phase := (n + k) % phases
			at := edge.addr
			switch phase {
			case direct:
				at = p.addr
			case on:
				for _, id := range []string{"acme", "probe"} {
					s.hotcut("shadow", "start", id, "--yes", "--wait", "10s")
				}
			}
			before := mirrored()
			if phase == on {
				await(t, 60*time.Second, "calls to be copied", func() bool {
					if at := s.series(t, "hotcut_shadow_stopped"); len(at) > 0 {
						t.Fatalf("the mirror has stopped:\n%s", edge.proc.said())
					}
					return mirrored() > before+float64(rate)
				})
				before = mirrored()
			}
			rows[n][phase] = probe(at)
			copies := mirrored() - before
			if phase == on {
				if least := float64(seconds*rate) / 2; copies < least {
					t.Errorf("round %d: %.0f calls were copied, at least %.0f should be", n+1, copies, least)
				}
				s.hotcut("shadow", "stop", "--yes", "--wait", "10s")
				for last := -1.0; mirrored() != last; time.Sleep(1500 * time.Millisecond) { // the count is a second old at most
					last = mirrored()
				}
			} else if copies > 0 {
				t.Errorf("round %d: %.0f calls were copied in a phase without copies", n+1, copies)
			}
		}
		r := &rows[n]
		t.Logf("round %2d, added µs p50/p99 (of n): off %s, off %s, on %s", n+1, r[off].beyond(r[direct]), r[again].beyond(r[direct]), r[on].beyond(r[direct]))
	}
	dropped := s.series(t, "hotcut_shadow_dropped_total")
	load.kill()
	l := wait(time.Second)
	fmt.Printf("\nlatency on against off: %d calls/s and %.0f of the prober, %d rounds of %d s each phase, %s, %d processors, load of the machine before: %s\n",
		rate, 1/p.every.Seconds(), rounds, seconds, processor(), runtime.NumCPU(), loadBefore)
	judge(os.Stdout, rows)
	fmt.Printf("%d calls ended, %d failed; %.0f copied; what the mirror let go: %v\n", l.calls, l.failed, mirrored(), dropped)
	if l.calls == 0 {
		t.Error("no call went through")
	}
}

// The phases of a round.
const (
	direct = iota // no edge
	off
	again // off once more
	on
	phases
)

// latencies are those of one phase.
type latencies struct {
	p50, p99 time.Duration
	n        int
}

func latencyOf(took []time.Duration) latencies {
	c := contestant{rounds: []round{{took: took}}}
	return latencies{c.latency(.5), c.latency(.99), len(took)}
}

// beyond is what is added to a way without an edge.
func (l latencies) beyond(direct latencies) string {
	return fmt.Sprintf("%d/%d (%d)", (l.p50 - direct.p50).Microseconds(), (l.p99 - direct.p99).Microseconds(), l.n)
}

// judge says for each quantile whether what copies change lies in what changes without them. Each round has a difference between its two
// phases without copies, and one between that with copies and the first of those; the latter's median is to lie in the interval that holds
// 95 % of the former's medians. Which of two equal phases came first means nothing, so those medians are of all choices of signs.
func judge(w io.Writer, rows [][phases]latencies) {
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintf(tw, "added latency\toff\ton\ton to off\tmedian of on-off\tof off-off, 95 %%\tinside\tsingle rounds, off-off\ton-off\n")
	for _, q := range []struct {
		name string
		of   func(latencies) time.Duration
	}{{"p50", func(l latencies) time.Duration { return l.p50 }}, {"p99", func(l latencies) time.Duration { return l.p99 }}} {
		var offs, ons, between, with []float64
		for _, r := range rows {
			us := func(phase int) float64 { return float64(q.of(r[phase])-q.of(r[direct])) / 1e3 }
			offs, ons = append(offs, us(off), us(again)), append(ons, us(on))
			between, with = append(between, us(again)-us(off)), append(with, us(on)-us(off))
		}
		half, more, inside := chance(between), median(with), "yes"
		switch {
		case more > half:
			inside = "NO"
		case more < -half:
			inside = "less" // a processor that is busy wakes up sooner
		}
		fmt.Fprintf(tw, "%s\t%.0f us\t%.0f us\t%.2f\t%+.0f us\t%+.0f to %+.0f us\t%s\t%+.0f to %+.0f us\t%+.0f to %+.0f us\n", q.name, median(offs), median(ons),
			median(ons)/median(offs), more, -half, half, inside, slices.Min(between), slices.Max(between), slices.Min(with), slices.Max(with))
	}
	tw.Flush()
}

// chance is how far from 0 the median of these differences is in 95 % of all choices of their signs. More than 16 are too many to try:
// the first 16 count.
func chance(differences []float64) float64 {
	n := min(len(differences), 16)
	medians, v := make([]float64, 0, 1<<n), make([]float64, n)
	for signs := range 1 << n {
		for i, d := range differences[:n] {
			if v[i] = d; signs>>i&1 == 1 {
				v[i] = -d
			}
		}
		medians = append(medians, math.Abs(median(v)))
	}
	slices.Sort(medians)
	return medians[min(len(medians)*95/100, len(medians)-1)]
}

// metric is the sum of a metric's series.
func (s *site) metric(t *testing.T, name string) (sum float64) {
	t.Helper()
	for _, n := range s.series(t, name) {
		sum += n
	}
	return sum
}

// series are those of a metric that are not 0, by their labels as they are written.
func (s *site) series(t *testing.T, name string) map[string]float64 {
	t.Helper()
	resp, err := http.Get("http://" + s.metrics + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]float64{}
	for line := range strings.Lines(string(text)) {
		rest, ok := strings.CutPrefix(line, name)
		if !ok || rest[0] != ' ' && rest[0] != '{' {
			continue
		}
		at := strings.LastIndexByte(rest, ' ')
		n, err := strconv.ParseFloat(strings.TrimSpace(rest[at:]), 64)
		if err != nil {
			t.Fatalf("metric %q", line)
		}
		if n != 0 {
			all[rest[:at]] = n
		}
	}
	return all
}
