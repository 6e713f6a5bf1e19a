package proxy

import (
	"fmt"
	"net/netip"
	"strings"
	"time"
)

// simParty is whoever takes part in dialogs: a phone, or a platform with its nodes. It knows its own dialogs, whichever of
// its agents they came by; a request in one that it does not have went to the wrong place.
type simParty struct {
	w      *simWorld
	name   string
	agents []*simAgent
	legs   map[string]*simLeg // by Call-ID and own tag
	fresh  func(s *simServer) // a request outside dialogs
	wrong  int                // thousandths of chances that it takes to do something wrong
	phone  *simPhone          // nil: a platform
}

// simLeg is one party's side of a dialog.
type simLeg struct {
	p             *simParty
	a             *simAgent
	id            string
	local, remote string // values with tags
	localTag      string
	target        string
	routes        []string
	edge          netip.AddrPort // where requests without a Route go
	tcp           bool           // thither
	cseq          int
	seen          int // highest CSeq of the other side
	confirmed     bool
	ended         bool
	server        *simServer // of the INVITE, at the callee
	acked         bool
	byeCode       int
	byeSent       bool
	honest        bool // everybody in it keeps to the rules
	usage         string
	onEnd         func()
	session       bool
}

func newSimParty(w *simWorld, name string) *simParty {
	return &simParty{w: w, name: name, legs: map[string]*simLeg{}}
}

func (p *simParty) tag() string {
	p.w.serial++
	return fmt.Sprintf("%s.%d", p.name, p.w.serial)
}

func (p *simParty) misbehaves(k faultKind) bool {
	if p.wrong == 0 || p.w.quiet || !p.w.n.chance(p.wrong) {
		return false
	}
	p.w.n.met.fault(k)
	return true
}

// callee opens the side of a dialog that a request began.
func (p *simParty) callee(s *simServer, usage string) *simLeg {
	m := s.m
	tag := p.tag()
	l := &simLeg{p: p, a: s.a, id: m.callID, local: m.to + ";tag=" + tag, remote: m.from, localTag: tag, routes: m.rr, server: s, cseq: 100, seen: m.cseq,
		usage: usage, edge: s.flow.addr, tcp: s.flow.stream != nil, honest: true}
	if len(m.contacts) > 0 {
		l.target = simURI(m.contacts[0])
	}
	p.legs[l.id+"|"+tag] = l
	return l
}

// caller opens, or finds, the side of a dialog that an answer makes.
func (p *simParty) caller(c *simClient, m *simMsg, usage string) *simLeg {
	key := m.callID + "|" + m.fromTag + "|" + m.toTag
	l := p.legs[key]
	if l == nil {
		l = &simLeg{p: p, a: c.a, id: m.callID, local: m.from, remote: m.to, localTag: m.fromTag, edge: c.at, tcp: c.tcp, cseq: m.cseq, usage: usage, honest: true}
		p.legs[key] = l
		if p.legs[m.callID+"|"+m.fromTag] == nil {
			p.legs[m.callID+"|"+m.fromTag] = l
		}
	}
	if len(m.contacts) > 0 {
		l.target = simURI(m.contacts[0])
	}
	if l.routes == nil && len(m.rr) > 0 {
		for i := len(m.rr) - 1; i >= 0; i-- {
			l.routes = append(l.routes, m.rr[i])
		}
	}
	return l
}

// find is the leg that a request in a dialog is for.
func (p *simParty) find(m *simMsg) *simLeg {
	if l := p.legs[m.callID+"|"+m.toTag+"|"+m.fromTag]; l != nil {
		return l
	}
	l := p.legs[m.callID+"|"+m.toTag]
	if l != nil && l.remote != "" && simParam(l.remote, "tag") != m.fromTag {
		return nil
	}
	return l
}

// next is where a request of the leg goes first.
func (l *simLeg) next() (netip.AddrPort, bool) {
	if len(l.routes) > 0 {
		host, tcp := simHost(simURI(l.routes[0]))
		if at, err := netip.ParseAddrPort(host); err == nil {
			return at, tcp
		}
	}
	return l.edge, l.tcp
}

// text writes a request in the dialog.
func (l *simLeg) text(method string, cseq int, branch, extra string) string {
	return simRequest(l.a, method, l.target, branch, l.routes, l.local, l.remote, l.id, cseq, extra, l.tcpNext())
}

