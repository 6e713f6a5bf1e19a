package transport

import (
	"bytes"
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sys/unix"
)

// echo answers every datagram with itself.
func echo(_ int64, from Peer, raw []byte, out *Out) {
	out.End(from, append(out.Begin(), raw...), 0)
}

func TestEchoBothFamilies(t *testing.T) {
	for _, host := range loopbacks() {
		t.Run(host, func(t *testing.T) {
			seen := make(chan Peer, 1)
			tr := start(t, []Spec{udpSpec(host)}, Handler{Message: func(now int64, from Peer, raw []byte, out *Out) {
				seen <- from
				echo(now, from, raw, out)
			}}, Limits{})
			c := socket(t, host)
			for _, msg := range []string{"OPTIONS", strings.Repeat("x", 60_000), "a"} {
				send(t, c, tr.Addr(0), msg)
				got, from := receive(t, c)
				if got != msg || from != tr.Addr(0) {
					t.Fatalf("got %d bytes from %s, want %d from %s", len(got), from, len(msg), tr.Addr(0))
				}
				if p := event(t, seen); p != peerOf(c, 0) {
					t.Fatalf("peer %s, want %s", p, peerOf(c, 0))
				}
			}
			reach(t, "datagrams in", tr.Stats().DatagramsIn.Load, 3) // counted after the batch
			reach(t, "datagrams out", tr.Stats().DatagramsOut.Load, 3)
		})
	}
}

func TestManyDatagramsKeepTheirOrder(t *testing.T) {
	const many = 1000
	tr := start(t, []Spec{udpSpec("127.0.0.1:0")}, Handler{Message: echo}, Limits{})
	c := socket(t, "127.0.0.1:0")
	for first := 0; first < many; first += 100 { // the test's own socket has a small buffer
		for i := first; i < first+100; i++ {
			send(t, c, tr.Addr(0), fmt.Sprint("message ", i))
		}
		for i := first; i < first+100; i++ {
			if got, _ := receive(t, c); got != fmt.Sprint("message ", i) {
				t.Fatalf("got %q in place of message %d", got, i)
			}
		}
	}
}

func TestKeepalivesAreCountedAndDropped(t *testing.T) {
	seen := make(chan string, 9)
	tr := start(t, []Spec{udpSpec("127.0.0.1:0")}, Handler{Message: func(_ int64, _ Peer, raw []byte, _ *Out) {
		seen <- string(raw)
	}}, Limits{})
	c := socket(t, "127.0.0.1:0")
	for _, msg := range []string{"\r\n\r\n", "", "\r\n", "\r\n\r\nOPTIONS"} {
		send(t, c, tr.Addr(0), msg)
	}
	if got := event(t, seen); got != "\r\n\r\nOPTIONS" {
		t.Errorf("a keepalive reached the handler: %q", got)
	}
	// The counter is written after the batch: a second message that is seen proves that the first one's batch is over.
	send(t, c, tr.Addr(0), "next")
	event(t, seen)
	if n := tr.Stats().Count(Keepalive); n != 3 {
		t.Errorf("counted %d keepalives, want 3", n)
	}
}

func TestUnreachableTellsWhatWasSent(t *testing.T) {
	for _, host := range loopbacks() {
		t.Run(host, func(t *testing.T) {
			type told struct {
				listener uint16
				addr     netip.AddrPort
				datagram string
			}
			errs := make(chan told, 16)
			tr := start(t, []Spec{udpSpec(host)}, Handler{Message: echo, Unreachable: func(_ int64, l uint16, a netip.AddrPort, d []byte, _ *Out) {
				errs <- told{l, a, string(d)}
			}}, Limits{})
			gone := socket(t, host)
			peer := peerOf(gone, 0)
			gone.Close()
			out := tr.NewOut()
			out.End(peer, append(out.Begin(), "INVITE sip:a"...), 0)
			out.Flush()
			got := event(t, errs)
			if want := (told{0, peer.Addr, "INVITE sip:a"}); got != want {
				t.Errorf("told %+v, want %+v", got, want)
			}

			// The error does not keep the reader busy: exchanges cost two or three wake-ups each, not thousands.
			c := socket(t, host)
			before := tr.Stats().Wakeups.Load()
			for range 200 {
				send(t, c, tr.Addr(0), "ping")
				receive(t, c)
			}
			if n := tr.Stats().Wakeups.Load() - before; n > 200*4 {
				t.Errorf("%d wake-ups for 200 datagrams: the reader spins", n)
			}
		})
	}
}

