package proxy

import (
	"fmt"
	"hash/fnv"
	"net/netip"
	"strings"
	"time"
)

// simPhone registers, calls and is called. It knows one edge, by UDP behind a NAT or by a connection of its own.
type simPhone struct {
	p       *simParty
	a       *simAgent
	w       *simWorld
	user    string
	domain  string
	edge    *simEdge
	public  netip.AddrPort // where the NAT has put it
	callID  string
	cseq    int
	creds   string // of the last challenge
	nonce   string
	nc      int
	bound   bool
	flying  bool // a REGISTER is under way
	rings   bool // it takes calls
	sub     *simLeg
	timer   int // number of the refresh that counts
	prompts int
	excused bool // its REGISTER came from two places: the second challenge says stale no more
	count   int
}

func newSimPhone(w *simWorld, i int, user, domain string, edge *simEdge, tcp bool) *simPhone {
	ph := &simPhone{w: w, user: user, domain: domain, edge: edge, callID: fmt.Sprintf("reg%d", i), cseq: 1}
	ph.p = newSimParty(w, fmt.Sprintf("p%d", i))
	ph.p.phone, ph.p.fresh = ph, ph.called
	ph.public = netip.AddrPortFrom(netip.AddrFrom4([4]byte{198, 51, 100, byte(i + 1)}), 5060)
	ph.a = newSimAgent(w.n, ph.p, ph.public.String())
	ph.a.self = fmt.Sprintf("192.168.1.%d:5060", i+1)
	ph.a.tcp = tcp
	ph.a.lost = func() {
		w.n.after(w.n.between(200*time.Millisecond, 3*time.Second), func() {
			if !w.quiet {
				ph.register(ph.asks())
			}
		})
	}
	ph.p.agents = []*simAgent{ph.a}
	ph.rings = true
	return ph
}

const simAsks = 40 // seconds

func (ph *simPhone) asks() int { return simAsks }

func (ph *simPhone) uri(user string) string { return "sip:" + user + "@" + ph.domain }

// register tells where the phone is; expires 0: that it leaves.
func (ph *simPhone) register(expires int) {
	w := ph.w
	if ph.flying { // one after the other (RFC 3261 section 10.2)
		w.n.after(time.Second, func() { ph.register(expires) })
		return
	}
	ph.flying = true
	ph.timer++
	ph.cseq++
	switch {
	case expires == 0:
		w.n.met.fault(phoneLeaves)
	case ph.bound:
		w.n.met.fault(phoneRefreshes)
	default:
		w.n.met.fault(phoneRegisters)
	}
	ph.ask(expires, 0, ph.timer)
}

func (ph *simPhone) ask(expires, round, timer int) {
	w := ph.w
	c := &simClient{a: ph.a, method: "REGISTER", branch: w.branch(), at: ph.edge.out, tcp: ph.a.tcp}
	extra := fmt.Sprintf("Contact: <sip:%s@%s>;+sip.instance=\"<urn:uuid:%s>\"\r\nExpires: %d\r\nSupported: path\r\n", ph.user, ph.a.contact(ph.a.tcp), ph.callID, expires)
	sent := ph.creds != ""
	if sent {
		ph.nc++
		extra += "Authorization: " + ph.creds + "\r\n"
	}
	aor := ph.uri(ph.user)
	c.text = simRequest(ph.a, "REGISTER", "sip:"+ph.domain, c.branch, nil, "<"+aor+">;tag="+ph.callID, "<"+aor+">", ph.callID, ph.cseq, extra, ph.a.tcp)
	told := false
	c.answer = func(m *simMsg) {
		if m.status < 200 || told {
			return
		}
		told = true
		ph.flying = m.status == 401 && round < 3
		switch {
		case m.status/100 == 2:
			ph.bound = expires > 0
			if expires > 0 {
				ph.again(timer, expires)
			}
		case m.status == 401 && round < 3:
			w.n.met.fault(phoneChallenged)
			v := m.header("WWW-Authenticate")
			if sent && !strings.Contains(v, "stale=true") {
				ph.prompts++
			}
			ph.credentials(v)
			ph.cseq++
			ph.ask(expires, round+1, timer)
		default:
			ph.later(timer)
		}
	}
	c.gone = func() { ph.flying = false; ph.later(timer) }
	c.start()
}

// again comes back in time.
func (ph *simPhone) again(timer, told int) {
	ph.w.n.after(time.Duration(told)*time.Second/2, func() {
		if ph.timer == timer && !ph.w.quiet {
			ph.register(ph.asks())
		}
	})
}

func (ph *simPhone) later(timer int) {
	ph.w.n.after(5*time.Second, func() {
		if ph.timer == timer && !ph.w.quiet {
			ph.register(ph.asks())
		}
	})
}

