package main

import (
	"cmp"
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
)

// statusData is where the whole migration stands.
type statusData struct {
	Halt     policy.Halt       `json:"halt"`
	Ready    string            `json:"ready"`
	Tenants  map[string]int    `json:"tenants"` // by stage, and "rolledBack", "held"
	Edges    statusEdges       `json:"edges"`
	Orders   []localOrder      `json:"orders"` // that edges obey whatever the policy says
	Draining []migration.Drain `json:"draining"`
	Unasked  []string          `json:"unasked"` // edges that did not say what drains
	Phones   statusPhones      `json:"phones"`
	Shadow   []shadowRow       `json:"shadow"` // tenants that are mirrored
}

type statusEdges struct {
	Listed int      `json:"listed"`
	OnHead int      `json:"onHead"`
	Silent []string `json:"silent"`
	Alarms []string `json:"alarms"` // "edge-1: policy_forked"
}

// localOrder is an order on an edge.
type localOrder struct {
	Edge   string `json:"edge"`
	What   string `json:"what"` // "all-legacy", "freeze", or a tenant's id
	By     string `json:"by"`
	At     int64  `json:"at"` // unix seconds
	Reason string `json:"reason,omitempty"`
}

func newStatusCmd(a *app) *cobra.Command {
	var w watchFlags
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Show where the migration stands",
		Args:  exact(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return w.loop(cmd.Context(), a, func(ctx context.Context) error { return a.status(ctx) })
		},
	}
	w.on(cmd)
	return cmd
}

func (a *app) status(ctx context.Context) error {
	v, err := a.view(ctx)
	if err != nil {
		return err
	}
	e, err := a.eng()
	if err != nil {
		return err
	}
	d := statusData{Tenants: countTenants(v.Snapshot), Edges: edgesOf(v), Orders: ordersOf(v.Nodes), Halt: v.Head.Halt}
	if v.Snapshot != nil {
		d.Halt, d.Ready = v.Snapshot.Globals().Halt, migration.Ready(v.Snapshot.Globals())
	}
	d.Draining, d.Unasked = e.Fleet.Draining(ctx, e.Fleet.Addresses(v.Nodes), "")
	d.Unasked = orEmpty(d.Unasked)
	all := e.Fleet.Phones(ctx, e.Fleet.Addresses(v.Nodes), "")
	d.Phones = a.statusPhones(v, all)
	var said []string
	d.Shadow, said = a.shadowRows(ctx, v)
	r := v.result("Status", d)
	r.warnings = append(r.warnings, said...)
	r.table = func(w io.Writer) { a.statusTable(w, v, d) }
	r.next = append(r.next, nextOfStatus(v, d)...)
	return v.show(a, r)
}

func countTenants(s *policy.Snapshot) map[string]int {
	n := map[string]int{"legacy": 0, "shadow": 0, "canary": 0, "core": 0, "done": 0, "rolledBack": 0, "held": 0}
	if s == nil {
		return n
	}
	for r := range s.All() {
		n[r.Tenant.Stage.String()]++
		if r.Tenant.RolledBack {
			n["rolledBack"]++
		}
		if r.Tenant.Hold != nil {
			n["held"]++
		}
	}
	return n
}

func edgesOf(v *seen) statusEdges {
	out := statusEdges{Listed: len(v.Nodes), OnHead: v.OnHead(), Silent: []string{}, Alarms: []string{}}
	for _, n := range v.Silent() {
		out.Silent = append(out.Silent, n.Edge)
	}
	for _, n := range v.Nodes {
		for _, alarm := range n.Alarms {
			out.Alarms = append(out.Alarms, n.Edge+": "+alarm)
		}
		if n.Nack != nil {
			out.Alarms = append(out.Alarms, fmt.Sprintf("%s: refused rev %d: %s", n.Edge, n.Nack.Rev, n.Nack.Reason))
		}
	}
	return out
}

func ordersOf(nodes []policy.NodeState) []localOrder {
	out := []localOrder{}
	for _, n := range nodes {
		if n.Overrides == nil {
			continue
		}
		add := func(what string, o *policy.Override) {
			if o != nil {
				out = append(out, localOrder{Edge: n.Edge, What: what, By: o.By, At: o.At, Reason: o.Reason})
			}
		}
		add("all-legacy", n.Overrides.AllLegacy)
		add("freeze", n.Overrides.Freeze)
		for id, o := range n.Overrides.Tenants {
			add(id, &o)
		}
	}
	slices.SortFunc(out, func(a, b localOrder) int {
		return cmp.Or(strings.Compare(a.What, b.What), strings.Compare(a.Edge, b.Edge))
	})
	return out
}

