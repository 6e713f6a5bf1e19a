package ng

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// counting is a handler that knows the call "known" and counts what it carries out.
type counting struct{ carried atomic.Int64 }

func (c *counting) handler() Handler {
	on := func(q Request) (Response, error) {
		c.carried.Add(1)
		switch {
		case q.Command == List:
			return Response{Calls: []string{"known"}}, nil
		case q.Command == Statistics:
			return Response{Statistics: Dict{"calls": int64(1)}}, nil
		case q.CallID == "long":
			return Response{SDP: strings.Repeat("x", MaxMessage)}, nil
		case q.CallID == "full":
			return Response{}, ErrLoadLimit
		case q.CallID == "broken":
			return Response{}, errors.New(strings.Repeat("y", 300))
		case q.CallID != "known":
			return Response{}, ErrUnknownCall
		}
		return Response{SDP: "v=0 of " + q.FromTag}, nil
	}
	return Handler{on, on, on, on, on, on}
}

func startServer(t *testing.T, c *counting, allow ...netip.Prefix) *Server {
	t.Helper()
	s, err := NewServer(ServerConfig{Listen: netip.MustParseAddrPort("127.0.0.1:0"), Allow: allow}, c.handler())
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return s
}

// The words of the errors are those of rtpengine 10.5, which the interop test asks the same.
var dialogue = []struct{ ask, want string }{
	{"d7:command4:pinge", "d6:result4:ponge"},
	{"", "d12:error-reason25:Invalid data (no payload)6:result5:errore"},
	{"i5e", "d12:error-reason22:Invalid NG data format6:result5:errore"},
	{"d1:a1:be", `d12:error-reason36:Dictionary contains no key "command"6:result5:errore`},
	{"d7:command3:fooe", "d12:error-reason20:Unrecognized command6:result5:errore"},
	{"d7:command5:offere", "d12:error-reason22:No SDP body in message6:result5:errore"},
	{"d7:command5:offer3:sdp5:v=0\r\ne", "d12:error-reason21:No call-id in message6:result5:errore"},
	{"d7:call-id1:x7:command5:offer3:sdp5:v=0\r\ne", "d12:error-reason22:No from-tag in message6:result5:errore"},
	{"d7:call-id1:x7:command6:answer8:from-tag1:f3:sdp5:v=0\r\ne", "d12:error-reason20:No to-tag in message6:result5:errore"},
	{"d7:command6:deletee", "d12:error-reason21:No call-id in message6:result5:errore"},
	{"d7:command5:querye", "d12:error-reason21:No call-id in message6:result5:errore"},
	{"d7:call-id1:x7:command5:querye", "d12:error-reason15:Unknown call-id6:result5:errore"},
	{"d7:call-id1:x7:command6:deletee", "d6:result2:ok7:warning38:Call-ID not found or tags didn't matche"},
	{"d7:call-id1:x7:command6:delete5:flagsl5:fatalee", "d12:error-reason38:Call-ID not found or tags didn't match6:result5:errore"},
}

func TestServer(t *testing.T) {
	c := new(counting)
	s := startServer(t, c)
	conn := dial(t, s.Addr())
	for i, one := range append(dialogue, []struct{ ask, want string }{
		{"d7:call-id5:known7:command5:offer8:from-tag1:f3:sdp5:v=0\r\ne", "d6:result2:ok3:sdp8:v=0 of fe"},
		{"d7:command4:liste", "d5:callsl5:knowne6:result2:oke"},
		{"d7:command10:statisticse", "d6:result2:ok10:statisticsd5:callsi1eee"},
		{"d7:call-id4:long7:command5:querye", "d12:error-reason37:Response does not fit into a datagram6:result5:errore"},
		{"d7:call-id4:full7:command5:offer8:from-tag1:f3:sdp3:v=0e", "d12:error-reason10:load limit6:result5:errore"},
		{"d7:call-id4:full7:command5:offer8:from-tag1:f3:sdp3:v=08:supportsl10:load limitee", "d6:result10:load limite"},
		{"d7:call-id6:broken7:command5:querye", "d12:error-reason200:" + strings.Repeat("y", 200) + "6:result5:errore"},
	}...) {
		cookie := "cookie" + string(rune('a'+i)) + " "
		if got := ask(t, conn, cookie+one.ask); got != cookie+one.want {
			t.Errorf("%q: %q, want %q", one.ask, got, cookie+one.want)
		}
	}
}

