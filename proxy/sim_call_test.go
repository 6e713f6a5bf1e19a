package proxy

import (
	"fmt"
	"net/netip"
	"strings"
	"time"
)

// simCall is an INVITE by whom it is from: what becomes of it, and what its caller does next.
type simCall struct {
	p          *simParty
	a          *simAgent
	id         string
	uri        string
	client     *simClient
	honest     bool // everybody in it keeps to the rules: it must go well
	sos        bool
	unverified bool // its source has not shown that it hears us

	talk      time.Duration
	cancelAt  time.Duration // 0: never
	calleeEnd bool          // the callee hangs up
	noAck     bool
	onRing    func(m *simMsg)
	onAnswer  func(l *simLeg)
	onFail    func(code int)

	rang      bool
	cancelled bool
	cancelOK  bool
	code      int            // of the first final
	finals    map[string]int // distinct finals other than 2xx
	legs      map[string]*simLeg
	first     *simLeg
	early     *simLeg
	timedOut  bool
	rseq      string
}

// call prepares an INVITE of an agent.
func (w *simWorld) call(a *simAgent, at netip.AddrPort, tcp bool, id, from, uri string, routes []string, extra string) *simCall {
	p := a.party
	c := &simCall{p: p, a: a, id: id, uri: uri, finals: map[string]int{}, legs: map[string]*simLeg{}, honest: true}
	to := "<" + uri + ">"
	c.client = &simClient{a: a, method: "INVITE", branch: w.branch(), to: to, at: at, tcp: tcp}
	c.client.text = simRequest(a, "INVITE", uri, c.client.branch, routes, "<"+from+">;tag="+p.tag(), to, id, 1, extra, tcp)
	c.client.answer = c.answered
	c.client.gone = func() { c.timedOut = true; c.failed(408) }
	w.calls = append(w.calls, c)
	return c
}

func (c *simCall) start() {
	c.client.start()
	if c.cancelAt > 0 {
		c.p.w.n.after(c.cancelAt, c.cancel)
	}
}

// cancel sends CANCEL, once a provisional response has come.
func (c *simCall) cancel() {
	n := c.p.w.n
	if c.code != 0 || c.cancelled || c.timedOut {
		return
	}
	if !c.client.heard {
		n.after(100*time.Millisecond, c.cancel)
		return
	}
	c.cancelled = true
	n.met.fault(callCancelled)
	x := &simClient{a: c.a, method: "CANCEL", branch: c.client.branch, at: c.client.at, tcp: c.client.tcp, answer: func(*simMsg) { c.cancelOK = true }}
	m := parseSim([]byte(c.client.text))
	x.text = fmt.Sprintf("CANCEL %s SIP/2.0\r\nVia: %s\r\nMax-Forwards: 70\r\nFrom: %s\r\nTo: %s\r\nCall-ID: %s\r\nCSeq: %d CANCEL\r\nReason: SIP;cause=200\r\n",
		m.uri, m.via[0], m.from, m.to, m.callID, m.cseq)
	for _, r := range m.route {
		x.text += "Route: " + r + "\r\n"
	}
	x.text += "Content-Length: 0\r\n\r\n"
	x.start()
}

// asks: a party has an INVITE out that the dialog of a request is of. It has not heard that it was answered.
func (w *simWorld) asks(p *simParty, m *simMsg) bool {
	for _, c := range w.calls {
		if c.p == p && c.id == m.callID && strings.Contains(c.client.text, ";tag="+m.toTag+"\r\n") {
			return true
		}
	}
	return false
}

func (c *simCall) failed(code int) {
	if c.onFail != nil {
		c.onFail(code)
	}
}

func (c *simCall) answered(m *simMsg) {
	switch {
	case m.status < 200:
		c.provisional(m)
	case m.status < 300:
		c.accepted(m)
	default:
		c.finals[fmt.Sprint(m.status, " ", m.to)]++
		if c.code == 0 {
			c.code = m.status
			c.p.w.n.met.fault(callRefused)
			c.failed(m.status)
		}
	}
}

