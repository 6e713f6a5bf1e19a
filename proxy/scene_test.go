package proxy

import (
	"fmt"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/hotcut/hotcut/policy"
)

// scene is one edge in virtual time, on a network without faults, with actors that say exactly what a test tells them
// to: for what takes seconds.
type scene struct {
	t      *testing.T
	n      *network
	x      *simEdge
	phone  *actor
	legacy []*actor // its targets; one unless a test adds more before start
	core   []*actor

	registers int
}

type actor struct {
	sc   *scene
	addr netip.AddrPort
	got  []message
	seen map[string]bool
}

func newScene(t *testing.T, tenants ...*policy.Tenant) *scene {
	n := newNetwork(t, 1)
	snap, err := policy.NewSnapshot(policy.Head{Epoch: "e", Rev: 7}, policy.Globals{Default: "legacy", Halt: policy.HaltNone}, tenants)
	if err != nil {
		t.Fatal(err)
	}
	sc := &scene{t: t, n: n, x: &simEdge{n: n, name: "edge-1", dir: t.TempDir(), ring: simKey(), counters: simCounters(), policy: snap,
		out: netip.MustParseAddrPort("203.0.113.1:5060"), in: netip.MustParseAddrPort("10.9.0.1:5070")}}
	sc.phone = sc.actor("192.0.2.99:5060")
	sc.legacy = []*actor{sc.actor("10.1.0.1:5060")}
	sc.core = []*actor{sc.actor("10.2.0.1:5060")}
	return sc
}

func (sc *scene) start() *scene {
	for _, a := range sc.legacy {
		sc.x.targets[0] = append(sc.x.targets[0], a.addr)
	}
	for _, a := range sc.core {
		sc.x.targets[1] = append(sc.x.targets[1], a.addr)
	}
	sc.x.start()
	sc.t.Cleanup(func() {
		if sc.x.edge != nil {
			sc.x.kill()
		}
	})
	return sc
}

func (sc *scene) edge() *Edge { return sc.x.edge }

func (sc *scene) actor(addr string) *actor {
	a := &actor{sc: sc, addr: netip.MustParseAddrPort(addr), seen: map[string]bool{}}
	sc.n.nodes[a.addr] = func(from netip.AddrPort, raw []byte) {
		a.got = append(a.got, message{text: string(raw), from: net.UDPAddrFromAddrPort(from)})
	}
	return a
}

// order returns the legacy targets as a call of that id tries them.
func (sc *scene) order(id string) (list []*actor) {
	topo := sc.edge().topo.Load()
	pool, tried := topo.pools[poolKey{policy.Legacy, "main"}], uint64(0)
	for range pool {
		i, _ := topo.health.Pick(pool, stableHash([]byte(id)), tried)
		tried |= 1 << i
		list = append(list, sc.legacy[i])
	}
	return list
}

// pass lets time go by.
func (sc *scene) pass(d time.Duration) { sc.n.run(sc.n.now + int64(d)) }

func (a *actor) send(to netip.AddrPort, text string) { a.sc.n.send(a.addr, to, crlf(text)) }

// want returns the next new message, which must begin so. Repetitions are passed over, and a 100 that nobody asked for.
func (a *actor) want(prefix string) message {
	a.sc.t.Helper()
	for end := a.sc.n.now + int64(time.Minute); ; {
		for len(a.got) > 0 {
			m := a.got[0]
			a.got = a.got[1:]
			if a.seen[m.text] || strings.HasPrefix(m.text, "SIP/2.0 100") && prefix != "SIP/2.0 100" {
				continue
			}
			a.seen[m.text] = true
			if !strings.HasPrefix(m.text, prefix) {
				a.sc.t.Fatalf("%s wanted %q, got\n%s", a.addr, prefix, m.text)
			}
			return m
		}
		if len(a.sc.n.queue) == 0 || a.sc.n.queue[0].at > end {
			a.sc.t.Fatalf("%s wanted %q, got nothing", a.addr, prefix)
		}
		a.sc.n.run(a.sc.n.queue[0].at)
	}
}

// silent fails if anything new came, after a moment for what is under way.
func (a *actor) silent() {
	a.sc.t.Helper()
	a.sc.pass(50 * time.Millisecond)
	for _, m := range a.got {
		if !a.seen[m.text] {
			a.sc.t.Fatalf("%s wanted silence, got\n%s", a.addr, m.text)
		}
	}
	a.got = nil
}

func (a *actor) reply(m message, status, extra string) {
	a.send(m.from.AddrPort(), answerTo(m, status, extra, a.addr.String()))
}

// leg is one side of a dialog.
type leg struct {
	a        *actor
	edge     netip.AddrPort
	id       string
	from, to string
	routes   []string
	remote   string
	cseq     int
}

// invite begins a call by way of the outside.
func (a *actor) invite(id, from, uri, extra string) *leg {
	l := &leg{a: a, edge: a.sc.x.out, id: id, from: "<" + from + ">;tag=f" + id, to: "<" + uri + ">", remote: uri}
	if l.edge = a.sc.x.out; strings.HasPrefix(a.addr.String(), "10.") {
		l.edge = a.sc.x.in
	}
	l.send("INVITE", extra)
	return l
}

// text is a request of this leg. ACK and CANCEL have the number of the last.
func (l *leg) text(method, extra string) string {
	branch := fmt.Sprintf("z9hG4bK%s-%d", l.id, l.cseq)
	if method == "ACK" {
		branch += "a"
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s SIP/2.0\nVia: SIP/2.0/UDP %s;branch=%s\n", method, l.remote, l.a.addr, branch)
	for _, r := range l.routes {
		fmt.Fprintf(&b, "Route: %s\n", r)
	}
	fmt.Fprintf(&b, "Max-Forwards: 70\nFrom: %s\nTo: %s\nCall-ID: %s\nCSeq: %d %s\nContact: <sip:me@%s>\n%sContent-Length: 0\n\n",
		l.from, l.to, l.id, l.cseq, method, l.a.addr, extra)
	return b.String()
}

func (l *leg) send(method, extra string) {
	if method != "ACK" && method != "CANCEL" {
		l.cseq++
	}
	l.a.send(l.edge, l.text(method, extra))
}

// answered learns from a 2xx how the other side is reached.
func (l *leg) answered(m message) {
	l.routes = nil
	for _, r := range m.headers("Record-Route") {
		l.routes = append([]string{r}, l.routes...)
	}
	l.to, l.remote = m.headers("To")[0], strings.Trim(m.headers("Contact")[0], "<>")
}

// calleeOf is the other side's leg of an INVITE that a has answered with ok.
func (a *actor) calleeOf(inv, ok message) *leg {
	return &leg{a: a, edge: inv.from.AddrPort(), id: inv.headers("Call-ID")[0], from: ok.headers("To")[0], to: inv.headers("From")[0],
		routes: inv.headers("Record-Route"), remote: strings.Trim(inv.headers("Contact")[0], "<>"), cseq: 100}
}

// talk answers the INVITE that a gets next, and has it acknowledged; both legs can go on.
func (l *leg) talk(a *actor) *leg {
	l.a.sc.t.Helper()
	inv := a.want("INVITE ")
	a.reply(inv, "200 OK", "")
	ok := l.a.want("SIP/2.0 200")
	l.answered(ok)
	l.send("ACK", "")
	a.want("ACK ")
	return a.calleeOf(inv, ok)
}

// hangUp ends a call.
func (l *leg) hangUp(a *actor) {
	l.a.sc.t.Helper()
	l.send("BYE", "")
	a.reply(a.want("BYE "), "200 OK", "")
	l.a.want("SIP/2.0 200")
}
