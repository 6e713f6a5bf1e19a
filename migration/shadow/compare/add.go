package compare

import (
	"slices"
	"strings"

	"github.com/hotcut/hotcut/migration/shadow/record"
)

// Add counts a verdict, top to bottom: tenant, scenario, missing or compared, clusters, observation, matrix, times,
// legacy's own variation. sampled: a reservoir took the call, so that its records are worth keeping.
func (t *Tally) Add(v *Verdict) (sampled bool) {
	c := t.tenant(v)
	if c == nil {
		return false
	}
	method := v.method()
	kind := slot(&c.Methods, clean(method), maxReasons)
	if kind == nil {
		c.over(TableReasons)
		kind = new(Method)
	}
	kind.Sampled++
	seen := c.seen(v)
	basis := t.basis(v)
	build := clean(v.Build)
	count := c.count(build, basis.ID, v.At)
	if v.Missing != "" {
		c.bump(&c.Missing, v.Missing, 1)
		if count != nil && method == invite {
			c.bump(&count.Missing, v.Missing, 1)
		}
		return false
	}
	kind.Compared++
	if seen != nil {
		seen.Compared++
	}
	if b := slot(&c.Builds, build, maxBuilds); b != nil {
		b.add(v.At)
	} else {
		c.over(TableBuilds)
	}
	worst, exempt := None, false
	for i := range v.Differences {
		d := v.Differences[i]
		if v.Emergency {
			d.Severity = Critical
		}
		worst = max(worst, d.Severity)
		key := d.Key(clean(v.Scenario))
		exempt = exempt || basis.Exempt[key.ID()]
		if cl := t.cluster(c, key); cl != nil {
			sampled = cl.add(v, build, &d) || sampled
		}
	}
	if count != nil {
		if method == invite {
			t.observe(c, count, v, worst, exempt)
		}
		count.call(c, v, method, worst)
	}
	c.times(v, build)
	t.vary(c, v)
	return sampled
}

// Drop counts n calls of a tenant that were lost before they were a call: a full queue, a bound on memory. "" is no
// tenant in particular.
func (t *Tally) Drop(tenant, reason string, n uint64) {
	if c := slot(&t.Tenants, clean(tenant), maxTenants); c != nil {
		t.Again(clean(tenant))
		c.bump(&c.Dropped, reason, n)
		return
	}
	t.over(TableTenants)
}

// tenant is the counts of the verdict's tenant; nil: the table is full.
func (t *Tally) tenant(v *Verdict) *Tenant {
	c := slot(&t.Tenants, clean(v.Tenant), maxTenants)
	if c == nil {
		t.over(TableTenants)
		return nil
	}
	t.Again(clean(v.Tenant))
	if v.Profile != "" {
		c.Profile = clean(v.Profile)
	}
	span(&c.First, &c.Last, v.At)
	return c
}

func (c *Tenant) seen(v *Verdict) *Seen {
	s := slot(&c.Scenarios, clean(v.Scenario), maxOfTenant)
	if s == nil {
		c.over(TableScenarios)
		return nil
	}
	s.N++
	s.Method = v.method()
	span(&s.First, &s.Last, v.At)
	if v.Live != nil && len(s.Features) == 0 {
		for _, f := range v.Live.Features[:min(len(v.Live.Features), maxReasons)] {
			s.Features = append(s.Features, clean(string(f)))
		}
	}
	return s
}

func (c *Tenant) count(build, basis string, at int64) *Count {
	basis = clean(basis)
	n := slot(&c.Counts, CountKey(build, basis), maxCounts)
	if n == nil {
		c.over(TableCounts)
		return nil
	}
	n.Build, n.Basis = build, basis
	span(&n.First, &n.Last, at)
	return n
}

// call counts one call, as the matrix and the scenarios do: a redial is one more.
func (n *Count) call(c *Tenant, v *Verdict, method string, worst Severity) {
	if live, shadow := v.Live, v.Shadow; live != nil && shadow != nil && method == invite {
		n.Calls++
		c.bump(&n.Outcomes, OutcomeKey(string(live.Outcome.Class), string(shadow.Outcome.Class)), 1)
	}
	s := slot(&n.By, clean(v.Scenario), maxOfTenant)
	if s == nil {
		c.over(TableScenarios)
		return
	}
	s.N++
	if worst > None {
		inc(&s.Worst, worst, 1)
	}
}

