package media

import (
	"net/netip"
	"slices"
	"sync/atomic"
)

// counters are written by the threads once per batch.
type counters struct {
	packets, bytes atomic.Uint64
	dropped        [drops]atomic.Uint64
	kernel         atomic.Uint64
	eventsLost     atomic.Uint64
	notRestored    atomic.Uint64
	deaf           atomic.Uint64
}

// Counters are the figures of an engine since its start.
type Counters struct {
	Packets, Bytes uint64        // relayed
	Dropped        [drops]uint64 // by Drop
	Kernel         uint64        // dropped by the kernel because we did not read in time
	Sessions       int           // living
	Opened         uint64
	EventsLost     uint64 // OnEvent was too slow
	NotRestored    uint64 // sessions of the journal whose ports could not be bound again
	Deaf           uint64 // sessions that the kernel would not wake us for (fs.epoll.max_user_watches)
	JournalErrors  uint64 // writes that failed: what changed since may be lost by a crash
	Ports          []PortFigures
}

// PortFigures describe the ports of one address, in pairs.
type PortFigures struct {
	Addr    netip.Addr
	Free    int // rested
	Resting int
	Early   uint64 // taken before their rest was over
}

// Counters returns the figures as they are now.
func (e *Engine) Counters() Counters {
	c := Counters{
		Packets: e.counts.packets.Load(), Bytes: e.counts.bytes.Load(), Kernel: e.counts.kernel.Load(),
		EventsLost: e.counts.eventsLost.Load(), NotRestored: e.counts.notRestored.Load(), Deaf: e.counts.deaf.Load(),
		JournalErrors: e.journal.failures(),
	}
	for d := range c.Dropped {
		c.Dropped[d] = e.counts.dropped[d].Load()
	}
	e.mu.Lock()
	c.Sessions, c.Opened = len(e.sessions), e.opened
	e.mu.Unlock()
	for addr, p := range e.pools {
		free, resting, early := p.figures()
		c.Ports = append(c.Ports, PortFigures{addr, free, resting, early})
	}
	slices.SortFunc(c.Ports, func(a, b PortFigures) int { return a.Addr.Compare(b.Addr) })
	return c
}
