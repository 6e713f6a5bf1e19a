package proxy

import (
	"time"

	"github.com/hotcut/hotcut/policy"
	"github.com/hotcut/hotcut/proxy/limit"
)

// Emergency calls: INVITEs from outside whose Request-URI is an emergency number or URN of the tenant (policy decides which,
// and who takes them; node_override and global_halt rank before, as policy.md has it).
//
//	no 1xx in 3 s, a transport error,
//	any final but 401 407 486 487 600 603    the next target, then the other platform, ringing or not
//	401 407                                  up to the phone: it knows the answer
//	486 487 600 603                          the emergency services have spoken
//	an exhausted budget, a drain, a full     it passes: within a budget of its own, and the last third of the table
//	table, the tenant's limits
//
// A platform's own emergency leg goes out by its trunk, never to the other platform.

// emergencyWait is how long a target may say nothing, not even 100.
const emergencyWait = 3 * time.Second

// emergency is the peek of the overload rules: it asks the policy, and is for requests that would be refused otherwise.
func (s *shard) emergency(a *arrival) bool {
	if !a.m.Is("INVITE") || a.who.kind != partyPhone && a.who.kind != partyTrunk || a.policy == nil {
		return false
	}
	s.decide(a)
	return a.query.Emergency
}

// allowEmergency charges the budget of what belongs to living calls.
func (e *Edge) allowEmergency(a *arrival) bool {
	if a.who.configured() {
		return e.known.Allow(a.from.Addr.Addr(), a.now, limit.Exempt, 1)
	}
	return e.sources.Allow(a.from.Addr.Addr(), a.now, limit.Exempt, e.phonesBehind(a.from.Addr.Addr()))
}

// passesOn: a final response after which the next target is asked.
func (r *request) passesOn(status int) bool {
	if !r.hop.emergency {
		return retryable(status)
	}
	switch status {
	case 401, 407, 486, 487, 600, 603:
		return false
	}
	return true
}

// emergencyLeg is how a platform's emergency call leaves when neither its Request-URI nor a Route names the carrier: by the
// one whose inside listener it came to. -1: there is none.
func (a *arrival) emergencyLeg() (carrier int, is bool) {
	if !a.m.Is("INVITE") || !a.trace.Tenant.IsEmergency(a.question.ToUser) {
		return -1, false
	}
	for i := range a.topo.carriers {
		if a.topo.carriers[i].egress == int(a.from.Listener) {
			return i, true
		}
	}
	return -1, true
}

// toEmergencyTrunk sends a platform's emergency leg out.
func (a *arrival) toEmergencyTrunk(i int, h *hop) rejection {
	if i < 0 {
		return rejection{code: 404, cause: causeNoTrunk}
	}
	h.decision = policy.Decision{Platform: a.who.platform, Reason: policy.ReasonDialogPin}
	h.toCarrier(a, i)
	h.seal = recordRouted(a.m)
	return rejection{}
}
