package transport

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/hotcut/hotcut/proxy/wire"
)

func tcpSpec(addr string) Spec {
	return Spec{Name: "test-tcp", Proto: TCP, Addr: netip.MustParseAddrPort(addr), DialsOut: true}
}

// sip makes the smallest message that a stream accepts, told apart by its body.
func sip(body string) string {
	return fmt.Sprintf("MESSAGE sip:a@127.0.0.1 SIP/2.0\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
}

func body(raw []byte) string {
	_, b, _ := strings.Cut(string(raw), "\r\n\r\n")
	return b
}

// dialTo opens a plain connection of the test's own.
func dialTo(t testing.TB, to netip.AddrPort) *net.TCPConn {
	t.Helper()
	c, err := net.DialTCP("tcp", nil, net.TCPAddrFromAddrPort(to))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(patience))
	return c
}

// listenOn opens a plain listener of the test's own.
func listenOn(t testing.TB) (*net.TCPListener, netip.AddrPort) {
	t.Helper()
	ln, err := net.ListenTCP("tcp", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	ln.SetDeadline(time.Now().Add(patience))
	return ln, localAddr(ln.Addr())
}

func accept(t testing.TB, ln *net.TCPListener) *net.TCPConn {
	t.Helper()
	c, err := ln.AcceptTCP()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(patience))
	return c
}

func write(t testing.TB, c net.Conn, s string) {
	t.Helper()
	if _, err := io.WriteString(c, s); err != nil {
		t.Fatal(err)
	}
}

// expect reads exactly want.
func expect(t testing.TB, c io.Reader, want string) {
	t.Helper()
	buf := make([]byte, len(want))
	if n, err := io.ReadFull(c, buf); err != nil || string(buf) != want {
		t.Fatalf("read %q (%v), want %q", buf[:n], err, want)
	}
}

// readBody reads one message of sip's making.
func readBody(t testing.TB, r *bufio.Reader) string {
	t.Helper()
	size := 0
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		if line == "\r\n" {
			break
		}
		fmt.Sscanf(line, "Content-Length: %d", &size)
	}
	b := make([]byte, size)
	if _, err := io.ReadFull(r, b); err != nil {
		t.Fatal(err)
	}
	return string(b)
}

type failed struct {
	to  Peer
	tag uint64
	err error
}

// failures collects what Handler.Failed tells.
func failuresTo(c chan failed) func(int64, Peer, uint64, error, *Out) {
	return func(_ int64, to Peer, tag uint64, err error, _ *Out) { c <- failed{to, tag, err} }
}

func TestStreamEchoBothFamilies(t *testing.T) {
	for _, host := range loopbacks() {
		t.Run(host, func(t *testing.T) {
			seen := make(chan Peer, 9)
			closed := make(chan Peer, 1)
			tr := start(t, []Spec{tcpSpec(host)}, Handler{
				Message: func(now int64, from Peer, raw []byte, out *Out) { seen <- from; echo(now, from, raw, out) },
				Closed:  func(_ int64, p Peer) { closed <- p },
			}, Limits{Poison: true})
			c := dialTo(t, tr.Addr(0))
			for _, b := range []string{"", "one", strings.Repeat("big", 20_000)} {
				write(t, c, sip(b))
				expect(t, c, sip(b))
			}
			want := Peer{Proto: TCP, Addr: localAddr(c.LocalAddr())}
			got := event(t, seen)
			want.Conn = got.Conn
			if got != want || got.Conn == 0 {
				t.Errorf("peer %s, want %s", got, want)
			}
			c.Close()
			if p := event(t, closed); p != got {
				t.Errorf("closed %s, want %s", p, got)
			}
			if n := tr.Stats().MessagesIn.Load(); n != 3 {
				t.Errorf("counted %d messages", n)
			}
		})
	}
}

// A stream's cuts mean nothing: every split of the same bytes gives the same messages.
func TestStreamSplitAtEveryByte(t *testing.T) {
	got := make(chan string, 9)
	tr := start(t, []Spec{tcpSpec("127.0.0.1:0")}, Handler{Message: func(_ int64, _ Peer, raw []byte, _ *Out) {
		got <- body(raw)
	}}, Limits{Poison: true})
	c := dialTo(t, tr.Addr(0))
	all := sip("one") + sip("") + "\r\n\r\n" + sip("three\r\n\r\n")
	for cut := 1; cut < len(all); cut++ {
		before := tr.Stats().BytesIn.Load()
		write(t, c, all[:cut])
		reach(t, "bytes in", tr.Stats().BytesIn.Load, before+uint64(cut)) // the first part was read by itself
		write(t, c, all[cut:])
		for _, want := range []string{"one", "", "three\r\n\r\n"} {
			if b := event(t, got); b != want {
				t.Fatalf("cut at %d: got %q, want %q", cut, b, want)
			}
		}
		expect(t, c, "\r\n")
	}
	write(t, c, strings.Repeat(all, 3))
	for range 9 {
		event(t, got)
	}
}

