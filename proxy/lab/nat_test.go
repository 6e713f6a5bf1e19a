package lab

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"testing"
	"time"
)

func startNAT(t *testing.T, o NATOptions) *NAT {
	t.Helper()
	n, err := NewNAT(o)
	if err != nil {
		t.Fatal(err)
	}
	running(t, n.Run)
	return n
}

func behind(n *NAT) func(*PhoneOptions) {
	return func(o *PhoneOptions) { o.NAT, o.IP = n, netip.MustParseAddr("127.64.0.2") }
}

// source is where the switch saw the last REGISTER of a phone come from.
func source(s *Switch) netip.AddrPort { return netip.MustParseAddrPort(s.Bindings()[0].Source) }

func TestPhoneBehindANAT(t *testing.T) {
	s := registrarSwitch(t, SwitchOptions{ToSource: true})
	n := startNAT(t, NATOptions{IP: netip.MustParseAddr("127.64.9.9")})
	bob, _ := enrolled(t, "bob@acme.example", s, behind(n))
	from := source(s)
	if from.Addr() != n.ip || from.Port() == bob.addr.Port() {
		t.Errorf("the switch saw %s, which is not the box", from)
	}
	ctx := soon(t)
	if codes, err := s.Qualify(ctx, "bob@acme.example"); err != nil || codes[bob.Contact()] != 200 {
		t.Fatalf("OPTIONS through the box: %v, %v", codes, err)
	}
	n.Rebind()
	short, cancel := context.WithCancel(ctx)
	defer cancel()
	asked := make(chan error, 1)
	go func() {
		_, err := s.Qualify(short, "bob@acme.example")
		asked <- err
	}()
	until(t, "what is sent to the old port is lost", func() bool { return n.Lost() > 0 })
	cancel()
	if err := <-asked; err == nil {
		t.Error("the old port still leads to the phone")
	}
	if err := bob.Register(ctx, time.Hour); err != nil {
		t.Fatal(err)
	}
	if now := source(s); now == from || len(s.Bindings()) != 1 {
		t.Errorf("the switch sees %s, as before; held %v", now, s.Bindings())
	}
	if codes, err := s.Qualify(ctx, "bob@acme.example"); err != nil || codes[bob.Contact()] != 200 {
		t.Errorf("OPTIONS through the new port: %v, %v", codes, err)
	}
}

// box is a NAT with one socket inside and one outside.
type box struct {
	*NAT
	inside  *natConn
	outside *net.UDPConn
}

func newBox(t *testing.T, o NATOptions) box {
	t.Helper()
	listen := func(ip string) *net.UDPConn {
		u, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.AddrPortFrom(netip.MustParseAddr(ip), 0)))
		if err != nil {
			t.Fatal(err)
		}
		return u
	}
	b := box{NAT: startNAT(t, o), outside: listen("127.0.0.1")}
	b.inside = b.NAT.inside(listen("127.64.0.3"))
	t.Cleanup(func() { b.outside.Close(); b.inside.Close() })
	return b
}

// out sends from the inside and returns the port that the outside saw.
func (b box) out(t *testing.T) uint16 {
	t.Helper()
	if _, err := b.inside.WriteTo([]byte("out"), b.outside.LocalAddr()); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 16)
	if err := b.outside.SetReadDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	size, from, err := b.outside.ReadFromUDPAddrPort(buf)
	if err != nil || string(buf[:size]) != "out" {
		t.Fatalf("%q, %v", buf[:size], err)
	}
	return from.Port()
}

// in sends to a port of the box.
func (b box) in(t *testing.T, port uint16) {
	t.Helper()
	if _, err := b.outside.WriteToUDPAddrPort([]byte("in"), netip.AddrPortFrom(b.ip, port)); err != nil {
		t.Fatal(err)
	}
}

// heard waits for what in has sent.
func (b box) heard(t *testing.T) {
	t.Helper()
	select {
	case p := <-b.inside.in:
		if string(p.b) != "in" || p.from.String() != b.outside.LocalAddr().String() {
			t.Errorf("%q from %s", p.b, p.from)
		}
	case <-time.After(patience):
		t.Fatal("nothing came in")
	}
}

// until polls a counter of the box; its events have no channel.
func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	ctx := soon(t)
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("never: %s", what)
		}
	}
}

