//go:build bench

package bench

import (
	"net/netip"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/hotcut/hotcut/proxy/transport"
	"github.com/hotcut/hotcut/proxy/wire"
)

// callers are many callers and their callee, on two sockets: calls of seven messages that end as soon as they are up. What is not answered is
// repeated (RFC 3261 section 17.1, Timers A and E), so that an edge in trouble gets more of it, as from phones. SIPp would need more of a
// processor for twice its rate than an edge for its own.
type callers struct {
	transport *transport.Transport
	edge      transport.Peer
	self      string

	mu    sync.Mutex
	next  int
	calls map[int]*benchCall
	due   []repetition // in order of time
	stats callStats
	run   int // what belongs to a run before is not counted
}

type callStats struct {
	made, completed, refused, byes int
	silent, lost                   int // INVITEs and BYEs that nobody answered
}

type benchCall struct {
	run, tries int
	heard      bool // a response to what was sent last
	bye        []byte
	ack        []byte
}

type repetition struct {
	at   time.Time
	call int
	bye  bool
}

const giveUp = 6 // repetitions, which come after 0.5, 1, 2, 4, 4, 4 s

func newCallers(t *testing.T, caller, callee, edge netip.AddrPort) *callers {
	t.Helper()
	g := &callers{edge: transport.Peer{Proto: transport.UDP, Addr: edge}, self: caller.String(), calls: map[int]*benchCall{}}
	var err error
	g.transport, err = transport.New([]transport.Spec{{Name: "caller", Proto: transport.UDP, Addr: caller}, {Name: "callee", Proto: transport.UDP, Addr: callee}},
		transport.Handler{Message: g.message, Refused: func(string, netip.AddrPort) {}}, transport.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// play calls at a rate for so long, and waits for what is left of the calls.
func (g *callers) play(rate float64, d time.Duration) callStats {
	g.mu.Lock()
	g.run++
	g.stats = callStats{}
	g.mu.Unlock()
	out := g.transport.NewOut()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	began := time.Now()
	for made := 0; ; {
		now := <-tick.C
		gone := now.Sub(began)
		g.mu.Lock()
		for ; gone < d && float64(made) < rate*gone.Seconds(); made++ {
			g.next++
			g.calls[g.next] = &benchCall{run: g.run}
			g.stats.made++
			g.due = append(g.due, repetition{at: now.Add(500 * time.Millisecond), call: g.next})
			out.End(g.edge, g.invite(out.Begin(), g.next), 0)
		}
		g.repeat(now, out)
		left := len(g.calls)
		g.mu.Unlock()
		out.Flush()
		if gone >= d && (left == 0 || gone > d+20*time.Second) {
			break
		}
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	for n, c := range g.calls {
		g.lose(n, c)
	}
	g.due = nil
	return g.stats
}

// lose counts a call of which nothing more is heard.
func (g *callers) lose(n int, c *benchCall) {
	delete(g.calls, n)
	if c.bye != nil {
		g.stats.lost++
	} else {
		g.stats.silent++
	}
}

// repeat sends again what is due.
func (g *callers) repeat(now time.Time, out *transport.Out) {
	for len(g.due) > 0 && !g.due[0].at.After(now) {
		x := g.due[0]
		g.due = g.due[1:]
		c := g.calls[x.call]
		if c == nil || c.heard && !x.bye || x.bye != (c.bye != nil) {
			continue
		}
		if c.tries++; c.tries > giveUp {
			g.lose(x.call, c)
			continue
		}
		if x.bye {
			out.End(g.edge, append(out.Begin(), c.bye...), 0)
		} else {
			out.End(g.edge, g.invite(out.Begin(), x.call), 0)
		}
		g.later(repetition{at: now.Add(min(500*time.Millisecond<<c.tries, 4*time.Second)), call: x.call, bye: x.bye})
	}
}

// later puts a repetition where it belongs: almost always near the end.
func (g *callers) later(x repetition) {
	i := len(g.due)
	for i > 0 && g.due[i-1].at.After(x.at) {
		i--
	}
	g.due = append(g.due, repetition{})
	copy(g.due[i+1:], g.due[i:])
	g.due[i] = x
}

func (g *callers) head(dst []byte, method, uri, branch string, n int, routes [][]byte, toTag []byte) []byte {
	id := strconv.Itoa(n)
	dst = append(append(append(append(dst, method...), ' '), uri...), " SIP/2.0\r\nVia: SIP/2.0/UDP "+g.self+";branch=z9hG4bK"+branch+id+"\r\n"...)
	for i := len(routes) - 1; i >= 0; i-- {
		dst = append(append(append(dst, "Route: "...), routes[i]...), "\r\n"...)
	}
	dst = append(dst, "Max-Forwards: 70\r\nFrom: \"Caller\" <sip:caller@acme.example>;tag=c"+id+"\r\nTo: <sip:bob@acme.example>"...)
	if len(toTag) > 0 {
		dst = append(append(dst, ";tag="...), toTag...)
	}
	return append(dst, "\r\nCall-ID: over"+id+"\r\nContact: <sip:caller@"+g.self+">\r\n"...)
}

const callerSDP = "v=0\r\no=caller 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\nm=audio 6000 RTP/AVP 0 8 101\r\na=rtpmap:101 telephone-event/8000\r\n"

func (g *callers) invite(dst []byte, n int) []byte {
	dst = g.head(dst, "INVITE", "sip:bob@acme.example", "i", n, nil, nil)
	return append(dst, "CSeq: 1 INVITE\r\nContent-Type: application/sdp\r\nContent-Length: "+strconv.Itoa(len(callerSDP))+"\r\n\r\n"+callerSDP...)
}

// message is the callee's and the callers' side of all calls.
func (g *callers) message(_ int64, from transport.Peer, raw []byte, out *transport.Out) {
	var m wire.Message
	if m.Scan(raw, nil) != wire.FaultNone {
		return
	}
	if m.Request {
		g.called(from, &m, out)
		return
	}
	n, err := strconv.Atoi(string(m.CallID.Of(raw)[len("over"):]))
	if err != nil {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	c := g.calls[n]
	if c == nil {
		return
	}
	c.heard = true
	switch {
	case m.Status < 200:
	case m.CSeqIs("BYE"):
		delete(g.calls, n)
		if c.run == g.run {
			g.stats.completed++
		}
	case m.Status >= 300:
		out.End(g.edge, append(g.head(out.Begin(), "ACK", "sip:bob@acme.example", "i", n, nil, m.To.Tag.Of(raw)), "CSeq: 1 ACK\r\nContent-Length: 0\r\n\r\n"...), 0)
		delete(g.calls, n)
		if c.run == g.run {
			g.stats.refused++
		}
	case c.bye != nil: // the 200 once more
		out.End(g.edge, append(out.Begin(), c.ack...), 0)
	default:
		g.up(n, c, &m, out)
	}
}

// up acknowledges an answer and ends the call.
func (g *callers) up(n int, c *benchCall, m *wire.Message, out *transport.Out) {
	var routes [][]byte
	var uri string
	for e := range m.Elems(wire.HRecordRoute) {
		routes = append(routes, e.Whole.Of(m.Raw))
	}
	for e := range m.Elems(wire.HContact) {
		uri = string(e.URI.Of(m.Raw))
	}
	tag := m.To.Tag.Of(m.Raw)
	c.ack = append(g.head(nil, "ACK", uri, "a", n, routes, tag), "CSeq: 1 ACK\r\nContent-Length: 0\r\n\r\n"...)
	c.bye = append(g.head(nil, "BYE", uri, "b", n, routes, tag), "CSeq: 2 BYE\r\nContent-Length: 0\r\n\r\n"...)
	c.tries = 0
	g.stats.byes++
	out.End(g.edge, append(out.Begin(), c.ack...), 0)
	out.End(g.edge, append(out.Begin(), c.bye...), 0)
	g.later(repetition{at: time.Now().Add(500 * time.Millisecond), call: n, bye: true})
}

// called is the callee: it rings and answers, and has nothing against a BYE.
func (g *callers) called(from transport.Peer, m *wire.Message, out *transport.Out) {
	switch {
	case m.Is("INVITE"):
		var extra []byte
		for i := range m.Headers {
			if h := &m.Headers[i]; h.ID == wire.HRecordRoute {
				extra = append(extra, h.Line.Of(m.Raw)...)
			}
		}
		extra = append(extra, "Contact: <sip:bob@"+g.transport.Addr(1).String()+">\r\n"...)
		out.End(from, m.AppendResponse(out.Begin(), 180, "Ringing", []byte("t"), extra), 0)
		out.End(from, m.AppendResponse(out.Begin(), 200, "OK", []byte("t"), extra), 0)
	case m.Is("BYE"):
		out.End(from, m.AppendResponse(out.Begin(), 200, "OK", nil, nil), 0)
	}
}
