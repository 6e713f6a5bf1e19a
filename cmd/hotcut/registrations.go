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
	"github.com/hotcut/hotcut/policy"
	"github.com/hotcut/hotcut/proxy/admin"
)

func newRegistrationsCmd(a *app) *cobra.Command {
	var w watchFlags
	var limit int
	cmd := &cobra.Command{
		Use:   "registrations [T]",
		Short: "List the phones of a tenant and what each platform holds of them, or count them per tenant",
		Long: `Registrations shows, for one tenant, every phone that is registered: where it is reached, by which edge, until when each
platform holds it (* by a REGISTER of Hotcut's own), and where it should be and is not. Without a tenant it counts them,
a row per tenant. What an edge says of its own phones wins; of an edge that does not answer, what another last heard.`,
		Example: `  hotcut registrations acme-dental
  hotcut registrations -w`,
		Args: between(0, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return w.loop(cmd.Context(), a, func(ctx context.Context) error {
				if len(args) == 0 {
					return a.registrationCounts(ctx)
				}
				return a.registrations(ctx, args[0], limit)
			})
		},
	}
	w.on(cmd)
	cmd.Flags().IntVar(&limit, "limit", 1000, "of one tenant: at most this many of each edge")
	cmd.ValidArgsFunction = a.completeTenant
	return cmd
}

// countsRow is a tenant's registrations and where it is.
type countsRow struct {
	migration.Phones
	Stage string `json:"stage"` // with share and rollback, in words; "" of a tenant that the policy does not know
}

func (a *app) registrationCounts(ctx context.Context) error {
	v, err := a.view(ctx)
	if err != nil {
		return err
	}
	all, err := a.phonesOf(ctx, v, "")
	if err != nil {
		return err
	}
	rows := []countsRow{}
	for _, p := range all.Tenants {
		rows = append(rows, countsRow{Phones: p, Stage: stageOf(v, p.Tenant)})
	}
	r := v.result("RegistrationCounts", rows)
	r.warnings = append(r.warnings, unheard(all)...)
	r.table = func(w io.Writer) {
		if len(rows) == 0 {
			fmt.Fprintln(w, "no registrations")
			return
		}
		fmt.Fprintln(w, "TENANT\tSTAGE\tPHONES\tREACHABLE\tON LEGACY\tON CORE\tMISSING\tREGISTER/S\tINSTANT UNTIL")
		for _, r := range rows {
			fmt.Fprintf(w, "%s\t%s\t%d\t%d\t%d\t%d\t%s\t%s\t%s\n", dash(r.Tenant), dash(r.Stage), r.Bindings, r.Reachable, r.OnLegacy, r.OnCore,
				dash(missingWords(r.Phones)), perSecond(r.PerSecond), instantOf(r.Phones, a.now()))
		}
		if all.Pending > 0 {
			fmt.Fprintf(w, "\n%s\n", pendingWords(all))
		}
	}
	return v.show(a, r)
}

// tenantOf is a tenant's record, nil when it is not known.
func tenantOf(v *seen, id string) *policy.Tenant {
	if v.Snapshot == nil {
		return nil
	}
	if r := v.Snapshot.Tenant(id); r != nil {
		return r.Tenant
	}
	return nil
}

func stageOf(v *seen, id string) string {
	if t := tenantOf(v, id); t != nil {
		return migration.Describe(t)
	}
	return ""
}

// pendingWords: "12 REGISTERs of ours wait, the last goes out in 0.06 s".
func pendingWords(all migration.FleetPhones) string {
	return fmt.Sprintf("%s of ours wait, the last goes out in %.1f s", plural(all.Pending, "REGISTER"), all.ETA)
}

