package proxy

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"
)

// simAgent is a user agent's transport and transactions by RFC 3261: it repeats what is not answered, answers what is
// repeated, acknowledges finals. What it has to say comes from the party that it belongs to.
type simAgent struct {
	n       *network
	party   *simParty
	addr    netip.AddrPort // its datagrams come and go by it
	self    string         // host:port as it writes itself
	tcp     bool           // its requests go by streams
	short   bool           // it writes compact forms only
	flows   map[netip.AddrPort]*simFlow
	clients map[string]*simClient
	servers map[string]*simServer
	lost    func() // a connection that it had dialled is gone
	dialled uint16
}

// simFlow is how messages reach somebody, or came from there.
type simFlow struct {
	addr   netip.AddrPort
	stream *simStream // nil: datagrams
	side   int
}

const (
	simT1 = 500 * time.Millisecond
	simT2 = 4 * time.Second
	simB  = 32 * time.Second
)

func newSimAgent(n *network, p *simParty, addr string) *simAgent {
	a := &simAgent{n: n, party: p, addr: netip.MustParseAddrPort(addr), self: addr, flows: map[netip.AddrPort]*simFlow{},
		clients: map[string]*simClient{}, servers: map[string]*simServer{}}
	a.listen()
	return a
}

func (a *simAgent) listen() {
	a.n.nodes[a.addr] = func(from netip.AddrPort, msg []byte) { a.receive(&simFlow{addr: from}, msg) }
}

// accepts makes a take connections at its address.
func (a *simAgent) accepts() {
	a.n.accept[a.addr] = func(c *simStream) {
		f := &simFlow{addr: c.ends[0].addr, stream: c, side: 1}
		c.ends[1].message = func(msg []byte) { a.receive(f, msg) }
	}
}

// flow is the way to an address; nil: there is none.
func (a *simAgent) flow(to netip.AddrPort, tcp bool) *simFlow {
	if !tcp {
		return &simFlow{addr: to}
	}
	if f := a.flows[to]; f != nil && !f.stream.broken {
		return f
	}
	a.dialled++
	c := a.n.dial(netip.AddrPortFrom(a.addr.Addr(), 30000+a.dialled%20000), to)
	if c == nil {
		return nil
	}
	f := &simFlow{addr: to, stream: c}
	a.flows[to] = f
	c.ends[0].message = func(msg []byte) { a.receive(f, msg) }
	c.ends[0].closed = func() {
		if a.flows[to] == f {
			delete(a.flows, to)
		}
		if a.lost != nil {
			a.lost()
		}
	}
	return f
}

func (a *simAgent) send(f *simFlow, text string) {
	if a.short {
		text = shortLines.Replace(text)
	}
	switch {
	case f == nil:
	case f.stream != nil:
		f.stream.write(f.side, []byte(text))
	default:
		a.n.send(a.addr, f.addr, []byte(text))
	}
}

func (a *simAgent) receive(f *simFlow, raw []byte) {
	m := parseSim(raw)
	if m == nil {
		if strings.TrimSpace(string(raw)) != "" { // a keepalive is nothing
			a.n.fail("%s got %.100q", a.self, raw)
		}
		return
	}
	if m.method == "" {
		a.response(m)
		return
	}
	if m.method == "ACK" {
		if s := a.servers[m.branch+"INVITE"]; s != nil && s.final >= 300 {
			s.acked = true
			return
		}
		a.party.acked(m)
		return
	}
	key := m.branch + m.method
	if s := a.servers[key]; s != nil {
		if !a.party.w.same(s.m, m) && m.method != "NOTIFY" && m.method != "SUBSCRIBE" && m.method != "REGISTER" { // those are bounded by the policy of the moment
			a.n.fail("%s: the repeated %s of %s differs:\n%s\n%s", a.self, m.method, m.callID, s.m.text, m.text)
		}
		if s.last != "" && !(s.m.method == "INVITE" && s.final/100 == 2) {
			a.send(s.flow, s.last)
		}
		return
	}
	s := &simServer{a: a, m: m, flow: f}
	a.servers[key] = s
	a.party.request(s)
}

