package proxy

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hotcut/hotcut/policy"
	"github.com/hotcut/hotcut/proxy/location"
)

func TestKeepWanted(t *testing.T) {
	const now = 1_000_000
	held := func(until, lasts int64, own bool) location.Hold {
		return location.Hold{Until: until, Lasts: lasts, Own: own, Stamp: (now - 100) * 1e6}
	}
	core := policy.Decision{Platform: policy.Core, Keep: policy.Legacy}
	for _, c := range []struct {
		name    string
		told    int64
		legacy  location.Hold
		core    location.Hold
		d       policy.Decision
		byPhone bool
		wantL   want
		wantC   want
	}{
		{name: "both know it", told: now + 100, legacy: held(now+3000, 3600, true), core: held(now+100, 120, false), d: core,
			wantL: want{at: now + 1200}},
		{name: "flip: core does not know it", told: now + 100, legacy: held(now+3000, 3600, false), d: core,
			wantL: want{at: now + 1200}, wantC: want{at: now, urgent: true}},
		{name: "kept nowhere yet", told: now + 100, core: held(now+100, 120, false), d: core, wantL: want{at: now}},
		{name: "handed over, the phone has not come yet", told: now + 100, core: held(now+1000, 3600, true), d: core,
			wantL: want{at: now}, wantC: want{at: now - 800}},
		{name: "done keeps nothing", told: now + 100, core: held(now+100, 120, false), d: policy.Decision{Platform: policy.Core}},
		{name: "rolled back", told: now + 100, core: held(now+1000, 3600, true), d: policy.Decision{Platform: policy.Legacy},
			wantL: want{at: now, urgent: true}},
		{name: "un-registered: the other side still has it", legacy: held(now+3000, 3600, true), d: core, wantL: want{at: now, remove: true}},
		{name: "un-registered: the phone's own on the other side too", legacy: held(now+3000, 3600, false), d: core, wantL: want{at: now, remove: true}},
		{name: "un-registered: never on the one that serves", legacy: held(now+3000, 3600, true), core: held(now+3000, 3600, true),
			d: policy.Decision{Platform: policy.Legacy}, wantC: want{at: now, remove: true}},
		{name: "gone without a word", told: now - 1, legacy: held(now+3000, 3600, true), d: core},
		{name: "the platform that serves lost it early", told: now + 100, core: held(now+50, 60, false), d: policy.Decision{Platform: policy.Core},
			wantC: want{at: now + 50, urgent: true}},
		{name: "by the phone's CSeq, used", told: now + 100, legacy: held(now+3000, 3600, true), core: held(now+100, 120, false), d: core,
			byPhone: true, wantL: want{at: now + 3000}},
		{name: "nobody serves", told: now + 100, d: policy.Decision{}},
	} {
		b := &location.Binding{Told: c.told, Stamp: (now - 200) * 1e6, Holds: [2]location.Hold{c.legacy, c.core}}
		if got := wanted(b, c.d, policy.Legacy, c.byPhone, 0, now); got != c.wantL {
			t.Errorf("%s: legacy is to be told %+v, want %+v", c.name, got, c.wantL)
		}
		if got := wanted(b, c.d, policy.Core, c.byPhone, 0, now); got != c.wantC {
			t.Errorf("%s: core is to be told %+v, want %+v", c.name, got, c.wantC)
		}
	}
	b := &location.Binding{Told: now + 120, Stamp: now * 1e6, Holds: [2]location.Hold{held(now+200, 3600, true), {}}}
	if got := wanted(b, core, policy.Legacy, true, 0, now); got != (want{at: now}) {
		t.Errorf("a new CSeq, and the hold ends before the next: %+v", got)
	}
	b.Holds[0].Until = now + 3000
	if got := wanted(b, core, policy.Legacy, true, 0, now); got.at <= now {
		t.Errorf("a new CSeq, but the hold lasts: %+v", got)
	}
}

func asIs(*target) {}

