package lab

import (
	"strings"
	"testing"
	"time"
)

// Every treatment, done right, and by a switch that is wrong in the one way that concerns it.
func TestTreatments(t *testing.T) {
	plan := map[string]Treatment{
		"1":     {Dials: "bob"},
		"away":  {Forward: "bob"},
		"team":  {Hunt: []string{"bob", "nobody", "carol"}, Rings: time.Hour},
		"voice": {Mailbox: true},
		"tries": {Mailbox: true, Rings: time.Millisecond},
	}
	const (
		never  = ""
		maybe  = "maybe" // phones that answer at once: a 200 may overtake the 180 in who reads them
		surely = "surely"
	)
	for _, c := range []struct {
		name, dial string
		faults     Faults
		code       int
		rings      string // before the final answer
		bob, carol string // "CALLER DIVERSION" of the INVITE that they hear; "": none
		ended      bool   // the switch hangs up
	}{
		{name: "short number", dial: "1", code: 200, rings: maybe, bob: "alice@acme.example"},
		{name: "short number, a digit too short", dial: "1", faults: Faults{ShortDigits: true}, code: 404},
		{name: "forward", dial: "away", code: 200, rings: maybe, bob: "alice@acme.example <sip:away@acme.example>;reason=unconditional"},
		{name: "forward, caller lost", dial: "away", faults: Faults{LostCaller: true}, code: 200, rings: maybe, bob: "away@acme.example <sip:away@acme.example>;reason=unconditional"},
		{name: "group", dial: "team", code: 200, rings: maybe, bob: "alice@acme.example"},
		{name: "group, backward", dial: "team", faults: Faults{HuntBackward: true}, code: 200, rings: maybe, carol: "alice@acme.example"},
		{name: "mailbox", dial: "voice", code: 200, rings: surely},
		{name: "mailbox, silent before", dial: "voice", faults: Faults{NoEarlyMedia: true}, code: 200},
		{name: "busy", dial: UserBusy, code: 486},
		{name: "busy, declined", dial: UserBusy, faults: Faults{Busy: 603}, code: 603},
		{name: "busy everywhere", dial: UserBusy, faults: Faults{Busy: 600}, code: 600},
		{name: "slow", dial: "bob", faults: Faults{SlowRing: time.Millisecond}, code: 200, rings: maybe, bob: "alice@acme.example"},
		{name: "stray BYE", dial: "bob", faults: Faults{StrayBye: true}, code: 200, rings: maybe, bob: "alice@acme.example", ended: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := registrarSwitch(t, SwitchOptions{Plan: plan, Faults: c.faults, Accounts: account("alice@acme.example", "bob@acme.example", "carol@acme.example")})
			alice, life := enrolled(t, "alice@acme.example", s, nil)
			bob, _ := enrolled(t, "bob@acme.example", s, nil)
			carol, _ := enrolled(t, "carol@acme.example", s, nil)
			ctx := soon(t)
			call, a, err := alice.Call(ctx, life, c.dial+"@acme.example")
			if err != nil || a.Code != c.code {
				t.Fatalf("answer %v, %v, want %d", a, err, c.code)
			}
			call.mu.Lock()
			rang := call.rang
			call.mu.Unlock()
			if rang && c.rings == never || !rang && c.rings == surely {
				t.Errorf("it rang: %v", rang)
			}
			for _, p := range []struct {
				phone *Phone
				want  string
			}{{bob, c.bob}, {carol, c.carol}} {
				got := ""
				for _, id := range p.phone.Received.Calls() {
					h := p.phone.Received.Of(id)[0]
					got = strings.TrimSpace(h.Caller + " " + h.Diversion)
				}
				if got != p.want {
					t.Errorf("a phone heard %q, want %q", got, p.want)
				}
			}
			if c.ended {
				select {
				case <-call.Ended():
				case <-ctx.Done():
					t.Error("the switch did not hang up")
				}
			} else if a.Answered() {
				if err := call.Hangup(ctx); err != nil {
					t.Error(err)
				}
			}
		})
	}
}

// A group goes on when nobody answers, and a mailbox takes what a phone has let ring; a switch that is late waits longer.
func TestNobodyAnswersInTime(t *testing.T) {
	plan := map[string]Treatment{
		"team": {Hunt: []string{"bob", "carol"}, Rings: 50 * time.Millisecond},
		"bob":  {Mailbox: true, Rings: 50 * time.Millisecond},
	}
	s := registrarSwitch(t, SwitchOptions{Plan: plan, Accounts: account("alice@acme.example", "bob@acme.example", "carol@acme.example")})
	alice, life := enrolled(t, "alice@acme.example", s, nil)
	bob, _ := enrolled(t, "bob@acme.example", s, rings)
	carol, _ := enrolled(t, "carol@acme.example", s, nil)
	ctx := soon(t)
	call, a, err := alice.Call(ctx, life, "team@acme.example")
	if err != nil || a.Code != 200 {
		t.Fatalf("answer %v, %v", a, err)
	}
	for p, method := range map[*Phone]string{bob: "CANCEL", carol: "INVITE"} {
		if err := p.Received.AwaitAny(ctx, method); err != nil {
			t.Error(err)
		}
	}
	if err := call.Hangup(ctx); err != nil {
		t.Error(err)
	}
	for _, late := range []time.Duration{0, 200 * time.Millisecond} {
		s.SetFaults(Faults{LateMailbox: late})
		call, a, err := alice.Call(ctx, life, "bob@acme.example")
		if err != nil || a.Code != 200 || a.Session != "lab-legacy" || a.Setup < 50*time.Millisecond+late {
			t.Fatalf("answer %v after %v, %v", a, a.Setup, err)
		}
		if err := call.Hangup(ctx); err != nil {
			t.Error(err)
		}
	}
}
