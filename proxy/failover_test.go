package proxy

import (
	"net"
	"strings"
	"testing"
	"time"

	"github.com/hotcut/hotcut/policy"
	"github.com/hotcut/hotcut/proxy/config"
)

// pool gives legacy two targets and returns them in the order in which a call of that id tries them.
func (w *world) pool(id string) (first, second *peer) {
	a, b := w.legacy, newPeer(w.t)
	w.cfg.Platforms.Legacy.Targets = []config.Target{
		{Name: "l1", URI: "sip:" + a.addr(), TimerB: time.Second}, {Name: "l2", URI: "sip:" + b.addr(), TimerB: time.Second}}
	w.cfg.Platforms.Legacy.Sources = []string{a.addr(), b.addr()}
	w.start()
	topo := w.edge.topo.Load()
	i, _ := topo.health.Pick(topo.pools[poolKey{policy.Legacy, "main"}], stableHash([]byte(id+"@phone")), 0)
	if i == 0 {
		return a, b
	}
	return b, a
}

func TestFailoverOnRefusal(t *testing.T) {
	t.Parallel()
	w := newWorld(t, tenant("acme", policy.StageLegacy))
	first, second := w.pool("one")
	c := w.invite("one", "acme.example", "")
	inv := first.want("INVITE ")
	w.phone.want("SIP/2.0 100")
	first.reply(inv, "503 Service Unavailable", "Retry-After: 30\n")
	first.want("ACK ")
	inv = second.want("INVITE ")
	second.reply(inv, "200 OK", "")
	c.answered(w.phone.want("SIP/2.0 200"))
	w.phone.send(w.out, c.request("ACK", 1, c.remote, ""))
	second.want("ACK ")
	w.hangUp(c, second)
	w.core.silent()
}

// All targets refuse: the caller hears 500, since 503 would speak of us.
func TestFailoverAllRefuse(t *testing.T) {
	t.Parallel()
	w := newWorld(t, tenant("acme", policy.StageLegacy))
	first, second := w.pool("one")
	w.invite("one", "acme.example", "")
	inv := first.want("INVITE ")
	w.phone.want("SIP/2.0 100")
	first.reply(inv, "503 Service Unavailable", "")
	first.want("ACK ")
	inv = second.want("INVITE ")
	second.reply(inv, "503 Service Unavailable", "")
	second.want("ACK ")
	w.phone.want("SIP/2.0 500")
	w.core.silent()
}

// Nobody listens at the first target: ICMP says so, and the call goes on at once.
func TestFailoverOnICMP(t *testing.T) {
	t.Parallel()
	w := newWorld(t, tenant("acme", policy.StageLegacy))
	first, second := w.pool("one")
	first.conn.Close()
	c := w.invite("one", "acme.example", "")
	inv := second.want("INVITE ")
	second.reply(inv, "200 OK", "")
	w.phone.after100()
	c.answered(w.phone.want("SIP/2.0 200"))
}

// Silence: an INVITE moves on, and the late 2xx of the target that was given up still goes up.
func TestFailoverOnSilence(t *testing.T) {
	t.Parallel()
	w := newWorld(t, tenant("acme", policy.StageLegacy))
	first, second := w.pool("one")
	w.invite("one", "acme.example", "")
	inv := first.want("INVITE ")
	w.phone.want("SIP/2.0 100")
	second.reply(second.want("INVITE "), "180 Ringing", "")
	w.phone.want("SIP/2.0 180")
	first.drain()
	first.reply(inv, "180 Ringing", "")
	first.want("CANCEL ")
	first.reply(inv, "200 OK", "")
	w.phone.want("SIP/2.0 200")
	second.want("CANCEL ")
}

// drain forgets retransmissions that came meanwhile.
func (p *peer) drain() {
	for len(p.got) > 0 {
		<-p.got
	}
}

// A target over TCP: a dial that fails counts as a refusal.
func TestFailoverOnDial(t *testing.T) {
	t.Parallel()
	w := newWorld(t, tenant("acme", policy.StageLegacy))
	l, err := net.Listen("tcp", home+":"+freePort(t))
	if err != nil {
		t.Fatal(err)
	}
	dead := l.Addr().String()
	l.Close()
	w.cfg.Listen = append(w.cfg.Listen, config.Listen{Name: "in-tcp", Side: config.Inside, Transport: config.TCP, Address: home + ":" + freePort(t)})
	w.cfg.Platforms.Legacy.Targets = []config.Target{{Name: "dead", URI: "sip:" + dead + ";transport=tcp"}, {Name: "l1", URI: "sip:" + w.legacy.addr()}}
	w.start()
	for _, id := range []string{"a", "b", "c", "d"} { // some of them try the dead one first
		w.hangUp(w.establish(id, "acme.example", w.legacy), w.legacy)
	}
}

// after100 takes a 100 away if one comes before the next message: whether it does is a matter of 200 ms.
func (p *peer) after100() {
	p.t.Helper()
	m := p.again("any")
	if !strings.HasPrefix(m.text, "SIP/2.0 100") {
		p.got <- m
	}
}