func TestPingIsAnswered(t *testing.T) {
	tr := start(t, []Spec{tcpSpec("127.0.0.1:0")}, Handler{Message: echo}, Limits{})
	c := dialTo(t, tr.Addr(0))
	write(t, c, "\r\n\r\n"+sip("x")+"\r\n\r\n")
	expect(t, c, "\r\n"+sip("x")+"\r\n")
}

func TestBrokenStreamIsAnsweredAndClosed(t *testing.T) {
	refused := make(chan string, 9)
	tr := start(t, []Spec{tcpSpec("127.0.0.1:0")}, Handler{
		Message: echo,
		Refused: func(reason string, _ netip.AddrPort) { refused <- reason },
		Broken: func(_ int64, from Peer, head []byte, f wire.Fault, out *Out) {
			out.End(from, fmt.Appendf(out.Begin(), "400 for %d bytes", len(head)), 0)
		},
	}, Limits{})
	head := "INVITE sip:a SIP/2.0\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n"
	c := dialTo(t, tr.Addr(0))
	write(t, c, sip("good")+head+strings.Repeat("unread", 5_000))
	got, err := io.ReadAll(c)
	if want := sip("good") + fmt.Sprintf("400 for %d bytes", len(head)); err != nil || string(got) != want {
		t.Errorf("read %q (%v), want %q", got, err, want)
	}
	if r := event(t, refused); r != wire.FaultDuplicateLength.String() {
		t.Errorf("refused for %q", r)
	}

	c = dialTo(t, tr.Addr(0))
	write(t, c, "\x16\x03\x01")
	if got, _ := io.ReadAll(c); len(got) != 0 {
		t.Errorf("garbage was answered: %q", got)
	}
	if r := event(t, refused); r != wire.FaultStartLine.String() {
		t.Errorf("refused for %q", r)
	}
	if n := tr.Stats().Count(Framing); n != 2 {
		t.Errorf("counted %d framing errors", n)
	}
}

func TestConnectionLimits(t *testing.T) {
	for _, tc := range []struct {
		lim  Limits
		want Reason
	}{
		{Limits{Conns: 2}, ConnLimit},
		{Limits{ConnsPerSource: 2}, SourceLimit},
	} {
		t.Run(tc.want.String(), func(t *testing.T) {
			refused := make(chan string, 9)
			closed := make(chan Peer, 9)
			tr := start(t, []Spec{tcpSpec("127.0.0.1:0")}, Handler{
				Message: echo,
				Refused: func(reason string, _ netip.AddrPort) { refused <- reason },
				Closed:  func(_ int64, p Peer) { closed <- p },
			}, tc.lim)
			var held []*net.TCPConn
			for range 2 {
				c := dialTo(t, tr.Addr(0))
				write(t, c, sip("x"))
				expect(t, c, sip("x"))
				held = append(held, c)
			}
			if third, err := net.Dial("tcp", tr.Addr(0).String()); err == nil { // the reset may come that early
				defer third.Close()
				if _, err := third.Read(make([]byte, 1)); err == nil {
					t.Error("the third connection was served")
				}
			}
			if r := event(t, refused); r != tc.want.String() {
				t.Errorf("refused for %q", r)
			}
			held[0].Close()
			event(t, closed)
			again := dialTo(t, tr.Addr(0))
			write(t, again, sip("y"))
			expect(t, again, sip("y"))
			if n := tr.Stats().ConnsOpen.Load(); n != 2 {
				t.Errorf("%d open", n)
			}
		})
	}
}

func TestQuietConnectionsAreClosed(t *testing.T) {
	long, short := time.Hour, 50*time.Millisecond
	for _, tc := range []struct {
		name  string
		first string
		lim   Limits
		want  Reason
	}{
		{"nothing at all", "", Limits{Header: short, Idle: long}, HeaderTimeout},
		{"pings only", "\r\n\r\n", Limits{Header: short, Idle: long}, HeaderTimeout},
		{"half a message", "MESSAGE sip:a", Limits{Header: short, Idle: long}, HeaderTimeout},
		{"a body that never ends", sip("x") + sip("yy")[:55], Limits{Header: short, Idle: long}, HeaderTimeout},
		{"idle", sip("x"), Limits{Header: long, Idle: short}, IdleTimeout},
		{"idle, after an earlier deadline", sip("x"), Limits{Header: short, Idle: 3 * short}, IdleTimeout},
	} {
		t.Run(tc.name, func(t *testing.T) {
			closed := make(chan Peer, 1)
			tr := start(t, []Spec{tcpSpec("127.0.0.1:0")}, Handler{Closed: func(_ int64, p Peer) { closed <- p }}, tc.lim)
			begin := time.Now()
			c := dialTo(t, tr.Addr(0))
			write(t, c, tc.first)
			event(t, closed)
			if d := time.Since(begin); d < short {
				t.Errorf("closed after %v", d)
			}
			if n := tr.Stats().Count(tc.want); n != 1 {
				t.Errorf("%s counted %d times", tc.want, n)
			}
		})
	}
}