func (l *simLeg) tcpNext() bool { _, tcp := l.next(); return tcp }

func simRequest(a *simAgent, method, uri, branch string, routes []string, from, to, id string, cseq int, extra string, tcp bool) string {
	var b strings.Builder
	b.Grow(1024)
	proto, params := "UDP", ""
	if tcp {
		proto, params = "TCP", ";transport=tcp"
	}
	fmt.Fprintf(&b, "%s %s SIP/2.0\r\nVia: SIP/2.0/%s %s;branch=%s\r\n", method, uri, proto, a.self, branch)
	for _, r := range routes {
		b.WriteString("Route: ")
		b.WriteString(r)
		b.WriteString("\r\n")
	}
	fmt.Fprintf(&b, "Max-Forwards: 70\r\nFrom: %s\r\nTo: %s\r\nCall-ID: %s\r\nCSeq: %d %s\r\n", from, to, id, cseq, method)
	if !strings.Contains(extra, "Contact: ") {
		fmt.Fprintf(&b, "Contact: <sip:x@%s%s>\r\n", a.self, params)
	}
	fmt.Fprintf(&b, "X-Foreign:  %s  as  it is \r\n", id)
	if method == "INVITE" {
		body := "v=0\r\ns= odd   spacing " + id + "\r\n"
		fmt.Fprintf(&b, "%sContent-Type: application/sdp\r\nContent-Length: %d\r\n\r\n%s", extra, len(body), body)
	} else {
		b.WriteString(extra)
		b.WriteString("Content-Length: 0\r\n\r\n")
	}
	return b.String()
}

func (w *simWorld) branch() string {
	w.serial++
	return fmt.Sprintf("z9hG4bKs%d", w.serial)
}

// request sends a request in the dialog and tells its final response.
func (l *simLeg) request(method, extra string, done func(m *simMsg)) {
	if l.ended && method != "BYE" {
		return
	}
	l.cseq++
	l.requestAt(method, l.cseq, extra, done)
}

func (l *simLeg) requestAt(method string, cseq int, extra string, done func(m *simMsg)) {
	at, tcp := l.next()
	c := &simClient{a: l.a, method: method, branch: l.p.w.branch(), to: l.remote, at: at, tcp: tcp}
	c.text = l.text(method, cseq, c.branch, extra)
	told := false
	c.answer = func(m *simMsg) {
		if method == "INVITE" && m.status/100 == 2 {
			l.a.send(c.way(), l.text("ACK", cseq, l.p.w.branch(), ""))
		}
		if m.status >= 200 && !told {
			told = true
			done(m)
		}
	}
	c.start()
}

// hangUp ends the call from this side.
func (l *simLeg) hangUp() {
	if l.ended || l.byeSent {
		return
	}
	l.byeSent = true
	l.request("BYE", "", func(m *simMsg) {
		if l.byeCode == 0 {
			l.byeCode = m.status
		}
		l.over()
	})
	if l.p.misbehaves(wrongSecondBye) {
		l.p.w.spoil(l.id)
		l.p.w.n.after(l.p.w.n.between(0, 40*time.Second), func() { l.request("BYE", "", func(*simMsg) {}) })
	}
}

func (l *simLeg) over() {
	if !l.ended {
		l.ended = true
		if l.onEnd != nil {
			l.onEnd()
		}
	}
}

// acked takes an ACK of a 2xx.
func (p *simParty) acked(m *simMsg) {
	l := p.find(m)
	if l == nil {
		if p.phone != nil && p.w.kills {
			return // a restarted edge that has forgotten a call after 32 s of silence knows of it what its Route says
		}
		p.w.n.fail("%s: an ACK for nobody:\n%s", p.name, m.text)
		return
	}
	l.acked = true
	if l.server != nil {
		l.server.acked = true
	}
	for _, a := range p.agents { // that of a re-INVITE
		for _, s := range a.reinvites(l) {
			s.acked = s.acked || s.m.cseq == m.cseq
		}
	}
}

func (a *simAgent) reinvites(l *simLeg) []*simServer {
	return a.party.w.reinvited[l]
}

