//go:build interop

package interop

import (
	"slices"
	"strings"
	"testing"
	"time"
)

// What real registrars and real phones do that is easy to get wrong, each against Kamailio: a registrar that keeps our
// Path and one that does not, whose Contacts have to be ours.

// Somebody tries to register bob with a wrong password, from another device: the platform's answer reaches it, after no
// more than one more try, and bob's own binding stays as it was, on either platform.
func TestWrongPasswordElsewhere(t *testing.T) {
	for _, wrong := range []string{"", "WRONG_403"} {
		t.Run("wrong"+wrong, func(t *testing.T) {
			defines := []string{}
			if wrong != "" {
				defines = append(defines, wrong)
			}
			w := newWorld(t, 1, reaches[0], defines...)
			e := w.edges[0]
			good, bad := newDevice(t, e.outside, "bob"), newDevice(t, e.outside, "bob")
			bad.password = "guess"
			both := []*device{good, bad}
			good.bound(good.here(), 300)
			refused := func() {
				t.Helper()
				bad.challenge = nil
				m := bad.register(bad.here(), 300)
				if want := map[string]int{"": 401, "WRONG_403": 403}[wrong]; m.status() != want {
					t.Errorf("a wrong password is answered with %q, want %d", m.start, want)
				}
				if bad.challenged > 3 {
					t.Errorf("a wrong password was tried after %d challenges", bad.challenged)
				}
				bad.challenged = 0
			}
			refused()
			w.reached(e, "bob", both, good)
			w.flip("bob", 1)
			refused()
			w.reached(e, "bob", both, good)
			good.bound(good.here(), 300)
			w.must("rollback", "acme", "--yes")
			refused()
			good.bound(good.here(), 300)
			w.reached(e, "bob", both, good)
		})
	}
}

// A phone that restarts un-registers and registers within a moment: it is there on both platforms in the end, and nothing
// that Hotcut still had to say to the other platform takes it out again.
func TestUnregisterRegister(t *testing.T) {
	for _, by := range reaches {
		t.Run(by.name, func(t *testing.T) {
			w := newWorld(t, 1, by)
			e := w.edges[0]
			d := newDevice(t, e.outside, "bob")
			only := []*device{d}
			d.bound(d.here(), 300)
			w.flip("bob", 1)
			d.bound(d.here(), 300)
			w.known(w.legacy, "bob", 1)
			d.bound(d.here(), 0) // to core, which serves, whoever challenged last: from now on the nonce is core's
			d.bound(d.here(), 300)
			for range 3 {
				gone := d.begin(d.here(), 0) // nobody waits for the answer
				back := d.begin(d.here(), 300)
				for _, cseq := range []int{gone, back} {
					if m := d.final(cseq); m.status() != 200 {
						t.Fatalf("REGISTER %d: %s", cseq, m.start)
					}
				}
			}
			pause(t, 2*time.Second) // for what may still be said
			for name, k := range map[string]*kamailio{"legacy": w.legacy, "core": w.core} {
				if list := k.contacts("bob"); len(list) != 1 || list[0].Expires < 60 {
					t.Errorf("%s has %+v", name, list)
				}
			}
			w.reached(e, "bob", only, d)
			w.must("rollback", "acme", "--yes")
			w.reached(e, "bob", only, d)

			d.bound(d.here(), 0)
			w.reached(e, "bob", only) // nobody: refused
			w.must("flip", "acme", "--to", "core", "--yes")
			w.reached(e, "bob", only)
			w.known(w.legacy, "bob", 0)
			w.known(w.core, "bob", 0)
		})
	}
}

