package migration

import (
	"errors"
	"fmt"
	"testing"

	"github.com/hotcut/hotcut/policy"
)

// edit changes a record past every gate.
func edit(t *testing.T, e *Engine, id string, f func(*policy.Tenant)) {
	t.Helper()
	mustDo(t, e, func(at Present) (*Plan, error) {
		before, err := at.Find(id)
		if err != nil {
			return nil, err
		}
		after := *before
		f(&after)
		p := &Plan{Change: at.change(policy.KindTenant, by("edit "+policy.MintKey()))}
		if !same(before, &after) {
			p.put(id, before, &after)
		}
		return p, nil
	})
}

func TestShadowStartsWhereLegacyServes(t *testing.T) {
	for _, c := range []struct {
		name   string
		before policy.Tenant
		stage  policy.Stage // after; the mirror is 100 %
		refuse bool
	}{
		{"legacy", policy.Tenant{Stage: policy.StageLegacy}, policy.StageShadow, false},
		{"shadow", policy.Tenant{Stage: policy.StageShadow, Mirror: 100}, policy.StageShadow, false},
		{"canary", policy.Tenant{Stage: policy.StageCanary, Share: 500}, policy.StageCanary, false},
		{"canary, rolled back", policy.Tenant{Stage: policy.StageCanary, Share: 500, RolledBack: true}, policy.StageCanary, false},
		{"core, rolled back", policy.Tenant{Stage: policy.StageCore, RolledBack: true}, policy.StageShadow, false},
		{"core", policy.Tenant{Stage: policy.StageCore}, 0, true},
		{"done", policy.Tenant{Stage: policy.StageDone}, 0, true},
		{"done, rolled back", policy.Tenant{Stage: policy.StageDone, RolledBack: true}, 0, true},
	} {
		e, _ := newEngine(t, nil, "acme")
		edit(t, e, "acme", func(x *policy.Tenant) {
			x.Stage, x.Share, x.Mirror, x.RolledBack = c.before.Stage, c.before.Share, c.before.Mirror, c.before.RolledBack
			x.Emergency = &policy.Emergency{Platform: policy.Core, Certified: &policy.Certification{By: "ops@test", At: 1, Evidence: "a test call"}}
		})
		goal := StartShadow(MirrorTo{Tenant: "acme", Share: policy.FullShare}, by("start"))
		p, err := e.Plan(t.Context(), goal)
		if c.refuse {
			if _, ok := errors.AsType[*GoalError](err); !ok {
				t.Errorf("%s: %v, want a refusal", c.name, err)
			}
			continue
		}
		if err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		if p.Moving() != 0 || len(p.Verdicts) != 0 {
			t.Errorf("%s: a copy moves nobody: %+v %+v", c.name, p.Moves, p.Verdicts)
		}
		mustDo(t, e, goal)
		after := now(t, e).Tenant("acme").Tenant
		if after.Stage != c.stage || after.Mirror != policy.FullShare || after.RolledBack != c.before.RolledBack || after.Share != c.before.Share {
			t.Errorf("%s: %+v", c.name, after)
		}
		if !Mirrored(after) {
			t.Errorf("%s: not mirrored", c.name)
		}
	}
}

func TestStopShadowHoldsWhateverHappensMeanwhile(t *testing.T) {
	e, store := newEngine(t, nil, "acme", "birch")
	edit(t, e, "acme", func(x *policy.Tenant) { x.Stage = policy.StageLegacy })
	mustDo(t, e, StartShadow(MirrorTo{Tenant: "acme", Share: 5000}, by("start")))
	edit(t, e, "birch", func(x *policy.Tenant) { x.Stage, x.Share, x.Mirror = policy.StageCanary, 500, 10000 })
	// Somebody changes a tenant between our look and our commit, under a hold and a freeze.
	store.before = func() {
		mustDo(t, e, Set("acme", Fields{"name": []byte(`"Acme"`)}, by("other")))
		mustDo(t, e, Hold([]string{"acme"}, by("hold")))
		mustDo(t, e, Halt(policy.HaltFreeze, by("freeze")))
	}
	mustDo(t, e, StopShadow(nil, by("stop")))
	acme, birch := now(t, e).Tenant("acme").Tenant, now(t, e).Tenant("birch").Tenant
	if acme.Stage != policy.StageLegacy || acme.Mirror != 0 || acme.Name != "Acme" || acme.Hold == nil {
		t.Errorf("acme %+v: the stop must hold and keep the others' changes", acme)
	}
	if birch.Stage != policy.StageCanary || birch.Share != 500 || birch.Mirror != 0 {
		t.Errorf("birch %+v: a stop moves nobody", birch)
	}
	p, err := e.Plan(t.Context(), StopShadow(nil, by("again")))
	if err != nil || !p.Empty() || len(p.Notes) != 1 {
		t.Errorf("nothing is left to stop: %+v, %v", p, err)
	}
}

func TestMassStopOfShadowGoesInPieces(t *testing.T) {
	p := &Plan{insists: true}
	for i := range 2*maxPiece + 1 {
		p.put(fmt.Sprint(i), &policy.Tenant{}, &policy.Tenant{})
	}
	if n := len(p.pieces()); n != 3 {
		t.Errorf("%d pieces, want 3", n)
	}
}
