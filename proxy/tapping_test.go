package proxy

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hotcut/hotcut/policy"
	"github.com/hotcut/hotcut/proxy/tap"
	"github.com/hotcut/hotcut/proxy/wire"
)

// tapLog writes down what a tap is given: leg, tenant, platform, party, direction, and the beginning of the message.
type tapLog struct {
	t     *testing.T
	lines []string
	raws  []string
}

func (l *tapLog) Put(ev *tap.Event, raw []byte) *tap.Cell {
	start, _, _ := strings.Cut(string(raw), "\r\n")
	words := strings.Fields(start)
	what, way := words[0], ">"
	if ev.Kind == tap.Response {
		what = words[1]
	}
	if ev.Upstream {
		way = "<"
	}
	if ev.Kind == tap.Escape {
		what, way = what+" escaped", "!"
	}
	line := fmt.Sprintf("%s %s %s %s %s %s", ev.Leg, ev.Tenant, ev.Platform, ev.Party, way, what)
	if ev.Emergency {
		line += " emergency"
	}
	if ev.At == 0 || ev.Kind != tap.Escape && ev.Rev != 7 {
		l.t.Errorf("%s: at %d, rev %d", line, ev.At, ev.Rev)
	}
	l.lines = append(l.lines, line)
	l.raws = append(l.raws, string(raw))
	if len(l.lines)%2 == 0 { // the edge does not care
		return nil
	}
	return new(tap.Cell)
}

// want fails unless exactly these lines came since the last time.
func (l *tapLog) want(lines ...string) {
	l.t.Helper()
	if !slices.Equal(l.lines, lines) {
		l.t.Errorf("tapped\n\t%s\nwanted\n\t%s", strings.Join(l.lines, "\n\t"), strings.Join(lines, "\n\t"))
	}
	l.lines, l.raws = nil, nil
}

// mirroredTenant is one all of whose calls are copied.
func mirroredTenant(id string) *policy.Tenant {
	x := tenant(id, policy.StageShadow)
	x.Mirror, x.MirrorSubs = policy.FullShare, true
	x.Country, x.Numbers = "1", []string{"+1303555010"}
	return x
}

// tapped is a scene with a tap, and a carrier at 198.51.100.7.
func tapped(t *testing.T, tenants ...*policy.Tenant) (*scene, *tapLog, *actor) {
	sc := newScene(t, tenants...).start()
	carrier := sc.actor("198.51.100.7:5060")
	topo := sc.edge().topo.Load()
	c := carrierAt("carrier-a", carrier, -1)
	c.format = "e164"
	topo.carriers = append(topo.carriers, c)
	l := &tapLog{t: t}
	sc.edge().tap = l
	return sc, l, carrier
}

func TestTapNear(t *testing.T) {
	sc, l, _ := tapped(t, mirroredTenant("acme"))
	x := sc.phone.invite("c1", "sip:anna@acme.example", "sip:bob@acme.example", "")
	sc.phone.send(x.edge, x.text("INVITE", "")) // repeated
	inv := sc.legacy[0].want("INVITE ")
	if len(l.raws) != 1 || l.raws[0] != string(crlf(x.text("INVITE", ""))) {
		t.Errorf("the copy differs from what came in:\n%q", l.raws)
	}
	sc.legacy[0].reply(inv, "100 Trying", "")
	sc.pass(20 * time.Millisecond)
	sc.legacy[0].reply(inv, "180 Ringing", "")
	sc.legacy[0].reply(inv, "180 Ringing", "") // repeated
	sc.pass(20 * time.Millisecond)
	sc.phone.want("SIP/2.0 180")
	ok := answerTo(inv, "200 OK", "", sc.legacy[0].addr.String())
	sc.legacy[0].send(inv.from.AddrPort(), ok)
	x.answered(sc.phone.want("SIP/2.0 200"))
	if last := l.raws[len(l.raws)-1]; last != string(crlf(ok)) {
		t.Errorf("the copy of the answer is\n%s", last)
	}
	x.send("ACK", "")
	callee := sc.legacy[0].calleeOf(inv, message{text: string(crlf(ok))})
	sc.legacy[0].want("ACK ")
	sc.legacy[0].send(inv.from.AddrPort(), ok) // its ACK was lost on the way, it thinks
	sc.pass(20 * time.Millisecond)
	x.send("ACK", "") // repeated
	sc.pass(20 * time.Millisecond)
	l.want("near acme legacy phone > INVITE", "near acme legacy phone < 100", "near acme legacy phone < 180", "near acme legacy phone < 200", "near acme legacy phone > ACK")

	callee.send("INFO", "")
	sc.phone.reply(sc.phone.want("INFO "), "200 OK", "")
	sc.legacy[0].want("SIP/2.0 200")
	x.send("INVITE", "")
	again := sc.legacy[0].want("INVITE ")
	sc.legacy[0].reply(again, "488 Not Acceptable Here", "")
	sc.phone.want("SIP/2.0 488")
	sc.legacy[0].want("ACK ")
	x.hangUp(sc.legacy[0])
	l.want("near acme legacy phone < INFO", "near acme legacy phone > 200",
		"near acme legacy phone > INVITE", "near acme legacy phone < 488",
		"near acme legacy phone > BYE", "near acme legacy phone < 200")
}