// A registrar that wants longer registrations says 423: to the phone, which asks again; and to Hotcut, which does.
func TestIntervalTooBrief(t *testing.T) {
	own := freeAddrs(t, 1)
	w := &world{own: own, legacy: startPlatform(t, "legacy", "WITH_PATH", trust(own), "MIN_EXPIRES=120"),
		core: startPlatform(t, "core", "WITH_PATH", trust(own), "MIN_EXPIRES=600")}
	w.rig = newRigFor(t, site{legacy: []string{w.legacy.addr}, core: []string{w.core.addr}, edges: 1, own: own,
		legacyHow: "keep: trust", coreHow: "keep: trust"})
	e := w.edges[0]
	d := newDevice(t, e.outside, "bob")
	m := d.register(d.here(), 61)
	if m.status() == 423 {
		if m.get("Min-Expires") != "120" {
			t.Errorf("423 with Min-Expires %q, want 120", m.get("Min-Expires"))
		}
		m = d.register(d.here(), 120)
	}
	if m.status() != 200 || d.prompts > 0 {
		t.Fatalf("REGISTER for 120 s: %s, %d prompts", m.start, d.prompts)
	}
	w.flip("bob", 1)
	w.reached(e, "bob", []*device{d}, d)
	// The phone refreshes on core for as long as legacy was content with.
	if m = d.register(d.here(), 120); m.status() == 423 {
		if m.get("Min-Expires") != "600" {
			t.Errorf("423 with Min-Expires %q, want 600", m.get("Min-Expires"))
		}
		w.reached(e, "bob", []*device{d}, d)
		m = d.register(d.here(), 600)
	}
	if m.status() != 200 || d.prompts > 0 {
		t.Fatalf("REGISTER for 600 s: %s, %d prompts", m.start, d.prompts)
	}
	w.reached(e, "bob", []*device{d}, d)
	w.must("rollback", "acme", "--yes")
	w.reached(e, "bob", []*device{d}, d)
}

// A registrar that lists no contact but the one just registered: the others live on.
func TestListsOnlyTheLast(t *testing.T) {
	for _, by := range reaches {
		t.Run(by.name, func(t *testing.T) {
			by.how = strings.Replace(by.how, "listsAll: true", "listsAll: false", 1)
			w := newWorld(t, 1, by, "LIST_LAST")
			e := w.edges[0]
			a, b := newDevice(t, e.outside, "bob"), newDevice(t, e.outside, "bob")
			both := []*device{a, b}
			a.bound(a.here(), 300)
			if got := uris(b.bound(b.here(), 300)); !slices.Equal(got, []string{bare(b.here())}) {
				t.Errorf("the second device is told of %v", got)
			}
			w.reached(e, "bob", both, a, b)
			w.flip("bob", 2)
			b.bound(b.here(), 300)
			w.reached(e, "bob", both, a, b)
			w.known(w.legacy, "bob", 2)
			w.must("rollback", "acme", "--yes")
			w.reached(e, "bob", both, a, b)
		})
	}
}

// A core that trusts nobody is told of phones by digest, with HA1s from a file; a user of whom there is no secret is
// not there until it registers itself.
func TestKeepByDigest(t *testing.T) {
	own := freeAddrs(t, 1)
	w := &world{own: own, legacy: startPlatform(t, "legacy", "WITH_PATH", trust(own)), core: startPlatform(t, "core", "WITH_PATH")}
	w.rig = newRigFor(t, site{legacy: []string{w.legacy.addr}, core: []string{w.core.addr}, edges: 1, own: own,
		legacyHow: "keep: trust", coreHow: "keep: digest", secrets: "bob@" + realm + " " + realm + " ha1-md5:" + md5hex("bob:"+realm+":pw-bob") + "\n"})
	e := w.edges[0]
	known, unknown := newDevice(t, e.outside, "bob"), newDevice(t, e.outside, "alice")
	known.bound(known.here(), 300)
	unknown.bound(unknown.here(), 300)
	w.run("flip", "acme", "--to", "core", "--yes", "--wait", "3s") // it says that one phone is missing
	w.known(w.core, "bob", 1)
	w.reached(e, "bob", []*device{known}, known)
	if n := w.core.registrar("challenged", "bob", own...); n == 0 {
		t.Error("core took our REGISTER without a challenge")
	}
	if list := w.core.contacts("alice"); len(list) > 0 {
		t.Errorf("core knows a phone for which there is no secret: %+v", list)
	}
	unknown.challenge = nil // its credentials would still go to who asked for them, for half a minute
	unknown.bound(unknown.here(), 300)
	w.known(w.core, "alice", 1)
	w.reached(e, "alice", []*device{unknown}, unknown)
}
