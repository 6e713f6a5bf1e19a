package proxy

import (
	"fmt"
	"net/netip"
	"os"
	"time"

	"github.com/hotcut/hotcut/policy"
	"github.com/hotcut/hotcut/proxy/callrecord"
	"github.com/hotcut/hotcut/proxy/config"
	"github.com/hotcut/hotcut/proxy/transport"
)

// simWorld is what one seed makes: a minute of a small provider, and what it takes until all of it has ended.
type simWorld struct {
	policies  []simPolicy
	n         *network
	edges     []*simEdge
	platforms [3]*simPlatform // by policy.Platform
	phones    []*simPhone
	judge     *simJudge
	redis     *simRedis
	calls     []*simCall
	order     []*simLeg // callees', in order of birth
	endsCall  map[string]bool
	spoiled   map[string]bool // Call-IDs of which nothing is expected
	reinvited map[*simLeg][]*simServer
	serial    int
	storm     bool // what is lost may be lost for good: only what is never allowed is judged
	kills     bool
	quiet     bool // the minute is over: nobody begins anything
	night     bool // and everything has ended that was said to
	weather   string
}

// simBench is what the seeds of one goroutine share: memory and files are made once.
type simBench struct {
	dir      string
	counters *counters
	records  [2]*callrecord.Log
	spare    [2]*Edge
	runs     int
	policies []simPolicy
	tap      Tap // of all edges; nil: none
	heard    func(now int64, msg []byte)
}

func newSimBench() (*simBench, error) {
	parent := ""
	if st, err := os.Stat("/dev/shm"); err == nil && st.IsDir() {
		parent = "/dev/shm"
	}
	dir, err := os.MkdirTemp(parent, "hotcut-sim-")
	if err != nil {
		return nil, err
	}
	b := &simBench{dir: dir, counters: simCounters(), policies: simPolicies()}
	for i := range b.records {
		if b.records[i], err = callrecord.Open(fmt.Sprintf("%s/calls%d", dir, i), 1<<20, 256); err != nil {
			return nil, err
		}
	}
	return b, nil
}

func (b *simBench) close() { os.RemoveAll(b.dir) }

const simSpan = time.Minute

func (b *simBench) world(n *network) *simWorld {
	w := &simWorld{n: n, endsCall: map[string]bool{}, spoiled: map[string]bool{}, reinvited: map[*simLeg][]*simServer{}}
	w.redis = newSimRedis(w)
	w.judge = newSimJudge(w)
	var streams [2][]int
	for p := range streams {
		if n.chance(500) {
			streams[p] = []int{1}
		}
	}
	for p := policy.Legacy; p <= policy.Core; p++ {
		w.platforms[p] = newSimPlatform(w, p, 2, streams[p-1])
		w.platforms[p].p.wrong = 60
	}
	b.runs++
	all := b.policies
	w.policies = all
	for i := range 2 {
		dir := fmt.Sprintf("%s/%d-%d", b.dir, b.runs, i)
		if err := os.Mkdir(dir, 0o700); err != nil {
			panic(err)
		}
		x := &simEdge{n: n, name: fmt.Sprintf("edge-%d", i+1), dir: dir, ring: simKey(), counters: b.counters, policy: all[0].snap, full: true,
			spare: b.spare[i], records: b.records[i], streams: streams,
			out: netip.AddrPortFrom(netip.AddrFrom4([4]byte{203, 0, 113, byte(i + 1)}), 5060),
			in:  netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 9, 0, byte(i + 1)}), 5070)}
		for p := policy.Legacy; p <= policy.Core; p++ {
			for _, a := range w.platforms[p].nodes {
				x.targets[p-1] = append(x.targets[p-1], a.addr)
			}
		}
		w.edges = append(w.edges, x)
	}
	for i, x := range w.edges {
		x.sharing = w.redis.share(x)
		x.tap = b.tap
		x.heard = func(from transport.Peer, msg []byte) {
			if b.heard != nil {
				b.heard(n.now, msg)
			}
			w.judge.heard(i, x, from, msg)
		}
		x.said = func(to transport.Peer, msg []byte) { w.judge.said(i, x, to, msg) }
		x.stepped = func(uint32) {
			w.judge.stepped(i, x)
			n.met.looks(x.edge)
			w.redis.publish(x)
		}
		w.boot(x)
		w.upkeep(x)
	}
	for i := range 6 {
		domain := "acme.example"
		ph := newSimPhone(w, i, fmt.Sprintf("user%d", i%4), domain, w.edges[n.rng.IntN(2)], n.chance(400))
		ph.p.wrong = 40
		ph.a.short = n.chance(150)
		w.phones = append(w.phones, ph)
	}
	return w
}

