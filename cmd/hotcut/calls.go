package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/hotcut/hotcut/migration"
	"github.com/hotcut/hotcut/proxy/admin"
)

// liveCall is a call in progress and the edge that carries it.
type liveCall struct {
	Edge string `json:"edge"`
	admin.Call
}

func newCallsCmd(a *app) *cobra.Command {
	var w watchFlags
	var limit int
	cmd := &cobra.Command{
		Use:   "calls [T]",
		Short: "List calls in progress, on all edges",
		Long: `List calls in progress, on all edges.

A call whose platform proxies goes through the edge twice or more, with one Call-ID: it is one row, as it came in, and STATE says
how often ("talking x2"). A platform that makes two calls of it gives each a Call-ID and a row.

CODEC, LOSS, JITTER and MOS are of the direction that sounds worse, as the relay measures it; "-" where the edge relays no
media or there is no evidence yet. The MOS is an estimate (ITU-T G.107); -o json has both directions and what was assumed.`,
		Args: between(0, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return w.loop(cmd.Context(), a, func(ctx context.Context) error { return a.calls(ctx, strings.Join(args, ""), limit) })
		},
	}
	w.on(cmd)
	cmd.Flags().IntVar(&limit, "limit", 200, "at most this many of each edge")
	cmd.ValidArgsFunction = a.completeTenant
	return cmd
}

func (a *app) calls(ctx context.Context, tenant string, limit int) error {
	v, e, err := a.fleetView(ctx)
	if err != nil {
		return err
	}
	if tenant != "" && v.Snapshot != nil {
		if _, err := v.Tenant(tenant); err != nil {
			return err
		}
	}
	answers := askClients(ctx, a, e.Fleet.Addresses(v.Nodes), func(ctx context.Context, c *admin.Client) ([]admin.Call, error) {
		return c.Calls(ctx, tenant, limit)
	})
	rows := []liveCall{}
	for _, ans := range answers {
		for _, c := range ans.Value {
			rows = append(rows, liveCall{ans.Edge, c})
		}
	}
	slices.SortFunc(rows, func(x, y liveCall) int { return cmp.Or(cmp.Compare(x.Since, y.Since), cmp.Compare(x.CallID, y.CallID)) })
	r := v.result("CallList", rows)
	r.warnings = append(r.warnings, unanswered(silent(answers))...)
	r.table = func(w io.Writer) {
		if len(rows) == 0 {
			fmt.Fprintln(w, "no calls")
			return
		}
		fmt.Fprintln(w, "SINCE\tTENANT\tFROM\tTO\tSTATE\tON\tWHY\tREV\tCODEC\tLOSS\tJITTER\tMOS\tEDGE\tCALL-ID")
		for _, c := range rows {
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s %s\t%s\t%d\t%s\t%s\t%s\n", a.ago(c.Since), dash(c.Tenant), c.From, c.To, stateOf(&c.Call), c.Platform, c.Target,
				dash(c.Reason), c.Rev, soundColumns(c.Media), c.Edge, c.CallID)
		}
	}
	return v.show(a, r)
}

// stateOf is how far a call has come, and how often it goes through its edge.
func stateOf(c *admin.Call) string {
	if c.Passes < 2 {
		return string(c.State)
	}
	return fmt.Sprintf("%s x%d", c.State, c.Passes)
}

// unanswered names the edges whose part is missing.
func unanswered(names []string) []string {
	if len(names) == 0 {
		return nil
	}
	whose := "they know"
	if len(names) == 1 {
		whose = "it knows"
	}
	return []string{fmt.Sprintf("%s did not answer: what %s is missing here", list(names, 5), whose)}
}

// fleetView is what a question to all edges starts from.
func (a *app) fleetView(ctx context.Context) (*seen, *migration.Engine, error) {
	v, err := a.view(ctx)
	if err != nil {
		return nil, nil, err
	}
	e, err := a.eng()
	return v, e, err
}

func newDrainingCmd(a *app) *cobra.Command {
	var w watchFlags
	cmd := &cobra.Command{
		Use:   "draining [T]",
		Short: "Show the calls that still run where their tenant no longer is",
		Args:  between(0, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return w.loop(cmd.Context(), a, func(ctx context.Context) error { return a.draining(ctx, strings.Join(args, "")) })
		},
	}
	w.on(cmd)
	cmd.ValidArgsFunction = a.completeTenant
	return cmd
}

func (a *app) draining(ctx context.Context, tenant string) error {
	v, e, err := a.fleetView(ctx)
	if err != nil {
		return err
	}
	if tenant != "" && v.Snapshot != nil {
		if _, err := v.Tenant(tenant); err != nil {
			return err
		}
	}
	rows, missing := e.Fleet.Draining(ctx, e.Fleet.Addresses(v.Nodes), tenant)
	r := v.result("DrainingList", rows)
	r.warnings = append(r.warnings, unanswered(missing)...)
	r.table = func(w io.Writer) {
		if len(rows) == 0 {
			if len(missing) == 0 {
				fmt.Fprintln(w, "nothing drains")
			}
			return
		}
		fmt.Fprintln(w, "TENANT\tON\tCALLS\tOLDEST")
		for _, d := range rows {
			count := fmt.Sprint(d.Count)
			if d.AtLeast {
				count = "at least " + count + ", unknown before " + a.when(d.Since)
			}
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", dash(d.Tenant), d.Platform, count, a.when(d.Oldest))
		}
	}
	return v.show(a, r)
}
