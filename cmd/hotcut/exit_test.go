package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"testing"

	"github.com/hotcut/hotcut/migration"
	"github.com/hotcut/hotcut/policy"
)

// redisReply is an error that Redis answered.
type redisReply string

func (r redisReply) Error() string { return string(r) }
func (redisReply) RedisError()     {}

// The numbers are written out: scripts of operators have them too.
func TestExitCodesAreFrozen(t *testing.T) {
	for _, c := range []struct {
		err  error
		exit int
		code string
	}{
		{errors.New("anything"), 1, "error"},
		{usage(errors.New("flag")), 2, "usage"},
		{&migration.GoalError{Problem: "share", Usage: true}, 2, "usage"},
		{&migration.GoalError{Problem: "exists"}, 1, "refused"},
		{fmt.Errorf("flip: %w", policy.ErrConflict), 4, "conflict"},
		{&migration.GateError{}, 5, "gate"},
		{&migration.LateError{}, 6, "late"},
		{fmt.Errorf("redis: %w", policy.ErrUnreachable), 8, "unreachable"},
		{context.DeadlineExceeded, 8, "unreachable"},
		{&migration.UnknownError{Key: "k", Err: policy.ErrUnknownOutcome}, 8, "unknown_outcome"},
		{fmt.Errorf("store: %w", policy.ErrUnknownOutcome), 8, "unknown_outcome"},
		{fmt.Errorf("open: %w", fs.ErrPermission), 7, "denied"},
		{fmt.Errorf("redis: %w", redisReply("NOPERM User edge has no permissions to run the 'evalsha' command")), 7, "denied"},
		{redisReply("WRONGPASS invalid username-password pair"), 7, "denied"},
		{redisReply("ERR syntax"), 1, "error"},
		{policy.ErrNoPolicy, 1, "no_policy"},
		{policy.ErrForked, 1, "forked"},
		{policy.ErrTrimmed, 1, "trimmed"},
		{&policy.Refusal{}, 1, "refused"},
		{&migration.NoTenantError{Tenant: "x"}, 1, "no_tenant"},
		{&migration.RegressedError{Edge: "edge-1", EdgeRev: 2}, 1, "regressed"},
		{hint(&migration.LateError{}, "hotcut edges"), 6, "late"},
	} {
		f := judge(c.err)
		if f.exit != c.exit || f.code != c.code {
			t.Errorf("%T %v: exit %d %s, want %d %s", c.err, c.err, f.exit, f.code, c.exit, c.code)
		}
	}
	if f := judge(&migration.UnknownError{Key: "k1", Err: policy.ErrUnknownOutcome}); len(f.next) != 1 || f.next[0] != "hotcut history --key k1" {
		t.Errorf("an unknown outcome does not say how to know it: %q", f.next)
	}
	if exitPending != 3 || exitDenied != 7 || exitDraining != 9 {
		t.Error("exit codes moved")
	}
}
