package proxy

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/hotcut/hotcut/policy"
	"github.com/hotcut/hotcut/proxy/config"
)

// stream is one TCP connection that speaks SIP by hand.
type stream struct {
	t    *testing.T
	conn net.Conn
	got  chan message
}

func newStream(t *testing.T, c net.Conn) *stream {
	s := &stream{t: t, conn: c, got: make(chan message, 1024)}
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer close(s.got)
		for r := bufio.NewReader(c); ; {
			var b strings.Builder
			length := 0
			for {
				line, err := r.ReadString('\n')
				if err != nil {
					return
				}
				if v, ok := strings.CutPrefix(line, "Content-Length:"); ok {
					length, _ = strconv.Atoi(strings.TrimSpace(v))
				}
				b.WriteString(line)
				if line == "\r\n" {
					break
				}
			}
			if _, err := io.CopyN(&b, r, int64(length)); err != nil {
				return
			}
			if !strings.Contains(b.String(), "Call-ID: probe-") {
				s.got <- message{text: b.String()}
			}
		}
	}()
	t.Cleanup(func() { c.Close(); <-done })
	return s
}

func (w *world) dial(addr string) *stream {
	w.t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		w.t.Fatal(err)
	}
	return newStream(w.t, c)
}

func (s *stream) addr() string { return s.conn.LocalAddr().String() }

func (s *stream) send(text string) {
	s.t.Helper()
	if _, err := s.conn.Write(crlf(text)); err != nil {
		s.t.Fatal(err)
	}
}

func (s *stream) want(prefix string) message {
	s.t.Helper()
	select {
	case m, ok := <-s.got:
		if !ok {
			s.t.Fatalf("wanted %q, the connection ended", prefix)
		}
		if strings.HasPrefix(m.text, "SIP/2.0 100") && prefix != "SIP/2.0 100" {
			return s.want(prefix) // whether it comes is a matter of 200 ms
		}
		if !strings.HasPrefix(m.text, prefix) {
			s.t.Fatalf("wanted %q, got\n%s", prefix, m.text)
		}
		if len(m.headers("Content-Length")) != 1 {
			s.t.Fatalf("no Content-Length on a stream:\n%s", m.text)
		}
		return m
	case <-time.After(patience):
		s.t.Fatalf("wanted %q, got nothing", prefix)
	}
	panic("unreachable")
}

func (s *stream) reply(m message, status, extra string) {
	s.send(answerTo(m, status, extra, s.addr()+";transport=tcp"))
}

// tcp turns a request of a peer into one of a stream.
func (s *stream) tcp(text string, of *peer) string {
	return strings.NewReplacer("SIP/2.0/UDP "+of.addr(), "SIP/2.0/TCP "+s.addr(), of.addr(), s.addr()+";transport=tcp").Replace(text)
}

// tcpListen adds a TCP listener of each side.
func (w *world) tcpListen() (out, in string) {
	out, in = home+":"+freePort(w.t), home+":"+freePort(w.t)
	w.cfg.Listen = append(w.cfg.Listen,
		config.Listen{Name: "out-tcp", Side: config.Outside, Transport: config.TCP, Address: out},
		config.Listen{Name: "in-tcp", Side: config.Inside, Transport: config.TCP, Address: in})
	return out, in
}

// A phone over TCP calls a platform over UDP: the Record-Route is double, each side sees its own transport, and both
// ends reach each other by it.
func TestPhoneOverTCP(t *testing.T) {
	t.Parallel()
	w := newWorld(t, tenant("acme", policy.StageLegacy))
	out, _ := w.tcpListen()
	w.start()
	p := w.dial(out)
	c := &call{w: w, by: w.phone, id: "one", domain: "acme.example", to: "<sip:bob@acme.example>"}
	p.send(p.tcp(c.request("INVITE", 1, "sip:bob@acme.example", ""), w.phone))
	inv := w.legacy.want("INVITE ")
	rr := inv.headers("Record-Route")
	if len(rr) != 2 || strings.Contains(rr[0], "transport=tcp") || !strings.Contains(rr[1], out+";transport=tcp") {
		t.Fatalf("Record-Route %q", rr)
	}
	w.legacy.reply(inv, "200 OK", "")
	c.answered(p.want("SIP/2.0 200"))
	p.send(p.tcp(c.request("ACK", 1, c.remote, ""), w.phone))
	ack := w.legacy.want("ACK ")
	// The platform asks something in the dialog, over the phone's connection.
	w.legacy.send(w.in, reversed(ack, inv, w.legacy.addr(), "INFO", p.addr()))
	info := p.want("INFO ")
	p.reply(info, "200 OK", "")
	w.legacy.want("SIP/2.0 200")
	p.send(p.tcp(c.request("BYE", 2, c.remote, ""), w.phone))
	w.legacy.reply(w.legacy.want("BYE "), "200 OK", "")
	p.want("SIP/2.0 200")
}

