package transport

import (
	"errors"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// How long a lane that is busy waits for the next datagram without giving its processor back to the Go scheduler.
// Giving it back and getting it again costs more than most messages do (doc.go).
const holdWait = 2 * time.Millisecond

const (
	stopID    = -1 // epoll's tag of the wake-up descriptor
	laneReady = 16 // sockets taken from the kernel per wake
)

// A lane is one goroutine that reads one socket of each UDP listener, outside the runtime's poller, with an epoll instance of
// its own. What arrived together on its sockets is handled together and leaves together.
type lane struct {
	t       *Transport
	epoll   int
	wake    int // eventfd: the lane is to end
	out     *Out
	readers []*udpReader
	ticks   bool  // it calls Handler.Tick
	ticked  int64 // when it last did
	ready   [laneReady]unix.EpollEvent
}

// newLane makes the n-th lane: the n-th socket of every listener that has so many.
func newLane(t *Transport, n int) (*lane, error) {
	l := &lane{t: t, epoll: -1, wake: -1, out: t.newOut(n), ticks: n == 0 && t.handler.Tick != nil}
	var err error
	if l.epoll, err = unix.EpollCreate1(unix.EPOLL_CLOEXEC); err != nil {
		return nil, err
	}
	if l.wake, err = unix.Eventfd(0, unix.EFD_NONBLOCK|unix.EFD_CLOEXEC); err != nil {
		return nil, errors.Join(err, l.close())
	}
	if err := l.listen(l.wake, stopID); err != nil {
		return nil, errors.Join(err, l.close())
	}
	for i, listener := range t.listeners {
		if n >= len(listener.udp) {
			continue
		}
		s := listener.udp[n]
		if err := l.listen(s.fd, int32(len(l.readers))); err != nil {
			return nil, errors.Join(err, l.close())
		}
		l.readers = append(l.readers, &udpReader{t: t, listener: uint16(i), fd: uintptr(s.fd), out: l.out, recv: newRecvHeaders(), errs: newErrorQueue()})
	}
	return l, nil
}

// listen is level-triggered: one receive per wake is enough, and a second one to find the socket empty is saved.
func (l *lane) listen(fd int, id int32) error {
	return unix.EpollCtl(l.epoll, unix.EPOLL_CTL_ADD, fd, &unix.EpollEvent{Events: unix.EPOLLIN, Fd: id})
}

// run handles what arrives until the transport stops and stop was called. A kernel that can not give a datagram just now
// (out of memory) is asked again by the next wait, which returns at once.
func (l *lane) run() {
	for !l.t.stopping.Load() {
		n := l.wait()
		l.t.stats.Wakeups.Add(1)
		now := time.Now().UnixNano()
		for i := range n {
			if id := l.ready[i].Fd; id != stopID {
				l.readers[id].readable(now, l.ready[i].Events)
			}
		}
		if since := now - l.ticked; l.ticks && (since >= int64(TickEvery) || since < 0) { // the clock may have been set back
			l.ticked = now
			l.out.Step()
			l.t.handler.Tick(now, l.out)
		}
		l.out.Flush()
	}
}

// wait returns how many sockets are ready. While datagrams come it keeps its processor; if none came for a while it
// gives it back.
func (l *lane) wait() int {
	for {
		n, errno := l.hold()
		if n > 0 {
			return n
		}
		if errno != unix.EINTR {
			break
		}
	}
	most := -1
	if l.ticks {
		most = int((TickEvery - holdWait) / time.Millisecond)
	}
	for {
		n, err := unix.EpollWait(l.epoll, l.ready[:], most)
		if err != unix.EINTR {
			return max(0, n)
		}
	}
}

// hold waits without the scheduler's knowledge. A signal interrupts it: the scheduler wants the processor for a moment, and gets it
// at the next call of a function that can be preempted, which this one must be.
//
//go:noinline
func (l *lane) hold() (int, unix.Errno) {
	n, _, errno := unix.RawSyscall6(unix.SYS_EPOLL_PWAIT, uintptr(l.epoll), uintptr(unsafe.Pointer(&l.ready)), laneReady,
		uintptr(holdWait/time.Millisecond), 0, 0)
	if errno != 0 {
		return 0, errno
	}
	return int(n), 0
}

// stop ends a wait.
func (l *lane) stop() { unix.Write(l.wake, []byte{1, 0, 0, 0, 0, 0, 0, 0}) }

// close gives the descriptors back, but for the sockets: they are the listeners'.
func (l *lane) close() error {
	var err error
	for _, fd := range []int{l.epoll, l.wake} {
		if fd >= 0 {
			err = errors.Join(err, unix.Close(fd))
		}
	}
	return err
}
