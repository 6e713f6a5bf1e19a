package transport

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hotcut/hotcut/proxy/wire"
)

// A Spec describes one listener. Its index in the slice given to New is the Listener of its peers.
type Spec struct {
	Name     string // for error texts
	Proto    Proto
	Addr     netip.AddrPort // port 0: the kernel chooses, see Transport.Addr
	Readers  int            // UDP: sockets; 0 means 1. More share the port (SO_REUSEPORT): one source stays with one. The n-th of all listeners share a thread
	DialsOut bool           // TCP: pooled connections may leave by this listener's address
}

const maxReaders = 256

// A Handler takes what arrives. Message and Refused must be set; a nil func of the others drops the event.
//
// The funcs are called on the goroutine that noticed: they run concurrently with each other and must not wait. out belongs
// to that goroutine; it is flushed after the batch. They may call Transport.Close, but not wait for Run.
type Handler struct {
	// Message gets one datagram or one framed message of a stream. raw is valid during the call only. now is the time of the
	// batch in nanoseconds since the Unix epoch.
	Message func(now int64, from Peer, raw []byte, out *Out)

	// Waited tells how long, in nanoseconds, the oldest datagram of the batch that follows lay in a UDP listener's socket.
	Waited func(now int64, listener uint16, ns int64)

	// Failed tells that a message given to Out.End for a stream did not reach the kernel whole: its dial failed, or its connection
	// was gone or died first. to and tag are End's. Nothing is said of messages that were written.
	Failed func(now int64, to Peer, tag uint64, err error, out *Out)

	// Unreachable tells of an ICMP error for a datagram sent to addr by a listener. datagram is what ICMP returned of it: its beginning,
	// often all, perhaps nothing. ICMP is not authenticated: believe it only for a datagram you know.
	Unreachable func(now int64, listener uint16, addr netip.AddrPort, datagram []byte, out *Out)

	// Closed tells that a connection that was open is gone, unless Run is ending. Its unsent messages come through Failed, before
	// or after. For a pooled connection carried tells by tag which messages to p's address went by it; for an accepted one it is
	// nil: those that were sent to p did.
	Closed func(now int64, p Peer, carried func(tag uint64) bool, out *Out)

	// Broken gets the header section of a message with which a stream can not be framed any further (its Content-Length is absent,
	// wrong or too large), so that it can be answered: the connection closes after the call. Scan may find nothing wrong with
	// head: do not forward it. Refused is told too.
	Broken func(now int64, from Peer, head []byte, fault wire.Fault, out *Out)

	// Tick is called every [TickEvery], or a little later, on the goroutine that reads the first UDP sockets: timers that run there wake
	// nobody up. Without UDP listeners nobody calls it: see Ticks. now is as Message's.
	Tick func(now int64, out *Out)

	// Refused tells the name of a refusal (a Reason marked "in", or wire's name of a framing fault) and who caused it.
	Refused func(reason string, from netip.AddrPort)
}

// TickEvery is the grain of timers that run on Handler.Tick.
const TickEvery = 10 * time.Millisecond

// Ticks tells whether Run will call Handler.Tick.
func (t *Transport) Ticks() bool { return len(t.lanes) > 0 && t.handler.Tick != nil }

// A Transport owns the sockets. New binds them, Run works, and when Run returns nothing is left of it.
type Transport struct {
	// Set once by New.
	handler   Handler
	limits    Limits
	listeners []*listener
	lanes     []*lane // readers of the UDP sockets

	slots uint32 // pooled connections to one address

	stats    Stats
	stopping atomic.Bool
	conns    *registry
	failures *failures
	chunks   sync.Pool       // of *chunk
	dials    context.Context // ends when the transport stops; dials are its children
	stop     context.CancelFunc

	life    sync.Mutex // guards ended, so that no goroutine starts after Run began to wait for them
	ended   bool
	running sync.WaitGroup
}

// A listener is one bound address.
type listener struct {
	spec Spec
	addr netip.AddrPort // as bound
	udp  []*udpSocket   // one per reader
	tcp  *net.TCPListener
}

// New binds every listener, so that a bad address or a port in use is known before anything runs; the error names the
// listener and its address. It starts nothing. To release the sockets without working, call Run with a cancelled
// context.
func New(specs []Spec, h Handler, lim Limits) (*Transport, error) {
	if h.Message == nil || h.Refused == nil {
		return nil, errors.New("transport: Handler.Message and Handler.Refused must be set")
	}
	t := &Transport{handler: h, limits: lim.withDefaults(), slots: poolSlots(), conns: newRegistry()}
	t.failures = newFailures(&t.stats)
	t.chunks.New = func() any { return &chunk{out: t.newOut(0)} }
	t.dials, t.stop = context.WithCancel(context.Background())
	for _, spec := range specs {
		l, err := t.bind(spec)
		if err != nil {
			t.stop()
			t.closeSockets()
			return nil, fmt.Errorf("listener %q (%s %s): %w", spec.Name, spec.Proto, spec.Addr, err)
		}
		t.listeners = append(t.listeners, l)
	}
	if err := t.openLanes(); err != nil {
		t.stop()
		t.closeSockets()
		return nil, err
	}
	return t, nil
}

