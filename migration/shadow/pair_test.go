package shadow

import (
	"strings"
	"testing"
	"time"

	"github.com/hotcut/hotcut/migration/shadow/compare"
	"github.com/hotcut/hotcut/migration/shadow/record"
	"github.com/hotcut/hotcut/proxy/tap"
	"github.com/hotcut/hotcut/proxy/wire"
)

// far is what became of the far legs: by their Request-URI's user, "!" unexpected, and the code of the final response.
func farLegs(x judged) string {
	var out []string
	var m wire.Message
	for _, l := range x.shadow.Far {
		s := ""
		for i, msg := range l.Messages {
			if m.Scan(msg.Raw, nil) != wire.FaultNone {
				continue
			}
			if i == 0 {
				s = userOf(m.RequestURI.Of(m.Raw))
			}
			if !m.Request && m.Status >= 200 && m.CSeqIs("INVITE") && !strings.Contains(s, " ") {
				s += " " + itoa(m.Status)
			}
		}
		if l.Unexpected {
			s += "!"
		}
		out = append(out, s)
	}
	return strings.Join(out, ", ")
}

func TestFarLegsFindEachOther(t *testing.T) {
	for name, c := range map[string]struct {
		far   []string // users that the dark core calls
		live  func(k *talk)
		want  string
		apart bool // unpaired
	}{
		"the same place": {far: []string{"1002"}, want: "1002 200", live: func(k *talk) {
			f := k.farLeg("1002")
			f.invite()
			k.w.at(time.Second, func() { f.answer(); k.answer(); k.ack() })
		}},
		"the same Call-ID and tag": {far: []string{"1002"}, want: "1002 200", live: func(k *talk) {
			f := k.farLeg("9999")
			f.callID, f.from, f.caller = k.callID, k.from, "0000"
			f.invite()
			k.w.at(6*time.Second, func() { f.answer(); k.answer(); k.ack() })
		}},
		"a digit is missing": {far: []string{"+1303555010"}, want: "+1303555010 200", live: func(k *talk) {
			f := k.farLeg("+13035550100")
			f.invite()
			k.w.at(6*time.Second, func() { f.answer(); k.answer(); k.ack() })
		}},
		"another order": {far: []string{"1004", "1003"}, want: "1004 486, 1003 200", live: func(k *talk) {
			f, g := k.farLeg("1003"), k.farLeg("1004")
			f.invite()
			g.invite()
			k.w.at(time.Second, func() { g.fail(486); f.answer(); k.answer(); k.ack() })
		}},
		"one that legacy does not call": {far: []string{"1002", "1005"}, want: "1002 200, 1005 480!", live: func(k *talk) {
			f := k.farLeg("1002")
			f.invite()
			k.w.at(5*time.Second, func() { f.answer(); k.answer(); k.ack() })
		}},
		"busy": {far: []string{"1002"}, want: "1002 486", live: func(k *talk) {
			f := k.farLeg("1002")
			f.invite()
			k.w.at(time.Second, func() { f.fail(486); k.fail(486) })
		}},
		"the dark core is slower than the whole live call": {far: []string{"1002"}, want: "1002 486", live: func(k *talk) {
			f := k.farLeg("1002")
			f.invite()
			f.fail(486)
			k.fail(486)
		}},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.core.plan = func(*wire.Message) plan {
				p := plan{trying: ms}
				for _, u := range c.far {
					p.far = append(p.far, w.sinkURI(u))
				}
				return p
			}
			k := w.talk("a", "1001", "1002")
			k.invite()
			c.live(k)
			w.run(20 * time.Second)
			k.bye(false)
			x := w.one(t)
			if got := farLegs(x); got != c.want {
				t.Errorf("far legs %s, want %s", got, c.want)
			}
			if x.live.Unpaired != "" {
				t.Errorf("unpaired: %s", x.live.Unpaired)
			}
		})
	}
}

// The twin does at its own t what the callee did at the live leg's, and what it waited is held against nobody.
func TestTheTwinKeepsTheCalleesTime(t *testing.T) {
	w := newWorld(t)
	w.core.plan = func(*wire.Message) plan { return plan{trying: ms, far: []string{w.sinkURI("1002")}} }
	k := w.talk("a", "1001", "1002")
	k.invite()
	w.run(2 * time.Second) // legacy is slow
	f := k.farLeg("1002")
	f.invite()
	w.run(900 * ms)
	f.ring()
	w.run(5300 * ms)
	f.answer()
	k.answer()
	k.ack()
	w.run(10 * time.Second)
	f.bye(true)
	k.bye(true)
	x := w.one(t)
	leg := x.shadow.Far[0]
	if leg.Held < 1900*ms || leg.Held > 2*time.Second {
		t.Errorf("held %s, the live leg came 2 s later", leg.Held)
	}
	if got, want := ladder(leg.Messages), "INVITE <100 <180 <200 ACK <BYE"; !strings.HasPrefix(got, want) {
		t.Fatalf("%s, want %s", got, want)
	}
	began := leg.Messages[0].At
	for i, want := range map[int]time.Duration{2: 2900 * ms, 3: 6200 * ms} { // at its own t, or as soon as it is known
		if got := time.Duration(leg.Messages[i].At - began); got < want-20*ms || got > want+2*time.Second {
			t.Errorf("message %d after %s, want about %s", i, got, want)
		}
	}
}

