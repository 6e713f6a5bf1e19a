package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/hotcut/hotcut/migration"
	"github.com/hotcut/hotcut/proxy/admin"
)

func newDoctorCmd(a *app) *cobra.Command {
	var p migration.Probe
	cmd := &cobra.Command{
		Use:   "doctor [T]",
		Short: "Probe what a move depends on: registrars, how they reach phones, keep, the store",
		Long: `Doctor has every edge probe its targets: whether and how they challenge a REGISTER, whether both platforms challenge alike
(realm, algorithm, qop), whether they accept every name by which phones know us, and how they take the REGISTERs by which
Hotcut keeps phones on both platforms. With --write it also registers a test contact of --user, which it takes away
again: that shows whether Path and rewritten contacts hold, whether a registrar lists all contacts, and whether one
contact under two Call-IDs is one binding. The store is looked at too.

Exit code 1 when a check failed.`,
		Example: `  hotcut doctor
  hotcut doctor acme-dental --write --user test@acme.example`,
		Args: between(0, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			p.Tenant = strings.Join(args, "")
			if p.Write && p.User == "" {
				return usage(errors.New("--write registers a test contact: of whom? name an address-of-record that no phone uses"), a.again("--user test@DOMAIN"))
			}
			if err := checkProbe(p); err != nil {
				return err
			}
			return a.doctor(cmd.Context(), p)
		},
	}
	f := cmd.Flags()
	f.BoolVar(&p.Write, "write", false, "also register a test contact of --user, and take it away again")
	f.StringVar(&p.User, "user", "", "address-of-record to test with, USER@DOMAIN: of its own, no phone's")
	f.StringVar(&p.Platform, "platform", "", "legacy or core: only its targets")
	f.StringVar(&p.Target, "target", "", "only the target of this name")
	completeWords(cmd, "platform", "legacy", "core")
	cmd.ValidArgsFunction = a.completeTenant
	return cmd
}

func checkProbe(p migration.Probe) error {
	if user, domain, ok := strings.Cut(p.User, "@"); p.User != "" && (!ok || user == "" || domain == "" || strings.ContainsAny(p.User, " <>:;")) {
		return usage(fmt.Errorf("--user %q: write USER@DOMAIN", p.User), "hotcut help doctor")
	}
	if p.Platform != "" && p.Platform != "legacy" && p.Platform != "core" {
		return usage(fmt.Errorf("--platform %q: write legacy or core", p.Platform), "hotcut help doctor")
	}
	return nil
}

// diagnosed is what the doctor says.
type diagnosed struct {
	Worst string `json:"worst"` // ok, warn, fail
	migration.Diagnosis
}

func (a *app) doctor(ctx context.Context, p migration.Probe) error {
	v, e, err := a.fleetView(ctx)
	if err != nil {
		return err
	}
	if p.Tenant != "" && v.Snapshot != nil {
		if _, err := v.Tenant(p.Tenant); err != nil {
			return err
		}
	}
	fleet := *e.Fleet
	fleet.Limit = admin.DoctorTime
	to := fleet.Addresses(v.Nodes)
	d := fleet.Doctor(ctx, to, p, func(edge string) {
		if a.colours && a.conf.Output == "table" {
			a.say("%s probes its targets", edge)
		}
	})
	if len(to) == 0 {
		d.Findings = append(d.Findings, migration.Finding{Edges: []string{}, Check: "edges", Level: migration.FoundFail,
			Detail: "no edge is listed: no target was probed", Fix: "start an edge on this store"})
	}
	for _, edge := range d.Silent {
		d.Findings = append(d.Findings, migration.Finding{Edges: []string{edge}, Check: "edges", Level: silentLevel(d, to),
			Detail: "its targets were not probed: " + d.Why[edge], Fix: "hotcut edges"})
	}
	d.Findings = append(d.Findings, a.storeFindings(ctx, v, e.Store)...)
	return a.showDiagnosis(v, d)
}

// silentLevel: an edge less is a warning, none at all is no diagnosis.
func silentLevel(d migration.Diagnosis, to []migration.Address) string {
	if len(d.Silent) == len(to) {
		return migration.FoundFail
	}
	return migration.FoundWarn
}

func (a *app) showDiagnosis(v *seen, d migration.Diagnosis) error {
	data := diagnosed{Worst: worst(d.Findings), Diagnosis: d}
	r := v.result("Diagnosis", data)
	r.table = func(w io.Writer) { diagnosisTable(w, d) }
	if err := v.show(a, r); err != nil || !d.Failed() {
		return err
	}
	failed := 0
	for _, f := range d.Findings {
		if f.Level == migration.FoundFail {
			failed++
		}
	}
	return &failure{exit: exitError, code: "unhealthy", err: fmt.Errorf("%s failed", plural(failed, "check"))}
}

func worst(list []migration.Finding) string {
	out := migration.FoundOK
	for _, f := range list {
		switch f.Level {
		case migration.FoundFail:
			return f.Level
		case migration.FoundWarn:
			out = f.Level
		}
	}
	return out
}

func diagnosisTable(w io.Writer, d migration.Diagnosis) {
	if len(d.Findings) == 0 {
		fmt.Fprintln(w, "nothing was checked")
		return
	}
	fmt.Fprintln(w, "CHECK\tPLATFORM\tTARGET\tEDGE\tRESULT\tDETAIL")
	for _, f := range d.Findings {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", f.Check, dash(f.Platform), dash(f.Target), dash(list(f.Edges, 3)), f.Level, f.Detail)
	}
	fixes := []string{}
	whose := map[string][]string{}
	for _, f := range d.Findings {
		if f.Fix == "" {
			continue
		}
		if whose[f.Fix] == nil {
			fixes = append(fixes, f.Fix)
		}
		if what := strings.TrimSpace(f.Check + " " + f.Where()); !slices.Contains(whose[f.Fix], what) {
			whose[f.Fix] = append(whose[f.Fix], what)
		}
	}
	if len(fixes) > 0 {
		fmt.Fprintln(w)
	}
	for _, fix := range fixes {
		fmt.Fprintf(w, "fix %s: %s\n", list(whose[fix], 6), fix)
	}
}