func TestTapCancel(t *testing.T) {
	sc, l, _ := tapped(t, mirroredTenant("acme"))
	x := sc.phone.invite("c1", "sip:anna@acme.example", "sip:bob@acme.example", "")
	inv := sc.legacy[0].want("INVITE ")
	x.send("CANCEL", "Reason: SIP;cause=200\n")
	sc.phone.want("SIP/2.0 200")
	x.send("CANCEL", "Reason: SIP;cause=200\n") // repeated
	sc.pass(20 * time.Millisecond)
	sc.legacy[0].reply(inv, "180 Ringing", "")
	sc.legacy[0].reply(sc.legacy[0].want("CANCEL "), "200 OK", "")
	sc.legacy[0].reply(inv, "487 Request Terminated", "")
	sc.legacy[0].want("ACK ")
	sc.phone.want("SIP/2.0 180")
	sc.phone.want("SIP/2.0 487")
	l.want("near acme legacy phone > INVITE", "near acme legacy phone > CANCEL", "near acme legacy phone < 180", "near acme legacy phone < 487")
}

// A retry with credentials is another request of the same call; so are REGISTER, OPTIONS and SUBSCRIBE with its NOTIFYs.
func TestTapOtherRequests(t *testing.T) {
	sc, l, _ := tapped(t, mirroredTenant("acme"))
	x := sc.phone.invite("c1", "sip:anna@acme.example", "sip:bob@acme.example", "")
	sc.legacy[0].reply(sc.legacy[0].want("INVITE "), "401 Unauthorized", "")
	sc.phone.want("SIP/2.0 401")
	sc.legacy[0].want("ACK ")
	x.send("INVITE", "Authorization: Digest username=\"anna\"\n")
	x.talk(sc.legacy[0])
	l.want("near acme legacy phone > INVITE", "near acme legacy phone < 401", "near acme legacy phone > INVITE", "near acme legacy phone < 200", "near acme legacy phone > ACK")

	sc.register("anna", sc.legacy[0])
	l.want("near acme legacy phone > REGISTER", "near acme legacy phone < 200")

	for _, method := range []string{"OPTIONS", "MESSAGE", "PUBLISH"} {
		o := &leg{a: sc.phone, edge: sc.x.out, id: method, from: "<sip:anna@acme.example>;tag=a", to: "<sip:bob@acme.example>", remote: "sip:bob@acme.example"}
		o.send(method, "")
		sc.legacy[0].reply(sc.legacy[0].want(method+" "), "200 OK", "")
		sc.phone.want("SIP/2.0 200")
	}
	l.want("near acme legacy phone > OPTIONS", "near acme legacy phone < 200")

	s := &leg{a: sc.phone, edge: sc.x.out, id: "sub", from: "<sip:anna@acme.example>;tag=s", to: "<sip:bob@acme.example>", remote: "sip:bob@acme.example"}
	s.send("SUBSCRIBE", "Event: dialog\nExpires: 600\n")
	m := sc.legacy[0].want("SUBSCRIBE ")
	ok := answerTo(m, "200 OK", "Expires: 600\n", sc.legacy[0].addr.String())
	sc.legacy[0].send(m.from.AddrPort(), ok)
	s.answered(sc.phone.want("SIP/2.0 200"))
	notifier := sc.legacy[0].calleeOf(m, message{text: string(crlf(ok))})
	notifier.send("NOTIFY", "Event: dialog\nSubscription-State: active\n")
	sc.phone.reply(sc.phone.want("NOTIFY "), "200 OK", "")
	sc.legacy[0].want("SIP/2.0 200")
	s.send("SUBSCRIBE", "Event: dialog\nExpires: 600\n")
	sc.legacy[0].reply(sc.legacy[0].want("SUBSCRIBE "), "200 OK", "Expires: 600\n")
	sc.phone.want("SIP/2.0 200")
	l.want("near acme legacy phone > SUBSCRIBE", "near acme legacy phone < 200", "near acme legacy phone < NOTIFY", "near acme legacy phone > 200",
		"near acme legacy phone > SUBSCRIBE", "near acme legacy phone < 200")
}

