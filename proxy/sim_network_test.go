package proxy

import (
	"container/heap"
	"fmt"
	"hash/maphash"
	"log/slog"
	"math/rand/v2"
	"net/netip"
	"path/filepath"
	"testing"
	"time"

	"github.com/hotcut/hotcut/policy"
	"github.com/hotcut/hotcut/proxy/callrecord"
	"github.com/hotcut/hotcut/proxy/choice"
	"github.com/hotcut/hotcut/proxy/config"
	"github.com/hotcut/hotcut/proxy/digest"
	"github.com/hotcut/hotcut/proxy/health"
	"github.com/hotcut/hotcut/proxy/location"
	"github.com/hotcut/hotcut/proxy/transport"
)

// The simulator: the real edges' shards, stepped by one goroutine in virtual time over a network that loses, repeats,
// delays and reorders as a seed says. Nothing here knows the wall clock, so a seed that fails fails again.

// network is the virtual clock and everything that waits for it.
type network struct {
	t      *testing.T
	rng    *rand.Rand
	now    int64
	seq    int
	queue  eventQueue
	nodes  map[netip.AddrPort]func(from netip.AddrPort, msg []byte)
	faults faults
	seen   seen // which faults a run has met
	trace  []string
}

// faults are per message, in thousandths.
type faults struct{ loss, dup, late int }

type seen struct {
	lost, repeated, late, dead, restarts, flips, cancels, busy, calleeByes int
}

type event struct {
	at  int64
	seq int
	do  func()
}

type eventQueue []event

func (q eventQueue) Len() int { return len(q) }
func (q eventQueue) Less(i, j int) bool {
	return q[i].at < q[j].at || q[i].at == q[j].at && q[i].seq < q[j].seq
}
func (q eventQueue) Swap(i, j int) { q[i], q[j] = q[j], q[i] }
func (q *eventQueue) Push(x any)   { *q = append(*q, x.(event)) }
func (q *eventQueue) Pop() any {
	old := *q
	x := old[len(old)-1]
	*q = old[:len(old)-1]
	return x
}

func newNetwork(t *testing.T, seed uint64) *network {
	return &network{t: t, rng: rand.New(rand.NewPCG(seed, 0)), now: 1_700_000_000e9, nodes: map[netip.AddrPort]func(netip.AddrPort, []byte){}}
}

func (n *network) after(d time.Duration, do func()) {
	n.seq++
	heap.Push(&n.queue, event{n.now + int64(d), n.seq, do})
}

// run steps until nothing waits any more, or the given time has passed.
func (n *network) run(until int64) (steps int) {
	for len(n.queue) > 0 && n.queue[0].at <= until {
		x := heap.Pop(&n.queue).(event)
		n.now = x.at
		x.do()
		steps++
	}
	n.now = until
	return steps
}

func (n *network) chance(thousandths int) bool { return n.rng.IntN(1000) < thousandths }

// between is a random duration.
func (n *network) between(a, b time.Duration) time.Duration {
	return a + time.Duration(n.rng.Int64N(int64(b-a)+1))
}

// send carries a datagram, or does not.
func (n *network) send(from, to netip.AddrPort, msg []byte) {
	text := append([]byte(nil), msg...)
	if n.chance(n.faults.loss) {
		n.seen.lost++
		n.note("lost", from, to, text)
		return
	}
	copies := 1
	if n.chance(n.faults.dup) {
		n.seen.repeated++
		copies = 2
	}
	for range copies {
		d := n.between(time.Millisecond, 8*time.Millisecond)
		if n.chance(n.faults.late) {
			n.seen.late++
			d = n.between(50*time.Millisecond, 900*time.Millisecond)
		}
		n.after(d, func() {
			node := n.nodes[to]
			if node == nil {
				n.seen.dead++
				n.note("dead", from, to, text)
				return
			}
			n.note("", from, to, text)
			node(from, append([]byte(nil), text...))
		})
	}
}

// note keeps the wire trace of a run, for a seed that fails.
func (n *network) note(what string, from, to netip.AddrPort, msg []byte) {
	m := message{text: string(msg)}
	line, _, _ := cut(m.text, "\r\n")
	n.trace = append(n.trace, fmt.Sprintf("%9.3f %-4s %s -> %s %s | %v %v", float64(n.now-1_700_000_000e9)/1e9, what, from, to, line, m.headers("Call-ID"), m.headers("CSeq")))
}

// simEdge is an edge that can be killed: its files stay, all else goes.
type simEdge struct {
	n        *network
	name     string
	dir      string
	out, in  netip.AddrPort
	ring     config.KeyRing
	policy   *policy.Snapshot
	edge     *Edge
	tickAt   int64
	life     int
	counters *counters
	targets  [2][]netip.AddrPort // legacy, core
}

