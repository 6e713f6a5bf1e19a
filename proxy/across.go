package proxy

import (
	"github.com/hotcut/hotcut/policy"
	"github.com/hotcut/hotcut/proxy/callrecord"
	"github.com/hotcut/hotcut/proxy/location"
	"github.com/hotcut/hotcut/proxy/transaction"
	"github.com/hotcut/hotcut/proxy/wire"
)

// Fail-over to the other platform. It is for new calls from outside, once, when the targets of their own platform have had
// their turn:
//
//	tenant with crossFailover   an explicit refusal before ringing (503, 500); never silence, never a transport error: who is
//	                            slow or ill is no reason to serve a tenant from somewhere else. And only to the platform that
//	                            is kept ready for it: not before canary, not once done, not while an override, a halt or a
//	                            rollback says legacy
//	emergency call              whatever ends a try (see emergency.go)

// resort is what may become of a call that its platform can not serve.
type resort struct {
	across    policy.Platform // to which it may be taken; NoPlatform: to none
	emergency bool
}

// other is the platform that a call may be taken to when its own can not serve it; NoPlatform: none.
func (a *arrival) other(d *policy.Decision) policy.Platform {
	if !a.m.Is("INVITE") || !a.m.To.Tag.Empty() || a.who.kind == partyPlatform || a.who.kind == partyEdge {
		return policy.NoPlatform
	}
	other := policy.Legacy + policy.Core - d.Platform
	switch t := a.trace.Tenant; {
	case a.topo.first[other] == "":
	case a.query.Emergency, t != nil && t.Tenant.CrossFailover && d.Keep == other:
		return other
	}
	return policy.NoPlatform
}

// lastResort notes what may become of a call that its platform can not serve.
func (h *hop) lastResort(a *arrival) {
	h.across = a.other(&h.decision)
	h.emergency = a.m.Is("INVITE") && a.query.Emergency
}

// cross points r at the other platform. Its targets have their turns as if it came in now.
func (s *shard) cross(r *request, m *wire.Message, why cause) (target int, ok bool) {
	h, topo := &r.hop, r.topo
	p := h.across
	if p == policy.NoPlatform || !r.mayCross(why) {
		return 0, false
	}
	name := topo.first[p]
	if h.tenant != nil {
		if own := poolName(h.tenant, p); own != "" {
			name = own
		}
	}
	pool := topo.pools[poolKey{p, name}]
	i, ok := topo.health.Pick(pool, stableHash(m.CallID.Of(m.Raw)), 0)
	if !ok {
		return 0, false
	}
	h.across, h.pool, r.tried = policy.NoPlatform, pool, 0
	h.platform, h.decision.Platform, h.decision.Pool = p, p, name
	h.decision.Reason, h.decision.Arg, h.decision.Keep = policy.ReasonFallback, 0, policy.NoPlatform
	h.route = ""
	if b := s.edge.location.Get(h.from); b != nil { // the platform's own path for what its phones send
		h.route = b.Of(location.Platform(p)).Route
	}
	reason := crossedRefusal
	if h.emergency {
		reason = crossedEmergency
	}
	s.edge.count.crossed.Add(reason, 1)
	return i, true
}

// Why a call went to the other platform, for the metric.
const (
	crossedRefusal = iota // its tenant opted in, and it was refused
	crossedEmergency
)

var crossedWords = []string{"refusal", "emergency"}

// poolName is the tenant's pool on a platform; empty: the platform's first.
func poolName(t *policy.Record, p policy.Platform) string {
	if p == policy.Core {
		return t.Tenant.Pool.Core
	}
	return t.Tenant.Pool.Legacy
}

// mayCross: see the table above.
func (r *request) mayCross(why cause) bool {
	return r.hop.across != policy.NoPlatform && (r.hop.emergency || why == causeNone)
}

// tries notes in the call record that a target was given up.
func (r *request) tries(b *branch, code int, why cause) {
	if r.record == nil || b.target < 0 {
		return
	}
	t := &r.topo.targets[b.target]
	x := callrecord.Attempt{Platform: t.platform.String(), Target: t.name, Code: code}
	if why != causeNone {
		x.Cause = why.String()
	}
	r.record.Tried = append(r.record.Tried, x)
}

// servedBy: the target that answers may be one that was given up before, also on the other platform.
func (s *shard) servedBy(r *request, b *branch) {
	if b.target < 0 {
		return
	}
	t := &r.topo.targets[b.target]
	if r.record != nil && r.record.Answer == 0 {
		r.record.Platform, r.record.Target = t.platform.String(), t.name
	}
	if d := r.dialog; d != nil && d.state != dialogTalking && d.platform != t.platform && s.dialogs[d.key] == d {
		s.leads(d, d.b, t.platform)
	}
}

// failoverTimers are those of a try that may be followed by another.
func (s *shard) failoverTimers(r *request, m *wire.Message) *transaction.Timers {
	if r.hop.target < 0 || !r.maySwitch(causeTimeout, m.Method.Of(m.Raw)) {
		return &s.edge.timers // the last one may take its time
	}
	t := &r.topo.targets[r.hop.target].timers
	if r.hop.emergency && t.B > s.edge.sosTimers.B {
		return &s.edge.sosTimers
	}
	return t
}
