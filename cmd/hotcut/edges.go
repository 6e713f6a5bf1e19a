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
	"github.com/hotcut/hotcut/policy"
	"github.com/hotcut/hotcut/proxy/admin"
)

// edgeRow is an edge as the list shows it.
type edgeRow struct {
	policy.NodeState
	Answers bool                `json:"answers"` // its admin API, just now
	Silent  bool                `json:"silent"`  // has not reported for longer than a live edge may
	Targets []admin.TargetState `json:"targets"`
	Uptime  int64               `json:"uptime"` // seconds; 0: not known
}

func newEdgesCmd(a *app) *cobra.Command {
	var w watchFlags
	cmd := &cobra.Command{
		Use:   "edges",
		Short: "List edges; drain, undrain, reload or forget one",
		Args:  noVerb,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return w.loop(cmd.Context(), a, a.edges)
		},
	}
	w.on(cmd)
	for _, below := range []*cobra.Command{newEdgesDrainCmd(a), newEdgesUndrainCmd(a), newEdgesReloadCmd(a), newEdgesForgetCmd(a)} {
		below.ValidArgsFunction = a.completeEdge
		cmd.AddCommand(below)
	}
	return cmd
}

func (a *app) edges(ctx context.Context) error {
	v, err := a.view(ctx)
	if err != nil {
		return err
	}
	e, err := a.eng()
	if err != nil {
		return err
	}
	answers := askClients(ctx, a, e.Fleet.Addresses(v.Nodes), func(ctx context.Context, c *admin.Client) (admin.State, error) { return c.State(ctx) })
	rows := a.edgeRows(v, answers)
	r := v.result("EdgeList", rows)
	r.warnings = append(append(r.warnings, keyWarnings(rows)...), ownWarnings(answers)...)
	r.table = func(w io.Writer) { a.edgeTable(w, v, rows) }
	return v.show(a, r)
}

// edgeRows judges who is silent by the time of the look: waiting for one edge's answer must not age the others.
func (a *app) edgeRows(v *seen, answers []migration.Answer[admin.State]) []edgeRow {
	rows := []edgeRow{}
	for _, n := range v.Nodes {
		i := slices.IndexFunc(answers, func(ans migration.Answer[admin.State]) bool { return ans.Edge == n.Edge && ans.Err == nil })
		if i >= 0 { // its own word is newer than the roster's
			seen := n.SeenAt
			n = answers[i].Value.NodeState
			n.Edge, n.SeenAt = answers[i].Edge, max(seen, v.At.UnixMilli())
		}
		n.Schemas, n.Inside, n.Keys = orNone(n.Schemas), orEmpty(n.Inside), orEmpty(n.Keys)
		row := edgeRow{NodeState: n, Targets: []admin.TargetState{}, Silent: v.At.Sub(time.UnixMilli(n.SeenAt)) > policy.Remain}
		if i >= 0 {
			row.Answers, row.Uptime = true, answers[i].Value.Uptime
			if answers[i].Value.Targets != nil {
				row.Targets = answers[i].Value.Targets
			}
		}
		rows = append(rows, row)
	}
	return rows
}

func orNone(schemas []int) []int {
	if schemas == nil {
		return []int{}
	}
	return schemas
}

// ownWarnings are what the edges say of themselves; what several say stands once.
func ownWarnings(answers []migration.Answer[admin.State]) (list []string) {
	by := map[string][]string{}
	var order []string
	for _, ans := range answers {
		for _, w := range ans.Value.Warnings {
			if by[w] == nil {
				order = append(order, w)
			}
			by[w] = append(by[w], ans.Edge)
		}
	}
	for _, w := range order {
		list = append(list, strings.Join(by[w], ", ")+": "+w)
	}
	return list
}

// keyWarnings: edges that do not share token keys can not serve each other's calls.
func keyWarnings(rows []edgeRow) []string {
	var out []string
	for _, r := range rows {
		if len(r.Keys) > 0 && len(rows[0].Keys) > 0 && !slices.Equal(r.Keys, rows[0].Keys) {
			out = append(out, fmt.Sprintf("%s has token keys %s, %s has %s: a call can not move between them",
				rows[0].Edge, strings.Join(rows[0].Keys, ","), r.Edge, strings.Join(r.Keys, ",")))
		}
	}
	return out
}

func (a *app) edgeTable(w io.Writer, v *seen, rows []edgeRow) {
	if len(rows) == 0 {
		fmt.Fprintln(w, "no edges")
		return
	}
	fmt.Fprintln(w, "EDGE\tREV\tSTATE\tSEEN\tCALLS\tTARGETS\tBUILD\tNOTES")
	for _, r := range rows {
		var notes []string
		if !r.Answers {
			notes = append(notes, "admin API does not answer")
		}
		if r.Epoch != v.Head.Epoch && r.Epoch != "" {
			notes = append(notes, fmt.Sprintf("epoch %.8s", r.Epoch))
		}
		if r.Draining {
			notes = append(notes, "drains")
		}
		if r.Overrides != nil {
			notes = append(notes, "local orders")
		}
		if r.Nack != nil {
			notes = append(notes, fmt.Sprintf("refused rev %d: %s", r.Nack.Rev, r.Nack.Reason))
		}
		notes = append(notes, r.Alarms...)
		state := string(r.State)
		if r.Silent {
			state = "SILENT"
		}
		fmt.Fprintf(w, "%s\t%d\t%s\t%s\t%d\t%s\t%s\t%s\n", r.Edge, r.Rev, dash(state), agoAt(v.At, r.SeenAt), r.Dialogs, targetWords(r.Targets), dash(r.Build), dash(strings.Join(notes, ", ")))
	}
}

// targetWords counts the targets that take calls. One that does though it fails (half its pool is out already, or it is
// the only one) is named as well: a platform whose only switch is dead must not read as well.
func targetWords(targets []admin.TargetState) string {
	if len(targets) == 0 {
		return "-"
	}
	up := 0
	var down, failing []string
	for _, t := range targets {
		switch {
		case !t.Up:
			down = append(down, t.Name)
			continue
		case t.Reason != "":
			failing = append(failing, t.Name)
		}
		up++
	}
	s := fmt.Sprintf("%d/%d up", up, len(targets))
	if len(down) > 0 {
		s += ", down: " + list(down, 3)
	}
	if len(failing) > 0 {
		s += ", failing: " + list(failing, 3)
	}
	return s
}

// errNoEdge: no edge of that name is listed anywhere; these are.
func errNoEdge(name string, listed []string) error {
	s := fmt.Sprintf("no edge %q", name)
	if len(listed) > 0 {
		slices.Sort(listed)
		s += "; listed: " + list(slices.Compact(listed), 5)
	}
	return &failure{exit: exitError, code: "no_edge", err: errors.New(s), next: []string{"hotcut edges"}}
}

// theEdge finds one edge by the CLI's list, the roster in the store, or the last roster, in this order.
func (a *app) theEdge(ctx context.Context, name string) (migration.Address, error) {
	var listed []string
	for _, at := range a.conf.addresses() {
		if at.Name == name {
			return at, nil
		}
		listed = append(listed, at.Name)
	}
	v, err := a.view(ctx)
	if err != nil && !errors.Is(err, policy.ErrNoPolicy) {
		return migration.Address{}, err
	}
	if err == nil {
		for _, n := range v.Nodes {
			if n.Edge == name {
				return migration.Address{Name: name, Admin: n.Admin}, nil
			}
			listed = append(listed, n.Edge)
		}
	}
	return migration.Address{}, errNoEdge(name, listed)
}
