package transport

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/hotcut/hotcut/proxy/wire"
)

// Why a message for a stream failed; Handler.Failed gets these or the error of the dial, read or write.
var (
	ErrNoConnection = errors.New("the connection is gone")
	ErrNoDial       = errors.New("this listener does not dial out")
	ErrDialLimit    = errors.New("too many pooled connections")
	ErrSlowReader   = errors.New("the peer does not read")
	ErrWriteTimeout = errors.New("the peer took nothing in time")
	ErrClosed       = errors.New("the connection was closed here")
)

// A conn is one TCP connection, accepted or dialled.
//
// Concurrency. One goroutine owns the descriptor: it dials, if the connection is pooled, then reads and calls the handler
// until the end (serve), and only it closes. Any goroutine appends to the queue, whole messages under mu, so the order of
// the wire is the order of the calls. Whoever finds writing unset takes it and with it the right to write: it swaps the
// queue out under mu and writes without mu, until the queue is empty or the kernel takes no more; then a goroutine
// that lives until the queue is empty waits for the socket and goes on. Nobody else ever waits: not for the peer, and for mu
// only as long as an append takes.
//
// Invariants: queued-written bytes wait here, never more than Limits.Queue. marks has the end of every message of which
// the kernel has not taken the last byte; when the connection dies these, and no others, are reported as failed, once. While
// somebody writes only he knows which these are: who has the right to write when the connection dies reports them as he gives
// it back. dead is set once, under mu, and nothing is queued after it.
//
// Death may be noticed under a caller's locks or inside the reader's callback, where closing would wait for itself: die
// only marks, reports through the failures' goroutine and expires both deadlines, which brings the owner home to close.
//
// A writer goroutine per connection was the alternative: it costs a wake-up for each message and a stack for each phone.
type conn struct {
	// Set before anyone else sees the connection.
	t      *Transport
	id     uint64
	peer   Peer // with Conn = id
	source netip.Addr
	pool   poolKey
	pooled bool
	cancel context.CancelFunc // of the dial; nil for accepted connections

	dead atomic.Bool

	mu      sync.Mutex   // guards what follows
	nc      *net.TCPConn // nil while dialling
	raw     syscall.RawConn
	writing bool
	queue   *[]byte // what nobody writes yet; from queueBufs, nil when empty
	marks   []mark
	head    int    // marks before it are done
	queued  uint64 // bytes since the start
	written uint64
	reason  Reason // of death, if it has one; also readable without mu once dead is set
	cause   error  // of death

	// Of the goroutine that has writing.
	sendBuf *[]byte
	sending []byte // rest of sendBuf

	writeNowFunc  func(uintptr)
	writeSomeFunc func(uintptr) bool

	// Of the owner.
	framer  wire.Framer
	rest    []byte    // the beginning of a message
	partial time.Time // when rest began
	opened  time.Time
	heard   time.Time // when the last bytes came
	armed   time.Time // the read deadline in force
	greeted bool      // a message has come
	answers bool      // a broken stream was handed to the handler, which may have answered
}

// A mark is the end of a queued message.
type mark struct {
	end    uint64 // in terms of conn.queued
	tag    uint64
	pooled bool // addressed as a pooled peer
}

var queueBufs = sync.Pool{New: func() any { b := make([]byte, 0, 4<<10); return &b }}

func (t *Transport) newConn(peer Peer) *conn {
	c := &conn{t: t, id: peer.Conn, peer: peer, framer: wire.Framer{Limits: t.limits.Wire}}
	c.writeNowFunc, c.writeSomeFunc = c.writeNow, c.writeSome
	return c
}

// open gives the connection its socket; it reports false if the connection died while it was dialled.
func (c *conn) open(nc *net.TCPConn) bool {
	raw, err := nc.SyscallConn()
	c.mu.Lock()
	ok := err == nil && !c.dead.Load()
	if ok {
		c.nc, c.raw = nc, raw
	}
	c.mu.Unlock()
	if !ok {
		nc.Close()
	}
	return ok
}

// enqueue appends one message. It reports false if the connection is dead; the message is then the caller's to report. If
// the message is one too many, the connection dies and the message is reported with the others.
func (c *conn) enqueue(msg []byte, tag uint64, pooled bool) bool {
	c.mu.Lock()
	if c.dead.Load() {
		c.mu.Unlock()
		return false
	}
	c.queued += uint64(len(msg))
	c.marks = append(c.marks, mark{end: c.queued, tag: tag, pooled: pooled})
	slow := c.queued-c.written > uint64(c.t.limits.Queue)
	if !slow {
		if c.queue == nil {
			c.queue = queueBufs.Get().(*[]byte)
		}
		*c.queue = append(*c.queue, msg...)
	}
	c.mu.Unlock()
	if slow {
		c.die(SlowReader, ErrSlowReader)
	}
	return true
}

// die ends the connection for everyone. reason may be none, for the ordinary ends.
func (c *conn) die(reason Reason, err error) {
	c.mu.Lock()
	if c.dead.Load() {
		c.mu.Unlock()
		return
	}
	c.reason, c.cause = reason, err
	c.dead.Store(true) // publishes reason
	c.queue = nil
	var unsent []mark
	if !c.writing {
		unsent = c.takeMarks()
	}
	nc := c.nc
	c.mu.Unlock()

	if reason != reasonNone {
		c.t.stats.add(reason, 1)
	}
	c.t.conns.forget(c)
	c.report(unsent)
	if c.cancel != nil {
		c.cancel()
	}
	if nc != nil {
		if reason == SlowReader || reason == WriteTimeout {
			nc.SetLinger(0) // it would not read the rest either: let the kernel forget it
		}
		nc.SetDeadline(time.Unix(1, 0))
	}
}

// release gives writing back on a dead connection, and reports what was not written.
func (c *conn) release() {
	c.mu.Lock()
	var unsent []mark
	if c.writing && c.dead.Load() {
		c.writing = false
		unsent = c.takeMarks()
	}
	c.mu.Unlock()
	c.report(unsent)
}

// takeMarks is called under mu.
func (c *conn) takeMarks() []mark {
	unsent := c.marks[c.head:]
	c.marks, c.head = nil, 0
	return unsent
}

func (c *conn) report(unsent []mark) {
	for _, m := range unsent {
		c.t.failures.add(c.addressed(m.pooled), m.tag, c.cause)
	}
}

// addressed returns the peer by which a message was sent.
func (c *conn) addressed(pooled bool) Peer {
	p := c.peer
	if pooled {
		p.Conn = 0
	}
	return p
}
