package proxy

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hotcut/hotcut/policy"
)

// Two platforms that forward to each other, each with a new Call-ID and a fresh Max-Forwards: it ends after 40 rounds.
func TestFuseCutsALoop(t *testing.T) {
	sc := newScene(t, tenant("acme", policy.StageCore)).start()
	rounds := 0
	sc.phone.invite("first", "sip:anna@acme.example", "sip:bob@acme.example", "")
	sc.core[0].want("INVITE ")
	for {
		rounds++
		// Core sends it to a number that legacy has, legacy back to bob; in each leg From stays what it was.
		sc.legacy[0].invite(fmt.Sprintf("round%d", rounds), "sip:anna@acme.example", "sip:bob@ACME.example;round=1", "")
		sc.pass(20 * time.Millisecond)
		if slices.ContainsFunc(sc.legacy[0].got, func(m message) bool { return strings.HasPrefix(m.text, "SIP/2.0 482") }) {
			break
		}
		sc.core[0].want("INVITE ")
		if rounds > 100 {
			t.Fatal("it goes on and on")
		}
	}
	if rounds < fuseBurst || rounds > fuseBurst+10 {
		t.Errorf("cut after %d rounds", rounds)
	}
	if w := sc.edge().fuse.warnings(sc.n.now); len(w) != 1 || !strings.Contains(w[0], "from anna@acme.example to bob@ACME.example") {
		t.Errorf("warnings %q", w)
	}
	if w := sc.edge().fuse.warnings(sc.n.now + int64(time.Hour)); len(w) != 0 {
		t.Errorf("an hour later: %q", w)
	}
	// Others call as before, and the same pair after a while.
	sc.core[0].got, sc.legacy[0].got = nil, nil
	sc.legacy[0].invite("other", "sip:carol@acme.example", "sip:bob@acme.example", "")
	sc.core[0].want("INVITE ")
	sc.pass(time.Minute)
	sc.core[0].got, sc.legacy[0].got = nil, nil
	sc.legacy[0].invite("later", "sip:anna@acme.example", "sip:bob@acme.example", "")
	sc.core[0].want("INVITE ")
}

// The table is bounded and forgets the emptiest first; a clock that was set back blocks nobody.
func TestFuseTable(t *testing.T) {
	var f fuse
	now := int64(1_700_000_000e9)
	hot := uint64(0x1234_5678_9abc_def0)
	for range fuseBurst {
		if !f.take(hot, now) {
			t.Fatal("cut too early")
		}
	}
	if f.take(hot, now) {
		t.Fatal("not cut")
	}
	for i := range uint64(1 << 18) { // a flood of other pairs
		f.take(i*0x9e3779b97f4a7c15, now)
	}
	if f.take(hot, now) {
		t.Error("a flood of others has made it forget")
	}
	if !f.take(hot, now+int64(2*fuseEvery)) || !f.take(hot, now-int64(time.Hour)) {
		t.Error("it stays cut")
	}
}
