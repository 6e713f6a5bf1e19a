package shadow

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/hotcut/hotcut/migration/shadow/compare"
	"github.com/hotcut/hotcut/migration/shadow/record"
	"github.com/hotcut/hotcut/proxy/tap"
	"github.com/hotcut/hotcut/proxy/wire"
)

// Two people who redial, now at once and now after a while, at two edges: the phone's edge knows no call, and tells the legs apart by when they
// began. Some legs are missing on either side, and the dark core is now faster, now slower. No leg is ever compared with that of another
// call, each that stands alone is compared, and each callee of a live leg answers the dark core's as well.
func TestLegsOfRedialsAreNotMixed(t *testing.T) {
	compared, alone := 0, 0
	for seed := range uint64(200) {
		c, a := redials(t, seed)
		compared, alone = compared+c, alone+a
	}
	if t.Logf("%d pairs were compared, %d stood alone", compared, alone); alone < 300 {
		t.Errorf("only %d pairs stood alone: the test has not looked at enough", alone)
	}
}

func redials(t *testing.T, seed uint64) (compared, alone int) {
	w := newWorld(t)
	w.phones = []tap.Binding{{ID: "b1", AoR: "sip:1002@acme.example", User: "line2", Here: true}}
	w.run(lookEvery + time.Second)
	var token string
	for token = range w.m.tokens {
	}
	done := map[string]bool{}
	w.m.o.Verdict = func(_ *compare.Verdict, live, shadow *record.Exchange) {
		if live.Unpaired != "" {
			return
		}
		compared++
		a, b := numbered(live.Far[0].Messages[0].Raw), numbered(shadow.Far[0].Messages[0].Raw)
		done[a] = true
		if a != b {
			t.Errorf("seed %d: the live leg of call %s was compared with the dark core's of call %s", seed, a, b)
		}
	}
	r := rand.New(rand.NewPCG(seed, 7))
	slow := time.Duration(r.IntN(400)-100) * ms // of the dark core, on the whole
	at := time.Second
	type outcome struct {
		began, lasts time.Duration
		want         int
		dark         *coreLeg
	}
	calls := make([]outcome, 12)
	for i := range calls {
		o := &calls[i]
		lives, copied, busy := r.IntN(12) != 0, r.IntN(12) != 0, r.IntN(5) == 0
		lasts := time.Duration(300+r.IntN(900)) * ms
		rings := time.Duration(1+r.IntN(60)) * ms
		if busy {
			lasts = rings
		}
		o.began, o.lasts = at, lasts
		o.want = map[bool]int{true: 486, false: 200}[busy]
		k := w.talk(fmt.Sprintf("n%d", i), "1001", "1002")
		f := k.farLeg("line2")
		if lives {
			w.at(at, func() { f.invite(fmt.Sprintf("X-Call: n%d\r\n", i)) })
			w.at(at+rings, func() {
				if busy {
					f.fail(486)
					return
				}
				f.answer()
				f.ack()
			})
			if !busy {
				w.at(at+lasts, func() { f.bye(false) })
			}
		}
		if copied {
			w.at(max(at+slow+time.Duration(r.IntN(60))*ms, 0), func() {
				l := w.foreignLeg(fmt.Sprintf("\"n%d\" <sip:1001@acme.example>", i), token)
				if lives {
					o.dark = l
				}
			})
			w.at(at+max(slow, 0)+lasts+time.Duration(200+r.IntN(60))*ms, func() {
				if o.dark != nil {
					o.dark.end()
				}
			})
		}
		at += lasts + time.Duration(2+r.IntN(30))*ms
		if r.IntN(3) != 0 {
			at += time.Duration(r.IntN(4000)) * ms
		}
	}
	w.run(at + 20*time.Second)
	for i, o := range calls {
		if o.dark != nil && o.dark.final == 480 {
			t.Errorf("seed %d: the dark core's leg of call %d was refused, and the live callee said %d", seed, i, o.want)
		}
		far := func(k int) bool {
			const apart = 1500 * ms // a second, and as much as the dark core is slow
			return k < 0 || k >= len(calls) || max(calls[k].began-o.began, o.began-calls[k].began) > apart
		}
		if o.dark == nil || !far(i-1) || !far(i+1) {
			continue
		}
		if alone++; !done[fmt.Sprintf("n%d", i)] && (o.lasts > 600*ms || slow < 0) { // a live leg that had ended before is only lent
			t.Errorf("seed %d: call %d stands alone, and its legs were not compared", seed, i)
		}
	}
	w.phones = nil
	w.rest()
	return compared, alone
}

// numbered is which call a leg belongs to: the live one says so in X-Call, the dark core's in its caller's display name.
func numbered(raw []byte) string {
	var r wire.Message
	if r.Scan(raw, nil) != wire.FaultNone {
		return "?"
	}
	if v, ok := named(&r, "X-Call"); ok {
		return v
	}
	return strings.Trim(string(r.From.Name.Of(r.Raw)), "\" ")
}
