package proxy

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hotcut/hotcut/policy"
	"github.com/hotcut/hotcut/proxy/config"
	"github.com/hotcut/hotcut/proxy/location"
)

// register sends a REGISTER of sip:anna@DOMAIN with these Contact and other header lines.
func (p *peer) register(to string, cseq int, domain, lines string) {
	p.t.Helper()
	p.send(to, fmt.Sprintf("REGISTER sip:%s SIP/2.0\nVia: SIP/2.0/UDP %s;branch=z9hG4bKreg%d\nMax-Forwards: 70\nFrom: <sip:anna@%s>;tag=r\nTo: <sip:anna@%s>\nCall-ID: reg-%s\nCSeq: %d REGISTER\n%sContent-Length: 0\n\n",
		domain, p.addr(), cseq, domain, domain, strings.ReplaceAll(p.addr(), ":", "."), cseq, lines))
}

// confirm answers a REGISTER with 200 and these header lines, without a Contact of its own.
func (p *peer) confirm(m message, lines string) {
	p.t.Helper()
	text := answerTo(m, "200 OK", lines, p.addr())
	contact := text[strings.Index(text, "Contact: <sip:callee"):]
	p.send(m.from.String(), strings.Replace(text, contact[:strings.Index(contact, "\n")+1], "", 1))
}

// bindings of anna, by the user part of their Contact: of those with one user the newest.
func (w *world) bindings(domain string) map[string]*location.Binding {
	list := map[string]*location.Binding{}
	id, _, _ := strings.Cut(domain, ".")
	for _, b := range w.edge.location.OfAoR(id, "anna@"+domain) {
		user, _, _ := strings.Cut(strings.TrimPrefix(b.URI, "sip:"), "@")
		if old := list[user]; old == nil || old.Stamp < b.Stamp {
			list[user] = b
		}
	}
	return list
}

// registered runs one REGISTER to its 200 and gives what the platform saw.
func (w *world) registered(on *peer, cseq int, contacts, answer string) (message, message) {
	w.t.Helper()
	w.phone.register(w.out, cseq, "acme.example", contacts)
	m := on.want("REGISTER ")
	on.confirm(m, answer)
	return m, w.phone.want("SIP/2.0 200")
}

func left(until int64) int64 { return until - time.Now().Unix() }

func about(got, want int64) bool { return got <= want && got > want-30 }

// Only what a 2xx confirms is bound, for as long as it says.
func TestBindWhatIsConfirmed(t *testing.T) {
	t.Parallel()
	w := newWorld(t, tenant("acme", policy.StageLegacy)).start()
	one := "Contact: <sip:one@192.0.2.1:5060;ob>;q=0.5;expires=600\n"
	for i, c := range []struct {
		name, contacts, answer string
		want                   map[string]int64 // seconds by user
	}{
		{"the Contact's own expires", one, "Contact: <sip:one@192.0.2.1:5060;ob>;expires=300\nExpires: 900\n", map[string]int64{"one": 300}},
		{"else Expires", one, "Contact: <sip:one@192.0.2.1:5060;ob>\nExpires: 500\n", map[string]int64{"one": 500}},
		{"else as asked", one, "Contact: <sip:one@192.0.2.1:5060;ob>\n", map[string]int64{"one": 600}},
		{"compact, without brackets, host in another case", "m: sip:one@Phone.example;expires=70\n", "m: <sip:one@phone.EXAMPLE>;expires=60\n", map[string]int64{"one": 60}},
		{"no list at all", one, "Expires: 400\n", map[string]int64{"one": 400}},
		{"another's contact is not ours", one, "Contact: <sip:two@192.0.2.9>;expires=300\n", map[string]int64{}},
		{"two of one request", one + "Contact: <sip:two@192.0.2.2>;expires=60\n", "Contact: <sip:two@192.0.2.2>;expires=55, <sip:one@192.0.2.1:5060;ob>;expires=300\n",
			map[string]int64{"one": 300, "two": 55}},
		{"the registrar lists only the last", one + "Contact: <sip:two@192.0.2.2>;expires=60\n", "Contact: <sip:two@192.0.2.2>;expires=55\n", map[string]int64{"two": 55}},
		{"a query", "", "Contact: <sip:one@192.0.2.1>;expires=300\n", map[string]int64{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			w.phone.register(w.out, 2*i+1, "acme.example", c.contacts)
			m := w.legacy.want("REGISTER ")
			w.legacy.confirm(m, c.answer)
			w.phone.want("SIP/2.0 200")
			got := w.bindings("acme.example")
			for user, want := range c.want {
				b := got[user]
				if b == nil || !about(left(b.Told), want) || !about(left(b.Of(location.Legacy).Until), want) || b.Of(location.Core).Until != 0 || b.Of(location.Legacy).Own {
					t.Errorf("%s: %+v, want it for %d s on legacy", user, b, want)
				}
			}
			live := 0
			for _, b := range got {
				if b.Until() > time.Now().Unix() {
					live++
				}
			}
			if live != len(c.want) {
				t.Errorf("%d bindings, want %d", live, len(c.want))
			}
			w.registered(w.legacy, 2*i+2, "Contact: *\nExpires: 0\n", "")
			for user, b := range w.bindings("acme.example") {
				if b.Until() > time.Now().Unix() {
					t.Errorf("Contact: * left %s", user)
				}
			}
		})
	}
}

