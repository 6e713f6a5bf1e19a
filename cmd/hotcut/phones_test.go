package main

import (
	"strings"
	"testing"
	"time"

	"github.com/hotcut/hotcut/migration"
	"github.com/hotcut/hotcut/policy"
	"github.com/hotcut/hotcut/proxy/admin"
)

func TestInstantWords(t *testing.T) {
	now := time.Unix(1_700_000_000, 0)
	until := now.Unix() + 3600
	kept := migration.FleetPhones{Keep: map[string][]string{"legacy": {"trust"}}}
	none := migration.FleetPhones{Keep: map[string][]string{"legacy": {"none", "trust"}}}
	for _, c := range []struct {
		p    migration.Phones
		all  migration.FleetPhones
		want string
	}{
		{migration.Phones{}, kept, "no phone is registered"},
		{migration.Phones{Bindings: 3, InstantUntil: until}, kept, "instant until "},
		{migration.Phones{Bindings: 3, InstantUntil: until, MissingLegacy: 1}, kept, " for 2 of 3 phones"},
		{migration.Phones{Bindings: 3, InstantUntil: until}, none, "instant until "}, // armed: legacy still holds what the phones asked for
		{migration.Phones{Bindings: 3, InstantUntil: now.Unix(), MissingLegacy: 3, NextRefresh: now.Unix() + 110}, none,
			"when phones register anew, within 110 s (keep: none on legacy's targets)"},
		{migration.Phones{Bindings: 3, MissingLegacy: 2}, kept, "not instant yet: 2 phones missing on legacy"},
		{migration.Phones{Bindings: 3}, kept, "not instant: nothing is kept on legacy"},
	} {
		if got := instantWords(c.p, c.all, now); !strings.Contains(got, c.want) {
			t.Errorf("%+v: %q, want %q", c.p, got, c.want)
		}
	}
}

func TestPhaseWords(t *testing.T) {
	now := time.Unix(1000, 0)
	for want, tenant := range map[string]policy.Tenant{
		"":                        {},
		"armed until ":            {Phase: &policy.Phase{Name: policy.PhaseArmed, Until: 2000}},
		", which has passed":      {Phase: &policy.Phase{Name: policy.PhaseArmed, Until: 1000}},
		"soaking until ":          {Stage: policy.StageCanary, Phase: &policy.Phase{Name: policy.PhaseSoaking, Until: 2000}},
		"canary: phones register": {Stage: policy.StageCanary, Phase: &policy.Phase{Name: policy.PhaseSoaking, Until: 10}},
	} {
		if got := phaseWords(&tenant, now); !strings.Contains(got, want) || want == "" && got != "" {
			t.Errorf("%q, want %q", got, want)
		}
	}
	if got := phaseWords(&policy.Tenant{Stage: policy.StageCore, Phase: &policy.Phase{Name: policy.PhaseSoaking, Until: 10}}, now); got != "" {
		t.Errorf("a tenant that has settled: %q", got)
	}
}

func TestPerSecond(t *testing.T) {
	for rate, want := range map[float64]string{0: "0", 0.034: "0.03", 0.32: "0.3", 3.25: "3.2", 12.4: "12", 1234: "1234"} {
		if got := perSecond(rate); got != want {
			t.Errorf("%v: %s, want %s", rate, got, want)
		}
	}
}

// A phone that came by another edge is told by the newest; of equally new ones the owner is believed.
func TestMergeRegistrations(t *testing.T) {
	reg := func(id, edge string, since int64, contact string) admin.Registration {
		return admin.Registration{ID: id, Edge: edge, Since: since, AoR: id + "@a.example", Contact: contact}
	}
	rows, heard := mergeRegistrations([]migration.Answer[[]admin.Registration]{
		{Edge: "e1", Value: []admin.Registration{reg("a", "e1", 5, "old"), reg("b", "e2", 7, "copy"), reg("c", "e3", 1, "gone")}},
		{Edge: "e2", Value: []admin.Registration{reg("a", "e2", 6, "new"), reg("b", "e2", 7, "own"), reg("c", "e3", 1, "gone")}},
		{Edge: "e3", Err: policy.ErrUnreachable},
	})
	var got []string
	for _, r := range rows {
		got = append(got, r.ID+" "+r.Contact)
	}
	if s := strings.Join(got, ", "); s != "a new, b own, c gone" {
		t.Error(s)
	}
	if s := strings.Join(heard, ", "); s != "e3 as e1 last heard" {
		t.Error(s)
	}
	if lost := lostOf([]string{"e3", "e4"}, heard); strings.Join(lost, ",") != "e4" {
		t.Errorf("%v", lost)
	}
}