// Two calls of one caller that go to places which neither names: nobody can say which leg is whose.
func TestAnAmbiguousPairIsMissing(t *testing.T) {
	w := newWorld(t)
	w.core.plan = func(*wire.Message) plan { return plan{trying: ms, ring: 10 * ms, final: 30 * time.Second, code: 486} }
	a, b := w.talk("a", "1001", "2001"), w.talk("b", "1001", "2002")
	a.invite()
	b.invite()
	f := a.farLeg("7777")
	f.invite()
	w.run(time.Second)
	for _, k := range []*talk{a, b} {
		k.fail(486)
	}
	f.fail(486)
	w.run(2 * time.Minute)
	if len(w.judged) != 2 {
		t.Fatalf("%d exchanges", len(w.judged))
	}
	for _, x := range w.judged {
		if x.live.Unpaired != ambiguous || x.shadow.Unpaired != ambiguous {
			t.Errorf("%s: unpaired %q", x.live.CallID, x.live.Unpaired)
		}
	}
	w.rest()
}

func TestACorrelationHeaderIsBelievedWhileItIsAlwaysThere(t *testing.T) {
	w := newWorld(t, func(o *Options) { o.Correlation = "X-Near" })
	a, b := w.talk("a", "1001", "2001"), w.talk("b", "1001", "2001")
	a.invite()
	b.invite()
	with := func(id, header string) *liveLeg {
		f := a.farLeg("7777")
		f.callID = id
		f.invite(header)
		return w.m.lives[f.callID+"\x00"+f.from]
	}
	if l := with("1", "X-Near: "+b.callID+"\r\n"); l.c == nil || l.c.callID != b.callID {
		t.Error("the header was not believed")
	}
	if l := with("2", ""); l.c != nil {
		t.Error("a leg without it found a call")
	}
	if l := with("3", "X-Near: "+b.callID+"\r\n"); l.c != nil {
		t.Error("the header was believed although a leg had none")
	}
}

// foreignLeg is a leg that the dark core sends to a phone for a call of another edge.
func (w *world) foreignLeg(from, token string) *coreLeg {
	near := &coreLeg{c: w.core, final: 1, invite: []byte("INVITE sip:1002@acme.example SIP/2.0\r\nVia: SIP/2.0/UDP 1.2.3.4;branch=z9hG4bKq\r\nFrom: " + from + ";tag=q\r\n" +
		"To: <sip:1002@acme.example>\r\nCall-ID: q\r\nCSeq: 1 INVITE\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n")}
	return w.core.call(near, w.sinkURI(token))
}

// A far leg whose call another edge has still has its twin: by who calls whom and when.
func TestALegWithoutACallHasATwin(t *testing.T) {
	w := newWorld(t)
	w.phones = []tap.Binding{{ID: "b1", AoR: "sip:1002@acme.example", User: "line2", Here: true}}
	w.run(lookEvery + time.Second)
	var token string
	for token = range w.m.tokens {
	}
	k := w.talk("a", "1001", "1002")
	f := k.farLeg("line2")
	f.invite()
	l := w.foreignLeg("<sip:1001@acme.example>", token)
	w.run(time.Second)
	f.fail(486)
	w.run(time.Second)
	if l.final != 486 {
		t.Errorf("the dark core's leg ended with %d", l.final)
	}
	if w.m.stats.Unpaired != 0 {
		t.Errorf("%d unpaired", w.m.stats.Unpaired)
	}
	w.phones = nil
	w.rest()
}

