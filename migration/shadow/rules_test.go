package shadow

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hotcut/hotcut/migration/shadow/record"
	"github.com/hotcut/hotcut/policy"
	"github.com/hotcut/hotcut/proxy/tap"
	"github.com/hotcut/hotcut/proxy/wire"
)

const ms = time.Millisecond

// one plays a call to its end and returns its exchange.
func (w *world) one(t *testing.T) judged {
	t.Helper()
	w.run(2 * time.Minute)
	if len(w.judged) != 1 {
		t.Fatalf("%d exchanges were judged", len(w.judged))
	}
	w.rest()
	return w.judged[0]
}

func near(x judged) string { return ladder(x.shadow.Near.Messages) }

func TestCancelWaitsForAProvisionalResponse(t *testing.T) {
	w := newWorld(t)
	w.core.plan = func(*wire.Message) plan { return plan{trying: 300 * ms} }
	k := w.talk("a", "1001", "1002")
	k.invite()
	w.run(50 * ms)
	k.cancel()
	k.fail(487)
	w.run(100 * ms)
	if n := w.core.requests["CANCEL"]; n != 0 {
		t.Fatalf("%d CANCELs before the 1xx", n)
	}
	if got, want := near(w.one(t)), "INVITE <100 CANCEL <487"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

func TestALiveFailureGivesTheShadowFourSeconds(t *testing.T) {
	for _, c := range []struct {
		final time.Duration
		want  string
	}{{3 * time.Second, "INVITE <100 <180 <486"}, {10 * time.Second, "INVITE <100 <180 CANCEL <487"}} {
		w := newWorld(t)
		w.core.plan = func(*wire.Message) plan { return plan{trying: ms, ring: 10 * ms, final: c.final, code: 486} }
		k := w.talk("a", "1001", "1002")
		k.invite()
		w.run(100 * ms)
		k.fail(486)
		if got := near(w.one(t)); got != c.want {
			t.Errorf("%s, want %s", got, c.want)
		}
	}
}

func TestACrossing200IsAcknowledgedAndHungUp(t *testing.T) {
	w := newWorld(t)
	w.core.plan = func(*wire.Message) plan { return plan{trying: ms, ring: 10 * ms, crossing: true} }
	k := w.talk("a", "1001", "1002")
	k.invite()
	w.run(100 * ms)
	k.cancel()
	k.fail(487)
	if got, want := near(w.one(t)), "INVITE <100 <180 CANCEL <200 ACK BYE"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

func TestOtherBranchesAreHungUp(t *testing.T) {
	w := newWorld(t)
	w.core.plan = func(*wire.Message) plan { return plan{trying: ms, final: 50 * ms, code: 200, forks: 2} }
	k := w.talk("a", "1001", "1002")
	k.invite()
	w.run(100 * ms)
	k.answer()
	k.ack()
	w.run(time.Second)
	if len(w.core.dialogs) != 1 {
		t.Errorf("the dark core has dialogs %v, the first branch's was expected", w.core.dialogs)
	}
	k.bye(false)
	if got := near(w.one(t)); strings.Count(got, " BYE") != 3 || strings.Count(got, " ACK") != 3 {
		t.Error(got)
	}
}

func TestALiveChallengePairsWithItsRetry(t *testing.T) {
	w := newWorld(t)
	w.core.plan = func(*wire.Message) plan { return plan{trying: ms, final: 200 * ms, code: 200} }
	k := w.talk("a", "1001", "1002")
	k.invite()
	w.run(20 * ms)
	k.fail(407)
	w.run(20 * ms)
	k.seq++
	k.invite("Proxy-Authorization: Digest x\r\n")
	w.run(200 * ms)
	k.answer()
	k.ack()
	w.run(time.Second)
	k.bye(false)
	x := w.one(t)
	if n := w.core.requests["INVITE"]; n != 1 {
		t.Errorf("%d INVITEs to the dark core", n)
	}
	if !slices.Contains(x.live.Notes, record.NoteStripped) || slices.Contains(x.live.Notes, record.NoteChallenged) {
		t.Errorf("notes %q", x.live.Notes)
	}
	if got, want := ladder(x.live.Near.Messages), "INVITE <407 INVITE <200 ACK BYE"; got != want {
		t.Errorf("live %s, want %s", got, want)
	}
}

func TestChallengesAsExpected(t *testing.T) {
	w := newWorld(t)
	w.core.plan = func(*wire.Message) plan { return plan{final: 10 * ms, code: 407} }
	k := w.talk("a", "1001", "1002")
	k.invite()
	w.run(5 * ms)
	k.fail(407)
	w.run(20 * ms)
	k.seq++
	k.invite("Proxy-Authorization: Digest x\r\n")
	w.run(10 * ms)
	k.answer()
	k.ack()
	w.run(30 * time.Second)
	k.bye(false)
	if x := w.one(t); !slices.Contains(x.live.Notes, record.NoteChallenged) || !slices.Contains(x.shadow.Notes, record.NoteChallenged) {
		t.Errorf("notes %q", x.live.Notes)
	}
}

func TestAnOfferlessInviteWaitsForTheLiveAnswer(t *testing.T) {
	for _, c := range []struct {
		ack  time.Duration
		made bool
	}{{2 * time.Second, false}, {6 * time.Second, true}} {
		w := newWorld(t)
		w.core.plan = func(*wire.Message) plan { return plan{trying: ms, final: 50 * ms, code: 200} }
		k := w.talk("a", "1001", "1002")
		k.sdp = ""
		k.invite()
		w.run(60 * ms)
		k.sdp = liveSDP
		k.answer()
		w.run(c.ack)
		k.request("ACK", false, true, "", strings.Replace(liveSDP, "8 0 101", "8 101", 1))
		w.run(time.Second)
		k.bye(false)
		x := w.one(t)
		if got := slices.Contains(x.shadow.Notes, record.NoteMadeAnswer); got != c.made {
			t.Errorf("ACK after %s: made %v", c.ack, got)
		}
		var m wire.Message
		for _, msg := range x.shadow.Near.Messages {
			if m.Scan(msg.Raw, nil); m.Is("ACK") && !strings.Contains(string(msg.Raw), "m=audio 30000 RTP/AVP 8 101\r\n") {
				t.Errorf("the ACK's answer:\n%s", msg.Raw)
			}
		}
	}
}

func TestReliableResponsesAreAcknowledged(t *testing.T) {
	w := newWorld(t)
	w.core.plan = func(*wire.Message) plan {
		return plan{trying: ms, ring: 10 * ms, final: 100 * ms, code: 200, reliable: true}
	}
	k := w.talk("a", "1001", "1002")
	k.invite()
	w.run(200 * ms)
	k.answer()
	k.ack()
	w.run(time.Second)
	k.bye(false)
	if got, want := near(w.one(t)), "INVITE <100 <180 PRACK <200(PRACK) <200 ACK BYE"; !strings.HasPrefix(got, want) {
		t.Errorf("%s, want %s", got, want)
	}
}

func TestTheCallerIsTranslatedWithinTheDialog(t *testing.T) {
	w := newWorld(t)
	w.core.plan = func(*wire.Message) plan { return plan{trying: ms, final: 500 * ms, code: 200} }
	k := w.talk("a", "1001", "1002")
	k.invite()
	w.run(50 * ms)
	k.answer()
	k.ack()
	k.seq++ // before the shadow has its answer
	k.request("INVITE", false, true, "", strings.Replace(liveSDP, "sendrecv", "sendonly", 1))
	w.run(2 * time.Second)
	k.seq++
	k.request("INFO", false, true, "Content-Type: application/dtmf-relay\r\n", "Signal=5\r\n")
	w.run(time.Second)
	k.bye(false)
	x := w.one(t)
	if got, want := near(x), "INVITE <100 <200 ACK INVITE <200 ACK INFO <200(INFO) BYE"; !strings.HasPrefix(got, want) {
		t.Errorf("%s, want %s", got, want)
	}
	hold := false
	for _, m := range x.shadow.Near.Messages {
		hold = hold || strings.Contains(string(m.Raw), "a=sendonly\r\n")
	}
	if !hold {
		t.Error("the hold did not get to the dark core")
	}
}

func TestABYEOutOfNowhereIsUnexpected(t *testing.T) {
	w := newWorld(t)
	w.core.plan = func(*wire.Message) plan { return plan{trying: ms, final: 50 * ms, code: 200, hangup: 3 * time.Second} }
	k := w.talk("a", "1001", "1002")
	k.invite()
	w.run(60 * ms)
	k.answer()
	k.ack()
	w.run(20 * time.Second)
	k.bye(false)
	if got := near(w.one(t)); !strings.Contains(got, "<BYE!") {
		t.Error(got)
	}
}

func TestThePlatformsBYEIsExpected(t *testing.T) {
	w := newWorld(t)
	w.core.plan = func(*wire.Message) plan { return plan{trying: ms, final: 50 * ms, code: 200, hangup: 3 * time.Second} }
	k := w.talk("a", "1001", "1002")
	k.invite()
	w.run(60 * ms)
	k.answer()
	k.ack()
	w.run(3 * time.Second)
	k.bye(true)
	if got := near(w.one(t)); strings.Contains(got, "!") {
		t.Error(got)
	}
}

func TestTheKillSwitchEndsWhatLives(t *testing.T) {
	w := newWorld(t)
	w.core.plan = func(*wire.Message) plan { return plan{trying: ms, far: []string{w.sinkURI("1002")}} }
	k := w.talk("a", "1001", "1002")
	k.invite()
	f := k.farLeg("1002")
	f.invite()
	w.run(50 * ms)
	f.answer()
	k.answer()
	k.ack()
	w.run(time.Second)
	if len(w.core.dialogs) == 0 {
		t.Fatal("nothing lives")
	}
	w.snap = snapshotOf(t, policy.StageLegacy, 0)
	w.run(time.Second)
	if len(w.core.dialogs) != 0 || len(w.m.dialogs) != 0 || len(w.m.tenants) != 0 {
		t.Errorf("a second later: %d dialogs at the dark core, %d of ours, %d tenants", len(w.core.dialogs), len(w.m.dialogs), len(w.m.tenants))
	}
	sent := len(w.sent)
	w.talk("b", "1001", "1002").invite()
	w.run(time.Second)
	if len(w.sent) != sent || w.m.drops[DropOff] == 0 || len(w.judged) != 0 {
		t.Errorf("%d messages after the end, %d judged", len(w.sent)-sent, len(w.judged))
	}
	w.rest()
}

func TestWhatIsNeverMirrored(t *testing.T) {
	w := newWorld(t)
	w.run(time.Second)
	sent := len(w.sent)
	w.talk("m", "1001", "1002").request("MESSAGE", false, false, "Content-Type: text/plain\r\n", "hello")
	w.talk("p", "1001", "1002").request("PUBLISH", false, false, "", "")
	k := w.talk("e", "1001", "911")
	k.tapped = func(ev tap.Event, raw string) {
		ev.Emergency = true
		w.m.tapped(w.now, &ev, []byte(raw))
	}
	k.invite()
	w.run(time.Second)
	if len(w.sent) != sent || w.m.drops[DropMethod] != 2 || w.m.drops[DropEmergency] != 1 {
		t.Errorf("%d messages, drops %v", len(w.sent)-sent, w.m.drops)
	}
}

func TestShortExchanges(t *testing.T) {
	for _, method := range []string{"OPTIONS", "REGISTER"} {
		w := newWorld(t)
		k := w.talk("a", "1001", "1001")
		k.request(method, false, false, "Expires: 60\r\n", "")
		w.run(50 * ms)
		k.response(401, method, "", "")
		k.seq++
		k.from += "x" // some phones change their tag
		k.request(method, false, false, "Expires: 60\r\nAuthorization: Digest x\r\n", "")
		k.response(200, method, "", "")
		x := w.one(t)
		if got, want := ladder(x.live.Near.Messages), method+" <401("+method+") "+method+" <200("+method+")"; got != want {
			t.Errorf("live %s, want %s", got, want)
		}
		if got, want := near(x), method+" <200("+method+")"; got != want {
			t.Errorf("%s, want %s", got, want)
		}
		var m wire.Message
		m.Scan(x.shadow.Near.Messages[0].Raw, nil)
		if method == "REGISTER" && m.CSeq != 10 {
			t.Errorf("CSeq %d, the phone's is 10", m.CSeq)
		}
	}
}

func TestASubscriptionIsComparedForAMinute(t *testing.T) {
	w := newWorld(t)
	k := w.talk("a", "1001", "1002")
	k.request("SUBSCRIBE", false, false, "Event: dialog\r\nExpires: 3600\r\n", "")
	w.run(50 * ms)
	k.response(200, "SUBSCRIBE", "Expires: 3600\r\n", "")
	k.seq = 1
	k.request("NOTIFY", true, true, "Event: dialog\r\nSubscription-State: active\r\n", "")
	x := w.one(t)
	if got, want := near(x), "SUBSCRIBE <200(SUBSCRIBE) SUBSCRIBE"; !strings.HasPrefix(got, want) {
		t.Errorf("%s, want %s", got, want)
	}
	if got, want := ladder(x.live.Near.Messages), "SUBSCRIBE <200(SUBSCRIBE) <NOTIFY"; got != want {
		t.Errorf("live %s, want %s", got, want)
	}
}

func TestASessionTimerIsKept(t *testing.T) {
	w := newWorld(t)
	w.core.plan = func(*wire.Message) plan {
		return plan{trying: ms, final: 50 * ms, code: 200, extra: "Session-Expires: 90;refresher=uac\r\nRequire: timer\r\n"}
	}
	k := w.talk("a", "1001", "1002")
	k.invite()
	w.run(60 * ms)
	k.answer()
	k.ack()
	w.run(100 * time.Second)
	if n := w.core.requests["UPDATE"]; n != 2 {
		t.Errorf("%d refreshes in 100 s of a session of 90 s, 2 were expected", n)
	}
	k.bye(false)
	w.one(t)
}

func TestASessionThatTheDarkCoreLetsLapseIsHungUp(t *testing.T) {
	w := newWorld(t)
	w.core.plan = func(*wire.Message) plan {
		return plan{trying: ms, final: 50 * ms, code: 200, extra: "Session-Expires: 90;refresher=uas\r\nRequire: timer\r\n"}
	}
	k := w.talk("a", "1001", "1002")
	k.invite()
	w.run(60 * ms)
	k.answer()
	k.ack()
	w.run(70 * time.Second)
	if n := w.core.requests["BYE"]; n != 1 {
		t.Errorf("%d BYEs", n)
	}
	k.bye(false)
	w.one(t)
}

func TestACallOfWhichTheEndIsNotSeen(t *testing.T) {
	w := newWorld(t, func(o *Options) { o.Longest = 10 * time.Minute })
	w.core.plan = func(*wire.Message) plan { return plan{trying: ms, final: 50 * ms, code: 200} }
	k := w.talk("a", "1001", "1002")
	k.invite()
	w.run(60 * ms)
	k.answer()
	k.ack()
	w.run(9 * time.Minute)
	if len(w.core.dialogs) != 1 {
		t.Fatal("the shadow did not last as long as its live call")
	}
	w.run(2 * time.Minute)
	if x := w.one(t); !slices.Contains(x.live.Notes, "compared for 10m0s") {
		t.Errorf("notes %q", x.live.Notes)
	}
}

func TestAChallengeIsAnsweredWhereTheEdgeKnowsHow(t *testing.T) {
	const line = "Proxy-Authorization: Digest ours\r\n"
	w := newWorld(t, func(o *Options) {
		o.Answer = func(_ *wire.Message, method, uri, aor string) string {
			if method == "INVITE" && uri != "sip:1002@acme.example" || aor != "sip:1001@acme.example" {
				t.Errorf("%s %s for %s", method, uri, aor)
			}
			return line
		}
	})
	w.core.register = func(r *wire.Message) (int, string) {
		if r.Find(wire.HProxyAuthorization) < 0 {
			return 407, ""
		}
		return 200, "Contact: " + value(r, wire.HContact) + "\r\n"
	}
	w.phones = []tap.Binding{{ID: "b1", AoR: "sip:1001@acme.example", User: "1001", Here: true}}
	w.run(lookEvery + time.Second)
	if n := w.m.snapshotStats().Bindings; n != 1 {
		t.Errorf("%d bindings are held", n)
	}
	w.core.plan = func(r *wire.Message) plan {
		if r.Find(wire.HProxyAuthorization) < 0 {
			return plan{final: ms, code: 407}
		}
		return plan{trying: ms, final: 20 * ms, code: 200}
	}
	k := w.talk("a", "1001", "1002")
	k.invite()
	w.run(100 * ms)
	k.answer()
	k.ack()
	w.run(time.Second)
	k.bye(false)
	w.phones = nil
	if got, want := near(w.one(t)), "INVITE <407 INVITE <100 <200 ACK BYE"; !strings.HasPrefix(got, want) {
		t.Errorf("%s, want %s", got, want)
	}
}
