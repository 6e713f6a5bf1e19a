package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/hotcut/hotcut/migration"
	"github.com/hotcut/hotcut/policy"
)

// statusPhones is what is registered, in all and of the tenants that a person should watch.
type statusPhones struct {
	Bindings      int               `json:"bindings"`
	Reachable     int               `json:"reachable"`
	MissingLegacy int               `json:"missingLegacy"`
	MissingCore   int               `json:"missingCore"`
	Failed        int               `json:"failed"`
	Pending       int               `json:"pending"` // REGISTERs of ours that wait
	Silent        []string          `json:"silent"`  // edges that did not say
	Heard         []migration.Heard `json:"heard"`   // and who answered for them
	Watched       []watchedTenant   `json:"watched"`
}

// watchedTenant has left legacy, is about to, or misses phones somewhere.
type watchedTenant struct {
	migration.Phones
	Stage   string            `json:"stage"`
	Phase   *policy.PhaseName `json:"phase"` // null: none at present
	Instant string            `json:"instant"`
}

func (a *app) statusPhones(v *seen, all migration.FleetPhones) statusPhones {
	sum := all.Sum()
	d := statusPhones{Bindings: sum.Bindings, Reachable: sum.Reachable, MissingLegacy: sum.MissingLegacy, MissingCore: sum.MissingCore,
		Failed: sum.Failed, Pending: all.Pending, Silent: all.Silent, Heard: all.Heard, Watched: []watchedTenant{}}
	for _, p := range all.Tenants {
		t := tenantOf(v, p.Tenant)
		if t == nil || !worthWatching(t, p, a.now()) {
			continue
		}
		row := watchedTenant{Phones: p, Stage: migration.Describe(t)}
		if t.Phase != nil && t.Phase.Until > a.now().Unix() {
			row.Phase = &t.Phase.Name
		}
		if leaves(t) {
			row.Instant = instantWords(p, all, a.now())
		}
		d.Watched = append(d.Watched, row)
	}
	return d
}

func worthWatching(t *policy.Tenant, p migration.Phones, now time.Time) bool {
	return leaves(t) && t.Stage != policy.StageDone || migration.Clamped(t, now.Unix()) || p.MissingLegacy+p.MissingCore+p.Failed > 0
}

// maxWatched is how many tenants status lists one by one.
const maxWatched = 20

func (a *app) phonesTable(w io.Writer, d statusPhones) {
	if d.Bindings > 0 {
		parts := []string{fmt.Sprintf("%d, %d reachable", d.Bindings, d.Reachable)}
		if m := missingWords(migration.Phones{MissingLegacy: d.MissingLegacy, MissingCore: d.MissingCore, Failed: d.Failed}); m != "" {
			parts = append(parts, "missing "+m)
		}
		if d.Pending > 0 {
			parts = append(parts, plural(d.Pending, "REGISTER")+" of ours wait")
		}
		fmt.Fprintf(w, "phones\t%s\n", strings.Join(parts, "   "))
	}
	for _, edge := range d.Silent {
		heard := slices.IndexFunc(d.Heard, func(h migration.Heard) bool { return h.Edge == edge })
		if heard >= 0 {
			fmt.Fprintf(w, "phones\t%s as %s last heard\n", edge, d.Heard[heard].By)
		} else {
			fmt.Fprintf(w, "phones\t%s did not say\n", edge)
		}
	}
	if len(d.Watched) == 0 {
		return
	}
	fmt.Fprintln(w, "\nTENANT\tSTAGE\tPHONES\tMISSING\tINSTANT UNTIL")
	for i, r := range d.Watched {
		if i == maxWatched {
			fmt.Fprintf(w, "and %d more: hotcut registrations\n", len(d.Watched)-i)
			return
		}
		stage := r.Stage
		if r.Phase != nil {
			stage += ", " + string(*r.Phase)
		}
		fmt.Fprintf(w, "%s\t%s\t%d/%d\t%d/%d\t%s\n", r.Tenant, stage, r.Bindings, r.Reachable, r.MissingLegacy, r.MissingCore,
			instantOf(r.Phones, a.now()))
	}
}