// A refusal evicts nothing, and what is un-registered is gone at once; registered again, it is the same binding.
func TestUnregister(t *testing.T) {
	t.Parallel()
	w := newWorld(t, tenant("acme", policy.StageLegacy)).start()
	const contact, listed = "Contact: <sip:one@192.0.2.1>;expires=600\n", "Contact: <sip:one@192.0.2.1>;expires=600\n"
	w.registered(w.legacy, 1, contact, listed)
	id := w.bindings("acme.example")["one"].ID
	w.phone.register(w.out, 2, "acme.example", contact)
	w.legacy.reply(w.legacy.want("REGISTER "), "403 Forbidden", "")
	w.phone.want("SIP/2.0 403")
	if b := w.bindings("acme.example")["one"]; b == nil || !about(left(b.Told), 600) {
		t.Fatalf("after 403: %+v", b)
	}
	w.registered(w.legacy, 3, "Contact: <sip:one@192.0.2.1>;expires=0\n", "")
	if b := w.bindings("acme.example")["one"]; b == nil || b.Until() != 0 {
		t.Fatalf("after un-REGISTER: %+v", b)
	}
	w.registered(w.legacy, 4, contact, listed)
	if b := w.bindings("acme.example")["one"]; b == nil || b.ID != id || !about(left(b.Told), 600) {
		t.Fatalf("registered again: %+v, id was %s", b, id)
	}
}

