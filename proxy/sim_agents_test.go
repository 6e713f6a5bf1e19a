package proxy

import (
	"fmt"
	"net/netip"
	"strings"
	"time"
)

func cut(s, sep string) (string, string, bool) { return strings.Cut(s, sep) }

// simPhone is a caller by RFC 3261: it repeats what is not answered, acknowledges every 2xx, and hangs up along its
// route set.
type simPhone struct {
	n     *network
	addr  netip.AddrPort
	calls map[string]*simCall
	order []*simCall
}

type simCall struct {
	phone     *simPhone
	id        string
	edge      netip.AddrPort
	body      string
	talk      time.Duration
	cancelAt  time.Duration // 0: never
	calleeEnd bool          // the callee hangs up

	heard     bool // any response to the INVITE
	rang      bool
	cancelled bool
	cancelOK  bool
	finals    map[string]int // distinct non-2xx finals
	code      int            // of the first final
	tags      map[string]bool
	routes    []string
	remote    string
	to        string
	byeSent   bool
	byeCode   int
	gotBye    bool
	timedOut  bool
	began     int64
}

func newPhone(n *network, addr string) *simPhone {
	p := &simPhone{n: n, addr: netip.MustParseAddrPort(addr), calls: map[string]*simCall{}}
	n.nodes[p.addr] = p.receive
	return p
}

func (p *simPhone) call(id string, edge netip.AddrPort) *simCall {
	c := &simCall{phone: p, id: id, edge: edge, to: "<sip:bob@acme.example>", finals: map[string]int{}, tags: map[string]bool{}, began: p.n.now,
		body: fmt.Sprintf("v=0\r\no=%s 1 1 IN IP4 10.0.0.1\r\ns= odd   spacing %s\r\n", id, id)}
	p.calls[id] = c
	p.order = append(p.order, c)
	return c
}

func (c *simCall) start() {
	c.repeat(c.request("INVITE", 1, "sip:bob@acme.example"), 500*time.Millisecond, 0, func() bool { return c.heard }, func() { c.timedOut = true })
	if c.cancelAt > 0 {
		c.phone.n.after(c.cancelAt, c.cancel)
	}
}

// repeat sends now and again until stop, for 64*T1 at most. cap 0: doubling without a bound (INVITE).
func (c *simCall) repeat(text string, wait, most time.Duration, stop func() bool, gaveUp func()) {
	end := c.phone.n.now + int64(32*time.Second)
	var again func(time.Duration)
	again = func(d time.Duration) {
		if stop() {
			return
		}
		if c.phone.n.now >= end {
			gaveUp()
			return
		}
		c.send(text)
		next := 2 * d
		if most > 0 {
			next = min(next, most)
		}
		c.phone.n.after(d, func() { again(next) })
	}
	again(wait)
}

func (c *simCall) send(text string) { c.phone.n.send(c.phone.addr, c.edge, []byte(text)) }

func (c *simCall) cancel() {
	if c.code != 0 || c.cancelled {
		return
	}
	if !c.heard { // not before a provisional response
		c.phone.n.after(100*time.Millisecond, c.cancel)
		return
	}
	c.cancelled = true
	c.phone.n.seen.cancels++
	c.repeat(c.request("CANCEL", 1, "sip:bob@acme.example"), 500*time.Millisecond, 4*time.Second, func() bool { return c.cancelOK || c.code != 0 }, func() {})
}

