package migration

import (
	"fmt"
	"strings"
	"testing"

	"github.com/hotcut/hotcut/policy"
)

// found makes a diagnosis: "check level detail" each.
func found(lines ...string) *Diagnosis {
	d := &Diagnosis{Findings: []Finding{}}
	for _, l := range lines {
		w := strings.SplitN(l, " ", 3)
		d.Findings = append(d.Findings, Finding{Check: w[0], Level: w[1], Detail: w[2], Platform: "core", Target: "c1"})
	}
	return d
}

func TestJudgeRegistrations(t *testing.T) {
	trust := map[string][]string{"core": {"trust"}}
	acme := func(keep map[string][]string, silent ...string) FleetPhones {
		return FleetPhones{Tenants: []Phones{{Tenant: "acme", Bindings: 41}}, Keep: keep, Asked: 2, Silent: silent}
	}
	fine := found("challenge ok 401", "compare ok alike")
	for _, c := range []struct {
		name string
		gate policy.Gate
		ids  string
		pre  *Preflight
		want string

		listed int
	}{
		{"off", policy.GateOff, "acme", nil, "", 0},
		{"no edges", "", "acme", nil, "warn not measured: no edge is listed (hotcut doctor acme)", 0},
		{"not asked", "", "acme", nil, "warn not measured: no edge answered (hotcut doctor acme)", 1},
		{"no edges, required", policy.GateRequire, "acme", nil, "fail not measured: no edge is listed, and the policy requires it (hotcut doctor acme)", 0},
		{"all silent", policy.GateWarn, "acme", &Preflight{Phones: FleetPhones{Asked: 1, Silent: []string{"edge-1"}}}, "warn not measured: no edge answered (hotcut doctor acme)", 0},
		{"fine", "", "acme", &Preflight{Phones: acme(trust), Diagnosis: fine}, "pass both platforms take registrations of these phones ()", 0},
		{"one silent", "", "acme", &Preflight{Phones: acme(trust, "edge-2"), Diagnosis: fine}, "warn edge-2 did not answer: what is registered there is not measured (hotcut doctor acme)", 0},
		{"one silent, required", policy.GateRequire, "acme", &Preflight{Phones: acme(trust, "edge-2"), Diagnosis: fine}, "fail edge-2 did not answer: what is registered there is not measured (hotcut doctor acme)", 0},
		{"not probed", "", "acme", &Preflight{Phones: acme(trust), Diagnosis: nil}, "warn the targets were not probed (hotcut doctor acme)", 0},
		{"nobody probes", "", "acme", &Preflight{Phones: acme(trust), Diagnosis: found()}, "warn no edge could probe its targets (hotcut doctor acme)", 0},
		{"another realm blocks", "", "acme", &Preflight{Phones: acme(trust), Diagnosis: found("compare fail realm a, not b")}, "fail compare core c1: realm a, not b (hotcut doctor acme)", 0},
		{"another algorithm warns", policy.GateRequire, "acme", &Preflight{Phones: acme(trust), Diagnosis: found("compare warn SHA-256 too")}, "warn compare core c1: SHA-256 too (hotcut doctor acme)", 0},
		{"a failed probe warns", "", "acme", &Preflight{Phones: acme(trust), Diagnosis: found("path fail 420")}, "warn path core c1: 420 (hotcut doctor acme)", 0},
		{"a failed probe, required", policy.GateRequire, "acme", &Preflight{Phones: acme(trust), Diagnosis: found("path fail 420", "trust warn slow", "names skip -")}, "fail path core c1: 420 (hotcut doctor acme)", 0},
		{"found twice", "", "acme", &Preflight{Phones: acme(trust), Diagnosis: found("path fail 420", "path fail 420")}, "warn path core c1: 420 (hotcut doctor acme)", 0},
		{"keep none", "", "acme", &Preflight{Phones: acme(map[string][]string{"core": {"none", "trust"}}), Diagnosis: fine},
			"warn acme: keep is none on a target of core: its 41 phones can be reached there only when they register anew (hotcut doctor acme)", 0},
		{"keep none, no phones", "", "birch", &Preflight{Phones: acme(nil), Diagnosis: fine}, "pass both platforms take registrations of these phones ()", 0},
		{"not probed, no phones", "", "birch", &Preflight{Phones: acme(nil)}, "pass no phone is registered through the edges: nothing to hand over ()", 0},
		{"not probed, no phones that are known", "", "birch", &Preflight{Phones: acme(nil, "edge-2")},
			"warn edge-2 did not answer: what is registered there is not measured (hotcut doctor birch); warn the targets were not probed (hotcut doctor birch)", 0},
		{"not probed, no phones, required", policy.GateRequire, "birch", &Preflight{Phones: acme(nil)}, "fail the targets were not probed (hotcut doctor birch)", 0},
		{"not probed, everybody", "", "*", &Preflight{Phones: acme(nil)}, "warn the targets were not probed (hotcut doctor)", 0},
		{"many tenants", "", "acme birch", &Preflight{Phones: acme(trust), Diagnosis: fine}, "pass both platforms take registrations of these phones ()", 0},
	} {
		var got []string
		for _, v := range judgeRegistrations(policy.Globals{Gates: map[string]policy.Gate{"registrations": c.gate}}, strings.Fields(c.ids), c.pre, c.listed) {
			who := v.Tenant
			if who != "" {
				who += ": "
			}
			got = append(got, fmt.Sprintf("%s %s%s (%s)", v.Level, who, v.Why, v.Next))
		}
		if all := strings.Join(got, "; "); all != c.want {
			t.Errorf("%s:\n got %s\nwant %s", c.name, all, c.want)
		}
	}
}

