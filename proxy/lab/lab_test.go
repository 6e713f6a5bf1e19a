package lab

import (
	"context"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	if role := os.Getenv(playEdge); role != "" {
		play(role)
		return
	}
	// A request that an agent reads in its last moment makes sipgo bind a socket of its own for the answer, after it has been
	// closed: nobody can close that one (sipgo 1.7.2, TransportLayer.serverRequestConnection). All else must end.
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("github.com/emiago/sipgo/sip.(*TransportUDP).readUDPConnection"))
}

// patience is how long a test waits for something that takes milliseconds.
const patience = 20 * time.Second

// running starts a peer and ends it with the test.
func running(t *testing.T, run func(context.Context) error) context.Context {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("a peer ended with: %v", err)
		}
	})
	return ctx
}

func soon(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}

func startSwitch(t *testing.T, platform, ip string) *Switch {
	t.Helper()
	return startSwitchWith(t, SwitchOptions{Platform: platform, IP: netip.MustParseAddr(ip)})
}

func startSwitchWith(t *testing.T, o SwitchOptions) *Switch {
	t.Helper()
	s, err := NewSwitch(o)
	if err != nil {
		t.Fatal(err)
	}
	running(t, s.Run)
	return s
}

func startPhone(t *testing.T, aor string, proxy netip.AddrPort, transport string) (*Phone, context.Context) {
	t.Helper()
	return startPhoneWith(t, PhoneOptions{AOR: aor, Proxy: proxy, Transport: transport})
}

func startPhoneWith(t *testing.T, o PhoneOptions) (*Phone, context.Context) {
	t.Helper()
	p, err := NewPhone(o)
	if err != nil {
		t.Fatal(err)
	}
	return p, running(t, p.Run)
}

func heard(j *Journal, id string) string { return strings.Join(methods(j.Of(id)), " ") }

func TestCallIsAnsweredAndHungUp(t *testing.T) {
	for _, transport := range []string{"udp", "tcp"} {
		t.Run(transport, func(t *testing.T) {
			legacy := startSwitch(t, "legacy", "127.0.1.5")
			phone, life := startPhone(t, "alice@acme.example", legacy.Addr(), transport)
			ctx := soon(t)
			c, a, err := phone.Call(ctx, life, "answer@acme.example")
			if err != nil {
				t.Fatal(err)
			}
			if a.Code != 200 || a.Platform != "legacy" || a.Server != "lab-legacy" || a.Session != "lab-legacy" {
				t.Errorf("answer %+v does not say that legacy answered", a)
			}
			if err := legacy.Received.Await(ctx, c.ID, "ACK"); err != nil {
				t.Fatal(err)
			}
			if up := legacy.Calls(); !slices.Equal(up, []string{c.ID}) {
				t.Errorf("calls that are up: %v, want %s", up, c.ID)
			}
			if err := c.Hangup(ctx); err != nil {
				t.Fatal(err)
			}
			if got := heard(legacy.Received, c.ID); got != "INVITE ACK BYE" {
				t.Errorf("the switch heard %q", got)
			}
			if up := legacy.Calls(); len(up) != 0 {
				t.Errorf("calls that are still up: %v", up)
			}
			if err := c.Hangup(ctx); err == nil {
				t.Error("a call was hung up twice")
			}
		})
	}
}

func TestRefusalIsAcknowledged(t *testing.T) {
	for _, transport := range []string{"udp", "tcp"} {
		t.Run(transport, func(t *testing.T) {
			core := startSwitch(t, "core", "127.0.2.5")
			phone, life := startPhone(t, "alice@acme.example", core.Addr(), transport)
			ctx := soon(t)
			c, a, err := phone.Call(ctx, life, "busy@acme.example")
			if err != nil {
				t.Fatal(err)
			}
			if a.Code != 486 || a.Platform != "core" || a.Answered() {
				t.Errorf("answer %+v, want 486 by core", a)
			}
			if err := core.Received.Await(ctx, c.ID, "ACK"); err != nil {
				t.Error(err)
			}
			<-c.Ended()
		})
	}
}

func TestCancel(t *testing.T) {
	for _, transport := range []string{"udp", "tcp"} {
		t.Run(transport, func(t *testing.T) {
			legacy := startSwitch(t, "legacy", "127.0.1.5")
			phone, life := startPhone(t, "alice@acme.example", legacy.Addr(), transport)
			ctx := soon(t)
			c, err := phone.Dial(life, "ring@acme.example")
			if err != nil {
				t.Fatal(err)
			}
			a, err := c.Cancel(ctx)
			if err != nil {
				t.Fatal(err)
			}
			if a.Code != 487 || a.Platform != "legacy" {
				t.Errorf("answer %v, want 487 by legacy", a)
			}
			if err := legacy.Received.Await(ctx, c.ID, "ACK"); err != nil {
				t.Error(err)
			}
			if got := heard(legacy.Received, c.ID); got != "INVITE CANCEL ACK" {
				t.Errorf("the switch heard %q", got)
			}
		})
	}
}

func TestSwitchHangsUp(t *testing.T) {
	for _, transport := range []string{"udp", "tcp"} {
		t.Run(transport, func(t *testing.T) {
			legacy := startSwitch(t, "legacy", "127.0.1.5")
			phone, life := startPhone(t, "alice@acme.example", legacy.Addr(), transport)
			ctx := soon(t)
			c, _, err := phone.Call(ctx, life, "hangup@acme.example")
			if err != nil {
				t.Fatal(err)
			}
			select {
			case <-c.Ended():
			case <-ctx.Done():
				t.Fatal("the switch did not hang up")
			}
			if !c.EndedByPeer() || phone.Received.Count(c.ID, "BYE") != 1 {
				t.Errorf("by peer %v, phone heard %q", c.EndedByPeer(), heard(phone.Received, c.ID))
			}
		})
	}
}