func (c *simCall) request(method string, cseq int, uri string) string {
	branch := fmt.Sprintf("z9hG4bK%s-%d", c.id, cseq)
	if method == "ACK" && c.code/100 == 2 {
		branch += "-ack"
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s SIP/2.0\r\nVia: SIP/2.0/UDP %s;branch=%s\r\n", method, uri, c.phone.addr, branch)
	for _, r := range c.routes {
		fmt.Fprintf(&b, "Route: %s\r\n", r)
	}
	fmt.Fprintf(&b, "Max-Forwards: 70\r\nFrom: <sip:anna@acme.example>;tag=f%s\r\nTo: %s\r\nCall-ID: %s\r\nCSeq: %d %s\r\nContact: <sip:anna@%s>\r\nX-Foreign:  %s  as  it is \r\n",
		c.id, c.to, c.id, cseq, method, c.phone.addr, c.id)
	if method == "INVITE" {
		fmt.Fprintf(&b, "Content-Type: application/sdp\r\nContent-Length: %d\r\n\r\n%s", len(c.body), c.body)
	} else {
		b.WriteString("Content-Length: 0\r\n\r\n")
	}
	return b.String()
}

func (p *simPhone) receive(from netip.AddrPort, raw []byte) {
	m := message{text: string(raw)}
	ids := m.headers("Call-ID")
	if len(ids) != 1 {
		p.n.t.Errorf("a phone got %q", m.text)
		return
	}
	c := p.calls[ids[0]]
	if c == nil {
		p.n.t.Errorf("a phone got a message of an unknown call: %q", m.text)
		return
	}
	if !strings.HasPrefix(m.text, "SIP/2.0 ") {
		c.onRequest(m, from)
		return
	}
	if v := m.headers("Via"); len(v) != 1 || !strings.Contains(v[0], p.addr.String()) {
		p.n.t.Errorf("%s: a response with Vias %q", c.id, v)
	}
	c.onResponse(m)
}

// onRequest: the callee hangs up.
func (c *simCall) onRequest(m message, from netip.AddrPort) {
	if !strings.HasPrefix(m.text, "BYE ") {
		c.phone.n.t.Errorf("%s: the phone got %q", c.id, m.text)
		return
	}
	c.gotBye = true
	c.phone.n.send(c.phone.addr, from, []byte(answer(m, "200 OK", "", "")))
}

func (c *simCall) onResponse(m message) {
	n := c.phone.n
	code := int(m.text[8]-'0')*100 + int(m.text[9]-'0')*10 + int(m.text[10]-'0')
	cseq := m.headers("CSeq")[0]
	switch {
	case strings.HasSuffix(cseq, "CANCEL"):
		c.cancelOK = true
	case strings.HasSuffix(cseq, "BYE"):
		if code >= 200 && c.byeCode == 0 {
			c.byeCode = code
		}
	case code < 200:
		c.heard = true
		c.rang = c.rang || code > 100
	case code < 300:
		c.heard = true
		to := m.headers("To")[0]
		first := c.code == 0
		if !first && c.code/100 != 2 {
			if c.code != 408 { // a 2xx that crosses our own 408 goes up all the same
				n.t.Errorf("%s: %d after a final %d", c.id, code, c.code)
			}
			return
		}
		c.tags[to] = true
		if first {
			c.code, c.to = code, to
			rr := m.headers("Record-Route")
			for i := len(rr) - 1; i >= 0; i-- {
				c.routes = append(c.routes, rr[i])
			}
			c.remote = strings.Trim(m.headers("Contact")[0], "<>")
			if len(rr) != 2 {
				n.t.Errorf("%s: Record-Route %q", c.id, rr)
			}
			d := c.talk
			if c.cancelled {
				d = 0
			}
			if !c.calleeEnd || c.cancelled {
				n.after(d, c.bye)
			}
		}
		c.send(c.request("ACK", 1, c.remote))
	default:
		c.heard = true
		c.finals[fmt.Sprint(code, m.headers("To"))]++
		if c.code == 0 {
			c.code = code
		}
		to := c.to
		c.to = m.headers("To")[0]
		routes := c.routes
		c.routes = nil
		c.send(c.request("ACK", 1, "sip:bob@acme.example"))
		c.to, c.routes = to, routes
	}
}

func (c *simCall) bye() {
	if c.gotBye || c.byeSent {
		return
	}
	c.byeSent = true
	c.repeat(c.request("BYE", 2, c.remote), 500*time.Millisecond, 4*time.Second, func() bool { return c.byeCode != 0 }, func() {})
}

// answer builds a response to m.
func answer(m message, status, tag, extra string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "SIP/2.0 %s\r\n", status)
	for _, h := range []string{"Via", "Record-Route", "From", "To", "Call-ID", "CSeq"} {
		for _, v := range m.headers(h) {
			if h == "To" && tag != "" && !strings.Contains(v, "tag=") {
				v += ";tag=" + tag
			}
			fmt.Fprintf(&b, "%s: %s\r\n", h, v)
		}
	}
	b.WriteString(extra + "Content-Length: 0\r\n\r\n")
	return b.String()
}

