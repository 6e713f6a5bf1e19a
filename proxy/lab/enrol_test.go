package lab

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"sync/atomic"
	"testing"
	"time"

	"github.com/emiago/sipgo/sip"
)

var loopback = netip.MustParseAddr("127.0.0.1")

const secret = "correct horse"

// clock is a time that a test moves.
type clock struct{ at atomic.Int64 }

func newClock() *clock {
	c := new(clock)
	c.at.Store(time.Now().UnixNano())
	return c
}

func (c *clock) now() time.Time        { return time.Unix(0, c.at.Load()) }
func (c *clock) pass(d time.Duration)  { c.at.Add(int64(d)) }
func account(aors ...string) []Account { return accounts(secret, aors...) }
func addr(ip string) (a netip.Addr)    { return netip.MustParseAddr(ip) }

func accounts(password string, aors ...string) []Account {
	var list []Account
	for _, aor := range aors {
		list = append(list, Account{AoR: aor, Password: password})
	}
	return list
}

// registrarSwitch is a switch with accounts for alice and bob, and what else o says.
func registrarSwitch(t *testing.T, o SwitchOptions) *Switch {
	t.Helper()
	o.Platform = "legacy"
	if !o.IP.IsValid() {
		o.IP = addr("127.0.1.5")
	}
	if o.Accounts == nil {
		o.Accounts = account("alice@acme.example", "bob@acme.example")
	}
	return startSwitchWith(t, o)
}

func deskPhone(t *testing.T, aor string, s *Switch, change func(*PhoneOptions)) (*Phone, context.Context) {
	t.Helper()
	o := PhoneOptions{AOR: aor, Password: secret, Proxy: s.Addr()}
	if change != nil {
		change(&o)
	}
	return startPhoneWith(t, o)
}

func TestDigestRegistration(t *testing.T) {
	for name, o := range map[string]SwitchOptions{
		"MD5": {}, "SHA-256": {Algorithm: SHA256}, "opaque": {Opaque: "o=1, 2"}, "next nonce": {NextNonce: true},
	} {
		for _, transport := range []string{"udp", "tcp"} {
			t.Run(name+" "+transport, func(t *testing.T) {
				s := registrarSwitch(t, o)
				p, _ := deskPhone(t, "alice@acme.example", s, func(o *PhoneOptions) { o.Transport = transport })
				ctx := soon(t)
				for range 3 {
					if err := p.Register(ctx, 10*time.Minute); err != nil {
						t.Fatal(err)
					}
				}
				if got, want := s.Auth(), (AuthCounts{Challenges: 1, Accepted: 3}); got != want {
					t.Errorf("%+v, want %+v: a nonce is used until it is challenged", got, want)
				}
				if p.Registrations() != 3 || p.Challenges() != 1 || p.PasswordPrompts() != 0 || p.Granted() != 10*time.Minute {
					t.Errorf("%d registrations, %d challenges, %d prompts, for %s", p.Registrations(), p.Challenges(), p.PasswordPrompts(), p.Granted())
				}
				held := s.Bindings()
				if len(held) != 1 || held[0].By != "digest" || held[0].Contact != p.Contact() || held[0].CSeq != 4 {
					t.Errorf("held %+v", held)
				}
			})
		}
	}
}

func TestStaleNonceIsRenewedInSilence(t *testing.T) {
	c := newClock()
	s := registrarSwitch(t, SwitchOptions{Now: c.now, NonceAge: time.Minute})
	p, _ := deskPhone(t, "alice@acme.example", s, nil)
	ctx := soon(t)
	for range 2 {
		if err := p.Register(ctx, time.Hour); err != nil {
			t.Fatal(err)
		}
		c.pass(2 * time.Minute)
	}
	if got, want := s.Auth(), (AuthCounts{Challenges: 2, Accepted: 2, Stale: 1}); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	if p.PasswordPrompts() != 0 {
		t.Error("a stale nonce cost a password prompt")
	}
}

func TestForeignNonceIsAFailedLogin(t *testing.T) {
	s := registrarSwitch(t, SwitchOptions{})
	p, _ := deskPhone(t, "alice@acme.example", s, nil)
	p.wallet.www = &held{challenge: challenge{realm: "acme.example", nonce: "of-another-switch", algorithm: MD5, qop: "auth"}}
	ctx := soon(t)
	if err := p.Register(ctx, time.Hour); !errors.Is(err, ErrLogin) {
		t.Fatalf("error %v, want a failed login", err)
	}
	heard := len(s.Received.Calls())
	if err := p.StayRegistered(ctx, time.Hour); !errors.Is(err, ErrLogin) {
		t.Errorf("error %v: the phone did not stop", err)
	}
	if got, want := s.Auth(), (AuthCounts{Challenges: 1, ForeignNonces: 1}); got != want || p.PasswordPrompts() != 1 {
		t.Errorf("%+v, want %+v; %d prompts", got, want, p.PasswordPrompts())
	}
	if len(s.Received.Calls()) != heard {
		t.Error("a phone whose login failed went on sending")
	}
}

