package media

import (
	"errors"
	"runtime"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

const (
	batch = 128 // sockets taken from the kernel per wake

	// How long a thread that is busy waits for the next packet without giving its processor back to the Go scheduler.
	// Giving it back and getting it again costs more than relaying the packet does (doc.go).
	holdWait = 2 * time.Millisecond

	sweepEvery  = time.Second
	kernelEvery = 8   // a session's kernel counters are read every so many sweeps
	fullThread  = 800 // sessions that one thread takes before the next one gets any: batches grow with the sessions
	mailID      = -1  // epoll's tag of the wake-up descriptor
	receiveRoom = 2048
)

// A thread relays the sessions given to it. It is one OS thread with its own epoll instance; nothing of a session is
// touched by any other. Others talk to it by do.
type thread struct {
	// Set once by newThread.
	engine *Engine
	epoll  int
	wake   int // eventfd

	load atomic.Int64 // sessions given to it; written under the engine's mu and by release

	mu      sync.Mutex // guards mail, running, dead
	mail    []func()
	running bool // run takes the mail, or is about to; else do runs it itself
	dead    bool // descriptors are closed

	// Owned by run (by whoever holds mu, while it does not run).
	slots     []*Session
	free      []int
	sessions  int // in slots
	ready     [batch]unix.EpollEvent
	buf       [receiveRoom]byte
	name      unix.RawSockaddrInet6
	relayed   uint64 // not yet added to the engine's counters
	bytes     uint64
	dropped   [drops]uint64
	sweeps    int
	nextSweep time.Duration
}

func newThread(e *Engine) (*thread, error) {
	t := &thread{engine: e, epoll: -1, wake: -1}
	var err error
	if t.epoll, err = unix.EpollCreate1(unix.EPOLL_CLOEXEC); err != nil {
		return nil, err
	}
	if t.wake, err = unix.Eventfd(0, unix.EFD_NONBLOCK|unix.EFD_CLOEXEC); err != nil {
		return nil, errors.Join(err, unix.Close(t.epoll))
	}
	if err := t.listen(t.wake, mailID); err != nil {
		return nil, errors.Join(err, unix.Close(t.epoll), unix.Close(t.wake))
	}
	return t, nil
}

// listen is level-triggered: one receive per wake is enough, and a second one to find the socket empty is saved.
func (t *thread) listen(fd int, id int32) error {
	return unix.EpollCtl(t.epoll, unix.EPOLL_CTL_ADD, fd, &unix.EpollEvent{Events: unix.EPOLLIN, Fd: id})
}

// do runs f between two batches, in the order of the calls. It does not wait for it. f must not call do.
func (t *thread) do(f func()) {
	t.mu.Lock()
	if !t.running {
		defer t.mu.Unlock()
		f()
		return
	}
	t.mail = append(t.mail, f)
	first := len(t.mail) == 1
	t.mu.Unlock()
	if first {
		unix.Write(t.wake, []byte{1, 0, 0, 0, 0, 0, 0, 0}) // fails only if it is set already
	}
}

// begin makes do leave its work to run, which follows.
func (t *thread) begin() {
	t.mu.Lock()
	t.running = true
	t.mu.Unlock()
}

// run relays until stop is closed and t.do was called after that.
func (t *thread) run(stop <-chan struct{}) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	for {
		n := t.wait()
		now := t.engine.now()
		mail := false
		for i := range n {
			if id := t.ready[i].Fd; id != mailID {
				t.carry(t.slots[id/int32(portsPerSession)], port(id%int32(portsPerSession)), now)
			} else {
				mail = true
			}
		}
		t.tell()
		if now >= t.nextSweep {
			t.sweep(now)
		}
		if mail && t.read(stop) {
			return
		}
	}
}

// wait returns how many sockets are ready. While packets come it keeps its processor; if none came for a while it
// gives it back.
func (t *thread) wait() int {
	n, _, errno := unix.RawSyscall6(unix.SYS_EPOLL_PWAIT, uintptr(t.epoll), uintptr(unsafe.Pointer(&t.ready)), batch,
		uintptr(holdWait/time.Millisecond), 0, 0)
	if errno == 0 && n > 0 {
		return int(n)
	}
	for {
		timeout := -1
		if t.sessions > 0 {
			timeout = int(max(0, t.nextSweep-t.engine.now())/time.Millisecond) + 1
		}
		n, err := unix.EpollWait(t.epoll, t.ready[:], timeout)
		if err != unix.EINTR {
			return max(0, n)
		}
	}
}