// A target without Path is told our Contact, the phone never sees it, and the platform reaches the phone by it.
func TestReachByContact(t *testing.T) {
	t.Parallel()
	w := newWorld(t, tenant("acme", policy.StageLegacy))
	w.cfg.Platforms.Legacy.Targets[0].ReachBack = "contact"
	w.start()
	second := newPeer(t)
	const lines = "Contact: \"Anna\" <sip:one@192.0.2.1:5060;transport=tcp;line=a1>;q=0.7;+sip.instance=\"<urn:uuid:1>\";expires=600\n"
	m, _ := func() (message, message) {
		w.phone.register(w.out, 1, "acme.example", lines)
		m := w.legacy.want("REGISTER ")
		w.legacy.confirm(m, "Contact: "+m.headers("Contact")[0]+"\n")
		return m, w.phone.want("SIP/2.0 200")
	}()
	b := w.bindings("acme.example")["one"]
	if b == nil {
		t.Fatal("nothing was bound")
	}
	want := fmt.Sprintf(`"Anna" <sip:%s@%s;line=a1>;q=0.7;+sip.instance="<urn:uuid:1>";expires=600`, b.ID, w.in)
	if got := m.headers("Contact"); !slices.Equal(got, []string{want}) || len(m.headers("Path")) != 0 {
		t.Errorf("the target was told %q, Path %q, want %s", got, m.headers("Path"), want)
	}

	// Another device: its 2xx lists both, each in its own words.
	second.register(w.out, 1, "acme.example", "Contact: sip:two@192.0.2.2\n")
	m2 := w.legacy.want("REGISTER ")
	w.legacy.confirm(m2, fmt.Sprintf("Contact: %s, %s;expires=300\nContact: <sip:else@192.0.2.3>;expires=9\n", m.headers("Contact")[0], m2.headers("Contact")[0]))
	ok := second.want("SIP/2.0 200")
	if got := strings.Join(ok.headers("Contact"), "|"); !strings.Contains(got, "<sip:one@192.0.2.1:5060;transport=tcp;line=a1>;q=0.7") ||
		!strings.Contains(got, "<sip:two@192.0.2.2>;expires=300") || !strings.Contains(got, "<sip:else@192.0.2.3>") || strings.Contains(got, w.in) {
		t.Errorf("the phone was told %q", got)
	}
	if n := len(w.bindings("acme.example")); n != 2 {
		t.Errorf("%d bindings, want 2: what else is listed is not this flow's", n)
	}

	// The platform calls what it was told.
	in := &call{w: w, by: w.legacy, id: "in", domain: "acme.example", to: "<sip:anna@acme.example>"}
	w.legacy.send(w.in, in.request("INVITE", 1, fmt.Sprintf("sip:%s@%s;line=a1", b.ID, w.in), ""))
	inv := w.phone.want("INVITE sip:one@192.0.2.1:5060;transport=tcp;line=a1 ")
	w.phone.reply(inv, "200 OK", "")
	in.answered(w.legacy.wantFinal("SIP/2.0 200"))
	w.legacy.send(w.in, in.request("ACK", 1, in.remote, ""))
	w.phone.want("ACK ")
	w.legacy.send(w.in, in.request("BYE", 2, in.remote, ""))
	w.phone.reply(w.phone.want("BYE "), "200 OK", "")
	w.legacy.want("SIP/2.0 200")

	// An id that nobody has, and one from outside.
	ping := &call{w: w, by: w.legacy, id: "ping", domain: "acme.example", to: "<sip:anna@acme.example>"}
	w.legacy.send(w.in, ping.request("OPTIONS", 1, "sip:0000000000000000@"+w.in, ""))
	w.legacy.want("SIP/2.0 4")
	out := &call{w: w, by: w.phone, id: "x", domain: "acme.example", to: "<sip:anna@acme.example>"}
	w.phone.send(w.out, out.request("INVITE", 1, fmt.Sprintf("sip:%s@%s", b.ID, w.in), ""))
	w.legacy.want("INVITE ") // to be refused there: an id is no way in from outside
}

// What no registrar should see is refused here.
func TestBadRegister(t *testing.T) {
	t.Parallel()
	w := newWorld(t, tenant("acme", policy.StageLegacy)).start()
	many := strings.Repeat("Contact: <sip:a@192.0.2.1>\n", maxContacts+1)
	for i, lines := range []string{
		"Contact: <sip:anna@" + w.in + ">\n",
		"Contact: <sip:anna@sip.provider.test;transport=tcp>\n",
		"Contact: <sip:anna@192.0.2.1>;x=" + strings.Repeat("y", maxContactSize) + "\n",
		"Contact: <sip:anna@192.0.2.1>\nExpires: 4294967296\n",
		"Contact: <sip:anna@192.0.2.1>;expires=4294967296\n",
		"Contact: <sip:anna@192.0.2.1>;expires=-1\n",
		"Contact: <sip:anna@192.0.2.1>\nExpires: soon\n",
		many,
	} {
		w.phone.register(w.out, i+1, "acme.example", lines)
		w.phone.want("SIP/2.0 400")
		w.legacy.silent()
	}
	w.registered(w.legacy, 100, "Contact: <sip:anna@192.0.2.1>\nExpires: 4294967295\n", "Contact: <sip:anna@192.0.2.1>;expires=3600\n")
}

// A registrar's 423 is the phone's business.
func TestTooBriefPasses(t *testing.T) {
	t.Parallel()
	w := newWorld(t, tenant("acme", policy.StageLegacy)).start()
	w.phone.register(w.out, 1, "acme.example", "Contact: <sip:one@192.0.2.1>;expires=10\n")
	w.legacy.reply(w.legacy.want("REGISTER "), "423 Interval Too Brief", "Min-Expires: 120\n")
	if m := w.phone.want("SIP/2.0 423"); !slices.Equal(m.headers("Min-Expires"), []string{"120"}) || len(w.bindings("acme.example")) != 0 {
		t.Errorf("got\n%s", m.text)
	}
}

