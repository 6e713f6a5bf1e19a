package shadow

import (
	"strings"
	"testing"
	"time"

	"github.com/hotcut/hotcut/policy"
	"github.com/hotcut/hotcut/proxy/tap"
	"github.com/hotcut/hotcut/proxy/wire"
)

func phone(n int) tap.Binding {
	u := itoa(1000 + n)
	return tap.Binding{ID: "id" + u, AoR: "sip:" + u + "@acme.example", To: "sip:" + u + "@acme.example", User: u, Here: true}
}

// registrar is what a dark core holds: Contacts by address-of-record.
func registrarOfCore(w *world) map[string]bool {
	held := map[string]bool{}
	w.core.register = func(r *wire.Message) (int, string) {
		key := string(r.To.URI.Of(r.Raw)) + " " + firstURI(r, wire.HContact)
		if v := value(r, wire.HExpires); v == "0" {
			delete(held, key)
			return 200, ""
		}
		held[key] = true
		return 200, "Contact: <" + firstURI(r, wire.HContact) + ">;expires=120\r\n"
	}
	return held
}

func TestEveryLiveBindingIsRegisteredAndRemoved(t *testing.T) {
	w := newWorld(t)
	held := registrarOfCore(w)
	for n := range 10 {
		w.phones = append(w.phones, phone(n))
	}
	elsewhere := phone(99)
	elsewhere.Here = false // another edge's, which has its sink
	w.phones = append(w.phones, elsewhere)
	w.run(15 * time.Second)
	if len(held) != 10 || w.m.snapshotStats().Bindings != 10 {
		t.Fatalf("%d held, %d by our count", len(held), w.m.snapshotStats().Bindings)
	}
	for k := range held {
		if !strings.Contains(k, "sip:"+tap.SinkUser) || !strings.HasSuffix(k, "@"+sinkAddr.String()) {
			t.Errorf("held: %s", k)
		}
	}
	before := w.core.requests["REGISTER"]
	w.run(5 * time.Minute)
	if n := w.core.requests["REGISTER"] - before; n < 40 || n > 60 {
		t.Errorf("%d refreshes of ten bindings of 120 s in 5 minutes, about 50 were expected", n)
	}
	w.phones = w.phones[:4]
	w.run(15 * time.Second)
	if len(held) != 4 {
		t.Errorf("%d held after six phones left", len(held))
	}
	w.snap = snapshotOf(t, policy.StageLegacy, 0)
	w.run(15 * time.Second)
	if len(held) != 0 || len(w.m.tokens) != 0 {
		t.Errorf("%d held, %d tokens after the end", len(held), len(w.m.tokens))
	}
	w.rest()
}

func TestRegistersArePaced(t *testing.T) {
	w := newWorld(t, func(o *Options) { o.RegisterPer = 10 })
	registrarOfCore(w)
	for n := range 300 {
		w.phones = append(w.phones, phone(n))
	}
	w.run(lookEvery - time.Millisecond)
	w.run(10 * time.Second)
	if n := w.core.requests["REGISTER"]; n < 80 || n > 120 {
		t.Errorf("%d REGISTERs in 10 s at 10 per second", n)
	}
	w.run(40 * time.Second)
	if n := w.m.snapshotStats().Bindings; n != 300 {
		t.Errorf("%d are held", n)
	}
}

func TestADarkCoreThatRefusesIsAskedAgainLater(t *testing.T) {
	w := newWorld(t)
	w.core.register = func(*wire.Message) (int, string) { return 403, "" }
	w.phones = []tap.Binding{phone(1)}
	w.run(50 * time.Second)
	if n := w.core.requests["REGISTER"]; n != 1 {
		t.Errorf("%d REGISTERs within a minute of a refusal", n)
	}
	w.run(40 * time.Second)
	if n := w.core.requests["REGISTER"]; n != 2 {
		t.Errorf("%d REGISTERs after it", n)
	}
}

// What a phone's REGISTER is compared by is the binding that our own made.
func TestAComparedRegisterHasTheBindingsToken(t *testing.T) {
	w := newWorld(t)
	held := registrarOfCore(w)
	b := phone(1)
	b.Instance = "<urn:uuid:7>"
	w.phones = []tap.Binding{b}
	w.run(15 * time.Second)
	k := w.talk("r", "1001", "1001")
	raw := ""
	k.tapped = func(_ tap.Event, text string) { raw = text }
	k.request("REGISTER", false, false, "Expires: 60\r\n", "")
	raw = strings.Replace(raw, "Contact: <sip:1001@203.0.113.77:41999>", "Contact: <sip:1001@203.0.113.77:41999>;+sip.instance=\"<urn:uuid:7>\"", 1)
	w.m.tapped(w.now, &tap.Event{At: w.now, Kind: tap.Request, Leg: tap.Near, Tenant: "acme", Party: tap.Phone}, []byte(raw))
	w.flush()
	w.run(time.Second)
	if len(held) != 1 {
		t.Errorf("held: %v", held)
	}
}
