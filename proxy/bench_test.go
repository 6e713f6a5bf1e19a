package proxy

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/hotcut/hotcut/policy"
	"github.com/hotcut/hotcut/proxy/transport"
)

// A recording is what an edge hears of many calls: the bytes are the same whenever the same edge hears them, since
// tokens and branches are pure functions of key and message.
type recording struct {
	heard []heard
	calls int
}

type heard struct {
	from     netip.AddrPort
	listener uint16
	msg      []byte
	now      int64
}

// record plays calls of seven messages (INVITE, 180, 200, ACK, BYE, 200, and what the edge adds) at 2,000 a second.
func record(b *testing.B, calls int) (*simEdge, *recording) {
	n := newNetwork(b, 1)
	phone, callee := netip.MustParseAddrPort("192.0.2.99:5060"), netip.MustParseAddrPort("10.1.0.1:5060")
	counters := simCounters()
	s := provider(b)
	e := &simEdge{n: n, name: "edge-1", measured: true, dir: b.TempDir(), ring: simKey(), counters: counters, policy: s,
		out: netip.MustParseAddrPort("203.0.113.1:5060"), in: netip.MustParseAddrPort("10.9.0.1:5070"),
		targets: [2][]netip.AddrPort{{callee}, {netip.MustParseAddrPort("10.2.0.1:5060")}}}
	e.start()
	r := &recording{calls: calls}
	var sent message
	out := transport.Capture(func(_ transport.Peer, msg []byte, _ uint64) { sent.text = string(msg) })
	hear := func(from netip.AddrPort, listener uint16, text string) message {
		n.now += 70_000 // ns
		r.heard = append(r.heard, heard{from, listener, []byte(text), n.now})
		e.edge.message(n.now, transport.Peer{Listener: listener, Proto: transport.UDP, Addr: from}, []byte(text), out)
		return sent
	}
	for i := range calls {
		c := &benchCall{phone: phone, id: "call" + itoa(i) + "@192.0.2.99", to: "<sip:bob@acme.example>", body: strings.Repeat("a=x\r\n", 30)}
		inv := hear(phone, 0, c.request("INVITE", 1, "sip:bob@acme.example"))
		contact := "Contact: <sip:bob@" + callee.String() + ">\r\n"
		hear(callee, 1, answer(inv, "180 Ringing", "t", contact))
		ok := hear(callee, 1, answer(inv, "200 OK", "t", contact))
		c.code, c.to = 200, ok.headers("To")[0]
		rr := ok.headers("Record-Route")
		for k := len(rr) - 1; k >= 0; k-- {
			c.routes = append(c.routes, rr[k])
		}
		hear(phone, 0, c.request("ACK", 1, "sip:bob@"+callee.String()))
		bye := hear(phone, 0, c.request("BYE", 2, "sip:bob@"+callee.String()))
		hear(callee, 1, answer(bye, "200 OK", "", ""))
		if i%20 == 0 {
			e.edge.tick(n.now, out)
		}
	}
	if err := e.edge.panics.Load(); err != 0 {
		b.Fatal("a step panicked")
	}
	e.kill()
	return e, r
}

func itoa(i int) string {
	var d [8]byte
	for k := range d {
		d[len(d)-1-k] = byte('0' + i%10)
		i /= 10
	}
	return string(d[:])
}

// provider is a policy of 10,000 tenants. Those whose calls are recorded are mirrored.
func provider(b *testing.B) *policy.Snapshot {
	list := make([]*policy.Tenant, 0, 10_000)
	for i := range 10_000 {
		list = append(list, &policy.Tenant{ID: "t" + itoa(i), Domains: []string{itoa(i) + ".example"}, Salt: "00112233445566778899aabbccddeeff", HashVer: 1})
	}
	list = append(list, &policy.Tenant{ID: "acme", Domains: []string{"acme.example"}, Salt: "00112233445566778899aabbccddeeff", HashVer: 1,
		Stage: policy.StageShadow, Mirror: policy.FullShare})
	s, err := policy.NewSnapshot(policy.Head{Epoch: "e", Rev: 1}, policy.Globals{Default: "legacy", Halt: policy.HaltNone}, list)
	if err != nil {
		b.Fatal(err)
	}
	return s
}

// BenchmarkCall is the edge's own work for one call of seven messages, without sockets: a policy of 10,000 tenants,
// tokens, timers, choice ring, records and metrics on. One op is one call.
func BenchmarkCall(b *testing.B) {
	const calls = 20_000
	e, r := record(b, calls)
	sent := 0
	out := transport.Capture(func(transport.Peer, []byte, uint64) { sent++ })
	b.ReportAllocs()
	b.ResetTimer()
	left := b.N
	for left > 0 {
		b.StopTimer()
		e.dir = b.TempDir()
		e.start()
		list := r.heard[:min(left, calls)*6]
		b.StartTimer()
		for i := range list {
			h := &list[i]
			e.edge.message(h.now, transport.Peer{Listener: h.listener, Proto: transport.UDP, Addr: h.from}, h.msg, out)
			if i%120 == 0 {
				e.edge.tick(h.now, out)
			}
		}
		left -= len(list) / 6
		b.StopTimer()
		e.kill()
		b.StartTimer()
	}
	b.StopTimer()
	if sent < b.N*6 {
		b.Fatalf("%d messages left the edge for %d calls", sent, b.N)
	}
}

// benchCall writes what a caller says.
type benchCall struct {
	phone    netip.AddrPort
	id, body string
	code     int // of the final response
	to       string
	routes   []string
}

func (c *benchCall) request(method string, cseq int, uri string) string {
	branch := fmt.Sprintf("z9hG4bK%s-%d", c.id, cseq)
	if method == "ACK" && c.code/100 == 2 {
		branch += "-ack"
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s SIP/2.0\r\nVia: SIP/2.0/UDP %s;branch=%s\r\n", method, uri, c.phone, branch)
	for _, r := range c.routes {
		fmt.Fprintf(&b, "Route: %s\r\n", r)
	}
	fmt.Fprintf(&b, "Max-Forwards: 70\r\nFrom: <sip:anna@acme.example>;tag=f%s\r\nTo: %s\r\nCall-ID: %s\r\nCSeq: %d %s\r\nContact: <sip:anna@%s>\r\nX-Foreign:  %s  as  it is \r\n",
		c.id, c.to, c.id, cseq, method, c.phone, c.id)
	if method == "INVITE" {
		fmt.Fprintf(&b, "Content-Type: application/sdp\r\nContent-Length: %d\r\n\r\n%s", len(c.body), c.body)
	} else {
		b.WriteString("Content-Length: 0\r\n\r\n")
	}
	return b.String()
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
