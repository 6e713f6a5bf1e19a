package proxy

import (
	"testing"
	"time"

	"github.com/hotcut/hotcut/policy"
	"github.com/hotcut/hotcut/proxy/wire"
)

func TestSessionAge(t *testing.T) {
	for _, tc := range []struct {
		header string
		want   time.Duration
	}{
		{"", 0},
		{"Session-Expires: 1800;refresher=uac\r\n", time.Hour},
		{"x:  600 ; refresher=uas\r\n", 20 * time.Minute},
		{"Session-Expires: 1\r\n", 3 * time.Minute},
		{"Session-Expires: 4294967295\r\n", dialogAge},
		{"Session-Expires: 99999999999999999999\r\n", 0},
		{"Session-Expires: soon\r\n", 0},
	} {
		var m wire.Message
		text := "SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP a;branch=z9hG4bKx\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:a@b>;tag=2\r\nCall-ID: x\r\nCSeq: 1 INVITE\r\n" + tc.header + "Content-Length: 0\r\n\r\n"
		limits := wire.DefaultLimits
		if f := m.Scan([]byte(text), &limits); f != wire.FaultNone {
			t.Fatal(tc.header, f)
		}
		if got := sessionAge(&m); got != tc.want {
			t.Errorf("%q: %s, want %s", tc.header, got, tc.want)
		}
	}
}

// A call whose BYE passes us by leaves the index after two session intervals without a refresh; one that is refreshed
// stays; one that turns the timer off stays for long.
func TestLostByeWithSessionTimer(t *testing.T) {
	sc := newScene(t, tenant("acme", policy.StageLegacy)).start()
	live := func() int {
		n := 0
		for i := range sc.edge().shards {
			n += len(sc.edge().shards[i].dialogs)
		}
		return n
	}
	start := func(id, expires string) (*leg, *leg) {
		l := sc.phone.invite(id, "sip:anna@acme.example", "sip:bob@acme.example", "Supported: timer\n")
		inv := sc.legacy[0].want("INVITE ")
		sc.legacy[0].reply(inv, "200 OK", expires)
		ok := sc.phone.want("SIP/2.0 200")
		l.answered(ok)
		l.send("ACK", "")
		sc.legacy[0].want("ACK ")
		return l, sc.legacy[0].calleeOf(inv, ok)
	}
	refresh := func(from *leg, by, at *actor, method, expires string) {
		from.send(method, "")
		at.reply(at.want(method+" "), "200 OK", expires)
		by.want("SIP/2.0 200")
		if method == "INVITE" {
			from.send("ACK", "")
			at.want("ACK ")
		}
	}
	const timer = "Session-Expires: 600;refresher=uac\n"
	start("lost", timer)
	a, _ := start("refreshed", timer)
	_, b := start("updated", timer)
	off, _ := start("off", timer)
	start("plain", "")
	for range 3 { // 27 minutes
		sc.pass(9 * time.Minute)
		refresh(a, sc.phone, sc.legacy[0], "INVITE", timer)
		refresh(b, sc.legacy[0], sc.phone, "UPDATE", timer)
		refresh(off, sc.phone, sc.legacy[0], "INVITE", "")
	}
	if n := live(); n != 4 {
		t.Errorf("%d dialogs after 27 minutes, want 4", n)
	}
	sc.pass(21 * time.Minute)
	if n := live(); n != 2 {
		t.Errorf("%d dialogs after the refreshes ended, want 2", n)
	}
	sc.pass(dialogAge)
	if n := live(); n != 0 {
		t.Errorf("%d dialogs at last", n)
	}
}
