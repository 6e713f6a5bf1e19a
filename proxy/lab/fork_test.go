package lab

import (
	"context"
	"net/netip"
	"testing"
	"time"

	"github.com/emiago/sipgo/sip"
)

// enrolled starts a phone that is registered.
func enrolled(t *testing.T, aor string, s *Switch, change func(*PhoneOptions)) (*Phone, context.Context) {
	t.Helper()
	p, life := deskPhone(t, aor, s, change)
	if err := p.Register(soon(t), time.Hour); err != nil {
		t.Fatal(err)
	}
	return p, life
}

func rings(o *PhoneOptions) { o.Rings = true }

// bind puts a contact into the registrar that no phone stands behind.
func bind(t *testing.T, s *Switch, contact, path string) {
	t.Helper()
	headers := "Call-ID: " + newCallID("x") + "\r\nCSeq: 1 REGISTER\r\nContact: <" + contact + ">\r\n"
	if path != "" {
		headers += "Path: <" + path + ">\r\n"
	}
	if code, _ := registers(t, s, time.Now(), headers); code != "200" {
		t.Fatal(code)
	}
}

func TestEveryContactRingsAndTheFirstAnswerWins(t *testing.T) {
	s := registrarSwitch(t, SwitchOptions{})
	alice, life := enrolled(t, "alice@acme.example", s, nil)
	desk, _ := enrolled(t, "bob@acme.example", s, rings)
	mobile, _ := enrolled(t, "bob@acme.example", s, func(o *PhoneOptions) { o.Rings, o.Transport = true, "tcp" })
	if n := len(s.Bindings()); n != 3 {
		t.Fatalf("%d bindings, want 3", n)
	}
	ctx := soon(t)
	c, err := alice.Dial(life, "bob@acme.example")
	if err != nil {
		t.Fatal(err)
	}
	<-c.Ringing()
	for _, p := range []*Phone{desk, mobile} {
		if err := p.Received.AwaitAny(ctx, "INVITE"); err != nil {
			t.Fatal(err)
		}
	}
	mobile.PickUp()
	if a, err := c.Answer(ctx); err != nil || a.Code != 200 {
		t.Fatalf("answer %v, %v", a, err)
	}
	lost := desk.Received.Calls()[0]
	if err := desk.Received.Await(ctx, lost, "CANCEL"); err != nil {
		t.Error(err)
	}
	won := mobile.Received.Calls()[0]
	if err := c.Hangup(ctx); err != nil {
		t.Fatal(err)
	}
	if err := mobile.Received.Await(ctx, won, "BYE"); err != nil {
		t.Error(err)
	}
}

func TestOneContactThatIsGoneEndsNothing(t *testing.T) {
	s := registrarSwitch(t, SwitchOptions{})
	alice, life := enrolled(t, "alice@acme.example", s, nil)
	_, _ = enrolled(t, "bob@acme.example", s, nil)
	gone := startSwitchWith(t, SwitchOptions{Platform: "core", IP: addr("127.0.2.5"), Accounts: account("bob@127.0.2.5")}) // answers 480
	bind(t, s, "sip:bob@"+gone.Addr().String(), "")
	ctx := soon(t)
	c, a, err := alice.Call(ctx, life, "bob@acme.example")
	if err != nil || a.Code != 200 {
		t.Fatalf("answer %v, %v", a, err)
	}
	if err := c.Hangup(ctx); err != nil {
		t.Error(err)
	}
}

func TestNobodyIsThere(t *testing.T) {
	s := registrarSwitch(t, SwitchOptions{})
	alice, life := enrolled(t, "alice@acme.example", s, nil)
	c, a, err := alice.Call(soon(t), life, "bob@acme.example")
	if err != nil || a.Code != 480 || a.Platform != "legacy" {
		t.Fatalf("answer %v, %v", a, err)
	}
	<-c.Ended()
	if err := s.Received.Await(soon(t), c.ID, "ACK"); err != nil {
		t.Error(err)
	}
}

func TestCallerGivesUpAndEveryContactStops(t *testing.T) {
	s := registrarSwitch(t, SwitchOptions{})
	alice, life := enrolled(t, "alice@acme.example", s, nil)
	one, _ := enrolled(t, "bob@acme.example", s, rings)
	two, _ := enrolled(t, "bob@acme.example", s, rings)
	ctx := soon(t)
	c, err := alice.Dial(life, "bob@acme.example")
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range []*Phone{one, two} {
		if err := p.Received.AwaitAny(ctx, "INVITE"); err != nil {
			t.Fatal(err)
		}
	}
	if a, err := c.Cancel(ctx); err != nil || a.Code != 487 {
		t.Fatalf("answer %v, %v", a, err)
	}
	for _, p := range []*Phone{one, two} {
		if err := p.Received.AwaitAny(ctx, "CANCEL"); err != nil {
			t.Error(err)
		}
	}
}