func TestWrongPassword(t *testing.T) {
	s := registrarSwitch(t, SwitchOptions{})
	p, _ := deskPhone(t, "alice@acme.example", s, func(o *PhoneOptions) { o.Password = "wrong" })
	if err := p.Register(soon(t), time.Hour); !errors.Is(err, ErrLogin) {
		t.Fatalf("error %v, want a failed login", err)
	}
	if got, want := s.Auth(), (AuthCounts{Challenges: 2, WrongPasswords: 1}); got != want || p.PasswordPrompts() != 1 {
		t.Errorf("%+v, want %+v; %d prompts", got, want, p.PasswordPrompts())
	}
	q, _ := deskPhone(t, "nobody@acme.example", s, nil)
	if err := q.Register(soon(t), time.Hour); !errors.Is(err, ErrLogin) || q.PasswordPrompts() != 1 {
		t.Errorf("who has no account is challenged as anybody else: %v, %d prompts", err, q.PasswordPrompts())
	}
	r, _ := deskPhone(t, "alice@birch.example", s, nil)
	if err := r.Register(soon(t), time.Hour); err == nil || r.PasswordPrompts() != 0 {
		t.Errorf("who is of a strange domain: %v, %d prompts", err, r.PasswordPrompts())
	}
	if held := s.Bindings(); len(held) != 0 {
		t.Errorf("held %v", held)
	}
}

func TestTrustedAddressNeedsNoCredentials(t *testing.T) {
	s := registrarSwitch(t, SwitchOptions{Trusted: []netip.Addr{addr("127.0.0.77")}})
	register := func(from, asserts string) int {
		t.Helper()
		p, _ := deskPhone(t, "alice@acme.example", s, func(o *PhoneOptions) { o.IP = addr(from) })
		req := p.register(time.Hour)
		if asserts != "" {
			req.AppendHeader(sip.NewHeader("P-Asserted-Identity", asserts))
		}
		res, err := p.ask(soon(t), req)
		if err != nil {
			t.Fatal(err)
		}
		return res.StatusCode
	}
	for _, c := range []struct {
		from, asserts string
		code          int
	}{
		{"127.0.0.77", "<sip:alice@ACME.example>", 200},
		{"127.0.0.78", "<sip:alice@acme.example>", 401},
		{"127.0.0.77", "<sip:bob@acme.example>", 401},
		{"127.0.0.77", "", 401},
	} {
		if code := register(c.from, c.asserts); code != c.code {
			t.Errorf("from %s asserting %q: %d, want %d", c.from, c.asserts, code, c.code)
		}
	}
	if held := s.Bindings(); len(held) != 1 || held[0].By != "trust" || s.Auth().Trusted != 1 {
		t.Errorf("held %+v, %+v", held, s.Auth())
	}
}

func TestWhoIsVouchedForNeedsNoCredentials(t *testing.T) {
	s := registrarSwitch(t, SwitchOptions{ChallengeCalls: true, TrustedCalls: []netip.Addr{addr("127.0.0.77")}})
	for _, c := range []struct {
		from     string
		asserted bool
		code     int
	}{
		{"127.0.0.77", true, 200}, {"127.0.0.77", false, 407}, {"127.0.0.78", true, 407},
	} {
		p, life := deskPhone(t, "alice@acme.example", s, func(o *PhoneOptions) { o.IP = addr(c.from) })
		to := sip.Uri{Scheme: "sip", User: UserAnswer, Host: "acme.example"}
		call, err := p.invite(life, invitation{from: p.aor, to: to, target: to, destination: p.proxy, transport: "UDP",
			callID: newCallID("peer"), session: "peer", asserted: c.asserted})
		if err != nil {
			t.Fatal(err)
		}
		if a, err := call.Answer(soon(t)); err != nil || a.Code != c.code {
			t.Errorf("from %s, asserted %v: %v %v, want %d", c.from, c.asserted, a, err, c.code)
		}
	}
}

