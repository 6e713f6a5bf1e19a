package proxy

import (
	"bufio"
	"flag"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

var (
	simSeeds = flag.Int("seeds", 60, "how many seeds the simulator runs")
	simFirst = flag.Uint64("first", 1, "the first of them")
	simSeed  = flag.Uint64("seed", 0, "run this one seed and print its wire trace")
)

// simCounters are made once: registering the metrics takes longer than a seed.
var simCounters = sync.OnceValue(func() *counters { return newCounters(&Edge{}) })

// simRun is what became of a seed.
type simRun struct {
	seed    uint64
	steps   int
	hash    uint64
	faults  []string
	trace   []traced
	weather string
	met     met
}

// simulate runs one seed.
func (b *simBench) simulate(seed uint64) (r simRun) {
	r.seed = seed
	n := newNetwork(nil, seed)
	n.fail = func(format string, args ...any) {
		if len(r.faults) < 20 {
			r.faults = append(r.faults, fmt.Sprintf("%.3f ", float64(n.now-simEpoch)/1e9)+fmt.Sprintf(format, args...))
		}
	}
	w := b.world(n)
	w.forecast(seed)
	w.operators()
	w.live()
	n.run(simEpoch + int64(simSpan))
	w.quiet = true
	n.run(simEpoch + int64(simSpan+simSettle))
	w.verdict()
	w.night, n.faults, n.cuts = true, faults{}, nil
	n.run(simEpoch + int64(simNight))
	w.left()
	for i, x := range w.edges {
		x.kill()
		b.spare[i] = x.spare
		os.RemoveAll(x.dir)
	}
	r.steps, r.hash, r.trace, r.weather, r.met = n.steps, n.hash, n.trace, w.weather, n.met
	return r
}

func (r *simRun) report(t *testing.T, lines int) {
	var b strings.Builder
	for _, x := range r.trace[max(0, len(r.trace)-lines):] {
		fmt.Fprintln(&b, x.String())
	}
	t.Logf("seed %d (%s), %d steps, hash %x\n%s", r.seed, r.weather, r.steps, r.hash, b.String())
	for _, f := range r.faults {
		t.Errorf("seed %d (%s): %s", r.seed, r.weather, f)
	}
}

// keptSeeds are those that failed once: testdata/sim/seeds.txt has one a line, and why.
func keptSeeds(t *testing.T) (list []uint64) {
	f, err := os.Open("testdata/sim/seeds.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for sc := bufio.NewScanner(f); sc.Scan(); {
		word, why, _ := strings.Cut(strings.TrimSpace(sc.Text()), " ")
		if word == "" || word == "#" {
			continue
		}
		seed, err := strconv.ParseUint(word, 10, 64)
		if err != nil || strings.TrimSpace(why) == "" {
			t.Fatalf("testdata/sim/seeds.txt: %q is not a seed and why it is kept", sc.Text())
		}
		list = append(list, seed)
	}
	return list
}

// Every seed is a minute of a small provider: two edges, two platforms of two nodes, phones behind NATs and connections that
// register, call and are called, operators who change their minds, edges that are killed between any two messages, a network
// that loses, repeats, reorders and is cut, and people who keep to no rule. What must hold is checked on the wire.
//
// More of it: go test ./proxy -run TestSimulation -seeds 10000. One seed with its trace: -seed N.
func TestSimulation(t *testing.T) {
	if *simSeed != 0 {
		b, err := newSimBench()
		if err != nil {
			t.Fatal(err)
		}
		defer b.close()
		r := b.simulate(*simSeed)
		r.report(t, 1<<20)
		return
	}
	seeds := keptSeeds(t)
	for i := range *simSeeds {
		seeds = append(seeds, *simFirst+uint64(i))
	}
	defer debug.SetGCPercent(debug.SetGCPercent(400))
	began := time.Now()
	var (
		next  atomic.Int64
		group sync.WaitGroup
		mu    sync.Mutex // guards what follows
		total met
		steps int
		least = 1 << 30
		wrong []simRun
	)
	for range runtime.GOMAXPROCS(0) {
		b, err := newSimBench()
		if err != nil {
			t.Fatal(err)
		}
		defer b.close()
		group.Go(func() {
			for {
				i := int(next.Add(1)) - 1
				if i >= len(seeds) {
					return
				}
				r := b.simulate(seeds[i])
				mu.Lock()
				steps += r.steps
				least = min(least, r.steps)
				total.add(&r.met)
				if len(r.faults) > 0 {
					if wrong = append(wrong, r); len(wrong) >= 20 {
						next.Store(1 << 40)
					}
				}
				mu.Unlock()
			}
		})
	}
	group.Wait()
	t.Logf("%d seeds, %d steps (the least %d) in %s, met:\n%s", len(seeds), steps, least, time.Since(began).Round(time.Millisecond), &total)
	for i := range wrong {
		r := &wrong[i]
		t.Errorf("seed %d (%s) failed: %s\nsee it with: go test ./proxy -count 1 -run 'TestSimulation$' -v -seed %d", r.seed, r.weather, strings.Join(r.faults, "\n\t"), r.seed)
	}
	if len(wrong) > 0 {
		return
	}
	if least < 500 {
		t.Errorf("a seed had %d steps: that is not much of a minute", least)
	}
	if list := total.missing(); len(list) > 0 {
		t.Errorf("what the simulator is for and never happened: %s", strings.Join(list, ", "))
	}
}

// A seed that fails must fail again: the same seed has the same wire, to the bit.
func TestSimulationReplays(t *testing.T) {
	b, err := newSimBench()
	if err != nil {
		t.Fatal(err)
	}
	defer b.close()
	for seed := range uint64(12) {
		one, two := b.simulate(seed+1), b.simulate(seed+1)
		if one.hash == two.hash && one.steps == two.steps {
			continue
		}
		for i := range one.trace {
			if i >= len(two.trace) || one.trace[i].String() != two.trace[i].String() || string(one.trace[i].msg) != string(two.trace[i].msg) {
				t.Errorf("seed %d (%s) is not the same twice:\n%s\n%s", seed+1, one.weather, one.trace[i].String(), two.trace[min(i, len(two.trace)-1)].String())
				break
			}
		}
		if !t.Failed() {
			t.Errorf("seed %d (%s): %d steps, then %d", seed+1, one.weather, one.steps, two.steps)
		}
	}
}
