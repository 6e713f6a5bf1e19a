package transport

import (
	"net/netip"
	"unsafe"

	"golang.org/x/sys/unix"
)

const (
	arenaSize  = 128 << 10 // bytes of datagrams between two flushes
	arenaRoom  = 16 << 10  // free bytes that Begin promises before an append has to allocate
	maxPending = 256       // datagrams between two flushes
	maxTier    = 3         // changes of socket within one step that are kept apart
)

// An Out collects the messages that one goroutine sends and hands them to the kernel in batches. It never waits.
//
// An Out belongs to one goroutine at a time. Messages for streams are in their connection's queue when End returns;
// datagrams lie in the arena until Flush, which End and Begin call themselves when the arena or the list is full: what is
// collected is bounded, and a caller's lock may see a system call that does not wait.
//
// Order: messages for one socket or connection keep the order of End. Across sockets the order of End holds within
// one step: one call of the handler, or what lies between two calls of Step or Flush.
type Out struct {
	t       *Transport
	take    func(to Peer, msg []byte, tag uint64) // Capture's; nil otherwise
	lane    int                                   // which of a listener's sockets this Out sends by
	arena   []byte                                // the pending datagrams, back to back
	pending []datagram                            // in the order of End
	dirty   []dirtyConn
	used    []uint16 // listeners with a pending datagram

	last  int // listener of the last message of this step (streams: -2), -1 at the step's start
	tier  uint8
	tiers uint8 // highest tier since the last flush

	hdrs     *sendHeaders
	socket   *udpSocket // of the send under way
	n        int        // its headers
	sendFunc func(fd uintptr)
}

type datagram struct {
	msg      []byte
	to       netip.AddrPort
	listener uint16
	tier     uint8
}

type dirtyConn struct {
	conn *conn
	tier uint8
}

// Capture returns an Out without a transport: take gets each message as End does, and it goes nowhere. Simulators step the
// edge with it; msg is valid during the call only.
func Capture(take func(to Peer, msg []byte, tag uint64)) *Out { return &Out{take: take, last: -1} }

// NewOut returns an Out for a goroutine of the caller's own, such as its timers. Readers bring theirs.
func (t *Transport) NewOut() *Out { return t.newOut(0) }

func (t *Transport) newOut(lane int) *Out {
	o := &Out{t: t, lane: lane, last: -1}
	o.sendFunc = o.sendTo // once: a method value allocates
	return o
}

// Begin returns an empty slice at the arena's end: append one message to it and give the result to End before the next
// Begin. Not calling End discards it.
func (o *Out) Begin() []byte {
	if o.arena == nil {
		o.arena = make([]byte, 0, arenaSize)
	}
	if cap(o.arena)-len(o.arena) < arenaRoom {
		o.Flush()
	}
	return o.arena[len(o.arena):]
}

// End sends msg to a peer: by UDP with the next Flush, by TCP through the connection's queue. msg may also come from
// elsewhere; it is copied. tag comes back in Handler.Failed if a stream could not take the message, and its low 32 bits
// choose among the pooled connections to one address.
func (o *Out) End(to Peer, msg []byte, tag uint64) {
	if o.take != nil {
		o.take(to, msg, tag)
		return
	}
	if to.Proto == TCP {
		o.changeSocket(-2)
		o.endStream(to, msg, tag)
		return
	}
	if int(to.Listener) >= len(o.t.listeners) || len(o.t.listeners[to.Listener].udp) == 0 || len(msg) > maxPayload {
		o.t.stats.add(SendError, 1)
		return
	}
	if len(o.pending) >= maxPending {
		o.Flush() // the arena counts as empty now, but msg's bytes are still there: keep moves them
	}
	msg = o.keep(msg)
	o.changeSocket(int(to.Listener))
	o.pending = append(o.pending, datagram{msg: msg, to: to.Addr, listener: to.Listener, tier: o.tier})
	o.markUsed(to.Listener)
}

