package proxy

import (
	"fmt"
	"hash/crc32"
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"
)

// The simulator: the real edges' shards, stepped by one goroutine in virtual time over a network that loses, repeats,
// delays, reorders and cuts as a seed says. Nothing here knows the wall clock, so a seed that fails fails again.

// network is the virtual clock and everything that waits for it.
type network struct {
	fail   func(format string, args ...any)
	rng    *rand.Rand
	now    int64
	seq    int
	steps  int
	queue  []event // a heap by time, then by order of birth
	nodes  map[netip.AddrPort]func(from netip.AddrPort, msg []byte)
	accept map[netip.AddrPort]func(c *simStream)
	faults faults
	cuts   []cutLine
	met    met // which faults and states a run has met
	trace  []traced
	hash   uint64 // of all that went over the wire, and when
}

const simEpoch = 1_700_000_000e9

// faults are per message, in thousandths.
type faults struct{ loss, dup, late int }

type event struct {
	at  int64
	seq int
	do  func()
}

func (e *event) before(o *event) bool { return e.at < o.at || e.at == o.at && e.seq < o.seq }

// cutLine is a partition: nothing passes from one set of addresses to the other until then.
type cutLine struct {
	from, to func(netip.Addr) bool
	until    int64
}

// traced is a line of the wire trace, written out only for a seed that fails.
type traced struct {
	at       int64
	what     string
	from, to netip.AddrPort
	msg      []byte
}

func newNetwork(t testing.TB, seed uint64) *network {
	fail := func(string, ...any) {}
	if t != nil {
		fail = t.Errorf
	}
	return &network{fail: fail, rng: rand.New(rand.NewPCG(seed, 0)), now: simEpoch, nodes: map[netip.AddrPort]func(netip.AddrPort, []byte){},
		accept: map[netip.AddrPort]func(*simStream){}}
}

func (n *network) after(d time.Duration, do func()) { n.at(n.now+int64(d), do) }

func (n *network) at(at int64, do func()) {
	n.seq++
	q := append(n.queue, event{max(at, n.now), n.seq, do})
	for i := len(q) - 1; i > 0; {
		up := (i - 1) / 2
		if !q[i].before(&q[up]) {
			break
		}
		q[i], q[up] = q[up], q[i]
		i = up
	}
	n.queue = q
}

func (n *network) pop() event {
	q := n.queue
	top, last := q[0], len(q)-1
	q[0] = q[last]
	q[last] = event{}
	q = q[:last]
	for i := 0; ; {
		down := 2*i + 1
		if down >= last {
			break
		}
		if down+1 < last && q[down+1].before(&q[down]) {
			down++
		}
		if !q[down].before(&q[i]) {
			break
		}
		q[i], q[down] = q[down], q[i]
		i = down
	}
	n.queue = q
	return top
}

// run steps until nothing waits any more, or the given time has come.
func (n *network) run(until int64) {
	for len(n.queue) > 0 && n.queue[0].at <= until {
		x := n.pop()
		n.now = x.at
		x.do()
		n.steps++
	}
	n.now = until
}

func (n *network) chance(thousandths int) bool { return n.rng.IntN(1000) < thousandths }

// between is a random duration.
func (n *network) between(a, b time.Duration) time.Duration {
	return a + time.Duration(n.rng.Int64N(int64(b-a)+1))
}

// cut is until when nothing passes from one address to another; 0: it passes.
func (n *network) cut(from, to netip.Addr) (until int64) {
	for i := range n.cuts {
		if c := &n.cuts[i]; c.until > n.now && c.from(from) && c.to(to) {
			until = max(until, c.until)
		}
	}
	return until
}

// partition stops what goes from some addresses to others for a while.
func (n *network) partition(from, to func(netip.Addr) bool, d time.Duration) {
	kept := n.cuts[:0]
	for _, c := range n.cuts {
		if c.until > n.now {
			kept = append(kept, c)
		}
	}
	n.cuts = append(kept, cutLine{from, to, n.now + int64(d)})
}

// send carries a datagram, or does not.
func (n *network) send(from, to netip.AddrPort, msg []byte) {
	text := append([]byte(nil), msg...)
	if len(n.cuts) > 0 && n.cut(from.Addr(), to.Addr()) != 0 {
		n.met.fault(faultPartitioned)
		n.note("cut", from, to, text)
		return
	}
	if n.chance(n.faults.loss) {
		n.met.fault(faultLost)
		n.note("lost", from, to, text)
		return
	}
	copies := 1
	if n.chance(n.faults.dup) {
		n.met.fault(faultRepeated)
		copies = 2
	}
	for range copies {
		d := n.between(time.Millisecond, 8*time.Millisecond)
		if n.chance(n.faults.late) {
			n.met.fault(faultLate)
			d = n.between(50*time.Millisecond, 900*time.Millisecond)
		}
		n.after(d, func() {
			node := n.nodes[to]
			if node == nil {
				n.met.fault(faultDead)
				n.note("dead", from, to, text)
				return
			}
			n.note("", from, to, text)
			node(from, append([]byte(nil), text...))
		})
	}
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// note keeps the wire trace of a run: its hash, and its lines for a seed that fails.
func (n *network) note(what string, from, to netip.AddrPort, msg []byte) {
	h := uint64(crc32.Checksum(msg, castagnoli))<<32 | uint64(len(what)+len(msg))
	n.hash = (n.hash^h)*0x9e3779b97f4a7c15 + uint64(n.now)
	n.hash ^= n.hash >> 29
	n.trace = append(n.trace, traced{n.now, what, from, to, msg})
}

func (x *traced) String() string {
	m := parseSim(x.msg)
	if m == nil {
		return fmt.Sprintf("%9.3f %-4s %s -> %s %.60q", float64(x.at-simEpoch)/1e9, x.what, x.from, x.to, x.msg)
	}
	return fmt.Sprintf("%9.3f %-4s %s -> %s %s | %s %d %s %s %s", float64(x.at-simEpoch)/1e9, x.what, x.from, x.to, m.start, m.callID, m.cseq, m.cmethod, m.branch, m.toTag)
}
