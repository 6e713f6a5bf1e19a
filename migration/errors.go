package migration

import (
	"fmt"
	"strings"
)

// NoTenantError: the policy knows no such tenant.
type NoTenantError struct {
	Tenant string
	Near   string // the id that was probably meant, or ""
}

func (e *NoTenantError) Error() string {
	if e.Near != "" {
		return fmt.Sprintf("no tenant %q; did you mean %q?", e.Tenant, e.Near)
	}
	return fmt.Sprintf("no tenant %q", e.Tenant)
}

// GoalError: what was asked for can not be meant, whatever the policy holds.
type GoalError struct {
	Problem string
	Fix     string // the command or flag that would work, or ""
	Usage   bool   // it is the command line that is wrong, not the state of things
}

func (e *GoalError) Error() string { return e.Problem }

// GateError: a change towards core met gates that do not open.
type GateError struct {
	Failed []Verdict
}

func (e *GateError) Error() string {
	lines := make([]string, 0, len(e.Failed))
	for _, v := range e.Failed {
		lines = append(lines, v.String())
	}
	return strings.Join(lines, "; ")
}

// RegressedError: an edge runs a rev that the store has lost. Revs are never used twice, so nothing moves towards core
// before a resync.
type RegressedError struct {
	Edge    string
	EdgeRev uint64
	Rev     uint64 // of the store; 0: it holds nothing
}

func (e *RegressedError) Error() string {
	if e.Rev == 0 {
		return fmt.Sprintf("the store holds no policy, but %s runs rev %d", e.Edge, e.EdgeRev)
	}
	return fmt.Sprintf("the store is at rev %d, but %s runs rev %d of the same epoch: the store lost changes", e.Rev, e.Edge, e.EdgeRev)
}
