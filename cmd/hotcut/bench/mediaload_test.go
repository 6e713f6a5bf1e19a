//go:build bench

package bench

import (
	endian "encoding/binary"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

const (
	packetEvery = 20 * time.Millisecond
	packetSize  = 12 + 160 // G.711
	sendGrain   = 200 * time.Microsecond
	earNap      = time.Millisecond
	batchSize   = 64
	histogram   = 100_000 // microseconds; what took longer counts as this
)

// talkers are both parties of many calls: one socket for all phones and one for all media servers of the platform. The relay
// under test has sockets for each call, so to it they are many. A packet carries when it was sent; when it arrived is the
// kernel's word (SO_TIMESTAMPNS), so that our own waking up is not in the delay.
type talkers struct {
	socket [2]int // phones, platform
	addr   [2]netip.AddrPort
}

// talk is what a relay told the two parties of a call: where to send.
type talk [2]netip.AddrPort

// heard is what came of one round.
type heard struct {
	sent, received uint64
	own            uint64 // that our own sockets dropped: the round is of no use
	late           uint64 // that were sent more than a packet time too late: we could not keep up
	delay          []uint32
}

func newTalkers(t *testing.T, phones, platform string) *talkers {
	t.Helper()
	k := &talkers{}
	for i, addr := range [2]string{phones, platform} {
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { unix.Close(fd) })
		at := netip.MustParseAddr(addr)
		err = unix.Bind(fd, &unix.SockaddrInet4{Addr: at.As4()})
		if err == nil && unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, 16<<20) != nil {
			err = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, 16<<20)
		}
		if err == nil {
			err = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_TIMESTAMPNS, 1)
		}
		name, err2 := unix.Getsockname(fd)
		if err != nil || err2 != nil {
			t.Fatal(err, err2)
		}
		k.socket[i], k.addr[i] = fd, netip.AddrPortFrom(at, uint16(name.(*unix.SockaddrInet4).Port))
	}
	return k
}

// body is the description of a party: 0 the phone, 1 the platform.
func (k *talkers) body(party int) string {
	a := k.addr[party]
	return fmt.Sprintf("v=0\r\no=- 1 1 IN IP4 %v\r\ns=-\r\nc=IN IP4 %[1]v\r\nt=0 0\r\nm=audio %d RTP/AVP 0\r\n", a.Addr(), a.Port())
}

// run lets all calls talk, 50 packets a second each way at phases of chance, and looks at those that were sent after the
// warm-up. during is called at both ends of that time.
func (k *talkers) run(calls []talk, warm, long time.Duration, during func()) heard {
	h := heard{delay: make([]uint32, histogram+1)}
	before := drops(k.socket[0]) + drops(k.socket[1])
	begin := time.Now()
	from, to := begin.Add(warm).UnixNano(), begin.Add(warm+long).UnixNano()
	var stop atomic.Bool
	var ears sync.WaitGroup
	both := [2]heard{}
	for i := range k.socket {
		ears.Go(func() { both[i] = k.listen(k.socket[i], from, to, &stop) })
	}
	mouth := make(chan struct{})
	go func() {
		defer close(mouth)
		h.sent, h.late = k.speak(calls, begin, from, to)
	}()
	time.Sleep(time.Until(time.Unix(0, from)))
	during()
	time.Sleep(time.Until(time.Unix(0, to)))
	during()
	<-mouth
	time.Sleep(300 * time.Millisecond)
	stop.Store(true)
	ears.Wait()
	for i := range both {
		h.received += both[i].received
		for d, n := range both[i].delay {
			h.delay[d] += n
		}
	}
	h.own = uint64(drops(k.socket[0]) + drops(k.socket[1]) - before)
	return h
}

// first lets the calling thread go before what else the machine does, if it may: a load generator that is late measures
// itself. The contestants get the same (startMediaNode, startRTPEngine). It lasts as long as the thread.
func first() { unix.Setpriority(unix.PRIO_PROCESS, unix.Gettid(), priority) }

const priority = -10

// goFirst does the same for all that this terminal's session has started, where the kernel groups processes by it
// (sched(7), autogroup), until the test ends.
func goFirst(t *testing.T) {
	const file = "/proc/self/autogroup"
	if os.WriteFile(file, []byte(strconv.Itoa(priority)), 0) == nil {
		t.Cleanup(func() { os.WriteFile(file, []byte("0"), 0) })
	}
}

// mmsghdr is that of recvmmsg(2).
type mmsghdr struct {
	hdr unix.Msghdr
	n   uint32
	_   [4]byte
}

// flow is one direction of a call.
type flow struct {
	due    time.Duration // since the beginning
	socket int
	to     unix.RawSockaddrInet4
	ssrc   uint32
	seq    uint16
}

