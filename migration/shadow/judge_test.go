package shadow

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hotcut/hotcut/migration/shadow/compare"
	"github.com/hotcut/hotcut/migration/shadow/record"
	"github.com/hotcut/hotcut/proxy/tap"
	"github.com/hotcut/hotcut/proxy/wire"
)

// A dark core that does what legacy did is found to do so, by the real rules; one that does not is not.
func TestTheVerdictOfARightAndAWrongDarkCore(t *testing.T) {
	for name, c := range map[string]struct {
		plan  func(w *world) plan
		wrong bool
	}{
		"right": {plan: func(w *world) plan {
			for token := range w.m.tokens {
				return plan{trying: ms, far: []string{w.sinkURI(token)}}
			}
			return plan{}
		}},
		"busy":   {wrong: true, plan: func(*world) plan { return plan{trying: ms, final: 50 * ms, code: 486} }},
		"astray": {wrong: true, plan: func(w *world) plan { return plan{trying: ms, far: []string{w.sinkURI("+13035550177")}} }},
	} {
		t.Run(name, func(t *testing.T) {
			var verdicts []*compare.Verdict
			var told []record.Message
			yields := 0
			w := newWorld(t, func(o *Options) {
				o.Judge = nil
				o.Yield = func() { yields++ }
				o.Verdict = func(v *compare.Verdict, live, shadow *record.Exchange) {
					verdicts = append(verdicts, v)
					told = slices.Concat(live.Near.Messages, shadow.Near.Messages)
				}
			})
			w.phones = []tap.Binding{{ID: "b1", AoR: "sip:1002@acme.example", User: "1002", Here: true}}
			w.run(lookEvery + time.Second)
			w.core.plan = func(*wire.Message) plan { return c.plan(w) }
			k := w.talk("a", "1001", "1002")
			k.sdp = "v=0\r\no=- 1 1 IN IP4 203.0.113.77\r\ns=-\r\nc=IN IP4 203.0.113.77\r\nt=0 0\r\nm=audio 41234 RTP/AVP 8 101\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:101 telephone-event/8000\r\na=sendrecv\r\n"
			k.invite()
			w.run(20 * ms)
			f := k.farLeg("1002")
			f.sdp = k.sdp
			f.invite()
			w.run(time.Second)
			f.ring()
			k.ring()
			w.run(2 * time.Second)
			f.answer()
			k.answer()
			f.ack()
			k.ack()
			w.run(5 * time.Second)
			f.bye(false)
			k.bye(false)
			w.run(time.Minute)
			if len(verdicts) != 1 {
				t.Fatalf("%d verdicts", len(verdicts))
			}
			if yields < 2*len(told) {
				t.Errorf("%d turns for others in a comparison of %d messages", yields, len(told))
			}
			for _, m := range told {
				if len(m.Raw) == 0 || strings.Contains(string(m.Raw), "acme.example") {
					t.Errorf("this leaves the mirror:\n%s", m.Raw)
				}
			}
			v := verdicts[0]
			if v.Missing != "" {
				t.Fatalf("missing: %s", v.Missing)
			}
			if c.wrong != (v.Worst() == compare.Critical) || !c.wrong && len(v.Differences) != 0 {
				t.Errorf("worst %v, differences %+v", v.Worst(), v.Differences)
			}
		})
	}
}
