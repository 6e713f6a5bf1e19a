//go:build interop

package interop

import "testing"

// A target that has just died, before any probe could tell: the kernel says that nobody listens there, and the INVITE
// goes to the next target of the pool at once.
func TestKamailioFailOver(t *testing.T) {
	behind := startSipp(t, t.TempDir(), "behind", "uas.xml", patient...)
	pool := newPool(t, behind.addr)
	r := newRigFor(t, site{legacy: pool.addrs(), core: []string{freeAddr(t)}, edges: 1})
	pool.bothServe(r.edges[0])
	pool[0].kill()
	if on := pool.serve(r.edges[0], 24); on != [2]int{0, 24} {
		t.Errorf("24 calls with the first dead: %v by each", on)
	}
}