// An ICMP error waits on the socket and is given to the next send: that datagram must leave all the same.
func TestAnEarlierErrorCostsNoLaterDatagram(t *testing.T) {
	tr := start(t, []Spec{udpSpec("127.0.0.1:0")}, Handler{}, Limits{})
	gone := socket(t, "127.0.0.1:0")
	dead := peerOf(gone, 0)
	gone.Close()
	c := socket(t, "127.0.0.1:0")
	out := tr.NewOut()
	for i := range 50 {
		out.End(dead, append(out.Begin(), "lost"...), 0)
		out.End(peerOf(c, 0), fmt.Append(out.Begin(), i), 0)
		if i%10 == 9 {
			out.Flush()
		}
	}
	for i := range 50 {
		if got, _ := receive(t, c); got != fmt.Sprint(i) {
			t.Fatalf("got %q, want %d", got, i)
		}
	}
	if n := tr.Stats().Count(SendError); n > 50 {
		t.Errorf("%d send errors for 50 datagrams to a dead port", n)
	}
}

func TestRefusedDatagramsDoNotHoldUpOthers(t *testing.T) {
	tr := start(t, []Spec{udpSpec("127.0.0.1:0")}, Handler{}, Limits{})
	c := socket(t, "127.0.0.1:0")
	out := tr.NewOut()
	bad := []Peer{
		{Proto: UDP, Addr: netip.MustParseAddrPort("[::1]:5060")},               // not this socket's family
		{Proto: UDP, Addr: netip.AddrPort{}},                                    // no address
		{Proto: UDP, Addr: netip.MustParseAddrPort("127.0.0.1:0")},              // port 0: the kernel refuses
		{Proto: UDP, Listener: 7, Addr: netip.MustParseAddrPort("127.0.0.1:9")}, // no such listener
	}
	for _, p := range bad {
		out.End(p, append(out.Begin(), "bad"...), 0)
	}
	out.End(peerOf(c, 0), make([]byte, 65_600), 0) // no datagram is that long
	out.End(peerOf(c, 0), make([]byte, 65_520), 0) // nor this, but only the kernel knows
	mapped := netip.AddrPortFrom(netip.AddrFrom16(localAddr(c.LocalAddr()).Addr().As16()), localAddr(c.LocalAddr()).Port())
	out.End(Peer{Proto: UDP, Addr: mapped}, []byte("good"), 0)
	out.Flush()
	if got, _ := receive(t, c); got != "good" {
		t.Errorf("got %q", got)
	}
	if n := tr.Stats().Count(SendError); n != 6 {
		t.Errorf("counted %d send errors, want 6", n)
	}
}

func TestWithinAStepTheOrderHoldsAcrossSockets(t *testing.T) {
	tr := start(t, []Spec{udpSpec("127.0.0.1:0"), udpSpec("127.0.0.1:0")}, Handler{}, Limits{})
	c := socket(t, "127.0.0.1:0")
	const outside, inside = 0, 1
	out := tr.NewOut()
	put := func(listener int, msg string) { out.End(peerOf(c, listener), append(out.Begin(), msg...), 0) }
	put(inside, "INVITE 1")
	put(outside, "100 for 1")
	out.Step()
	put(outside, "486 for 2")
	put(inside, "ACK for 2")
	out.Step()
	put(inside, "INVITE 3")
	put(outside, "100 for 3")
	out.Flush()
	var got []string
	for range 6 {
		msg, _ := receive(t, c)
		got = append(got, msg)
	}
	for _, pair := range [][2]string{{"INVITE 1", "100 for 1"}, {"486 for 2", "ACK for 2"}, {"INVITE 3", "100 for 3"}, {"INVITE 1", "INVITE 3"}} {
		if slices.Index(got, pair[0]) > slices.Index(got, pair[1]) {
			t.Errorf("%q left before %q: %q", pair[1], pair[0], got)
		}
	}
}

