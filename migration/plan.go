package migration

import (
	"cmp"
	"slices"

	"github.com/hotcut/hotcut/policy"
)

// Plan is a change, whom it moves and what the gates say of it, before anything is done. It is pinned to the rev that
// it was made from.
type Plan struct {
	Change   policy.Change `json:"change"`
	Moves    []Move        `json:"moves"`    // sorted by tenant
	Verdicts []Verdict     `json:"verdicts"` // of the gates; empty towards legacy
	Warnings []string      `json:"warnings"`
	Notes    []string      `json:"notes"` // why nothing has to be done, for some of what was asked

	Measured *Preflight `json:"-"` // what the edges said of its phones; nil: they were not asked

	insists bool     // made again on conflict, until it holds
	of      []string // the tenants that it was asked of; none: whoever the policy holds
}

// Move is what a change does to one tenant.
type Move struct {
	Tenant string        `json:"tenant"` // "*": tenants that the policy does not know
	From   string        `json:"from"`
	To     string        `json:"to"`
	Motion policy.Motion `json:"motion"`
	Fields []string      `json:"fields"` // JSON names of what changes in the record
}

// CoreWard reports whether the move could bring any unit to core.
func (m Move) CoreWard() bool { return coreWard(m.Motion) }

func coreWard(m policy.Motion) bool { return m == policy.TowardsCore || m == policy.Both }

// Empty reports whether there is nothing to commit.
func (p *Plan) Empty() bool { return len(p.Change.Tenants) == 0 && !p.changesGlobals() }

func (p *Plan) changesGlobals() bool { return p.Change.Globals != nil && p.Change.Globals.After != nil }

// standsAnyway: nobody had to be moved, and yet it matters that every edge is there: a rollback, a halt, a kill switch.
func (p *Plan) standsAnyway() bool {
	return p.Change.Kind == policy.KindRollback || p.Change.Kind == policy.KindHalt || p.insists
}

// CoreWard lists the tenants that the plan could bring to core, in whole or in part.
func (p *Plan) CoreWard() []string {
	var ids []string
	for _, m := range p.Moves {
		if m.CoreWard() {
			ids = append(ids, m.Tenant)
		}
	}
	return ids
}

// Moving counts the moves that move anybody.
func (p *Plan) Moving() int {
	n := 0
	for _, m := range p.Moves {
		if m.Motion != policy.Still {
			n++
		}
	}
	return n
}

// Asking is how much a person has to say before a plan is applied.
type Asking uint8

const (
	AskNothing Asking = iota
	AskYes            // one y/N
	AskNumber         // the number of tenants that move towards core
	AskName           // the tenant's name: instant rollback ends here
)

// Asking says what must be confirmed, and for AskNumber and AskName the answer that confirms.
func (p *Plan) Asking() (Asking, string) {
	for _, tc := range p.Change.Tenants {
		if tc.After != nil && tc.After.Stage == policy.StageDone && (tc.Before == nil || tc.Before.Stage != policy.StageDone) {
			return AskName, tc.ID
		}
	}
	if n := len(p.CoreWard()); n > 1 {
		return AskNumber, decimal(n)
	}
	if p.Moving() > 0 || p.removes() {
		return AskYes, ""
	}
	return AskNothing, ""
}

func (p *Plan) removes() bool {
	return slices.ContainsFunc(p.Change.Tenants, func(tc policy.TenantChange) bool { return tc.After == nil })
}

// put adds a tenant's change; every tenant comes once.
func (p *Plan) put(id string, before, after *policy.Tenant) {
	p.Change.Tenants = append(p.Change.Tenants, policy.TenantChange{ID: id, Before: before, After: after})
}

// finish fills in whom the change moves and what the gates say. Every goal ends here.
func (p *Plan) finish(at Present) (*Plan, error) {
	p.Measured = at.Measured
	slices.SortFunc(p.Change.Tenants, func(a, b policy.TenantChange) int { return cmp.Compare(a.ID, b.ID) })
	var err error
	if p.Moves, err = movesOf(at, &p.Change); err != nil {
		return nil, err
	}
	if len(p.CoreWard()) > 0 {
		// Its author looked at holds, halt and gates: if they change before the commit, the plan no longer stands.
		p.Change.ReadGlobals = true
		p.Verdicts = judge(at, p)
		for _, v := range p.Verdicts {
			if v.Level == LevelWarn {
				p.Warnings = append(p.Warnings, v.String())
			}
		}
	}
	return p, nil
}

// Refusal returns the gates that do not open as an error, or nil.
func (p *Plan) Refusal() error {
	var failed []Verdict
	for _, v := range p.Verdicts {
		if v.Level == LevelFail {
			failed = append(failed, v)
		}
	}
	if len(failed) == 0 {
		return nil
	}
	return &GateError{Failed: failed}
}
