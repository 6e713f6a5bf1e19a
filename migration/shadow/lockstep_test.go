package shadow

import (
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
