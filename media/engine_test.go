package media

import (
	"bytes"
	"context"
	"errors"
	"net/netip"
	"os"
	"sync"
	"testing"

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

// A call that passes us twice: the outside legs of two sessions name each other's ports, one by its advertised address.
// That the address is private is no obstacle: it is ours.
func TestHairpin(t *testing.T) {
	o := testOptions()
	public := netip.MustParseAddr("198.51.100.1")
	o.Advertise = map[netip.Addr]netip.Addr{o.Outside: public}
	e := start(t, o)
	one, _, b1 := call(t, e, "one")
	two, _, b2 := call(t, e, "two")
	if addr, _, _ := one.Local(Outside); addr != public {
		t.Fatalf("SDP says %v", addr)
	}
	if err := one.SetRemote(Outside, Remote{RTP: local(two, Outside)}); err != nil {
		t.Fatal(err)
	}
	if err := two.SetRemote(Outside, Remote{RTP: netip.AddrPortFrom(loopback, local(one, Outside).Port())}); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		b2.hears(b1.say())
		b1.hears(b2.say())
	}
	if err := one.SetRemote(Inside, Remote{RTP: local(one, Inside)}); !errors.Is(err, errRemote) {
		t.Errorf("a session took its own port: %v", err)
	}
}

// What the kernel drops because nobody reads is counted, and so are events that nobody takes.
func TestLossesAreCounted(t *testing.T) {
	block, begun := make(chan struct{}), make(chan struct{}, 1)
	o := testOptions()
	o.OnEvent = func(Event) {
		select {
		case begun <- struct{}{}:
		default:
		}
		<-block
	}
	e, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	s, a, _ := call(t, e, "deaf")
	for range 2000 {
		a.say()
	}
	n := s.kernelNow()
	if n == 0 || n >= 2000 {
		t.Errorf("the kernel dropped %d of 2000 packets", n)
	}
	s.Close()
	if got := s.Stats().Legs[Outside].Kernel; got != n || e.Counters().Kernel != n {
		t.Errorf("counted %d and %d, the kernel says %d", got, e.Counters().Kernel, n)
	}
	var running sync.WaitGroup
	running.Go(func() { e.Run(t.Context()) })
	<-begun
	for range eventsKept + 7 {
		e.emit(Event{Kind: EventMedia})
	}
	if lost := e.Counters().EventsLost; lost != 7 {
		t.Errorf("%d events lost, want 7", lost)
	}
	close(block)
	e.Close()
	running.Wait()
}

// kernelNow asks the kernel itself.
func (s *Session) kernelNow() (n uint64) {
	for _, fd := range s.sockets {
		n += uint64(kernelDrops(fd))
	}
	return n
}

// The first thread is filled before the second gets anything; when all are full the emptiest is next.
func TestThreadsAreFilledInTurn(t *testing.T) {
	e := &Engine{threads: []*thread{{}, {}, {}}}
	for i := range 3*fullThread + 5 {
		th := e.place()
		if want := i / fullThread; i < 3*fullThread && th != e.threads[want] {
			t.Fatalf("session %d is not on thread %d", i, want)
		}
		th.load.Add(1)
	}
	e.threads[1].load.Add(-10)
	if e.place() != e.threads[1] {
		t.Error("the thread with room was not taken")
	}
	e.threads[1].load.Add(12)
	if e.place() != e.threads[2] {
		t.Error("the emptiest thread was not taken")
	}
}
