package media

import (
	"errors"
	"net/netip"
	"testing"
	"time"
)

func TestPortRangePairs(t *testing.T) {
	for _, c := range []struct {
		r     PortRange
		pairs int
		base  uint16
	}{
		{PortRange{20000, 20001}, 1, 20000}, {PortRange{20000, 20000}, 0, 20000}, {PortRange{20001, 20003}, 1, 20002},
		{PortRange{20001, 20004}, 1, 20002}, {PortRange{65534, 65535}, 1, 65534}, {PortRange{1024, 65535}, 32256, 1024},
	} {
		if got := c.r.pairs(); got != c.pairs {
			t.Errorf("%v: %d pairs, want %d", c.r, got, c.pairs)
		}
		if p := newPortPool(netip.MustParseAddr("127.0.0.1"), c.r); p.base != c.base {
			t.Errorf("%v: first port %d, want %d", c.r, p.base, c.base)
		}
	}
}

// A closed pair rests; when all are out the one that has rested longest is taken, and counted; when none rests either,
// that is an error.
func TestPortsRest(t *testing.T) {
	p := newPortPool(netip.MustParseAddr("127.0.0.1"), PortRange{20000, 20007})
	take := func(now time.Duration) uint16 {
		t.Helper()
		port, err := p.take(now)
		if err != nil {
			t.Fatal(err)
		}
		if port&1 != 0 || port < 20000 || port > 20006 || !p.inUse(port) || !p.inUse(port+1) {
			t.Fatalf("port %d", port)
		}
		return port
	}
	a, b, c := take(0), take(0), take(0)
	p.put(a, 0)
	p.put(b, time.Second)
	p.put(b, 2*time.Second) // twice is once
	d := take(10 * time.Second)
	if d == a || d == b || d == c {
		t.Fatalf("%d is in use or rests", d)
	}
	if got := take(11 * time.Second); got != a {
		t.Fatalf("got %d, want %d, which rests longest", got, a)
	}
	if _, _, early := p.figures(); early != 1 {
		t.Fatalf("%d taken early, want 1", early)
	}
	if got := take(31 * time.Second); got != b {
		t.Fatalf("got %d, want the rested %d", got, b)
	}
	if _, _, early := p.figures(); early != 1 {
		t.Fatalf("%d taken early, want 1: the last one had rested", early)
	}
	if _, err := p.take(31 * time.Second); !errors.Is(err, ErrPorts) {
		t.Fatalf("all in use: %v", err)
	}
	if p.claim(a) || p.claim(a+1) || p.claim(19998) || p.claim(20008) {
		t.Fatal("claimed what is in use or not ours")
	}
	p.put(a, 31*time.Second)
	if free, resting, _ := p.figures(); free != 0 || resting != 1 {
		t.Fatalf("%d free, %d resting", free, resting)
	}
}

// Everything that is taken comes back, in any order, for as long as it takes.
func TestPortsNoneIsLost(t *testing.T) {
	p := newPortPool(netip.MustParseAddr("127.0.0.1"), PortRange{20000, 20199})
	used := make(map[uint16]bool)
	var order []uint16
	for i := range 100_000 {
		now := time.Duration(i) * 100 * time.Millisecond
		if len(order) == 0 || len(order) < 100 && i%7 != 0 {
			port, err := p.take(now)
			if err != nil || used[port] {
				t.Fatal(port, err)
			}
			used[port] = true
			order = append(order, port)
			continue
		}
		j := i % len(order)
		p.put(order[j], now)
		delete(used, order[j])
		order = append(order[:j], order[j+1:]...)
	}
	for _, port := range order {
		p.put(port, 0)
	}
	if free, resting, _ := p.figures(); free+resting != 100 {
		t.Fatalf("%d free and %d resting of 100", free, resting)
	}
}

func TestPortsAreRandom(t *testing.T) {
	p := newPortPool(netip.MustParseAddr("127.0.0.1"), PortRange{20000, 39999})
	ascending := 0
	var last uint16
	for range 200 {
		port, err := p.take(0)
		if err != nil {
			t.Fatal(err)
		}
		if port == last+2 {
			ascending++
		}
		last = port
	}
	if ascending > 10 {
		t.Fatalf("%d of 200 ports follow the one before", ascending)
	}
}