func TestOutHoldsMoreThanItsArena(t *testing.T) {
	tr := start(t, []Spec{udpSpec("127.0.0.1:0")}, Handler{}, Limits{})
	c := socket(t, "127.0.0.1:0")
	out := tr.NewOut()
	stored := make([]byte, 0, 70_000)
	for i, size := range []int{10, 30_000, 60_000, 3, 61_000, 65_000, 20, 64_000} {
		msg := append(bytes.Repeat([]byte{byte('a' + i)}, size), "end"...)
		if i%2 == 0 {
			out.End(peerOf(c, 0), append(out.Begin(), msg...), 0)
		} else { // a buffer of the caller's, reused at once
			stored = append(stored[:0], msg...)
			out.End(peerOf(c, 0), stored, 0)
			clear(stored)
		}
		out.End(peerOf(c, 0), fmt.Append(out.Begin(), "after ", i), 0)
		if i%3 == 2 {
			out.Flush()
		}
		if i%3 == 2 || i == 7 {
			out.Flush()
			for j := i - i%3; j <= i; j++ {
				want := string(byte('a' + j))
				if got, _ := receive(t, c); !strings.HasPrefix(got, want) || !strings.HasSuffix(got, want+"end") {
					t.Fatalf("message %d is damaged: %d bytes, %q...", j, len(got), got[:3])
				}
				if got, _ := receive(t, c); got != fmt.Sprint("after ", j) {
					t.Fatalf("got %q after message %d", got, j)
				}
			}
		}
	}
}

func TestPendingListIsBounded(t *testing.T) {
	tr := start(t, []Spec{udpSpec("127.0.0.1:0")}, Handler{}, Limits{})
	c := socket(t, "127.0.0.1:0")
	out := tr.NewOut()
	for i := range maxPending + 10 {
		out.End(peerOf(c, 0), fmt.Append(out.Begin(), i), 0)
	}
	if n := len(out.pending); n != 10 {
		t.Errorf("%d are pending, want 10", n)
	}
	out.Flush()
	for i := range maxPending + 10 {
		if got, _ := receive(t, c); got != fmt.Sprint(i) {
			t.Fatalf("got %q, want %d", got, i)
		}
	}
}

func TestBeginWithoutEndSendsNothing(t *testing.T) {
	tr := start(t, []Spec{udpSpec("127.0.0.1:0")}, Handler{}, Limits{})
	c := socket(t, "127.0.0.1:0")
	out := tr.NewOut()
	_ = append(out.Begin(), "discarded"...)
	out.End(peerOf(c, 0), append(out.Begin(), "kept"...), 0)
	out.Flush()
	if got, _ := receive(t, c); got != "kept" {
		t.Errorf("got %q", got)
	}
}

func TestReceiveBuffersArePoisoned(t *testing.T) {
	var kept []byte
	after := make(chan string, 9)
	tr := start(t, []Spec{udpSpec("127.0.0.1:0")}, Handler{Message: func(_ int64, _ Peer, raw []byte, _ *Out) {
		if kept == nil {
			kept = raw
		}
		after <- string(kept)
	}}, Limits{Poison: true})
	c := socket(t, "127.0.0.1:0")
	send(t, c, tr.Addr(0), "first")
	if got := event(t, after); got != "first" {
		t.Fatalf("got %q", got)
	}
	send(t, c, tr.Addr(0), "x") // the next batch: it overwrites one byte of the same buffer
	if got := event(t, after); got != "x\xdb\xdb\xdb\xdb" {
		t.Errorf("what the handler kept is %q, not poisoned", got)
	}
}