// boot starts an edge, as it comes up after a crash, too: it knows the others, and what Redis has.
func (w *simWorld) boot(x *simEdge) {
	x.start()
	var nodes []policy.NodeState
	for _, y := range w.edges {
		nodes = append(nodes, policy.NodeState{Edge: y.name, Inside: []string{"udp:" + y.in.String(), "tcp:" + y.in.String()}})
	}
	x.edge.fleet.update(nodes, x.name)
	x.edge.revSince.Store(w.n.now - int64(time.Minute))
	w.redis.catchUp(x)
}

// upkeep is what an edge's goroutines do from time to time.
func (w *simWorld) upkeep(x *simEdge) {
	every := 200 * time.Millisecond
	switch {
	case w.night:
		every = time.Hour
	case w.quiet:
		every = 5 * time.Second
	}
	w.n.after(every, func() {
		w.upkeep(x)
		if x.edge == nil {
			return
		}
		out := x.capture()
		x.edge.keeper.tick(w.n.now, out)
		if !w.quiet {
			x.edge.probes.tick(w.n.now, out)
		}
		x.edge.location.Sweep(time.Unix(0, w.n.now))
		x.after()
	})
}

// weather decides what kind of minute it is.
func (w *simWorld) forecast(seed uint64) {
	n := w.n
	someLoss := func(most int) faults {
		return faults{loss: n.rng.IntN(most), dup: n.rng.IntN(most), late: n.rng.IntN(most)}
	}
	switch seed % 6 {
	case 0:
		w.weather = "calm"
	case 1:
		w.weather = "loss"
		n.faults = someLoss(60)
	case 2:
		// What a dead edge misses is loss enough: a forwarded INVITE that is lost, and our 100 that is not, and then kill -9
		// leave a caller who waits and an edge that knows nothing. Nothing without stable storage of messages can mend that.
		w.weather, w.kills = "kills", true
		n.faults = faults{dup: n.rng.IntN(60), late: n.rng.IntN(60)}
		w.killing(1 + n.rng.IntN(7))
	case 3:
		w.weather, w.storm = "partitions", true
		n.faults = someLoss(20)
		w.partitions(1 + n.rng.IntN(4))
	case 4:
		w.weather, w.storm = "streams break", true
		w.breaking(5 + n.rng.IntN(20))
	case 5:
		w.weather, w.storm, w.kills = "storm", true, true
		n.faults = someLoss(80)
		w.killing(n.rng.IntN(5))
		w.partitions(n.rng.IntN(3))
		w.breaking(n.rng.IntN(10))
	}
}

func (w *simWorld) killing(k int) {
	n := w.n
	for range k {
		x := w.edges[n.rng.IntN(len(w.edges))]
		n.after(n.between(0, simSpan), func() {
			if x.edge == nil {
				return
			}
			n.met.fault(faultKilled)
			x.kill()
			n.after(n.between(10*time.Millisecond, 4*time.Second), func() { w.boot(x); x.after() })
		})
	}
}

// partitions cut the world in two, one way or both.
func (w *simWorld) partitions(k int) {
	n := w.n
	net := func(a, b byte) func(netip.Addr) bool {
		return func(x netip.Addr) bool { y := x.As4(); return y[0] == a && (b == 0 || y[1] == b) }
	}
	groups := []func(netip.Addr) bool{net(198, 0), net(10, 1), net(10, 2), net(10, 9), net(203, 0)}
	for range k {
		from, to, both := groups[n.rng.IntN(len(groups))], groups[n.rng.IntN(len(groups))], n.chance(500)
		if n.chance(300) { // one edge alone
			ip := w.edges[n.rng.IntN(2)].in.Addr()
			from = func(x netip.Addr) bool { return x == ip }
			to = net(10, 0)
		}
		d := n.between(100*time.Millisecond, 12*time.Second)
		n.after(n.between(0, simSpan), func() {
			n.partition(from, to, d)
			if both {
				n.partition(to, from, d)
			}
		})
	}
}

