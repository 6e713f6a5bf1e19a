package compare

import (
	"maps"
	"slices"
)

// Merge adds src to the sum dst and leaves src as it is. It is commutative and associative; blobs of the same
// (edge, boot) must have replaced one another before.
func Merge(dst, src *Tally) {
	if dst.Tenants == nil {
		dst.Tenants = make(map[string]*Tenant)
	}
	dst.Edge, dst.Boot = "", ""
	for name, c := range src.Tenants {
		if c == nil {
			continue
		}
		to := dst.Tenants[name]
		if to == nil {
			to = new(Tenant)
			dst.Tenants[name] = to
		}
		to.merge(c)
	}
	sum(&dst.Overflow, src.Overflow)
}

func (c *Tenant) merge(o *Tenant) {
	c.Profile = max(c.Profile, o.Profile)
	widen(&c.First, &c.Last, o.First, o.Last)
	sum(&c.Missing, o.Missing)
	sum(&c.Dropped, o.Dropped)
	sum(&c.Overflow, o.Overflow)
	each(&c.Methods, o.Methods, func(a, b *Method) { a.Sampled += b.Sampled; a.Compared += b.Compared })
	each(&c.Counts, o.Counts, (*Count).merge)
	each(&c.Builds, o.Builds, (*Build).merge)
	each(&c.Scenarios, o.Scenarios, (*Seen).merge)
	each(&c.Clusters, o.Clusters, (*Cluster).merge)
	each(&c.Variation, o.Variation, (*Triples).merge)
	each(&c.Times, o.Times, (*TimePair).merge)
}

func (n *Count) merge(o *Count) {
	n.Build, n.Basis = o.Build, o.Basis
	widen(&n.First, &n.Last, o.First, o.Last)
	n.N += o.N
	n.Exempt += o.Exempt
	n.Calls += o.Calls
	sum(&n.Worst, o.Worst)
	sum(&n.Missing, o.Missing)
	sum(&n.Hours, o.Hours)
	sum(&n.Outcomes, o.Outcomes)
	each(&n.By, o.By, func(a, b *Severed) { a.N += b.N; sum(&a.Worst, b.Worst) })
}

func (b *Build) merge(o *Build) {
	b.Count += o.Count
	widen(&b.First, &b.Last, o.First, o.Last)
}

func (s *Seen) merge(o *Seen) {
	s.Method = max(s.Method, o.Method)
	s.N += o.N
	s.Compared += o.Compared
	widen(&s.First, &s.Last, o.First, o.Last)
	if len(o.Features) > 0 {
		all := slices.Concat(s.Features, o.Features)
		slices.Sort(all)
		s.Features = slices.Compact(all)
	}
}

func (cl *Cluster) merge(o *Cluster) {
	cl.Key = o.Key
	cl.describe(o.Severity, o.Words)
	cl.Count += o.Count
	widen(&cl.First, &cl.Last, o.First, o.Last)
	each(&cl.Builds, o.Builds, (*Build).merge)
	for _, s := range o.Samples {
		cl.sample(s)
	}
}

func (t *Triples) merge(o *Triples) {
	t.Scenario, t.Field = o.Scenario, o.Field
	t.N += o.N
	t.OnlyCore += o.OnlyCore
	t.OnlyLegacy += o.OnlyLegacy
	t.Both += o.Both
}

func (p *TimePair) merge(o *TimePair) {
	p.Build, p.Name, p.Class = o.Build, o.Name, o.Class
	p.Live.merge(o.Live, &p.Live)
	p.Shadow.merge(o.Shadow, &p.Shadow)
}

func (d Distribution) merge(o Distribution, at *Distribution) {
	if d == nil && len(o) > 0 {
		d = make(Distribution, len(o))
		*at = d
	}
	for i, n := range o {
		d[i] += n
	}
}

// each merges the entries of two tables; what dst lacks it gets as a copy.
func each[K comparable, V any](dst *map[K]*V, src map[K]*V, merge func(to, from *V)) {
	for k, v := range src {
		if v != nil {
			merge(slot(dst, k, len(*dst)+1), v)
		}
	}
}

func sum[K comparable](dst *map[K]uint64, src map[K]uint64) {
	for k, n := range src {
		inc(dst, k, n)
	}
}

func widen(first, last *int64, f, l int64) {
	span(first, last, f)
	span(first, last, l)
}

// Expire forgets what was last seen before a time (unix ns): retention reaches into counts, too.
func (t *Tally) Expire(before int64) {
	for name, c := range t.Tenants {
		if c.Last != 0 && c.Last < before {
			t.clusters -= len(c.Clusters)
			delete(t.Tenants, name)
			continue
		}
		held := len(c.Clusters)
		c.Expire(before)
		t.clusters -= held - len(c.Clusters)
	}
	maps.DeleteFunc(t.redials, func(_ parties, o *observation) bool { return o.last < before })
}

// Expire forgets what of the tenant was last seen before a time (unix ns).
func (c *Tenant) Expire(before int64) {
	maps.DeleteFunc(c.Clusters, func(_ ClusterID, cl *Cluster) bool { return cl.Last < before })
	for _, cl := range c.Clusters {
		cl.Samples = slices.DeleteFunc(cl.Samples, func(s Sample) bool { return s.At < before })
		maps.DeleteFunc(cl.Builds, func(_ string, b *Build) bool { return b.Last < before })
	}
	maps.DeleteFunc(c.Counts, func(_ string, n *Count) bool { return n.Last < before })
	maps.DeleteFunc(c.Builds, func(_ string, b *Build) bool { return b.Last < before })
	maps.DeleteFunc(c.Scenarios, func(_ string, s *Seen) bool { return s.Last < before })
	// Times of a build go with the build; triples of a scenario with the scenario.
	maps.DeleteFunc(c.Times, func(_ string, p *TimePair) bool { return c.Builds[p.Build] == nil })
	maps.DeleteFunc(c.Variation, func(_ string, tr *Triples) bool { return c.Scenarios[tr.Scenario] == nil })
}