func TestReadersShareAnAddress(t *testing.T) {
	spec := udpSpec("127.0.0.1:0")
	spec.Readers = 4
	tr := start(t, []Spec{spec}, Handler{Message: echo}, Limits{})
	if n := len(tr.listeners[0].udp); n != 4 {
		t.Fatalf("%d sockets", n)
	}
	for i := range 20 {
		c := socket(t, "127.0.0.1:0")
		send(t, c, tr.Addr(0), fmt.Sprint(i))
		if got, from := receive(t, c); got != fmt.Sprint(i) || from != tr.Addr(0) {
			t.Errorf("got %q from %s", got, from)
		}
	}
}

func TestRunEndsUnderLoad(t *testing.T) {
	h := Handler{Message: echo, Refused: func(string, netip.AddrPort) {}}
	tr, err := New([]Spec{udpSpec("127.0.0.1:0")}, h, Limits{})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() { tr.Run(ctx) })
	c := socket(t, "127.0.0.1:0")
	flood := make(chan struct{})
	wg.Go(func() {
		for {
			select {
			case <-flood:
				return
			default:
				c.WriteToUDPAddrPort([]byte("flood"), tr.Addr(0))
			}
		}
	})
	receive(t, c)
	out := tr.NewOut()
	cancel()
	for !tr.stopping.Load() { // another goroutine's sends meet the end at any point
		out.End(peerOf(c, 0), []byte("late"), 0)
		out.Flush()
	}
	close(flood)
	wg.Wait()
	out.End(peerOf(c, 0), []byte("too late"), 0)
	out.Flush()
	if tr.Stats().Count(SendError) == 0 {
		t.Error("a send on closed sockets was not counted")
	}
}

func TestSocketAddresses(t *testing.T) {
	for _, tc := range []struct {
		to   string
		six  bool
		want string // empty: refused
	}{
		{"127.0.0.1:5060", false, "127.0.0.1:5060"},
		{"[::ffff:127.0.0.1]:5060", false, "127.0.0.1:5060"},
		{"[::1]:5060", false, ""},
		{"255.254.253.252:65535", false, "255.254.253.252:65535"},
		{"[::1]:1", true, "[::1]:1"},
		{"127.0.0.1:5060", true, ""},
		{"[::ffff:127.0.0.1]:5060", true, ""},
		{"[2001:db8:1:2:3:4:5:6]:258", true, "[2001:db8:1:2:3:4:5:6]:258"},
		{"[fe80::1%7]:5060", true, "[fe80::1%7]:5060"},
		{"[fe80::1%eth0]:5060", true, ""},
	} {
		var sa unix.RawSockaddrInet6
		_, ok := putAddrPort(&sa, netip.MustParseAddrPort(tc.to), tc.six)
		if ok != (tc.want != "") {
			t.Errorf("%s on a socket of six=%v: accepted %v", tc.to, tc.six, ok)
		} else if ok && addrPort(&sa) != netip.MustParseAddrPort(tc.want) {
			t.Errorf("%s came back as %s", tc.to, addrPort(&sa))
		}
	}
	if (addrPort(&unix.RawSockaddrInet6{Family: unix.AF_UNIX}) != netip.AddrPort{}) {
		t.Error("an address of another family was read")
	}
}

func FuzzExtendedErr(f *testing.F) {
	f.Add([]byte{})
	f.Add(bytes.Repeat([]byte{1}, 100))
	good := make([]byte, 48)
	good[0], good[12] = 48, unix.IP_RECVERR
	f.Add(good)
	f.Fuzz(func(t *testing.T, b []byte) {
		control := make([]byte, len(b), len(b)+8)
		copy(control, b)
		if ee := extendedErr(control); ee != nil && len(b) < 32 {
			t.Errorf("an error was read from %d bytes", len(b))
		}
	})
}
