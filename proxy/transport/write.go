package transport

import (
	"errors"
	"os"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

const (
	keptBuffer = 64 << 10 // bytes; a queue buffer that grew beyond is not used again
	keptMarks  = 64       // likewise, of a connection's list of marks
)

// endStream queues msg on its connection, which Flush then writes.
func (o *Out) endStream(to Peer, msg []byte, tag uint64) {
	c, err := o.t.enqueue(to, msg, tag)
	if err != nil {
		o.t.failures.add(to, tag, err)
		return
	}
	o.t.stats.MessagesOut.Add(1)
	o.touch(c)
}

// touch has Flush write c's queue.
func (o *Out) touch(c *conn) {
	if n := len(o.dirty); n > 0 && o.dirty[n-1] == (dirtyConn{c, o.tier}) {
		return
	}
	if len(o.dirty) >= maxPending {
		o.Flush()
	}
	o.dirty = append(o.dirty, dirtyConn{c, o.tier})
}

func (o *Out) flushStreams(tier uint8) {
	for _, d := range o.dirty {
		if d.tier == tier {
			d.conn.flush()
		}
	}
}

// enqueue finds the connection for a peer and gives it the message.
func (t *Transport) enqueue(to Peer, msg []byte, tag uint64) (*conn, error) {
	if to.Conn != 0 {
		c := t.conns.byNumber(to.Conn)
		if c == nil || !c.enqueue(msg, tag, false) {
			t.stats.add(NoConnection, 1)
			return nil, ErrNoConnection
		}
		return c, nil
	}
	for range 2 { // the first may die between finding and using it
		c, err := t.pooledConn(to, tag)
		if err != nil {
			return nil, err
		}
		if c.enqueue(msg, tag, true) {
			return c, nil
		}
	}
	t.stats.add(NoConnection, 1)
	return nil, ErrNoConnection
}

// flush writes what is queued, unless somebody is at it, the connection is not open yet or the kernel takes no more.
func (c *conn) flush() {
	c.mu.Lock()
	if c.writing || c.raw == nil || c.queue == nil || c.dead.Load() {
		c.mu.Unlock()
		return
	}
	c.writing = true
	c.mu.Unlock()
	if err := c.raw.Control(c.writeNowFunc); err != nil {
		c.die(reasonNone, err)
		c.release()
	}
}

func (c *conn) writeNow(fd uintptr) {
	if !c.writeSome(fd) && !c.t.spawn(c.waitAndWrite) { // which keeps writing; refused only when Run ends
		c.die(reasonNone, ErrClosed)
		c.release()
	}
}

// writeSome writes until the queue is empty (and gives writing back), the connection is dead, or, reporting false, until the
// kernel takes no more.
func (c *conn) writeSome(fd uintptr) bool {
	for len(c.sending) > 0 || c.nextBuffer() {
		n, _, errno := unix.Syscall6(unix.SYS_SENDTO, fd, uintptr(unsafe.Pointer(&c.sending[0])), uintptr(len(c.sending)),
			unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL, 0, 0)
		switch errno {
		case 0:
			c.sending = c.sending[n:]
			c.wrote(int(n))
		case unix.EINTR:
		case unix.EAGAIN:
			return false
		default:
			c.die(reasonOf(errno), errno)
			c.release()
			return true
		}
	}
	return true
}

// nextBuffer takes the queue for writing; without one, or on a dead connection, it gives writing back.
func (c *conn) nextBuffer() bool {
	if b := c.sendBuf; b != nil {
		if cap(*b) <= keptBuffer {
			*b = (*b)[:0]
			queueBufs.Put(b)
		}
		c.sendBuf, c.sending = nil, nil
	}
	c.mu.Lock()
	if c.dead.Load() {
		c.mu.Unlock()
		c.release()
		return false
	}
	defer c.mu.Unlock()
	if c.queue == nil {
		c.writing = false
		return false
	}
	c.sendBuf, c.queue = c.queue, nil
	c.sending = *c.sendBuf
	return true
}

// wrote counts n bytes that the kernel took, and forgets the messages that are out.
func (c *conn) wrote(n int) {
	c.t.stats.BytesOut.Add(uint64(n))
	c.mu.Lock()
	defer c.mu.Unlock()
	c.written += uint64(n)
	for c.head < len(c.marks) && c.marks[c.head].end <= c.written {
		c.head++
	}
	switch {
	case c.head == len(c.marks) && cap(c.marks) > keptMarks:
		c.marks, c.head = nil, 0
	case c.head == len(c.marks):
		c.marks, c.head = c.marks[:0], 0
	case c.head > keptMarks && c.head > len(c.marks)/2: // a queue that never runs empty must not grow
		c.marks = c.marks[:copy(c.marks, c.marks[c.head:])]
		c.head = 0
	}
}

// waitAndWrite goes on with a queue that the kernel did not take at once, and ends with it.
func (c *conn) waitAndWrite() {
	for !c.dead.Load() {
		before := c.progress()
		c.nc.SetWriteDeadline(time.Now().Add(c.t.limits.Write))
		if c.dead.Load() { // die's deadline may have been overwritten
			break
		}
		err := c.raw.Write(c.writeSomeFunc)
		switch {
		case err == nil:
			return
		case !errors.Is(err, os.ErrDeadlineExceeded):
			c.die(reasonNone, err)
		case c.progress() == before:
			c.die(WriteTimeout, ErrWriteTimeout)
		}
	}
	c.release()
}

// reasonOf names a socket's error: ETIMEDOUT is what the kernel says of a peer that acknowledges nothing (TCP_USER_TIMEOUT) or
// answers no keepalive. The others are ordinary ends.
func reasonOf(err error) Reason {
	if errors.Is(err, unix.ETIMEDOUT) {
		return WriteTimeout
	}
	return reasonNone
}

func (c *conn) progress() uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.written
}
