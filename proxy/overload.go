package proxy

import (
	"fmt"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/hotcut/hotcut/proxy/transport"
)

// An edge that gets more than it can do must choose, and the sooner the cheaper. The measure is how long a message lay in its socket before
// it was read: the one thing that is the same on every machine. A pause of the machine is no overload, nor is a wait of an edge that hardly does
// anything; a wait that lasts is. Then what
// could begin something new is refused without state, class by class as the wait grows, until it shrinks: what lives goes on.
//
//	never refused   responses, ACK, CANCEL, BYE, what is in a dialog or bears a valid token, emergency calls
//	150 ms          REGISTER from where phones are registered: it refreshes a binding
//	40 ms           INVITE
//	20 ms           REGISTER from elsewhere, SUBSCRIBE, OPTIONS, MESSAGE and the like
//	10 ms           copies for the dark core: none are begun
//
// A phone is told when to come again, at a time of its own; a platform, trunk or carrier gets a 503 without that, by which it goes on to
// its next edge with this call only.
type work uint8

const (
	workRefresh work = iota
	workCall
	workOther
	workCopy
	works
)

var workWords = [works]string{"refresh", "call", "other", "copy"}

// tolerable is how long a message of a class may wait in an edge that is overloaded, where limits.wait is what an INVITE has here.
var tolerable = [works]int64{
	workRefresh: int64(150 * time.Millisecond),
	workCall:    int64(40 * time.Millisecond),
	workOther:   int64(20 * time.Millisecond),
	workCopy:    int64(10 * time.Millisecond),
}

const (
	lasting = int64(200 * time.Millisecond) // a wait that goes on for so long is overload: less is a pause, after which the edge catches up
	apart   = int64(100 * time.Millisecond) // batches that wait and are farther apart are no wait that goes on: the socket was empty in between
	relief  = int64(time.Second)            // without such a wait: it is over
)

// busyShare is the part of one processor that an edge takes which can be overloaded, in percent. One that takes less and is late all the
// same waits for others on its machine: to refuse calls would cost calls, and win nothing.
const busyShare = 10

// load is what an edge takes of the processors; runChores's, but for idle.
type load struct {
	at, spent int64 // ns: when it was last looked at, and what had been taken by then
	idle      atomic.Bool
}

// look notes whether the edge was busy since it was last looked at. spent is the processor time that the process has taken.
func (l *load) look(now, spent int64) {
	if l.at != 0 {
		l.idle.Store((spent-l.spent)*100 < (now-l.at)*busyShare)
	}
	l.at, l.spent = now, spent
}

// processorTime is what this process has taken so far, in ns.
func processorTime() int64 {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return u.Utime.Nano() + u.Stime.Nano()
}

// pressure is how messages wait at one listener. Readers tell it with each batch; every step reads it. Two readers of one listener may
// overwrite each other's word: either is true.
type pressure struct {
	waited atomic.Int64 // ns, the oldest of the last batch
	since  atomic.Int64 // unix ns, of the wait that goes on; 0: there is none
	last   atomic.Int64 // unix ns, of such a wait
	over   atomic.Bool  // this listener is overloaded
	call   atomic.Int64 // ns that an INVITE may wait, by the configuration, and the others in proportion; 0: as in tolerable
}

// tolerates is how long a message of a class may wait here.
func (p *pressure) tolerates(c work) int64 {
	if call := p.call.Load(); call != 0 {
		return tolerable[c] * call / tolerable[workCall]
	}
	return tolerable[c]
}

// tell notes how long the oldest message of a batch waited; turned: overload began or ended with it.
func (p *pressure) tell(now, waited int64) (turned bool) {
	p.waited.Store(waited)
	if waited <= p.tolerates(workCopy) {
		if p.since.Load() != 0 {
			p.since.Store(0)
		}
		return p.over.Load() && now-p.last.Load() > relief && p.over.CompareAndSwap(true, false)
	}
	last := p.last.Swap(now)
	switch since := p.since.Load(); {
	case since == 0 || now-last > apart:
		p.since.Store(now)
	case now-since >= lasting:
		return !p.over.Load() && p.over.CompareAndSwap(false, true)
	}
	return false
}

// sheds: what is of this class is to be refused.
func (p *pressure) sheds(c work) bool { return p.over.Load() && p.waited.Load() > p.tolerates(c) }

// waited is told by the transport once for every batch of datagrams.
func (e *Edge) waited(now int64, listener uint16, ns int64) {
	if e.load.idle.Load() {
		ns = 0
	}
	l := &e.topo.Load().listeners[listener]
	p := l.wait
	if !p.tell(now, ns) {
		return
	}
	over := p.over.Load()
	e.lines.put(func() {
		if over {
			e.log.Warn("overloaded: messages wait too long, new work is refused, what lives goes on", "listener", l.name, "waited", time.Duration(ns))
		} else {
			e.log.Info("no longer overloaded", "listener", l.name)
		}
	})
}

// lagged is told by the timers how late they are. What comes by a stream has no wait that could be seen, and needs the same processors.
// Where no datagram comes any more none says that it did not wait.
func (e *Edge) lagged(now, ns int64) {
	for i, l := range e.topo.Load().listeners {
		switch {
		case l.proto != transport.UDP:
			e.waited(now, uint16(i), ns)
		case l.wait.over.Load() && now-l.wait.last.Load() > relief:
			e.waited(now, uint16(i), 0)
		}
	}
}

// overloaded refuses what is new while messages wait too long.
func (s *shard) overloaded(a *arrival) bool {
	p := a.lst.wait
	if !p.over.Load() {
		return false
	}
	c := workOther
	switch {
	case a.m.Is("INVITE"):
		c = workCall
	case a.m.Is("REGISTER") && s.edge.registered(a.from.Addr.Addr()):
		c = workRefresh
	}
	if !p.sheds(c) || c == workCall && s.emergency(a) {
		return false
	}
	s.edge.count.shed.Add(int(c), 1)
	return true
}

// copies: a mirrored call that begins now is copied.
func (s *shard) copies(a *arrival) bool {
	if !a.lst.wait.sheds(workCopy) {
		return true
	}
	s.edge.count.shed.Add(int(workCopy), 1)
	return false
}

func (e *Edge) overloadWarnings() (list []string) {
	for _, l := range e.topo.Load().listeners {
		if l.wait.over.Load() {
			list = append(list, fmt.Sprintf("listener %s is overloaded: messages wait %s before they are read, and new work is refused (hotcut_overload_shed_total)",
				l.name, time.Duration(l.wait.waited.Load()).Round(time.Millisecond)))
		}
	}
	return list
}
