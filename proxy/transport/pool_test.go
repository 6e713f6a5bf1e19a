package transport

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestPooledConnectionMayBeSilent(t *testing.T) {
	closed := make(chan Peer, 1)
	tr := start(t, []Spec{tcpSpec("127.0.0.1:0")}, Handler{Closed: func(_ int64, p Peer, _ func(uint64) bool, _ *Out) { closed <- p }},
		Limits{Header: time.Millisecond, Idle: 100 * time.Millisecond})
	ln, addr := listenOn(t)
	out := tr.NewOut()
	out.End(Peer{Proto: TCP, Addr: addr}, []byte(sip("x")), 0)
	out.Flush()
	c := accept(t, ln)
	expect(t, c, sip("x"))
	event(t, closed)
	if late, idle := tr.Stats().Count(HeaderTimeout), tr.Stats().Count(IdleTimeout); late != 0 || idle != 1 {
		t.Errorf("%d header timeouts, %d idle", late, idle)
	}
}

func TestPooledConnectionIsDialledOnceAndKept(t *testing.T) {
	seen := make(chan Peer, 9)
	spec := tcpSpec("127.0.0.2:0") // another address than the kernel would choose
	tr := start(t, []Spec{spec}, Handler{Message: func(_ int64, p Peer, _ []byte, _ *Out) { seen <- p }}, Limits{})
	ln, addr := listenOn(t)
	pooled := Peer{Proto: TCP, Addr: addr}
	out := tr.NewOut()
	for i := range 5 {
		out.End(pooled, append(out.Begin(), sip(fmt.Sprint(i))...), 1<<32|7)
	}
	out.Flush()
	c := accept(t, ln)
	if host := localAddr(c.RemoteAddr()).Addr(); host != spec.Addr.Addr() {
		t.Errorf("dialled from %s, not from the listener's address", host)
	}
	r := bufio.NewReader(c)
	for i := range 5 {
		if b := readBody(t, r); b != fmt.Sprint(i) {
			t.Errorf("got %q, want %d", b, i)
		}
	}
	// What comes back names the connection; the way back is that connection.
	write(t, c, sip("from the target"))
	p := event(t, seen)
	if p.Conn == 0 || p.Addr != addr {
		t.Errorf("peer %s", p)
	}
	out.End(p, append(out.Begin(), sip("by number")...), 0)
	out.End(pooled, append(out.Begin(), sip("by pool")...), 2<<32|7)
	out.Flush()
	if a, b := readBody(t, r), readBody(t, r); a != "by number" || b != "by pool" {
		t.Errorf("got %q, %q", a, b)
	}
	if n := tr.Stats().Dialled.Load(); n != 1 {
		t.Errorf("%d connections were dialled", n)
	}
	if tr.slots > 1 { // another tag may fall to another connection
		out.End(pooled, append(out.Begin(), sip("next slot")...), 8)
		out.Flush()
		if b := readBody(t, bufio.NewReader(accept(t, ln))); b != "next slot" {
			t.Errorf("got %q", b)
		}
	}
}

func TestFailedDialIsToldForEachMessage(t *testing.T) {
	fails := make(chan failed, 9)
	tr := start(t, []Spec{tcpSpec("127.0.0.1:0")}, Handler{Failed: failuresTo(fails)}, Limits{})
	ln, addr := listenOn(t)
	ln.Close()
	pooled := Peer{Proto: TCP, Addr: addr}
	out := tr.NewOut()
	slots := uint64(tr.slots) // the same connection each time, or a later dial if the first failed quickly
	for i := range uint64(3) {
		out.End(pooled, append(out.Begin(), sip("x")...), i*slots)
	}
	out.Flush()
	for i := range uint64(3) {
		if f := event(t, fails); f.to != pooled || f.tag != i*slots || !errors.Is(f.err, unix.ECONNREFUSED) {
			t.Errorf("told %+v", f)
		}
	}
	if tr.Stats().Count(DialError) == 0 {
		t.Error("not counted")
	}
}

func TestHangingDialHoldsItsQueueAndTimesOut(t *testing.T) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(fd) })
	if err := errors.Join(unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}), unix.Listen(fd, 0)); err != nil {
		t.Fatal(err)
	}
	sa, err := unix.Getsockname(fd)
	if err != nil {
		t.Fatal(err)
	}
	addr := netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), uint16(sa.(*unix.SockaddrInet4).Port))
	for full := false; !full; {
		c, err := net.DialTimeout("tcp", addr.String(), 200*time.Millisecond)
		if full = err != nil; !full {
			t.Cleanup(func() { c.Close() })
		}
	}

	fails := make(chan failed, 9)
	tr := start(t, []Spec{tcpSpec("127.0.0.1:0")}, Handler{Failed: failuresTo(fails)}, Limits{Dial: 300 * time.Millisecond})
	out := tr.NewOut()
	pooled := Peer{Proto: TCP, Addr: addr}
	for i := range uint64(3) {
		out.End(pooled, append(out.Begin(), sip("x")...), i<<32)
		out.Flush()
	}
	if n := len(fails); n != 0 {
		t.Fatalf("%d messages failed while the dial is under way", n)
	}
	for i := range uint64(3) {
		if f := event(t, fails); f.tag != i<<32 || f.to != pooled {
			t.Errorf("told %+v", f)
		}
	}
	if n := tr.Stats().Count(DialError); n != 1 {
		t.Errorf("%d dials failed, want one for all three", n)
	}

	// A dial under way can be given up.
	out.End(pooled, append(out.Begin(), sip("y")...), 4<<32)
	tr.Close(pooled)
	if f := event(t, fails); f.tag != 4<<32 || !errors.Is(f.err, ErrClosed) {
		t.Errorf("told %+v", f)
	}
}

