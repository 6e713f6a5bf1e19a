package transport

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const patience = time.Minute // how long a test waits for an event that must come

// start runs a transport until the test ends.
func start(t testing.TB, specs []Spec, h Handler, lim Limits) *Transport {
	t.Helper()
	if h.Message == nil {
		h.Message = func(int64, Peer, []byte, *Out) {}
	}
	if h.Refused == nil {
		h.Refused = func(string, netip.AddrPort) {}
	}
	tr, err := New(specs, h, lim)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := tr.Run(ctx); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(func() { cancel(); wg.Wait() })
	return tr
}

// loopbacks returns an address to bind for each family that the machine has.
func loopbacks() []string {
	if c, err := net.ListenPacket("udp6", "[::1]:0"); err == nil {
		c.Close()
		return []string{"127.0.0.1:0", "[::1]:0"}
	}
	return []string{"127.0.0.1:0"}
}

func udpSpec(addr string) Spec {
	return Spec{Name: "test-udp", Proto: UDP, Addr: netip.MustParseAddrPort(addr)}
}

// socket opens a plain socket of the test's own.
func socket(t testing.TB, addr string) *net.UDPConn {
	t.Helper()
	c, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.MustParseAddrPort(addr)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	c.SetReadBuffer(4 << 20)
	c.SetDeadline(time.Now().Add(patience))
	return c
}

func send(t testing.TB, c *net.UDPConn, to netip.AddrPort, msg string) {
	t.Helper()
	if _, err := c.WriteToUDPAddrPort([]byte(msg), to); err != nil {
		t.Fatal(err)
	}
}

func receive(t testing.TB, c *net.UDPConn) (string, netip.AddrPort) {
	t.Helper()
	buf := make([]byte, 65536)
	n, from, err := c.ReadFromUDPAddrPort(buf)
	if err != nil {
		t.Fatal(err)
	}
	return string(buf[:n]), netip.AddrPortFrom(from.Addr().Unmap(), from.Port())
}

// event waits for one value.
func event[T any](t testing.TB, c <-chan T) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(patience):
		t.Fatal("nothing happened")
		panic("unreachable")
	}
}

// reach waits until a counter has the value, and fails if it passes it or stays below.
func reach(t testing.TB, what string, count func() uint64, want uint64) {
	t.Helper()
	for end := time.Now().Add(patience); ; runtime.Gosched() {
		switch n := count(); {
		case n == want:
			return
		case n > want || time.Now().After(end):
			t.Fatalf("%s: %d, want %d", what, n, want)
		}
	}
}

func peerOf(c *net.UDPConn, listener int) Peer {
	return Peer{Listener: uint16(listener), Proto: UDP, Addr: localAddr(c.LocalAddr())}
}

func TestNewNamesTheListenerAndReleasesTheOthers(t *testing.T) {
	taken := socket(t, "127.0.0.1:0")
	free := socket(t, fmt.Sprintf("127.%d.%d.1:0", 32+os.Getpid()>>8&127, os.Getpid()&255)) // nobody else gets its port
	freeAddr := localAddr(free.LocalAddr())
	free.Close()
	h := Handler{Message: func(int64, Peer, []byte, *Out) {}, Refused: func(string, netip.AddrPort) {}}
	specs := []Spec{
		{Name: "outside", Proto: UDP, Addr: freeAddr},
		{Name: "inside", Proto: UDP, Addr: localAddr(taken.LocalAddr())},
	}
	_, err := New(specs, h, Limits{})
	if err == nil || !strings.Contains(err.Error(), `"inside"`) || !strings.Contains(err.Error(), specs[1].Addr.String()) {
		t.Fatalf("error %v names neither the listener nor its address", err)
	}
	again, err := New(specs[:1], h, Limits{})
	if err != nil {
		t.Fatalf("the first listener's port is still held: %v", err)
	}
	stopped, cancel := context.WithCancel(t.Context())
	cancel()
	if err := again.Run(stopped); err != nil {
		t.Fatal(err)
	}
}

func TestNewRefuses(t *testing.T) {
	h := Handler{Message: func(int64, Peer, []byte, *Out) {}, Refused: func(string, netip.AddrPort) {}}
	for name, spec := range map[string]Spec{
		"no address":       {Proto: UDP},
		"unknown protocol": {Proto: 9, Addr: netip.MustParseAddrPort("127.0.0.1:0")},
		"at most 256":      {Proto: UDP, Addr: netip.MustParseAddrPort("127.0.0.1:0"), Readers: 257},
	} {
		if _, err := New([]Spec{spec}, h, Limits{}); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: got %v", name, err)
		}
	}
	if _, err := New(nil, Handler{}, Limits{}); err == nil {
		t.Error("a handler without Message was accepted")
	}
}

func TestReasonsHaveDistinctNames(t *testing.T) {
	seen := map[string]bool{}
	for r := range Reasons() {
		if n := r.String(); n == "" || seen[n] {
			t.Errorf("reason %d is named %q", r, n)
		}
		seen[r.String()] = true
	}
}