// Served by core, a phone is kept on legacy with the Contact that it would show there itself, for as long as it is alive.
func TestKeepOnLegacy(t *testing.T) {
	t.Parallel()
	w := newKeepWorld(t, asIs)
	w.stage(policy.StageCore)
	b := w.phone("anna", policy.Core, 300, 300)
	w.pass(time.Second)
	w.wantHold(b, policy.Legacy, "own 3600")
	m := w.wantHeard(w.legacy, 1)
	w.wantHeard(w.core, 0)
	for _, c := range [][2]string{
		{"From", "<sip:anna@acme.example>;tag="}, {"To", "<sip:anna@acme.example>"}, {"P-Asserted-Identity", "<sip:anna@acme.example>"},
		{"Contact", b.Contact}, {"Expires", "3600"}, {"Path", "<sip:" + b.ID.String() + "."}, {"Max-Forwards", "70"}, {"Supported", "path"},
		{"Via", "SIP/2.0/UDP 10.9.0.1:5080;branch=" + ownBranch},
	} {
		if h := m.headers(c[0]); len(h) != 1 || !strings.HasPrefix(h[0], c[1]) {
			t.Errorf("%s: %q, want %q in\n%s", c[0], h, c[1], m.text)
		}
	}
	if h := m.headers("User-Agent"); len(h) != 0 || !strings.HasPrefix(m.text, "REGISTER sip:acme.example SIP/2.0\r\n") {
		t.Errorf("%s", m.text)
	}

	// While the phone lives, at half of what was granted; from another edge it would be the same registration.
	w.pass(29 * time.Minute)
	for range 7 {
		w.phone("anna", policy.Core, 300, 300)
		w.pass(4 * time.Minute)
	}
	w.wantHeard(w.legacy, 2)
	one, two := w.legacy.got[0], w.legacy.got[1]
	if one.headers("Call-ID")[0] != two.headers("Call-ID")[0] || one.headers("CSeq")[0] >= two.headers("CSeq")[0] ||
		one.headers("Path")[0] != two.headers("Path")[0] || one.headers("From")[0] != two.headers("From")[0] {
		t.Errorf("another registration:\n%s\n%s", one.text, two.text)
	}

	// When the phone is gone, nothing more is sent, and the keeper forgets it.
	w.pass(3 * time.Hour)
	w.wantHeard(w.legacy, 2)
	if n := len(w.edge.keeper.kept); n != 0 {
		t.Errorf("%d bindings are still kept", n)
	}
}

// At a flip core hears of every phone at once, before any has refreshed; on the way back likewise.
func TestKeepHandOver(t *testing.T) {
	t.Parallel()
	w := newKeepWorld(t, asIs)
	w.stage(policy.StageLegacy)
	var all []*location.Binding
	for _, u := range []string{"anna", "bob", "carl"} {
		all = append(all, w.phone(u, policy.Legacy, 3600, 3600))
	}
	w.pass(time.Minute)
	w.wantHeard(w.legacy, 0)
	w.wantHeard(w.core, 0)
	w.stage(policy.StageCore)
	w.pass(100 * time.Millisecond)
	w.wantHeard(w.core, 3)
	w.wantHeard(w.legacy, 0) // it has them for long enough
	for _, b := range all {
		w.wantHold(b, policy.Core, "own 3600")
	}

	// The phone's own refresh takes over; there is nothing to be undone.
	b := w.phone("anna", policy.Core, 120, 120)
	w.pass(time.Second)
	w.wantHeard(w.core, 3)
	w.wantHold(b, policy.Core, "phone 120")

	w.set(func(x *policy.Tenant) { x.Stage, x.RolledBack = policy.StageCore, true })
	w.pass(time.Second)
	w.wantHeard(w.legacy, 0) // all of them are there
	w.pass(15 * time.Minute)
	w.wantHeard(w.core, 3) // brought home: the platform that failed is told nothing
}

// Whoever un-registers is taken from the platform that does not serve; who comes back at once is put there again.
func TestKeepUnregister(t *testing.T) {
	t.Parallel()
	w := newKeepWorld(t, asIs)
	w.stage(policy.StageCore)
	b := w.phone("anna", policy.Core, 300, 300)
	w.pass(time.Second)
	w.phone("anna", policy.Core, 0, 0)
	w.phone("anna", policy.Core, 0, 0)
	w.pass(20 * time.Millisecond) // the un-REGISTER is on its way
	w.phone("anna", policy.Core, 300, 300)
	w.pass(time.Second)
	w.wantHold(b, policy.Legacy, "own 3600")
	w.wantHeard(w.legacy, 3)
	if got := w.legacy.got[1].headers("Expires")[0]; got != "0" {
		t.Errorf("Expires %s", got)
	}
	w.phone("anna", policy.Core, 0, 0)
	w.pass(time.Second)
	w.wantHold(b, policy.Legacy, "none")
	w.wantHeard(w.core, 0)
	if len(w.legacy.contacts) != 0 {
		t.Errorf("legacy still has %v", w.legacy.contacts)
	}
	w.pass(time.Hour)
	w.wantHeard(w.legacy, 4)
}