func TestInviteIsChallenged(t *testing.T) {
	for _, transport := range []string{"udp", "tcp"} {
		t.Run(transport, func(t *testing.T) {
			s := registrarSwitch(t, SwitchOptions{ChallengeCalls: true})
			p, life := deskPhone(t, "alice@acme.example", s, func(o *PhoneOptions) { o.Transport = transport })
			ctx := soon(t)
			for i := range 2 {
				c, a, err := p.Call(ctx, life, "answer@acme.example")
				if err != nil || a.Code != 200 {
					t.Fatalf("answer %v, %v", a, err)
				}
				if err := s.Received.Await(ctx, c.ID, "ACK"); err != nil {
					t.Fatal(err)
				}
				if got, want := s.Received.Count(c.ID, "INVITE"), 2-i; got != want {
					t.Errorf("call %d took %d INVITEs, want %d", i+1, got, want)
				}
				if err := c.Hangup(ctx); err != nil {
					t.Fatal(err)
				}
			}
			if p.Challenges() != 1 || p.PasswordPrompts() != 0 {
				t.Errorf("%d challenges, %d prompts", p.Challenges(), p.PasswordPrompts())
			}
			c, err := p.Dial(life, "ring@acme.example")
			if err != nil {
				t.Fatal(err)
			}
			if a, err := c.Cancel(ctx); err != nil || a.Code != 487 {
				t.Errorf("cancelled: %v, %v", a, err)
			}
		})
	}
}

func TestPhoneStaysRegistered(t *testing.T) {
	s := registrarSwitch(t, SwitchOptions{MaxExpires: time.Second})
	p, _ := deskPhone(t, "alice@acme.example", s, nil)
	running(t, func(ctx context.Context) error { return p.StayRegistered(ctx, time.Hour) })
	if err := p.AwaitRegistrations(soon(t), 2); err != nil {
		t.Fatal(err)
	}
	if p.Granted() != time.Second {
		t.Errorf("granted %s: the phone reads its own Contact", p.Granted())
	}
	for range 1000 {
		if d := betweenRefreshes(time.Minute); d < 30*time.Second || d > 54*time.Second {
			t.Fatalf("refreshes after %s of a minute", d)
		}
	}
}

func TestPhoneOverTCPReconnects(t *testing.T) {
	s := registrarSwitch(t, SwitchOptions{})
	p, _ := deskPhone(t, "alice@acme.example", s, func(o *PhoneOptions) { o.Transport = "tcp" })
	running(t, func(ctx context.Context) error { return p.StayRegistered(ctx, time.Hour) })
	ctx := soon(t)
	for n := 1; n <= 3; n++ {
		if err := p.AwaitRegistrations(ctx, n); err != nil {
			t.Fatal(err)
		}
		was := s.Bindings()[0].Source
		if n == 3 {
			break
		}
		if err := p.Unplug(); err != nil {
			t.Fatal(err)
		}
		if err := s.AwaitBindings(ctx, func(b []Binding) bool { return b[0].Source != was }); err != nil {
			t.Fatal(err)
		}
	}
	if p.PasswordPrompts() != 0 || len(s.Bindings()) != 1 {
		t.Errorf("%d prompts, held %v", p.PasswordPrompts(), s.Bindings())
	}
}

func TestPhoneMissesItsOwnContact(t *testing.T) {
	p, _ := startPhone(t, "alice@acme.example", netip.MustParseAddrPort("127.0.0.1:5060"), "udp")
	own := `<` + p.Contact() + `>;expires=7`
	for value, want := range map[string]bool{own: true, "<sip:alice@127.0.0.1:1>": false, "<" + p.Contact() + ";x>": false} {
		res := sip.NewResponse(200, "OK")
		var u sip.Uri
		params := sip.NewParams()
		if _, err := sip.ParseAddressValue(value, &u, &params); err != nil {
			t.Fatal(err)
		}
		res.AppendHeader(&sip.ContactHeader{Address: u, Params: params})
		res.AppendHeader(sip.NewHeader("Expires", "9"))
		if d, listed := p.granted(res, time.Minute); listed != want || want && d != 7*time.Second {
			t.Errorf("%s: listed %v for %s", value, listed, d)
		}
	}
}

func TestABrokenConnectionTakesItsRequestAlong(t *testing.T) {
	dying, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer dying.Close()
	p, _ := startPhoneWith(t, PhoneOptions{
		AOR: "alice@acme.example", Transport: "tcp", Proxy: netip.MustParseAddrPort(dying.Addr().String()),
	})
	registered := make(chan error, 1)
	go func() { registered <- p.Register(soon(t), time.Hour) }()
	c, err := dying.Accept()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Read(make([]byte, 1)); err != nil { // the REGISTER is on its way
		t.Fatal(err)
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-registered; !errors.Is(err, errBroken) {
		t.Errorf("error %v, want %v", err, errBroken)
	}
}
