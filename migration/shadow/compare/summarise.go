package compare

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// Summarise is what a report prints of a tenant: pure, and the same for the same counts. provisioned are the features
// that the tenant has, none: nobody says (see Coverage).
func Summarise(t *Tally, triage map[ClusterID]Triage, tenant string, now time.Time, provisioned ...string) Summary {
	c := t.Tenants[tenant]
	if c == nil {
		c = new(Tenant)
	}
	s := Summary{Tenant: tenant, Profile: c.Profile, From: timeOf(c.First), To: timeOf(c.Last), Now: now.UTC()}
	current := c.current()
	if current != nil {
		s.Build, s.Basis, s.Exempt = current.Build, current.Basis, current.Exempt
		s.Severities = severityRates(current.Worst, current.N)
		s.Outcomes = cells(current.Outcomes)
	} else {
		s.Severities, s.Outcomes = severityRates(nil, 0), []Cell{}
	}
	var compared uint64
	for _, m := range c.Methods {
		s.Sampled += m.Sampled
		compared += m.Compared
	}
	s.Compared = NewRate(compared, s.Sampled)
	s.Missing, s.Dropped, s.Overflow = tableOf(c.Missing, s.Sampled), tableOf(c.Dropped, s.Sampled+total(c.Dropped)), tableOf(c.Overflow, s.Sampled)
	s.Clusters = c.views(t, triage, s.Build, now)
	s.Times = []TimeView{}
	for _, p := range c.Times {
		if p.Build == s.Build {
			s.Times = append(s.Times, p.View())
		}
	}
	slices.SortFunc(s.Times, compareTimes)
	s.Coverage = c.coverage(current, provisioned)
	s.Builds = c.trend()
	s.Waivers = c.waivers(triage, now)
	s.Variation = c.variation()
	s.say()
	return s
}

// current is the count of the newest build, with the basis that was counted last.
func (c *Tenant) current() *Count {
	newer := func(a, b *Count) int {
		var fa, fb int64
		if x := c.Builds[a.Build]; x != nil {
			fa = x.First
		}
		if x := c.Builds[b.Build]; x != nil {
			fb = x.First
		}
		return cmp.Or(cmp.Compare(fa, fb), strings.Compare(a.Build, b.Build), cmp.Compare(a.Last, b.Last), strings.Compare(a.Basis, b.Basis))
	}
	if len(c.Counts) == 0 {
		return nil
	}
	return slices.MaxFunc(slices.Collect(maps.Values(c.Counts)), newer)
}

func (c *Tenant) views(t *Tally, triage map[ClusterID]Triage, build string, now time.Time) []ClusterView {
	views := []ClusterView{}
	for id, cl := range c.Clusters {
		l := c.lifeOf(id, triage[id], now)
		v := ClusterView{ID: id, Cluster: cl, State: l.state, Triage: triage[id], Why: l.why, Open: l.open, Expired: l.expired, Noise: Undecided}
		method := invite
		if s := c.Scenarios[cl.Scenario]; s != nil {
			method = s.Method
		}
		var compared uint64
		if m := c.Methods[method]; m != nil {
			compared = m.Compared
		}
		v.Share = NewRate(cl.Count, compared)
		for _, other := range t.Tenants {
			if other.Clusters[id] != nil {
				v.Tenants++
			}
		}
		if b := cl.Builds[build]; b != nil {
			v.Current = b.Count
		}
		if tr := c.Variation[VariationKey(cl.Scenario, cl.Field)]; tr != nil {
			v.Noise = tr.Judge()
		}
		views = append(views, v)
	}
	slices.SortFunc(views, func(a, b ClusterView) int {
		weight := func(v ClusterView) float64 { return v.Share.Share * float64(v.Tenants) }
		return cmp.Or(-compareBool(a.Open, b.Open), cmp.Compare(b.Severity, a.Severity), cmp.Compare(weight(b), weight(a)), cmp.Compare(a.ID, b.ID))
	})
	return views
}

func compareBool(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return 1
	}
	return -1
}

func (c *Tenant) trend() []BuildView {
	views := []BuildView{}
	for build, b := range c.Builds {
		v := BuildView{Build: build, First: timeOf(b.First), Last: timeOf(b.Last)}
		worst, n := make(map[Severity]uint64), uint64(0)
		for _, count := range c.Counts {
			if count.Build == build {
				n += count.N
				sum(&worst, count.Worst)
			}
		}
		v.Severities = severityRates(worst, n)
		views = append(views, v)
	}
	slices.SortFunc(views, func(a, b BuildView) int { return cmp.Or(a.First.Compare(b.First), strings.Compare(a.Build, b.Build)) })
	return views
}

func (c *Tenant) waivers(triage map[ClusterID]Triage, now time.Time) []Waiver {
	list := []Waiver{}
	for id, t := range triage {
		if t.State != StateIntended {
			continue
		}
		w := Waiver{ID: id, By: t.By, Reason: t.Reason, Until: timeOf(t.Until), Expired: !t.exempts(now)}
		if cl := c.Clusters[id]; cl != nil {
			w.Words = cl.Words
		}
		list = append(list, w)
	}
	slices.SortFunc(list, func(a, b Waiver) int { return cmp.Or(a.Until.Compare(b.Until), cmp.Compare(a.ID, b.ID)) })
	return list
}

func (c *Tenant) variation() []VariationView {
	list := []VariationView{}
	for _, tr := range c.Variation {
		list = append(list, VariationView{Triples: *tr, Noise: tr.Judge()})
	}
	slices.SortFunc(list, func(a, b VariationView) int {
		return cmp.Or(strings.Compare(a.Scenario, b.Scenario), strings.Compare(a.Field, b.Field))
	})
	return list
}

