package migration

import (
	"cmp"
	"context"
	"maps"
	"slices"

	"github.com/hotcut/hotcut/policy"
)

// Phones counts registrations of a tenant: of those whose flows one edge owns, or of all.
type Phones struct {
	Tenant        string `json:"tenant"`
	Bindings      int    `json:"bindings"`
	Reachable     int    `json:"reachable"`
	OnLegacy      int    `json:"onLegacy"`
	OnCore        int    `json:"onCore"`
	MissingLegacy int    `json:"missingLegacy"` // should be there, and are not
	MissingCore   int    `json:"missingCore"`
	Failed        int    `json:"failed"`       // the last REGISTER of ours was refused
	InstantUntil  int64  `json:"instantUntil"` // unix seconds: the earliest end of a binding that is kept; 0: none is

	PerSecond        float64 `json:"perSecond"`        // REGISTERs of these phones
	ClampedPerSecond float64 `json:"clampedPerSecond"` // and while they are clamped
	NextRefresh      int64   `json:"nextRefresh"`      // unix seconds: by when all of them will have registered anew
}

// On counts those that a platform holds.
func (p Phones) On(side policy.Platform) int {
	if side == policy.Core {
		return p.OnCore
	}
	return p.OnLegacy
}

// Missing counts those that a platform should hold and does not.
func (p Phones) Missing(side policy.Platform) int {
	if side == policy.Core {
		return p.MissingCore
	}
	return p.MissingLegacy
}

// Extra is what a clamp adds, in REGISTERs per second.
func (p Phones) Extra() float64 { return max(0, p.ClampedPerSecond-p.PerSecond) }

func (p *Phones) add(o Phones) {
	p.Bindings += o.Bindings
	p.Reachable += o.Reachable
	p.OnLegacy += o.OnLegacy
	p.OnCore += o.OnCore
	p.MissingLegacy += o.MissingLegacy
	p.MissingCore += o.MissingCore
	p.Failed += o.Failed
	p.PerSecond += o.PerSecond
	p.ClampedPerSecond += o.ClampedPerSecond
	p.NextRefresh = max(p.NextRefresh, o.NextRefresh)
	if o.InstantUntil != 0 && (p.InstantUntil == 0 || o.InstantUntil < p.InstantUntil) {
		p.InstantUntil = o.InstantUntil
	}
}

// Owned is a count of the registrations whose flows one edge owns.
type Owned struct {
	Owner string
	Phones
}

// EdgePhones is what one edge knows of registrations: its own, and what it last heard of those of other edges.
type EdgePhones struct {
	Rows    []Owned
	Keep    map[string][]string // platform -> how its targets take REGISTERs of ours: "none", "trust", "digest"
	Rate    map[string]int      // platform -> REGISTERs of ours per second
	Pending int                 // REGISTERs of ours that wait
	ETA     float64             // seconds until none does
}

// FleetPhones is what all edges know together. Of every owner its own rows count; of one that is silent, what another
// edge last heard.
type FleetPhones struct {
	Tenants []Phones            `json:"tenants"` // sorted by id
	Keep    map[string][]string `json:"keepModes"`
	Pending int                 `json:"pending"`
	ETA     float64             `json:"eta"`    // seconds
	Asked   int                 `json:"asked"`  // edges
	Silent  []string            `json:"silent"` // that did not answer
	Heard   []Heard             `json:"heard"`  // whose rows are not their own

	owned map[string][]Owned        // tenant -> rows by owner
	rate  map[string]map[string]int // owner, as far as it answered -> platform -> REGISTERs per second
}

// Heard says by whom the registrations of an edge are known that did not answer, or is not listed any more.
type Heard struct {
	Edge string `json:"edge"`
	By   string `json:"by"`
}

// Phones asks edges for the registrations of one tenant or of all ("").
func (f *Fleet) Phones(ctx context.Context, to []Address, tenant string) FleetPhones {
	return mergePhones(Ask(ctx, f, to, func(ctx context.Context, e Edge) (EdgePhones, error) {
		if e.Phones == nil {
			return EdgePhones{}, errNotOffered
		}
		return e.Phones(ctx, tenant)
	}))
}