// Only the newest state counts: a phone that un-registers while we register it elsewhere is taken away again.
func TestKeepOvertaken(t *testing.T) {
	t.Parallel()
	w := newKeepWorld(t, asIs)
	w.stage(policy.StageCore)
	w.legacy.dead = true
	b := w.phone("anna", policy.Core, 300, 300)
	w.pass(time.Second)
	w.phone("anna", policy.Core, 0, 0)
	w.legacy.dead = false
	w.pass(3 * time.Second) // the repetition arrives
	w.wantHold(b, policy.Legacy, "none")
	if len(w.legacy.contacts) != 0 {
		t.Errorf("legacy still has %v", w.legacy.contacts)
	}
}

// A target without Path is shown our Contact, with everything that is the phone's but user, host and transport.
func TestKeepByContact(t *testing.T) {
	t.Parallel()
	w := newKeepWorld(t, func(x *target) { x.byContact = true })
	w.stage(policy.StageCore)
	b := w.phone("anna", policy.Core, 300, 300)
	w.pass(time.Second)
	m := w.wantHeard(w.legacy, 1)
	want := `"Desk" <sip:` + b.ID.String() + `@10.9.0.1:5070;x=y>;q=0.7;+sip.instance="<urn:uuid:1>"`
	if got := m.headers("Contact"); len(got) != 1 || got[0] != want || len(m.headers("Path")) != 0 {
		t.Errorf("Contact %q, want %q; Path %q", got, want, m.headers("Path"))
	}
	w.wantHold(b, policy.Legacy, "own 3600")
}