func (a *app) registrations(ctx context.Context, tenant string, limit int) error {
	if limit < 1 || limit > admin.MaxRegistrations {
		return usage(fmt.Errorf("--limit %d: write 1 to %d", limit, admin.MaxRegistrations))
	}
	v, e, err := a.fleetView(ctx)
	if err != nil {
		return err
	}
	if v.Snapshot != nil {
		if _, err := v.Tenant(tenant); err != nil {
			return err
		}
	}
	to := e.Fleet.Addresses(v.Nodes)
	answers := askClients(ctx, a, to, func(ctx context.Context, c *admin.Client) ([]admin.Registration, error) {
		return c.Registrations(ctx, tenant, limit)
	})
	all := e.Fleet.Phones(ctx, to, tenant)
	rows, heard := mergeRegistrations(answers)
	r := v.result("RegistrationList", rows)
	r.warnings = append(r.warnings, unanswered(lostOf(silent(answers), heard))...)
	if len(heard) > 0 {
		r.warnings = append(r.warnings, "not by the edge itself: "+list(heard, 5))
	}
	for _, ans := range answers {
		if len(ans.Value) == limit {
			r.warnings = append(r.warnings, fmt.Sprintf("%s has more: only %d of it are here (--limit)", ans.Edge, limit))
		}
	}
	r.table = func(w io.Writer) {
		if len(rows) == 0 {
			fmt.Fprintln(w, "no registrations")
			return
		}
		registrationTable(w, rows)
		sum := all.Of(tenant)
		if sum.Bindings > 0 {
			fmt.Fprintf(w, "\n%s\n", a.registrationLine(sum, all, v))
		}
	}
	return v.show(a, r)
}

// registrationLine sums a tenant up.
func (a *app) registrationLine(sum migration.Phones, all migration.FleetPhones, v *seen) string {
	parts := []string{"phones " + phonesWords(sum)}
	if m := missingWords(sum); m != "" {
		parts = append(parts, "missing "+m)
	}
	if t := tenantOf(v, sum.Tenant); t != nil && leaves(t) {
		parts = append(parts, "rollback "+instantWords(sum, all, a.now()))
	}
	if all.Pending > 0 {
		parts = append(parts, pendingWords(all))
	}
	return strings.Join(parts, "   ")
}

func registrationTable(w io.Writer, rows []admin.Registration) {
	fmt.Fprintln(w, "AOR\tCONTACT\tFLOW\tEDGE\tREACHABLE\tSERVES\tLEGACY UNTIL\tCORE UNTIL\tMISSING\tERROR")
	for _, r := range rows {
		reachable := "no"
		if r.Reachable {
			reachable = "yes"
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", r.AoR, r.Contact, dash(r.Flow), dash(r.Edge), reachable, dash(r.Serves),
			holdWords(r.Legacy), holdWords(r.Core), dash(strings.Join(r.Missing, ", ")), dash(holdErrors(r)))
	}
}

// holdWords is until when a platform holds a registration; * marks one of ours.
func holdWords(h admin.RegistrationHold) string {
	s := stamp(h.Until * 1000)
	if h.Own && h.Until != 0 {
		s += "*"
	}
	return s
}

func holdErrors(r admin.Registration) string {
	var parts []string
	for _, h := range []struct{ platform, err string }{{"legacy", r.Legacy.Error}, {"core", r.Core.Error}} {
		if h.err != "" {
			parts = append(parts, h.platform+" "+h.err)
		}
	}
	return strings.Join(parts, ", ")
}

// mergeRegistrations takes of every registration the newest that an edge knows, and of equally new ones that of the edge
// which owns the flow. heard says whose are told by others: "edge-1 as edge-2 last heard".
func mergeRegistrations(answers []migration.Answer[[]admin.Registration]) (rows []admin.Registration, heard []string) {
	type told struct {
		admin.Registration
		by string
	}
	best := map[string]told{}
	for _, ans := range answers {
		for _, r := range ans.Value {
			old, known := best[r.ID]
			if !known || r.Since > old.Since || r.Since == old.Since && ans.Edge == r.Edge {
				best[r.ID] = told{r, ans.Edge}
			}
		}
	}
	rows = []admin.Registration{}
	for _, t := range best {
		rows = append(rows, t.Registration)
		if t.by != t.Edge {
			heard = append(heard, fmt.Sprintf("%s as %s last heard", dash(t.Edge), t.by))
		}
	}
	slices.SortFunc(rows, func(x, y admin.Registration) int {
		return cmp.Or(strings.Compare(x.AoR, y.AoR), strings.Compare(x.Contact, y.Contact), strings.Compare(x.ID, y.ID))
	})
	slices.Sort(heard)
	return rows, slices.Compact(heard)
}

// lostOf are the silent edges of which nobody else heard.
func lostOf(silent, heard []string) []string {
	return slices.DeleteFunc(silent, func(edge string) bool {
		return slices.ContainsFunc(heard, func(h string) bool { return strings.HasPrefix(h, edge+" as ") })
	})
}
