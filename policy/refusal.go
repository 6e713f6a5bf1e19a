package policy

import (
	"fmt"
	"strings"
)

// Fault is one thing wrong with a record or a change: where, what, and what to write instead.
type Fault struct {
	Tenant  string `json:"tenant,omitempty"` // "": the globals or the change itself
	Other   string `json:"other,omitempty"`  // the other claimant, for claims that clash
	Field   string `json:"field"`            // as in JSON: "rules[2].called"
	Value   string `json:"value,omitempty"`
	Problem string `json:"problem"`
	Fix     string `json:"fix,omitempty"`
}

// String is one line: tenant, field, value, problem, fix.
func (f Fault) String() string {
	var b strings.Builder
	if f.Tenant != "" {
		fmt.Fprintf(&b, "tenant %s: ", f.Tenant)
	}
	b.WriteString(f.Field)
	if f.Value != "" {
		fmt.Fprintf(&b, " %q", clip(f.Value, 200))
	}
	b.WriteString(": " + f.Problem)
	if f.Fix != "" {
		b.WriteString(": " + f.Fix)
	}
	return b.String()
}

// maxPrinted bounds an error message; Faults holds them all.
const maxPrinted = 50

// Refusal is why a policy or a change is not taken: every fault at once.
type Refusal struct{ Faults []Fault }

// Error lists the faults, a line each.
func (r *Refusal) Error() string {
	if len(r.Faults) == 1 {
		return "refused: " + r.Faults[0].String()
	}
	var b strings.Builder
	fmt.Fprintf(&b, "refused, %d faults:", len(r.Faults))
	for i, f := range r.Faults {
		if i == maxPrinted {
			fmt.Fprintf(&b, "\n  and %d more", len(r.Faults)-i)
			break
		}
		b.WriteString("\n  " + f.String())
	}
	return b.String()
}

// faults collects what is wrong with one tenant (or, with an empty id, the globals).
type faults struct {
	tenant string
	list   []Fault
}

func (f *faults) add(field, value, problem, fix string) {
	f.list = append(f.list, Fault{Tenant: f.tenant, Field: field, Value: value, Problem: problem, Fix: fix})
}

func refuse(list []Fault) error {
	if len(list) == 0 {
		return nil
	}
	return &Refusal{Faults: list}
}

// clip bounds what an error repeats of its input.
func clip(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return s[:n] + "..."
}