func writeSecrets(t testing.TB, lines string) string {
	file := filepath.Join(t.TempDir(), "secrets")
	if err := os.WriteFile(file, []byte(lines), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// keep: digest answers the challenge, and uses the nonce until it is refused.
func TestKeepDigest(t *testing.T) {
	t.Parallel()
	w := newKeepWorld(t, func(x *target) { x.keep = keepDigest })
	w.legacy.secret, w.legacy.most = "tiger", 600
	if err := w.edge.keeper.loadSecrets(writeSecrets(t, "anna@acme.example r password:tiger\nbob@acme.example r password:wrong\n")); err != nil {
		t.Fatal(err)
	}
	w.stage(policy.StageCore)
	b := w.phone("anna", policy.Core, 7200, 7200)
	w.pass(time.Second)
	w.wantHold(b, policy.Legacy, "own 600")
	if m := w.wantHeard(w.legacy, 2); len(m.headers("P-Asserted-Identity")) != 0 || !strings.Contains(m.headers("Authorization")[0], "nc=00000001") {
		t.Errorf("%s", m.text)
	}
	w.pass(5 * time.Minute)
	if m := w.wantHeard(w.legacy, 3); !strings.Contains(m.headers("Authorization")[0], "nc=00000002") {
		t.Errorf("%s", m.text)
	}
	w.legacy.nonce++
	w.pass(5 * time.Minute)
	if m := w.wantHeard(w.legacy, 5); !strings.Contains(m.headers("Authorization")[0], "nc=00000001") {
		t.Errorf("%s", m.text)
	}
	w.wantHold(b, policy.Legacy, "own 600")

	// A wrong password, and none: neither floods the registrar, both are alarms.
	w.phone("bob", policy.Core, 7200, 7200)
	w.phone("carl", policy.Core, 7200, 7200)
	w.pass(2 * time.Minute)
	var bob, carl int
	for _, m := range w.legacy.got {
		if strings.Contains(m.headers("To")[0], "bob") {
			bob++
		}
		if strings.Contains(m.headers("To")[0], "carl") {
			carl++
		}
	}
	if bob < 4 || bob > 6 || carl < 2 || carl > 3 {
		t.Errorf("%d tries with a wrong password, %d with none", bob, carl)
	}
	if list := w.edge.keeper.warnings(w.now); len(list) != 1 || !strings.Contains(list[0], "legacy misses 2 phones") || !strings.Contains(list[0], "401") {
		t.Errorf("warnings: %q", list)
	}
}

// 423 is obeyed once; 503 with Retry-After is waited for; silence is repeated, then tried again later and later.
func TestKeepFailures(t *testing.T) {
	t.Parallel()
	w := newKeepWorld(t, asIs)
	w.legacy.min = 7200
	w.stage(policy.StageCore)
	b := w.phone("anna", policy.Core, 7200/2, 7200/2)
	w.pass(time.Second)
	w.wantHeard(w.legacy, 2)
	w.wantHold(b, policy.Legacy, "own 7200")

	w = newKeepWorld(t, asIs)
	w.legacy.codes = []string{"503 Busy\nRetry-After: 30", "403 Forbidden", "200 OK\nContact: <sip:other@192.0.2.1>;expires=60"}
	w.stage(policy.StageCore)
	b = w.phone("anna", policy.Core, 7200, 7200)
	w.pass(29 * time.Second)
	w.wantHeard(w.legacy, 1)
	w.pass(2 * time.Second)
	w.wantHeard(w.legacy, 2)
	w.pass(20 * time.Second)
	w.wantHeard(w.legacy, 2)
	if f := w.edge.keeper.faults(b.ID); f[0] != "403" {
		t.Errorf("fault %q", f[0])
	}
	w.pass(41 * time.Second)
	w.wantHeard(w.legacy, 3)
	w.pass(100 * time.Millisecond)
	if f := w.edge.keeper.faults(b.ID); f[0] != "unlisted" {
		t.Errorf("fault %q", f[0])
	}
	w.pass(3 * time.Minute)
	if w.hold(b, policy.Legacy) == "none" || w.edge.keeper.faults(b.ID)[0] != "" {
		t.Errorf("it has not come right: %q", w.edge.keeper.faults(b.ID))
	}

	w = newKeepWorld(t, asIs)
	w.legacy.dead = true
	w.stage(policy.StageCore)
	b = w.phone("anna", policy.Core, 7200, 7200)
	w.pass(31 * time.Second)
	w.wantHeard(w.legacy, 10) // of one transaction: 0, 0.5, 1.5, 3.5, 7.5, 11.5 ...
	w.pass(2 * time.Second)
	if w.edge.own.size() != 0 || w.edge.keeper.faults(b.ID)[0] != "timeout" {
		t.Errorf("%d outstanding, fault %q", w.edge.own.size(), w.edge.keeper.faults(b.ID))
	}
	w.legacy.dead = false
	w.pass(3 * time.Second)
	if w.hold(b, policy.Legacy) == "none" {
		t.Error("it was not tried again")
	}
}

// keep: none sends nothing; it is counted, and said loudly.
func TestKeepNone(t *testing.T) {
	t.Parallel()
	w := newKeepWorld(t, func(x *target) { x.keep = keepNone })
	w.stage(policy.StageCore)
	w.phone("anna", policy.Legacy, 300, 300)
	w.pass(2 * time.Minute)
	w.wantHeard(w.legacy, 0)
	w.wantHeard(w.core, 0)
	k := &w.edge.keeper
	if k.count(sideNone) != [2]int{0, 1} || k.count(sideMissing) != [2]int{} || !strings.HasPrefix(strings.Join(k.warnings(w.now), ";"), "keep: none on core: 1 phones") {
		t.Errorf("%+v %q", k.tally, k.warnings(w.now))
	}
	w.pass(time.Hour)
	if len(k.kept) != 0 || k.tally != [2][sideClasses]int{} {
		t.Errorf("%d kept, %v", len(k.kept), k.tally)
	}
}

// A target that lists a contact under two Call-IDs twice is told with the phone's own numbers, each of them once.
func TestKeepPhoneCallID(t *testing.T) {
	t.Parallel()
	w := newKeepWorld(t, func(x *target) { x.phoneCallID = true })
	w.stage(policy.StageCore)
	b := w.phone("anna", policy.Core, 120, 120)
	w.pass(time.Second)
	m := w.wantHeard(w.legacy, 1)
	if m.headers("Call-ID")[0] != "anna@phone" || m.headers("CSeq")[0] != "1 REGISTER" {
		t.Errorf("%s", m.text)
	}
	for range 100 {
		w.phone("anna", policy.Core, 120, 120)
		w.pass(time.Minute)
		if w.hold(b, policy.Legacy) == "none" {
			t.Fatal("legacy lost it")
		}
	}
	if n := len(w.legacy.got); n < 2 || n > 6 {
		t.Errorf("legacy heard %d REGISTERs in 100 minutes", n)
	}
	w.phone("anna", policy.Core, 0, 0)
	w.pass(time.Second)
	w.wantHold(b, policy.Legacy, "none")
}

// At its pace: a target hears no more than keepRate a second, hand-overs before what is only kept.
func TestKeepPace(t *testing.T) {
	t.Parallel()
	w := newKeepWorld(t, func(x *target) { x.keepRate = 50 })
	w.set(func(x *policy.Tenant) { x.Stage, x.Assigned = policy.StageCore, map[string]policy.Platform{} })
	names := "abcdefghijklmnopqrst"
	for i := range names {
		for j := range names {
			w.phone("u"+names[i:i+1]+names[j:j+1], policy.Core, 3600, 3600)
		}
	}
	w.pass(time.Second)
	n, eta := w.edge.keeper.pending()
	if got := len(w.legacy.got); got < 45 || got > 56 || n != 400-got+w.edge.own.size() && n != 400-got || eta < 6 || eta > 8 {
		t.Errorf("%d in the first second, %d wait for %.1f s", got, n, eta)
	}
	w.phone("late", policy.Core, 3600, 3600)
	w.stage(policy.StageLegacy) // back: legacy serves, and misses most of them
	w.pass(100 * time.Millisecond)
	if n, _ := w.edge.keeper.pending(); n < 300 {
		t.Errorf("%d wait", n)
	}
	w.pass(8 * time.Second)
	if got := len(w.legacy.contacts); got != 401 {
		t.Errorf("legacy knows %d phones", got)
	}
	for i := 56; i < len(w.legacy.at); i++ {
		if d := w.legacy.at[i] - w.legacy.at[i-50]; d < int64(850*time.Millisecond) {
			t.Fatalf("50 REGISTERs within %v", time.Duration(d))
		}
	}
}

// After a restart the bindings are taken up again, not all at once, and the registrations go on as they were.
func TestKeepRestart(t *testing.T) {
	t.Parallel()
	w := newKeepWorld(t, asIs)
	w.stage(policy.StageCore)
	b := w.phone("anna", policy.Core, 7200, 7200)
	w.pass(time.Second)
	table := w.edge.location
	v := newKeepWorld(t, asIs)
	v.now = w.now + 70*60*1e9
	v.stage(policy.StageCore)
	v.edge.location.OnChange(nil) // it was read from disk
	for x := range table.All() {
		v.edge.location.Learn(x)
	}
	v.edge.location.OnChange(v.edge.keeper.changed)
	v.edge.keeper.start(v.now)
	v.pass(11 * time.Second)
	m := v.wantHeard(v.legacy, 1)
	if m.headers("Call-ID")[0] != w.legacy.got[0].headers("Call-ID")[0] || m.headers("CSeq")[0] <= w.legacy.got[0].headers("CSeq")[0] {
		t.Errorf("another registration:\n%s", m.text)
	}
	v.wantHold(b, policy.Legacy, "own 7200")
}

// A phone that comes by way of another edge is registered anew where it is kept: what stands there leads to the edge that
// it has left. The edge that it has left does nothing more.
func TestKeepMovedPhone(t *testing.T) {
	t.Parallel()
	w := newKeepWorld(t, asIs)
	w.stage(policy.StageCore)
	b := w.phone("anna", policy.Core, 300, 300)
	w.pass(time.Second)
	v := newKeepWorld(t, asIs)
	v.now = w.now
	v.stage(policy.StageCore)
	v.edge.cfg.Node = "edge-2"
	v.edge.location.Learn(w.edge.location.Get(b.ID))
	v.pass(time.Second)
	v.wantHeard(v.legacy, 0)
	b = v.edge.location.Get(b.ID).Clone()
	b.Flow.Edge, b.Stamp, b.Told = "edge-2", v.now/1e3, v.now/1e9+300
	v.edge.location.Put(b)
	v.pass(time.Minute)
	if m := v.wantHeard(v.legacy, 1); m.headers("Call-ID")[0] != w.legacy.got[0].headers("Call-ID")[0] {
		t.Errorf("%s", m.text)
	}
	w.edge.location.Learn(b)
	w.pass(time.Hour)
	w.wantHeard(w.legacy, 1)
	if n := len(w.edge.keeper.kept); n != 0 {
		t.Errorf("the edge that it left keeps %d", n)
	}
}

// While a tenant is about to move, legacy is asked for a day: the way back stays open for hours.
func TestKeepClamped(t *testing.T) {
	t.Parallel()
	w := newKeepWorld(t, asIs)
	w.set(func(x *policy.Tenant) {
		x.Stage, x.Phase = policy.StageCore, &policy.Phase{Name: policy.PhaseSoaking, Until: w.now/1e9 + 3600}
	})
	b := w.phone("anna", policy.Core, 120, 3600)
	w.pass(time.Second)
	w.wantHold(b, policy.Legacy, "own 86400")
}
