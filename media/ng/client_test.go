package ng

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func startClient(t *testing.T, cfg ClientConfig, servers ...*far) *Client {
	t.Helper()
	for _, s := range servers {
		cfg.Servers = append(cfg.Servers, s.addr)
	}
	if cfg.Interval == 0 {
		cfg.Interval = 100 * time.Millisecond
	}
	if cfg.Ping == 0 {
		cfg.Ping = 2 * time.Second // a busy machine misses no three of them
	}
	c, err := NewClient(cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() { c.Run(ctx); close(ended) }()
	t.Cleanup(func() { stop(); <-ended })
	return c
}

var offer = Request{Command: Offer, CallID: "c", FromTag: "f", SDP: "v=0\r\n"}

func TestClient(t *testing.T) {
	f := newFar(t, false, ok)
	c := startClient(t, ClientConfig{}, f)
	r, at, err := c.Place(t.Context(), offer)
	if err != nil || r.SDP != "v=0 c" || at != f.addr {
		t.Fatalf("%+v at %v: %v", r, at, err)
	}
	if r, err = c.Do(t.Context(), at, Request{Command: Query, CallID: "d"}); err != nil || r.SDP != "v=0 d" {
		t.Errorf("%+v: %v", r, err)
	}
	if _, err := c.Do(t.Context(), netip.MustParseAddrPort("127.0.0.1:1"), offer); !errors.Is(err, ErrServer) {
		t.Errorf("another server: %v", err)
	}
	if _, _, err := c.Place(t.Context(), Request{Command: Query, CallID: "c"}); !errors.Is(err, ErrRequest) {
		t.Errorf("a query placed: %v", err)
	}
	if _, err := c.Do(t.Context(), at, Request{Command: Answer, CallID: "c", FromTag: "f", SDP: "v=0"}); !errors.Is(err, ErrNoToTag) || !errors.Is(err, ErrRequest) {
		t.Errorf("an answer without tag: %v", err)
	}
	if _, err := c.Do(t.Context(), at, Request{Command: Query, CallID: strings.Repeat("x", MaxMessage)}); !errors.Is(err, ErrRequest) {
		t.Errorf("a request of 65 kB: %v", err)
	}
}

// The same bytes are sent until one is answered; an error of the server is its Reason.
func TestClientRepeats(t *testing.T) {
	f := newFar(t, false, func(nth int, cookie string, _ Request) string {
		if nth < 3 {
			return ""
		}
		return cookie + " d12:error-reason15:Unknown call-id6:result5:errore"
	})
	c := startClient(t, ClientConfig{}, f)
	if _, err := c.Do(t.Context(), f.addr, offer); err != ErrUnknownCall {
		t.Error(err)
	}
	got := f.heard()
	if len(got) != 3 || got[0] != got[1] || got[1] != got[2] {
		t.Errorf("sent %q", got)
	}
	if n := c.Counters().Repeated; n != 2 {
		t.Errorf("repeated %d", n)
	}
}

func TestClientTimesOut(t *testing.T) {
	f := newFar(t, false, silent)
	c := startClient(t, ClientConfig{Tries: 2}, f)
	if _, err := c.Do(t.Context(), f.addr, offer); !errors.Is(err, ErrTimeout) {
		t.Error(err)
	}
	if n := len(f.heard()); n != 2 {
		t.Errorf("sent %d times", n)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := c.Do(ctx, f.addr, offer); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// Answers that are late, twice, malformed or of another's cookie are counted, and reach nobody.
func TestClientDropsWhatNobodyWaitsFor(t *testing.T) {
	f := newFar(t, false, func(nth int, cookie string, q Request) string {
		return strings.Join([]string{"garbage", cookie + " d", "other d6:result2:ok3:sdp4:evile", ok(nth, cookie, q),
			ok(nth, cookie, Request{CallID: "second"})}, "\x00")
	})
	c := startClient(t, ClientConfig{Tries: 1, Interval: 5 * time.Second}, f)
	r, err := c.Do(t.Context(), f.addr, offer)
	if err != nil || r.SDP != "v=0 c" {
		t.Fatalf("%+v: %v", r, err)
	}
	eventually(t, func() bool { h := c.Health()[0]; return h.Late == 2 && h.Malformed == 2 })
}

// pair has two servers, of which the call "c" goes to the first.
func pair(t *testing.T, cfg ClientConfig, deaf bool, one, two func(int, string, Request) string) (*Client, *far, *far) {
	t.Helper()
	for { // ranks depend on ports: which of two is the first shows when they are known
		a, b := newFar(t, deaf, one), newFar(t, false, two)
		if rank(offer.CallID, a.addr) > rank(offer.CallID, b.addr) {
			return startClient(t, cfg, a, b), a, b
		}
		a.close()
		b.close()
	}
}

// A new call goes elsewhere when its server is silent, full or gone; the silent one is told to forget it.
func TestFailOver(t *testing.T) {
	full := func(_ int, cookie string, _ Request) string { return cookie + " d6:result10:load limite" }
	for name, one := range map[string]func(int, string, Request) string{"silent": silent, "full": full} {
		t.Run(name, func(t *testing.T) {
			c, a, b := pair(t, ClientConfig{Tries: 2}, false, one, ok)
			r, at, err := c.Place(t.Context(), offer)
			if err != nil || at != b.addr || r.SDP != "v=0 c" {
				t.Fatalf("%+v at %v: %v", r, at, err)
			}
			if c.Counters().Failovers != 1 {
				t.Errorf("%+v", c.Counters())
			}
			if name == "silent" {
				eventually(t, func() bool {
					got := a.heard()
					return len(got) == 3 && strings.Contains(got[2], "7:command6:delete12:delete-delayi0e")
				})
			}
		})
	}
	t.Run("gone", func(t *testing.T) {
		c, a, b := pair(t, ClientConfig{Tries: 3, Interval: 10 * time.Second, Ping: time.Hour}, false, ok, ok)
		a.close()
		_, at, err := c.Place(t.Context(), offer) // long before the second try
		if err != nil || at != b.addr {
			t.Fatalf("at %v: %v", at, err)
		}
	})
	t.Run("refused for its content", func(t *testing.T) {
		bad := func(_ int, cookie string, _ Request) string {
			return cookie + " d12:error-reason19:Failed to parse SDP6:result5:errore"
		}
		c, _, b := pair(t, ClientConfig{}, false, bad, ok)
		if _, _, err := c.Place(t.Context(), offer); err != ErrSDP || len(b.heard()) != 0 {
			t.Errorf("%v; the other heard %q", err, b.heard())
		}
	})
	t.Run("within a deadline", func(t *testing.T) {
		c, _, b := pair(t, ClientConfig{Interval: 5 * time.Second}, false, silent, ok)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, at, err := c.Place(ctx, offer); err != nil || at != b.addr {
			t.Errorf("at %v: %v", at, err)
		}
	})
	t.Run("a living call stays", func(t *testing.T) {
		c, a, b := pair(t, ClientConfig{Tries: 2}, false, silent, ok)
		q := offer
		q.Command, q.ToTag = Answer, "t"
		if _, err := c.Do(t.Context(), a.addr, q); !errors.Is(err, ErrTimeout) || len(b.heard()) != 0 {
			t.Errorf("%v; the other heard %q", err, b.heard())
		}
	})
}

// A server that does not answer pings gets no new calls, until it answers one.
func TestHealth(t *testing.T) {
	c, a, b := pair(t, ClientConfig{Ping: 100 * time.Millisecond, Misses: 2}, true, ok, ok)
	up := func(i int) bool { return c.Health()[i].Up }
	eventually(t, func() bool { return !up(0) && up(1) && c.Health()[1].RTT > 0 })
	if _, at, err := c.Place(t.Context(), offer); err != nil || at != b.addr || len(a.heard()) != 0 {
		t.Errorf("at %v: %v", at, err)
	}
	if _, err := c.Do(t.Context(), a.addr, offer); err != nil {
		t.Error(err)
	}
}

// A server whose port is refused is down at once, and up when it is back.
func TestServerComesBack(t *testing.T) {
	f := newFar(t, false, ok)
	c := startClient(t, ClientConfig{Ping: 50 * time.Millisecond, Misses: 1000}, f)
	eventually(t, func() bool { return c.Health()[0].RTT > 0 })
	f.close()
	eventually(t, func() bool { return !c.Health()[0].Up })
	conn := listen(t, int(f.addr.Port()))
	pongs := make(chan struct{})
	go func() {
		defer close(pongs)
		for buf := make([]byte, 1<<10); ; {
			n, from, err := conn.ReadFromUDPAddrPort(buf)
			if err != nil {
				return
			}
			cookie, _, _ := cutMessage(buf[:n])
			conn.WriteToUDPAddrPort([]byte(cookie+" d6:result4:ponge"), from)
		}
	}()
	eventually(t, func() bool { return c.Health()[0].Up })
	conn.Close()
	<-pongs
}

// A command in flight lives through a restart of its server.
func TestDoOutlivesARestart(t *testing.T) {
	f := newFar(t, false, ok)
	c := startClient(t, ClientConfig{Ping: time.Hour, Interval: 100 * time.Millisecond}, f)
	f.close()
	failed := make(chan error)
	go func() { _, err := c.Do(context.Background(), f.addr, offer); failed <- err }()
	eventually(t, func() bool { return c.Counters().Sent == 2 }) // its ping and the first try
	conn := listen(t, int(f.addr.Port()))
	defer conn.Close()
	for {
		var buf [1 << 10]byte
		n, from, err := conn.ReadFromUDPAddrPort(buf[:])
		if err != nil {
			t.Fatal(err)
		}
		if cookie, body, _ := cutMessage(buf[:n]); strings.Contains(string(body), "5:offer") {
			conn.WriteToUDPAddrPort([]byte(cookie+" d6:result2:oke"), from)
			break
		}
	}
	if err := <-failed; err != nil {
		t.Error(err)
	}
}

func TestClientIsBounded(t *testing.T) {
	release := make(chan struct{})
	f := newFar(t, false, func(nth int, cookie string, q Request) string { <-release; return ok(nth, cookie, q) })
	c := startClient(t, ClientConfig{Outstanding: 2, Interval: 10 * time.Second, Ping: time.Hour}, f)
	eventually(t, func() bool { return c.Health()[0].RTT > 0 }) // the first ping counts too
	var g sync.WaitGroup
	for range 2 {
		g.Go(func() {
			if _, err := c.Do(t.Context(), f.addr, offer); err != nil {
				t.Error(err)
			}
		})
	}
	eventually(t, func() bool { return c.outstanding.Load() == 2 })
	if _, err := c.Do(t.Context(), f.addr, offer); err != ErrBusy {
		t.Error(err)
	}
	close(release)
	g.Wait()
	if n := c.outstanding.Load(); n != 0 {
		t.Errorf("%d outstanding", n)
	}
	if n := len(c.peers[0].waiting); n != 0 {
		t.Errorf("%d waiting", n)
	}
}

func TestClientEnds(t *testing.T) {
	f := newFar(t, true, silent)
	c, err := NewClient(ClientConfig{Servers: []netip.AddrPort{f.addr}, Interval: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { c.Run(ctx); close(ended) }()
	failed := make(chan error)
	go func() { _, err := c.Do(context.Background(), f.addr, offer); failed <- err }()
	eventually(t, func() bool { return len(f.heard()) == 1 })
	stop()
	if err := <-failed; err != ErrClosed {
		t.Error(err)
	}
	<-ended
}

func TestClientConfig(t *testing.T) {
	a := netip.MustParseAddrPort("127.0.0.1:2223")
	for _, cfg := range []ClientConfig{
		{}, {Servers: []netip.AddrPort{a, a}}, {Servers: []netip.AddrPort{{}}}, {Servers: slices.Repeat([]netip.AddrPort{a}, 65)},
		{Servers: []netip.AddrPort{a}, Tries: -1}, {Servers: []netip.AddrPort{a}, Interval: 1}, {Servers: []netip.AddrPort{a}, Outstanding: -1},
	} {
		if _, err := NewClient(cfg); err == nil {
			t.Errorf("%+v was taken", cfg)
		}
	}
}
