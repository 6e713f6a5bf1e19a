package migration

import (
	"fmt"
	"slices"
	"strings"

	"github.com/hotcut/hotcut/policy"
)

// Level is what a gate's verdict does to a change towards core.
type Level string

const (
	LevelPass Level = "pass"
	LevelWarn Level = "warn" // said, not stopped
	LevelFail Level = "fail"
)

// Verdict is what one gate says of a plan.
type Verdict struct {
	Gate   string `json:"gate"` // hold, halt, freeze, override, schema, emergency, ready, registrations
	Tenant string `json:"tenant,omitempty"`
	Level  Level  `json:"level"`
	Why    string `json:"why"`
	Next   string `json:"next,omitempty"` // the command that shows or opens it
}

func (v Verdict) String() string {
	if v.Tenant != "" {
		return fmt.Sprintf("gate %s: %s: %s", v.Gate, v.Tenant, v.Why)
	}
	return fmt.Sprintf("gate %s: %s", v.Gate, v.Why)
}

// GateReady is the gate over the evidence that core serves a tenant as well as legacy does.
const GateReady = "ready"

// judge asks every gate about the tenants that a plan could bring to core. Order is by how a person clears them.
func judge(at Present, p *Plan) []Verdict {
	ids := p.CoreWard()
	var out []Verdict
	out = append(out, judgeHalt(at, p)...)
	for _, id := range ids {
		out = append(out, judgeTenant(at, p, id)...)
	}
	out = append(out, judgeNodes(at, ids)...)
	out = append(out, judgeEvidence(p.globals(at))...)
	return append(out, judgeRegistrations(p.globals(at), ids, at.Measured, len(at.Nodes))...)
}

// globals are those that hold after the plan.
func (p *Plan) globals(at Present) policy.Globals {
	if p.changesGlobals() {
		return *p.Change.Globals.After
	}
	return at.Globals()
}

// judgeHalt: while the fleet is halted or frozen nothing is prepared behind its back. The change that lifts the halt is
// judged by the other gates.
func judgeHalt(at Present, p *Plan) []Verdict {
	switch p.globals(at).Halt {
	case policy.HaltFreeze:
		return []Verdict{{Gate: "freeze", Level: LevelFail, Why: "no change towards core while the fleet is frozen", Next: "hotcut resume"}}
	case policy.HaltAllLegacy:
		return []Verdict{{Gate: "halt", Level: LevelFail, Why: "everything is on legacy by halt; what is changed now would move at resume", Next: "hotcut resume"}}
	}
	return nil
}

func judgeTenant(at Present, p *Plan, id string) []Verdict {
	var out []Verdict
	before, after := at.record(id), at.record(id)
	if i := slices.IndexFunc(p.Change.Tenants, func(tc policy.TenantChange) bool { return tc.ID == id }); i >= 0 {
		after = p.Change.Tenants[i].After
	}
	// A change that lifts the hold in the same breath does not open the gate: hold is what stands before it.
	if before != nil && before.Hold != nil {
		why := "held by " + before.Hold.By
		if before.Hold.Reason != "" {
			why += ": " + before.Hold.Reason
		}
		out = append(out, Verdict{Gate: "hold", Tenant: id, Level: LevelFail, Why: why, Next: "hotcut release " + id})
	}
	if after != nil && after.Stage == policy.StageDone && (before == nil || before.Stage != policy.StageDone) && !emergencyOnCore(after) {
		out = append(out, Verdict{Gate: "emergency", Tenant: id, Level: LevelFail,
			Why:  "emergency calls are still on legacy; done ends the way back to it",
			Next: "hotcut tenant show " + id})
	}
	return out
}

func emergencyOnCore(t *policy.Tenant) bool {
	return t.Emergency != nil && t.Emergency.Platform == policy.Core && t.Emergency.Certified != nil
}

// judgeNodes: an edge that holds orders of its own would not follow, and one that can not read records would refuse.
func judgeNodes(at Present, ids []string) []Verdict {
	var out []Verdict
	for _, n := range at.Nodes {
		if len(n.Schemas) > 0 && !slices.Contains(n.Schemas, policy.Schema) {
			out = append(out, Verdict{Gate: "schema", Level: LevelFail,
				Why: fmt.Sprintf("%s (build %s) can not read records of schema %d", n.Edge, n.Build, policy.Schema), Next: "hotcut edges"})
		}
		if n.Overrides == nil {
			continue
		}
		if o := n.Overrides.AllLegacy; o != nil {
			out = append(out, Verdict{Gate: "override", Level: LevelFail,
				Why: fmt.Sprintf("%s serves all on legacy by a local order of %s", n.Edge, o.By), Next: "hotcut resume --direct"})
		}
		if o := n.Overrides.Freeze; o != nil {
			out = append(out, Verdict{Gate: "override", Level: LevelFail,
				Why: fmt.Sprintf("%s is frozen by a local order of %s", n.Edge, o.By), Next: "hotcut resume --direct"})
		}
		for _, id := range ids {
			if o, ok := n.Overrides.Tenants[id]; ok {
				out = append(out, Verdict{Gate: "override", Tenant: id, Level: LevelFail,
					Why: fmt.Sprintf("%s serves it on legacy by a local order of %s", n.Edge, o.By), Next: "hotcut resume --direct " + id})
			}
		}
	}
	return out
}

// Gates are the names of the gates that the policy can turn off, or require. A policy may hold others: of another build.
func Gates() []string { return []string{GateReady, GateRegistrations} }

// judgeEvidence: nothing measures readiness in this build, and no number is made up. A required gate that nothing can
// measure stays shut.
func judgeEvidence(g policy.Globals) []Verdict {
	names := []string{GateReady}
	for name := range g.Gates {
		if name != GateReady && name != GateRegistrations {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	var out []Verdict
	for _, name := range names {
		level := g.Gates[name]
		if level == "" && name == GateReady {
			level = policy.GateWarn
		}
		v := Verdict{Gate: name, Why: "not measured", Next: "hotcut policy get"}
		switch level {
		case policy.GateOff:
			continue
		case policy.GateRequire:
			v.Level = LevelFail
			v.Why = "not measured, and the policy requires it"
		default:
			v.Level = LevelWarn
		}
		out = append(out, v)
	}
	return out
}

// Ready says in one phrase what is known of readiness under g: "not measured", and what that does.
func Ready(g policy.Globals) string {
	level := g.Gates[GateReady]
	if level == "" {
		level = policy.GateWarn
	}
	return strings.Join([]string{"not measured", "(gate " + string(level) + ")"}, " ")
}
