package lab

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/emiago/sipgo/sip"
)

// lit starts a lamp of p for aor.
func lit(t *testing.T, p *Phone, aor string) *Lamp {
	t.Helper()
	l, err := p.NewLamp(aor, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	running(t, l.Run)
	if err := l.Await(soon(t), LampOff); err != nil {
		t.Fatal(err)
	}
	return l
}

func TestLampFollowsACall(t *testing.T) {
	for _, transport := range []string{"udp", "tcp"} {
		t.Run(transport, func(t *testing.T) {
			s := registrarSwitch(t, SwitchOptions{ChallengeCalls: true, Accounts: account("alice@acme.example", "bob@acme.example", "eve@acme.example")})
			alice, life := enrolled(t, "alice@acme.example", s, nil)
			bob, _ := enrolled(t, "bob@acme.example", s, rings)
			eve, _ := enrolled(t, "eve@acme.example", s, func(o *PhoneOptions) { o.Transport = transport })
			onBob, onAlice := lit(t, eve, "bob@acme.example"), lit(t, eve, "alice@acme.example")
			ctx := soon(t)
			c, err := alice.Dial(life, "bob@acme.example")
			if err != nil {
				t.Fatal(err)
			}
			for l, want := range map[*Lamp]LampState{onBob: LampRinging, onAlice: LampBusy} {
				if err := l.Await(ctx, want); err != nil {
					t.Fatal(err)
				}
			}
			bob.PickUp()
			if err := onBob.Await(ctx, LampBusy); err != nil {
				t.Fatal(err)
			}
			if _, err := c.Answer(ctx); err != nil {
				t.Fatal(err)
			}
			if err := c.Hangup(ctx); err != nil {
				t.Fatal(err)
			}
			for _, l := range []*Lamp{onBob, onAlice} {
				if err := l.Await(ctx, LampOff); err != nil {
					t.Error(err)
				}
				if l.Subscribed() != 1 {
					t.Errorf("%d subscriptions", l.Subscribed())
				}
			}
			if n := len(s.Subscriptions()); n != 2 || eve.PasswordPrompts() != 0 {
				t.Errorf("%d subscriptions, %d prompts", n, eve.PasswordPrompts())
			}
		})
	}
}

// Each way in which a subscription ends, and that the lamp is lit again at once.
func TestLampBeginsAnew(t *testing.T) {
	for name, end := range map[string]func(t *testing.T, s *Switch, l *Lamp){
		"terminated;reason=deactivated": func(t *testing.T, s *Switch, l *Lamp) {
			sub := s.notifier.all()[0]
			sub.mu.Lock()
			sub.over = "deactivated"
			sub.mu.Unlock()
			s.tell(t.Context(), sub)
		},
		"481 on refresh": func(t *testing.T, s *Switch, l *Lamp) {
			s.notifier.remove(s.notifier.all()[0])
			l.set(func() { l.expires = time.Now().Add(time.Millisecond) })
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := registrarSwitch(t, SwitchOptions{})
			eve, _ := enrolled(t, "alice@acme.example", s, nil)
			l := lit(t, eve, "bob@acme.example")
			was := s.Subscriptions()[0].CallID
			end(t, s, l)
			if err := l.AwaitSubscribed(soon(t), 2); err != nil {
				t.Fatal(err)
			}
			if now := s.Subscriptions(); len(now) != 1 || now[0].CallID == was {
				t.Errorf("subscriptions %v", now)
			}
		})
	}
}

func TestSubscriptionsExpireAndAreRefreshed(t *testing.T) {
	c := newClock()
	s := registrarSwitch(t, SwitchOptions{Now: c.now})
	eve, _ := enrolled(t, "alice@acme.example", s, nil)
	l := lit(t, eve, "bob@acme.example")
	l.set(func() { l.expires = time.Now().Add(time.Millisecond) })
	ctx := soon(t)
	id := s.Subscriptions()[0].CallID
	if err := s.Received.awaitCount(ctx, id, "SUBSCRIBE", 2); err != nil {
		t.Fatal(err)
	}
	if l.Subscribed() != 1 {
		t.Errorf("%d subscriptions: a refresh is not a new one", l.Subscribed())
	}
	c.pass(2 * time.Hour) // the phone's own clock stands still: the switch ends it
	if err := l.AwaitSubscribed(ctx, 2); err != nil {
		t.Fatal(err)
	}
}

