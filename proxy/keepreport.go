package proxy

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/hotcut/hotcut/policy"
	"github.com/hotcut/hotcut/proxy/admin"
	"github.com/hotcut/hotcut/proxy/location"
	"github.com/hotcut/hotcut/proxy/metrics"
)

// registerKeeper makes the keeper's metrics.
func registerKeeper(s *metrics.Set, e *Edge) *metrics.Vec {
	var words []string
	for _, p := range []policy.Platform{policy.Legacy, policy.Core} {
		for _, w := range keepWords {
			words = append(words, p.String()+","+w)
		}
	}
	by := func(c sideClass) func() []metrics.Sample {
		return func() []metrics.Sample {
			n := e.keeper.count(c)
			return []metrics.Sample{{Labels: []string{"legacy"}, Value: float64(n[0])}, {Labels: []string{"core"}, Value: float64(n[1])}}
		}
	}
	s.Gauge("hotcut_keep_missing", "phones of this edge that a platform should know by now and does not", by(sideMissing), "platform")
	s.Gauge("hotcut_keep_none", "phones of this edge that a platform should know, of which no target takes REGISTERs of ours (keep: none)", by(sideNone), "platform")
	s.Gauge("hotcut_keep_pending", "REGISTERs of our own that wait for their turn", func() []metrics.Sample {
		n, _ := e.keeper.pending()
		return []metrics.Sample{{Value: float64(n)}}
	})
	s.Gauge("hotcut_own_requests", "requests of our own without an answer", func() []metrics.Sample {
		return []metrics.Sample{{Value: float64(e.own.size())}}
	})
	return s.Counter("hotcut_keep_registers_total", "REGISTERs of our own (keep and hand-over), by what became of them", "platform,result", words)
}

// count is how many sides are of a class, by platform.
func (k *keeper) count(c sideClass) [2]int {
	k.mu.Lock()
	defer k.mu.Unlock()
	return [2]int{k.tally[0][c], k.tally[1][c]}
}

// late is how many phones platform i misses for longer than keepAlarm, and why one of them does.
func (k *keeper) late(i int, now int64) (n int, fault string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.tally[i][sideMissing] == 0 {
		return 0, ""
	}
	for _, x := range k.kept {
		if s := &x.sides[i]; s.class() == sideMissing && now-s.missing > keepAlarm {
			n++
			fault = max(fault, s.fault) // any of them, but always the same
		}
	}
	return n, fault
}

// pending is how many bindings wait for their turn, and for how many seconds the last of them will.
func (k *keeper) pending() (n int, eta float64) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, l := range k.lanes {
		waiting := l.len() + l.flying
		n += waiting
		if l.rate > 0 {
			eta = max(eta, float64(waiting)/l.rate)
		}
	}
	return n + len(k.marked), eta
}

// warnings say at which platform phones are missing that should be there by now, or never will be by our doing.
func (k *keeper) warnings(now int64) (list []string) {
	none := k.count(sideNone)
	for i, p := range []policy.Platform{policy.Legacy, policy.Core} {
		if n, fault := k.late(i, now); n > 0 {
			why := ""
			if fault != "" {
				why = " (last answer: " + fault + ")"
			}
			list = append(list, fmt.Sprintf("keep: %s misses %d phones for more than a minute%s: see `hotcut registrations` and `hotcut doctor`", p, n, why))
		}
		if none[i] > 0 {
			list = append(list, fmt.Sprintf("keep: none on %s: %d phones can be called there only after they have registered anew", p, none[i]))
		}
	}
	return list
}

// registrations lists what this edge knows of phones, of one tenant or ("") of all.
func (e *Edge) registrations(tenant string, limit int) []admin.Registration {
	p, now := e.snapshot(), time.Now().Unix()
	list := []admin.Registration{}
	each := e.location.All()
	if tenant != "" {
		each = e.location.OfTenant(tenant)
	}
	for b := range each {
		if b.Until() <= now || limit > 0 && len(list) >= limit {
			continue
		}
		list = append(list, e.registration(p, b, now))
	}
	slices.SortFunc(list, func(a, b admin.Registration) int {
		return cmp.Or(cmp.Compare(a.Tenant, b.Tenant), cmp.Compare(a.AoR, b.AoR), cmp.Compare(a.ID, b.ID))
	})
	return list
}

func (e *Edge) registration(p *policy.Snapshot, b *location.Binding, now int64) admin.Registration {
	x := admin.Registration{ID: b.ID.String(), Tenant: b.Tenant, AoR: b.AoR, Contact: b.Contact, Agent: b.Agent, Edge: b.Flow.Edge,
		Flow: b.Flow.Proto + " " + b.Flow.Addr.String() + " by " + b.Flow.Listener, Reachable: e.reachable(b, now),
		Told: b.Told, Since: b.Stamp / 1e3, Missing: []string{}}
	faults := e.keeper.faults(b.ID)
	holds := []*admin.RegistrationHold{&x.Legacy, &x.Core}
	for i, h := range b.Holds {
		*holds[i] = admin.RegistrationHold{Own: h.Own, Target: h.Target, Error: faults[i]}
		if h.Until > now {
			holds[i].Until = h.Until
		}
	}
	if p == nil {
		return x
	}
	d, _ := serves(p, b, now)
	if d.Platform != policy.NoPlatform {
		x.Serves = d.Platform.String()
	}
	if d.Keep != policy.NoPlatform {
		x.Keep = d.Keep.String()
	}
	for _, q := range missing(b, d, now) {
		x.Missing = append(x.Missing, q.String())
	}
	return x
}

