package main

import (
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/hotcut/hotcut/migration"
	"github.com/hotcut/hotcut/policy"
)

func newTenantShowCmd(a *app) *cobra.Command {
	var atRev uint64
	cmd := &cobra.Command{
		Use:   "show T",
		Short: "Show everything that the policy says of a tenant",
		Args:  exact(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			v, err := a.viewAt(cmd.Context(), atRev, args[0])
			if err != nil {
				return err
			}
			t, err := v.Tenant(args[0])
			if err != nil {
				return err
			}
			data := shownTenant{Tenant: t, Clamped: migration.Clamped(t, a.now().Unix())}
			var all migration.FleetPhones
			if !v.past {
				if all, err = a.phonesOf(cmd.Context(), v, t.ID); err != nil {
					return err
				}
				if all.Asked > 0 {
					data.Phones = new(all.Of(t.ID))
				}
			}
			res := v.result("Tenant", data)
			res.warnings = append(res.warnings, unheard(all)...)
			res.table = func(w io.Writer) { a.tenantDetails(w, t, v, all) }
			return v.show(a, res)
		},
	}
	a.atRev(cmd, &atRev)
	cmd.ValidArgsFunction = a.completeTenant
	return cmd
}

// shownTenant is a tenant's record and what the edges say of its phones.
type shownTenant struct {
	*policy.Tenant
	Clamped bool              `json:"clamped"`          // its phones register every two minutes
	Phones  *migration.Phones `json:"phones,omitempty"` // nil: no edge is listed, or an earlier rev was asked for
}

// phonesOf asks the edges for the phones of one tenant, or of all ("").
func (a *app) phonesOf(ctx context.Context, v *seen, tenant string) (migration.FleetPhones, error) {
	e, err := a.eng()
	if err != nil {
		return migration.FleetPhones{}, err
	}
	return e.Fleet.Phones(ctx, e.Fleet.Addresses(v.Nodes), tenant), nil
}

func (a *app) tenantDetails(w io.Writer, t *policy.Tenant, v *seen, all migration.FleetPhones) {
	line := func(name, value string) {
		if value != "" {
			fmt.Fprintf(w, "%s\t%s\n", name, value)
		}
	}
	line("tenant", t.ID)
	line("name", t.Name)
	line("stage", migration.Describe(t))
	line("ready", migration.Ready(v.Globals()))
	line("phase", phaseWords(t, a.now()))
	if t.Hold != nil {
		line("hold", strings.TrimSuffix(fmt.Sprintf("by %s, %s: %s", t.Hold.By, stamp(t.Hold.At*1000), t.Hold.Reason), ": "))
	}
	line("domains", strings.Join(t.Domains, ", "))
	line("numbers", strings.Join(t.Numbers, ", "))
	line("dialling", dialling(t))
	for _, trunk := range t.Trunks {
		line("trunk", strings.Join(slices.DeleteFunc([]string{trunk.Name, "from " + trunk.Source, trunk.Transport, trunk.URI, trunk.Egress},
			func(s string) bool { return s == "" }), "  "))
	}
	for _, user := range slices.Sorted(maps.Keys(t.Assigned)) {
		line("assigned", user+" -> "+t.Assigned[user].String())
	}
	for i, r := range t.Rules {
		line(fmt.Sprintf("rule %d", i+1), ruleWords(r))
	}
	if len(t.Users) > 0 {
		line("users", plural(len(t.Users), "number or alias")+" mapped")
	}
	if len(t.Groups) > 0 {
		line("groups", plural(len(t.Groups), "user")+" grouped")
	}
	line("pools", poolWords(t.Pool))
	line("emergency", emergencyWords(t.Emergency))
	line("limits", limitWords(t.Limits))
	line("media", mediaWords(t.Media))
	if t.CrossFailover {
		line("failover", "an explicit refusal before ringing may go to the other platform")
	}
	if all.Asked > len(all.Silent) {
		p := all.Of(t.ID)
		line("phones", phonesWords(p))
		line("missing", missingWords(p))
		if leaves(t) && p.Bindings > 0 {
			line("rollback", instantWords(p, all, a.now()))
		}
	}
	for _, n := range v.Nodes {
		if n.Overrides == nil {
			continue
		}
		if o, ok := n.Overrides.Tenants[t.ID]; ok {
			line("local order", fmt.Sprintf("%s serves it on legacy, by %s, %s", n.Edge, o.By, stamp(o.At*1000)))
		}
	}
}

func dialling(t *policy.Tenant) string {
	var parts []string
	for _, p := range [][2]string{{"country", t.Country}, {"area", t.Area}, {"outside prefix", t.Outside}} {
		if p[1] != "" {
			parts = append(parts, p[0]+" "+p[1])
		}
	}
	return strings.Join(parts, ", ")
}

func ruleWords(r policy.Rule) string {
	var parts []string
	if r.Direction != policy.AnyDirection {
		parts = append(parts, r.Direction.String())
	}
	for _, p := range [][2]string{{"", r.Method}, {"called ", r.Called}, {"users ", strings.Join(r.Users, ",")}, {"group ", r.Group}, {"trunk ", r.Trunk}} {
		if p[1] != "" {
			parts = append(parts, p[0]+p[1])
		}
	}
	s := strings.Join(parts, ", ") + " -> " + r.Platform.String()
	if r.Expires != 0 {
		s += ", until " + stamp(r.Expires*1000)
	}
	if r.Comment != "" {
		s += "   " + r.Comment
	}
	return strings.TrimSpace(s)
}

func poolWords(p policy.Pools) string {
	var parts []string
	if p.Legacy != "" {
		parts = append(parts, "legacy "+p.Legacy)
	}
	if p.Core != "" {
		parts = append(parts, "core "+p.Core)
	}
	return strings.Join(parts, ", ")
}

func emergencyWords(e *policy.Emergency) string {
	if e == nil {
		return "default users, on legacy"
	}
	who := "default users"
	if len(e.Users) > 0 {
		who = strings.Join(e.Users, ", ")
	}
	platform := policy.Legacy
	if e.Platform != policy.NoPlatform {
		platform = e.Platform
	}
	if e.Certified == nil {
		return who + ", on " + platform.String() + ", not certified"
	}
	return fmt.Sprintf("%s, on %s, certified by %s", who, platform, e.Certified.By)
}

func limitWords(l policy.Limits) string {
	var parts []string
	for _, p := range []struct {
		n    int
		what string
	}{{l.CallsPerSecond, "new calls per second"}, {l.Calls, "calls at once"}, {l.Registrations, "registrations"}} {
		if p.n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", p.n, p.what))
		}
	}
	return strings.Join(parts, ", ")
}
