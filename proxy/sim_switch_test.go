package proxy

import (
	"fmt"
	"net/netip"
	"strings"
	"time"

	"github.com/hotcut/hotcut/policy"
)

// simPlatform is a switch of one node for each target: registrar, back-to-back user agent, lamps. Its nodes share all that
// they know.
type simPlatform struct {
	w        *simWorld
	p        *simParty
	platform policy.Platform
	nodes    []*simAgent
	bindings map[string][]*simBinding // by user
	nonces   int
	forks    int
	loops    string // Call-ID of calls that it sends back
}

type simBinding struct {
	contact, path string
	device        string // Call-ID of its REGISTER, or instance
	until         int64
}

func newSimPlatform(w *simWorld, platform policy.Platform, nodes int, streams []int) *simPlatform {
	s := &simPlatform{w: w, platform: platform, bindings: map[string][]*simBinding{}}
	s.p = newSimParty(w, platform.String())
	s.p.fresh = s.asked
	for i := range nodes {
		a := newSimAgent(w.n, s.p, fmt.Sprintf("10.%d.0.%d:5060", platform, i+1))
		a.accepts()
		for _, k := range streams {
			a.tcp = a.tcp || k == i
		}
		s.nodes = append(s.nodes, a)
	}
	s.p.agents = s.nodes
	return s
}

// asked: a request outside dialogs.
func (s *simPlatform) asked(x *simServer) {
	m, n := x.m, s.w.n
	for _, l := range m.lines {
		if strings.HasPrefix(l.name, "X-Hotcut-") && m.method != "REGISTER" || strings.Contains(l.value, "forged@") {
			n.fail("%s: %s reached %s", m.callID, l.name, s.p.name)
		}
	}
	switch m.method {
	case "INVITE":
		s.invited(x)
	case "REGISTER":
		s.registers(x)
	case "SUBSCRIBE":
		l := s.p.callee(x, "subscription")
		x.reply("200 OK", l.localTag, fmt.Sprintf("Contact: <sip:x@%s>\r\nExpires: 600\r\n", x.a.contact(x.flow.stream != nil)))
		l.notify(true)
		n.after(n.between(3*time.Second, 20*time.Second), func() {
			if !l.ended {
				l.notify(true)
			}
		})
	default:
		tag := s.p.tag()
		if !n.chance(400) {
			x.reply("200 OK", tag, "")
			return
		}
		x.reply([]string{"100 Trying", "182 Queued"}[n.rng.IntN(2)], tag, "") // it takes its time
		n.after(n.between(0, 6*time.Second), func() { x.reply("200 OK", tag, "") })
	}
}

func (s *simPlatform) invited(x *simServer) {
	m := x.m
	if s.loops == m.callID {
		s.bounce(x)
		return
	}
	l := s.p.callee(x, "call")
	s.w.order = append(s.w.order, l)
	user := simUser(m.uri)
	if user != "911" && s.w.n.chance(850) {
		x.reply("100 Trying", "", "")
	} else if s.w.kills || strings.HasPrefix(user, "user") {
		s.w.spoil(l.id) // it may say nothing for longer than anybody waits
	}
	switch {
	case strings.HasPrefix(user, "user"):
		s.bridge(l, user)
	case user == "911":
		s.w.takes(l)
	default:
		s.w.answers(l, true)
	}
}

// bridge calls every device of a user. The first to answer has the call.
func (s *simPlatform) bridge(l *simLeg, user string) {
	n, w := s.w.n, s.w
	var out []*simCall
	done := false
	end := func(status string) {
		if !done && l.server.final == 0 {
			done = true
			l.server.reply(status, l.localTag, "")
		}
	}
	l.honest = false // who calls a phone may meet a phone that is not there
	s.forks++
	left := 0
	for i, b := range s.bindings[user] {
		if b.until <= n.now {
			continue
		}
		host, tcp := simHost(simURI(b.path))
		at, err := netip.ParseAddrPort(host)
		if err != nil {
			continue
		}
		c := w.call(l.a, at, tcp, fmt.Sprintf("%s-b%d-%d", s.p.name, s.forks, i), simURI(l.remote), b.contact, []string{b.path}, "")
		c.honest = false
		left++
		c.onRing = func(*simMsg) {
			if l.server.final == 0 {
				l.server.reply("180 Ringing", l.localTag, "")
			}
		}
		c.onFail = func(int) {
			if left--; left == 0 {
				end("480 Nobody There")
			}
		}
		c.onAnswer = func(leg *simLeg) {
			if done || l.server.final != 0 {
				leg.hangUp()
				return
			}
			done = true
			for _, o := range out {
				if o != c {
					o.cancel()
				}
			}
			l.onEnd, leg.onEnd = leg.hangUp, l.hangUp
			l.answer()
			n.after(60*time.Second, leg.hangUp)
			n.after(61*time.Second, l.hangUp)
		}
		out = append(out, c)
	}
	if left == 0 {
		end("480 Nobody Registered")
		return
	}
	for _, c := range out {
		c.start()
	}
	l.onEnd = func() { // cancelled
		done = true
		for _, c := range out {
			c.cancel()
		}
	}
	n.after(40*time.Second, func() {
		end("480 No Answer")
		if l.server.final >= 300 {
			for _, c := range out {
				c.cancel()
			}
		}
	})
}

// registers is RFC 3261 section 10.3.
func (s *simPlatform) registers(x *simServer) {
	m, n := x.m, s.w.n
	own := x.flow.addr.Port() == 5080 // a listener of the edge's own: asserted
	user := simUser(simURI(m.to))
	if !own {
		auth := m.header("Authorization")
		part := func(name string) string {
			_, v, _ := strings.Cut(auth, name+`="`)
			v, _, _ = strings.Cut(v, `"`)
			return v
		}
		nonce := part("nonce")
		switch {
		case auth == "" || !strings.HasPrefix(nonce, s.p.name):
			if strings.HasPrefix(nonce, "legacy") || strings.HasPrefix(nonce, "core") {
				n.fail("%s: %s was given the other platform's credentials", m.callID, s.p.name)
			}
			s.nonces++
			x.reply("401 Unauthorized", s.p.tag(), fmt.Sprintf("WWW-Authenticate: Digest realm=\"r\", nonce=\"%s%d\", opaque=\"o%s%d\", algorithm=MD5\r\n", s.p.name, s.nonces, s.p.name, s.nonces))
			return
		case part("response") != simDigest(user, nonce):
			n.fail("%s: a wrong digest", m.callID)
		case part("opaque") != "o"+nonce:
			n.fail("%s: opaque is %q for nonce %q", m.callID, part("opaque"), nonce)
		}
	}
	contact, path := simURI(m.contacts[0]), ""
	if len(m.path) > 0 {
		path = m.path[0]
	}
	device := simParam(m.contacts[0], "+sip.instance")
	seconds := 0
	fmt.Sscan(m.header("Expires"), &seconds)
	list := s.bindings[user][:0:0]
	for _, b := range s.bindings[user] {
		if b.device != device && b.until > n.now {
			list = append(list, b)
		}
	}
	if seconds > 0 {
		list = append(list, &simBinding{contact, path, device, n.now + int64(seconds)*1e9})
	}
	if len(list) > 1 {
		n.met.fault(phoneSecondDevice)
	}
	s.bindings[user] = list
	var b strings.Builder
	for _, y := range list {
		fmt.Fprintf(&b, "Contact: <%s>;+sip.instance=%s;expires=%d\r\n", y.contact, y.device, (y.until-n.now)/1e9)
	}
	x.reply("200 OK", s.p.tag(), b.String())
}