// speak sends until the end, in the order in which packets are due.
func (k *talkers) speak(calls []talk, begin time.Time, from, to int64) (sent, late uint64) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	first()
	flows := make([]*flow, 0, 2*len(calls))
	for i, c := range calls {
		for party := range c {
			f := &flow{due: rand.N(packetEvery), socket: party, ssrc: uint32(i)<<1 | uint32(party) | 1<<31}
			f.to.Family, f.to.Addr = unix.AF_INET, c[party].Addr().As4()
			endian.BigEndian.PutUint16((*[2]byte)(unsafe.Pointer(&f.to.Port))[:], c[party].Port())
			flows = append(flows, f)
		}
	}
	slices.SortFunc(flows, func(a, b *flow) int { return int(a.due - b.due) })
	var out [2]struct {
		msgs  [batchSize]mmsghdr
		iovs  [batchSize]unix.Iovec
		data  [batchSize][packetSize]byte
		names [batchSize]unix.RawSockaddrInet4
		n     int
	}
	flush := func(s int) {
		o := &out[s]
		for i := 0; i < o.n; {
			n, _, errno := unix.RawSyscall6(unix.SYS_SENDMMSG, uintptr(k.socket[s]), uintptr(unsafe.Pointer(&o.msgs[i])), uintptr(o.n-i), 0, 0, 0)
			if errno != 0 {
				n = 1 // an ICMP error of an earlier one; this one counts as lost
			}
			i += int(n)
		}
		o.n = 0
	}
	for next := 0; ; {
		now := time.Now()
		at, since := now.UnixNano(), now.Sub(begin)
		if at >= to {
			return sent, late
		}
		for flows[next].due <= since {
			f := flows[next]
			o := &out[f.socket]
			i := o.n
			b := o.data[i][:]
			b[0] = 0x80
			endian.BigEndian.PutUint16(b[2:], f.seq)
			endian.BigEndian.PutUint32(b[4:], uint32(f.seq)*160)
			endian.BigEndian.PutUint32(b[8:], f.ssrc)
			endian.LittleEndian.PutUint64(b[12:], uint64(at))
			o.names[i] = f.to
			o.iovs[i].Base, o.iovs[i].Len = &b[0], packetSize
			h := &o.msgs[i].hdr
			h.Name, h.Namelen, h.Iov, h.Iovlen = (*byte)(unsafe.Pointer(&o.names[i])), unix.SizeofSockaddrInet4, &o.iovs[i], 1
			if o.n++; o.n == batchSize {
				flush(f.socket)
			}
			if at >= from {
				sent++
				if since-f.due > packetEvery {
					late++
				}
			}
			f.seq++
			f.due += packetEvery
			next = (next + 1) % len(flows)
		}
		flush(0)
		flush(1)
		ts := unix.NsecToTimespec(int64(sendGrain))
		unix.Nanosleep(&ts, nil)
	}
}

// listen counts what arrives at a socket and was sent in the time that counts.
func (k *talkers) listen(fd int, from, to int64, stop *atomic.Bool) heard {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	h := heard{delay: make([]uint32, histogram+1)}
	var msgs [batchSize]mmsghdr
	var iovs [batchSize]unix.Iovec
	var data [batchSize][packetSize]byte
	var control [batchSize][64]byte
	for i := range msgs {
		iovs[i].Base, iovs[i].Len = &data[i][0], packetSize
		msgs[i].hdr.Iov, msgs[i].hdr.Iovlen, msgs[i].hdr.Control = &iovs[i], 1, &control[i][0]
	}
	first()
	for !stop.Load() {
		for i := range msgs {
			msgs[i].hdr.Controllen = uint64(len(control[i]))
		}
		n, _, errno := unix.RawSyscall6(unix.SYS_RECVMMSG, uintptr(fd), uintptr(unsafe.Pointer(&msgs)), batchSize, unix.MSG_DONTWAIT, 0, 0)
		if errno != 0 || n < batchSize {
			ts := unix.NsecToTimespec(int64(earNap)) // the kernel has noted the time; being quick would only cost
			unix.Nanosleep(&ts, nil)
		}
		if errno != 0 {
			continue
		}
		for i := range int(n) {
			at := int64(endian.LittleEndian.Uint64(data[i][12:]))
			if msgs[i].n != packetSize || at < from || at >= to {
				continue
			}
			h.received++
			// struct cmsghdr is 16 bytes; struct timespec follows.
			seconds, nanos := endian.LittleEndian.Uint64(control[i][16:]), endian.LittleEndian.Uint64(control[i][24:])
			took := time.Duration(int64(seconds)*1e9 + int64(nanos) - at)
			h.delay[min(max(took.Microseconds(), 0), histogram)]++
		}
	}
	return h
}

// quantile of a histogram, in microseconds.
func quantile(delay []uint32, q float64) int {
	var all, n uint64
	for _, c := range delay {
		all += uint64(c)
	}
	for d, c := range delay {
		if n += uint64(c); c > 0 && float64(n) >= q*float64(all) {
			return d
		}
	}
	return 0
}

// drops of a socket, by the kernel (SO_MEMINFO).
func drops(fd int) uint32 {
	var info [9]uint32
	size := uint32(unsafe.Sizeof(info))
	unix.RawSyscall6(unix.SYS_GETSOCKOPT, uintptr(fd), unix.SOL_SOCKET, unix.SO_MEMINFO, uintptr(unsafe.Pointer(&info[0])), uintptr(unsafe.Pointer(&size)), 0)
	return info[8]
}

// ownCPU is what this process has spent, in nanoseconds.
func ownCPU() int64 {
	var u syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return u.Utime.Nano() + u.Stime.Nano()
}
