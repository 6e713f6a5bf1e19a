//go:build interop

package interop

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// 1,000 phones are registered through two edges and called 50 times a second, while their tenant is flipped and taken
// back, twice; the second time it stays long enough on core for the phones' credentials to have nothing but the old
// platform's nonces. No call fails, no phone would have asked for a password or saw a 403, and after each move all phones
// are known where they have to be, within the time that the CLI printed and within 10 s.
func TestRegistrationsSurviveFlip(t *testing.T) {
	const phones, perSecond = 1000, 50
	const refresh, nonces = 9 * time.Second, 32 * time.Second // how long the platform of a nonce gets what answers it
	w := newWorld(t, 2, reaches[0])
	r, legacy, core := w.rig, w.legacy, w.core
	dir := t.TempDir()

	var fleets []*fleet
	began := time.Now()
	for i, e := range r.edges {
		fleets = append(fleets, startFleet(t, dir, e, i*phones/2, phones/2, 250, refresh))
	}
	await(t, 20*time.Second, "1,000 phones to be registered", func() bool { return legacy.bindings() == phones })
	registered := time.Now()

	moves := []struct {
		to   string
		stay time.Duration // until the next
	}{{"core", 5 * time.Second}, {"legacy", 5 * time.Second}, {"core", nonces + refresh - 7*time.Second}, {"legacy", 4 * time.Second}}
	calls := 0
	for _, m := range moves {
		calls += int(m.stay.Seconds()) * perSecond
	}
	callers := startCallers(t, dir, "callers", r.edges[0].outside, 0, phones, perSecond, calls)
	for _, m := range moves {
		asked := time.Now()
		said := ""
		if m.to == "core" {
			said = r.must("flip", "acme", "--to", "core", "--yes")
		} else {
			said = r.must("rollback", "acme", "--yes")
		}
		// The CLI has waited for the phones, and says how long that took.
		on := map[string]*kamailio{"legacy": legacy, "core": core}[m.to]
		if n := on.bindings(); n != phones || !strings.Contains(said, fmt.Sprintf("phones %d/%[1]d on %s in ", phones, m.to)) {
			t.Errorf("%d of %d phones are on %s when the CLI says\n%s", n, phones, m.to, said)
		}
		if took := time.Since(asked); took > 30*time.Second {
			t.Errorf("the phones are on %s after %s", m.to, took)
		}
		t.Logf("%s later: %s", time.Since(asked).Round(time.Millisecond), said)
		pause(t, time.Until(asked.Add(m.stay)))
		if l, c := legacy.bindings(), core.bindings(); m.to == "core" && (l != phones || c != phones) {
			t.Errorf("served by core, legacy has %d and core %d of %d phones", l, c, phones)
		}
	}
	if code := callers.wait(t, time.Minute); code != 0 {
		t.Errorf("calls failed: sipp says %d", code)
	}
	failed := 0
	for id, x := range callers.traces(t) {
		if len(x.other) > 0 || x.final.IsZero() || !x.byeOK {
			if failed++; failed <= 5 {
				t.Errorf("%s: %v, final %t, BYE %t", id, x.other, !x.final.IsZero(), x.byeOK)
			}
		}
	}
	refreshes, silent := 0, 0
	for _, f := range fleets {
		if who := f.unhappy(); len(who) > 0 {
			t.Errorf("%d phones are lost: %q", len(who), who[:min(len(who), 5)])
		}
		refreshes += f.said("registered")
		silent += f.said("stale")
	}
	if refreshes < 4*phones || silent < phones/2 {
		t.Errorf("%d registrations of %d phones, %d of them after stale=true: too few to prove anything", refreshes, phones, silent)
	}
	t.Logf("registered in %s; %d calls, %d failed; %d registrations, %d of them after stale=true; Kamailio saved %d on legacy and %d on core, of them %d and %d of our own",
		registered.Sub(began).Round(time.Millisecond), calls, failed, refreshes, silent, legacy.registrar("saved", ""), core.registrar("saved", ""),
		legacy.registrar("saved", "", w.own...), core.registrar("saved", "", w.own...))
}
