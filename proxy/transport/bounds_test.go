package transport

import (
	"net"
	"net/netip"
	"testing"
	"time"
)

func TestConnectionLimits(t *testing.T) {
	for _, tc := range []struct {
		lim  Limits
		want Reason
	}{
		{Limits{Conns: 2}, ConnLimit},
		{Limits{ConnsPerSource: 2}, SourceLimit},
	} {
		t.Run(tc.want.String(), func(t *testing.T) {
			refused := make(chan string, 9)
			closed := make(chan Peer, 9)
			tr := start(t, []Spec{tcpSpec("127.0.0.1:0")}, Handler{
				Message: echo,
				Refused: func(reason string, _ netip.AddrPort) { refused <- reason },
				Closed:  func(_ int64, p Peer, _ func(uint64) bool, _ *Out) { closed <- p },
			}, tc.lim)
			var held []*net.TCPConn
			for range 2 {
				c := dialTo(t, tr.Addr(0))
				write(t, c, sip("x"))
				expect(t, c, sip("x"))
				held = append(held, c)
			}
			if third, err := net.Dial("tcp", tr.Addr(0).String()); err == nil { // the reset may come that early
				defer third.Close()
				if _, err := third.Read(make([]byte, 1)); err == nil {
					t.Error("the third connection was served")
				}
			}
			if r := event(t, refused); r != tc.want.String() {
				t.Errorf("refused for %q", r)
			}
			held[0].Close()
			event(t, closed)
			again := dialTo(t, tr.Addr(0))
			write(t, again, sip("y"))
			expect(t, again, sip("y"))
			if n := tr.Stats().ConnsOpen.Load(); n != 2 {
				t.Errorf("%d open", n)
			}
		})
	}
}

func TestQuietConnectionsAreClosed(t *testing.T) {
	long, short := time.Hour, 50*time.Millisecond
	for _, tc := range []struct {
		name  string
		first string
		lim   Limits
		want  Reason
	}{
		{"nothing at all", "", Limits{Header: short, Idle: long}, HeaderTimeout},
		{"pings only", "\r\n\r\n", Limits{Header: short, Idle: long}, HeaderTimeout},
		{"half a message", "MESSAGE sip:a", Limits{Header: short, Idle: long}, HeaderTimeout},
		{"a body that never ends", sip("x") + sip("yy")[:55], Limits{Header: short, Idle: long}, HeaderTimeout},
		{"idle", sip("x"), Limits{Header: long, Idle: short}, IdleTimeout},
		{"idle, after an earlier deadline", sip("x"), Limits{Header: short, Idle: 3 * short}, IdleTimeout},
	} {
		t.Run(tc.name, func(t *testing.T) {
			closed := make(chan Peer, 1)
			tr := start(t, []Spec{tcpSpec("127.0.0.1:0")}, Handler{Closed: func(_ int64, p Peer, _ func(uint64) bool, _ *Out) { closed <- p }}, tc.lim)
			begin := time.Now()
			c := dialTo(t, tr.Addr(0))
			write(t, c, tc.first)
			event(t, closed)
			if d := time.Since(begin); d < short {
				t.Errorf("closed after %v", d)
			}
			if n := tr.Stats().Count(tc.want); n != 1 {
				t.Errorf("%s counted %d times", tc.want, n)
			}
		})
	}
}

func TestSourcesCountBySubscriber(t *testing.T) {
	for in, want := range map[string]string{
		"192.0.2.1":            "192.0.2.1",
		"2001:db8:1:2:3:4:5:6": "2001:db8:1:2::",
		"fe80::1%lo":           "fe80::",
		"2001:db8:1:2:ffff::1": "2001:db8:1:2::",
	} {
		if got := sourceOf(netip.MustParseAddr(in)).String(); got != want {
			t.Errorf("%s counts as %s, want %s", in, got, want)
		}
	}
}
