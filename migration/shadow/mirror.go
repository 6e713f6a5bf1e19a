package shadow

import (
	"context"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hotcut/hotcut/proxy/tap"
)

// A Mirror keeps the shadow calls of one edge. It is made by New and works while Run runs: one goroutine takes what the edge
// puts and what the dark cores send, one more per socket reads. Run ends them.
type Mirror struct {
	// Set once by New.
	o    Options
	ring *tap.Ring

	stats  atomic.Pointer[Stats] // written by Run's goroutine
	inbox  atomic.Uint64         // datagrams that were not taken: the channel was full
	source atomic.Uint64         // and of addresses that are no dark core's
}

// New checks the options. It opens nothing and starts nothing.
func New(o Options) (*Mirror, error) {
	o.defaults()
	if err := o.check(); err != nil {
		return nil, err
	}
	m := &Mirror{o: o, ring: tap.NewRing(o.Slots, o.SlotSize)}
	m.stats.Store(&Stats{})
	return m, nil
}

// Put is the edge's tap: it copies and returns. Any goroutine may call it.
func (m *Mirror) Put(ev *tap.Event, raw []byte) *tap.Cell { return m.ring.Put(ev, raw) }

// Stats is what the mirror has done, as of its last second. The result is the caller's to read only.
func (m *Mirror) Stats() Stats { return *m.stats.Load() }

// arrived is a datagram of a dark core.
type arrived struct {
	from netip.AddrPort
	raw  []byte
}

const (
	inboxSize  = 1024                  // datagrams between the sockets and the machine
	atOnce     = 256                   // messages of one kind before the other has its turn
	lookRing   = 2 * time.Millisecond  // the ring does not wake its reader
	idleRing   = 10 * time.Millisecond // while nothing happens
	statsEvery = time.Second
	goodbye    = time.Second // for the dark cores to answer the BYEs of the end
)

// Run opens the sockets and mirrors until ctx ends. Then every shadow dialog is hung up, within a second. A fault of ours ends it
// sooner.
func (m *Mirror) Run(ctx context.Context) (err error) {
	defer m.o.caught(&err, func(why string) { m.stats.Store(stopped(m.stats.Load(), why)) })
	socks, err := openSockets(m.o.Sockets)
	if err != nil {
		return err
	}
	inbox := make(chan arrived, inboxSize)
	var readers sync.WaitGroup
	for _, s := range socks {
		readers.Go(func() { m.read(s, inbox) })
	}
	defer readers.Wait()
	defer closeSockets(socks)

	sinks := make([]netip.AddrPort, len(socks))
	for i, s := range socks {
		sinks[i] = s.local
	}
	x := newMachine(&m.o, sinks)
	defer m.publish(x) // also what a fault has left
	x.start(m.o.Now())
	m.loop(ctx, x, socks, inbox, 0)
	x.stopAll()
	m.flush(x, socks)
	m.loop(context.Background(), x, socks, inbox, m.o.Now()+int64(goodbye))
	return nil
}

// loop feeds the machine until ctx ends, or, where until is not 0, until then or until no dialog is left.
func (m *Mirror) loop(ctx context.Context, x *machine, socks []*socket, inbox <-chan arrived, until int64) {
	buf := make([]byte, 0, m.o.SlotSize)
	wait := time.NewTimer(lookRing)
	defer wait.Stop()
	published, pause := int64(0), lookRing
	for ctx.Err() == nil {
		now, busy := m.o.Now(), false
		var ev tap.Event
		for range atOnce {
			b, ok := m.ring.Take(&ev, buf)
			if !ok {
				break
			}
			buf, busy = b, true
			if until == 0 {
				x.tapped(now, &ev, b)
				m.o.Yield()
			}
		}
		for range atOnce {
			select {
			case a := <-inbox:
				x.received(now, a.from, a.raw)
				m.o.Yield()
				busy = true
				continue
			default:
			}
			break
		}
		x.advance(now)
		m.flush(x, socks)
		if now-published >= int64(statsEvery) {
			published = now
			m.publish(x)
		}
		if until != 0 && (now >= until || len(x.dialogs) == 0) {
			return
		}
		if pause = min(2*pause, idleRing); busy {
			pause = lookRing
		}
		wait.Reset(pause)
		select {
		case <-ctx.Done():
		case a := <-inbox:
			x.received(m.o.Now(), a.from, a.raw)
		case <-wait.C:
		}
	}
}

func (m *Mirror) flush(x *machine, socks []*socket) {
	for i := range x.out {
		d := &x.out[i]
		if !socks[d.socket].send(d.to, d.raw) {
			x.drop(DropSend)
		}
		d.raw = nil
		m.o.Yield()
	}
	x.out = x.out[:0]
}

func (m *Mirror) publish(x *machine) {
	s := x.snapshotStats()
	full, large := m.ring.Dropped()
	for d, n := range map[Drop]uint64{DropRing: full, DropTooLarge: large, DropInbox: m.inbox.Load(), DropSource: m.source.Load()} {
		if n > 0 {
			s.Dropped[d.String()] += n
		}
	}
	m.stats.Store(s)
}

// read hands over what a socket hears of dark cores, until it is closed. A flood has its share of the machine and no more: what is over
// that stays in the socket, where the kernel drops it.
func (m *Mirror) read(s *socket, inbox chan<- arrived) {
	buf := make([]byte, maxDatagram+1)
	second, count := int64(0), 0
	turn, reads := int64(0), 0
	for {
		if reads++; reads > perTurn {
			if rest := turn + int64(readTurn) - m.o.Now(); rest > 0 {
				time.Sleep(time.Duration(rest))
			}
			reads = 0
		}
		n, from, err := s.conn.ReadFromUDPAddrPort(buf)
		if err != nil {
			if s.closed.Load() {
				return
			}
			continue // an ICMP error of something sent before
		}
		now := m.o.Now()
		if now-turn >= int64(readTurn) {
			turn, reads = now, 1
		}
		from = netip.AddrPortFrom(from.Addr().Unmap(), from.Port())
		switch {
		case !m.dark(from):
			m.source.Add(1)
			continue
		case n > maxDatagram:
			m.inbox.Add(1)
			continue
		}
		if sec := now / int64(time.Second); sec != second {
			second, count = sec, 0
		}
		if count++; count > perSecond { // a flood costs the edge's machine no more than reading it
			m.inbox.Add(1)
			continue
		}
		select {
		case inbox <- arrived{from, append(make([]byte, 0, n), buf[:n]...)}:
		default:
			m.inbox.Add(1)
		}
	}
}

const (
	maxDatagram = 16 << 10 // bytes of a dark core's message that are read
	perSecond   = 20000    // messages of dark cores per socket that are taken
	readTurn    = 10 * time.Millisecond
	perTurn     = 500 // datagrams of anybody that are read in a turn
)

func (m *Mirror) dark(from netip.AddrPort) bool {
	for i := range m.o.Dark {
		if m.o.Dark[i].comesFrom(from) {
			return true
		}
	}
	return false
}
