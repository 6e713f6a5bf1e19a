package transport

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

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

// failuresTo collects what Handler.Failed tells.
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
				Closed:  func(_ int64, p Peer, _ func(uint64) bool, _ *Out) { closed <- p },
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

// A connection that we dialled owes us no first message: a quiet target is idle, not late.

// A queue that never runs empty keeps its marks in bounds.

// A peer that does not read loses its connection, and every message that the kernel did not take is told, each once.

// A peer that reads late gets everything in order, by the goroutine that waits for the socket.

// A target whose accept queue is full answers no SYN: the dial hangs.

// A failure may be answered with another send from within Failed: that is how a request goes to the next target.
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
		Closed: func(_ int64, p Peer, _ func(uint64) bool, _ *Out) { closed <- p },
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
