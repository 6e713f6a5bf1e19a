package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/hotcut/hotcut/migration"
	"github.com/hotcut/hotcut/policy"
)

// authorFlags say who wants a change and why.
type authorFlags struct {
	reason, incident string
}

// changeFlags are on every verb that changes the policy.
type changeFlags struct {
	yes     bool
	confirm string
	dryRun  bool
	wait    time.Duration
}

// changing puts the flags of a change on a verb.
func (a *app) changing(cmd *cobra.Command) *cobra.Command {
	f := cmd.Flags()
	f.BoolVarP(&a.change.yes, "yes", "y", false, "do not ask")
	f.StringVar(&a.change.confirm, "confirm", "", "answer to what --yes does not answer: the number of tenants, or the tenant's name")
	f.BoolVar(&a.change.dryRun, "dry-run", false, "print what would happen and change nothing")
	f.DurationVar(&a.change.wait, "wait", 10*time.Second, "for all edges to run the change; 0: do not wait")
	f.StringVar(&a.author.reason, "reason", "", "why, for the record")
	f.StringVar(&a.author.incident, "incident", "", "number of the incident, for the record")
	return cmd
}

// by is the author of this run's change, with a key of its own.
func (a *app) by() migration.Author {
	return migration.Author{Actor: actor(), Reason: a.author.reason, Incident: a.author.incident, Key: policy.MintKey()}
}

// changed is what a change's JSON says.
type changed struct {
	Kind       policy.Kind           `json:"kind"`
	DryRun     bool                  `json:"dryRun"`
	From       uint64                `json:"from"` // rev before
	Rev        uint64                `json:"rev"`
	Moves      []migration.Move      `json:"moves"`
	Verdicts   []migration.Verdict   `json:"verdicts"`
	Notes      []string              `json:"notes"`
	Durability string                `json:"durability,omitempty"`
	Key        string                `json:"key"`
	Edges      migration.Convergence `json:"edges"`
	Waited     bool                  `json:"waited"`
	Draining   []migration.Drain     `json:"draining"`
	Unasked    []string              `json:"unasked"` // edges that did not say what drains
	Phones     []migration.HandOver  `json:"phones"`  // of those who moved
}

func changedOf(p *migration.Plan) changed {
	c := changed{Kind: p.Change.Kind, DryRun: true, From: p.Change.Base, Rev: p.Change.Base, Key: p.Change.Key,
		Moves: p.Moves, Verdicts: p.Verdicts, Notes: orEmpty(p.Notes), Draining: []migration.Drain{}, Unasked: []string{},
		Phones: []migration.HandOver{}}
	c.Moves = slices.Clone(c.Moves)
	if c.Moves == nil {
		c.Moves = []migration.Move{}
	}
	for i := range c.Moves {
		c.Moves[i].Fields = orEmpty(c.Moves[i].Fields)
	}
	if c.Verdicts == nil {
		c.Verdicts = []migration.Verdict{}
	}
	c.Edges.Edges = []migration.EdgeResult{}
	return c
}

// back says that a goal only leads towards legacy, where a store that fell behind is brought up first.
type back bool

// make runs a change: plan, show, ask, commit, follow, print. of are the tenants that it names, if it names any.
func (a *app) make(ctx context.Context, goal migration.Goal, rescue back, by migration.Author, after func(*migration.Outcome) string, of ...string) error {
	_, err := a.makeFor(ctx, goal, rescue, by, after, of...)
	return err
}

// makeFor is make for callers that go on with the outcome, which is nil when nothing was done.
func (a *app) makeFor(ctx context.Context, goal migration.Goal, rescue back, by migration.Author, after func(*migration.Outcome) string, of ...string) (*migration.Outcome, error) {
	e, err := a.eng()
	if err != nil {
		return nil, err
	}
	plan, err := a.plan(ctx, e, goal, rescue, by, of)
	if err != nil {
		return nil, err
	}
	if a.change.dryRun {
		refused := cmp.Or(plan.Refusal(), a.wouldHold(ctx, e, plan))
		return nil, join(a.showPlan(plan), refused)
	}
	if err := plan.Refusal(); err != nil {
		return nil, err
	}
	if err := a.confirm(plan); err != nil {
		return nil, err
	}
	out, err := e.Commit(ctx, goal, plan)
	if err != nil {
		return nil, conflictOf(err, plan)
	}
	late := a.follow(ctx, e, out)
	if a.conf.Output == "table" { // the line that everybody waits for comes first
		shown := a.showOutcome(out, nil, after)
		return out, join(join(shown, a.showHandOver(a.handOver(ctx, e, out))), late)
	}
	return out, join(a.showOutcome(out, a.handOver(ctx, e, out), after), late)
}