// openLanes makes as many lanes as the listener with most sockets has.
func (t *Transport) openLanes() error {
	most := 0
	for _, l := range t.listeners {
		most = max(most, len(l.udp))
	}
	for n := range most {
		l, err := newLane(t, n)
		if err != nil {
			t.closeLanes()
			return fmt.Errorf("UDP reader %d: %w", n, err)
		}
		t.lanes = append(t.lanes, l)
	}
	return nil
}

func (t *Transport) closeLanes() {
	for _, l := range t.lanes {
		l.close()
	}
}

func (t *Transport) bind(spec Spec) (*listener, error) {
	if !spec.Addr.IsValid() {
		return nil, errors.New("no address")
	}
	l := &listener{spec: spec, addr: spec.Addr}
	switch spec.Proto {
	case UDP:
		readers := max(spec.Readers, 1)
		if readers > maxReaders {
			return nil, fmt.Errorf("%d readers, at most %d", readers, maxReaders)
		}
		for range readers { // the first bind fixes a port of 0 for the others
			s, addr, err := bindUDP(l.addr, readers > 1)
			if err != nil {
				l.close()
				return nil, err
			}
			l.addr = addr
			l.udp = append(l.udp, s)
		}
		return l, nil
	case TCP:
		var err error
		l.tcp, l.addr, err = t.bindTCP(spec.Addr)
		return l, err
	}
	return nil, fmt.Errorf("unknown protocol %d", spec.Proto)
}

func (l *listener) close() {
	for _, s := range l.udp {
		s.file.Close()
	}
	if l.tcp != nil {
		l.tcp.Close()
	}
}

func (t *Transport) closeSockets() {
	for _, l := range t.listeners {
		l.close()
	}
}

// Run reads and writes until ctx ends; then it closes every socket and connection, waits for its goroutines and returns nil. Run
// may be called once.
func (t *Transport) Run(ctx context.Context) error {
	t.spawn(t.tellFailures)
	for i, l := range t.listeners {
		if l.tcp != nil {
			t.spawn(func() { t.acceptLoop(uint16(i), l.tcp) })
		}
	}
	endLanes := t.runLanes()
	<-ctx.Done()
	t.stopping.Store(true)
	endLanes()
	t.life.Lock()
	t.ended = true
	t.life.Unlock()
	t.stop()
	t.closeSockets()
	for _, c := range t.conns.all() { // complete: nothing is spawned any more, and what is not spawned is not kept
		c.die(reasonNone, ErrClosed)
	}
	t.running.Wait()
	return nil
}

// runLanes starts the lanes; the func ends them. The sockets may be closed then, and not before. A busy lane keeps a processor of the
// Go scheduler (GOMAXPROCS), so there is one more for each.
func (t *Transport) runLanes() (end func()) {
	var running sync.WaitGroup
	for _, l := range t.lanes {
		running.Go(l.run)
	}
	runtime.GOMAXPROCS(runtime.GOMAXPROCS(0) + len(t.lanes))
	return func() {
		for _, l := range t.lanes {
			l.stop()
		}
		running.Wait()
		t.closeLanes()
		runtime.GOMAXPROCS(runtime.GOMAXPROCS(0) - len(t.lanes))
	}
}

// spawn starts a goroutine that Run waits for, unless Run is already ending.
func (t *Transport) spawn(f func()) bool {
	t.life.Lock()
	defer t.life.Unlock()
	if t.ended {
		return false
	}
	t.running.Go(f)
	return true
}

// Close closes a connection after writing what the kernel takes at once; a pooled peer means all its connections. Messages
// that are still queued are told as failed.
func (t *Transport) Close(p Peer) {
	shut := func(c *conn) {
		if c != nil {
			c.flush()
			c.die(reasonNone, ErrClosed)
		}
	}
	if p.Conn != 0 {
		shut(t.conns.byNumber(p.Conn))
		return
	}
	for slot := range t.slots {
		shut(t.conns.byPool(poolKey{listener: p.Listener, addr: p.Addr, slot: slot}))
	}
}

// Addr returns the address that a listener is bound to, with its real port.
func (t *Transport) Addr(listener int) netip.AddrPort { return t.listeners[listener].addr }

// Stats returns the live counters.
func (t *Transport) Stats() *Stats { return &t.stats }
