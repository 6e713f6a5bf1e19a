package main

import (
	"context"
	"errors"
	"io/fs"

	"github.com/hotcut/hotcut/migration"
	"github.com/hotcut/hotcut/policy"
)

// Exit codes. Scripts branch on them: they never change their meaning.
const (
	exitDone     = 0
	exitError    = 1
	exitUsage    = 2
	exitPending  = 3 // changes pending (plan)
	exitConflict = 4 // the rev moved
	exitGate     = 5 // gate not met
	exitLate     = 6 // committed, but not on every edge in time
	exitDenied   = 7
	exitStore    = 8 // store unreachable, what is shown is stale, or the outcome is unknown
	exitDraining = 9 // rolled back, but calls still drain
)

// failure is an error as it is told: a code for programs, the exit code, and what to type next.
type failure struct {
	exit      int
	code      string
	retryable bool
	next      []string
	err       error
}

func (f *failure) Error() string { return f.err.Error() }
func (f *failure) Unwrap() error { return f.err }

// usage is a command line that can not be meant.
func usage(err error, next ...string) error {
	return &failure{exit: exitUsage, code: "usage", err: err, next: next}
}

// hint adds the next command to an error that has no better one.
func hint(err error, next ...string) error {
	f := judge(err)
	if len(f.next) == 0 {
		f.next = next
	}
	return f
}

// judge turns any error into a failure. It is the one place where sentinels become exit codes.
func judge(err error) *failure {
	if f, ok := errors.AsType[*failure](err); ok {
		return f
	}
	if f := judgeTyped(err); f != nil {
		return f
	}
	switch {
	case errors.Is(err, fs.ErrPermission), deniedByRedis(err):
		return &failure{exit: exitDenied, code: "denied", err: err}
	case errors.Is(err, policy.ErrConflict):
		return &failure{exit: exitConflict, code: "conflict", retryable: true, err: err, next: []string{"hotcut history"}}
	case errors.Is(err, policy.ErrUnknownOutcome):
		return &failure{exit: exitStore, code: "unknown_outcome", retryable: true, err: err, next: []string{"hotcut history"}}
	case errors.Is(err, policy.ErrForked):
		return &failure{exit: exitError, code: "forked", err: err, next: []string{"hotcut edges"}}
	case errors.Is(err, policy.ErrNoPolicy):
		return &failure{exit: exitError, code: "no_policy", err: err, next: []string{"hotcut init", "hotcut policy resync"}}
	case errors.Is(err, policy.ErrTrimmed):
		return &failure{exit: exitError, code: "trimmed", err: err, next: []string{"hotcut history"}}
	case errors.Is(err, policy.ErrUnreachable), errors.Is(err, context.DeadlineExceeded):
		return &failure{exit: exitStore, code: "unreachable", retryable: true, err: err, next: []string{"hotcut status"}}
	case errors.Is(err, migration.ErrNothingToResync):
		return &failure{exit: exitError, code: "nothing_to_resync", err: err, next: []string{"hotcut edges"}}
	}
	return &failure{exit: exitError, code: "error", err: err}
}

// judgeTyped knows the errors that carry more than a sentence.
func judgeTyped(err error) *failure {
	if e, ok := errors.AsType[*migration.UnknownError](err); ok {
		return &failure{exit: exitStore, code: "unknown_outcome", retryable: true, err: err, next: []string{"hotcut history --key " + e.Key}}
	}
	if e, ok := errors.AsType[*migration.GateError](err); ok {
		return &failure{exit: exitGate, code: "gate", err: err, next: nextOf(e.Failed)}
	}
	if _, ok := errors.AsType[*migration.LateError](err); ok {
		return &failure{exit: exitLate, code: "late", err: err, next: []string{"hotcut edges"}}
	}
	if e, ok := errors.AsType[*migration.NoTenantError](err); ok {
		f := &failure{exit: exitError, code: "no_tenant", err: err, next: []string{"hotcut tenant list"}}
		if e.Near != "" {
			f.next = []string{"hotcut tenant show " + e.Near}
		}
		return f
	}
	if e, ok := errors.AsType[*migration.GoalError](err); ok {
		f := &failure{exit: exitError, code: "refused", err: err}
		if e.Usage {
			f.exit, f.code = exitUsage, "usage"
		}
		if e.Fix != "" {
			f.next = []string{e.Fix}
		}
		return f
	}
	if _, ok := errors.AsType[*migration.RegressedError](err); ok {
		return &failure{exit: exitError, code: "regressed", err: err, next: []string{"hotcut policy resync"}}
	}
	if _, ok := errors.AsType[*policy.Refusal](err); ok {
		return &failure{exit: exitError, code: "refused", err: err}
	}
	return nil
}

func nextOf(verdicts []migration.Verdict) []string {
	var next []string
	seen := make(map[string]bool)
	for _, v := range verdicts {
		if v.Next != "" && !seen[v.Next] && len(next) < 5 {
			seen[v.Next] = true
			next = append(next, v.Next)
		}
	}
	return next
}