// reversed is an in-dialog request of the callee, by the route set of the INVITE as it came.
// An edge without any datagrams has its timers all the same: a platform that says nothing for 200 ms gets the phone a 100.
func TestTimersWithoutDatagrams(t *testing.T) {
	t.Parallel()
	w := newWorld(t, tenant("acme", policy.StageLegacy))
	w.cfg.Listen = nil
	out, _ := w.tcpListen()
	l, err := net.Listen("tcp", home+":"+freePort(t))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close() // its backlog takes what is sent, and nobody answers
	target := []config.Target{{Name: "t1", URI: "sip:" + l.Addr().String() + ";transport=tcp"}}
	w.cfg.Platforms.Legacy.Targets, w.cfg.Platforms.Legacy.Sources = target, []string{l.Addr().String()}
	w.cfg.Platforms.Core.Targets, w.cfg.Platforms.Core.Sources = nil, nil
	w.start()
	p := w.dial(out)
	c := &call{w: w, by: w.phone, id: "one", domain: "acme.example", to: "<sip:bob@acme.example>"}
	p.send(p.tcp(c.request("INVITE", 1, "sip:bob@acme.example", ""), w.phone))
	p.want("SIP/2.0 100")
}

func reversed(ack, inv message, from, method, contact string) string {
	return fmt.Sprintf("%s sip:anna@%s SIP/2.0\nVia: SIP/2.0/UDP %s;branch=z9hG4bKrev%s\nRoute: %s\nMax-Forwards: 70\nFrom: %s\nTo: %s\nCall-ID: %s\nCSeq: 9 %s\nContent-Length: 0\n\n",
		method, contact, from, method, strings.Join(inv.headers("Record-Route"), ", "), ack.headers("To")[0], ack.headers("From")[0], ack.headers("Call-ID")[0], method)
}

// A message that comes a byte at a time is one message.
func TestSplitAtEveryByte(t *testing.T) {
	t.Parallel()
	w := newWorld(t, tenant("acme", policy.StageLegacy))
	out, _ := w.tcpListen()
	w.cfg.Limits.SourceRate, w.cfg.Limits.SourceBurst = 1000, 1000
	w.start()
	p := w.dial(out)
	c := &call{w: w, by: w.phone, id: "one", domain: "acme.example", to: "<sip:bob@acme.example>"}
	text := crlf(p.tcp(strings.Replace(c.request("INFO", 1, "sip:bob@acme.example", "X-Other: kept\n"), "Content-Length: 0\n\n", "Content-Length: 5\n\nhello", 1), w.phone))
	whole := ""
	for at := range text {
		n := fmt.Sprintf("split%d", at)
		one := []byte(strings.Replace(string(text), "one@phone", n+"@phone", 1))
		one = []byte(strings.Replace(string(one), "z9hG4bKone", "z9hG4bK"+n, 1))
		cut := min(at, len(one))
		for _, part := range [][]byte{one[:cut], one[cut:]} {
			if _, err := p.conn.Write(part); err != nil {
				t.Fatal(err)
			}
		}
		m := w.legacy.want("INFO ")
		w.legacy.reply(m, "200 OK", "")
		p.want("SIP/2.0 200")
		body := m.text[strings.Index(m.text, "Max-Forwards: 69"):]
		body = body[:strings.Index(body, "Call-ID")] + body[strings.Index(body, "CSeq"):]
		if whole == "" {
			whole = body
		}
		if body != whole || !strings.HasSuffix(body, "hello") {
			t.Fatalf("cut at %d:\n%s\nwant\n%s", at, body, whole)
		}
	}
}