func TestRegisteredPhoneIsCalledBack(t *testing.T) {
	for _, transport := range []string{"udp", "tcp"} {
		t.Run(transport, func(t *testing.T) {
			legacy := startSwitch(t, "legacy", "127.0.1.5")
			alice, life := startPhone(t, "alice@acme.example", legacy.Addr(), transport)
			bob, _ := startPhone(t, "bob@acme.example", legacy.Addr(), transport)
			ctx := soon(t)
			if err := bob.Register(ctx, time.Minute); err != nil {
				t.Fatal(err)
			}
			c, a, err := alice.Call(ctx, life, "bob@ACME.example")
			if err != nil {
				t.Fatal(err)
			}
			if a.Code != 200 {
				t.Fatalf("answer %v", a)
			}
			far := bob.Received.Calls()[0]
			if far == c.ID {
				t.Error("both halves of a back-to-back call have one Call-ID")
			}
			if err := bob.Received.Await(ctx, far, "ACK"); err != nil {
				t.Fatal(err)
			}
			if err := c.Hangup(ctx); err != nil {
				t.Fatal(err)
			}
			if err := bob.Received.Await(ctx, far, "BYE"); err != nil {
				t.Fatal(err)
			}
			if err := bob.Register(ctx, 0); err != nil {
				t.Fatal(err)
			}
			if held := legacy.Bindings(); len(held) != 0 {
				t.Errorf("a removed binding is still there: %v", held)
			}
		})
	}
}

func TestUnknownCallsAreRefused(t *testing.T) {
	legacy := startSwitch(t, "legacy", "127.0.1.5")
	core := startSwitch(t, "core", "127.0.2.5")
	phone, life := startPhone(t, "alice@acme.example", legacy.Addr(), "udp")
	ctx := soon(t)
	c, _, err := phone.Call(ctx, life, "answer@acme.example")
	if err != nil {
		t.Fatal(err)
	}
	// A BYE that goes astray, to the other platform, is the fault that the lab exists to notice.
	c.dialog.hop = core.Addr().String()
	c.dialog.target.Host, c.dialog.target.Port = core.Addr().Addr().String(), int(core.Addr().Port())
	if err := c.Hangup(ctx); err == nil || !strings.Contains(err.Error(), "481") {
		t.Errorf("a BYE to the wrong platform: %v, want a 481", err)
	}
	if core.Received.Count(c.ID, "BYE") != 1 || legacy.Received.Count(c.ID, "BYE") != 0 {
		t.Error("the journals do not show where the BYE went")
	}
}

func TestJournalIsBounded(t *testing.T) {
	j := newJournal()
	for i := range journalMessages + 10 {
		j.add("one", Heard{Method: "INFO", CSeq: uint32(i)})
	}
	if n := len(j.Of("one")); n != journalMessages {
		t.Errorf("%d messages of one call kept, want %d", n, journalMessages)
	}
	for range journalCalls {
		j.add(newCallID("x"), Heard{Method: "INVITE"})
	}
	if len(j.calls) != journalCalls || len(j.order) != journalCalls {
		t.Errorf("%d calls kept, want %d", len(j.calls), journalCalls)
	}
	if j.Of("one") != nil {
		t.Error("the oldest call was kept")
	}
}

func TestAwaitSaysWhatWasHeard(t *testing.T) {
	j := newJournal()
	j.add("one", Heard{Method: "INVITE"})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := j.Await(ctx, "one", "BYE"); err == nil || !strings.Contains(err.Error(), "INVITE") {
		t.Errorf("error %v does not say that an INVITE was heard", err)
	}
	if err := j.Await(ctx, "one", "INVITE"); err != nil {
		t.Error(err)
	}
}

func TestOnlyLoopback(t *testing.T) {
	if _, err := NewSwitch(SwitchOptions{Platform: "legacy", IP: netip.MustParseAddr("192.0.2.1")}); err == nil {
		t.Error("a switch was started outside loopback")
	}
	if _, err := NewPhone(PhoneOptions{AOR: "a@b.example", Transport: "tls"}); err == nil {
		t.Error("a phone with an unknown transport was made")
	}
}

func TestJournalTellsAChallengedInviteFromACall(t *testing.T) {
	j := newJournal()
	j.add("a", Heard{Method: "INVITE", CSeq: 1})
	j.add("a", Heard{Method: "ACK", CSeq: 1}) // of a 407
	j.add("a", Heard{Method: "INVITE", CSeq: 2})
	j.add("b", Heard{Method: "INVITE", CSeq: 1})
	over, cancel := context.WithCancel(t.Context())
	cancel()
	if err := j.AwaitACK(over, "a"); err == nil || !strings.Contains(err.Error(), "[INVITE ACK INVITE]") {
		t.Errorf("the ACK of a challenge was taken for that of the call: %v", err)
	}
	if err := j.AwaitTotal(over, "INVITE", 4); err == nil || j.Total("INVITE") != 3 {
		t.Errorf("%d INVITEs, %v", j.Total("INVITE"), err)
	}
	waits := make(chan error, 2)
	ctx := soon(t)
	go func() { waits <- j.AwaitACK(ctx, "a") }()
	go func() { waits <- j.AwaitTotal(ctx, "INVITE", 4) }()
	j.add("a", Heard{Method: "ACK", CSeq: 2})
	j.add("c", Heard{Method: "INVITE", CSeq: 1})
	for range 2 {
		if err := <-waits; err != nil {
			t.Error(err)
		}
	}
}
