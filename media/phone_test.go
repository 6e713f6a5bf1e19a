package media

import (
	"bytes"
	"context"
	"net"
	"net/netip"
	"os"
	"runtime"
	"strconv"
	"sync"
	"testing"
	"time"
)

// The relay's addresses are this process's own, for other tests on this machine use the same ports. A child has its parent's.
var (
	loopback = func() netip.Addr {
		if of := os.Getenv(homeOfChild); of != "" {
			return netip.MustParseAddr(of)
		}
		return netip.AddrFrom4([4]byte{127, byte(32 + os.Getpid()>>8&127), byte(os.Getpid()), 1})
	}()
	inside = loopback.Next()
)

const homeOfChild = "HOTCUT_MEDIA_HOME"

// testOptions leave the ports of one test to the next.
func testOptions() Options {
	return Options{
		Outside: loopback, Inside: inside, Ports: PortRange{20000, 31999},
		MediaNets: []netip.Prefix{netip.MustParsePrefix("127.0.2.0/24")},
	}
}

// start runs an engine until the test ends.
func start(t testing.TB, o Options) *Engine {
	t.Helper()
	e, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	var running sync.WaitGroup
	running.Go(func() {
		if err := e.Run(context.Background()); err != nil {
			t.Error(err)
		}
	})
	// Close waits for Run only if Run has begun.
	for {
		e.mu.Lock()
		ran := e.ran
		e.mu.Unlock()
		if ran {
			break
		}
		runtime.Gosched()
	}
	t.Cleanup(func() {
		e.Close()
		running.Wait()
	})
	return e
}

// phone is one end of a call, on a socket of its own.
type phone struct {
	t    testing.TB
	conn *net.UDPConn
	to   netip.AddrPort
	ssrc uint32
	seq  uint16
}

func newPhone(t testing.TB, ip string, to netip.AddrPort, ssrc uint32) *phone {
	t.Helper()
	conn, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.AddrPortFrom(netip.MustParseAddr(ip), 0)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return &phone{t: t, conn: conn, to: to, ssrc: ssrc}
}

func (p *phone) addr() netip.AddrPort { return p.conn.LocalAddr().(*net.UDPAddr).AddrPort() }

// say sends the next packet of the phone's stream and returns it.
func (p *phone) say() []byte {
	p.t.Helper()
	b := p.next()
	p.send(b)
	return b
}

// next makes the next packet of the phone's stream.
func (p *phone) next() []byte {
	p.seq++
	b := speech(0, p.seq, p.ssrc)
	copy(b[12:], strconv.Itoa(int(p.seq)))
	return b
}

func (p *phone) send(b []byte) {
	p.t.Helper()
	if _, err := p.conn.WriteToUDPAddrPort(b, p.to); err != nil {
		p.t.Fatal(err)
	}
}

// hears waits for a packet; patience is for a machine that is busy.
func (p *phone) hears(want []byte) {
	p.t.Helper()
	buf := make([]byte, 2048)
	p.conn.SetReadDeadline(time.Now().Add(20 * time.Second))
	n, from, err := p.conn.ReadFromUDPAddrPort(buf)
	if err != nil {
		p.t.Fatal(err)
	}
	if !bytes.Equal(buf[:n], want) || from != p.to {
		p.t.Fatalf("%d bytes from %v, want %d from %v", n, from, len(want), p.to)
	}
}

// silent says that nothing has arrived, once what was sent before has surely been handled.
func (p *phone) silent() {
	p.t.Helper()
	p.conn.SetReadDeadline(time.Now().Add(time.Millisecond))
	buf := make([]byte, 2048)
	if n, from, err := p.conn.ReadFromUDPAddrPort(buf); err == nil {
		p.t.Fatalf("%d bytes from %v", n, from)
	}
}

func local(s *Session, leg Leg) netip.AddrPort {
	addr, p, _ := s.Local(leg)
	return netip.AddrPortFrom(addr, p)
}

// call opens a session between two phones and lets both know.
func call(t testing.TB, e *Engine, key string) (*Session, *phone, *phone) {
	t.Helper()
	s, err := e.Open(SessionKey{CallID: key}, Families{})
	if err != nil {
		t.Fatal(err)
	}
	a := newPhone(t, "127.0.1.1", local(s, Outside), 100)
	b := newPhone(t, "127.0.2.1", local(s, Inside), 200)
	types := []Payload{{Type: 0}, {101, "telephone-event", 8000}}
	for leg, p := range []*phone{a, b} {
		if err := s.SetRemote(Leg(leg), Remote{RTP: p.addr(), Payloads: types}); err != nil {
			t.Fatal(err)
		}
	}
	return s, a, b
}
