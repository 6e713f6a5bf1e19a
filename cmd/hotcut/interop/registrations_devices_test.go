//go:build interop

package interop

import (
	"fmt"
	"slices"
	"testing"
	"time"
)

// byCallID is the matching mode of usrloc in which a contact under another Call-ID is another contact: `callid: phone` is for it.
const byCallID = 1

// Two devices of one AoR: a 2xx lists both as they wrote themselves, both ring, on the platform that serves and, after a
// flip that neither noticed, on the other; who un-registers rings no more, on either.
func TestSecondDevice(t *testing.T) {
	for _, by := range reaches {
		for matching := range 3 {
			t.Run(fmt.Sprintf("%s/matching%d", by.name, matching), func(t *testing.T) {
				if matching == byCallID {
					by.how += ", callid: phone"
				}
				w := newWorld(t, 1, by, fmt.Sprintf("MATCHING=%d", matching))
				e := w.edges[0]
				a, b := newDevice(t, e.outside, "bob"), newDevice(t, e.outside, "bob")
				both := []*device{a, b}
				a.bound(a.here(), 300)
				ok := b.bound(b.here(), 300)
				if got, want := uris(ok), sorted(bare(a.here()), bare(b.here())); !slices.Equal(got, want) {
					t.Errorf("the second device is told of %v, want %v", got, want)
				}
				w.reached(e, "bob", both, a, b)
				w.flip("bob", 2)
				w.reached(e, "bob", both, a, b)
				a.bound(a.here(), 300) // refreshes do not make it two
				b.bound(b.here(), 300)
				w.reached(e, "bob", both, a, b)
				if n := len(w.core.contacts("bob")); n != 2 {
					t.Errorf("core has %d contacts of bob after both refreshed: %+v", n, w.core.contacts("bob"))
				}
				a.bound(a.here(), 0)
				w.known(w.core, "bob", 1)
				w.known(w.legacy, "bob", 1)
				w.reached(e, "bob", both, b)
				w.must("rollback", "acme", "--yes")
				w.reached(e, "bob", both, b)
			})
		}
	}
}

// Two devices of one AoR behind two edges have two Paths: each is called by its own edge, wherever the call came in.
func TestTwoPaths(t *testing.T) {
	for _, by := range reaches {
		for _, matching := range []int{0, 2} {
			t.Run(fmt.Sprintf("%s/matching%d", by.name, matching), func(t *testing.T) {
				w := newWorld(t, 2, by, fmt.Sprintf("MATCHING=%d", matching))
				pause(t, 2500*time.Millisecond) // an edge looks every two seconds who the others are
				a, b := newDevice(t, w.edges[0].outside, "bob"), newDevice(t, w.edges[1].outside, "bob")
				both := []*device{a, b}
				a.bound(a.here(), 300)
				w.shared(w.edges[1], 1)
				ok := b.bound(b.here(), 300)
				if got, want := uris(ok), sorted(bare(a.here()), bare(b.here())); !slices.Equal(got, want) {
					t.Errorf("the second device is told of %v, want %v", got, want)
				}
				w.reached(w.edges[0], "bob", both, a, b)
				w.reached(w.edges[1], "bob", both, a, b)
				w.flip("bob", 2)
				w.reached(w.edges[0], "bob", both, a, b)
				w.reached(w.edges[1], "bob", both, a, b)

				// One moves to the other edge, as a phone does whose edge did not answer for a while.
				a.edge = w.edges[1].outside
				a.bound(a.here(), 300)
				b.bound(b.here(), 300)
				for _, e := range w.edges {
					w.reached(e, "bob", both, a, b)
				}
				w.must("rollback", "acme", "--yes")
				w.reached(w.edges[0], "bob", both, a, b)
			})
		}
	}
}

// shared waits until an edge knows so many bindings, its own and those of the others.
func (w *world) shared(e *edge, bindings int) {
	w.t.Helper()
	await(w.t, 5*time.Second, fmt.Sprintf("%s to know of %d bindings", e.name, bindings), func() bool {
		list, err := e.client.Registrations(w.t.Context(), "acme", 100)
		return err == nil && len(list) == bindings
	})
}

func sorted(s ...string) []string { slices.Sort(s); return s }