// The engine asks the edges before it judges a move towards core, and nobody before a rollback.
func TestPlanMeasures(t *testing.T) {
	asked := 0
	es := edges{"edge-1": {
		phones: func() (EdgePhones, error) { asked++; return knows("edge-1", row("edge-1", "acme", 3, 3, 0)).Value, nil },
		doctor: func(p Probe) (Diagnosis, error) {
			if p.Tenant != "acme" || p.Write {
				t.Errorf("probe %+v", p)
			}
			return *found("compare fail realm a, not b"), nil
		},
	}}
	e, _ := newEngine(t, es, "acme")
	if err := e.Store.Report(t.Context(), policy.NodeState{Edge: "edge-1", Admin: "edge-1"}); err != nil {
		t.Fatal(err)
	}
	mustDo(t, e, Rollback([]string{"acme"}, by("back")))
	if asked != 0 {
		t.Error("a rollback asked the edges of phones before its commit")
	}
	_, err := do(t, e, Flip(FlipTo{Tenant: "acme", Stage: policy.StageCore, Soak: Soak}, by("flip")))
	if err == nil || !strings.Contains(err.Error(), "gate registrations: compare core c1: realm a, not b") || asked != 1 {
		t.Errorf("asked %d times: %v", asked, err)
	}
	// Arming moves nobody: the phones are counted, the targets are not probed.
	arm, err := e.Plan(t.Context(), Set("acme", Fields{"phase": []byte(`{"name":"armed","until":4102444800}`)}, by("arm")))
	if err != nil || arm.Measured == nil || arm.Measured.Diagnosis != nil || arm.Measured.Phones.Of("acme").Bindings != 3 || len(arm.Verdicts) != 0 {
		t.Errorf("%+v, %v", arm, err)
	}
}

// What several edges find alike is said once; challenges are the union.
func TestMergeDiagnoses(t *testing.T) {
	one, two := *found("path ok yes", "trust fail 403"), *found("path ok yes")
	one.Challenges = map[string]Challenge{"core": {Realms: []string{"b"}}}
	two.Challenges = map[string]Challenge{"core": {Realms: []string{"a", "b"}}}
	two.Findings[0].Platform = "legacy"
	three := *found("path ok yes")
	d := mergeDiagnoses([]Answer[Diagnosis]{{Edge: "e1", Value: one}, {Edge: "e2", Value: two}, {Edge: "e3", Value: three}, {Edge: "e4", Err: errDead}})
	var got []string
	for _, f := range d.Findings {
		got = append(got, fmt.Sprint(f.Where(), " ", f.Check, " ", f.Level, " ", f.Edges))
	}
	if s := strings.Join(got, "; "); s != "legacy c1 path ok [e2]; core c1 path ok [e1 e3]; core c1 trust fail [e1]" {
		t.Error(s)
	}
	if s := fmt.Sprint(d.Challenges, d.Silent, d.Failed()); s != "map[core:{[a b] [] []}] [e4] true" {
		t.Error(s)
	}
}

// Probes that write are made by one edge after another; the others at once.
func TestDoctorWritesInTurn(t *testing.T) {
	busy, most := 0, 0
	probe := func(Probe) (Diagnosis, error) {
		busy++
		most = max(most, busy)
		busy--
		return *found("path ok yes"), nil
	}
	f := &Fleet{Dial: edges{"a": {doctor: probe}, "b": {doctor: probe}, "c": {}}.dial, Limit: 1e9}
	var begun []string
	d := f.Doctor(t.Context(), []Address{{"a", "a"}, {"b", "b"}, {"c", "c"}}, Probe{Write: true}, func(edge string) { begun = append(begun, edge) })
	if most != 1 || strings.Join(begun, "") != "abc" || len(d.Findings) != 1 || fmt.Sprint(d.Silent) != "[c]" {
		t.Errorf("%d at once, begun %v, %+v", most, begun, d)
	}
}
