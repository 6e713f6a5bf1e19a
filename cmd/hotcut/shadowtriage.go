package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/hotcut/hotcut/migration"
	"github.com/hotcut/hotcut/migration/shadow/compare"
	"github.com/hotcut/hotcut/proxy/admin"
)

func newShadowTriageCmd(a *app) *cobra.Command {
	var until, build, data, reason string
	cmd := &cobra.Command{
		Use:   "triage T CLUSTER bug|intended|noise|fixed|new",
		Short: "Say of a kind of difference what it is: a bug, intended until a date, noise, or fixed in a build",
		Example: `  hotcut shadow triage acme-dental 3f0c9a1b2d bug --reason "ticket 881"
  hotcut shadow triage acme-dental 3f0c9a1b2d intended --reason "agreed with the customer" --until 2026-12-31
  hotcut shadow triage acme-dental 3f0c9a1b2d fixed --build 2.4.2`,
		Args: exact(3),
		RunE: func(cmd *cobra.Command, args []string) error {
			now := a.now()
			q := triageOrder{Tenant: args[0], Cluster: compare.ClusterID(args[1]),
				Triage: compare.Triage{State: compare.State(args[2]), Build: build, By: actor(), Reason: reason, At: now.UnixNano()}}
			if until != "" {
				t, err := time.Parse(time.DateOnly, until)
				if err != nil {
					return usage(fmt.Errorf("--until %q: write a date, such as %s", until, now.AddDate(0, 3, 0).UTC().Format(time.DateOnly)))
				}
				q.Triage.Until = t.AddDate(0, 0, 1).UnixNano() - 1 // that day included, and named in reports
			}
			if err := q.Triage.Check(); err != nil {
				return usage(fmt.Errorf("%w (--reason, --until DATE, --build N)", err), "hotcut help shadow triage")
			}
			v, src, err := a.shadowView(cmd.Context(), args[0], data)
			if err != nil {
				return err
			}
			defer src.close()
			c, err := src.counts(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			t := c.tally.Tenants[args[0]]
			if t == nil || t.Clusters[q.Cluster] == nil {
				return hint(fmt.Errorf("%s has no kind of difference %.40q", args[0], args[1]), "hotcut shadow report "+args[0])
			}
			if err := src.setTriage(cmd.Context(), &q); err != nil {
				return err
			}
			r := v.result("ShadowTriage", q)
			words := t.Clusters[q.Cluster].Words
			r.table = func(w io.Writer) {
				fmt.Fprintf(w, "%s   %s   %s: %s\n", args[0], args[1], q.Triage.State, oneLine(words))
			}
			return v.show(a, r)
		},
	}
	f := cmd.Flags()
	f.StringVar(&reason, "reason", "", "why; a waiver (intended) needs it")
	f.StringVar(&until, "until", "", "last day of a waiver, such as 2026-12-31; then it stands in the way again")
	f.StringVar(&build, "build", "", "with fixed: the first build without it")
	dataFlag(cmd, &data)
	cmd.ValidArgsFunction = a.completeTriage
	return cmd
}

// oneLine is text that others wrote, fit for a terminal.
func oneLine(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, s)
}

// setTriage puts it where it is kept: once where edges share, else at every edge.
func (s *shadowSource) setTriage(ctx context.Context, q *triageOrder) error {
	done := false
	var failed error
	for _, ans := range s.answers {
		if ans.Err != nil || done && ans.Value.Shared {
			continue
		}
		_, err := askOne(ctx, s.a, s.at(ans.Edge), func(ctx context.Context, c *admin.Client) (bool, error) { return true, c.ShadowTriage(ctx, q) })
		failed, done = cmpErr(failed, err), done || err == nil
		if done && ans.Value.Shared {
			return nil
		}
	}
	if done || failed != nil {
		return failed
	}
	st, err := s.redis()
	if err != nil {
		return err
	}
	if st == nil {
		return s.nothing()
	}
	ctx, cancel := s.a.limited(ctx)
	defer cancel()
	return st.SetTriage(ctx, q.Tenant, q.Cluster, q.Triage)
}

func (s *shadowSource) at(edge string) (at migration.Address) {
	for _, x := range s.to {
		if x.Name == edge {
			return x
		}
	}
	return at
}

func newShadowPurgeCmd(a *app) *cobra.Command {
	var data string
	cmd := &cobra.Command{
		Use:   "purge T",
		Short: "Delete everything that was kept of a tenant's copies, for good",
		Args:  exact(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			id := args[0]
			v, src, err := a.shadowView(cmd.Context(), "", data)
			if err != nil {
				return err
			}
			defer src.close()
			switch {
			case a.change.confirm == id:
			case a.change.confirm != "":
				return usage(fmt.Errorf("--confirm %s is not what this does: the tenant is %s", a.change.confirm, id))
			case !a.asks:
				return usage(errors.New("this can not be taken back, and there is no terminal to ask on"), a.again("--confirm "+id))
			default:
				if err := a.askFor("Counts, triage and examples of "+id+" go for good. Type its name: ", id); err != nil {
					return err
				}
			}
			return a.purge(cmd.Context(), v, src, id)
		},
	}
	cmd.Flags().StringVar(&a.change.confirm, "confirm", "", "the tenant's name, in answer to the question")
	dataFlag(cmd, &data)
	cmd.ValidArgsFunction = a.completeTenant
	return cmd
}

// purged says what is deleted, and where not yet.
type purged struct {
	Tenant string   `json:"tenant"`
	Edges  []string `json:"edges"`  // that deleted what they had
	Silent []string `json:"silent"` // that will when they come back
}

func (a *app) purge(ctx context.Context, v *seen, src *shadowSource, id string) error {
	answers := askClients(ctx, a, src.to, func(ctx context.Context, c *admin.Client) (bool, error) { return true, c.ShadowPurge(ctx, id) })
	d := purged{Tenant: id, Edges: []string{}, Silent: []string{}}
	var failed error
	for _, ans := range answers {
		switch {
		case ans.Err == nil:
			d.Edges = append(d.Edges, ans.Edge)
		case !notServed(ans.Err):
			d.Silent, failed = append(d.Silent, ans.Edge), ans.Err
		}
	}
	st, err := src.redis()
	if err != nil {
		return err
	}
	if st != nil {
		ctx, cancel := a.limited(ctx)
		defer cancel()
		if err := st.Purge(ctx, id); err != nil {
			return err
		}
	} else if len(d.Edges) == 0 {
		return join(failed, src.nothing())
	}
	// Every one of them has said in the store that the tenant is purged. An edge that reads that only at its next write would take
	// away what is counted until then.
	for _, ans := range askClients(ctx, a, src.to, func(ctx context.Context, c *admin.Client) (bool, error) { return true, c.ShadowFlush(ctx) }) {
		if ans.Err != nil && !notServed(ans.Err) && !slices.Contains(d.Silent, ans.Edge) {
			d.Silent = append(d.Silent, ans.Edge)
		}
	}
	r := v.result("ShadowPurge", d)
	if len(d.Silent) > 0 && st == nil {
		r.warnings = append(r.warnings, list(d.Silent, 3)+" did not answer and may hold calls of "+id+": purge again when they are back")
	} else if len(d.Silent) > 0 {
		r.warnings = append(r.warnings, list(d.Silent, 3)+" did not answer: they delete what they hold when they are back")
	}
	r.table = func(w io.Writer) { fmt.Fprintf(w, "%s: nothing is kept of its copies\n", id) }
	return v.show(a, r)
}
