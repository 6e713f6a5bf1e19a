package compare

import (
	"cmp"
	"slices"
)

// cluster of the tenant with this key; nil: a table is full.
func (t *Tally) cluster(c *Tenant, k Key) *Cluster {
	id := k.ID()
	if cl := c.Clusters[id]; cl != nil {
		return cl
	}
	if t.clusters >= maxClusters {
		c.over(TableClusters)
		return nil
	}
	cl := slot(&c.Clusters, id, maxOfTenant)
	if cl == nil {
		c.over(TableClusters)
		return nil
	}
	t.clusters++
	cl.Key = k
	return cl
}

// add counts a call of the cluster. It says whether the reservoir took it.
func (cl *Cluster) add(v *Verdict, build string, d *Difference) bool {
	cl.describe(d.Severity, d.Words)
	cl.Count++
	span(&cl.First, &cl.Last, v.At)
	if b := slot(&cl.Builds, build, maxBuilds); b != nil {
		b.add(v.At)
	}
	return cl.sample(Sample{CallID: clean(v.CallID), At: v.At, Edge: clean(v.Edge), Build: build, Detail: clean(d.Detail)})
}

// describe keeps the worst severity and its words, whatever the order in which they come: edges of two versions may
// disagree.
func (cl *Cluster) describe(s Severity, words string) {
	words = clean(words)
	if s > cl.Severity || s == cl.Severity && words < cl.Words {
		cl.Severity, cl.Words = s, words
	}
}

func (b *Build) add(at int64) {
	b.Count++
	span(&b.First, &b.Last, at)
}

// sample offers a call to the reservoir: the calls with the smallest tokens stay. A call that two edges saw is one.
func (cl *Cluster) sample(s Sample) bool {
	if s.CallID == "" {
		return false
	}
	i, found := slices.BinarySearchFunc(cl.Samples, s.CallID, func(a Sample, id string) int { return cmp.Compare(a.CallID, id) })
	switch {
	case found:
		if compareSamples(s, cl.Samples[i]) < 0 {
			cl.Samples[i] = s
		}
		return true
	case i >= reservoir:
		return false
	}
	cl.Samples = slices.Insert(cl.Samples, i, s)
	cl.Samples = cl.Samples[:min(len(cl.Samples), reservoir)]
	return true
}

func compareSamples(a, b Sample) int {
	return cmp.Or(cmp.Compare(a.CallID, b.CallID), cmp.Compare(a.At, b.At), cmp.Compare(a.Edge, b.Edge),
		cmp.Compare(a.Build, b.Build), cmp.Compare(a.Detail, b.Detail))
}
