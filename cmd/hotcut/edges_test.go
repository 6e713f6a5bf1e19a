package main

import (
	"slices"
	"testing"

	"github.com/hotcut/hotcut/migration"
	"github.com/hotcut/hotcut/proxy/admin"
)

func TestOwnWarningsStandOnce(t *testing.T) {
	says := func(edge string, w ...string) migration.Answer[admin.State] {
		return migration.Answer[admin.State]{Edge: edge, Value: admin.State{Warnings: w}}
	}
	got := ownWarnings([]migration.Answer[admin.State]{says("edge-1", "b", "a"), says("edge-2"), says("edge-3", "a")})
	if want := []string{"edge-1: b", "edge-1, edge-3: a"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}
