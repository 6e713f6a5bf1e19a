package media

import (
	"testing"
	"time"

	"github.com/pion/rtcp"
	"golang.org/x/sys/unix"
)

// route allocates nothing: not for speech, events, RTCP, fax, strangers or garbage.
func TestRouteAllocatesNothing(t *testing.T) {
	s := talking(t)
	sr := marshal(t, &rtcp.SenderReport{SSRC: 101, NTPTime: 1 << 40, Reports: []rtcp.ReceptionReport{{SSRC: 100, LastSenderReport: 7}}})
	packets := []struct {
		at     port
		from   string
		packet []byte
	}{
		{outsideRTP, "198.51.100.7:4000", speech(0, 10, 100)},
		{insideRTP, "10.9.0.1:6000", speech(101, 10, 101)},
		{insideRTCP, "10.9.0.1:6001", sr},
		{outsideRTP, "203.0.113.66:4000", speech(0, 11, 100)},
		{outsideRTP, "198.51.100.7:4000", []byte("INVITE sip:")},
		{outsideRTP, "198.51.100.7:4000", append([]byte{22, 254, 253}, make([]byte, 20)...)},
	}
	now := time.Second
	if n := testing.AllocsPerRun(1000, func() {
		now += 20 * time.Millisecond
		for _, p := range packets {
			s.route(p.at, ap(p.from), p.packet, now)
		}
	}); n != 0 {
		t.Errorf("%v allocations per round of packets", n)
	}
}

// A leg that waits allocates nothing either, however long it is sprayed at; only the lock does.
func TestProvingAllocatesNothing(t *testing.T) {
	s := quiet()
	if err := s.SetRemote(Outside, Remote{RTP: ap("192.168.0.4:4000"), Signalling: ap("203.0.113.5:1").Addr()}); err != nil {
		t.Fatal(err)
	}
	seq := uint16(0)
	packet := speech(0, 1, 5)
	if n := testing.AllocsPerRun(1000, func() {
		seq += 50
		packet[2], packet[3] = byte(seq>>8), byte(seq)
		s.route(outsideRTP, ap("203.0.113.5:4000"), packet, time.Second)
		s.route(outsideRTP, ap("203.0.113.66:4000"), packet, time.Second)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// The whole way of a packet, kernel included: receive, route, send.
func TestCarryAllocatesNothing(t *testing.T) {
	e, err := New(testOptions())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(e.Close)
	s, a, b := call(t, e, "carried")
	th := s.thread
	b.send(speech(0, 1, b.ssrc))
	th.carry(s, insideRTP, 0)
	a.say()
	th.carry(s, outsideRTP, 0)
	b.hears(speechOf(a))
	raw, err := a.conn.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	packet := speech(0, 2, a.ssrc)
	to := &unix.SockaddrInet4{Port: int(a.to.Port()), Addr: a.to.Addr().As4()}
	send := func(fd uintptr) { unix.Sendto(int(fd), packet, 0, to) }
	before := th.relayed
	n := testing.AllocsPerRun(500, func() {
		raw.Write(func(fd uintptr) bool { send(fd); return true })
		th.carry(s, outsideRTP, time.Second)
		th.tell()
	})
	sender := testing.AllocsPerRun(500, func() {
		raw.Write(func(fd uintptr) bool { send(fd); return true })
	})
	if n > sender {
		t.Errorf("%v allocations per packet, of which the test's sender has %v", n, sender)
	}
	if got := e.Counters().Packets - before; got < 500 {
		t.Fatalf("only %d packets were carried", got)
	}
}

// speechOf is the packet that a phone has sent last.
func speechOf(p *phone) []byte {
	p.seq--
	return p.next()
}

func BenchmarkRoute(b *testing.B) {
	s := talking(b)
	packet, from := speech(0, 10, 100), ap("198.51.100.7:4000")
	now := time.Second
	b.ReportAllocs()
	for b.Loop() {
		now += 20 * time.Millisecond
		s.route(outsideRTP, from, packet, now)
	}
}

// What a byte of any kind can do to route: nothing but be relayed unchanged, or dropped by a name.
func FuzzRoute(f *testing.F) {
	f.Add(uint8(0), false, speech(0, 1, 7))
	f.Add(uint8(1), true, marshal(f, &rtcp.ReceiverReport{SSRC: 7}))
	f.Add(uint8(0), true, []byte{0, 5, 1, 6, 0, 0})
	f.Add(uint8(2), false, append([]byte{0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42}, make([]byte, 12)...))
	f.Fuzz(func(t *testing.T, where uint8, fax bool, packet []byte) {
		s := talking(t)
		if fax {
			if err := s.SetRemote(Inside, Remote{RTP: ap("10.9.0.1:6000"), Kind: UDPTL}); err != nil {
				t.Fatal(err)
			}
		}
		at := port(where % uint8(portsPerSession))
		for i, from := range []string{"198.51.100.7:4000", "198.51.100.7:4001", "10.9.0.1:6000", "10.9.0.1:6001", "203.0.113.66:4000"} {
			for range 4 {
				to, drop := s.route(at, ap(from), packet, time.Duration(i)*time.Second)
				if (drop == dropNone) != to.addr.IsValid() {
					t.Fatal(to, drop)
				}
				if drop == dropNone && (i == 4 || to.addr.Addr() == ap("203.0.113.66:1").Addr() || to.port.leg() == at.leg()) {
					t.Fatalf("%s at %d leaves for %v", from, at, to)
				}
			}
		}
		s.stats(time.Minute)
	})
}