func TestWhatIsNoSubscription(t *testing.T) {
	s := registrarSwitch(t, SwitchOptions{})
	p, _ := enrolled(t, "alice@acme.example", s, nil)
	bob := sip.Uri{Scheme: "sip", User: "bob", Host: "acme.example"}
	ask := func(target sip.Uri, change func(*sip.Request)) int {
		t.Helper()
		req := newRequest(sip.SUBSCRIBE, target, p.aor, target, newCallID("blf"), 1)
		req.AppendHeader(contactHeader(p.contact("alice", "UDP")))
		req.SetDestination(p.proxy)
		req.SetTransport("UDP")
		change(req)
		res, err := p.ask(soon(t), req)
		if err != nil {
			t.Fatal(err)
		}
		return res.StatusCode
	}
	event := func(req *sip.Request) { req.AppendHeader(sip.NewHeader("Event", "dialog")) }
	for want, got := range map[int]int{
		489: ask(bob, func(req *sip.Request) { req.AppendHeader(sip.NewHeader("Event", "presence")) }),
		404: ask(sip.Uri{Scheme: "sip", User: "nobody", Host: "acme.example"}, event),
		481: ask(bob, func(req *sip.Request) { event(req); req.To().Params.Add("tag", "x") }),
		400: ask(bob, func(req *sip.Request) { event(req); req.AppendHeader(sip.NewHeader("Expires", "soon")) }),
		200: ask(bob, func(req *sip.Request) { event(req); req.AppendHeader(sip.NewHeader("Expires", "0")) }),
	} {
		if got != want {
			t.Errorf("%d, want %d", got, want)
		}
	}
	if held := s.Subscriptions(); len(held) != 0 {
		t.Errorf("held %v", held)
	}
}

func TestLampStates(t *testing.T) {
	p := &presence{notify: func(string) {}, calls: make(map[string]*watchedCall)}
	const a, b = "a@x", "b@x"
	p.begin("1", a, b)
	if got := []LampState{p.of(a, 0).lamp(), p.of(b, 0).lamp()}; !slices.Equal(got, []LampState{LampOff, LampOff}) {
		t.Errorf("not ringing yet: %v", got)
	}
	p.rings("1")
	if got := []LampState{p.of(a, 0).lamp(), p.of(b, 0).lamp()}; !slices.Equal(got, []LampState{LampBusy, LampRinging}) {
		t.Errorf("ringing: %v", got)
	}
	p.begin("2", "c@x", b)
	p.answered("2")
	if got := p.of(b, 0).lamp(); got != LampBusy {
		t.Errorf("busy, and somebody knocks: %v", got)
	}
	p.over("1")
	p.over("2")
	if info := p.of(b, 0); info.lamp() != LampOff || len(p.calls) != 0 {
		t.Errorf("over: %+v", info)
	}
}

func TestFailedLoginDarkensALamp(t *testing.T) {
	s := registrarSwitch(t, SwitchOptions{ChallengeCalls: true})
	p, _ := deskPhone(t, "alice@acme.example", s, func(o *PhoneOptions) { o.Password = "wrong" })
	l, err := p.NewLamp("bob@acme.example", time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Run(soon(t)); !errors.Is(err, ErrLogin) || l.State() != LampUnknown {
		t.Errorf("%v, %s", err, l.State())
	}
	done, cancel := context.WithCancel(t.Context())
	cancel()
	if err := l.Await(done, LampOff); err == nil {
		t.Error("a dark lamp is lit")
	}
}
