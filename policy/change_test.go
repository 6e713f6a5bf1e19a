package policy

import (
	"errors"
	"strings"
	"testing"
)

func TestNextSeesConflicts(t *testing.T) {
	s1 := commit(t, Empty(testEpoch), add(tenant("acme"), tenant("beta")))
	flip := change(s1, "acme", func(t *Tenant) { t.Stage = StageCore })
	s2 := commit(t, s1, change(s1, "beta", func(t *Tenant) { t.Name = "Beta" }))
	s3 := commit(t, s2, flip) // beta's change is no business of acme's
	if s3.Rev() != 3 || s3.Tenant("acme").Tenant.Stage != StageCore {
		t.Fatalf("the flip was not rebased: rev %d", s3.Rev())
	}
	halted := commit(t, s3, Change{Kind: KindHalt, Force: true, Globals: &GlobalsChange{After: &Globals{Halt: HaltFreeze}}})
	reads := change(s3, "beta", func(t *Tenant) { t.Stage = StageShadow })
	reads.ReadGlobals = true
	gone := commit(t, s3, Change{Tenants: []TenantChange{{ID: "acme", Before: s3.Tenant("acme").Tenant}}})
	for name, tc := range map[string]struct {
		at   *Snapshot
		c    Change
		want error
	}{
		"the same flip again":       {s3, flip, ErrConflict},
		"added twice":               {s1, add(tenant("acme")), ErrConflict},
		"gone meanwhile":            {gone, change(s3, "acme", func(t *Tenant) { t.Name = "x" }), ErrConflict},
		"globals moved that it set": {halted, Change{Globals: &GlobalsChange{Before: new(s3.Globals()), After: &Globals{Default: "core"}}}, ErrConflict},
		"globals without before":    {s3, Change{Globals: &GlobalsChange{After: &Globals{Default: "core"}}}, ErrConflict},
		"globals moved that it read": {halted, func() Change {
			return reads
		}(), ErrConflict},
		"another epoch":        {s3, Change{Epoch: strings.Repeat("e", 32)}, ErrForked},
		"author in the future": {s3, Change{Base: 9, Kind: KindFlip}, ErrForked},
	} {
		if _, _, err := tryCommit(tc.at, tc.c); !errors.Is(err, tc.want) {
			t.Errorf("%s: %v, want %v", name, err, tc.want)
		}
	}
	if _, _, err := tryCommit(s3, reads); err != nil {
		t.Errorf("globals that did not move: %v", err)
	}
}

func TestForceStatesLegacyWhateverItWas(t *testing.T) {
	s := commit(t, Empty(testEpoch), add(tenant("acme", func(t *Tenant) { t.Stage, t.Share = StageCanary, 2500 }), tenant("beta")))
	// The author of the rollback saw something older, and sent no records at all.
	s = commit(t, s, change(s, "acme", func(t *Tenant) { t.Stage, t.Name = StageCore, "renamed" }))
	back := Change{Kind: KindRollback, Force: true, Base: 99, Tenants: []TenantChange{{ID: "beta"}, {ID: "acme"}}}
	sealed, s2, err := tryCommit(s, back)
	if err != nil {
		t.Fatal(err)
	}
	got := s2.Tenant("acme").Tenant
	if !got.RolledBack || got.Stage != StageCore || got.Name != "renamed" || got.Share != 2500 {
		t.Fatalf("rolled back to %+v", got)
	}
	if sealed.Tenants[0].ID != "acme" || sealed.Tenants[0].Before.RolledBack || !sealed.Tenants[0].After.RolledBack {
		t.Fatalf("the audit record does not say what it did: %+v", sealed.Tenants)
	}
	if s.Tenant("acme").Tenant.RolledBack {
		t.Fatal("the record before was changed in place")
	}
	if _, _, err := tryCommit(s, Change{Kind: KindRollback, Force: true, Tenants: []TenantChange{{ID: "nobody"}}}); !isRefusal(err) {
		t.Fatalf("a rollback of nobody: %v", err)
	}
	g := s.Globals()
	g.Gates = map[string]Gate{"ready": GateWarn}
	s = commit(t, s, Change{Globals: &GlobalsChange{Before: new(s.Globals()), After: &g}})
	s = commit(t, s, Change{Kind: KindHalt, Force: true, Globals: &GlobalsChange{After: &Globals{Halt: HaltAllLegacy}}})
	if s.Globals().Halt != HaltAllLegacy || s.Globals().Gates["ready"] != GateWarn {
		t.Fatalf("a halt sets the halt and nothing else: %+v", s.Globals())
	}
}

