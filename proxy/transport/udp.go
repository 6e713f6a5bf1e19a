package transport

import "golang.org/x/sys/unix"

// A datagram passes through this file from top to bottom:
//  1. wait until sockets of the lane are readable, read the clock once   lane.run
//  2. receive up to 32 datagrams, one system call                       readable
//  3. drop keepalives and what can not be answered                      batch
//  4. hand each datagram to the handler, which collects its answers in the lane's Out
//  5. if an ICMP error waits, hand it over as well                      icmp
//  6. flush when every readable socket had its turn: one system call per socket used
// Nothing on this way allocates, locks or logs per datagram.

const poisonByte = 0xDB

// A udpReader reads one socket. Its lane's thread alone uses it.
type udpReader struct {
	t        *Transport
	listener uint16
	fd       uintptr
	out      *Out // the lane's
	recv     *recvHeaders
	errs     *errorQueue
}

// readable handles one batch of what the socket has. If there is more, the next wait returns at once.
func (r *udpReader) readable(now int64, events uint32) {
	n, errno := r.recv.receive(r.fd)
	if errno == 0 {
		r.batch(now, n)
	}
	if events&unix.EPOLLERR != 0 || errno != 0 && errno != unix.EINTR {
		r.icmp(now)
	}
}

// batch hands n datagrams to the handler and sends what it answers.
func (r *udpReader) batch(now int64, n int) {
	t := r.t
	var bytes, keepalives, portZero int
	if came := r.recv.first.at(&r.recv.hdrs[0].Hdr); came != 0 && t.handler.Waited != nil {
		t.handler.Waited(now, r.listener, max(now-came, 0))
	}
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

// icmp hands over waiting ICMP errors; what is left comes with the next wait.
func (r *udpReader) icmp(now int64) {
	const most = 64 // then let datagrams have their turn
	for range most {
		e, ok := r.errs.next(r.fd)
		if !ok {
			return
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
}
