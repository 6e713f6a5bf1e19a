package proxy

import (
	"testing"

	"github.com/hotcut/hotcut/policy"
)

// What stays of a call for 64*T1 after its end are its transactions: not its dialog, nor a request or a token that nobody sends again.
func TestWhatACallLeaves(t *testing.T) {
	sc := newScene(t, tenant("acme", policy.StageLegacy)).start()
	l := sc.phone.invite("one", "sip:anna@acme.example", "sip:bob@acme.example", "")
	l.talk(sc.legacy[0])
	l.hangUp(sc.legacy[0])
	sc.phone.invite("two", "sip:anna@acme.example", "sip:bob@acme.example", "")
	sc.legacy[0].reply(sc.legacy[0].want("INVITE "), "486 Busy Here", "")
	sc.phone.want("SIP/2.0 486")
	left := 0
	for i := range sc.edge().shards {
		for _, r := range sc.edge().shards[i].requests {
			if left++; r.dialog != nil || r.raw != nil || r.hop.sealed != nil || r.hop.body != nil {
				t.Errorf("dialog %v, %d bytes of the request, %d of its token", r.dialog, len(r.raw), len(r.hop.sealed))
			}
		}
	}
	if left != 3 {
		t.Errorf("%d requests are left, want the two INVITEs and the BYE", left)
	}
}