func (x *simEdge) start() {
	cfg := config.Defaults()
	cfg.Node, cfg.State = x.name, x.dir
	e := &Edge{cfg: &cfg, opts: Options{}, log: slog.New(slog.DiscardHandler), hash: func(b []byte) uint32 { return uint32(stableHash(b)) },
		started: time.Unix(0, x.n.now), inForce: func() *policy.Snapshot { return x.policy }}
	cfg.Limits.SourceRate, cfg.Limits.SourceBurst, cfg.Limits.ExemptRate, cfg.Limits.ExemptBurst = 1e5, 1e5, 1e5, 1e5
	e.setLimits()
	e.count = x.counters
	e.readers.New = func() any { return new(reader) }
	e.probes.init(e)
	e.nonces = digest.NewNonces(1024, time.Hour)
	e.intercepts.seed, e.fuse.seed = maphash.MakeSeed(), maphash.MakeSeed()
	e.now = func() int64 { return x.n.now }
	e.newOut = x.capture
	var err error
	if e.location, err = location.Open(location.Options{Path: filepath.Join(x.dir, "bindings"), Limit: 1024, Node: x.name,
		Now: func() time.Time { return time.Unix(0, x.n.now) }}); err != nil {
		x.n.t.Fatal(err)
	}
	if e.ring, err = choice.Open(filepath.Join(x.dir, "choices"), 1024); err != nil {
		x.n.t.Fatal(err)
	}
	if e.dialogFile, err = choice.OpenDialogs(filepath.Join(x.dir, "dialogs"), 1024); err != nil {
		x.n.t.Fatal(err)
	}
	if e.records, err = callrecord.Open(filepath.Join(x.dir, "calls"), 1<<20, 1000); err != nil {
		x.n.t.Fatal(err)
	}
	e.topo.Store(x.topology(e))
	e.setKeys(x.ring)
	e.restoreDialogs(x.n.now)
	x.edge = e
	x.life++
	x.tickAt = 0
	life := x.life
	receive := func(listener uint16, addr netip.AddrPort) {
		x.n.nodes[addr] = func(from netip.AddrPort, msg []byte) {
			e.message(x.n.now, transport.Peer{Listener: listener, Proto: transport.UDP, Addr: from}, msg, x.capture())
			for i := range msg { // what the edge keeps it has copied
				msg[i] = 'x'
			}
			x.plan(life)
		}
	}
	receive(0, x.out)
	receive(1, x.in)
	x.plan(life)
}

// kill is kill -9: what was not in a mapped file is gone.
func (x *simEdge) kill() {
	x.check()
	delete(x.n.nodes, x.out)
	delete(x.n.nodes, x.in)
	x.edge.closeFiles()
	x.edge = nil
	x.life++
}

func (x *simEdge) check() {
	if n := x.edge.panics.Load(); n > 0 {
		x.n.t.Errorf("%d panics in %s", n, x.name)
	}
}

func (x *simEdge) capture() *transport.Out {
	return transport.Capture(func(to transport.Peer, msg []byte, _ uint64) {
		from := x.out
		if to.Listener == 1 {
			from = x.in
		}
		x.n.send(from, to.Addr, msg)
	})
}

// plan puts the next tick of the timer goroutine where the earliest deadline is, on its 10 ms grid.
func (x *simEdge) plan(life int) {
	var next int64
	for i := range x.edge.shards {
		if at := x.edge.shards[i].next.Load(); at != 0 && (next == 0 || at < next) {
			next = at
		}
	}
	const grid = int64(10 * time.Millisecond)
	if next = (next + grid - 1) / grid * grid; next == 0 || x.tickAt != 0 && x.tickAt <= next {
		return
	}
	x.tickAt = next
	x.n.after(time.Duration(max(next-x.n.now, 0)), func() {
		if x.life != life || x.tickAt != next {
			return
		}
		x.tickAt = 0
		x.edge.tick(x.n.now, x.capture())
		x.plan(life)
	})
}

func (x *simEdge) topology(e *Edge) *topology {
	t := &topology{node: hash32(x.name), pools: map[poolKey][]int{}, names: map[string]struct{}{}, addresses: map[string]struct{}{}}
	for i, a := range []netip.AddrPort{x.out, x.in} {
		l := listener{index: uint16(i), name: []string{"out", "in"}[i], proto: transport.UDP, addr: a, sentBy: a.String(), host: a.String(), side: side(i)}
		l.hash = hash16(l.name)
		t.listeners = append(t.listeners, l)
		t.addresses[a.String()] = struct{}{}
	}
	var hs []health.Target
	for p, list := range x.targets {
		platform := policy.Platform(p + 1)
		t.first[platform] = "main"
		for i, a := range list {
			name := fmt.Sprintf("%s%d", platform, i)
			k := poolKey{platform, "main"}
			t.pools[k] = append(t.pools[k], len(t.targets))
			tm := e.timers
			tm.B = 4 * time.Second
			t.targets = append(t.targets, target{name: name, hash: hash32(name), platform: platform, pool: "main", addr: a, proto: transport.UDP, listener: 1, timers: tm})
			hs = append(hs, health.Target{Pool: platform.String(), Name: name})
		}
	}
	t.health = health.New(hs, health.Config{Seed: 1})
	return t
}

// left is what an edge still holds.
func (x *simEdge) left() (requests, branches, timers, dialogs int) {
	for i := range x.edge.shards {
		s := &x.edge.shards[i]
		requests += len(s.requests)
		branches += len(s.branches) + len(s.streams)
		timers += s.wheel.Len()
		dialogs += len(s.dialogs)
	}
	return
}