// A target over TCP serves phones over UDP; a datagram without Content-Length gets one; the connection is kept.
func TestTargetOverTCP(t *testing.T) {
	t.Parallel()
	w := newWorld(t, tenant("acme", policy.StageLegacy))
	_, in := w.tcpListen()
	l, err := net.Listen("tcp", "127.0.0.2:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	w.cfg.Platforms.Legacy.Targets = []config.Target{{Name: "l1", URI: "sip:" + l.Addr().String() + ";transport=tcp"}}
	w.cfg.Platforms.Legacy.Sources = []string{"127.0.0.2"}
	w.start()
	accepted := make(chan net.Conn, 16)
	closed := make(chan struct{})
	go func() {
		defer close(closed)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			accepted <- c
		}
	}()
	t.Cleanup(func() { l.Close(); <-closed })
	c := &call{w: w, by: w.phone, id: "one", domain: "acme.example", to: "<sip:bob@acme.example>"}
	w.phone.send(w.out, strings.Replace(c.request("INVITE", 1, "sip:bob@acme.example", ""), "Content-Length: 0\n", "", 1))
	var target *stream
	var inv message
	for inv.text == "" { // the probes' connection may be another
		s := newStream(t, <-accepted)
		select {
		case m, ok := <-s.got:
			if ok {
				target, inv = s, m
			}
		case <-time.After(time.Second):
		}
	}
	if v := inv.headers("Via")[0]; !strings.HasPrefix(v, "SIP/2.0/TCP "+in) {
		t.Errorf("Via %q", v)
	}
	if len(inv.headers("Content-Length")) != 1 {
		t.Errorf("no Content-Length in\n%s", inv.text)
	}
	target.send(answerTo(inv, "200 OK", "", l.Addr().String())) // a Contact that forgot its transport
	c.answered(w.phone.wantFinal("SIP/2.0 200"))
	w.phone.send(w.out, c.request("ACK", 1, c.remote, ""))
	target.want("ACK ")
	w.phone.send(w.out, c.request("BYE", 2, c.remote, ""))
	target.reply(target.want("BYE "), "200 OK", "")
	w.phone.want("SIP/2.0 200")
}

// The phone's connection is lost in mid-call: the platform hears 480, and the edge stays well. On its new connection
// the phone can still hang up.
func TestConnectionLost(t *testing.T) {
	t.Parallel()
	w := newWorld(t, tenant("acme", policy.StageLegacy))
	out, _ := w.tcpListen()
	w.start()
	p := w.dial(out)
	c := &call{w: w, by: w.phone, id: "one", domain: "acme.example", to: "<sip:bob@acme.example>"}
	p.send(p.tcp(c.request("INVITE", 1, "sip:bob@acme.example", ""), w.phone))
	inv := w.legacy.want("INVITE ")
	w.legacy.reply(inv, "200 OK", "")
	c.answered(p.want("SIP/2.0 200"))
	p.send(p.tcp(c.request("ACK", 1, c.remote, ""), w.phone))
	ack := w.legacy.want("ACK ")
	at := p.addr()
	p.conn.Close()
	w.await(func() bool { return w.edge.transport.Stats().ConnsOpen.Load() == 0 }, "the edge to see the connection end")
	w.legacy.send(w.in, reversed(ack, inv, w.legacy.addr(), "INFO", at))
	w.legacy.want("SIP/2.0 480")

	again := w.dial(out)
	again.send(again.tcp(c.request("BYE", 2, c.remote, ""), w.phone))
	w.legacy.reply(w.legacy.want("BYE "), "200 OK", "")
	again.want("SIP/2.0 200")
	if n, _ := w.edge.sizes(); n != 0 {
		t.Errorf("%d dialogs", n)
	}
}

// A response to a connection that is gone goes nowhere: never is a connection opened to an outsider.
func TestAnswerToLostConnection(t *testing.T) {
	t.Parallel()
	w := newWorld(t, tenant("acme", policy.StageLegacy)).quick()
	out, _ := w.tcpListen()
	w.start()
	p := w.dial(out)
	c := &call{w: w, by: w.phone, id: "one", domain: "acme.example", to: "<sip:bob@acme.example>"}
	p.send(p.tcp(c.request("INVITE", 1, "sip:bob@acme.example", ""), w.phone))
	inv := w.legacy.want("INVITE ")
	p.conn.Close()
	w.await(func() bool { return w.edge.transport.Stats().ConnsOpen.Load() == 0 }, "the edge to see the connection end")
	w.legacy.reply(inv, "486 Busy Here", "")
	w.legacy.want("ACK ")
	w.freed()
	if n := w.edge.transport.Stats().Dialled.Load(); n != 0 {
		t.Errorf("%d connections were dialled", n)
	}
}