// mergePhones takes for each owner its own rows, else those of the edge that knows most of it.
func mergePhones(answers []Answer[EdgePhones]) FleetPhones {
	all := FleetPhones{Tenants: []Phones{}, Keep: map[string][]string{}, Asked: len(answers), Silent: []string{}, Heard: []Heard{},
		owned: map[string][]Owned{}, rate: map[string]map[string]int{}}
	for _, a := range answers {
		if a.Err != nil {
			all.Silent = append(all.Silent, a.Edge)
			continue
		}
		all.rate[a.Edge] = a.Value.Rate
		all.Pending += a.Value.Pending
		all.ETA = max(all.ETA, a.Value.ETA)
		for platform, modes := range a.Value.Keep {
			for _, m := range modes {
				if !slices.Contains(all.Keep[platform], m) {
					all.Keep[platform] = append(all.Keep[platform], m)
				}
			}
			slices.Sort(all.Keep[platform])
		}
	}
	for owner, from := range sources(answers) {
		if from.edge != owner {
			all.Heard = append(all.Heard, Heard{Edge: owner, By: from.edge})
		}
		for _, r := range from.rows {
			all.owned[r.Tenant] = append(all.owned[r.Tenant], r)
		}
	}
	slices.SortFunc(all.Heard, func(a, b Heard) int { return cmp.Compare(a.Edge, b.Edge) })
	for _, tenant := range slices.Sorted(maps.Keys(all.owned)) {
		sum := Phones{Tenant: tenant}
		for _, r := range all.owned[tenant] {
			sum.add(r.Phones)
		}
		if sum.Bindings > 0 {
			all.Tenants = append(all.Tenants, sum)
		}
	}
	return all
}

// source is who is believed of an owner, and what it says.
type source struct {
	edge string
	rows []Owned
	size int // bindings
}

func sources(answers []Answer[EdgePhones]) map[string]source {
	best := map[string]source{}
	for _, a := range answers {
		if a.Err == nil {
			best[a.Edge] = source{edge: a.Edge} // it owns nothing unless it says so, whatever others heard
		}
	}
	for _, a := range answers {
		by := map[string]source{}
		for _, r := range a.Value.Rows {
			s := by[r.Owner]
			s.edge, s.rows, s.size = a.Edge, append(s.rows, r), s.size+r.Bindings
			by[r.Owner] = s
		}
		for owner, s := range by {
			old, known := best[owner]
			if owner == a.Edge || !known || old.edge != owner && s.size > old.size {
				best[owner] = s
			}
		}
	}
	return best
}

// Of is the count of one tenant; all zero when it has no registration.
func (f FleetPhones) Of(tenant string) Phones {
	for _, p := range f.Tenants {
		if p.Tenant == tenant {
			return p
		}
	}
	return Phones{Tenant: tenant}
}

// Sum is the count of some tenants, or (none named) of all.
func (f FleetPhones) Sum(tenants ...string) Phones {
	var sum Phones
	for _, p := range f.Tenants {
		if len(tenants) == 0 || slices.Contains(tenants, p.Tenant) {
			sum.add(p)
		}
	}
	return sum
}

// Kept reports whether REGISTERs of ours can bring every phone to a platform: each of its targets takes them.
func (f FleetPhones) Kept(side policy.Platform) bool {
	modes := f.Keep[side.String()]
	return len(modes) > 0 && !slices.Contains(modes, keepNone)
}

// keeps reports whether any target of a platform takes REGISTERs of ours.
func (f FleetPhones) keeps(side policy.Platform) bool {
	return slices.ContainsFunc(f.Keep[side.String()], func(mode string) bool { return mode != keepNone })
}

// keepNone is the mode of a target that takes no REGISTER of ours.
const keepNone = "none"

// HandOver estimates in how many seconds all registrations of a tenant are on a platform, each owner bringing its own at
// its rate, after what waits there already. Not ok: they can not be brought there, or an owner did not say how fast.
func (f FleetPhones) HandOver(tenant string, side policy.Platform) (seconds float64, ok bool) {
	if !f.Kept(side) {
		return 0, false
	}
	for _, r := range f.owned[tenant] {
		rate := f.rate[r.Owner][side.String()]
		if rate <= 0 {
			return 0, false
		}
		seconds = max(seconds, float64(r.Bindings-r.On(side))/float64(rate))
	}
	return seconds + f.ETA, true
}
