package proxy

import (
	"flag"
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hotcut/hotcut/policy"
	"github.com/hotcut/hotcut/proxy/config"
)

var (
	simSeeds = flag.Int("seeds", 60, "how many seeds the simulator runs")
	simSeed  = flag.Uint64("seed", 0, "run this one seed and print its wire trace")
)

// kept are seeds that failed once.
var kept = []uint64{8, 65, 215}

// Every seed is an hour of a small provider: two edges, two platforms, calls that are answered, refused, cancelled and
// hung up from either side, a tenant that goes back and forth, edges that are killed between any two messages, and a
// network that loses, repeats and reorders. What must hold is checked on the wire.
func TestSimulation(t *testing.T) {
	if *simSeed != 0 {
		simulate(t, *simSeed, true)
		return
	}
	var total seen
	steps := 0
	seeds := append([]uint64(nil), kept...)
	for i := range *simSeeds {
		seeds = append(seeds, uint64(i+1))
	}
	for _, seed := range seeds {
		s, n := simulate(t, seed, false)
		steps += n
		total.add(s)
		if t.Failed() {
			t.Fatalf("seed %d; see it with: go test ./proxy -run TestSimulation -seed %d", seed, seed)
		}
	}
	t.Logf("%d seeds, %d steps, met: %+v", len(seeds), steps, total)
	for _, n := range []int{total.lost, total.repeated, total.late, total.dead, total.restarts, total.flips, total.cancels, total.busy, total.calleeByes} {
		if n == 0 {
			t.Errorf("something that the simulator is for never happened: %+v", total)
		}
	}
}

func (s *seen) add(o seen) {
	s.lost += o.lost
	s.repeated += o.repeated
	s.late += o.late
	s.dead += o.dead
	s.restarts += o.restarts
	s.flips += o.flips
	s.cancels += o.cancels
	s.busy += o.busy
	s.calleeByes += o.calleeByes
}

// simCounters are made once: registering the metrics takes longer than a seed.
var simCounters = sync.OnceValue(func() *counters { return newCounters(&Edge{}) })

// simKey makes the tokens of a seed the same in every run.
func simKey() config.KeyRing {
	ring := config.KeyRing{{ID: "sim"}}
	copy(ring[0].Secret[:], "the simulator's key: 32 bytes ok")
	return ring
}