func severityRates(worst map[Severity]uint64, n uint64) []SeverityRate {
	rates := make([]SeverityRate, 0, len(Severities))
	for _, s := range Severities {
		rates = append(rates, SeverityRate{s, NewRate(worst[s], n)})
	}
	return rates
}

func cells(outcomes map[string]uint64) []Cell {
	of := make(map[string]uint64)
	for key, n := range outcomes {
		live, _, _ := strings.Cut(key, ">")
		of[live] += n
	}
	list := []Cell{}
	for key, n := range outcomes {
		live, shadow, _ := strings.Cut(key, ">")
		list = append(list, Cell{Live: live, Shadow: shadow, N: n, Rate: NewRate(n, of[live])})
	}
	slices.SortFunc(list, func(a, b Cell) int {
		return cmp.Or(cmp.Compare(of[b.Live], of[a.Live]), strings.Compare(a.Live, b.Live), cmp.Compare(b.N, a.N), strings.Compare(a.Shadow, b.Shadow))
	})
	return list
}

func tableOf(table map[string]uint64, of uint64) []Counted {
	list := []Counted{}
	for name, n := range table {
		list = append(list, Counted{name, n, NewRate(n, of)})
	}
	slices.SortFunc(list, func(a, b Counted) int { return cmp.Or(cmp.Compare(b.N, a.N), strings.Compare(a.Name, b.Name)) })
	return list
}

func total(table map[string]uint64) uint64 {
	var n uint64
	for _, c := range table {
		n += c
	}
	return n
}

func timeOf(at int64) time.Time {
	if at == 0 {
		return time.Time{}
	}
	return time.Unix(0, at).UTC()
}

// Limits of what the readiness gates will ask for.
const (
	maxMissingShare = 0.05
	maxUnseen       = 0.02
)

// say puts into sentences what the numbers mean, worst first.
func (s *Summary) say() {
	open := make(map[Severity][]ClusterView)
	for _, v := range s.Clusters {
		if v.Open {
			open[v.Severity] = append(open[v.Severity], v)
		}
	}
	critical, n := s.Severities[0].Rate, s.Severities[0].Rate.Of
	switch {
	case s.Sampled == 0:
		s.Headline = "nothing was mirrored yet"
	case s.Compared.Count == 0:
		s.Headline = "nothing could be compared yet"
	case len(open[Critical]) > 0:
		s.Headline = plural(len(open[Critical]), "critical difference is open", "critical differences are open") + ": " + open[Critical][0].Words
	case len(open[Major]) > 0:
		s.Headline = plural(len(open[Major]), "major difference is open", "major differences are open") + ": " + open[Major][0].Words
	case slices.ContainsFunc(s.Times, func(v TimeView) bool { return v.Severity == Major }):
		s.Headline = "no critical or major difference is open, but calls come later"
	default:
		s.Headline = fmt.Sprintf("no critical or major difference in %d compared calls", s.Compared.Count)
	}
	if n == 0 {
		s.Sure = "no call of the current build and rules was counted: nothing can be said"
	} else {
		s.Sure = fmt.Sprintf("%d of %d calls had a critical difference: %.1f %%, 95 %% interval %.1f to %.1f %%", critical.Count, n, 100*critical.Share, 100*critical.Low, 100*critical.High)
	}
	s.Next = s.next(open)
}

func plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

func (s *Summary) next(open map[Severity][]ClusterView) []string {
	const most = 3 // clusters that are named
	next := []string{}
	add := func(format string, args ...any) { next = append(next, fmt.Sprintf(format, args...)) }
	if s.Sampled == 0 {
		add("mirror calls: hotcut shadow start %s", s.Tenant)
		return next
	}
	for _, w := range s.Waivers {
		if w.Expired {
			add("the waiver of %s for %s has ended: waive it again or have it fixed", w.By, w.ID)
		}
	}
	for _, severity := range []Severity{Critical, Major} {
		for _, v := range open[severity][:min(len(open[severity]), most)] {
			switch v.State {
			case StateNew, StateReopened:
				add("look at %s (%s, %s) and triage it: %s", v.ID, severity, plural(int(v.Count), "call", "calls"), v.Words)
			case StateBug:
				add("have %s fixed (%s, %s): %s", v.ID, severity, plural(int(v.Count), "call", "calls"), v.Words)
			case StateFixed:
				add("wait for evidence that %s is gone: %s", v.ID, v.Why)
			}
		}
	}
	for _, v := range s.Times {
		if v.Severity == Major {
			add("%s, %s calls: %s (median %s later)", v.Name, v.Class, v.Words, v.Shift.Round(10*time.Millisecond))
		}
	}
	if missing := total(asTable(s.Missing)); s.Sampled > 0 && NewRate(missing, s.Sampled).Share > maxMissingShare {
		add("%d of %d calls could not be compared, most for: %s", missing, s.Sampled, s.Missing[0].Name)
	}
	if i := slices.IndexFunc(s.Missing, func(m Counted) bool { return m.Name == MissingChallenged }); i >= 0 {
		add("%s got no further than core's question for a password that the edge does not know: let core trust the edge's shadow listener, or name a file of HA1s of core's realm (secrets)",
			plural(int(s.Missing[i].N), "copy", "copies"))
	}
	for _, f := range s.Coverage.NeverSeen {
		add("make test calls with %s: it is provisioned and was compared fewer than %d times", f, provisionedEnough)
	}
	if s.Coverage.Unseen > maxUnseen {
		add("go on mirroring: %.1f %% of the calls to come are of a kind that was never seen", 100*s.Coverage.Unseen)
	}
	return next
}

func asTable(list []Counted) map[string]uint64 {
	table := make(map[string]uint64, len(list))
	for _, c := range list {
		table[c.Name] = c.N
	}
	return table
}
