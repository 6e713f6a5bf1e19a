package transport

import (
	"errors"
	"io"
	"os"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"github.com/hotcut/hotcut/proxy/wire"
)

const (
	chunkSize   = 64 << 10
	farewell    = time.Second // how long a peer whose stream broke may take to read our last answer
	farewellMax = 256 << 10   // bytes of it that are thrown away meanwhile
)

// pong answers a ping of CRLF CRLF (RFC 5626 section 3.5.1).
var pong = []byte("\r\n")

// A chunk is what a reader borrows while its connection is readable.
type chunk struct {
	buf [chunkSize]byte
	out *Out
}

// serve reads the connection until it dies, and closes it. It runs on the goroutine that owns the connection.
func (c *conn) serve() {
	t := c.t
	t.stats.ConnsOpen.Add(1)
	c.opened = time.Now()
	c.heard = c.opened
	c.arm()
	readable := c.readable
	for !c.dead.Load() {
		err := c.raw.Read(readable)
		switch {
		case c.dead.Load() || err == nil:
		case !errors.Is(err, os.ErrDeadlineExceeded):
			c.die(reasonNone, err)
		default:
			if reason, due := c.due(); time.Now().Before(due) {
				c.armed = time.Time{}
				c.arm()
			} else {
				c.die(reason, errors.New(reason.String()))
			}
		}
	}
	if c.answers {
		c.bidFarewell()
	}
	c.nc.Close()
	t.conns.leave(c)
	t.stats.ConnsOpen.Add(-1)
	switch c.reason {
	case SlowReader, WriteTimeout, HeaderTimeout: // a framing fault was told by its own name
		t.handler.Refused(c.reason.String(), c.peer.Addr)
	}
	if t.handler.Closed != nil && !t.stopping.Load() {
		ch := t.chunks.Get().(*chunk)
		var carried func(uint64) bool
		if c.pooled {
			carried = func(tag uint64) bool { return uint32(tag)%t.slots == c.pool.slot }
		}
		t.handler.Closed(time.Now().UnixNano(), c.peer, carried, ch.out)
		ch.out.Flush()
		t.chunks.Put(ch)
	}
}

// readable takes what the socket has, until it has no more: unlike a datagram socket's, a short read does not prove
// that (the end of the stream comes without an edge of its own when it came with the last bytes). It leaves the poller's
// loop when the connection is dead.
func (c *conn) readable(fd uintptr) bool {
	ch := c.t.chunks.Get().(*chunk)
	defer c.t.chunks.Put(ch)
	for !c.dead.Load() {
		n, err := unix.Read(int(fd), ch.buf[:])
		switch {
		case err == unix.EINTR:
		case err == unix.EAGAIN:
			c.arm()
			return c.dead.Load() // arm may have overwritten die's deadline
		case err != nil:
			c.die(reasonOf(err), err)
		case n == 0:
			c.die(reasonNone, io.EOF)
		default:
			c.received(ch.buf[:n], ch.out)
			if c.t.limits.Poison {
				poison(ch.buf[:n])
			}
		}
	}
	return true
}

// received cuts what came into messages, hands them over and keeps the beginning of the next one.
func (c *conn) received(buf []byte, out *Out) {
	t := c.t
	c.heard = time.Now()
	now := c.heard.UnixNano()
	t.stats.BytesIn.Add(uint64(len(buf)))
	whole := buf
	if len(c.rest) > 0 {
		c.rest = append(c.rest, buf...)
		whole = c.rest
	}
	at, messages := 0, 0
loop:
	for at < len(whole) && !c.dead.Load() {
		n, kind, fault := c.framer.Next(whole[at:])
		if fault != wire.FaultNone {
			c.broken(now, whole[at:at+n], fault, out)
			break
		}
		switch kind {
		case wire.FrameMore:
			break loop
		case wire.FrameKeepalive:
			if c.framer.Ping() && c.enqueue(pong, 0, false) {
				out.touch(c)
			}
		case wire.FrameMessage:
			c.greeted = true
			messages++
			out.Step()
			t.handler.Message(now, c.peer, whole[at:at+n:at+n], out)
		}
		at += n
	}
	t.stats.MessagesIn.Add(uint64(messages))
	out.Flush()
	c.keep(whole, at)
}

// keep holds on to whole[at:], copied to its size unless it is all that was kept before and what came since.
func (c *conn) keep(whole []byte, at int) {
	switch {
	case at == len(whole):
		c.rest, c.partial = nil, time.Time{}
	case at > 0 || len(c.rest) == 0:
		c.rest, c.partial = slices.Clone(whole[at:]), c.heard
	}
	if c.t.limits.Poison {
		poison(whole[:at])
	}
}

// broken ends a stream that can not be followed: a header section that is known may still be answered.
func (c *conn) broken(now int64, head []byte, fault wire.Fault, out *Out) {
	t := c.t
	t.handler.Refused(fault.String(), c.peer.Addr)
	if t.handler.Broken != nil && len(head) > 0 {
		c.answers = true
		out.Step()
		t.handler.Broken(now, c.peer, head[:len(head):len(head)], fault, out)
	}
	out.Flush()
	c.die(Framing, errors.New(fault.String()))
}

// bidFarewell lets the peer read what we sent: closing with unread input would reset the connection and could destroy
// our last answer on its way.
func (c *conn) bidFarewell() {
	c.nc.SetDeadline(time.Now().Add(farewell))
	if c.nc.CloseWrite() == nil {
		_, _ = io.Copy(io.Discard, io.LimitReader(c.nc, farewellMax))
	}
}

// due returns when the connection will have been quiet for too long, and what that is called.
func (c *conn) due() (Reason, time.Time) {
	lim := &c.t.limits
	switch {
	case !c.partial.IsZero():
		return HeaderTimeout, c.partial.Add(lim.Header)
	case !c.greeted && !c.pooled:
		return HeaderTimeout, c.opened.Add(lim.Header)
	}
	return IdleTimeout, c.heard.Add(lim.Idle)
}

// arm moves the read deadline if it would come too late. One that comes too early is put right when it has passed: a busy
// connection does not set a timer for each message.
func (c *conn) arm() {
	if _, due := c.due(); c.armed.IsZero() || due.Before(c.armed) {
		c.armed = due
		c.nc.SetReadDeadline(due)
	}
}

func poison(b []byte) {
	for i := range b {
		b[i] = poisonByte
	}
}
