package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/hotcut/hotcut/migration"
	"github.com/hotcut/hotcut/policy"
)

func newTenantCmd(a *app) *cobra.Command {
	return group("tenant", "Add, see, change, remove and import tenants",
		newTenantAddCmd(a), newTenantSetCmd(a), newTenantListCmd(a), newTenantShowCmd(a), newTenantRemoveCmd(a), newTenantImportCmd(a))
}

func newTenantAddCmd(a *app) *cobra.Command {
	var f tenantFlags
	cmd := a.changing(&cobra.Command{
		Use:     "add T",
		Short:   "Add a tenant, on legacy",
		Example: `  hotcut tenant add acme-dental --domain acme.example --number +13035550100-+13035550149 --country 1`,
		Args:    exact(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			fields, err := f.fields(cmd, a.now())
			if err != nil {
				return err
			}
			by := a.by()
			return a.make(cmd.Context(), migration.Add(args[0], fields, by), false, by, nil)
		},
	})
	f.on(cmd)
	return cmd
}

func newTenantSetCmd(a *app) *cobra.Command {
	var f tenantFlags
	cmd := a.changing(&cobra.Command{
		Use:   "set T",
		Short: "Change fields of a tenant; what is not named stays",
		Long: `Set changes fields of a tenant. A list or map that is named is replaced whole. Fields that no flag sets (rules, trunks,
emergency) come from a JSON or YAML file with -f; a null there, or --clear FIELD, takes a field away.`,
		Args: exact(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			fields, err := f.fields(cmd, a.now())
			if err != nil {
				return err
			}
			if len(fields) == 0 {
				return usage(fmt.Errorf("set what of %s?", args[0]), "hotcut help tenant set")
			}
			by := a.by()
			return a.make(cmd.Context(), migration.Set(args[0], fields, by), false, by, nil, args[0])
		},
	})
	f.on(cmd)
	f.changing(cmd)
	cmd.ValidArgsFunction = a.completeTenant
	return cmd
}

func newTenantRemoveCmd(a *app) *cobra.Command {
	cmd := a.changing(&cobra.Command{
		Use:   "remove T",
		Short: "Take a tenant out of the policy",
		Args:  exact(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			by := a.by()
			return a.make(cmd.Context(), migration.Remove(args[0], by), false, by, nil)
		},
	})
	cmd.ValidArgsFunction = a.completeTenant
	return cmd
}

func newTenantImportCmd(a *app) *cobra.Command {
	return a.changing(&cobra.Command{
		Use:   "import FILE",
		Short: "Add the tenants of a file, and lay its fields over those that exist",
		Long: `Import reads a list of tenants: JSON, JSON lines or YAML, - for stdin. New ones start on legacy. Of an existing tenant
only the fields that the file names change; tenants that the file does not name stay as they are.`,
		Args: exact(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			list, err := readRecords(args[0])
			if err != nil {
				return err
			}
			by := a.by()
			n := len(list)
			return a.make(cmd.Context(), migration.Import(list, by), false, by, func(out *migration.Outcome) string {
				return fmt.Sprintf("%d of %s changed", len(out.Plan.Change.Tenants), plural(n, "tenant"))
			})
		},
	})
}

// tenantRow is a tenant as the list shows it.
type tenantRow struct {
	ID         string       `json:"id"`
	Name       string       `json:"name,omitempty"`
	Stage      policy.Stage `json:"stage"`
	Share      int          `json:"share"` // basis points
	RolledBack bool         `json:"rolledBack"`
	Held       string       `json:"held,omitempty"` // by whom
	Domains    []string     `json:"domains"`
	Numbers    int          `json:"numbers"` // claims
	Exceptions int          `json:"exceptions"`
	Overridden []string     `json:"overridden"` // edges that serve it on legacy by a local order
}

func newTenantListCmd(a *app) *cobra.Command {
	var atRev uint64
	var stage string
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List tenants: stage, share, holds",
		Args:  exact(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			var only policy.Stage
			if stage != "" {
				if err := only.UnmarshalText([]byte(stage)); err != nil {
					return usage(fmt.Errorf("--stage: %w", err))
				}
			}
			v, err := a.viewAt(cmd.Context(), atRev)
			if err != nil {
				return err
			}
			rows := []tenantRow{}
			for r := range v.Snapshot.All() {
				if stage == "" || r.Tenant.Stage == only {
					rows = append(rows, rowOf(r.Tenant, v.Nodes))
				}
			}
			res := v.result("TenantList", rows)
			res.table = func(w io.Writer) { tenantTable(w, rows) }
			if len(rows) == 0 && stage == "" {
				res.next = append(res.next, "hotcut tenant add T --domain D")
			}
			return v.show(a, res)
		},
	}
	cmd.Flags().StringVar(&stage, "stage", "", "only tenants at this stage")
	completeWords(cmd, "stage", "legacy", "shadow", "canary", "core", "done")
	a.atRev(cmd, &atRev)
	return cmd
}

func rowOf(t *policy.Tenant, nodes []policy.NodeState) tenantRow {
	row := tenantRow{ID: t.ID, Name: t.Name, Stage: t.Stage, Share: t.Share, RolledBack: t.RolledBack,
		Domains: orEmpty(t.Domains), Numbers: len(t.Numbers), Exceptions: len(t.Assigned) + len(t.Rules), Overridden: []string{}}
	if t.Hold != nil {
		row.Held = t.Hold.By
	}
	for _, n := range nodes {
		if n.Overrides == nil {
			continue
		}
		if _, ok := n.Overrides.Tenants[t.ID]; ok {
			row.Overridden = append(row.Overridden, n.Edge)
		}
	}
	return row
}

func tenantTable(w io.Writer, rows []tenantRow) {
	if len(rows) == 0 {
		fmt.Fprintln(w, "no tenants")
		return
	}
	fmt.Fprintln(w, "TENANT\tSTAGE\tDOMAINS\tNUMBERS\tNOTES")
	for _, r := range rows {
		stage := r.Stage.String()
		if r.Stage == policy.StageCanary {
			stage += " " + policy.FormatShare(r.Share)
		}
		var notes []string
		if r.RolledBack {
			notes = append(notes, "rolled back")
		}
		if r.Held != "" {
			notes = append(notes, "held by "+r.Held)
		}
		if r.Exceptions > 0 {
			notes = append(notes, plural(r.Exceptions, "exception"))
		}
		if len(r.Overridden) > 0 {
			notes = append(notes, "local order on "+list(r.Overridden, 3))
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%d\t%s\n", r.ID, stage, dash(list(r.Domains, 2)), r.Numbers, dash(strings.Join(notes, ", ")))
	}
}