// What is not to be copied is not.
func TestTapLeavesAlone(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		edit func(*policy.Tenant)
		uri  string
		core bool
	}{
		"no share":      {func(x *policy.Tenant) { x.Mirror = 0 }, "sip:bob@acme.example", false},
		"another stage": {func(x *policy.Tenant) { x.Stage = policy.StageLegacy }, "sip:bob@acme.example", false},
		"emergency":     {func(*policy.Tenant) {}, "sip:112@acme.example", false},
		"core serves":   {func(x *policy.Tenant) { x.Stage, x.Share = policy.StageCanary, policy.FullShare }, "sip:bob@acme.example", true},
	} {
		x := mirroredTenant("acme")
		c.edit(x)
		sc, l, _ := tapped(t, x)
		at := sc.legacy[0]
		if c.core {
			at = sc.core[0]
		}
		call := sc.phone.invite("c1", "sip:anna@acme.example", c.uri, "")
		call.talk(at)
		call.hangUp(at)
		if len(l.lines) > 0 {
			t.Errorf("%s: %q", name, l.lines)
		}
	}
}

// The share is of whole calls, by Call-ID.
func TestTapShare(t *testing.T) {
	x := mirroredTenant("acme")
	x.Mirror = 5000
	sc, l, _ := tapped(t, x)
	whole := 0
	for i := range 40 {
		call := sc.phone.invite(fmt.Sprintf("c%d", i), "sip:anna@acme.example", "sip:bob@acme.example", "")
		call.talk(sc.legacy[0])
		call.hangUp(sc.legacy[0])
		switch len(l.lines) {
		case 5:
			whole++
		case 0:
		default:
			t.Errorf("%d messages of a call of 5: %q", len(l.lines), l.lines)
		}
		l.lines = nil
	}
	if whole < 8 || whole > 32 {
		t.Errorf("%d of 40 calls at a share of a half", whole)
	}
}