// wouldHold is what the store would refuse of a plan: a dry run must not promise what a commit does not do.
func (a *app) wouldHold(ctx context.Context, e *migration.Engine, p *migration.Plan) error {
	if p.Empty() {
		return nil
	}
	s, err := a.loadAt(ctx, e, 0)
	if errors.Is(err, policy.ErrNoPolicy) {
		return nil // it starts one
	}
	if err != nil {
		return err
	}
	_, _, err = s.Next(p.Change, a.now())
	return err
}

func (a *app) plan(ctx context.Context, e *migration.Engine, goal migration.Goal, rescue back, by migration.Author, of []string) (*migration.Plan, error) {
	if bool(rescue) && !a.change.dryRun {
		resync := by
		resync.Key = policy.MintKey()
		return e.PlanBack(ctx, goal, resync, of...)
	}
	return e.Plan(ctx, goal, of...)
}

// conflictOf points a conflict at the tenant that it is about.
func conflictOf(err error, p *migration.Plan) error {
	if !errors.Is(err, policy.ErrConflict) || len(p.Change.Tenants) != 1 {
		return err
	}
	f := *judge(err)
	f.next = []string{"hotcut history " + p.Change.Tenants[0].ID}
	return &f
}

// follow waits for the edges, showing the progress of a wait that takes long.
func (a *app) follow(ctx context.Context, e *migration.Engine, out *migration.Outcome) error {
	if a.colours && a.conf.Output == "table" {
		started, told := a.now(), false
		e.Progress = func(c migration.Convergence) {
			if a.now().Sub(started) > time.Second && !c.Done() {
				fmt.Fprintf(a.err, "\rrev %d on %d/%d edges ", c.Rev, c.Applied, c.Listed)
				told = true
			}
		}
		defer func() {
			if told {
				fmt.Fprint(a.err, "\r\x1b[K")
			}
		}()
	}
	return e.Follow(ctx, out)
}

// showPlan prints a plan as the answer, for --dry-run.
func (a *app) showPlan(p *migration.Plan) error {
	return a.show(result{kind: "Plan", rev: p.Change.Base, epoch: p.Change.Epoch, fresh: live, data: changedOf(p), warnings: p.Warnings,
		table: func(w io.Writer) {
			a.planTable(w, p)
			fmt.Fprintln(w, "dry run: nothing was changed")
		}})
}

var live = migration.Freshness{State: policy.Live}

// maxMovesShown is how many moves a plan lists one by one.
const maxMovesShown = 20

// planTable is whom a plan moves, what the gates say, and the way back.
func (a *app) planTable(w io.Writer, p *migration.Plan) {
	for _, n := range p.Notes {
		fmt.Fprintln(w, n)
	}
	if p.Empty() && len(p.Moves) == 0 {
		return
	}
	for i, m := range p.Moves {
		if i == maxMovesShown {
			fmt.Fprintf(w, "and %d more\n", len(p.Moves)-i)
			break
		}
		what := m.From + " -> " + m.To
		if m.From == m.To {
			what = list(m.Fields, 4)
		}
		fmt.Fprintf(w, "%s\t%s\t%s", m.Tenant, what, motionWords(m.Motion))
		if len(p.Moves) == 1 {
			fmt.Fprintf(w, "\trev %d -> %d", p.Change.Base, p.Change.Base+1)
		}
		fmt.Fprintln(w)
	}
	if len(p.Moves) == 0 {
		fmt.Fprintf(w, "moves nobody\trev %d -> %d\n", p.Change.Base, p.Change.Base+1)
	}
	for _, v := range p.Verdicts {
		if v.Gate == migration.GateReady {
			fmt.Fprintf(w, "  ready: %s\n", v.Why)
		} else if v.Level == migration.LevelFail {
			fmt.Fprintf(w, "  %s\n", v)
		}
	}
	asking, _ := p.Asking()
	a.phonesPlan(w, p)
	switch ids := p.CoreWard(); {
	case asking == migration.AskName:
		fmt.Fprintln(w, "  way back: none that is instant")
	case len(ids) == 1 && ids[0] != policy.AllTenants:
		fmt.Fprintf(w, "  way back: hotcut rollback %s%s\n", ids[0], a.wayBack(p))
	case len(ids) > 1:
		fmt.Fprintln(w, "  way back: hotcut rollback --since 10m")
	}
}

