package main

import (
	"fmt"
	"testing"

	"github.com/hotcut/hotcut/migration/shadow/compare"
)

// What edges share is counted once, what one keeps for itself as well, in whatever order they answer.
func TestCountsOfEdges(t *testing.T) {
	shown := func(shared bool, calls uint64) *shadowShown {
		return &shadowShown{Shared: shared, Tenant: &compare.Tenant{Methods: map[string]*compare.Method{"INVITE": {Sampled: calls}}}}
	}
	own, all, again := shown(false, 3), shown(true, 5), shown(true, 5)
	for i, order := range [][]*shadowShown{{own, all, again}, {all, own, again}, {all, again, own}} {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			c := newCounted()
			for _, x := range order {
				c.takes("acme", x)
			}
			if n := c.tally.Tenants["acme"].Methods["INVITE"].Sampled; n != 8 {
				t.Errorf("%d calls, want 8", n)
			}
		})
	}
}
