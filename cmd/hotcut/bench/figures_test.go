//go:build bench

package bench

import (
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"text/tabwriter"
	"time"
)

// round is what one contestant did in one round.
type round struct {
	load
	cpu      float64 // microseconds per call that succeeded
	resident int64   // bytes at the round's end
	took     []time.Duration
}

func median(v []float64) float64 {
	if len(v) == 0 {
		return 0
	}
	v = slices.Sorted(slices.Values(v))
	n := len(v) / 2
	if len(v)%2 == 1 {
		return v[n]
	}
	return (v[n-1] + v[n]) / 2
}

// cpuOf is a contestant's median of CPU per call, over the sound rounds if there are any.
func (c *contestant) cpuOf() float64 {
	var sound, all []float64
	for _, r := range c.rounds {
		if all = append(all, r.cpu); r.sound() {
			sound = append(sound, r.cpu)
		}
	}
	if len(sound) == 0 {
		return median(all)
	}
	return median(sound)
}

// sound tells whether a round may be compared (SIPp takes a 100 that a 180 overtook for a failure, hence not none): what failed and was sent again is work that no call stands for, and on a machine
// that others use too one contestant meets more of it than another.
func (r *round) sound() bool { return r.calls > 0 && r.failed*100 <= r.calls }

// ratio is the median of c's CPU per call to that of d in the same round, and over how many rounds: those that were sound for both.
func (c *contestant) ratio(d *contestant) (ratio float64, rounds int) {
	var v []float64
	for i := range min(len(c.rounds), len(d.rounds)) {
		if c.rounds[i].sound() && d.rounds[i].sound() && d.rounds[i].cpu > 0 {
			v = append(v, c.rounds[i].cpu/d.rounds[i].cpu)
		}
	}
	return median(v), len(v)
}

// latency is a quantile of the times on the way, over all rounds.
func (c *contestant) latency(q float64) time.Duration {
	var all []time.Duration
	for _, r := range c.rounds {
		all = append(all, r.took...)
	}
	if len(all) == 0 {
		return 0
	}
	slices.Sort(all)
	return all[min(int(q*float64(len(all))), len(all)-1)]
}

func (c *contestant) total() (l load) {
	for _, r := range c.rounds {
		l.calls, l.failed, l.again = l.calls+r.calls, l.failed+r.failed, l.again+r.again
	}
	return l
}

// table prints what was measured. The first contestant is the baseline of latency: no proxy at all. The ratio is to the second.
func table(w io.Writer, all []*contestant) {
	direct, to := all[0], all[1]
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintf(tw, "\tCPU per call\tcalls per CPU second\tCPU ratio to %s\trounds compared\tresident\tadded latency p50\tp99\tcalls\tfailed\tsent again\n", to.name)
	for _, c := range all {
		l := c.total()
		if c.proc == nil {
			fmt.Fprintf(tw, "%s\t\t\t\t\t\t(%d us)\t(%d us)\t%d\t%d\t%d\n", c.name, c.latency(.5).Microseconds(), c.latency(.99).Microseconds(), l.calls, l.failed, l.again)
			continue
		}
		ratio := "-"
		x, n := c.ratio(to)
		if n > 0 {
			ratio = fmt.Sprintf("%.2f", x)
		}
		memory := c.rounds[len(c.rounds)-1].resident
		fmt.Fprintf(tw, "%s\t%.0f us\t%.0f\t%s\t%d\t%d MiB\t%d us\t%d us\t%d\t%d\t%d\n", c.name, c.cpuOf(), 1e6/max(c.cpuOf(), 1), ratio, n, memory>>20,
			(c.latency(.5) - direct.latency(.5)).Microseconds(), (c.latency(.99) - direct.latency(.99)).Microseconds(), l.calls, l.failed, l.again)
	}
	tw.Flush()
}

// figures are what later runs are compared with, by name: a ratio survives a change of machine, a time does not.
type figures map[string]float64

const tolerance = 0.10

// readFigures reads lines of "NAME VALUE"; what begins with # is a comment.
func readFigures(t *testing.T, file string) figures {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	f := figures{}
	for line := range strings.Lines(string(b)) {
		line, _, _ = strings.Cut(line, "#")
		fields := strings.Fields(line)
		if len(fields) == 0 {
			continue
		}
		if len(fields) != 2 {
			t.Fatalf("%s: not NAME VALUE: %q", file, line)
		}
		if f[fields[0]], err = strconv.ParseFloat(fields[1], 64); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
	}
	return f
}

// compare prints each figure beside the one that is checked in; all are better when smaller. It returns the names of those that are
// worse by more than the tolerance.
func compare(w io.Writer, now, then figures) (worse []string) {
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintf(tw, "figure\tchecked in\tnow\t\n")
	for _, name := range slices.Sorted(func(yield func(string) bool) {
		for n := range now {
			if !yield(n) {
				return
			}
		}
	}) {
		was, known := then[name]
		switch change := now[name]/was - 1; {
		case !known:
			fmt.Fprintf(tw, "%s\t-\t%.3f\tnew\n", name, now[name])
		case change > tolerance:
			worse = append(worse, name)
			fmt.Fprintf(tw, "%s\t%.3f\t%.3f\tREGRESSION %+.0f %%\n", name, was, now[name], 100*change)
		default:
			fmt.Fprintf(tw, "%s\t%.3f\t%.3f\t%+.0f %%\n", name, was, now[name], 100*change)
		}
	}
	tw.Flush()
	return worse
}