// A connection that we dialled owes us no first message: a quiet target is idle, not late.
func TestPooledConnectionMayBeSilent(t *testing.T) {
	closed := make(chan Peer, 1)
	tr := start(t, []Spec{tcpSpec("127.0.0.1:0")}, Handler{Closed: func(_ int64, p Peer) { closed <- p }},
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

// A queue that never runs empty keeps its marks in bounds.
func TestMarksOfABusyQueueAreBounded(t *testing.T) {
	tr := start(t, nil, Handler{}, Limits{})
	c := tr.newConn(Peer{Proto: TCP, Conn: 1})
	for i := range uint64(10_000) {
		if !c.enqueue([]byte("12345678"), i, false) {
			t.Fatal("refused")
		}
		if i > 0 {
			c.wrote(8) // one message stays behind
		}
	}
	if n := cap(c.marks); n > 4*keptMarks {
		t.Errorf("%d marks are held for one message", n)
	}
	if m := c.marks[c.head]; m.tag != 9_999 {
		t.Errorf("the message that waits is %d", m.tag)
	}
}

// A peer that does not read loses its connection, and every message that the kernel did not take is told, each once.
func TestSlowReaderIsCutOff(t *testing.T) {
	fails := make(chan failed, 10_000)
	from := make(chan Peer, 1)
	refused := make(chan string, 1)
	tr := start(t, []Spec{tcpSpec("127.0.0.1:0")}, Handler{
		Message: func(_ int64, p Peer, _ []byte, _ *Out) { from <- p },
		Failed:  failuresTo(fails),
		Refused: func(reason string, _ netip.AddrPort) { refused <- reason },
	}, Limits{})
	c := dialTo(t, tr.Addr(0))
	write(t, c, sip("hello"))
	peer := event(t, from)
	out := tr.NewOut()
	msg := sip(strings.Repeat("z", 8<<10))
	tag := uint64(0)
	for len(fails) == 0 && tag < 9_000 {
		tag++
		out.End(peer, append(out.Begin(), msg...), tag)
		out.Flush()
	}
	if r := event(t, refused); r != SlowReader.String() {
		t.Errorf("refused for %q", r)
	}
	var tags []uint64
	for len(tags) == 0 || tags[len(tags)-1] != tag {
		f := event(t, fails)
		if f.to != peer || !errors.Is(f.err, ErrSlowReader) && !errors.Is(f.err, ErrNoConnection) {
			t.Fatalf("told %+v", f)
		}
		tags = append(tags, f.tag)
	}
	if !slices.IsSorted(tags) || uint64(len(tags)) != tag-tags[0]+1 {
		t.Errorf("tags %d to %d of %d are no tail without gap", tags[0], tags[len(tags)-1], tag)
	}
	if queued := (len(tags) + 1) * len(msg); queued < 256<<10 {
		t.Errorf("cut off with %d bytes queued", queued)
	}
}

// A peer that reads late gets everything in order, by the goroutine that waits for the socket.
func TestLateReaderGetsEverything(t *testing.T) {
	from := make(chan Peer, 1)
	fails := make(chan failed, 1000)
	tr := start(t, []Spec{tcpSpec("127.0.0.1:0")}, Handler{
		Message: func(_ int64, p Peer, _ []byte, _ *Out) { from <- p },
		Failed:  failuresTo(fails),
	}, Limits{Queue: 64 << 20})
	c := dialTo(t, tr.Addr(0))
	write(t, c, sip("hello"))
	peer := event(t, from)
	const many = 1200
	pad := strings.Repeat("p", 10_000)
	var wg sync.WaitGroup
	for part := range 2 { // two goroutines with an Out each
		wg.Go(func() {
			out := tr.NewOut()
			for i := range many / 2 {
				out.End(peer, append(out.Begin(), sip(fmt.Sprint(part, " ", i, " ", pad))...), 1)
				if i%7 == 0 {
					out.Flush()
				}
			}
			out.Flush()
		})
	}
	wg.Wait()
	r := bufio.NewReader(c)
	var next [2]int
	for range many {
		var part, i int
		b := readBody(t, r)
		if _, err := fmt.Sscanf(b, "%d %d", &part, &i); err != nil || i != next[part] || !strings.HasSuffix(b, pad) {
			t.Fatalf("got %.20q, want message %d of goroutine %d", b, next[part], part)
		}
		next[part]++
	}
	if len(fails) != 0 {
		t.Errorf("%d messages were told as failed", len(fails))
	}
}

func TestPeerThatTakesNothingTimesOut(t *testing.T) {
	from := make(chan Peer, 1)
	closed := make(chan Peer, 1)
	fails := make(chan failed, 10_000)
	tr := start(t, []Spec{tcpSpec("127.0.0.1:0")}, Handler{
		Message: func(_ int64, p Peer, _ []byte, _ *Out) { from <- p },
		Closed:  func(_ int64, p Peer) { closed <- p },
		Failed:  failuresTo(fails),
	}, Limits{Queue: 64 << 20, Write: 100 * time.Millisecond})
	c := dialTo(t, tr.Addr(0))
	write(t, c, sip("hello"))
	peer := event(t, from)
	out := tr.NewOut()
	for range 1000 {
		out.End(peer, append(out.Begin(), sip(strings.Repeat("z", 15_000))...), 5)
	}
	out.Flush()
	event(t, closed)
	if f := event(t, fails); f.to != peer || f.tag != 5 {
		t.Errorf("told %+v", f)
	}
	if n := tr.Stats().Count(WriteTimeout); n != 1 {
		t.Errorf("counted %d write timeouts", n)
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

// A target whose accept queue is full answers no SYN: the dial hangs.
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

// A failure may be answered with another send from within Failed: that is how a request goes to the next target.
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
	tr := start(t, []Spec{tcpSpec("127.0.0.1:0")}, Handler{Closed: func(_ int64, p Peer) { closed <- p }}, Limits{})
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

func TestCloseWritesFirst(t *testing.T) {
	var tr *Transport
	ready := make(chan struct{})
	closed := make(chan Peer, 1)
	tr = start(t, []Spec{tcpSpec("127.0.0.1:0")}, Handler{
		Message: func(now int64, from Peer, raw []byte, out *Out) {
			<-ready
			echo(now, from, raw, out)
			tr.Close(from)
			echo(now, from, raw, out) // to nobody
		},
		Closed: func(_ int64, p Peer) { closed <- p },
	}, Limits{})
	close(ready)
	c := dialTo(t, tr.Addr(0))
	write(t, c, sip("x"))
	if got, err := io.ReadAll(c); err != nil || string(got) != sip("x") {
		t.Errorf("read %q, %v", got, err)
	}
	event(t, closed)
}

func TestRunEndsWithConnectionsInEveryState(t *testing.T) {
	h := Handler{Message: echo, Refused: func(string, netip.AddrPort) {}}
	tr, err := New([]Spec{tcpSpec("127.0.0.1:0"), udpSpec("127.0.0.1:0")}, h, Limits{Queue: 64 << 20})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() { tr.Run(ctx) })
	idle := dialTo(t, tr.Addr(0))
	write(t, idle, sip("x"))
	expect(t, idle, sip("x"))
	half := dialTo(t, tr.Addr(0))
	write(t, half, sip("x")+"MESSAGE")
	expect(t, half, sip("x"))
	deafEnd, addr := listenOn(t) // accepts by its backlog only: a writer will wait on it
	out := tr.NewOut()
	for range 2000 {
		out.End(Peer{Proto: TCP, Addr: addr}, append(out.Begin(), sip(strings.Repeat("z", 10_000))...), 0)
	}
	out.Flush()
	accept(t, deafEnd)
	busy := dialTo(t, tr.Addr(0))
	wg.Go(func() {
		for {
			if _, err := io.WriteString(busy, sip("y")); err != nil {
				return
			}
		}
	})
	wg.Go(func() { io.Copy(io.Discard, busy) })
	cancel()
	for !tr.stopping.Load() {
		out.End(Peer{Proto: TCP, Addr: addr}, append(out.Begin(), sip("late")...), 0)
		out.Flush()
	}
	wg.Wait()
	out.End(Peer{Proto: TCP, Addr: addr}, append(out.Begin(), sip("too late")...), 0)
	out.Flush()
	if n := tr.Stats().ConnsOpen.Load(); n != 0 {
		t.Errorf("%d connections are open after Run", n)
	}
	if n := len(tr.conns.all()); n != 0 {
		t.Errorf("%d connections are known after Run", n)
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

func TestSourcesCountBySubscriber(t *testing.T) {
	for in, want := range map[string]string{
		"192.0.2.1":            "192.0.2.1",
		"2001:db8:1:2:3:4:5:6": "2001:db8:1:2::",
		"fe80::1%lo":           "fe80::",
		"2001:db8:1:2:ffff::1": "2001:db8:1:2::",
	} {
		if got := sourceOf(netip.MustParseAddr(in)).String(); got != want {
			t.Errorf("%s counts as %s, want %s", in, got, want)
		}
	}
}