func motionWords(m policy.Motion) string {
	switch m {
	case policy.TowardsCore:
		return "towards core"
	case policy.TowardsLegacy:
		return "towards legacy"
	case policy.Both:
		return "some towards core, some towards legacy"
	}
	return "moves nobody"
}

// showOutcome prints a change that was made: the one line that says how far it is.
func (a *app) showOutcome(out *migration.Outcome, phones []migration.HandOver, after func(*migration.Outcome) string) error {
	data := changedOf(out.Plan)
	data.DryRun = false
	data.From, data.Rev = out.From, out.Head.Rev
	data.Durability = out.Durability.Note
	data.Edges, data.Waited = out.Edges, out.Waited
	data.Draining, data.Unasked = out.Draining, out.Unasked
	if data.Draining == nil {
		data.Draining = []migration.Drain{}
	}
	data.Phones = append(data.Phones, phones...)
	warnings, next := slices.Clone(out.Plan.Warnings), []string(nil)
	for _, h := range phones {
		more, look := a.handOverWarnings(h)
		warnings, next = append(warnings, more...), append(next, look...)
	}
	return a.show(result{kind: "Change", rev: out.Head.Rev, epoch: out.Head.Epoch, fresh: live, data: data, warnings: warnings, next: next,
		table: func(w io.Writer) {
			for _, n := range out.Plan.Notes {
				fmt.Fprintln(w, n)
			}
			if out.Plan.Empty() && !out.Waited {
				return
			}
			fmt.Fprint(w, reach(out))
			if after != nil && !out.Plan.Empty() {
				if s := after(out); s != "" {
					fmt.Fprint(w, "   "+s)
				}
			}
			for _, s := range a.drains(out.Draining) {
				fmt.Fprint(w, "   "+s)
			}
			if len(out.Unasked) > 0 {
				fmt.Fprintf(w, "   calls draining on %s: not known", list(out.Unasked, 3))
			}
			fmt.Fprintln(w)
		}})
}

// showHandOver prints how far phones are, a line per platform that somebody moved to.
func (a *app) showHandOver(phones []migration.HandOver) error {
	for _, h := range phones {
		warnings, next := a.handOverWarnings(h)
		err := a.show(result{warnings: warnings, next: next, table: func(w io.Writer) {
			if s := a.handOverLine(h); s != "" {
				fmt.Fprintln(w, s)
			}
		}})
		if err != nil {
			return err
		}
	}
	return nil
}

// reach is how far a committed rev is: "rev 4128 on 12/12 edges in 0.38 s".
func reach(out *migration.Outcome) string {
	c := out.Edges
	switch {
	case !out.Waited:
		return fmt.Sprintf("rev %d committed, not waited for edges", out.Head.Rev)
	case c.Listed == 0:
		return fmt.Sprintf("rev %d committed, no edge is listed", out.Head.Rev)
	case c.Done():
		return fmt.Sprintf("rev %d on %d/%d edges in %s", c.Rev, c.Applied, c.Listed, migration.Ago(c.Took))
	}
	return fmt.Sprintf("rev %d on %d/%d edges after %s", c.Rev, c.Applied, c.Listed, migration.Ago(c.Took))
}

// errDeclined: somebody was asked and did not say yes.
var errDeclined = errors.New("not confirmed: nothing was changed")