// The dark core may lose who calls on such a leg: it has its twin all the same, and both legs are compared by themselves.
func TestALegWithoutACallIsCompared(t *testing.T) {
	w := newWorld(t)
	w.phones = []tap.Binding{{ID: "b1", AoR: "sip:1002@acme.example", User: "line2", Here: true}}
	w.run(lookEvery + time.Second)
	var token string
	for token = range w.m.tokens {
	}
	var live, shadow *record.Exchange
	w.m.o.Verdict = func(_ *compare.Verdict, a, b *record.Exchange) { live, shadow = a, b }
	k := w.talk("a", "1001", "1002")
	f := k.farLeg("line2")
	f.invite()
	l := w.foreignLeg("<sip:9999@acme.example>", token)
	w.run(time.Second)
	f.fail(486)
	w.run(nearby + time.Second)
	if l.final != 486 || w.m.stats.Unpaired != 0 || w.m.stats.Legs != 1 {
		t.Errorf("the dark core's leg ended with %d; %+v", l.final, w.m.stats)
	}
	if live == nil || !live.LegOnly || len(live.Far) != 1 || len(shadow.Far) != 1 || len(live.Far[0].Messages) == 0 || len(shadow.Far[0].Messages) == 0 {
		t.Fatalf("%+v, %+v", live, shadow)
	}
	w.phones = nil
	w.rest()
}

// A dark core that is through with a call before legacy has hung up at the callee's is waited for: the end of its far leg is explained by
// the one that is still to come.
func TestLegacyMayBeTheLastToHangUp(t *testing.T) {
	w := newWorld(t)
	w.core.plan = func(*wire.Message) plan { return plan{trying: ms, far: []string{w.sinkURI("1002")}} }
	k := w.talk("a", "1001", "1002")
	k.invite()
	f := k.farLeg("1002")
	f.invite()
	w.run(100 * ms)
	f.answer()
	k.answer()
	f.ack()
	k.ack()
	w.run(5 * time.Second)
	k.bye(false)
	w.run(time.Second)
	if len(w.core.dialogs) != 0 || len(w.judged) != 0 {
		t.Fatalf("a second after the BYE: %d dialogs at the dark core, %d calls judged; legacy has not hung up at its callee's yet", len(w.core.dialogs), len(w.judged))
	}
	f.bye(false)
	w.run(ms)
	x := w.one(t)
	if got := ladder(x.live.Far[0].Messages); !strings.HasSuffix(got, " BYE") {
		t.Errorf("live far leg %s, want its BYE at the end", got)
	}
}

// A dark core that rings a group in another order is seconds early at one phone: its leg has that callee when legacy comes to it, so that the
// call, which another edge compares, goes on. The legs are not compared.
func TestALegThatIsSecondsEarlyHasACallee(t *testing.T) {
	w := newWorld(t)
	w.phones = []tap.Binding{{ID: "b1", AoR: "sip:1002@acme.example", User: "line2", Here: true}}
	w.run(lookEvery + time.Second)
	var token string
	for token = range w.m.tokens {
	}
	l := w.foreignLeg("<sip:1001@acme.example>", token)
	w.run(2 * time.Second)
	f := w.talk("a", "1001", "1002").farLeg("line2")
	f.invite()
	w.run(500 * ms)
	f.fail(486)
	w.run(3 * time.Second)
	if l.final != 486 {
		t.Errorf("the dark core's leg ended with %d", l.final)
	}
	if w.m.stats.Ambiguous != 1 || w.m.stats.Legs != 1 {
		t.Errorf("%+v, want the legs among those that are missing", w.m.stats)
	}
	w.phones = nil
	w.rest()
}

// What the callee did while the dark core had not yet called comes in order, and not in one instant: a platform that looks at two messages
// side by side would take the answer first.
func TestWhatComesLateComesInOrder(t *testing.T) {
	w := newWorld(t)
	w.core.plan = func(*wire.Message) plan { return plan{} }
	k := w.talk("a", "1001", "1002")
	k.invite()
	f := k.farLeg("1002")
	f.invite()
	w.run(100 * ms)
	f.ring()
	w.run(30 * ms)
	f.answer()
	k.answer()
	k.ack()
	if len(w.core.legs) != 1 {
		t.Fatalf("%d calls at the dark core", len(w.core.legs))
	}
	for _, near := range w.core.legs {
		near.fars = append(near.fars, w.core.call(near, w.sinkURI("1002")))
		break
	}
	w.run(5 * time.Second)
	f.bye(true)
	k.bye(true)
	leg := w.one(t).shadow.Far[0]
	at := map[int]int64{}
	var r wire.Message
	for _, x := range leg.Messages {
		if r.Scan(x.Raw, nil) == wire.FaultNone && !r.Request && r.CSeqIs("INVITE") {
			at[r.Status] = x.At
		}
	}
	if gap := time.Duration(at[200] - at[180]); at[180] == 0 || gap < 30*ms || gap > 80*ms {
		t.Errorf("the answer came %s after the ringing, want 30 ms as from the callee: %s", gap, ladder(leg.Messages))
	}
}