// While a tenant is armed its phones come back soon, and legacy holds them for long.
func TestClamp(t *testing.T) {
	t.Parallel()
	acme := tenant("acme", policy.StageLegacy)
	acme.Phase = &policy.Phase{Name: policy.PhaseArmed, Until: time.Now().Unix() + 3600}
	w := newWorld(t, acme).start()
	for i, c := range []struct {
		contact, expires, granted string
		asked                     string // seen by the platform
		low, high                 int64  // told
		held                      int64
	}{
		{"<sip:one@192.0.2.1>;expires=600", "", "86400", ";expires=86400", 90, 150, 86400},
		{"<sip:one@192.0.2.1>", "Expires: 600\n", "3600", "Expires: 86400", 90, 150, 3600},
		{"<sip:one@192.0.2.1>", "", "3600", "Expires: 86400", 90, 150, 3600},
		{"<sip:one@192.0.2.1>;expires=100", "", "86400", ";expires=86400", 90, 100, 86400},
		{"<sip:one@192.0.2.1>;expires=60", "", "60", ";expires=86400", 60, 60, 60},
		{"<sip:one@192.0.2.1;pn-provider=acme;pn-prid=1>;expires=600", "", "600", ";expires=86400", 600, 600, 600},
		{"<sip:one@192.0.2.1>;expires=100000", "", "100000", ";expires=100000", 90, 150, 100000},
	} {
		uri := c.contact[:strings.Index(c.contact, ">")+1]
		answer := "Contact: " + uri + ";expires=" + c.granted + "\nContact: <sip:other@192.0.2.7>;expires=3000\nExpires: " + c.granted + "\n"
		m, ok := w.registered(w.legacy, i+1, "Contact: "+c.contact+"\n"+c.expires, answer)
		if !strings.Contains(m.text, c.asked) {
			t.Errorf("%s: asked\n%s", c.contact, m.text)
		}
		var told int64
		if _, err := fmt.Sscanf(strings.TrimPrefix(ok.headers("Contact")[0], uri), ";expires=%d", &told); err != nil || told < c.low || told > c.high {
			t.Errorf("%s: told %q, want %d to %d", c.contact, ok.headers("Contact")[0], c.low, c.high)
		}
		if e := ok.headers("Expires")[0]; e != fmt.Sprint(told) {
			t.Errorf("%s: Expires %s, told %d", c.contact, e, told)
		}
		if ok.headers("Contact")[1] != "<sip:other@192.0.2.7>;expires=3000" {
			t.Errorf("another device was told %s", ok.headers("Contact")[1])
		}
		if b := w.bindings("acme.example")["one"]; !about(left(b.Told), told) {
			t.Errorf("%s: bound %+v", c.contact, b)
		} else if h := left(b.Of(location.Legacy).Until); !about(h, c.held) {
			t.Errorf("%s: held for %d s, want %d", c.contact, h, c.held)
		}
	}
}

// A tenant may have a limited number of phones; those that it has may always come back.
func TestLimitOfRegistrations(t *testing.T) {
	t.Parallel()
	acme := tenant("acme", policy.StageLegacy)
	acme.Limits.Registrations = 1
	w := newWorld(t, acme).start()
	const one = "Contact: <sip:one@192.0.2.1>;expires=600\n"
	w.registered(w.legacy, 1, one, one)
	w.phone.register(w.out, 2, "acme.example", "Contact: <sip:two@192.0.2.2>\n")
	w.phone.want("SIP/2.0 503")
	w.registered(w.legacy, 3, one, one)
	w.registered(w.legacy, 4, "Contact: <sip:one@192.0.2.1>;expires=0\n", "")
	w.registered(w.legacy, 5, "Contact: <sip:two@192.0.2.2>\n", "Contact: <sip:two@192.0.2.2>;expires=600\n")
}

