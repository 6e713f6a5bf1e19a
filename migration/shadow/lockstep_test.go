package shadow

import (
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/hotcut/hotcut/migration/shadow/record"
	"github.com/hotcut/hotcut/proxy/wire"
)

// shadowToken is the Request-URI by which the core reaches a phone: what it would read in its own registrar.
func (w *world) sinkURI(user string) string { return "sip:" + user + "@" + sinkAddr.String() }

func TestACallIsMirroredFromInviteToBye(t *testing.T) {
	w := newWorld(t)
	w.core.plan = func(r *wire.Message) plan {
		return plan{trying: 10 * time.Millisecond, far: []string{w.sinkURI("1002")}}
	}
	k := w.talk("a", "1001", "1002")
	k.invite()
	w.run(20 * time.Millisecond)
	f := k.farLeg("1002")
	f.invite()
	w.run(900 * time.Millisecond)
	f.ring()
	k.ring()
	w.run(2 * time.Second)
	f.answer()
	k.answer()
	f.ack()
	k.ack()
	w.run(5 * time.Second)
	if len(w.core.dialogs) != 2 {
		t.Fatalf("the dark core has dialogs %v, its call's two were expected", w.core.dialogs)
	}
	f.bye(false)
	k.bye(false)
	w.run(time.Second)
	if len(w.judged) != 1 {
		t.Fatalf("%d exchanges were judged", len(w.judged))
	}
	live, shadow := w.judged[0].live, w.judged[0].shadow
	if len(live.Far) != 1 || len(shadow.Far) != 1 || live.Far[0].Unexpected || shadow.Far[0].Unexpected || live.Unpaired != "" {
		t.Fatalf("far legs: live %d, shadow %d, unpaired %q", len(live.Far), len(shadow.Far), live.Unpaired)
	}
	if got, want := ladder(shadow.Near.Messages), "INVITE <100 <180 <200 ACK BYE <200(BYE)"; got != want {
		t.Errorf("shadow near leg: %s\nwant %s", got, want)
	}
	if got, want := ladder(shadow.Far[0].Messages), "INVITE <100 <180 <200 ACK"; !strings.HasPrefix(got, want) {
		t.Errorf("shadow far leg: %s\nwant %s...", got, want)
	}
	w.rest()
}

// ladder writes messages as one line: requests by method, responses by code, "<" upstream.
func ladder(list []record.Message) string {
	var out []string
	var m wire.Message
	for _, x := range list {
		if m.Scan(x.Raw, nil) != wire.FaultNone {
			out = append(out, "?")
			continue
		}
		s := string(m.Method.Of(m.Raw))
		if !m.Request {
			s = itoa(m.Status)
			if !m.CSeqIs("INVITE") {
				s += "(" + string(m.CSeqMethod.Of(m.Raw)) + ")"
			}
		}
		if x.Upstream {
			s = "<" + s
		}
		if x.Unexpected {
			s += "!"
		}
		out = append(out, s)
	}
	return strings.Join(out, " ")
}

// What the live call does, and when, against what the dark core does, and when: each order of CANCEL, 1xx, 2xx and BYE.
func TestEveryOrderLeavesNothingBehind(t *testing.T) {
	const ms = time.Millisecond
	moments := []time.Duration{1 * ms, 8 * ms, 12 * ms, 20 * ms, 26 * ms, 30 * ms, 60 * ms, 105 * ms, 110 * ms, 115 * ms, 3000 * ms}
	lives := map[string]func(k *talk, at time.Duration){
		"cancel": func(k *talk, at time.Duration) {
			k.w.at(at, func() { k.cancel(); k.fail(487) })
		},
		"fail": func(k *talk, at time.Duration) { k.w.at(at, func() { k.fail(486) }) },
		"answer, caller hangs up": func(k *talk, at time.Duration) {
			k.w.at(at/2, func() { k.answer(); k.ack() })
			k.w.at(at, func() { k.bye(false) })
		},
		"answer, platform hangs up": func(k *talk, at time.Duration) {
			k.w.at(at/2, func() { k.answer(); k.ack() })
			k.w.at(at, func() { k.bye(true) })
		},
		"cancel crosses a 200": func(k *talk, at time.Duration) {
			k.w.at(at, func() { k.cancel(); k.answer(); k.ack(); k.bye(false) })
		},
		"challenged and never back": func(k *talk, at time.Duration) { k.w.at(at, func() { k.fail(401) }) },
		"nothing is seen":           func(*talk, time.Duration) {},
	}
	cores := map[string]plan{
		"answers":                  {trying: ms, ring: 10 * ms, final: 100 * ms, code: 200},
		"answers without a 1xx":    {final: 100 * ms, code: 200},
		"answers at once":          {final: ms, code: 200},
		"rings for ever":           {trying: ms, ring: 10 * ms},
		"says nothing":             {},
		"fails":                    {trying: ms, ring: 10 * ms, final: 100 * ms, code: 486},
		"answers despite a CANCEL": {trying: ms, ring: 10 * ms, final: 5 * time.Second, code: 200, crossing: true},
		"ignores CANCEL":           {trying: ms, ring: 10 * ms, final: 5 * time.Second, code: 200, deaf: true},
		"forks":                    {trying: ms, ring: 10 * ms, final: 100 * ms, code: 200, forks: 3},
		"hangs up":                 {trying: ms, ring: 10 * ms, final: 100 * ms, code: 200, hangup: 5 * ms},
		"reliable":                 {trying: ms, ring: 10 * ms, final: 100 * ms, code: 200, reliable: true},
		"challenges":               {final: 3 * ms, code: 401},
	}
	for liveName, live := range lives {
		for coreName, p := range cores {
			for _, at := range moments {
				t.Run(liveName+"/"+coreName+"/"+at.String(), func(t *testing.T) {
					w := newWorld(t)
					w.core.plan = func(*wire.Message) plan { return p }
					k := w.talk("x", "1001", "1002")
					k.invite()
					live(k, at)
					w.run(6 * time.Minute)
					if len(w.judged) != 1 {
						t.Errorf("%d exchanges were judged", len(w.judged))
					}
					w.rest()
				})
			}
		}
	}
}