// The platform's own leg: to a phone, by its binding; to a carrier, in somebody's name.
func TestTapFar(t *testing.T) {
	other := tenant("birch", policy.StageLegacy)
	other.Country, other.Numbers = "1", []string{"+1303555020"}
	sc, l, carrier := tapped(t, mirroredTenant("acme"), other)
	path := sc.register("anna", sc.legacy[0])
	l.lines = nil
	in := &leg{a: sc.legacy[0], edge: sc.x.in, id: "in", from: "<sip:+13035550200@birch.example>;tag=b", to: "<sip:anna@acme.example>", remote: "sip:me@192.0.2.99:5060", routes: []string{path}}
	in.send("INVITE", "")
	callee := in.talk(sc.phone)
	callee.send("BYE", "")
	sc.legacy[0].reply(sc.legacy[0].want("BYE "), "200 OK", "")
	sc.phone.want("SIP/2.0 200")
	l.want("far acme legacy phone > INVITE", "far acme legacy phone < 200", "far acme legacy phone > ACK", "far acme legacy phone < BYE", "far acme legacy phone > 200")

	for i, c := range []struct {
		name, from, to, extra, want string
	}{
		{"its number", "sip:+13035550101@10.1.0.1", "sip:+442071838750", "", "far acme legacy carrier > INVITE"},
		{"somebody else's", "sip:+13035550201@10.1.0.1", "sip:+442071838750", "", ""},
		{"nobody's", "sip:anonymous@anonymous.invalid", "sip:+442071838750", "", ""},
		{"asserted", "sip:anonymous@anonymous.invalid", "sip:+442071838750", "P-Asserted-Identity: <tel:+13035550101>\n", "far acme legacy carrier > INVITE"},
		{"forwarded", "sip:+33142685300@10.1.0.1", "sip:+442071838750", "Diversion: <sip:+13035550200@birch.example>, <sip:+13035550109@x>;reason=no-answer\n", "far acme legacy carrier > INVITE"},
		{"forwarded, in the newer way", "sip:+33142685300@10.1.0.1", "sip:+442071838750", "History-Info: <sip:bob@acme.example>;index=1\n", "far acme legacy carrier > INVITE"},
		{"its domain", "sip:bob@ACME.example", "sip:+442071838750", "", "far acme legacy carrier > INVITE"},
		{"emergency", "sip:+13035550101@10.1.0.1", "sip:112", "", "far acme legacy carrier > INVITE emergency"},
	} {
		x := sc.legacy[0].invite(fmt.Sprintf("out%d", i), c.from, c.to+"@198.51.100.7", c.extra)
		carrier.want("INVITE ")
		x.send("CANCEL", "")
		sc.legacy[0].want("SIP/2.0 200")
		if c.want == "" {
			if len(l.lines) > 0 {
				t.Errorf("%s: %q", c.name, l.lines)
			}
			continue
		}
		l.want(c.want, strings.Replace(c.want, "INVITE", "CANCEL", 1))
	}

	sc.core[0].invite("core", "sip:+13035550101@10.1.0.1", "sip:+442071838750@198.51.100.7", "")
	carrier.want("INVITE ")
	l.want() // copies are made of what legacy does
}

// A legacy platform that proxies sends the same call out again: both passes are one call, whoever it then reaches.
func TestTapThroughAProxy(t *testing.T) {
	sc, l, carrier := tapped(t, mirroredTenant("acme"))
	x := sc.phone.invite("c1", "sip:anna@acme.example", "sip:+442071838750@acme.example", "")
	inv := sc.legacy[0].want("INVITE ")
	lines := strings.SplitAfter(inv.text, "\r\n")
	lines[0] = "INVITE sip:+442071838750@198.51.100.7 SIP/2.0\r\nVia: SIP/2.0/UDP 10.1.0.1:5060;branch=z9hG4bKproxied\r\nRecord-Route: <sip:10.1.0.1:5060;lr>\r\n"
	sc.legacy[0].send(sc.x.in, strings.ReplaceAll(strings.Join(lines, ""), "\r\n", "\n"))
	out := carrier.want("INVITE ")
	carrier.reply(out, "486 Busy Here", "")
	busy := sc.legacy[0].want("SIP/2.0 486")
	carrier.want("ACK ")
	vias := strings.Index(busy.text, "Via: ")
	second := strings.Index(busy.text[vias+1:], "Via: ") + vias + 1
	sc.legacy[0].send(sc.x.in, strings.ReplaceAll(busy.text[:vias]+busy.text[second:], "\r\n", "\n"))
	sc.phone.want("SIP/2.0 486")
	_ = x
	l.want("near acme legacy phone > INVITE", "far acme legacy carrier > INVITE", "far acme legacy carrier < 486", "near acme legacy phone < 486")
}

// A response of a target that the call was taken to says whose it is.
func TestTapNamesThePlatformThatAnswers(t *testing.T) {
	x := mirroredTenant("acme")
	x.Stage, x.CrossFailover = policy.StageCanary, true
	sc, l, _ := tapped(t, x)
	sc.phone.invite("c1", "sip:anna@acme.example", "sip:bob@acme.example", "")
	sc.legacy[0].reply(sc.legacy[0].want("INVITE "), "503 Service Unavailable", "")
	sc.core[0].reply(sc.core[0].want("INVITE "), "180 Ringing", "")
	sc.phone.want("SIP/2.0 180")
	l.want("near acme legacy phone > INVITE", "near acme legacy phone < 503", "near acme core phone < 180")
}