// simSwitch is a platform: it answers calls as its dice say, repeats its finals until they are acknowledged, and
// notes what it got.
type simSwitch struct {
	n        *network
	platform string
	addr     netip.AddrPort
	invites  map[string]*simLeg // by branch
	byCall   map[string][]*simLeg
	byes     map[string]int
	busy     int // thousandths
	mute     int // thousandths of calls that it never answers at all
}

type simLeg struct {
	s         *simSwitch
	m         message
	from      netip.AddrPort
	branch    string
	tag       string
	last      string
	code      int
	acked     bool
	ended     bool
	calleeEnd bool
	byeOK     bool
}

func newSwitch(n *network, platform, addr string) *simSwitch {
	s := &simSwitch{n: n, platform: platform, addr: netip.MustParseAddrPort(addr), invites: map[string]*simLeg{}, byCall: map[string][]*simLeg{}, byes: map[string]int{}}
	n.nodes[s.addr] = s.receive
	return s
}

func branchOfVia(v string) string {
	_, b, _ := strings.Cut(v, "branch=")
	b, _, _ = strings.Cut(b, ";")
	return b
}

func (s *simSwitch) receive(from netip.AddrPort, raw []byte) {
	m := message{text: string(raw)}
	method, _, _ := strings.Cut(m.text, " ")
	vias := m.headers("Via")
	branch := branchOfVia(vias[0])
	id := m.headers("Call-ID")[0]
	if method == "SIP/2.0" {
		for _, l := range s.byCall[id] {
			if strings.HasSuffix(m.headers("CSeq")[0], "BYE") {
				l.byeOK = true
			}
		}
		return
	}
	if mf := m.headers("Max-Forwards"); len(mf) != 1 || mf[0] != "69" && method != "CANCEL" && !(method == "ACK" && mf[0] == "70") {
		s.n.t.Errorf("%s %s: Max-Forwards %q", id, method, mf)
	}
	switch method {
	case "INVITE":
		if len(vias) != 2 {
			s.n.t.Errorf("%s: Vias %q", id, vias)
		}
		if !strings.Contains(m.text, "\r\nX-Foreign:  "+id+"  as  it is \r\n") || !strings.Contains(m.text, "s= odd   spacing "+id+"\r\n") {
			s.n.t.Errorf("%s: foreign bytes changed:\n%s", id, m.text)
		}
		if l := s.invites[branch]; l != nil {
			if l.m.text != m.text {
				s.n.t.Errorf("%s: the repeated INVITE differs:\n%s\n%s", id, l.m.text, m.text)
			}
			if l.last != "" {
				s.n.send(s.addr, from, []byte(l.last))
			}
			return
		}
		l := &simLeg{s: s, m: m, from: from, branch: branch, tag: fmt.Sprintf("t%s%d", s.platform, len(s.invites))}
		s.invites[branch] = l
		s.byCall[id] = append(s.byCall[id], l)
		l.live()
	case "CANCEL":
		s.n.send(s.addr, from, []byte(answer(m, "200 OK", "", "")))
		if l := s.invites[branch]; l != nil && l.code == 0 {
			l.final(487)
		}
	case "ACK":
		to := m.headers("To")[0]
		for _, l := range s.byCall[id] {
			if strings.Contains(to, l.tag) {
				l.acked = true
				return
			}
		}
		s.n.t.Errorf("%s: ACK on %s for nobody: %s", id, s.platform, to)
	case "BYE":
		to := m.headers("To")[0]
		for _, l := range s.byCall[id] {
			if strings.Contains(to, l.tag) {
				l.ended = true
				s.byes[id]++
				s.n.send(s.addr, from, []byte(answer(m, "200 OK", "", "")))
				return
			}
		}
		s.n.t.Errorf("%s: BYE on %s, which has no such dialog: %s", id, s.platform, to)
	default:
		s.n.t.Errorf("%s got %s", s.platform, method)
	}
}