// A command that is repeated is carried out once; the same cookie from another source is another command.
func TestServerRepeats(t *testing.T) {
	c := new(counting)
	s := startServer(t, c)
	first, second := dial(t, s.Addr()), dial(t, s.Addr())
	offer := "c1 d7:call-id5:known7:command5:offer8:from-tag1:f3:sdp5:v=0\r\ne"
	once := ask(t, first, offer)
	for range 3 {
		if again := ask(t, first, offer); again != once {
			t.Errorf("%q, and then %q", once, again)
		}
	}
	if n := c.carried.Load(); n != 1 {
		t.Errorf("carried out %d", n)
	}
	ask(t, second, offer)
	if n := c.carried.Load(); n != 2 {
		t.Errorf("carried out %d", n)
	}
	counted := make(map[string]uint64)
	for name, n := range s.Counters() {
		counted[name] = n
	}
	if counted["commands"] != 5 || counted["repeated"] != 3 {
		t.Errorf("counted %v", counted)
	}
}

// What gets no answer: no cookie, no right.
func TestServerSilence(t *testing.T) {
	ping := []byte("c d7:command4:pinge")
	now := time.Unix(1700000000, 0)
	s := &Server{}
	for _, c := range []struct {
		from, msg string
		allow     []netip.Prefix
		want      drop
	}{
		{"127.0.0.1:9", string(ping), nil, dropNone},
		{"[::1]:9", string(ping), nil, dropNone},
		{"[::ffff:127.0.0.1]:9", string(ping), nil, dropNone},
		{"192.0.2.1:9", string(ping), nil, dropSource},
		{"192.0.2.1:9", string(ping), []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}, dropNone},
		{"127.0.0.1:9", string(ping), []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}, dropSource},
		{"127.0.0.1:9", "d7:command4:pinge", nil, dropCookie},
		{"127.0.0.1:9", "", nil, dropCookie},
	} {
		s.allow = c.allow
		answer, why := s.answer(netip.MustParseAddrPort(c.from), []byte(c.msg), now)
		if why != c.want || (answer == nil) != (c.want != dropNone) {
			t.Errorf("%v %q: %q, %v", c.from, c.msg, answer, why)
		}
	}
}

func TestServerConfig(t *testing.T) {
	c := new(counting)
	for _, cfg := range []ServerConfig{{}, {Listen: netip.MustParseAddrPort("127.0.0.1:0"), Allow: []netip.Prefix{{}}}} {
		if s, err := NewServer(cfg, c.handler()); err == nil {
			s.Close()
			t.Errorf("%+v was taken", cfg)
		}
	}
	if s, err := NewServer(ServerConfig{Listen: netip.MustParseAddrPort("127.0.0.1:0")}, Handler{}); err == nil {
		s.Close()
		t.Error("a handler without functions was taken")
	}
}

func dial(t *testing.T, addr netip.AddrPort) *net.UDPConn {
	t.Helper()
	conn, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(addr))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

func ask(t *testing.T, conn *net.UDPConn, msg string) string {
	t.Helper()
	if _, err := conn.Write([]byte(msg)); err != nil {
		t.Fatal(err)
	}
	conn.SetReadDeadline(time.Now().Add(10 * time.Second))
	buf := make([]byte, MaxMessage)
	n, err := conn.Read(buf)
	if err != nil {
		t.Fatalf("%q: %v", msg, err)
	}
	return string(buf[:n])
}

// FuzzServer: whatever comes, no panic, an answer with the cookie that came, and the same for the same.
func FuzzServer(f *testing.F) {
	for _, one := range dialogue {
		f.Add([]byte("c " + one.ask))
	}
	from := netip.MustParseAddrPort("127.0.0.1:9")
	now := time.Unix(1700000000, 0)
	f.Fuzz(func(t *testing.T, msg []byte) {
		c := new(counting)
		s := &Server{handler: c.handler()}
		first, why := s.answer(from, msg, now)
		if why != dropNone {
			if first != nil || why != dropCookie {
				t.Fatalf("%v, %q", why, first)
			}
			return
		}
		cookie, _, _ := cutMessage(msg)
		got, body, err := cutMessage(first)
		if err != nil || got != cookie {
			t.Fatalf("%q is answered with %q", msg, first)
		}
		if d, err := decode(body); err != nil || d.str("result") == "" {
			t.Fatalf("%v: %q is answered with %q", err, msg, first)
		}
		carried := c.carried.Load()
		if again, _ := s.answer(from, msg, now); string(again) != string(first) || c.carried.Load() != carried {
			t.Fatalf("%q, then %q", first, again)
		}
	})
}