func simulate(t *testing.T, seed uint64, loud bool) (seen, int) {
	n := newNetwork(t, seed)
	legacy := newSwitch(n, "legacy", "10.1.0.1:5060")
	core := newSwitch(n, "core", "10.2.0.1:5060")
	phone := newPhone(n, "192.0.2.99:5060")
	legacy.busy, core.busy = 200, 200
	counters := simCounters()

	snap := func(stage policy.Stage, rev uint64) *policy.Snapshot {
		x := &policy.Tenant{ID: "acme", Domains: []string{"acme.example"}, Stage: stage, Salt: "00112233445566778899aabbccddeeff", HashVer: 1}
		s, err := policy.NewSnapshot(policy.Head{Epoch: "e", Rev: rev}, policy.Globals{Default: "legacy", Halt: policy.HaltNone}, []*policy.Tenant{x})
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	var edges []*simEdge
	for i := range 2 {
		x := &simEdge{n: n, name: fmt.Sprintf("edge-%d", i+1), dir: t.TempDir(), ring: simKey(), counters: counters,
			out:    netip.AddrPortFrom(netip.AddrFrom4([4]byte{203, 0, 113, byte(i + 1)}), 5060),
			in:     netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 9, 0, byte(i + 1)}), 5070),
			policy: snap(policy.StageLegacy, 1), targets: [2][]netip.AddrPort{{legacy.addr}, {core.addr}}}
		x.start()
		edges = append(edges, x)
	}

	// The weather of this seed.
	n.faults = faults{loss: n.rng.IntN(60), dup: n.rng.IntN(60), late: n.rng.IntN(60)}
	kills := n.rng.IntN(8)
	if n.chance(500) {
		kills = 0
	}
	if kills > 0 {
		// What a dead edge misses is loss enough: a forwarded INVITE that is lost, and our 100 that is not, and then kill -9
		// leave a caller who waits and an edge that knows nothing. Nothing without stable storage of messages can mend that.
		n.faults.loss = 0
	}
	const span = time.Minute
	for rev := uint64(2); rev < 2+uint64(n.rng.IntN(20)); rev++ {
		stage := []policy.Stage{policy.StageLegacy, policy.StageCore}[rev%2]
		at := n.between(0, span)
		for _, x := range edges {
			n.after(at+n.between(0, 300*time.Millisecond), func() { x.policy = snap(stage, rev) })
		}
		n.seen.flips++
	}
	for range kills {
		x := edges[n.rng.IntN(len(edges))]
		n.after(n.between(0, span), func() {
			if x.edge == nil {
				return
			}
			n.seen.restarts++
			x.kill()
			n.after(n.between(10*time.Millisecond, 4*time.Second), x.start)
		})
	}
	calls := 20 + n.rng.IntN(30)
	for i := range calls {
		c := phone.call(fmt.Sprintf("c%d", i), edges[n.rng.IntN(len(edges))].out)
		c.talk = n.between(0, 20*time.Second)
		if n.chance(250) {
			c.cancelAt = n.between(0, 4*time.Second)
		}
		c.calleeEnd = n.chance(300)
		n.after(n.between(0, span), c.start)
	}
	calleeEnds := func(s *simSwitch) {
		receive := n.nodes[s.addr]
		n.nodes[s.addr] = func(from netip.AddrPort, raw []byte) {
			receive(from, raw)
			for id, legs := range s.byCall {
				for _, l := range legs {
					l.calleeEnd = phone.calls[id].calleeEnd
				}
			}
		}
	}
	calleeEnds(legacy)
	calleeEnds(core)

	end := n.now + int64(span+3*time.Minute)
	steps := n.run(end)
	// Five minutes later everything that can be freed is freed.
	steps += n.run(end + int64(5*time.Minute))
	judge(n, phone, legacy, core, edges)
	if loud || t.Failed() {
		from := max(0, len(n.trace)-4000)
		t.Logf("faults %+v, kills %d\n%s", n.faults, kills, strings.Join(n.trace[from:], "\n"))
	}
	for _, x := range edges {
		x.kill()
	}
	return n.seen, steps
}

// judge holds the wire against what must hold.
func judge(n *network, phone *simPhone, legacy, core *simSwitch, edges []*simEdge) {
	t := n.t
	for _, c := range phone.order {
		l, k := legacy.byCall[c.id], core.byCall[c.id]
		if len(l)+len(k) > 1 {
			t.Errorf("%s: %d INVITE transactions on legacy, %d on core", c.id, len(l), len(k))
		}
		if len(c.finals) > 1 {
			t.Errorf("%s: several non-2xx finals: %v", c.id, c.finals)
		}
		if c.code == 0 {
			t.Errorf("%s: the INVITE never ended (timed out %t, ringing %t)", c.id, c.timedOut, c.rang)
		}
		if len(c.tags) > 1 {
			t.Errorf("%s: answers of several callees: %v", c.id, c.tags)
		}
		if c.code == 200 && !c.gotBye && c.byeCode != 200 {
			t.Errorf("%s: answered, but BYE (sent %t) got %d", c.id, c.byeSent, c.byeCode)
		}
		for _, leg := range append(l, k...) {
			if leg.code != 0 && !leg.acked {
				t.Errorf("%s: the %d on %s was never acknowledged", c.id, leg.code, leg.s.platform)
			}
			if leg.code == 200 && c.code == 200 && !leg.ended {
				t.Errorf("%s: the call on %s never ended", c.id, leg.s.platform)
			}
		}
	}
	for _, x := range edges {
		if x.edge == nil {
			t.Errorf("%s is dead at the end", x.name)
			continue
		}
		x.check()
		requests, branches, timers, dialogs := x.left()
		if requests+branches != 0 || timers > dialogs {
			t.Errorf("%s still holds %d requests, %d branches, %d timers, %d dialogs", x.name, requests, branches, timers, dialogs)
		}
	}
}