// missing are the platforms that should know a phone and do not.
func missing(b *location.Binding, d policy.Decision, now int64) (list []policy.Platform) {
	for _, p := range []policy.Platform{policy.Legacy, policy.Core} {
		if b.Told > now && (p == d.Platform || p == d.Keep) && b.Of(location.Platform(p)).Until <= now {
			list = append(list, p)
		}
	}
	return list
}

// faults are why our last REGISTERs of a binding failed, by platform.
func (k *keeper) faults(id location.ID) (f [2]string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if x := k.kept[id]; x != nil {
		f[0], f[1] = x.sides[0].fault, x.sides[1].fault
	}
	return f
}

// reachable: the phone believes that it is registered, and its flow is open here or its owner is on the roster.
func (e *Edge) reachable(b *location.Binding, now int64) bool {
	if b.Told <= now {
		return false
	}
	if b.Flow.Edge == e.cfg.Node {
		return e.alive(b, now*1e9)
	}
	_, ok := e.fleet.find(hash32(b.Flow.Edge))
	return ok
}

// registrationSummary counts registrations by tenant and owner of the flows, of one tenant or ("") of all.
func (e *Edge) registrationSummary(tenant string) admin.RegistrationSummaries {
	p, now := e.snapshot(), time.Now().Unix()
	type row struct{ tenant, edge string }
	rows := map[row]*admin.RegistrationSummary{}
	each := e.location.All()
	if tenant != "" {
		each = e.location.OfTenant(tenant)
	}
	for b := range each {
		if b.Told <= now {
			continue
		}
		k := row{b.Tenant, b.Flow.Edge}
		x := rows[k]
		if x == nil {
			x = &admin.RegistrationSummary{Tenant: b.Tenant, Edge: b.Flow.Edge}
			rows[k] = x
		}
		e.addTo(x, p, b, now)
	}
	s := admin.RegistrationSummaries{Edge: e.cfg.Node, Shared: e.canAsk(), Rows: []admin.RegistrationSummary{}, KeepModes: e.keepModes(), KeepRate: e.keepRates()}
	s.KeepPending, s.KeepETA = e.keeper.pending()
	for _, x := range rows {
		s.Rows = append(s.Rows, *x)
	}
	slices.SortFunc(s.Rows, func(a, b admin.RegistrationSummary) int {
		return cmp.Or(cmp.Compare(a.Tenant, b.Tenant), cmp.Compare(a.Edge, b.Edge))
	})
	return s
}

const clampedMean = 120 // seconds that clamped phones are told, on average

// addTo counts one binding. A phone is taken to refresh at half of what it was told: some wait longer, few come sooner.
func (e *Edge) addTo(x *admin.RegistrationSummary, p *policy.Snapshot, b *location.Binding, now int64) {
	x.Bindings++
	if e.reachable(b, now) {
		x.Reachable++
	}
	if b.Holds[0].Until > now {
		x.OnLegacy++
	}
	if b.Holds[1].Until > now {
		x.OnCore++
	}
	told := max(b.Told-b.Stamp/1e6, 1)
	x.PerSecond += 2 / float64(told)
	x.ClampedPerSecond += 2 / float64(min(told, clampedMean))
	x.NextRefresh = max(x.NextRefresh, b.Told)
	f := e.keeper.faults(b.ID)
	if f[0] != "" || f[1] != "" {
		x.Failed++
	}
	if p == nil {
		return
	}
	d, _ := serves(p, b, now)
	for _, q := range missing(b, d, now) {
		if q == policy.Legacy {
			x.MissingLegacy++
		} else {
			x.MissingCore++
		}
	}
	if until := b.Holds[0].Until; d.Keep == policy.Legacy && until > now && (x.InstantUntil == 0 || until < x.InstantUntil) {
		x.InstantUntil = until
	}
}

// keepRates are how many REGISTERs of ours a platform's targets take per second, together.
func (e *Edge) keepRates() map[string]int {
	topo, rates := e.topo.Load(), map[string]int{}
	for i := range topo.targets {
		if t := &topo.targets[i]; t.keep != keepNone {
			rates[t.platform.String()] += t.keepRate
		}
	}
	return rates
}

// keepModes are the ways in which a platform's targets take REGISTERs of ours.
func (e *Edge) keepModes() map[string][]string {
	topo, modes := e.topo.Load(), map[string][]string{}
	for i := range topo.targets {
		t := &topo.targets[i]
		if p, m := t.platform.String(), t.keep.String(); !slices.Contains(modes[p], m) {
			modes[p] = append(modes[p], m)
		}
	}
	return modes
}
