package compare

import (
	"cmp"
	"slices"
	"strings"
)

// Coverage of a tenant: what it does in production, and how much of that was compared; of scenarios of calls only (a phone
// registers more often than it calls).
//
// provisioned are the features that the tenant has, nil: nobody says. The policy does not know them: a tenant's record has domains,
// numbers, users, groups of users that move together, trunks, stage and limits, and no word of what these users may do; a group may
// be a hunt group, busy lamps or a shared line. So `hotcut` passes nil, and its reports say "provisioned features: not known to the
// policy" instead of an empty list of those never seen.
func (t *Tally) Coverage(tenant string, provisioned []string) Coverage {
	c := t.Tenants[tenant]
	if c == nil {
		c = new(Tenant)
	}
	return c.coverage(c.current(), provisioned)
}

func (c *Tenant) coverage(now *Count, provisioned []string) Coverage {
	v := Coverage{Scenarios: []ScenarioView{}, Known: provisioned != nil, NeverSeen: []string{}, Unseen: 1}
	features := make(map[string]uint64)
	for name, s := range c.Scenarios {
		view := ScenarioView{Scenario: name, N: s.N, Compared: s.Compared, Enough: s.Compared >= CoverageEnough, Worst: []SeverityRate{}}
		if now != nil {
			if by := now.By[name]; by != nil {
				view.Worst = severityRates(by.Worst, by.N)
			}
		}
		v.Scenarios = append(v.Scenarios, view)
		for _, f := range s.Features {
			features[f] += s.Compared
		}
		if s.Method != invite {
			continue
		}
		v.Seen++
		v.Calls += s.N
		if s.N == 1 {
			v.Once++
		}
		if view.Enough {
			v.Enough++
		}
	}
	slices.SortFunc(v.Scenarios, func(a, b ScenarioView) int {
		return cmp.Or(cmp.Compare(b.N, a.N), strings.Compare(a.Scenario, b.Scenario))
	})
	v.Unseen = unseen(uint64(v.Once), v.Calls)
	for _, f := range provisioned {
		if features[f] < provisionedEnough {
			v.NeverSeen = append(v.NeverSeen, f)
		}
	}
	slices.Sort(v.NeverSeen)
	v.NeverSeen = slices.Compact(v.NeverSeen)
	return v
}

// provisionedEnough is how often a provisioned feature must have been compared.
const provisionedEnough = 3

// unseen is the probability that the next call is of a scenario that was never met: Good's estimate, the share of
// scenarios met once (I. J. Good, Biometrika 40, 1953); without any, the 95 % bound of "rule of three". 1 without calls.
func unseen(once, calls uint64) float64 {
	switch {
	case calls == 0:
		return 1
	case once == 0:
		return min(3/float64(calls), 1)
	}
	return min(float64(once)/float64(calls), 1)
}