func (c *simCall) provisional(m *simMsg) {
	if m.status == 100 {
		return
	}
	c.rang = true
	if c.onRing != nil {
		c.onRing(m)
	}
	if m.header("Require") != "100rel" || m.header("RSeq") == c.rseq || m.toTag == "" || c.code != 0 {
		return
	}
	c.rseq = m.header("RSeq")
	n := c.p.w.n
	n.met.fault(callPrack)
	l := c.p.caller(c.client, m, "call")
	c.early = l
	l.request("PRACK", "RAck: "+c.rseq+" 1 INVITE\r\n", func(x *simMsg) {
		if x.status/100 == 2 && c.code == 0 && n.chance(500) {
			n.met.fault(callUpdate)
			l.request("UPDATE", "", func(*simMsg) {})
		}
	})
}

func (c *simCall) accepted(m *simMsg) {
	n := c.p.w.n
	l := c.legs[m.toTag]
	again := l != nil
	if !again {
		l = c.p.caller(c.client, m, "call")
		l.confirmed, l.honest = true, c.honest
		c.legs[m.toTag] = l
	}
	if !c.noAck {
		c.a.send(c.way(l), l.text("ACK", 1, c.p.w.branch(), ""))
	}
	if again {
		return
	}
	if c.first != nil { // another callee has answered as well
		l.hangUp()
		return
	}
	if c.code == 0 {
		c.code = m.status
	}
	c.first = l
	n.met.fault(callAnswered)
	if c.onAnswer != nil {
		c.onAnswer(l)
		return
	}
	if c.cancelled || c.noAck {
		l.hangUp()
		return
	}
	if !c.calleeEnd {
		n.after(c.talk, l.hangUp)
	} else { // if BYE never comes, as when it is nobody's wish any more
		n.after(c.talk+90*time.Second, l.hangUp)
	}
	c.p.w.chatter(l, c.talk)
}

func (c *simCall) way(l *simLeg) *simFlow {
	at, tcp := l.next()
	return c.a.flow(at, tcp)
}

// chatter is what parties say in a call.
func (w *simWorld) chatter(l *simLeg, talk time.Duration) {
	n := w.n
	for range n.rng.IntN(4) {
		at := n.between(0, talk)
		var method, extra string
		var k faultKind
		switch n.rng.IntN(6) {
		case 0:
			method, k = "INVITE", callReinvite
			if n.chance(500) {
				extra = "Session-Expires: 90;refresher=uac\r\n"
			}
		case 1:
			method, extra, k = "UPDATE", "Session-Expires: 90;refresher=uac\r\n", callUpdate
		case 2:
			method, k = "INFO", callInfo
		case 3:
			method, extra, k = "REFER", "Refer-To: <sip:carol@acme.example>\r\n", callRefer
		case 4:
			method, extra, k = "MESSAGE", "Content-Type: text/plain\r\n", callMessage
		case 5:
			method, k = "OPTIONS", callOptions
		}
		n.after(at, func() {
			if l.ended || l.byeSent {
				return
			}
			n.met.fault(k)
			l.request(method, extra, func(m *simMsg) {
				if m.status == 481 && l.honest && !w.storm && !l.ended && !l.byeSent && !(w.kills && l.a.tcp) {
					n.fail("%s: %s in a living dialog got 481", l.id, method)
				}
			})
		})
	}
	switch { // what nobody should send
	case l.p.misbehaves(wrongToken) && len(l.routes) > 0:
		x := *l
		x.routes = append([]string(nil), l.routes...)
		b := []byte(x.routes[0])
		b[20] ^= 1
		x.routes[0] = string(b)
		x.requestAt("INFO", l.cseq+50, "", func(m *simMsg) {
			if m.status != 403 {
				n.fail("%s: a broken token got %d", l.id, m.status)
			}
		})
	case l.p.misbehaves(wrongCSeq):
		l.requestAt("INFO", 0, "", func(*simMsg) {})
	}
}