// The platform's path for what its phones send is kept with the binding, and applied here.
func TestServiceRoute(t *testing.T) {
	t.Parallel()
	w := newWorld(t, tenant("acme", policy.StageLegacy)).start()
	const one = "Contact: <sip:one@192.0.2.1>;expires=600\n"
	_, ok := w.registered(w.legacy, 1, one, one+"Service-Route: <sip:orig@legacy.example;lr>, <sip:b@legacy.example;lr>\n")
	if len(ok.headers("Service-Route")) != 0 {
		t.Errorf("the phone would route by it:\n%s", ok.text)
	}
	w.invite("a", "acme.example", "")
	if inv := w.legacy.want("INVITE "); !slices.Equal(inv.headers("Route"), []string{"<sip:orig@legacy.example;lr>, <sip:b@legacy.example;lr>"}) {
		t.Errorf("Route %q", inv.headers("Route"))
	}
}

// REGISTERs for one target are spaced; nobody is refused for it, and nothing is lost.
func TestRegistersAreSpaced(t *testing.T) {
	t.Parallel()
	w := newWorld(t, tenant("acme", policy.StageLegacy))
	w.cfg.Platforms.Legacy.Targets[0].RegisterRate = 20
	w.cfg.Limits.SourceRate, w.cfg.Limits.SourceBurst = 1000, 1000
	w.start()
	began := time.Now()
	for i := range 30 {
		w.phone.register(w.out, i+1, "acme.example", "Contact: <sip:one@192.0.2.1>;expires=600\n")
	}
	for range 30 {
		w.legacy.confirm(w.legacy.want("REGISTER "), "Contact: <sip:one@192.0.2.1>;expires=600\n")
	}
	if d := time.Since(began); d < 1300*time.Millisecond {
		t.Errorf("30 REGISTERs in %v at 20 a second", d)
	}
	for range 30 {
		w.phone.want("SIP/2.0 200")
	}
}

func TestShaper(t *testing.T) {
	x := newShaper(100)
	now := int64(1e18)
	for i := range 1000 {
		wait, ok := x.reserve(now, shapeWait)
		due := time.Duration(i)*10*time.Millisecond - shapeBurst
		switch {
		case due <= shapeWait && (!ok || wait != max(due, 0)):
			t.Fatalf("%d: %v, %v, want %v", i, wait, ok, due)
		case due > shapeWait && ok:
			t.Fatalf("%d: it may wait %v", i, wait)
		}
	}
	if _, ok := x.reserve(now, shapeNew); ok {
		t.Error("a phone that nobody knows waits as long as one of ours")
	}
	if wait, ok := x.reserve(now+int64(time.Minute), shapeNew); wait != 0 || !ok {
		t.Errorf("a minute later: %v, %v", wait, ok)
	}
}

// A platform registers at a carrier: the calls come to us, and the platform never sees that.
func TestPlatformRegistersAtCarrier(t *testing.T) {
	t.Parallel()
	w := newWorld(t, tenant("acme", policy.StageLegacy))
	carrier := newPeer(t)
	w.cfg.Carriers = []config.Carrier{{Name: "carrier-a", URI: "sip:" + carrier.addr(), Sources: []string{carrier.addr()}}}
	w.start()
	mine := "<sip:trunk7@" + w.legacy.addr() + ";line=1>"
	c := &call{w: w, by: w.legacy, id: "reg", domain: "acme.example", to: "<sip:trunk7@carrier.example>"}
	w.legacy.send(w.in, strings.Replace(c.request("REGISTER", 1, "sip:"+carrier.addr(), "Expires: 600\n"), "<sip:anna@"+w.legacy.addr()+">", mine, 1))
	m := carrier.want("REGISTER ")
	ours := "<sip:trunk7@" + w.out + ">"
	if got := m.headers("Contact"); !slices.Equal(got, []string{ours}) {
		t.Errorf("the carrier was told %q, want %s", got, ours)
	}
	carrier.confirm(m, "Contact: "+ours+";expires=300, <sip:trunk7@192.0.2.1>;expires=20\n")
	if ok := w.legacy.want("SIP/2.0 200"); !strings.Contains(ok.text, mine+";expires=300, <sip:trunk7@192.0.2.1>;expires=20") {
		t.Errorf("the platform got\n%s", ok.text)
	}
}
