package proxy

import (
	"hash/maphash"
	"sync"
	"time"

	"github.com/hotcut/hotcut/policy"
	"github.com/hotcut/hotcut/proxy/location"
	"github.com/hotcut/hotcut/proxy/transport"
	"github.com/hotcut/hotcut/proxy/wire"
)

// What a platform asks of a phone that the other platform serves. A call goes to that other platform first: it knows the
// hunt group, the forwarding, the voicemail. The rest is answered here, for the phone's sake.
//
//	INVITE                   to the serving platform, Request-URI = the AoR
//	OPTIONS                  answered here, from any platform: 200 while the flow lives, else 480
//	NOTIFY without dialog    200 and dropped: what the old platform says of voicemail and settings no longer holds
//	MESSAGE                  delivered
//	any other                480

// screen answers or redirects what must not simply be delivered. done: h or the rejection say how.
func (s *shard) screen(a *arrival, b *location.Binding, tenant string, h *hop) (done bool, rej rejection) {
	m := a.m
	if m.Is("OPTIONS") {
		if b != nil && b.Flow.Edge != s.edge.cfg.Node { // its owner knows
			return false, rejection{}
		}
		if b != nil && s.edge.alive(b, a.now) {
			return true, rejection{code: 200, cause: causeAnsweredPing}
		}
		return true, rejection{code: 480, cause: causeAnsweredPing}
	}
	if b == nil {
		return false, rejection{}
	}
	d, _ := serves(a.policy, b, a.now/1e9)
	if d.Platform == a.who.platform || d.Platform == policy.NoPlatform {
		return false, rejection{}
	}
	switch {
	case m.Is("INVITE") && a.named.both[a.who.platform]:
		return false, rejection{} // it replaces, or joins, a call that this platform has with the phone
	case m.Is("INVITE"):
		return s.intercept(a, b, d, h)
	case m.Is("NOTIFY"):
		if i := m.Find(wire.HEvent); i >= 0 && wire.EqualFold(firstToken(m.Value(i)), "check-sync") {
			return true, rejection{code: 200, cause: causeForeignCheckSync}
		}
		return true, rejection{code: 200, cause: causeForeignNotify}
	case m.Is("MESSAGE"):
		return false, rejection{}
	}
	return true, rejection{code: 480, cause: causeNotServing}
}

func firstToken(b []byte) []byte {
	for i, c := range b {
		if c == ';' || c == ' ' {
			return b[:i]
		}
	}
	return b
}

// intercept turns a call to the platform that serves the phone. The calling platform may fork to every device of the
// AoR: one branch goes over, the others are refused for two seconds, and the other platform forks. A call that comes back
// within five seconds is delivered: somebody sends in circles. So is one while this edge may be wrong about who serves, or
// the other platform does not know the phone yet; and one that it would not have.
func (s *shard) intercept(a *arrival, b *location.Binding, d policy.Decision, h *hop) (bool, rejection) {
	if c, ok := s.edge.ring.Get(a.key, a.now); ok && s.repeat(a, c, h) {
		h.retarget = aorURI(b.AoR)
		return true, rejection{}
	}
	if !s.edge.sure(a.policy, a.now) || !s.held(b, d.Platform, a.now/1e9) {
		return false, rejection{}
	}
	switch s.edge.intercepts.claim(a.m.From.URI.Of(a.m.Raw), b.AoR, a.now) {
	case interceptSibling:
		return true, rejection{code: 480, cause: causeIntercepted}
	case interceptAgain:
		return false, rejection{}
	}
	name := d.Pool
	if name == "" {
		name = a.topo.first[d.Platform]
	}
	asked := h.decision
	h.decision, h.platform = d, d.Platform
	h.pool = a.topo.pools[poolKey{d.Platform, name}]
	i, ok := a.topo.health.Pick(h.pool, stableHash(a.m.CallID.Of(a.m.Raw)), 0)
	if !ok {
		return false, rejection{}
	}
	h.aim(a.topo, i, nil)
	h.seal, h.retarget = true, aorURI(b.AoR)
	back := hop{target: -1, trusts: h.trusts, decision: asked, tenant: h.tenant, seal: true} // by then it is the asking platform's call
	if e, ok := s.flowOf(a, b); ok && b.Flow.Edge == s.edge.cfg.Node && s.toFlow(a, a.topo.node, &e, &back).cause == causeNone {
		if a.state != goodToken {
			back.retarget = b.URI
		}
		h.back = &back
	}
	s.edge.count.intercepted.Add(int(d.Platform)-1, 1)
	return true, rejection{}
}

// held: the platform holds some phone of the AoR.
func (s *shard) held(b *location.Binding, p policy.Platform, sec int64) bool {
	for _, x := range s.edge.location.OfAoR(b.Tenant, b.AoR) {
		if x.Of(location.Platform(p)).Until > sec {
			return true
		}
	}
	return false
}

// back takes a call that was turned over to the phone after all: the platform that serves would not have it.
func (s *shard) back(now int64, r *request, b *branch, status int, out *transport.Out) bool {
	if r.hop.back == nil || r.raw == nil || r.final || r.cancelled || b.rang {
		return false
	}
	switch {
	case status == 401, status == 403, status == 404, status == 407, status >= 500 && status < 600:
	default:
		return false
	}
	m := &s.again
	if m.Scan(r.raw, &s.edge.limits) != wire.FaultNone {
		return false
	}
	a := s.arrivalOf(now, r, m)
	h := *r.hop.back
	if rej := s.anchor(a, &h); rej.cause != causeNone {
		return false
	}
	b.given = true
	r.tries(b, status, causeNone)
	r.hop = h
	if r.record != nil {
		r.record.Platform, r.record.Target = h.decision.Platform.String(), ""
	}
	s.holdMedia(a, r)
	if d := r.dialog; d != nil {
		s.leads(d, h.to, h.decision.Platform)
		d.target = ""
		s.holdAnchor(a, r)
	}
	s.edge.drop(causeInterceptFailed)
	s.proceed(now, r, m, out)
	return true
}

// sure: the policy is fresh, and not so young that another edge may still run the one before.
func (e *Edge) sure(p *policy.Snapshot, now int64) bool {
	return e.fresh() && now-e.revSince.Load() >= int64(2*time.Second)
}

const (
	interceptOnce    = 5 * time.Second
	interceptForks   = 2 * time.Second
	interceptEntries = 1 << 14
)

type interceptVerdict uint8

const (
	interceptFirst interceptVerdict = iota
	interceptSibling
	interceptAgain
)

// intercepts remembers which (caller, AoR) was turned over when: a fixed table, striped; what is overwritten early costs
// one more turn, never a loop, since Max-Forwards and the loop hash end those.
type intercepts struct {
	seed  maphash.Seed
	parts [16]struct {
		mu    sync.Mutex
		cells [interceptEntries / 16]struct{ key, at uint64 }
	}
}

func (x *intercepts) claim(caller []byte, aor string, now int64) interceptVerdict {
	var h maphash.Hash
	h.SetSeed(x.seed)
	h.Write(caller)
	h.WriteByte(0)
	h.WriteString(aor)
	key := h.Sum64() | 1
	p := &x.parts[key>>60]
	p.mu.Lock()
	defer p.mu.Unlock()
	c := &p.cells[key>>8%uint64(len(p.cells))]
	if c.key == key {
		switch age := now - int64(c.at); {
		case age < 0:
		case age < int64(interceptForks):
			return interceptSibling
		case age < int64(interceptOnce):
			return interceptAgain
		}
	}
	c.key, c.at = key, uint64(now)
	return interceptFirst
}