// live decides how the call goes on.
func (l *simLeg) live() {
	n := l.s.n
	if n.chance(l.s.mute) {
		return
	}
	ring := n.between(time.Millisecond, 600*time.Millisecond)
	n.after(ring, func() {
		if l.code == 0 {
			l.reply("180 Ringing")
		}
	})
	code := 200
	if n.chance(l.s.busy) {
		code = []int{486, 480, 603, 404}[n.rng.IntN(4)]
		n.seen.busy++
	}
	n.after(ring+n.between(0, 3*time.Second), func() {
		if l.code == 0 {
			l.final(code)
		}
	})
}

func (l *simLeg) reply(status string) {
	l.last = answer(l.m, status, l.tag, fmt.Sprintf("Contact: <sip:bob@%s>\r\n", l.s.addr))
	l.s.n.send(l.s.addr, l.from, []byte(l.last))
}

// final sends a final response until it is acknowledged.
func (l *simLeg) final(code int) {
	l.code = code
	n := l.s.n
	end := n.now + int64(32*time.Second)
	var again func(time.Duration)
	again = func(d time.Duration) {
		if l.acked || n.now > end {
			return
		}
		l.reply(fmt.Sprintf("%d Whatever", code))
		n.after(d, func() { again(min(2*d, 4*time.Second)) })
	}
	again(500 * time.Millisecond)
	if code == 200 && l.calleeEnd {
		n.after(n.between(time.Second, 10*time.Second), l.hangUp)
	}
}

// hangUp sends BYE from the callee's side, along the route set of the INVITE.
func (l *simLeg) hangUp() {
	n := l.s.n
	if l.ended {
		return
	}
	if !l.acked { // not before the ACK has come (RFC 3261 section 15)
		n.after(time.Second, l.hangUp)
		return
	}
	n.seen.calleeByes++
	l.ended = true
	id := l.m.headers("Call-ID")[0]
	var b strings.Builder
	rr := l.m.headers("Record-Route")
	_, uri, _ := strings.Cut(l.m.headers("Contact")[0], "<")
	fmt.Fprintf(&b, "BYE %s SIP/2.0\r\nVia: SIP/2.0/UDP %s;branch=z9hG4bKbye%s;rport\r\n", strings.TrimSuffix(uri, ">"), l.s.addr, l.branch)
	for _, r := range rr {
		fmt.Fprintf(&b, "Route: %s\r\n", r)
	}
	fmt.Fprintf(&b, "Max-Forwards: 70\r\nFrom: %s;tag=%s\r\nTo: %s\r\nCall-ID: %s\r\nCSeq: 7 BYE\r\nContent-Length: 0\r\n\r\n",
		l.m.headers("To")[0], l.tag, l.m.headers("From")[0], id)
	text := b.String()
	first, _, _ := strings.Cut(strings.TrimPrefix(rr[0], "<sip:"), ";")
	_, host, _ := strings.Cut(first, "@")
	edge := netip.MustParseAddrPort(host)
	end := n.now + int64(32*time.Second)
	var again func(time.Duration)
	again = func(d time.Duration) {
		if l.byeOK || n.now > end {
			return
		}
		n.send(l.s.addr, edge, []byte(text))
		n.after(d, func() { again(min(2*d, 4*time.Second)) })
	}
	again(500 * time.Millisecond)
}