func TestMappingsAgeBySilence(t *testing.T) {
	for outboundOnly, lives := range map[bool]bool{false: true, true: false} {
		t.Run(fmt.Sprint("outbound only: ", outboundOnly), func(t *testing.T) {
			c := newClock()
			b := newBox(t, NATOptions{Idle: time.Minute, Outbound: outboundOnly, Now: c.now})
			port := b.out(t)
			c.pass(40 * time.Second)
			b.in(t, port)
			b.heard(t)
			c.pass(40 * time.Second) // silent for 80 s, but for what came in
			if got := slices.Contains(b.Ports()[b.inside.self], port); got != lives {
				t.Errorf("the mapping lives: %v, want %v", got, lives)
			}
			if now := b.out(t); (now == port) != lives {
				t.Errorf("port %d, then %d", port, now)
			}
			if lives {
				return
			}
			b.in(t, port)
			until(t, "the datagram to the old port is lost", func() bool { return b.Lost() == 1 })
		})
	}
}

func TestRebindChangesEveryPort(t *testing.T) {
	b := newBox(t, NATOptions{})
	seen := map[uint16]bool{}
	for range 20 {
		port := b.out(t)
		if seen[port] {
			t.Fatalf("port %d twice", port)
		}
		seen[port] = true
		b.Rebind()
	}
}

func TestAroundTheBoxIsNoticed(t *testing.T) {
	b := newBox(t, NATOptions{})
	if _, err := b.outside.WriteToUDPAddrPort([]byte("around"), b.inside.self); err != nil {
		t.Fatal(err)
	}
	until(t, "a stray", func() bool { return b.Strays() == 1 })
	if _, err := NewNAT(NATOptions{IP: netip.MustParseAddr("192.0.2.1")}); err == nil {
		t.Error("a box outside loopback")
	}
}

func TestNATIsBounded(t *testing.T) {
	b := newBox(t, NATOptions{})
	to := b.outside.LocalAddr().(*net.UDPAddr).AddrPort()
	for i := range natMappings {
		b.mu.Lock()
		b.live[flowKey{inside: netip.AddrPortFrom(loopback, uint16(i+1)), outside: to}] = &mapping{socket: b.outside}
		b.mu.Unlock()
	}
	if _, err := b.inside.WriteTo([]byte("out"), b.outside.LocalAddr()); err == nil {
		t.Error("one mapping too many")
	}
	b.mu.Lock()
	clear(b.live)
	b.mu.Unlock()
}

func TestPingsAreAnswered(t *testing.T) {
	b := newBox(t, NATOptions{Idle: time.Minute, Outbound: true})
	p, _ := startPhoneWith(t, PhoneOptions{AOR: "bob@acme.example", Proxy: b.outside.LocalAddr().(*net.UDPAddr).AddrPort(), NAT: b.NAT, IP: netip.MustParseAddr("127.64.0.4")})
	<-p.udp.begun
	if _, err := p.udp.WriteTo([]byte("out"), b.outside.LocalAddr()); err != nil { // as a REGISTER would
		t.Fatal(err)
	}
	buf := make([]byte, 16)
	_, from, err := b.outside.ReadFromUDPAddrPort(buf)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.outside.WriteToUDPAddrPort([]byte("\r\n\r\n"), from); err != nil {
		t.Fatal(err)
	}
	size, again, err := b.outside.ReadFromUDPAddrPort(buf)
	if err != nil || string(buf[:size]) != "\r\n" || again != from {
		t.Errorf("pong %q from %s, %v", buf[:size], again, err)
	}
	if p.Keepalives() != 1 {
		t.Errorf("%d pings counted", p.Keepalives())
	}
}

func TestPingsOverTCP(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	p, _ := startPhone(t, "bob@acme.example", l.Addr().(*net.TCPAddr).AddrPort(), "tcp")
	up := make(chan error, 1)
	ctx := soon(t)
	go func() { up <- p.line.up(ctx) }()
	c, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := <-up; err != nil {
		t.Fatal(err)
	}
	if _, err := c.Write([]byte("\r\n\r\n")); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 16)
	if size, err := c.Read(buf); err != nil || string(buf[:size]) != "\r\n" || p.Keepalives() != 1 {
		t.Errorf("pong %q, %v; %d pings counted", buf[:size], err, p.Keepalives())
	}
}