// carry takes one packet through. At 50 packets a second a socket never has two.
func (t *thread) carry(s *Session, at port, now time.Duration) {
	n, from, errno := receive(s.sockets[at], t.buf[:], &t.name)
	if errno != 0 {
		return // an ICMP error of an earlier packet, or a datagram with a wrong checksum
	}
	to, drop := s.route(at, from, t.buf[:n], now)
	if drop == dropNone {
		switch send(s.sockets[to.port], t.buf[:n], to.addr, &t.name) {
		case 0:
			t.relayed++
			t.bytes += uint64(n)
		case unix.EAGAIN, unix.ENOBUFS:
			drop = s.refuse(at.leg(), DropSendFull)
		default:
			drop = s.refuse(at.leg(), DropSendError)
		}
	}
	t.dropped[drop]++
	if s.moved {
		s.moved = false
		t.engine.journal.mark(s)
	}
}

// tell adds what a batch did to the engine's counters.
func (t *thread) tell() {
	c := &t.engine.counts
	if t.relayed > 0 {
		c.packets.Add(t.relayed)
		c.bytes.Add(t.bytes)
		t.relayed, t.bytes = 0, 0
	}
	t.dropped[dropNone] = 0
	for d, n := range t.dropped {
		if n > 0 {
			c.dropped[d].Add(n)
			t.dropped[d] = 0
		}
	}
}

// read takes the mail; true means stop.
func (t *thread) read(stop <-chan struct{}) bool {
	var count [8]byte
	unix.Read(t.wake, count[:])
	t.mu.Lock()
	mail := t.mail
	t.mail = nil
	select {
	case <-stop:
		t.running = false
		defer t.mu.Unlock() // what comes from now on runs in its caller, after this mail
	default:
		t.mu.Unlock()
	}
	for _, f := range mail {
		f()
	}
	return !t.running
}

// adopt takes a session in.
func (t *thread) adopt(s *Session) {
	if t.dead {
		s.closeSockets()
		return
	}
	if n := len(t.free); n > 0 {
		s.slot, t.free = t.free[n-1], t.free[:n-1]
	} else {
		s.slot = len(t.slots)
		t.slots = append(t.slots, nil)
	}
	t.slots[s.slot] = s
	if t.sessions == 0 {
		t.nextSweep = t.engine.now() + sweepEvery
	}
	t.sessions++
	for p, fd := range s.sockets {
		if t.listen(fd, int32(s.slot*int(portsPerSession)+p)) != nil {
			t.engine.counts.deaf.Add(1)
			return
		}
	}
}

// release lets a session go, with its sockets; ended says that the call is over and not just the engine.
func (t *thread) release(s *Session, ended bool) {
	if s.final != nil {
		return
	}
	now := t.engine.now()
	s.readKernel()
	final := s.stats(now)
	s.final = &final
	if s.slot >= 0 && s.slot < len(t.slots) && t.slots[s.slot] == s {
		t.slots[s.slot] = nil
		t.free = append(t.free, s.slot)
		t.sessions--
	}
	t.load.Add(-1)
	s.closeSockets()
	if ended {
		t.engine.rest(s, now)
		t.engine.emit(Event{Kind: EventClosed, Key: s.key, At: final.At, Final: s.final})
	}
}

// sweep looks at every session once a second.
func (t *thread) sweep(now time.Duration) {
	t.nextSweep = now + sweepEvery
	t.sweeps++
	for slot, s := range t.slots {
		if s == nil {
			continue
		}
		if (slot+t.sweeps)%kernelEvery == 0 {
			s.readKernel()
		}
		s.look(now, t.engine.options.Silence, func(k EventKind, leg Leg) {
			t.engine.emit(Event{Kind: k, Key: s.key, Leg: leg, At: t.engine.wall(now)})
		})
	}
}

// close gives the descriptors back. Nothing runs any more.
func (t *thread) close() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.dead {
		return
	}
	t.dead = true
	for _, s := range t.slots {
		if s != nil {
			s.closed.Store(true)
			t.release(s, false)
		}
	}
	unix.Close(t.epoll)
	unix.Close(t.wake)
}

// readKernel reads back what the kernel dropped.
func (s *Session) readKernel() {
	for p, fd := range s.sockets {
		n, leg := kernelDrops(fd), port(p).leg()
		counted := &s.legs[leg].kernel[p&1]
		s.engine.counts.kernel.Add(uint64(n - *counted))
		*counted = n
	}
}

func (s *Session) closeSockets() {
	for p, fd := range s.sockets {
		if fd >= 0 {
			unix.Close(fd)
			s.sockets[p] = -1
		}
	}
}
