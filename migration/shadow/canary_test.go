package shadow

import (
	"strings"
	"testing"
	"time"

	"github.com/hotcut/hotcut/proxy/tap"
	"github.com/hotcut/hotcut/proxy/wire"
)

func TestTheCanaryArrives(t *testing.T) {
	w := newWorld(t)
	w.core.plan = func(r *wire.Message) plan {
		return plan{trying: ms, far: []string{w.sinkURI(userOf(r.RequestURI.Of(r.Raw)))}}
	}
	w.canaries(true)
	w.run(time.Second)
	if s := w.m.snapshotStats().Dark[0]; s.Canary != canaryOK || s.CanaryAt == 0 || s.LastSeen == 0 {
		t.Errorf("%+v", s)
	}
	w.run(5 * time.Minute)
	if n := w.core.requests["INVITE"]; n != 6 {
		t.Errorf("%d canaries in 5 minutes", n)
	}
	w.rest()
}

func TestACanaryThatDoesNotArriveVerifiesNothing(t *testing.T) {
	for name, p := range map[string]plan{"refused": {final: ms, code: 404}, "dead": {}, "ringing for ever": {trying: ms, ring: ms}, "answered by itself": {trying: ms, final: 5 * ms, code: 200, forks: 1}} {
		w := newWorld(t)
		w.core.plan = func(*wire.Message) plan { return p }
		w.canaries(true)
		w.run(20 * time.Second)
		if s := w.m.snapshotStats(); s.Dark[0].Canary != canaryLost || s.Stopped != "" {
			t.Errorf("%s: %+v", name, s)
		}
		w.rest()
	}
}

func TestAnEscapeStopsMirroring(t *testing.T) {
	for name, escape := range map[string]func(w *world){
		"a marked message at another listener": func(w *world) {
			w.refused("carrier", "sip:+12025550100@acme.example", markHeader+": "+w.m.id.mark("some-call")+"\r\n")
		},
		"a call of a phone as only dark cores know it": func(w *world) {
			w.m.tokens[sinkPrefix+"known"] = &binding{}
			w.refused("stranger", "sip:"+sinkPrefix+"known@192.0.2.7", "")
			delete(w.m.tokens, sinkPrefix+"known")
		},
		"something of a dark core's address": func(w *world) {
			w.refused("dark", "sip:192.0.2.7", "")
		},
		"the canary comes in from outside": func(w *world) {
			k := w.talk("esc", canaryPrefix+"hotcut", "+12025550199")
			k.party = "carrier"
			k.invite()
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.core.plan = func(r *wire.Message) plan { return plan{trying: ms, final: 10 * ms, code: 200} }
			w.canaries(true)
			k := w.talk("a", "1001", "1002")
			k.invite()
			w.run(50 * ms)
			k.answer()
			k.ack()
			w.run(time.Second)
			escape(w)
			w.flush()
			if len(w.alarms) != 1 || !strings.HasPrefix(w.alarms[0], "shadow_escape: ") {
				t.Errorf("alarms %q", w.alarms)
			}
			w.run(time.Second)
			if len(w.core.dialogs) != 0 {
				t.Errorf("dialogs at the dark core: %v", w.core.dialogs)
			}
			sent := len(w.sent)
			w.talk("b", "1001", "1002").invite()
			w.run(10 * time.Minute)
			if len(w.sent) != sent || w.m.snapshotStats().Stopped == "" || w.m.drops[DropStopped] == 0 {
				t.Errorf("%d messages after the escape, stopped %q", len(w.sent)-sent, w.m.stopped)
			}
			w.rest()
		})
	}
}

// refused is a request that the edge refused as a copy.
func (w *world) refused(party, uri, lines string) {
	w.m.tapped(w.now, &tap.Event{At: w.now, Kind: tap.Escape, Party: tap.PartyOf(party)}, []byte("INVITE "+uri+" SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.9;branch=z9hG4bKx\r\n"+
		"From: <sip:a@192.0.2.9>;tag=x\r\nTo: <"+uri+">\r\nCall-ID: x\r\nCSeq: 1 INVITE\r\nMax-Forwards: 70\r\n"+lines+"Content-Length: 0\r\n\r\n"))
}

// Anybody can send a mark to an edge; nobody can end mirroring by it.
func TestAForgedMarkStopsNothing(t *testing.T) {
	w := newWorld(t)
	w.refused("stranger", "sip:1002@acme.example", markHeader+": 1\r\n")
	w.refused("stranger", "sip:1002@acme.example", markHeader+": some-call;0123456789abcdef\r\n")
	w.refused("phone", "sip:"+sinkPrefix+"0123456789abcdef0123@192.0.2.7", "")
	w.m.tapped(w.now, &tap.Event{At: w.now, Kind: tap.Escape, Party: tap.Carrier}, []byte("nothing"))
	if s := w.m.snapshotStats(); s.Stopped != "" || s.Escaped != 0 || s.Dropped["forged"] != 4 || len(w.alarms) != 0 {
		t.Errorf("%+v, alarms %q", s, w.alarms)
	}
	w.rest()
}