func (a *app) statusTable(w io.Writer, v *seen, d statusData) {
	halt := string(d.Halt)
	if d.Halt == "" || d.Halt == policy.HaltNone {
		halt = "none"
	}
	fmt.Fprintf(w, "policy\trev %d   epoch %.8s   %s\n", v.Head.Rev, v.Head.Epoch, v.freshWords())
	fmt.Fprintf(w, "halt\t%s\n", halt)
	if v.Snapshot != nil {
		fmt.Fprintf(w, "tenants\t%s\n", tenantWords(v.Snapshot.Len(), d.Tenants))
		fmt.Fprintf(w, "ready\t%s\n", d.Ready)
	}
	fmt.Fprintf(w, "edges\t%s\n", a.edgeWords(v, d.Edges))
	for _, alarm := range d.Edges.Alarms {
		fmt.Fprintf(w, "alarm\t%s\n", alarm)
	}
	for _, o := range d.Orders {
		fmt.Fprintf(w, "order\t%s on %s by %s, %s\n", o.What, o.Edge, o.By, a.ago(o.At*1000))
	}
	for _, s := range a.drains(d.Draining) {
		fmt.Fprintf(w, "draining\t%s\n", strings.Replace(s, " draining", "", 1))
	}
	if len(d.Unasked) > 0 {
		fmt.Fprintf(w, "draining\t%s did not say\n", list(d.Unasked, 3))
	}
	a.phonesTable(w, d.Phones)
	shadowTable(w, d.Shadow)
}

func (v *seen) freshWords() string {
	switch v.Fresh.State {
	case policy.Live:
		return "live"
	case policy.Stale:
		return "STALE, from " + v.from()
	}
	return "STALE, as seen " + migration.Ago(durationMs(v.Fresh.AgeMs)) + " ago"
}

func tenantWords(all int, by map[string]int) string {
	var parts []string
	for _, k := range [][2]string{{"legacy", "legacy"}, {"shadow", "shadow"}, {"canary", "canary"}, {"core", "core"}, {"done", "done"},
		{"rolledBack", "rolled back"}, {"held", "held"}} {
		if by[k[0]] > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", by[k[0]], k[1]))
		}
	}
	return strings.Join(append([]string{fmt.Sprint(all)}, parts...), "   ")
}

func (a *app) edgeWords(v *seen, e statusEdges) string {
	if e.Listed == 0 {
		return "none listed"
	}
	s := fmt.Sprintf("%d/%d on rev %d", e.OnHead, e.Listed, v.Head.Rev)
	for _, n := range v.Silent() {
		if n.SeenAt == 0 {
			s += fmt.Sprintf("; %s never seen", n.Edge)
			continue
		}
		s += fmt.Sprintf("; %s last seen %s at rev %d", n.Edge, a.ago(n.SeenAt), n.Rev)
	}
	return s
}

// nextOfStatus offers to commit local orders once the store is back, and to look at what is wrong.
func nextOfStatus(v *seen, d statusData) []string {
	var next []string
	if v.Gone == nil {
		named := make(map[string]bool)
		for _, o := range d.Orders {
			if named[o.What] {
				continue
			}
			named[o.What] = true
			commit, take := "hotcut rollback "+o.What, "hotcut resume --direct "+o.What
			if o.What == "all-legacy" || o.What == "freeze" {
				commit, take = "hotcut halt --"+o.What, "hotcut resume --direct"
			}
			if saysSo(v, o.What) {
				next = append(next, take+"     # the policy says the same")
			} else {
				next = append(next, commit+"     # commits the edges' own orders; then "+take)
			}
		}
	}
	if d.Edges.OnHead < d.Edges.Listed || len(d.Edges.Alarms) > 0 {
		next = append(next, "hotcut edges")
	}
	return next
}

// saysSo reports whether the policy already orders what an edge obeys on its own.
func saysSo(v *seen, what string) bool {
	if v.Snapshot == nil {
		return false
	}
	halt := v.Snapshot.Globals().Halt
	switch what {
	case "all-legacy":
		return halt == policy.HaltAllLegacy
	case "freeze":
		return halt == policy.HaltFreeze || halt == policy.HaltAllLegacy
	}
	t, err := v.Tenant(what)
	return err == nil && (t.RolledBack || t.Stage == policy.StageLegacy && len(t.Assigned) == 0 && len(t.Rules) == 0)
}

// watchFlags make a verb look again and again.
type watchFlags struct{ watch bool }

func (f *watchFlags) on(cmd *cobra.Command) {
	cmd.Flags().BoolVarP(&f.watch, "watch", "w", false, "look again every 2 s until interrupted")
}

// watchPace is how often -w looks.
const watchPace = 2 * time.Second

// loop runs look once or, with -w, until interrupted. A stale look does not end a watch: that is when one watches.
func (f *watchFlags) loop(ctx context.Context, a *app, look func(context.Context) error) error {
	if !f.watch {
		return look(ctx)
	}
	for {
		if isTerminal(a.out) && a.conf.Output == "table" {
			fmt.Fprint(a.out, "\x1b[H\x1b[2J")
		}
		err := look(ctx)
		var failed *failure
		if err != nil {
			if failed = judge(err); failed.exit != exitStore {
				return err
			}
		}
		if a.conf.Output != "table" {
			err = a.flush(failed)
		} else if failed != nil {
			a.warn(failed.Error())
			err = nil
		}
		if err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			if errors.Is(ctx.Err(), context.Canceled) {
				return nil
			}
			return ctx.Err()
		case <-time.After(watchPace):
		}
	}
}