func (c *Tenant) times(v *Verdict, build string) {
	if v.Live == nil {
		return
	}
	class := clean(timeClass(v.Live))
	for i := range v.Times {
		name := clean(v.Times[i].Name)
		p := slot(&c.Times, TimeKey(build, name, class), maxTimes)
		if p == nil {
			c.over(TableTimes)
			return
		}
		p.Build, p.Name, p.Class = build, name, class
		if p.Live == nil {
			p.Live, p.Shadow = make(Distribution), make(Distribution)
		}
		p.Live.Add(v.Times[i].Live)
		p.Shadow.Add(v.Times[i].Shadow)
	}
}

// timeClass is what a time is compared within: the outcome, and what makes a call of that outcome take its time. A
// voicemail that answers late must not drown among calls that people answer.
func timeClass(c *record.Call) string {
	if c.Method != invite && c.Method != "" {
		return strings.ToLower(c.Method)
	}
	class := string(c.Outcome.Class)
	for _, f := range []record.Feature{record.FeatureVoicemail, record.FeatureForward, record.FeatureHunt, record.FeaturePark} {
		if slices.Contains(c.Features, f) {
			class += " " + string(f)
		}
	}
	return class
}

// vary compares this legacy call with the one before it of the same scenario and parties.
func (t *Tally) vary(c *Tenant, v *Verdict) {
	if v.Live == nil || v.Pair == "" {
		return
	}
	before := t.previous.swap(previousKey{parties{v.Tenant, v.Pair}, v.Scenario}, v.Live)
	if before == nil {
		return
	}
	scenario := clean(v.Scenario)
	all := c.triples(scenario, "")
	if all == nil {
		return
	}
	all.N++
	core, legacy := fields(v.Differences), fields(Compare(before, v.Live, t.rules))
	for field := range core {
		if tr := c.triples(scenario, field); tr != nil {
			if legacy[field] {
				tr.Both++
			} else {
				tr.OnlyCore++
			}
		}
	}
	for field := range legacy {
		if tr := c.triples(scenario, field); tr != nil && !core[field] {
			tr.OnlyLegacy++
		}
	}
}

func (c *Tenant) triples(scenario, field string) *Triples {
	tr := slot(&c.Variation, VariationKey(scenario, field), maxVariation)
	if tr == nil {
		c.over(TableVariation)
		return nil
	}
	tr.Scenario, tr.Field = scenario, field
	return tr
}

func fields(ds []Difference) map[string]bool {
	set := make(map[string]bool, len(ds))
	for i := range ds {
		set[ds[i].Field] = true
	}
	return set
}

// bump adds to a named counter of a bounded table.
func (c *Tenant) bump(table *map[string]uint64, name string, n uint64) {
	name = clean(name)
	if _, known := (*table)[name]; !known && len(*table) >= maxReasons {
		c.over(TableReasons)
		return
	}
	inc(table, name, n)
}

func (c *Tenant) over(table string) { inc(&c.Overflow, table, 1) }

func (t *Tally) over(table string) { inc(&t.Overflow, table, 1) }

// previousCalls are the last legacy calls of so many parties, the oldest forgotten first.
type previousCalls struct {
	last map[previousKey]*record.Call
	ring []previousKey
	next int
}

type previousKey struct {
	parties
	scenario string
}

// parties of a tenant, as a token.
type parties struct{ tenant, pair string }

const maxPrevious = 4096

// swap puts a call in the place of the one before it, which it returns.
func (p *previousCalls) swap(k previousKey, c *record.Call) (before *record.Call) {
	if p.last == nil {
		p.last, p.ring = make(map[previousKey]*record.Call), make([]previousKey, maxPrevious)
	}
	before, known := p.last[k]
	if !known {
		delete(p.last, p.ring[p.next])
		p.ring[p.next], p.next = k, (p.next+1)%maxPrevious
	}
	p.last[k] = c
	return before
}
