package proxy

import (
	"strconv"
	"sync"

	"github.com/hotcut/hotcut/policy"
)

// simPolicy is one of the policies that a seed's operators put into force. Each is built once for all seeds: snapshots are
// immutable, and their revs only need to differ.
type simPolicy struct {
	kind faultKind
	edit func(x *policy.Tenant, g *policy.Globals)
	own  *policy.Overrides // the edge's own orders
	snap *policy.Snapshot
}

var (
	simPolicies = sync.OnceValue(func() []simPolicy { return newSimPolicies(false) })
	simMirrored = sync.OnceValue(func() []simPolicy { return newSimPolicies(true) })
)

// newSimPolicies makes the policies; mirrored: calls that legacy serves are copied, which is to change nothing else.
func newSimPolicies(mirrored bool) []simPolicy {
	soon := int64(simEpoch/1e9) + 3600
	stage := func(s policy.Stage) func(*policy.Tenant, *policy.Globals) {
		return func(x *policy.Tenant, _ *policy.Globals) { x.Stage = s }
	}
	list := []simPolicy{
		{kind: policyFlip, edit: stage(policy.StageLegacy)},
		{kind: policyFlip, edit: stage(policy.StageCore)},
		{kind: policyFlip, edit: stage(policy.StageShadow)},
		{kind: policyRollback, edit: func(x *policy.Tenant, _ *policy.Globals) { x.Stage, x.RolledBack = policy.StageCore, true }},
		{kind: policyHalt, edit: func(x *policy.Tenant, g *policy.Globals) { x.Stage, g.Halt = policy.StageCore, policy.HaltAllLegacy }},
		{kind: policyOverride, edit: stage(policy.StageCore), own: &policy.Overrides{AllLegacy: &policy.Override{By: "sim", At: 1}}},
		{kind: policyHold, edit: func(x *policy.Tenant, _ *policy.Globals) {
			x.Stage, x.Hold = policy.StageCore, &policy.Hold{By: "sim", At: 1}
		}},
		{kind: policyCanary, edit: func(x *policy.Tenant, _ *policy.Globals) { x.Stage, x.Share = policy.StageCanary, 5000 }},
		{kind: policyCanary, edit: func(x *policy.Tenant, _ *policy.Globals) {
			x.Stage, x.Assigned = policy.StageCanary, map[string]policy.Platform{"user1": policy.Core, "user2": policy.Core}
		}},
		{kind: policyRules, edit: func(x *policy.Tenant, _ *policy.Globals) {
			x.Stage = policy.StageCanary
			x.Rules = []policy.Rule{{Users: []string{"user0", "user1"}, Platform: policy.Core}, {Method: "INVITE", Direction: policy.Internal, Platform: policy.Core}}
		}},
		{kind: policyArmed, edit: func(x *policy.Tenant, _ *policy.Globals) {
			x.Phase = &policy.Phase{Name: policy.PhaseArmed, Until: soon}
		}},
		{kind: policyArmed, edit: func(x *policy.Tenant, _ *policy.Globals) {
			x.Stage, x.Phase = policy.StageCore, &policy.Phase{Name: policy.PhaseSoaking, Until: soon}
		}},
		{kind: policyFlip, edit: func(x *policy.Tenant, _ *policy.Globals) { x.Stage, x.CrossFailover = policy.StageCore, true }},
		{kind: policyDone, edit: func(x *policy.Tenant, _ *policy.Globals) {
			x.Stage = policy.StageDone
			x.Emergency = &policy.Emergency{Platform: policy.Core, Certified: &policy.Certification{By: "sim", At: 1, Evidence: "test calls"}}
		}},
	}
	for i := range list {
		p := &list[i]
		x := &policy.Tenant{ID: "acme", Domains: []string{"acme.example"}, Salt: "00112233445566778899aabbccddeeff", HashVer: 1, Country: "1"}
		y := &policy.Tenant{ID: "birch", Domains: []string{"birch.example"}, Salt: "ffeeddccbbaa99887766554433221100", HashVer: 1, Stage: policy.StageCore}
		g := policy.Globals{Default: "legacy", Halt: policy.HaltNone}
		p.edit(x, &g)
		if mirrored {
			x.Mirror, x.MirrorSubs = policy.FullShare, true
			if x.Stage == policy.StageLegacy {
				x.Stage = policy.StageShadow
			}
		}
		s, err := policy.NewSnapshot(policy.Head{Epoch: "e", Rev: uint64(i + 1)}, g, []*policy.Tenant{x, y})
		if err != nil {
			panic("policy " + strconv.Itoa(i) + ": " + err.Error())
		}
		p.snap = s.WithOverrides(p.own)
	}
	return list
}
