package main

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"github.com/hotcut/hotcut/migration"
	"github.com/hotcut/hotcut/policy"
)

// seen is a view together with what has to be said of it: that it is stale, that the store is behind, who is silent.
type seen struct {
	*migration.View
	past bool // an earlier rev was asked for
}

// atRev puts --at-rev on a verb that reads the policy.
func (a *app) atRev(cmd *cobra.Command, to *uint64) {
	cmd.Flags().Uint64Var(to, "at-rev", 0, "the policy as it was at this rev (default: now)")
}

// viewAt sees the policy now, or as it was at a rev. of are the only tenants that will be looked at, if that is known.
func (a *app) viewAt(ctx context.Context, rev uint64, of ...string) (*seen, error) {
	if rev != 0 {
		of = nil
	}
	v, err := a.view(ctx, of...)
	if err != nil {
		return nil, err
	}
	if rev == 0 || v.Snapshot != nil && rev == v.Snapshot.Rev() {
		return v, a.needPolicy(v)
	}
	if v.Gone != nil {
		return nil, v.Gone
	}
	e, err := a.eng()
	if err != nil {
		return nil, err
	}
	s, err := a.loadAt(ctx, e, rev)
	if err != nil {
		return nil, err
	}
	v.Snapshot, v.Head, v.past, v.Nodes = s, s.Head(), true, nil
	return v, nil
}

// loadAt reads the policy as it was. An error names the rev that was asked for, not the one that the log ends before.
func (a *app) loadAt(ctx context.Context, e *migration.Engine, rev uint64) (*policy.Snapshot, error) {
	ctx, cancel := a.limited(ctx)
	defer cancel()
	s, err := e.Store.LoadAt(ctx, rev)
	if errors.Is(err, policy.ErrTrimmed) {
		err = fmt.Errorf("rev %d: %w", rev, policy.ErrTrimmed)
	}
	if err != nil {
		return nil, hint(err, "hotcut history")
	}
	return s, nil
}

func (a *app) view(ctx context.Context, of ...string) (*seen, error) {
	e, err := a.eng()
	if err != nil {
		return nil, err
	}
	v, err := e.View(ctx, of...)
	if err != nil {
		return nil, err
	}
	return &seen{View: v}, nil
}

// needPolicy is an error when nobody could say what the policy is.
func (a *app) needPolicy(v *seen) error {
	if v.Known() {
		return nil
	}
	if v.Gone != nil {
		return v.Gone
	}
	return policy.ErrNoPolicy
}

// Tenant finds a tenant in what was seen.
func (v *seen) Tenant(id string) (*policy.Tenant, error) { return v.Present.Find(id) }

// result starts an answer about what was seen.
func (v *seen) result(kind string, data any) result {
	r := result{kind: kind, rev: v.Head.Rev, epoch: v.Head.Epoch, fresh: v.Fresh, data: data}
	if v.Regressed != nil {
		r.warnings = append(r.warnings, v.Regressed.Error())
		r.next = append(r.next, "hotcut policy resync")
	}
	return r
}

// show prints the answer. What does not come from the store is marked, and ends with exit code 8.
func (v *seen) show(a *app, r result) error {
	if v.Gone == nil {
		return a.show(r)
	}
	f := judge(v.Gone)
	gone := *f
	gone.exit, gone.code, gone.retryable = exitStore, "stale", true
	if errors.Is(v.Gone, policy.ErrNoPolicy) || v.Regressed != nil {
		gone.code, gone.next = "regressed", []string{"hotcut policy resync"}
		r.warnings, r.next = nil, nil
	}
	if gone.code == "stale" {
		gone.next = []string{"hotcut status -w"} // shows when the store is back
	}
	switch v.Fresh.State {
	case policy.Stale:
		gone.err = fmt.Errorf("stale, from %s: %w", v.from(), v.Gone)
	default:
		gone.err = fmt.Errorf("from the roster seen %s ago; no edge answers: %w", migration.Ago(durationMs(v.Fresh.AgeMs)), v.Gone)
	}
	return join(a.show(r), &gone)
}

// from names the edges that answered.
func (v *seen) from() string {
	var names []string
	for _, ans := range v.Answers {
		if ans.Err == nil {
			names = append(names, ans.Edge)
		}
	}
	slices.Sort(names)
	return list(names, 3)
}