func TestNoWayIsToldAsFailure(t *testing.T) {
	fails := make(chan failed, 9)
	deaf := tcpSpec("127.0.0.1:0")
	deaf.DialsOut = false
	tr := start(t, []Spec{tcpSpec("127.0.0.1:0"), deaf, udpSpec("127.0.0.1:0")}, Handler{Failed: failuresTo(fails)}, Limits{Dialled: 1})
	_, addr := listenOn(t)
	_, other := listenOn(t)
	out := tr.NewOut()
	out.End(Peer{Proto: TCP, Addr: addr}, append(out.Begin(), sip("x")...), 0) // takes the only place
	for _, tc := range []struct {
		to   Peer
		want error
	}{
		{Peer{Proto: TCP, Conn: 12345, Addr: addr}, ErrNoConnection},
		{Peer{Proto: TCP, Listener: 1, Addr: addr}, ErrNoDial},
		{Peer{Proto: TCP, Listener: 2, Addr: addr}, ErrNoDial},
		{Peer{Proto: TCP, Listener: 3, Addr: addr}, ErrNoDial},
		{Peer{Proto: TCP}, ErrNoDial},
		{Peer{Proto: TCP, Addr: netip.MustParseAddrPort("[::1]:5060")}, ErrNoDial},
		{Peer{Proto: TCP, Addr: other}, ErrDialLimit},
	} {
		out.End(tc.to, append(out.Begin(), sip("x")...), 9)
		if f := event(t, fails); f.to != tc.to || f.tag != 9 || !errors.Is(f.err, tc.want) {
			t.Errorf("told %+v, want %v for %s", f, tc.want, tc.to)
		}
	}
}

func TestFailedMaySendElsewhere(t *testing.T) {
	ln, addr := listenOn(t)
	gone, dead := listenOn(t)
	gone.Close()
	next := Peer{Proto: TCP, Addr: addr}
	tr := start(t, []Spec{tcpSpec("127.0.0.1:0")}, Handler{Failed: func(_ int64, to Peer, tag uint64, _ error, out *Out) {
		if to != next {
			out.End(next, append(out.Begin(), sip(fmt.Sprint("second try of ", tag))...), tag)
		}
	}}, Limits{})
	out := tr.NewOut()
	out.End(Peer{Proto: TCP, Addr: dead}, append(out.Begin(), sip("x")...), 3)
	out.Flush()
	if b := readBody(t, bufio.NewReader(accept(t, ln))); b != "second try of 3" {
		t.Errorf("got %q", b)
	}
}

func TestPooledConnectionThatDiesIsReplaced(t *testing.T) {
	closed := make(chan Peer, 9)
	tr := start(t, []Spec{tcpSpec("127.0.0.1:0")}, Handler{Closed: func(_ int64, p Peer, _ func(uint64) bool, _ *Out) { closed <- p }}, Limits{})
	ln, addr := listenOn(t)
	pooled := Peer{Proto: TCP, Addr: addr}
	out := tr.NewOut()
	seen := map[uint64]bool{}
	for i := range 5 {
		out.End(pooled, append(out.Begin(), sip(fmt.Sprint(i))...), 0)
		out.Flush()
		c := accept(t, ln)
		if b := readBody(t, bufio.NewReader(c)); b != fmt.Sprint(i) {
			t.Fatalf("got %q, want %d", b, i)
		}
		c.Close()
		p := event(t, closed)
		if seen[p.Conn] || p.Conn == 0 {
			t.Errorf("connection number %d came again", p.Conn)
		}
		seen[p.Conn] = true
	}
	if n := len(tr.conns.all()); n != 0 {
		t.Errorf("%d connections are still known", n)
	}
}

func TestFailuresAreBounded(t *testing.T) {
	var s Stats
	f := newFailures(&s)
	for i := range uint64(maxFailures + 10) {
		f.add(Peer{}, i, ErrClosed)
	}
	if len(f.list) != maxFailures || s.Count(FailuresLost) != 10 {
		t.Errorf("%d kept, %d counted as lost", len(f.list), s.Count(FailuresLost))
	}
}
