package shadow

import (
	"fmt"
	"testing"
	"time"

	"github.com/hotcut/hotcut/migration/shadow/compare"
	"github.com/hotcut/hotcut/migration/shadow/record"
	"github.com/hotcut/hotcut/proxy/tap"
	"github.com/hotcut/hotcut/proxy/wire"
)

// Calls that are over sooner than two platforms are apart, towards a dark core that is right, over a network on which datagrams overtake
// each other: they are compared, and nothing is said of them, neither that nobody heard ringing nor that a call ended otherwise.
func TestBriefCallsDifferInNothing(t *testing.T) {
	for _, rings := range []time.Duration{0, ms, 20 * ms, 70 * ms} { // before the final
		for _, talks := range []time.Duration{0, ms, 20 * ms, 200 * ms} {
			for _, slow := range []time.Duration{ms, 30 * ms, 150 * ms} { // the dark core's way, one direction
				for _, end := range []string{"caller", "callee", "busy", "cancel"} {
					t.Run(fmt.Sprintf("%s rings %s talks %s dark %s", end, rings, talks, slow), func(t *testing.T) {
						if v := briefCall(t, end, rings, talks, slow); v.Missing != "" || v.Worst() > compare.None {
							t.Errorf("missing %q, %+v", v.Missing, v.Differences)
						}
					})
				}
			}
		}
	}
}

func briefCall(t *testing.T, end string, rings, talks, slow time.Duration) *compare.Verdict {
	t.Helper()
	var verdicts []*compare.Verdict
	w := newWorld(t, func(o *Options) {
		o.Judge = nil
		o.Verdict = func(v *compare.Verdict, _, _ *record.Exchange) { verdicts = append(verdicts, v) }
	})
	w.delay = func() time.Duration { return slow + time.Duration(w.rnd.Int64N(int64(20*ms))) }
	w.phones = []tap.Binding{{ID: "b1", AoR: "sip:1002@acme.example", User: "1002", Here: true}}
	w.run(lookEvery + 2*time.Second)
	w.core.plan = func(*wire.Message) plan {
		for token := range w.m.tokens {
			return plan{trying: ms, far: []string{w.sinkURI(token)}}
		}
		return plan{}
	}
	k := w.talk("a", "1001", "1002")
	k.sdp = "v=0\r\no=- 1 1 IN IP4 203.0.113.77\r\ns=-\r\nc=IN IP4 203.0.113.77\r\nt=0 0\r\nm=audio 41234 RTP/AVP 8 101\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:101 telephone-event/8000\r\na=sendrecv\r\n"
	k.invite()
	w.run(ms)
	f := k.farLeg("1002")
	f.sdp = k.sdp
	f.invite()
	w.run(ms)
	f.ring()
	k.ring()
	w.run(rings)
	switch end {
	case "busy":
		f.fail(486)
		f.ack()
		k.fail(486)
		k.ack()
	case "cancel":
		k.cancel()
		f.cancel()
		f.fail(487)
		k.fail(487)
	default:
		f.answer()
		k.answer()
		f.ack()
		k.ack()
		w.run(talks)
		f.bye(end == "callee")
		k.bye(end == "callee")
	}
	w.run(2 * time.Minute)
	if len(verdicts) != 1 {
		t.Fatalf("%d verdicts", len(verdicts))
	}
	if n := len(w.core.dialogs); n > 0 {
		t.Errorf("%d dialogs are left at the dark core", n)
	}
	return verdicts[0]
}
