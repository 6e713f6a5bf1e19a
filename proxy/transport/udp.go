package transport

import (
	"errors"
	"net"
	"time"

	"golang.org/x/sys/unix"
)

// A datagram passes through this file from top to bottom:
//  1. wait until the socket is readable           run, the runtime's poller
//  2. receive up to 32 datagrams, one system call readable
//  3. read the clock once                         batch
//  4. drop keepalives and what can not be answered
//  5. hand each datagram to the handler, which collects its answers in the reader's Out
//  6. flush: one system call per socket used
//  7. if an ICMP error waits, hand it over as well
// Nothing on this way allocates, locks or logs per datagram.

const poisonByte = 0xDB

// A udpReader is the one goroutine that reads a socket. All its memory is its own.
type udpReader struct {
	t        *Transport
	listener uint16
	socket   *udpSocket
	out      *Out
	recv     *recvHeaders
	errs     *errorQueue
}

func (r *udpReader) run() {
	readable := r.readable
	for !r.t.stopping.Load() {
		err := r.socket.raw.Read(readable)
		if errors.Is(err, net.ErrClosed) {
			return
		}
		// Here only when the poller or the kernel can not wait on this socket just now. The poller does so when it saw an error and
		// neither readable nor writable, that is with a full send buffer, and repeats it until its next event; out of memory
		// is the other case. Go on by looking each millisecond.
		time.Sleep(time.Millisecond)
		if !r.t.stopping.Load() {
			_ = r.socket.raw.Control(func(fd uintptr) { r.readable(fd) })
		}
	}
}

// readable handles what the socket has until it has no more, and reports whether to leave the poller's loop: only to
// stop, or when the kernel keeps failing. It may wait for the next edge after a batch that was not full: the socket was empty
// (or had an error, which comes with an edge of its own) after the batch, and an edge since then makes the wait return.
func (r *udpReader) readable(fd uintptr) bool {
	r.t.stats.Wakeups.Add(1)
	for failures := 0; failures < 64; {
		if r.t.stopping.Load() {
			return true
		}
		n, errno := r.recv.receive(fd)
		switch errno {
		case 0:
			r.batch(n)
			failures = 0
			if n < recvBatch {
				return false
			}
		case unix.EAGAIN:
			if !r.icmp(fd) { // a sender may have taken the error off the socket; the queue still has its entry
				return false
			}
		case unix.EINTR:
		default: // an ICMP error waits: the kernel tells it once, ahead of any datagram
			r.icmp(fd)
			failures++
		}
	}
	return true
}

// batch hands n datagrams to the handler and sends what it answers.
func (r *udpReader) batch(n int) {
	t := r.t
	now := time.Now().UnixNano()
	var bytes, keepalives, portZero int
	for i := range n {
		from, raw := r.recv.datagram(i)
		bytes += len(raw)
		switch {
		case blank(raw):
			keepalives++
		case from.Port() == 0:
			portZero++
		default:
			r.out.Step()
			t.handler.Message(now, Peer{Listener: r.listener, Proto: UDP, Addr: from}, raw, r.out)
		}
	}
	r.out.Flush()
	if t.limits.Poison {
		r.recv.poison(n)
	}
	r.recv.recycle(n)
	t.stats.DatagramsIn.Add(uint64(n))
	t.stats.BytesIn.Add(uint64(bytes))
	t.stats.Batches.Add(1)
	t.stats.add(Keepalive, keepalives)
	t.stats.add(PortZero, portZero)
}

// blank reports whether a datagram holds nothing but line ends, if anything: phones send such to keep a NAT binding open.
func blank(raw []byte) bool {
	for _, c := range raw {
		if c != '\r' && c != '\n' {
			return false
		}
	}
	return true
}

// icmp hands over waiting ICMP errors and reports whether there may be more.
func (r *udpReader) icmp(fd uintptr) bool {
	const most = 64 // then let datagrams have their turn
	now := time.Now().UnixNano()
	for range most {
		e, ok := r.errs.next(fd)
		if !ok {
			r.out.Flush()
			return false
		}
		switch {
		case e.errno == unix.EMSGSIZE:
			r.t.stats.add(PathMTU, 1)
		case e.remote && e.to.IsValid():
			r.t.stats.add(Unreachable, 1)
			if h := r.t.handler.Unreachable; h != nil {
				r.out.Step()
				h(now, r.listener, e.to, e.payload, r.out)
			}
		}
	}
	r.out.Flush()
	return true
}
