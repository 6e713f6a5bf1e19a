package lab

import (
	"encoding/binary"
	"net/netip"
	"os"
	"strings"
	"testing"
)

// talking sets a call up and returns both ends of its audio.
func talking(t *testing.T, p *Phone, s *Switch) (c *Call, phone, far *Voice) {
	t.Helper()
	ctx := soon(t)
	c, a, err := p.Call(ctx, t.Context(), "answer@acme.example")
	if err != nil || !a.Answered() {
		t.Fatal(a, err)
	}
	if err := s.Received.Await(ctx, c.ID, "ACK"); err != nil {
		t.Fatal(err)
	}
	phone, far = c.Voice(), s.Voice(c.ID)
	if far == nil {
		t.Fatal("the switch has no audio")
	}
	return c, phone, far
}

func hears(t *testing.T, v *Voice, packets int) {
	t.Helper()
	goal := v.Heard().Packets + packets
	if err := v.Await(soon(t), "audio", func(h Audio) bool { return h.Packets >= goal }); err != nil {
		t.Fatal(err)
	}
}

func sockets(t *testing.T) int {
	t.Helper()
	fds, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, fd := range fds {
		if to, err := os.Readlink("/proc/self/fd/" + fd.Name()); err == nil && strings.HasPrefix(to, "socket:") {
			n++
		}
	}
	return n
}

// Both ends hear each other and the keys that are pressed; a hold is heard one way; at the end the sockets are gone.
func TestCallHasAudio(t *testing.T) {
	legacy := startSwitch(t, "legacy", "127.0.1.5")
	phone, _ := startPhone(t, "alice@acme.example", legacy.Addr(), "udp")
	before := -1
	for range 3 {
		c, near, far := talking(t, phone, legacy)
		hears(t, near, 5)
		hears(t, far, 5)
		if err := near.Press("19*#D"); err != nil {
			t.Fatal(err)
		}
		if err := far.Press("11"); err != nil {
			t.Fatal(err)
		}
		if err := far.Await(soon(t), "keys", func(h Audio) bool { return h.Keys == "19*#D" }); err != nil {
			t.Errorf("%v: heard %q", err, far.Heard().Keys)
		}
		if err := near.Await(soon(t), "keys", func(h Audio) bool { return h.Keys == "11" }); err != nil {
			t.Errorf("%v: heard %q", err, near.Heard().Keys)
		}
		if err := near.Press("x"); err == nil {
			t.Error("a key was pressed that a phone has not")
		}

		if err := c.Hold(soon(t)); err != nil {
			t.Fatal(err)
		}
		said := far.Said()
		hears(t, far, 5)
		if far.Said() != said {
			t.Error("the switch goes on talking while it is on hold")
		}
		if err := c.Resume(soon(t)); err != nil {
			t.Fatal(err)
		}
		hears(t, near, 5)
		hears(t, far, 5)
		for who, v := range map[string]*Voice{"phone": near, "switch": far} {
			if h := v.Heard(); h.Lost != 0 || h.Faults() != "" || len(v.Remotes()) != 1 {
				t.Errorf("the %s heard %+v, SDP named %v", who, h, v.Remotes())
			}
		}
		if err := c.Hangup(soon(t)); err != nil {
			t.Fatal(err)
		}
		if phone.Voice(c.ID) != nil || legacy.Voice(c.ID) != nil {
			t.Error("audio outlives the call")
		}
		if err := near.Await(soon(t), "more", func(Audio) bool { return false }); err == nil || !strings.Contains(err.Error(), "the call ended") {
			t.Errorf("waiting for audio of a call that is over: %v", err)
		}
		if n := sockets(t); before >= 0 && n > before {
			t.Errorf("%d sockets, %d after the first call", n, before)
		} else {
			before = n
		}
	}
	if heard := phone.Tally(); heard.Calls != 3 || heard.Packets < 30 || len(heard.Faulty) != 0 {
		t.Errorf("the phone's tally: %+v", heard)
	}
}

// What the network loses is named.
func TestLostAudioIsNamed(t *testing.T) {
	legacy := startSwitch(t, "legacy", "127.0.1.5")
	phone, _ := startPhoneWith(t, PhoneOptions{AOR: "alice@acme.example", Proxy: legacy.Addr(), Loses: func(b []byte, outbound bool) bool {
		return outbound && binary.BigEndian.Uint16(b[2:])%8 == 3
	}})
	c, near, far := talking(t, phone, legacy)
	hears(t, near, 30)
	hears(t, far, 30)
	if h := near.Heard(); h.Lost != 0 || h.Faults() != "" {
		t.Errorf("the phone heard %+v", h)
	}
	h := far.Heard()
	if h.Lost < 3 || len(h.Missing) != h.Lost || h.Faults() != "" {
		t.Errorf("the switch heard %+v", h)
	}
	for _, g := range h.Missing {
		if g.From != g.To || g.From%8 != 3 {
			t.Errorf("missing is %v", g)
		}
	}
	if err := c.Hangup(soon(t)); err != nil {
		t.Fatal(err)
	}
	if sum := legacy.Tally(); len(sum.Faulty) != 1 || sum.Faulty[0].CallID != c.ID || sum.Faulty[0].Lost < 3 {
		t.Errorf("the switch's tally: %+v", sum)
	}
}

// Audio through a NAT leaves by a port of the box and comes back by it. When the call is over the box has forgotten it.
func TestAudioThroughNAT(t *testing.T) {
	legacy := startSwitch(t, "legacy", "127.0.1.5")
	nat, err := NewNAT(NATOptions{IP: netip.MustParseAddr("127.0.0.31")})
	if err != nil {
		t.Fatal(err)
	}
	running(t, nat.Run)
	phone, _ := startPhoneWith(t, PhoneOptions{AOR: "alice@acme.example", Proxy: legacy.Addr(), NAT: nat})
	c, near, far := talking(t, phone, legacy)
	// The switch believes SDP: without a relay it takes the phone's audio for somebody else's.
	if err := far.Await(soon(t), "audio", func(h Audio) bool { return h.Foreign > 0 }); err != nil {
		t.Fatal(err)
	}
	if ports := nat.Ports()[near.local]; len(ports) != 1 {
		t.Errorf("the phone's audio has the ports %v", ports)
	}
	if err := c.Hangup(soon(t)); err != nil {
		t.Fatal(err)
	}
	if ports := nat.Ports()[near.local]; len(ports) != 0 {
		t.Errorf("the phone's audio has the ports %v after the call", ports)
	}
}