func (a *simAgent) response(m *simMsg) {
	c := a.clients[m.branch+m.cmethod]
	if c == nil {
		a.n.fail("%s got a response to nobody:\n%s", a.self, m.text)
		return
	}
	if len(m.via) != 1 && !c.proxied {
		a.n.fail("%s got a response with Vias %q", a.self, m.via)
	}
	c.heard = true
	if m.status >= 200 {
		if c.final == 0 {
			c.final = m.status
		}
		if c.method == "INVITE" && m.status >= 300 {
			a.send(c.way(), c.ack(m.to))
		}
	}
	c.answer(m)
}

// ack acknowledges a final response other than 2xx, hop by hop.
func (c *simClient) ack(to string) string {
	m := parseSim([]byte(c.text))
	var b strings.Builder
	fmt.Fprintf(&b, "ACK %s SIP/2.0\r\nVia: %s\r\n", m.uri, m.via[0])
	for _, r := range m.route {
		b.WriteString("Route: " + r + "\r\n")
	}
	fmt.Fprintf(&b, "Max-Forwards: 70\r\nFrom: %s\r\nTo: %s\r\nCall-ID: %s\r\nCSeq: %d ACK\r\nContent-Length: 0\r\n\r\n", m.from, to, m.callID, m.cseq)
	return b.String()
}

// simClient is a client transaction.
type simClient struct {
	a       *simAgent
	method  string
	branch  string
	text    string
	to      string // value of To
	at      netip.AddrPort
	tcp     bool
	heard   bool
	final   int
	over    bool // nobody waits any more
	proxied bool // of somebody else: it has more Vias than ours
	answer  func(m *simMsg)
	gone    func()
}

func (c *simClient) way() *simFlow { return c.a.flow(c.at, c.tcp) }

// start sends the request, and again as long as the rules say.
func (c *simClient) start() {
	a := c.a
	a.clients[c.branch+c.method] = c
	end := a.n.now + int64(simB)
	invite := c.method == "INVITE"
	var again func(time.Duration)
	again = func(d time.Duration) {
		if c.over || c.final != 0 || invite && c.heard {
			return
		}
		if a.n.now >= end {
			c.over = true
			if c.gone != nil {
				c.gone()
			}
			return
		}
		next := 2 * d
		if !invite {
			next = min(next, simT2)
		}
		if c.tcp && d > simT1 {
			a.n.after(simB, func() { again(next) })
			return
		}
		a.send(c.way(), c.text)
		a.n.after(d, func() { again(next) })
	}
	again(simT1)
}

// simServer is a server transaction.
type simServer struct {
	a     *simAgent
	m     *simMsg
	flow  *simFlow
	last  string
	final int
	acked bool // its final response
}

// reply sends a response: by the way that the request came, or, where that is gone, to the address in its Via, if it comes
// from somebody who listens there (RFC 3261 section 18.2.2).
func (s *simServer) reply(status, tag, extra string) {
	s.last = simReply(s.m, status, tag, extra)
	code, _ := strconv.Atoi(status[:3])
	if code >= 200 {
		s.final = code
	}
	s.send()
	if s.m.method != "INVITE" || code < 200 {
		return
	}
	last, n := s.last, s.a.n
	end := n.now + int64(simB)
	var again func(time.Duration)
	again = func(d time.Duration) {
		if s.acked || n.now > end || s.last != last {
			return
		}
		s.send()
		n.after(d, func() { again(min(2*d, simT2)) })
	}
	if code < 300 || s.flow.stream == nil {
		n.after(simT1, func() { again(2 * simT1) })
	}
}

func (s *simServer) send() {
	f := s.flow
	if f.stream != nil && f.stream.broken {
		host := strings.TrimPrefix(s.m.via[0], "SIP/2.0/TCP ")
		host, _, _ = strings.Cut(host, ";")
		at, err := netip.ParseAddrPort(host)
		if err != nil || s.a.n.accept[at] == nil {
			return
		}
		if f = s.a.flow(at, true); f == nil {
			return
		}
	}
	s.a.send(f, s.last)
}