// Tapping allocates nothing, whichever way a message takes.
func TestTapAllocatesNothing(t *testing.T) {
	sc, l, carrier := tapped(t, mirroredTenant("acme"))
	ring := tap.NewRing(1<<12, 2048)
	sc.edge().tap = ring
	x := sc.phone.invite("c1", "sip:anna@acme.example", "sip:bob@acme.example", "")
	inv := sc.legacy[0].want("INVITE ")
	s := sc.edge().shardOf(sc.edge().callHash([]byte("c1")))
	if len(s.branches) != 1 {
		t.Fatalf("%d branches", len(s.branches))
	}
	var ringing, ack wire.Message
	if f := ringing.Scan(crlf(answerTo(inv, "180 Ringing", "", "10.1.0.1")), nil); f != wire.FaultNone {
		t.Fatal(f)
	}
	sc.legacy[0].reply(inv, "200 OK", "")
	x.answered(sc.phone.want("SIP/2.0 200"))
	x.send("ACK", "")
	sc.legacy[0].want("ACK ")
	if f := ack.Scan(crlf(x.text("ACK", "")), nil); f != wire.FaultNone {
		t.Fatal(f)
	}
	for _, b := range s.branches {
		if n := testing.AllocsPerRun(500, func() {
			b.tapped = 0
			s.tapResponse(1, b, &ringing)
		}); n != 0 {
			t.Errorf("a response: %v allocations", n)
		}
		a := s.arrivalOf(1, b.req, &ack)
		h := b.req.hop
		h.inDialog, h.towardsB, h.dialog = true, true, dialogKey(&ack, true)
		if n := testing.AllocsPerRun(500, func() {
			s.dialogs[h.dialog].taps[0].acked = 0
			s.tapAck(a, &h)
		}); n != 0 {
			t.Errorf("an ACK: %v allocations", n)
		}
	}

	sc.legacy[0].invite("far", "sip:anonymous@anonymous.invalid", "sip:+442071838750@198.51.100.7", "Diversion: <sip:+13035550200@x>\nP-Asserted-Identity: <tel:+13035550101>\n")
	far := carrier.want("INVITE ")
	var m wire.Message
	if f := m.Scan([]byte(far.text), nil); f != wire.FaultNone {
		t.Fatal(f)
	}
	s = sc.edge().shardOf(sc.edge().callHash([]byte("far")))
	for _, r := range s.requests {
		if r.callHash != sc.edge().callHash([]byte("far")) {
			continue
		}
		a := s.arrivalOf(1, r, &m)
		if n := testing.AllocsPerRun(500, func() { s.tapPlaced(a, r) }); n != 0 || r.tap.leg != tap.Far {
			t.Errorf("a far INVITE: %v allocations, %s", n, r.tap.leg)
		}
	}
	if full, large := ring.Dropped(); full+large != 0 {
		t.Errorf("%d, %d dropped: a full ring was measured", full, large)
	}
	_ = l
}

func TestBindingsForTheMirror(t *testing.T) {
	sc, _, _ := tapped(t, mirroredTenant("acme"), tenant("birch", policy.StageLegacy))
	path := sc.register("anna", sc.legacy[0])
	list := sc.edge().Bindings("acme")
	if len(list) != 1 || len(sc.edge().Bindings("birch")) != 0 {
		t.Fatalf("%+v", list)
	}
	b := list[0]
	if b.AoR != "sip:anna@acme.example" || b.To != "sip:anna@acme.example" || b.User != "me" || !b.Here || b.Instance != "" || b.Expires <= sc.n.now/1e9 || !strings.Contains(path, b.ID) {
		t.Errorf("%+v, path %s", b, path)
	}
	if sc.edge().Policy().Rev() != 7 {
		t.Error("another policy")
	}
	sc.pass(time.Hour)
	if list := sc.edge().Bindings("acme"); len(list) != 0 {
		t.Errorf("an hour later: %+v", list)
	}
}
