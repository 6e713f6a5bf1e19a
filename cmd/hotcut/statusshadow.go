package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/hotcut/hotcut/migration"
	"github.com/hotcut/hotcut/migration/shadow/compare"
)

// shadowRows are the mirrored tenants as the edges count them, and what is wrong with the mirrors. Nobody is asked while nobody is
// mirrored.
func (a *app) shadowRows(ctx context.Context, v *seen) (rows []shadowRow, said []string) {
	rows = []shadowRow{}
	if v.Snapshot == nil {
		return rows, nil
	}
	for r := range v.Snapshot.All() {
		if migration.Mirrored(r.Tenant) {
			rows = append(rows, shadowRow{Tenant: r.Tenant.ID})
		}
	}
	if len(rows) == 0 {
		return rows, nil
	}
	src, err := a.shadowSource(v, "")
	if err != nil {
		return rows, []string{err.Error()}
	}
	defer src.close()
	src.ask(ctx, "")
	mirrors, c := 0, &counted{drops: map[string]uint64{}}
	seen := map[string]bool{}
	for _, ans := range src.answers {
		if ans.Err != nil {
			if !notServed(ans.Err) {
				said = append(said, fmt.Sprintf("%s does not say what it mirrors: %v", ans.Edge, ans.Err))
			}
			continue
		}
		mirrors++
		c.note(&ans.Value)
		for _, row := range ans.Value.Rows {
			i := slices.IndexFunc(rows, func(r shadowRow) bool { return r.Tenant == row.Tenant })
			if i < 0 || ans.Value.Shared && seen[row.Tenant] {
				continue
			}
			seen[row.Tenant] = true
			rows[i] = rows[i].plus(row)
		}
	}
	if mirrors == 0 && len(src.to) > 0 {
		said = append(said, "no edge that answers has a dark core: nothing is copied")
	}
	return rows, append(said, c.notes...)
}

// plus sums what edges that do not share their counts say of one tenant.
func (r shadowRow) plus(x shadowRow) shadowRow {
	r.Build = x.Build
	r.Sampled, r.Compared, r.Missing = r.Sampled+x.Sampled, r.Compared+x.Compared, r.Missing+x.Missing
	r.Critical = compare.NewRate(r.Critical.Count+x.Critical.Count, r.Critical.Of+x.Critical.Of)
	r.Major = compare.NewRate(r.Major.Count+x.Major.Count, r.Major.Of+x.Major.Of)
	return r
}

func shadowTable(w io.Writer, rows []shadowRow) {
	if len(rows) == 0 {
		return
	}
	fmt.Fprintln(w, "\nMIRRORED\tBUILD\tCOPIED\tCOMPARED\tMISSING\tCRITICAL\tMAJOR")
	for i, r := range rows {
		if i == maxWatched {
			fmt.Fprintf(w, "and %d more: hotcut shadow report T\n", len(rows)-i)
			return
		}
		fmt.Fprintf(w, "%s\t%s\t%d\t%d\t%d\t%s\t%s\n", r.Tenant, dash(oneLine(r.Build)), r.Sampled, r.Compared, r.Missing, ofWords(r.Critical), ofWords(r.Major))
	}
}

// ofWords is "3/402 (0.25 to 2.2 %)", "-" of nothing.
func ofWords(r compare.Rate) string {
	if r.Of == 0 {
		return "-"
	}
	digits := func(x float64) string {
		return strings.TrimSuffix(strings.TrimSuffix(fmt.Sprintf("%.2f", 100*x), "0"), ".0")
	}
	return fmt.Sprintf("%d/%d (%s to %s %%)", r.Count, r.Of, digits(r.Low), digits(r.High))
}
