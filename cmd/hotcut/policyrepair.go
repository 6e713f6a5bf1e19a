package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/hotcut/hotcut/migration"
	"github.com/hotcut/hotcut/policy"
)

func newPolicyResyncCmd(a *app) *cobra.Command {
	var from migration.ResyncFrom
	cmd := a.changing(&cobra.Command{
		Use:   "resync",
		Short: "Bring a store that lost changes past its edges",
		Long: `Resync takes the policy of the edge with the highest rev and commits it above every rev that anybody is known to have run.
The edges keep serving what they serve.`,
		Args: exact(0),
		RunE: func(cmd *cobra.Command, _ []string) error { return a.resync(cmd.Context(), from) },
	})
	cmd.Flags().StringVar(&from.Edge, "from", "", "edge whose policy it shall be (default: the highest)")
	cmd.Flags().StringVar(&from.Epoch, "epoch", "", "only edges of this epoch")
	return cmd
}

func (a *app) resync(ctx context.Context, from migration.ResyncFrom) error {
	e, err := a.eng()
	if err != nil {
		return err
	}
	source, err := e.ResyncSource(ctx, from)
	if err != nil {
		return err
	}
	if a.change.dryRun {
		return a.show(result{kind: "Plan", epoch: source.Epoch, rev: source.StoreRev, fresh: live, data: source, table: func(w io.Writer) {
			fmt.Fprintf(w, "would commit the policy of %s (rev %d) as rev %d; the store is at rev %d\ndry run: nothing was changed\n", source.Edge, source.Rev, source.Next, source.StoreRev)
		}})
	}
	if !a.change.yes {
		if !a.asks {
			return a.unasked(migration.AskYes, "")
		}
		if err := a.askYes(fmt.Sprintf("Commit the policy of %s (rev %d) as rev %d over the store's rev %d?", source.Edge, source.Rev, source.Next, source.StoreRev)); err != nil {
			return err
		}
	}
	done, err := e.Resync(ctx, from, a.by())
	if err != nil {
		return err
	}
	out := &migration.Outcome{Plan: &migration.Plan{Change: policy.Change{Kind: policy.KindResync}}, Head: done.Head}
	late := a.follow(ctx, e, out)
	r := result{kind: "Resync", rev: done.Head.Rev, epoch: done.Head.Epoch, fresh: live,
		data: map[string]any{"edge": done.Edge, "edgeRev": done.Rev, "rev": done.Head.Rev, "lost": done.Lost, "edges": out.Edges},
		table: func(w io.Writer) {
			fmt.Fprintf(w, "%s   from %s (rev %d), which the store had lost %s of\n", reach(out), done.Edge, done.Rev, plural(int(done.Lost), "rev"))
		}}
	return join(a.show(r), late)
}

func newPolicyAcceptEpochCmd(a *app) *cobra.Command {
	cmd := a.changing(&cobra.Command{
		Use:   "accept-epoch",
		Short: "Let the edges take the store's policy although it is of another lineage",
		Long: `An edge keeps the policy that it runs when the store suddenly holds another lineage. Accept-epoch tells every edge that this
is meant. Whom it moves towards core meets the gates.`,
		Args: exact(0),
		RunE: func(cmd *cobra.Command, _ []string) error { return a.acceptEpoch(cmd.Context()) },
	})
	return cmd
}

func (a *app) acceptEpoch(ctx context.Context) error {
	e, err := a.eng()
	if err != nil {
		return err
	}
	plan, foreign, err := e.EpochPlan(ctx, a.by())
	if err != nil {
		return err
	}
	if len(foreign) == 0 {
		return a.show(result{kind: "Orders", rev: plan.Change.Base, epoch: plan.Change.Epoch, fresh: live, data: directed{Edges: []migration.DirectResult{}},
			table: func(w io.Writer) { fmt.Fprintln(w, "every edge is of the store's epoch already") }})
	}
	if a.change.dryRun {
		return join(a.showPlan(plan), plan.Refusal())
	}
	if err := plan.Refusal(); err != nil {
		return err
	}
	if err := a.confirm(plan); err != nil {
		return err
	}
	results := e.AcceptEpoch(ctx, foreign, plan.Change.Epoch)
	missing := 0
	for _, r := range results {
		if !r.Done {
			missing++
		}
	}
	line := fmt.Sprintf("epoch %.8s accepted by %d/%d edges", plan.Change.Epoch, len(results)-missing, len(results))
	if err := a.showDirect(directed{Edges: results}, line); err != nil || missing == 0 {
		return err
	}
	return &failure{exit: exitLate, code: "late", retryable: true, err: errors.New(line), next: []string{"hotcut edges"}}
}