// request takes a new request: in a dialog, or to begin something.
func (p *simParty) request(s *simServer) {
	m := s.m
	if m.method == "CANCEL" {
		p.cancelled(s)
		return
	}
	if m.toTag == "" {
		p.fresh(s)
		return
	}
	l := p.find(m)
	if l == nil {
		if !p.w.asks(p, m) {
			p.w.n.fail("%s got %s in a dialog that it does not have:\n%s", p.name, m.method, m.text)
		}
		s.reply("481 No Such Call", "", "")
		return
	}
	if m.cseq < l.seen {
		s.reply("500 Out of Order", "", "")
		return
	}
	l.seen = m.cseq
	l.serve(s)
}

// cancelled ends an INVITE that has no final response yet.
func (p *simParty) cancelled(s *simServer) {
	s.reply("200 OK", "c", "")
	x := s.a.servers[s.m.branch+"INVITE"]
	if x == nil || x.final != 0 {
		return
	}
	for _, l := range p.w.order {
		if l.server != x {
			continue
		}
		if p.misbehaves(wrongLate2xx) {
			l.answer()
			return
		}
		x.reply("487 Request Terminated", l.localTag, "")
		l.over()
		return
	}
}

// serve answers a request in the dialog.
func (l *simLeg) serve(s *simServer) {
	w, contact := l.p.w, fmt.Sprintf("Contact: <sip:x@%s>\r\n", l.a.contact(s.flow.stream != nil))
	switch m := s.m; m.method {
	case "BYE":
		s.reply("200 OK", "", "")
		l.over()
	case "INVITE":
		if l.ended {
			s.reply("481 Ended", "", "")
			return
		}
		w.reinvited[l] = append(w.reinvited[l], s)
		s.reply("200 OK", "", contact+sessionOf(m))
	case "UPDATE":
		s.reply("200 OK", "", contact+sessionOf(m))
	case "REFER":
		s.reply("202 Accepted", "", contact)
		w.n.after(w.n.between(0, time.Second), func() {
			if l.byeSent {
				return
			}
			w.n.met.fault(callNotify)
			l.request("NOTIFY", "Event: refer\r\nSubscription-State: terminated;reason=noresource\r\n", func(*simMsg) {})
		})
	case "SUBSCRIBE":
		if l.ended {
			s.reply("481 Ended", "", "")
			return
		}
		s.reply("200 OK", "", contact+"Expires: "+m.header("Expires")+"\r\n")
		l.notify(m.header("Expires") != "0")
	case "NOTIFY":
		if l.usage == "subscription" && strings.HasPrefix(m.header("Subscription-State"), "terminated") {
			l.ended = true
		}
		s.reply("200 OK", "", contact)
	default:
		s.reply("200 OK", "", contact)
	}
}

// notify sends the state of a subscription.
func (l *simLeg) notify(active bool) {
	w := l.p.w
	state := "active;expires=600"
	if !active {
		state = "terminated;reason=timeout"
	}
	w.n.met.fault(callNotify)
	l.request("NOTIFY", "Event: dialog\r\nSubscription-State: "+state+"\r\n", func(m *simMsg) {
		if m.status == 481 {
			l.ended = true
		}
	})
	if !active {
		l.ended = true
	}
}

func sessionOf(m *simMsg) string {
	if v := m.header("Session-Expires"); v != "" {
		return "Session-Expires: " + v + "\r\n"
	}
	return ""
}

// contact is how an agent writes itself.
func (a *simAgent) contact(tcp bool) string {
	if tcp {
		return a.self + ";transport=tcp"
	}
	return a.self
}

// answer accepts the call of a callee's leg.
func (l *simLeg) answer() {
	if l.server.final/100 == 2 {
		return
	}
	l.confirmed = true
	extra := fmt.Sprintf("Contact: <sip:x@%s>\r\n", l.a.contact(l.server.flow.stream != nil))
	if l.session {
		extra += "Session-Expires: 90;refresher=uas\r\n"
		l.p.w.n.met.fault(callSessionTimer)
	}
	l.server.reply("200 OK", l.localTag, extra)
}

// same: m is a again. An edge that has lost a binding with its disk seals another pin.
func (w *simWorld) same(a, m *simMsg) bool {
	if !w.kills || a.text == m.text {
		return a.text == m.text
	}
	if m.method == "CANCEL" { // one without a transaction is passed on, not written anew
		return true
	}
	text := func(m *simMsg) string {
		t := m.text
		for _, r := range m.rr {
			t = strings.Replace(t, r, "", 1)
		}
		return t
	}
	return text(a) == text(m)
}
