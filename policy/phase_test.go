package policy

import (
	"strings"
	"testing"
)

func TestClamped(t *testing.T) {
	const now = 1000
	for _, c := range []struct {
		name           string
		edit           func(*Tenant)
		clamped, armed bool
	}{
		{"legacy", func(t *Tenant) {}, false, false},
		{"core", func(t *Tenant) { t.Stage = StageCore }, false, false},
		{"canary", func(t *Tenant) { t.Stage = StageCanary }, true, false},
		{"armed", func(t *Tenant) { t.Phase = &Phase{PhaseArmed, now + 1} }, true, true},
		{"armed until now", func(t *Tenant) { t.Phase = &Phase{PhaseArmed, now} }, false, false},
		{"soaking", func(t *Tenant) { t.Stage, t.Phase = StageCore, &Phase{PhaseSoaking, now + 1} }, true, false},
		{"settled", func(t *Tenant) { t.Stage, t.Phase = StageCore, &Phase{PhaseSoaking, now - 1} }, false, false},
		{"taken back while soaking", func(t *Tenant) { t.Stage, t.RolledBack, t.Phase = StageCore, true, &Phase{PhaseSoaking, now + 1} }, true, false},
	} {
		r := snapshot(t, tenant("acme", c.edit)).Tenant("acme")
		if r.Clamped(now) != c.clamped || r.Armed(now) != c.armed {
			t.Errorf("%s: clamped %t, armed %t", c.name, r.Clamped(now), r.Armed(now))
		}
	}
}

// A record without a phase is written as before there were phases: what older builds wrote and read keeps its hash.
func TestPhaseIsCanonical(t *testing.T) {
	plain := tenant("acme")
	b, err := plain.Canonical()
	if err != nil || strings.Contains(string(b), "phase") {
		t.Errorf("%s, %v", b, err)
	}
	plain.Phase = &Phase{PhaseArmed, 7}
	b, err = plain.Canonical()
	if err != nil || !strings.Contains(string(b), `"phase":{"name":"armed","until":7}`) {
		t.Errorf("%s, %v", b, err)
	}
	again, err := ParseTenant(b)
	if err != nil || *again.Phase != *plain.Phase {
		t.Errorf("%+v, %v", again, err)
	}
}
