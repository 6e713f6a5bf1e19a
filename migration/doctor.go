package migration

import (
	"cmp"
	"context"
	"slices"
)

// Probe says what an edge shall ask its targets. Empty fields mean all.
type Probe struct {
	Tenant, User, Platform, Target string
	Write                          bool // a test contact may be registered
}

// Challenge is what a platform asks of a phone that registers.
type Challenge struct {
	Realms     []string `json:"realms"`
	Algorithms []string `json:"algorithms"`
	QOP        []string `json:"qop"`
}

// Diagnosis is what probes found, of one edge or of all.
type Diagnosis struct {
	Findings   []Finding            `json:"findings"`
	Challenges map[string]Challenge `json:"challenges"` // by platform
	Silent     []string             `json:"silent"`     // edges that did not answer
	Why        map[string]string    `json:"-"`          // silent edge -> what went wrong
}

// Finding is the outcome of one check; what several edges found alike is one.
type Finding struct {
	Edges    []string `json:"edges"`
	Check    string   `json:"check"`
	Platform string   `json:"platform"`
	Target   string   `json:"target"`
	Level    string   `json:"level"` // ok, warn, fail, skip
	Detail   string   `json:"detail"`
	Fix      string   `json:"fix"`
}

// Levels of a Finding.
const (
	FoundOK   = "ok"
	FoundWarn = "warn"
	FoundFail = "fail"
	FoundSkip = "skip"
)

// Where names what a finding is about: "core c1", "legacy", "".
func (f Finding) Where() string {
	if f.Target == "" {
		return f.Platform
	}
	return f.Platform + " " + f.Target
}

// Failed reports whether any check failed.
func (d Diagnosis) Failed() bool {
	return slices.ContainsFunc(d.Findings, func(f Finding) bool { return f.Level == FoundFail })
}

// Doctor has edges probe their targets. Probes that write are made by one edge after another, so that none meets the
// test contact of another. begin, which may be nil, is told of each edge whose probes begin.
func (f *Fleet) Doctor(ctx context.Context, to []Address, p Probe, begin func(edge string)) Diagnosis {
	question := func(ctx context.Context, e Edge) (Diagnosis, error) {
		if e.Doctor == nil {
			return Diagnosis{}, errNotOffered
		}
		return e.Doctor(ctx, p)
	}
	if !p.Write {
		if begin != nil {
			for _, a := range to {
				begin(a.Name)
			}
		}
		return mergeDiagnoses(Ask(ctx, f, to, question))
	}
	var answers []Answer[Diagnosis]
	for _, a := range to {
		if begin != nil {
			begin(a.Name)
		}
		answers = append(answers, Ask(ctx, f, []Address{a}, question)...)
	}
	return mergeDiagnoses(answers)
}

func mergeDiagnoses(answers []Answer[Diagnosis]) Diagnosis {
	all := Diagnosis{Findings: []Finding{}, Challenges: map[string]Challenge{}, Silent: []string{}, Why: map[string]string{}}
	for _, a := range answers {
		if a.Err != nil {
			all.Silent = append(all.Silent, a.Edge)
			all.Why[a.Edge] = a.Err.Error()
			continue
		}
		for _, f := range a.Value.Findings {
			all.add(a.Edge, f)
		}
		for platform, c := range a.Value.Challenges {
			old := all.Challenges[platform]
			all.Challenges[platform] = Challenge{union(old.Realms, c.Realms), union(old.Algorithms, c.Algorithms), union(old.QOP, c.QOP)}
		}
	}
	first := map[string]int{} // checks stand in the order in which they were made
	for i, f := range all.Findings {
		if _, seen := first[f.Check]; !seen {
			first[f.Check] = i
		}
	}
	slices.SortStableFunc(all.Findings, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(orderOf(a.Platform), orderOf(b.Platform)), cmp.Compare(a.Target, b.Target), cmp.Compare(first[a.Check], first[b.Check]))
	})
	return all
}

// orderOf puts legacy before core, and what is about both behind.
func orderOf(platform string) int {
	switch platform {
	case "legacy":
		return 0
	case "core":
		return 1
	}
	return 2
}

func (d *Diagnosis) add(edge string, f Finding) {
	for i := range d.Findings {
		same := d.Findings[i]
		if same.Check == f.Check && same.Platform == f.Platform && same.Target == f.Target && same.Level == f.Level &&
			same.Detail == f.Detail && same.Fix == f.Fix {
			d.Findings[i].Edges = append(d.Findings[i].Edges, edge)
			return
		}
	}
	f.Edges = []string{edge}
	d.Findings = append(d.Findings, f)
}

func union(a, b []string) []string {
	out := slices.Concat([]string{}, a, b)
	slices.Sort(out)
	return slices.Compact(out)
}