// keep makes msg the arena's last datagram: in place if it was built there, else as a copy.
func (o *Out) keep(msg []byte) []byte {
	at := len(o.arena)
	if cap(msg) > 0 && at < cap(o.arena) && unsafe.SliceData(msg) == unsafe.SliceData(o.arena[at:]) {
		o.arena = o.arena[:at+len(msg)]
		return o.arena[at : at+len(msg) : at+len(msg)]
	}
	if cap(o.arena)-at < len(msg) {
		o.Flush()
		at = 0
		if o.arena == nil {
			o.arena = make([]byte, 0, arenaSize)
		}
	}
	o.arena = append(o.arena, msg...)
	return o.arena[at:len(o.arena):len(o.arena)]
}

// Step says that what follows does not depend on what came before: it may leave earlier, if it goes to another socket.
// Readers call it before each message.
func (o *Out) Step() { o.last, o.tier = -1, 0 }

func (o *Out) changeSocket(socket int) {
	if o.last != -1 && o.last != socket && o.tier < maxTier {
		o.tier++
		o.tiers = max(o.tiers, o.tier)
	}
	o.last = socket
}

func (o *Out) markUsed(listener uint16) {
	for _, l := range o.used {
		if l == listener {
			return
		}
	}
	o.used = append(o.used, listener)
}

// Flush hands everything pending to the kernel. A full socket buffer drops the rest for that socket (send_full).
func (o *Out) Flush() {
	if len(o.pending) > 0 || len(o.dirty) > 0 {
		for tier := uint8(0); tier <= o.tiers; tier++ {
			for _, l := range o.used {
				o.flushDatagrams(l, tier)
			}
			o.flushStreams(tier)
		}
		clear(o.pending)
		clear(o.dirty)
	}
	o.pending, o.dirty, o.used, o.arena = o.pending[:0], o.dirty[:0], o.used[:0], o.arena[:0]
	o.tiers = 0
	o.Step()
}

// flushDatagrams sends what is pending for one listener and tier.
func (o *Out) flushDatagrams(listener uint16, tier uint8) {
	sockets := o.t.listeners[listener].udp
	o.socket = sockets[o.lane%len(sockets)]
	if o.hdrs == nil {
		o.hdrs = newSendHeaders()
	}
	refused := 0
	for i := range o.pending {
		d := &o.pending[i]
		if d.listener != listener || d.tier != tier {
			continue
		}
		if !o.hdrs.set(o.n, d.msg, d.to, o.socket.six) {
			refused++
			continue
		}
		if o.n++; o.n == sendBatch {
			o.send()
		}
	}
	o.send()
	o.t.stats.add(SendError, refused)
}

func (o *Out) send() {
	if o.n == 0 {
		return
	}
	if o.socket.raw.Control(o.sendFunc) != nil { // closed
		o.t.stats.add(SendError, o.n)
	}
	o.n = 0
}

// sendTo sends the prepared headers by the descriptor. A datagram that the kernel refuses is tried three times, because
// the error may be that of an earlier datagram (an ICMP error waits on the socket for whoever calls next) and
// reporting it clears it; then the next one has its turn. ECONNREFUSED always is an earlier one's, and on a busy machine
// the errors of a whole batch can arrive between two tries.
func (o *Out) sendTo(fd uintptr) {
	var sent, bytes, full, failed, tries int
	for at := 0; at < o.n; {
		k, errno := o.hdrs.send(fd, at, o.n)
		switch errno {
		case 0:
			for i := at; i < at+k; i++ {
				bytes += int(o.hdrs.iovs[i].Len)
			}
			at, sent, tries = at+k, sent+k, 0
		case unix.EINTR:
		case unix.EAGAIN:
			full += o.n - at
			at = o.n
		case unix.ENOBUFS: // the device's queue is full; told only to sockets with IP_RECVERR
			full++
			at++
		default:
			if tries++; tries == 3 && errno != unix.ECONNREFUSED || tries == 2*sendBatch {
				failed++
				at, tries = at+1, 0
			}
		}
	}
	s := &o.t.stats
	s.DatagramsOut.Add(uint64(sent))
	s.BytesOut.Add(uint64(bytes))
	s.add(SendFull, full)
	s.add(SendError, failed)
}
