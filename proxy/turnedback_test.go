package proxy

import (
	"testing"
	"time"

	"github.com/hotcut/hotcut/policy"
)

// from is a call of a platform for anna's phone, by her Path.
func (sc *scene) from(by *actor, id, path string) *leg {
	l := &leg{a: by, edge: sc.x.in, id: id, from: "<sip:bob@acme.example>;tag=" + id, to: "<sip:anna@acme.example>", remote: "sip:me@192.0.2.99:5060", routes: []string{path}}
	l.send("INVITE", "")
	return l
}

// platformOf is the platform that the index names for a call.
func (sc *scene) platformOf(id string) policy.Platform {
	for i := range sc.edge().shards {
		for _, d := range sc.edge().shards[i].dialogs {
			if d.callID == id {
				return d.platform
			}
		}
	}
	return policy.NoPlatform
}

func (sc *scene) callers() (n int) {
	for i := range sc.edge().callers.parts {
		n += len(sc.edge().callers.parts[i].m)
	}
	return n
}

// A call that was turned over, and taken back since the serving platform would not have it, is the calling platform's: in the
// index, in its record, and where a request that names it goes. Its end takes nothing from the phone's other calls.
func TestTurnedBackCall(t *testing.T) {
	sc := newScene(t, tenant("acme", policy.StageLegacy)).start()
	path := sc.register("anna", sc.legacy[0])
	first := sc.from(sc.legacy[0], "first", path)
	first.talk(sc.phone)
	sc.flip(policy.StageCore, "acme")
	sc.register("anna", sc.core[0])
	sc.pass(5 * time.Second)

	second := sc.from(sc.legacy[0], "second", path)
	sc.core[0].reply(sc.core[0].want("INVITE sip:anna@acme.example"), "404 Not Found", "")
	second.talk(sc.phone)
	if p := sc.platformOf("second"); p != policy.Legacy {
		t.Errorf("the index has the call on %s", p)
	}
	second.hangUp(sc.phone)
	list := sc.edge().records.Find("second")
	if len(list) == 0 {
		t.Fatal("no record")
	}
	rec := list[len(list)-1]
	if rec.Platform != "legacy" || rec.Target != "" || len(rec.Tried) != 1 || rec.Tried[0].Platform != "core" || rec.Tried[0].Code != 404 {
		t.Errorf("record %+v", rec)
	}
	if p := sc.edge().callers.platform(callerKey(sc.phone.addr, 0)); p != policy.Legacy {
		t.Errorf("the phone, which talks by legacy, talks by %s", p)
	}
	first.hangUp(sc.phone)
	if n := sc.callers(); n != 0 {
		t.Errorf("%d phones are counted that have no call", n)
	}
}

// The serving platform was silent, the phone rings, and then the platform answers after all: nothing of the phone stays counted.
func TestTurnedBackCallIsAnsweredLate(t *testing.T) {
	sc := newScene(t, tenant("acme", policy.StageLegacy)).start()
	path := sc.register("anna", sc.legacy[0])
	sc.flip(policy.StageCore, "acme")
	sc.register("anna", sc.core[0])
	sc.pass(5 * time.Second)
	l := sc.from(sc.legacy[0], "one", path)
	silent := sc.core[0].want("INVITE ")
	sc.phone.want("INVITE ")
	sc.core[0].reply(silent, "200 OK", "")
	l.answered(sc.legacy[0].want("SIP/2.0 200"))
	l.send("ACK", "")
	sc.phone.got, sc.core[0].got = nil, nil
	l.send("BYE", "")
	sc.core[0].reply(sc.core[0].want("BYE "), "200 OK", "")
	sc.legacy[0].want("SIP/2.0 200")
	if n := sc.callers(); n != 0 {
		t.Errorf("%d phones are counted that have no call", n)
	}
}
