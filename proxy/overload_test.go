package proxy

import (
	"testing"
	"time"

	"github.com/hotcut/hotcut/policy"
)

// A pause is no overload, a wait that lasts is, and it is over when none has waited for a second.
func TestAWaitThatLastsIsOverload(t *testing.T) {
	type told struct {
		for_   time.Duration // so long, every 10 ms
		waited time.Duration
		over   bool // at its end
	}
	for name, steps := range map[string][]told{
		"quiet":             {{time.Minute, time.Millisecond, false}},
		"a pause":           {{10 * time.Millisecond, 900 * time.Millisecond, false}, {150 * time.Millisecond, 40 * time.Millisecond, false}, {time.Second, time.Millisecond, false}},
		"pauses":            {{190 * time.Millisecond, time.Second, false}, {10 * time.Millisecond, 0, false}, {190 * time.Millisecond, time.Second, false}},
		"it lasts":          {{210 * time.Millisecond, 30 * time.Millisecond, true}, {time.Second, time.Millisecond, true}, {20 * time.Millisecond, time.Millisecond, false}},
		"it comes and goes": {{210 * time.Millisecond, 30 * time.Millisecond, true}, {900 * time.Millisecond, 0, true}, {10 * time.Millisecond, 11 * time.Millisecond, true}, {900 * time.Millisecond, 0, true}},
	} {
		t.Run(name, func(t *testing.T) {
			p, now := new(pressure), int64(1e18)
			for i, s := range steps {
				for end := now + int64(s.for_); now < end; now += int64(10 * time.Millisecond) {
					p.tell(now, int64(s.waited))
				}
				if p.over.Load() != s.over {
					t.Fatalf("step %d: overloaded %v", i, p.over.Load())
				}
			}
		})
	}
}

// Messages that wait now and then, as on a machine that others use, are no overload, however long each waits.
func TestRareWaitsAreNoOverload(t *testing.T) {
	p, now := new(pressure), int64(1e18)
	for range 100 {
		now += int64(150 * time.Millisecond)
		if p.tell(now, int64(time.Second)); p.over.Load() {
			t.Fatal("overloaded by messages of which none waited for another")
		}
	}
}

// An edge that takes next to nothing of the processors is not overloaded: others are in its way.
func TestAnIdleEdgeIsNotOverloaded(t *testing.T) {
	var l load
	for i, s := range []struct {
		spent time.Duration // in each 100 ms
		idle  bool
	}{{0, false}, {9 * time.Millisecond, true}, {11 * time.Millisecond, false}, {190 * time.Millisecond, false}, {0, true}} {
		l.look(int64(1e18)+int64(i)*int64(100*time.Millisecond), l.spent+int64(s.spent))
		if l.idle.Load() != s.idle {
			t.Errorf("step %d: idle %v", i, l.idle.Load())
		}
	}
	sc := newScene(t, tenant("acme", policy.StageLegacy)).start()
	for _, idle := range []bool{true, false} {
		sc.edge().load.idle.Store(idle)
		for now := sc.n.now; now < sc.n.now+int64(time.Second); now += int64(10 * time.Millisecond) {
			sc.edge().waited(now, 0, int64(time.Second))
		}
		if over := sc.edge().topo.Load().listeners[0].wait.over.Load(); over == idle {
			t.Errorf("idle %v: overloaded %v", idle, over)
		}
	}
}

