package ng

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"
)

func fleet(n int) *Client {
	c := &Client{}
	for i := range n {
		c.peers = append(c.peers, &peer{addr: netip.MustParseAddrPort(fmt.Sprintf("192.0.2.%d:2223", i+1)), health: health{limit: 3}})
	}
	return c
}

// Each of five servers has its share of calls, and when one goes, only its calls move.
func TestPlacement(t *testing.T) {
	const calls = 20000
	five, without := fleet(5), fleet(5)
	without.peers = slices.Delete(without.peers, 2, 3)
	share := make(map[netip.AddrPort]int)
	for i := range calls {
		id := fmt.Sprintf("%d@phone.example", i)
		at := five.order(id)[0].addr
		share[at]++
		if now := without.order(id)[0].addr; at != five.peers[2].addr && now != at {
			t.Fatalf("call %s moved from %v to %v", id, at, now)
		}
	}
	for server, n := range share {
		if n < calls/5*9/10 || n > calls/5*11/10 {
			t.Errorf("%v has %d of %d", server, n, calls)
		}
	}
}

// The ranks are part of what edges agree upon: they may never change.
func TestRankIsForever(t *testing.T) {
	if got, want := rank("a84b4c76e66710@pc33.example", netip.MustParseAddrPort("192.0.2.1:2223")), uint64(0xa027cf2b1d52380); got != want {
		t.Errorf("%#x, want %#x", got, want)
	}
}

func TestOrderIsOfTheHealthy(t *testing.T) {
	c := fleet(3)
	all := c.order("x")
	all[0].health.refuse()
	if got := c.order("x"); len(got) != 2 || got[0] != all[1] {
		t.Errorf("%d servers", len(got))
	}
	for range 3 {
		all[1].health.missed()
	}
	if got := c.order("x"); len(got) != 1 || got[0] != all[2] {
		t.Errorf("%d servers", len(got))
	}
	all[2].health.refuse()
	if got := c.order("x"); len(got) != 3 {
		t.Errorf("%d servers, with none healthy", len(got))
	}
	all[1].health.answered()
	if got := c.order("x"); len(got) != 1 || got[0] != all[1] {
		t.Errorf("%d servers after one is back", len(got))
	}
}