func TestCallsTakeThePath(t *testing.T) {
	s := registrarSwitch(t, SwitchOptions{})
	alice, life := enrolled(t, "alice@acme.example", s, nil)
	edge := startSwitch(t, "core", "127.0.2.5") // stands where the path leads, and answers
	bind(t, s, "sip:answer@198.51.100.9", "sip:flow-7@"+edge.Addr().String()+";lr;transport=tcp")
	ctx := soon(t)
	_, a, err := alice.Call(ctx, life, "bob@acme.example")
	if err != nil || a.Code != 200 {
		t.Fatalf("answer %v, %v", a, err)
	}
	h := edge.Received.Of(edge.Received.Calls()[0])[0]
	if want := "<sip:flow-7@" + edge.Addr().String() + ";lr;transport=tcp>"; h.Route != want || h.URI != "sip:answer@198.51.100.9" {
		t.Errorf("INVITE %s by %s, want %s", h.URI, h.Route, want)
	}
	codes, err := s.Qualify(ctx, "bob@acme.example")
	if err != nil || codes["sip:answer@198.51.100.9"] != 200 {
		t.Errorf("qualify %v, %v", codes, err)
	}
}

func TestContactWithoutPathIsCalledWhereItCameFrom(t *testing.T) {
	s := registrarSwitch(t, SwitchOptions{ToSource: true})
	p, _ := enrolled(t, "bob@acme.example", s, nil)
	_, hop, _ := s.way(s.Bindings()[0])
	if hop != p.addr.String() {
		t.Errorf("called at %s, not at %s", hop, p.addr)
	}
	if codes, err := s.Qualify(soon(t), "bob@acme.example"); err != nil || codes[p.Contact()] != 200 {
		t.Errorf("qualify %v, %v", codes, err)
	}
}

// What a REGISTER's 2xx says, option by option.
func TestWhatA2xxLists(t *testing.T) {
	const route = "<sip:edge.example;lr>"
	for name, c := range map[string]struct {
		o      SwitchOptions
		listed int
		path   bool
		route  string
	}{
		"all":           {SwitchOptions{}, 2, true, ""},
		"last":          {SwitchOptions{ListLast: true}, 1, true, ""},
		"no path":       {SwitchOptions{NoPath: true}, 2, false, ""},
		"service route": {SwitchOptions{ServiceRoute: route}, 2, true, route},
	} {
		t.Run(name, func(t *testing.T) {
			s := registrarSwitch(t, c.o)
			_, _ = enrolled(t, "bob@acme.example", s, nil)
			p, _ := deskPhone(t, "bob@acme.example", s, nil)
			_, res, err := p.exchange(soon(t), func() *sip.Request {
				req := p.register(time.Hour)
				req.AppendHeader(sip.NewHeader("Path", "<sip:f1@"+netip.AddrPortFrom(loopback, 5060).String()+";lr>"))
				return req
			})
			if err != nil {
				t.Fatal(err)
			}
			if n := len(res.GetHeaders("Contact")); n != c.listed {
				t.Errorf("%d contacts listed, want %d", n, c.listed)
			}
			if got := res.GetHeader("Path") != nil; got != c.path {
				t.Errorf("path repeated: %v", got)
			}
			if h := res.GetHeader("Service-Route"); (h == nil) != (c.route == "") || h != nil && h.Value() != c.route {
				t.Errorf("service route %v", h)
			}
		})
	}
}

func TestTooBriefSaysHowLong(t *testing.T) {
	s := registrarSwitch(t, SwitchOptions{MinExpires: 2 * time.Minute})
	p, _ := deskPhone(t, "bob@acme.example", s, nil)
	_, res, err := p.exchange(soon(t), func() *sip.Request { return p.register(time.Minute) })
	if err != nil {
		t.Fatal(err)
	}
	if h := res.GetHeader("Min-Expires"); res.StatusCode != 423 || h == nil || h.Value() != "120" {
		t.Errorf("%d, Min-Expires %v", res.StatusCode, h)
	}
}
