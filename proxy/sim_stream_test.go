package proxy

import (
	"net/netip"
	"time"

	"github.com/hotcut/hotcut/proxy/wire"
)

// simStream is one TCP connection. What is written arrives in order and in pieces that know nothing of messages, or the
// connection breaks; a partition holds it up, and a long one breaks it.
type simStream struct {
	n      *network
	ends   [2]simEnd // who dialled, who accepted
	broken bool
}

type simEnd struct {
	addr    netip.AddrPort
	framer  wire.Framer
	rest    []byte
	message func(msg []byte)
	closed  func()
	at      int64 // what is written next arrives no earlier
	shut    bool  // it writes no more
}

const streamPatience = 8 * time.Second // of unacknowledged bytes

// dial opens a connection to an address; nil: nobody listens, or nothing gets there.
func (n *network) dial(from, to netip.AddrPort) *simStream {
	accept := n.accept[to]
	if accept == nil || len(n.cuts) > 0 && (n.cut(from.Addr(), to.Addr()) != 0 || n.cut(to.Addr(), from.Addr()) != 0) {
		n.met.fault(faultNoDial)
		return nil
	}
	c := &simStream{n: n}
	c.ends[0].addr, c.ends[1].addr = from, to
	accept(c)
	return c
}

// write sends one message from an end to the other.
func (c *simStream) write(side int, msg []byte) {
	n, me, you := c.n, &c.ends[side], &c.ends[1-side]
	if c.broken || me.shut {
		return
	}
	text := append([]byte(nil), msg...)
	at := max(n.now+int64(n.between(time.Millisecond, 8*time.Millisecond)), me.at)
	if len(n.cuts) > 0 {
		if until := n.cut(me.addr.Addr(), you.addr.Addr()); until != 0 {
			n.met.fault(faultPartitioned)
			if until-n.now > int64(streamPatience) {
				n.at(n.now+int64(streamPatience), c.reset)
				return
			}
			at = max(at, until)
		}
	}
	for left := text; len(left) > 0; {
		k := len(left)
		if n.chance(100) {
			k = 1 + n.rng.IntN(k)
			n.met.fault(faultSplit)
		}
		piece := left[:k]
		left = left[k:]
		me.at = at
		n.at(at, func() {
			if !c.broken {
				n.note("tcp", me.addr, you.addr, piece)
				c.arrive(1-side, piece)
			}
		})
		at += int64(n.between(0, time.Millisecond))
	}
}

// arrive hands whole messages to an end.
func (c *simStream) arrive(side int, piece []byte) {
	e := &c.ends[side]
	e.rest = append(e.rest, piece...)
	for !c.broken && len(e.rest) > 0 {
		k, kind, fault := e.framer.Next(e.rest)
		if fault != wire.FaultNone {
			c.n.fail("the stream %s -> %s can not be framed: %s in %.80q", c.ends[1-side].addr, e.addr, fault, e.rest)
			c.reset()
			return
		}
		if kind == wire.FrameMore {
			return
		}
		msg := e.rest[:k:k]
		e.rest = append([]byte(nil), e.rest[k:]...)
		if kind == wire.FrameMessage && e.message != nil {
			e.message(msg)
		}
	}
}

// reset breaks the connection: what was under way is lost, and both ends learn of it.
func (c *simStream) reset() {
	if c.broken {
		return
	}
	c.broken = true
	c.tell(0, 0)
	c.tell(1, 0)
}

// finish is a half-close: what one end has written still arrives, and then the other, which has no use for half a
// connection, closes it. What that one has written meanwhile may be lost.
func (c *simStream) finish(side int) {
	me := &c.ends[side]
	if c.broken || me.shut {
		return
	}
	me.shut = true
	c.n.at(max(me.at, c.n.now+int64(time.Millisecond)), c.reset)
}

func (c *simStream) tell(side int, d time.Duration) {
	c.n.after(d, func() {
		if f := c.ends[side].closed; f != nil {
			c.ends[side].closed = nil
			f()
		}
	})
}