func isRefusal(err error) bool {
	var r *Refusal
	return errors.As(err, &r)
}

func TestChangesThatAreRefused(t *testing.T) {
	s := commit(t, Empty(testEpoch), add(tenant("acme"), tenant("beta")))
	twice := change(s, "acme", func(t *Tenant) { t.Stage = StageCore })
	twice.Tenants = append(twice.Tenants, twice.Tenants...)
	renamed := change(s, "acme", func(t *Tenant) { t.ID = "acme2" })
	for want, c := range map[string]Change{
		"keep " + testSalt:                   change(s, "acme", func(t *Tenant) { t.Salt = strings.Repeat("a", 32) }),
		"stands twice in one change":         twice,
		"differs from the change's own acme": renamed,
		"does not exist":                     {Tenants: []TenantChange{{ID: "nobody"}}},
		"is unknown":                         {Globals: &GlobalsChange{Before: new(s.Globals()), After: &Globals{Halt: "yes"}}},
		"globals.after":                      {Globals: &GlobalsChange{Before: new(s.Globals())}},
		"of tenant beta":                     change(s, "acme", func(t *Tenant) { t.Domains = []string{"beta.example"} }),
	} {
		_, _, err := tryCommit(s, c)
		if !isRefusal(err) || !strings.Contains(err.Error(), want) {
			t.Errorf("want a refusal with %q, got %v", want, err)
		}
	}
}

func TestPolicyTestsGuardChanges(t *testing.T) {
	s := commit(t, Empty(testEpoch), add(tenant("acme", func(t *Tenant) { t.Stage = StageCore }), tenant("beta")))
	onCore := Test{Name: "acme is served by core", Tenant: "acme", From: "bob@acme.example", To: "carol@acme.example", Expect: "core"}
	g := s.Globals()
	g.Tests = []Test{onCore}
	s = commit(t, s, Change{Globals: &GlobalsChange{Before: new(s.Globals()), After: &g}})

	wrong := g
	wrong.Tests = []Test{onCore, {From: "x@example.org", To: "y@beta.example", Expect: "core"}}
	if _, _, err := tryCommit(s, Change{Globals: &GlobalsChange{Before: &g, After: &wrong}}); !isRefusal(err) || !strings.Contains(err.Error(), "expected core, got legacy (stage)") {
		t.Fatalf("a new test that fails: %v", err)
	}
	up := change(s, "acme", func(t *Tenant) {
		t.Stage, t.Rules = StageCore, []Rule{{Direction: Internal, Platform: Legacy}, {Direction: Inbound, Platform: Core}}
	})
	up.Tenants = append(up.Tenants, change(s, "beta", func(t *Tenant) { t.Stage = StageCore }).Tenants...)
	if _, _, err := tryCommit(s, up); !isRefusal(err) {
		t.Fatalf("a change that also moves somebody to core and breaks a test: %v", err)
	}
	back := Change{Kind: KindRollback, Force: true, Tenants: []TenantChange{{ID: "acme"}}}
	s = commit(t, s, back)
	if w := s.Warnings(); len(w) != 1 || !strings.Contains(w[0], "acme is served by core") {
		t.Fatalf("rollback past a test: warnings %q", w)
	}
	// During the incident others still move: the test failed before.
	s = commit(t, s, change(s, "beta", func(t *Tenant) { t.Stage = StageCore }))
	if len(s.Warnings()) != 1 {
		t.Fatalf("the failing test is silent: %q", s.Warnings())
	}
	s = commit(t, s, change(s, "acme", func(t *Tenant) { t.RolledBack = false }))
	if len(s.Warnings()) != 0 {
		t.Fatalf("warnings stay: %q", s.Warnings())
	}
	// An edge's own orders are no part of what the policy promises.
	if r := s.WithOverrides(&Overrides{AllLegacy: &Override{}}).RunTests(1); len(r) != 1 || !r[0].OK {
		t.Fatalf("under an override: %+v", r)
	}
	for _, r := range s.WithOverrides(nil).RunTests(1) {
		if r.Decision.Tenant != "acme" || r.Decision.Platform != Core {
			t.Fatalf("%+v", r)
		}
	}
}

