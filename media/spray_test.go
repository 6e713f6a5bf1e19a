package media

import (
	"fmt"
	"net"
	"net/netip"
	"testing"
	"time"
)

// eventually polls what a thread of the engine is about to do.
func eventually(t *testing.T, what string, done func() bool) {
	t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(30 * time.Second); !done(); <-tick.C {
		if time.Now().After(deadline) {
			t.Fatal("waited in vain: ", what)
		}
	}
}

// attacker sprays every port of every session from an address that has no business there.
type attacker struct {
	t    *testing.T
	conn *net.UDPConn
	sent uint64
}

func (a *attacker) spray(sessions []*Session, packets ...[]byte) {
	a.t.Helper()
	for _, s := range sessions {
		for _, leg := range []Leg{Outside, Inside} {
			addr, rtp, rtcp := s.Local(leg)
			for _, port := range []uint16{rtp, rtcp} {
				for _, p := range packets {
					if _, err := a.conn.WriteToUDPAddrPort(p, netip.AddrPortFrom(addr, port)); err != nil {
						a.t.Fatal(err)
					}
					a.sent++
				}
			}
		}
	}
}

// 100 calls, half of them from behind NAT. An attacker sprays all their ports before anything is locked, and after that
// with the SSRC and the sequence that come next: nothing of his is relayed and nothing is sent to him.
func TestSprayAndInjection(t *testing.T) {
	e := start(t, testOptions())
	conn, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 3, 66)})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	evil := &attacker{t: t, conn: conn}
	refused := func() bool {
		c := e.Counters()
		return c.Dropped[DropForeign]+c.Dropped[DropKind]+c.Dropped[DropNoRemote] >= evil.sent
	}

	const calls = 100
	var sessions []*Session
	var phones [2][]*phone
	for i := range calls {
		s, a, b := call(t, e, fmt.Sprint(i))
		if i%2 == 1 {
			r := Remote{RTP: netip.AddrPortFrom(netip.MustParseAddr("192.168.7.7"), 4000), Signalling: a.addr().Addr()}
			if err := s.SetRemote(Outside, r); err != nil {
				t.Fatal(err)
			}
		}
		sessions, phones[0], phones[1] = append(sessions, s), append(phones[0], a), append(phones[1], b)
	}

	rr := []byte{0x80, 201, 0, 1, 0, 0, 0, 100}
	stun := append([]byte{0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42}, make([]byte, 12)...)
	dtls := append([]byte{22, 254, 253}, make([]byte, 20)...)
	evil.spray(sessions, speech(0, 1, 100), speech(0, 2, 100), speech(0, 3, 100), speech(0, 4, 100), rr, stun, dtls)
	eventually(t, "the spray before the lock is refused", refused)

	for i, s := range sessions {
		a, b := phones[0][i], phones[1][i]
		if i%2 == 1 {
			a.say()
			a.say() // prove the address
			eventually(t, "two packets are heard", func() bool { return s.Stats().Legs[Outside].Dropped[DropUnproven] == 2 })
		}
		b.hears(a.say())
		a.hears(b.say())
	}
	// The attacker has seen everything: SSRC and sequence are right.
	evil.spray(sessions, speech(0, 4, 100), speech(0, 5, 100), speech(0, 2, 200), speech(0, 3, 200), rr, stun, dtls)
	eventually(t, "the injection is refused", refused)
	for i, s := range sessions {
		a, b := phones[0][i], phones[1][i]
		b.hears(a.say()) // the very next packet that they hear is the right one
		a.hears(b.say())
		a.silent()
		b.silent()
		for leg, l := range s.Stats().Legs {
			if l.In.Packets != 2 || l.Out.Packets != 2 || l.In.RTCP != 0 {
				t.Errorf("call %d, %v: %+v", i, Leg(leg), l)
			}
		}
	}
	conn.SetReadDeadline(time.Now().Add(time.Millisecond))
	if n, from, err := conn.ReadFromUDPAddrPort(make([]byte, 2048)); err == nil {
		t.Errorf("the attacker was sent %d bytes by %v", n, from)
	}
	if c := e.Counters(); c.Packets != 4*calls {
		t.Errorf("%d packets relayed, want %d", c.Packets, 4*calls)
	}
}