// breaking ends connections under way.
func (w *simWorld) breaking(k int) {
	n := w.n
	for range k {
		n.after(n.between(0, simSpan), func() {
			x := w.edges[n.rng.IntN(2)]
			if x.edge == nil || x.serial == 0 {
				return
			}
			c := x.conns[1+n.rng.Uint64N(x.serial)]
			switch {
			case c == nil:
			case n.chance(500):
				n.met.fault(faultHalfClose)
				c.stream.finish(n.rng.IntN(2))
			default:
				n.met.fault(faultReset)
				c.stream.reset()
			}
		})
	}
}

// operators change the policy, each edge learning of it in its own time.
func (w *simWorld) operators() {
	n, all := w.n, w.policies
	for range n.rng.IntN(12) {
		p := &all[n.rng.IntN(len(all))]
		at := n.between(0, simSpan)
		for _, x := range w.edges {
			n.after(at+n.between(0, 300*time.Millisecond), func() {
				x.policy = p.snap
				if x.edge != nil {
					x.edge.revSince.Store(n.now)
				}
			})
		}
		n.met.fault(p.kind)
	}
	if n.chance(200) {
		x := w.edges[n.rng.IntN(2)]
		n.after(n.between(0, simSpan), func() {
			if x.edge == nil {
				return
			}
			n.met.fault(faultDrain)
			x.edge.draining.Store(true)
			n.after(n.between(time.Second, 5*time.Second), func() {
				if x.edge != nil {
					x.edge.draining.Store(false)
				}
			})
		})
	}
	if n.chance(300) {
		n.after(n.between(0, simSpan), func() { w.redis.leave(n.between(time.Second, 20*time.Second)) })
	}
}

// live is what people do in that minute.
func (w *simWorld) live() {
	n := w.n
	for _, ph := range w.phones {
		n.after(n.between(0, 2*time.Second), func() { ph.register(ph.asks()) })
		if n.chance(300) {
			n.after(n.between(5*time.Second, simSpan), func() { ph.register(0) })
		}
		if !ph.a.tcp && n.chance(300) {
			n.after(n.between(5*time.Second, simSpan), ph.rebind)
		}
		if n.chance(500) {
			n.after(n.between(2*time.Second, simSpan/2), ph.subscribe)
		}
	}
	for i := range 12 + n.rng.IntN(12) {
		ph := w.phones[n.rng.IntN(len(w.phones))]
		n.after(n.between(0, simSpan), func() { w.dial(ph, i) })
	}
	for range 4 {
		ph := w.phones[n.rng.IntN(len(w.phones))]
		n.after(n.between(0, simSpan), func() {
			i := n.rng.IntN(3)
			n.met.fault([]faultKind{callMessage, callOptions, callPublish}[i])
			ph.outside([]string{"MESSAGE", "OPTIONS", "PUBLISH"}[i], "bob1", []string{"", "", "Event: presence\r\n"}[i], func(*simClient, *simMsg) {})
		})
	}
	w.mischief()
}

// dial is a call by a phone.
func (w *simWorld) dial(ph *simPhone, i int) {
	n := w.n
	user := fmt.Sprintf("bob%d", n.rng.IntN(10))
	extra := ""
	switch k := n.rng.IntN(100); {
	case k < 30:
		user = fmt.Sprintf("user%d", n.rng.IntN(5))
	case k < 38:
		user = "911"
	}
	if user == "911" {
		n.met.fault(callEmergency)
	} else if n.chance(80) {
		for _, c := range w.calls { // it picks up one of its own calls
			if c.p == ph.p && c.first != nil && !c.first.ended {
				n.met.fault(callReplaces)
				extra = fmt.Sprintf("Replaces: %s;to-tag=%s;from-tag=%s\r\n", c.id, simParam(c.first.remote, "tag"), c.first.localTag)
				break
			}
		}
	}
	c := ph.call(user, extra)
	c.sos, c.unverified = user == "911", !ph.bound && !ph.a.tcp
	c.talk = n.between(0, 20*time.Second)
	if n.chance(200) {
		c.cancelAt = n.between(0, 4*time.Second)
	}
	c.calleeEnd = n.chance(300)
	w.endsCall[c.id] = c.calleeEnd
	if ph.p.misbehaves(wrongNoAck) {
		c.noAck = true
		w.spoil(c.id)
	}
	c.start()
}

func simKey() config.KeyRing {
	ring := config.KeyRing{{ID: "sim"}}
	copy(ring[0].Secret[:], "the simulator's key: 32 bytes ok")
	return ring
}