func TestResyncLeaps(t *testing.T) {
	s := commit(t, Empty(testEpoch), add(tenant("acme")))
	sealed, next, err := s.Resync(100, Change{Actor: "ops", Reason: "redis came back empty"}, testTime)
	if err != nil {
		t.Fatal(err)
	}
	if next.Rev() != 100 || next.Root() != s.Root() || next.Chain() == s.Chain() {
		t.Fatalf("resynced to %+v", next.Head())
	}
	edge, err := s.Apply(sealed)
	if err != nil || edge.Head() != next.Head() {
		t.Fatalf("an edge at rev %d does not follow: %v", s.Rev(), err)
	}
	if _, _, err := next.Resync(100, Change{}, testTime); !errors.Is(err, ErrForked) {
		t.Fatalf("a rev was given twice: %v", err)
	}
	sealed.Kind = KindFlip
	sealed.Chain = ChainOf(s.Chain(), &sealed)
	if _, err := s.Apply(sealed); !errors.Is(err, ErrForked) {
		t.Fatalf("a leap that is no resync: %v", err)
	}
}

func TestRootIsTheContent(t *testing.T) {
	a := commit(t, Empty(testEpoch), add(tenant("acme"), tenant("beta")))
	b := commit(t, commit(t, Empty(strings.Repeat("1", 32)), add(tenant("beta"))), add(tenant("acme")))
	if a.Root() != b.Root() {
		t.Fatal("equal content, different roots")
	}
	c := commit(t, a, change(a, "acme", func(t *Tenant) { t.Name = "x" }))
	d := commit(t, c, change(c, "acme", func(t *Tenant) { t.Name = "" }))
	if c.Root() == a.Root() || d.Root() != a.Root() || d.Chain() == a.Chain() {
		t.Fatal("the root is not the content, or the chain not the history")
	}
	g := commit(t, a, Change{Kind: KindHalt, Force: true, Globals: &GlobalsChange{After: &Globals{Halt: HaltFreeze}}})
	if g.Root() == a.Root() {
		t.Fatal("the root does not hold the globals")
	}
	if _, err := NewSnapshot(Head{Epoch: testEpoch, Rev: 1, Root: a.Root()}, Globals{}, []*Tenant{tenant("acme")}); !isRefusal(err) {
		t.Fatalf("content that lacks a tenant passes for the root: %v", err)
	}
}

// What a flip sends to every edge is the tenant before and after, whatever the size of the policy.
func TestFlipMovesKilobytes(t *testing.T) {
	s := snapshot(t, fleet(500)...)
	sealed, _, err := tryCommit(s, change(s, "tenant-000100", func(t *Tenant) { t.Stage = StageCore }))
	if err != nil {
		t.Fatal(err)
	}
	if b, err := sealed.Canonical(); err != nil || len(b) > 4096 {
		t.Fatalf("%d bytes, %v", len(b), err)
	}
}
