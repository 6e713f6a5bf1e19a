package proxy

import (
	"bufio"
	"net"
	"strings"
	"testing"

	"github.com/hotcut/hotcut/policy"
	"github.com/hotcut/hotcut/proxy/config"
)

// accept takes one connection that carries more than probes.
func accept(t *testing.T, l net.Listener) *stream {
	t.Helper()
	for {
		c, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		r := bufio.NewReader(c)
		line, err := r.Peek(7)
		if err == nil && string(line) == "OPTIONS" {
			go func() { // a probe: nobody answers
				for _, err := r.Discard(1); err == nil; _, err = r.Discard(1) {
				}
				c.Close()
			}()
			continue
		}
		return newStream(t, peeked{c, r})
	}
}

type peeked struct {
	net.Conn
	r *bufio.Reader
}

func (p peeked) Read(b []byte) (int, error) { return p.r.Read(b) }

// tcpTarget gives legacy a target over TCP beside the one over UDP, or alone.
func (w *world) tcpTarget(alone bool) (net.Listener, string) {
	l, err := net.Listen("tcp", home+":"+freePort(w.t))
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { l.Close() })
	_, in := w.tcpListen()
	w.cfg.Platforms.Legacy.Targets = append(w.cfg.Platforms.Legacy.Targets, config.Target{Name: "stream", URI: "sip:" + l.Addr().String() + ";transport=tcp"})
	if alone {
		w.cfg.Platforms.Legacy.Targets = w.cfg.Platforms.Legacy.Targets[1:]
	}
	w.start()
	return l, in
}

// idFor finds a Call-ID whose first target is that one.
func (w *world) idFor(target string) string {
	topo := w.edge.topo.Load()
	for c := 'a'; ; c++ {
		i, _ := topo.health.Pick(topo.pools[poolKey{policy.Legacy, "main"}], stableHash([]byte(string(c)+"@phone")), 0)
		if topo.targets[i].name == target {
			return string(c)
		}
	}
}

// A target that dies with a call in its hands, before it rang: the next one gets it at once, not after Timer B.
func TestTargetHangsUp(t *testing.T) {
	t.Parallel()
	for _, said := range []string{"", "100 Trying"} {
		w := newWorld(t, tenant("acme", policy.StageLegacy))
		l, _ := w.tcpTarget(false)
		c := w.invite(w.idFor("stream"), "acme.example", "")
		s := accept(t, l)
		inv := s.want("INVITE ")
		if said != "" {
			s.reply(inv, said, "")
		}
		l.Close()
		s.conn.Close()
		w.legacy.reply(w.legacy.want("INVITE "), "200 OK", "")
		c.answered(w.phone.wantFinal("SIP/2.0 200"))
		w.phone.send(w.out, c.request("ACK", 1, c.remote, ""))
		w.legacy.want("ACK ")
		w.hangUp(c, w.legacy)
	}
}

// Once it rang the call is the callee's; and where there is nobody else to ask, the target may come back and answer.
func TestTargetComesBack(t *testing.T) {
	t.Parallel()
	for _, alone := range []bool{false, true} {
		w := newWorld(t, tenant("acme", policy.StageLegacy))
		l, in := w.tcpTarget(alone)
		w.invite(w.idFor("stream"), "acme.example", "")
		s := accept(t, l)
		inv := s.want("INVITE ")
		if !alone {
			s.reply(inv, "180 Ringing", "")
			w.phone.after100()
			w.phone.want("SIP/2.0 180")
		}
		s.conn.Close()
		w.await(func() bool { return w.edge.transport.Stats().ConnsOpen.Load() == 0 }, "the connection to end")
		d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(home)}}
		c, err := d.Dial("tcp", in)
		if err != nil {
			t.Fatal(err)
		}
		back := newStream(t, c)
		back.send(answerTo(inv, "200 OK", "", back.addr()+";transport=tcp"))
		w.phone.wantFinal("SIP/2.0 200")
		w.legacy.silent()
	}
}

// A phone whose connection breaks while it is called: the platform learns it at once, and can ring elsewhere.
func TestPhoneHangsUpBeforeRinging(t *testing.T) {
	t.Parallel()
	w := newWorld(t, tenant("acme", policy.StageLegacy))
	out, _ := w.tcpListen()
	w.start()
	p := w.dial(out)
	c := &call{w: w, by: w.phone, id: "reg", domain: "acme.example", to: "<sip:anna@acme.example>"}
	p.send(p.tcp(c.request("REGISTER", 1, "sip:acme.example", "Expires: 300\n"), w.phone))
	reg := w.legacy.want("REGISTER ")
	w.legacy.reply(reg, "200 OK", "Contact: "+reg.headers("Contact")[0]+";expires=300\n")
	p.want("SIP/2.0 200")
	in := &call{w: w, by: w.legacy, id: "in", domain: "acme.example", to: "<sip:anna@acme.example>", routes: reg.headers("Path")}
	w.legacy.send(w.in, in.request("INVITE", 1, "sip:anna@"+p.addr(), ""))
	inv := p.want("INVITE ")
	if !strings.Contains(inv.text, "INVITE sip:anna@") {
		t.Fatal(inv.text)
	}
	p.conn.Close()
	w.legacy.wantFinal("SIP/2.0 480")
}