// Thousands of calls at random: the live call, the dark core, the far legs and the network each do what they want.
func TestRandomCallsLeaveNothingBehind(t *testing.T) {
	for _, seed := range []uint64{11, 21, 42} { // 21: a BYE was there before any 2xx, of which there were four
		t.Run(itoa(int(seed)), func(t *testing.T) { randomCalls(t, seed) })
	}
}

func randomCalls(t *testing.T, seed uint64) {
	const calls = 3000
	w := newWorld(t)
	w.rnd = rand.New(rand.NewPCG(seed, 4))
	w.canaries(true)
	rnd := w.rnd
	some := func(most time.Duration) time.Duration { return time.Duration(rnd.Int64N(int64(most))) }
	w.delay = func() time.Duration { return time.Millisecond + some(60*time.Millisecond) }
	w.lost = func() bool { return rnd.IntN(100) < 3 }
	w.core.plan = func(r *wire.Message) plan {
		p := plan{code: 200, deaf: rnd.IntN(10) == 0, crossing: rnd.IntN(5) == 0, reliable: rnd.IntN(4) == 0}
		if rnd.IntN(8) > 0 {
			p.trying = 1 + some(300*time.Millisecond)
		}
		if rnd.IntN(4) > 0 {
			p.ring = 1 + some(3*time.Second)
		}
		switch rnd.IntN(5) {
		case 0:
			p.far = []string{w.sinkURI(userOf(r.RequestURI.Of(r.Raw)))}
		case 1:
			p.far = []string{w.sinkURI("2001"), w.sinkURI("2002")}
		case 2:
			p.final, p.code = 1+some(5*time.Second), 400+rnd.IntN(250)
		default:
			p.final = 1 + some(5*time.Second)
		}
		if rnd.IntN(6) == 0 {
			p.forks = rnd.IntN(4)
		}
		if rnd.IntN(6) == 0 {
			p.hangup = some(5 * time.Second)
		}
		return p
	}
	for i := range calls {
		w.at(some(10*time.Minute), func() { randomCall(w, i, some) })
	}
	w.run(20 * time.Minute)
	w.run(w.m.o.Longest) // for far legs of which the end was not seen
	w.rest()
	judged := 0
	for _, x := range w.judged {
		if !x.live.LegOnly { // of a call that was not seen
			judged++
		}
	}
	if int(w.m.stats.Mirrored) != calls || judged != calls {
		t.Errorf("of %d calls %d were mirrored and %d judged", calls, w.m.stats.Mirrored, judged)
	}
	for _, d := range []Drop{DropMalformed, DropSource, DropTable, DropMemory, DropUnbuilt} {
		if n := w.m.drops[d]; n != 0 {
			t.Errorf("%d dropped: %s", n, d)
		}
	}
}

// randomCall is a live call whose parts come in an order that a real one can have, with some of them missing.
func randomCall(w *world, i int, some func(time.Duration) time.Duration) {
	rnd := w.rnd
	k := w.talk("r"+itoa(i), itoa(1000+rnd.IntN(200)), itoa(1000+rnd.IntN(200)))
	seen := func(f func()) {
		if rnd.IntN(50) > 0 { // else the ring was full
			f()
		}
	}
	if rnd.IntN(10) == 0 {
		k.sdp = ""
	}
	k.invite()
	k.sdp = liveSDP
	if rnd.IntN(4) == 0 {
		w.at(some(100*time.Millisecond), func() {
			k.fail(407)
			if rnd.IntN(5) > 0 {
				k.seq++
				k.invite("Proxy-Authorization: Digest username=\"1001\"\r\n")
			}
		})
	}
	at := 100*time.Millisecond + some(4*time.Second)
	if rnd.IntN(2) == 0 {
		f := k.farLeg(k.called)
		f.from, f.to = f.from+"f", f.to+"f"
		w.at(some(200*time.Millisecond), func() { seen(func() { f.invite() }) })
		w.at(at/2, func() { seen(f.ring) })
		w.at(at, func() {
			switch rnd.IntN(3) {
			case 0:
				f.fail(486)
			default:
				seen(f.answer)
				w.at(some(10*time.Second), func() { seen(func() { f.bye(rnd.IntN(2) == 0) }) })
			}
		})
	}
	if rnd.IntN(3) > 0 {
		w.at(at/2, func() { seen(k.ring) })
	}
	w.at(at+time.Millisecond, func() {
		switch rnd.IntN(4) {
		case 0:
			seen(k.cancel)
			seen(func() { k.fail(487) })
		case 1:
			seen(func() { k.fail(404 + rnd.IntN(200)) })
		default:
			seen(k.answer)
			seen(k.ack)
			long := some(20 * time.Second)
			if rnd.IntN(3) == 0 {
				w.at(long/2, func() {
					k.seq++
					seen(func() {
						k.request([]string{"INVITE", "UPDATE", "INFO"}[rnd.IntN(3)], rnd.IntN(2) == 0, true, "", liveSDP)
					})
				})
			}
			w.at(long, func() { k.bye(rnd.IntN(2) == 0) })
		}
	})
}
