package policy

// Decide says who serves one request. It is total and pure, allocates nothing and reads no clock. q.Tenant comes from
// this snapshot. The first that applies wins, top to bottom:
//
//	node_override  this edge's own order
//	global_halt    all-legacy, for everything not done
//	emergency      who takes the tenant's emergency calls
//	rolled_back    everything to legacy, whatever stage, share, assigned and rules say
//	assigned       the user was put on a platform by name
//	rule           the first rule that matches
//	bucket, stage  the stage, and in canary the unit's bucket
//
// Of an unknown tenant globals.Default decides.
func (s *Snapshot) Decide(q Query) Decision {
	if q.Tenant == nil {
		return s.decideUnknown(&q)
	}
	t := q.Tenant.Tenant
	d := Decision{Tenant: t.ID, Rev: s.rev}
	switch {
	case s.overridden(t):
		d.Platform, d.Reason = Legacy, ReasonNodeOverride
	case s.globals.Halt == HaltAllLegacy && t.Stage != StageDone:
		d.Platform, d.Reason = Legacy, ReasonGlobalHalt
	case q.Emergency:
		d.Platform, d.Reason = q.Tenant.sos, ReasonEmergency
	case t.RolledBack:
		d.Platform, d.Reason = Legacy, ReasonRolledBack
	default:
		q.Tenant.decide(&q, &d)
	}
	d.Keep = keep(t, d)
	switch d.Platform {
	case Legacy:
		d.Pool = t.Pool.Legacy
		// A request from a platform is one half of an exchange whose other half was mirrored where it came in.
		d.Mirror = (t.Stage == StageShadow || t.Stage == StageCanary) && int(q.Mirror) < t.Mirror &&
			!q.Emergency && q.From == NoPlatform && (t.MirrorSubs || q.Method != "SUBSCRIBE")
	case Core:
		d.Pool = t.Pool.Core
	}
	return d
}

// decideUnknown: what is nobody's goes to the default platform; an emergency call is never dropped.
func (s *Snapshot) decideUnknown(q *Query) Decision {
	d := Decision{Platform: s.globals.platform(), Reason: ReasonDefault, Rev: s.rev}
	switch {
	case q.Emergency:
		d.Platform, d.Reason = Legacy, ReasonEmergency
	case d.Platform == NoPlatform:
		d.Reason = ReasonNoTenant
	case d.Platform == Core && s.overrides != nil && s.overrides.AllLegacy != nil:
		d.Platform, d.Reason = Legacy, ReasonNodeOverride
	case d.Platform == Core && s.globals.Halt == HaltAllLegacy:
		d.Platform, d.Reason = Legacy, ReasonGlobalHalt
	}
	return d
}

// overridden: an order for all leaves out what is done, as the global halt does; an order that names the tenant does not.
func (s *Snapshot) overridden(t *Tenant) bool {
	o := s.overrides
	if o == nil {
		return false
	}
	if o.AllLegacy != nil && t.Stage != StageDone {
		return true
	}
	_, ok := o.Tenants[t.ID]
	return ok
}

// decide is the part of the tenant's own wishes: assigned, rules, stage.
func (r *Record) decide(q *Query, d *Decision) {
	t := r.Tenant
	if q.Unit != "" {
		if p, ok := t.Assigned[q.Unit]; ok {
			d.Platform, d.Reason = p, ReasonAssigned
			return
		}
	}
	for i := range r.rules {
		if r.rules[i].matches(q, t) {
			d.Platform, d.Reason, d.Arg = r.rules[i].Platform, ReasonRule, int32(i)+1
			return
		}
	}
	d.Platform, d.Reason = Legacy, ReasonStage
	switch t.Stage {
	case StageCore, StageDone:
		d.Platform = Core
	case StageCanary:
		if q.Unit == "" || len(q.Unit) > maxUnit {
			d.Reason = ReasonBadUnit
			return
		}
		b := r.Bucket(q.Unit)
		d.Reason, d.Arg = ReasonBucket, int32(b)
		if b < t.Share {
			d.Platform = Core
		}
	}
}

// matches: every field that is set must match. A registration serves all of a user's calls, so REGISTER obeys only
// rules that name users or a group, and no direction.
func (r *compiledRule) matches(q *Query, t *Tenant) bool {
	if r.Expires != 0 && q.Now >= r.Expires {
		return false
	}
	if q.Method == "REGISTER" && r.users == nil && r.Group == "" {
		return false
	}
	if r.Direction != AnyDirection && r.Direction != q.Direction || r.Method != "" && r.Method != q.Method ||
		r.Trunk != "" && r.Trunk != q.Trunk {
		return false
	}
	if n := len(r.Called); n > 0 && (len(q.Number) < n || q.Number[:n] != r.Called) {
		return false
	}
	if r.users != nil {
		if _, ok := r.users[q.Unit]; !ok {
			return false
		}
	}
	return r.Group == "" || q.Unit != "" && t.Groups[q.Unit] == r.Group
}

// keep: whoever is served by core and is not done is kept on legacy, whatever put him there; in canary what legacy
// serves is kept on core too, so that a larger share finds its phones. Not while taken back: a phone that was brought
// home need not be announced to the platform that failed.
func keep(t *Tenant, d Decision) Platform {
	if t.Stage == StageDone {
		return NoPlatform
	}
	if d.Platform == Core {
		return Legacy
	}
	switch d.Reason {
	case ReasonNodeOverride, ReasonGlobalHalt, ReasonRolledBack, ReasonEmergency:
		return NoPlatform
	}
	if t.Stage == StageCanary {
		return Core
	}
	return NoPlatform
}