// What lives, what was accepted before and emergency calls pass at any wait; the rest is refused class by class, phones being told when to
// come again.
func TestOverloadRefusesWhatIsNew(t *testing.T) {
	sc := newScene(t, tenant("acme", policy.StageLegacy)).start()
	l := sc.phone.invite("up", "sip:anna@acme.example", "sip:bob@acme.example", "")
	far := l.talk(sc.legacy[0])
	early := sc.phone.invite("early", "sip:anna@acme.example", "sip:bob@acme.example", "")
	ringing := sc.legacy[0].want("INVITE ")
	sc.legacy[0].reply(ringing, "180 Ringing", "")
	sc.phone.want("SIP/2.0 180")
	waits := func(d time.Duration) {
		for i := range sc.edge().topo.Load().listeners {
			p := sc.edge().topo.Load().listeners[i].wait
			p.over.Store(true)
			p.last.Store(sc.n.now + int64(time.Hour))
			p.waited.Store(int64(d))
		}
	}
	refused := func(a *actor, retryAfter int) {
		t.Helper()
		if m := a.want("SIP/2.0 503"); len(m.headers("Retry-After")) != retryAfter {
			t.Errorf("Retry-After %q", m.headers("Retry-After"))
		}
	}
	other := func(method, id string) *leg {
		x := &leg{a: sc.phone, edge: sc.x.out, id: id, from: "<sip:anna@acme.example>;tag=o", to: "<sip:bob@acme.example>", remote: "sip:bob@acme.example"}
		x.send(method, "User-Agent: telephone 1.0 (room for Retry-After)\n")
		return x
	}

	waits(15 * time.Millisecond) // only copies are not made
	other("OPTIONS", "options1")
	sc.legacy[0].reply(sc.legacy[0].want("OPTIONS "), "200 OK", "")
	sc.phone.want("SIP/2.0 200")

	waits(30 * time.Millisecond)
	other("OPTIONS", "options2")
	refused(sc.phone, 1)
	other("MESSAGE", "message")
	refused(sc.phone, 1)
	second := sc.phone.invite("second", "sip:anna@acme.example", "sip:bob@acme.example", "")
	second.talk(sc.legacy[0])

	waits(time.Second)
	sc.phone.invite("third", "sip:anna@acme.example", "sip:bob@acme.example", "User-Agent: telephone 1.0 (room for Retry-After)\n")
	refused(sc.phone, 1)
	in := &leg{a: sc.legacy[0], edge: sc.x.in, id: "in", from: "<sip:bob@acme.example>;tag=b", to: "<sip:+13035550100@acme.example>", remote: "sip:+13035550100@acme.example"}
	in.send("INVITE", "")
	refused(sc.legacy[0], 0)

	early.a.send(early.edge, early.text("INVITE", "")) // the accepted one, again
	sc.pass(50 * time.Millisecond)
	sc.legacy[0].reply(ringing, "200 OK", "")
	early.answered(sc.phone.want("SIP/2.0 200"))
	early.send("ACK", "")
	sc.legacy[0].want("ACK ")
	l.send("INFO", "")
	sc.legacy[0].reply(sc.legacy[0].want("INFO "), "200 OK", "")
	sc.phone.want("SIP/2.0 200")
	far.send("INFO", "")
	sc.phone.reply(sc.phone.want("INFO "), "200 OK", "")
	sc.legacy[0].want("SIP/2.0 200")
	early.hangUp(sc.legacy[0])
	l.hangUp(sc.legacy[0])
	sc.phone.invite("sos", "sip:anna@acme.example", "urn:service:sos", "").talk(sc.legacy[0])
}

// A source that phones are registered from refreshes them longer than anybody else begins something.
func TestOverloadLetsPhonesRefresh(t *testing.T) {
	sc := newScene(t, tenant("acme", policy.StageLegacy)).start()
	sc.register("anna", sc.legacy[0])
	sc.edge().countSources(sc.n.now / 1e9)
	for i := range sc.edge().topo.Load().listeners {
		p := sc.edge().topo.Load().listeners[i].wait
		p.over.Store(true)
		p.last.Store(sc.n.now + int64(time.Hour))
		p.waited.Store(int64(100 * time.Millisecond))
	}
	sc.register("anna", sc.legacy[0])
	stranger := sc.actor("192.0.2.200:5060")
	x := &leg{a: stranger, edge: sc.x.out, id: "new", from: "<sip:carl@acme.example>;tag=c", to: "<sip:carl@acme.example>", remote: "sip:acme.example"}
	x.send("REGISTER", "Expires: 300\nUser-Agent: telephone 1.0 (room for Retry-After)\n")
	stranger.want("SIP/2.0 503")
}

// limits.wait moves what every class may wait.
func TestWaitsInProportion(t *testing.T) {
	p := new(pressure)
	p.call.Store(4 * tolerable[workCall])
	for _, c := range []struct {
		waited                time.Duration
		copies, others, calls bool // refused
	}{{39 * time.Millisecond, false, false, false}, {41 * time.Millisecond, true, false, false}, {81 * time.Millisecond, true, true, false}, {161 * time.Millisecond, true, true, true}} {
		for now := int64(1e18); now < 1e18+2*lasting; now += int64(10 * time.Millisecond) {
			p.tell(now, int64(c.waited))
		}
		if p.sheds(workCopy) != c.copies || p.sheds(workOther) != c.others || p.sheds(workCall) != c.calls || p.sheds(workRefresh) {
			t.Errorf("waited %v: copies %v, others %v, calls %v", c.waited, p.sheds(workCopy), p.sheds(workOther), p.sheds(workCall))
		}
	}
}
