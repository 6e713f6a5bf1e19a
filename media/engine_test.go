package media

import (
	"bytes"
	"context"
	"errors"
	"net"
	"net/netip"
	"os"
	"runtime"
	"strconv"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv("HOTCUT_MEDIA_CHILD"); dir != "" {
		child(dir)
		return
	}
	if n := os.Getenv("HOTCUT_MEDIA_COST"); n != "" {
		costChild(n)
		return
	}
	goleak.VerifyTestMain(m)
}

var loopback = netip.MustParseAddr("127.0.0.1")

// testOptions have ports of their own for every test process that runs beside this one.
func testOptions() Options {
	return Options{
		Outside: loopback, Inside: netip.MustParseAddr("127.0.0.2"), Ports: PortRange{20000, 31999},
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

func TestCall(t *testing.T) {
	events := make(chan Event, 10)
	o := testOptions()
	o.OnEvent = func(ev Event) { events <- ev }
	e := start(t, o)
	s, a, b := call(t, e, "one")
	if addr, rtp, rtcp := s.Local(Outside); addr != loopback || rtp%2 != 0 || rtcp != rtp+1 || !e.Owns(netip.AddrPortFrom(addr, rtcp)) {
		t.Fatal(addr, rtp, rtcp)
	}
	for range 20 {
		b.hears(a.say())
		a.hears(b.say())
	}
	st := s.Stats()
	for leg, p := range []*phone{a, b} {
		l := st.Legs[leg]
		if l.Peer != p.addr() || l.In.Packets != 20 || l.In.Lost != 0 || l.Out.Packets != 20 || l.In.Codec != "PCMU" || l.In.SSRC != p.ssrc || l.In.Bytes != 20*172 {
			t.Errorf("%v: %+v", Leg(leg), l)
		}
		if peer, locked := s.Peer(Leg(leg)); !locked || peer != p.addr() {
			t.Errorf("%v locked on %v", Leg(leg), peer)
		}
	}
	if _, err := e.Open(SessionKey{CallID: "one"}, Families{}); !errors.Is(err, ErrExists) {
		t.Errorf("opened twice: %v", err)
	}
	if got, ok := e.Session(s.Key()); !ok || got != s {
		t.Error("the session is not there")
	}
	out := local(s, Outside)
	s.Close()
	s.Close()
	ev := <-events
	if ev.Kind != EventClosed || ev.Final == nil || ev.Final.Legs[Inside].In.Packets != 20 {
		t.Errorf("%+v", ev)
	}
	if again := s.Stats(); again.Legs[Outside].In.Packets != 20 {
		t.Error("figures of a closed session are gone")
	}
	if err := s.SetRemote(Outside, Remote{RTP: a.addr()}); !errors.Is(err, ErrClosed) {
		t.Errorf("SetRemote of a closed session: %v", err)
	}
	if _, ok := e.Session(s.Key()); ok || e.Owns(out) {
		t.Error("a closed session is still known")
	}
	if c := e.Counters(); c.Packets != 40 || c.Sessions != 0 || c.Opened != 1 || c.Ports[0].Resting != 1 {
		t.Errorf("%+v", c)
	}
}

// What comes before Run waits in the kernel.
func TestOpenBeforeRun(t *testing.T) {
	e, err := New(testOptions())
	if err != nil {
		t.Fatal(err)
	}
	_, a, b := call(t, e, "early")
	packet := a.say()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- e.Run(ctx) }()
	b.hears(packet)
	cancel()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if err := e.Run(t.Context()); !errors.Is(err, ErrClosed) {
		t.Fatalf("Run again: %v", err)
	}
	if _, err := e.Open(SessionKey{CallID: "late"}, Families{}); !errors.Is(err, ErrClosed) {
		t.Fatalf("Open after the end: %v", err)
	}
	e.Close()
}

func TestIPv6ToIPv4(t *testing.T) {
	o := testOptions()
	o.Outside6 = netip.IPv6Loopback()
	e := start(t, o)
	s, err := e.Open(SessionKey{CallID: "six"}, Families{Outside: IPv6})
	if err != nil {
		t.Skip("no IPv6 here: ", err)
	}
	a, b := newPhone(t, "::1", local(s, Outside), 1), newPhone(t, "127.0.2.1", local(s, Inside), 2)
	if err := s.SetRemote(Outside, Remote{RTP: b.addr()}); err == nil {
		t.Error("took an address of the wrong family")
	}
	for leg, p := range []*phone{a, b} {
		if err := s.SetRemote(Leg(leg), Remote{RTP: p.addr()}); err != nil {
			t.Fatal(err)
		}
	}
	b.hears(a.say())
	a.hears(b.say())
}

func TestOptionsNameEveryFault(t *testing.T) {
	_, err := New(Options{Outside: netip.IPv4Unspecified(), Ports: PortRange{80, 90}, Threads: -1, DSCP: 64, Silence: 1})
	if err == nil {
		t.Fatal("accepted")
	}
	for _, want := range []string{"outside address", "no inside address", "ports 80-90", "-1 threads", "DSCP 64", "silence of 1ns"} {
		if !bytes.Contains([]byte(err.Error()), []byte(want)) {
			t.Errorf("%q is not in: %v", want, err)
		}
	}
}

func TestRemoteRefused(t *testing.T) {
	s := quiet()
	for name, r := range map[string]Remote{
		"nothing":   {},
		"multicast": {RTP: ap("224.0.0.1:4000")},
		"broadcast": {RTP: ap("255.255.255.255:4000")},
		"family":    {RTP: ap("[2001:db8::1]:4000")},
		"rtcp":      {RTP: ap("198.51.100.7:4000"), RTCP: ap("239.1.1.1:4001")},
		"type":      {RTP: ap("198.51.100.7:4000"), Payloads: []Payload{{Type: 128}}},
		"types":     {RTP: ap("198.51.100.7:4000"), Payloads: make([]Payload, 129)},
	} {
		if err := s.SetRemote(Outside, r); !errors.Is(err, errRemote) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := s.SetRemote(Outside, Remote{RTP: ap("[::ffff:198.51.100.7]:4000")}); err != nil {
		t.Errorf("a mapped address is one of IPv4: %v", err)
	}
	if r, ok := s.Remote(Outside); !ok || r.RTP != ap("198.51.100.7:4000") {
		t.Error(r)
	}
}

func TestNamesAreThere(t *testing.T) {
	seen := make(map[string]bool)
	for _, d := range Drops() {
		if d.String() == "" || d.Meaning() == "" || seen[d.String()] {
			t.Errorf("drop %d is %q: %q", d, d, d.Meaning())
		}
		seen[d.String()] = true
	}
	for k := EventNoLock; k <= EventClosed; k++ {
		if k.String() == "" {
			t.Errorf("event %d has no name", k)
		}
	}
}

func costChild(string) {}