// credentials answers a challenge; what the password makes of the nonce is for the registrar to check.
func (ph *simPhone) credentials(challenge string) {
	part := func(name string) string {
		_, v, _ := strings.Cut(challenge, name+`="`)
		v, _, _ = strings.Cut(v, `"`)
		return v
	}
	ph.nonce = part("nonce")
	ph.creds = fmt.Sprintf(`Digest username="%s", realm="%s", nonce="%s", uri="sip:%s", response="%s", algorithm=MD5`, ph.user, part("realm"), ph.nonce, ph.domain,
		simDigest(ph.user, ph.nonce))
	if o := part("opaque"); o != "" {
		ph.creds += `, opaque="` + o + `"`
	}
}

func simDigest(user, nonce string) string {
	h := fnv.New128a()
	h.Write([]byte(user + " secret " + nonce))
	return fmt.Sprintf("%x", h.Sum(nil))
}

// rebind is the NAT: from now on the phone's datagrams come from somewhere else, and the old place is nobody's.
func (ph *simPhone) rebind() {
	w := ph.w
	w.n.met.fault(phoneRebinds)
	for _, c := range w.calls { // its answers go to the old place
		if c.p == ph.p && c.code == 0 {
			w.spoil(c.id)
		}
	}
	ph.bound, ph.excused = false, ph.excused || ph.flying
	delete(w.n.nodes, ph.a.addr)
	ph.a.addr = netip.AddrPortFrom(ph.a.addr.Addr(), ph.a.addr.Port()+1)
	ph.a.listen()
}

// calls somebody.
func (ph *simPhone) call(user, extra string) *simCall {
	ph.count++
	c := ph.w.call(ph.a, ph.edge.out, ph.a.tcp, fmt.Sprintf("%s-%d", ph.p.name, ph.count), ph.uri(ph.user), ph.uri(user), nil,
		"P-Asserted-Identity: <sip:forged@acme.example>\r\nX-Hotcut-Forged: 1\r\nSupported: 100rel, timer\r\n"+extra)
	return c
}

// outside sends a request outside dialogs.
func (ph *simPhone) outside(method, user, extra string, done func(c *simClient, m *simMsg)) {
	ph.count++
	c := &simClient{a: ph.a, method: method, branch: ph.w.branch(), at: ph.edge.out, tcp: ph.a.tcp}
	from := "<" + ph.uri(ph.user) + ">;tag=" + ph.p.tag()
	c.text = simRequest(ph.a, method, ph.uri(user), c.branch, nil, from, "<"+ph.uri(user)+">", fmt.Sprintf("%s-%d", ph.p.name, ph.count), 1, extra, ph.a.tcp)
	if method == "SUBSCRIBE" { // its first NOTIFY may overtake the answer
		m := parseSim([]byte(c.text))
		ph.p.legs[m.callID+"|"+m.fromTag] = &simLeg{p: ph.p, a: ph.a, id: m.callID, local: m.from, localTag: m.fromTag, usage: "subscription"}
	}
	told := false
	c.answer = func(m *simMsg) {
		if m.status >= 200 && !told {
			told = true
			done(c, m)
		}
	}
	c.start()
}

// subscribe watches a lamp until the time comes to let it be.
func (ph *simPhone) subscribe() {
	w := ph.w
	w.n.met.fault(callSubscribe)
	ph.outside("SUBSCRIBE", "bob1", "Event: dialog\r\nExpires: 600\r\n", func(c *simClient, m *simMsg) {
		if m.status/100 != 2 {
			return
		}
		l := ph.p.caller(c, m, "subscription")
		ph.sub = l
		w.n.after(w.n.between(5*time.Second, 30*time.Second), func() {
			l.request("SUBSCRIBE", "Event: dialog\r\nExpires: 600\r\n", func(m *simMsg) {
				if m.status == 481 {
					l.ended = true
				}
			})
		})
		w.n.after(50*time.Second, func() { l.request("SUBSCRIBE", "Event: dialog\r\nExpires: 0\r\n", func(*simMsg) {}) })
	})
}

// called: somebody wants something of the phone.
func (ph *simPhone) called(s *simServer) {
	w, n, m := ph.w, ph.w.n, s.m
	if m.method == "NOTIFY" { // the first of a subscription may overtake the answer
		s.reply("200 OK", ph.p.tag(), "")
		return
	}
	if m.method != "INVITE" {
		s.reply("200 OK", ph.p.tag(), "")
		return
	}
	n.met.fault(phoneCalled)
	if strings.Contains(m.text, "Hotcut") {
		n.fail("%s: a phone is told of us:\n%s", ph.p.name, m.text)
	}
	if !ph.rings {
		return
	}
	l := ph.p.callee(s, "call")
	w.order = append(w.order, l)
	w.answers(l, false)
}
