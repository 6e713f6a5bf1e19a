package main

import (
	"testing"
	"time"

	"github.com/hotcut/hotcut/migration"
	"github.com/hotcut/hotcut/policy"
)

// An edge that hangs makes the CLI wait; the others must not be called silent for that.
func TestSilenceIsJudgedAtTheTimeOfTheLook(t *testing.T) {
	at := time.UnixMilli(1_700_000_000_000)
	a := &app{now: func() time.Time { return at.Add(policy.Remain + time.Second) }}
	v := &seen{View: &migration.View{Present: migration.Present{At: at, Nodes: []policy.NodeState{
		{Edge: "edge-1", SeenAt: at.Add(-time.Second).UnixMilli()},
		{Edge: "edge-2", SeenAt: at.Add(-policy.Remain - time.Millisecond).UnixMilli()},
	}}}}
	rows := a.edgeRows(v, nil)
	if rows[0].Silent || !rows[1].Silent {
		t.Errorf("silent: edge-1 %v, edge-2 %v; want false, true", rows[0].Silent, rows[1].Silent)
	}
}

func TestDrainsNameTenantsOnlyWhereThereAreSeveral(t *testing.T) {
	a := &app{now: time.Now}
	one := []migration.Drain{{Tenant: "acme", Platform: policy.Core, Count: 2}, {Tenant: "acme", Platform: policy.Legacy, Count: 1, AtLeast: true}}
	if got := a.drains(one); got[0] != "2 calls draining on core" || got[1] != "at least 1 call draining on legacy" {
		t.Errorf("one tenant: %q", got)
	}
	two := append(one[:1:1], migration.Drain{Tenant: "birch", Platform: policy.Core, Count: 1})
	if got := a.drains(two); got[0] != "2 calls of acme draining on core" || got[1] != "1 call of birch draining on core" {
		t.Errorf("two tenants: %q", got)
	}
	if got := a.drains(nil); got != nil {
		t.Errorf("nothing: %q", got)
	}
}

func TestArrivedWords(t *testing.T) {
	for in, want := range map[string]string{"phone": "a phone", "platform legacy": "platform legacy", "trunk pbx": "trunk pbx"} {
		if got := arrivedWords(in); got != want {
			t.Errorf("%s: %q, want %q", in, got, want)
		}
	}
}
