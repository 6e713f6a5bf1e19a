package proxy

import (
	"net/netip"

	"github.com/hotcut/hotcut/media/remote"
	"github.com/hotcut/hotcut/policy"
	"github.com/hotcut/hotcut/proxy/choice"
	"github.com/hotcut/hotcut/proxy/location"
	"github.com/hotcut/hotcut/proxy/transport"
	"github.com/hotcut/hotcut/proxy/wire"
)

// hop is where a request goes next, and why.
type hop struct {
	peer     transport.Peer
	target   int // index in the topology, or -1
	platform policy.Platform
	pool     []int // targets that may take it instead
	to       end   // B, for a new pin
	resort
	decision policy.Decision
	tenant   *policy.Record

	sealed    []byte      // in-dialog: the pin to copy; valid for the step
	seal      bool        // new dialog: seal a new pin
	retarget  string      // Request-URI to write: the phone's own, or the AoR of a call that was turned over
	route     string      // Service-Route of the platform, for the phone's requests
	clamp     bool        // NOTIFY in a subscription whose tenant moves: it may not last
	ask       location.ID // deliver once Redis was asked for it
	from      location.ID // the binding of the phone that sent it
	reg       *registration
	back      *hop // of a call that is turned over: to the phone, should the other platform not have it
	toPeer    bool // to the edge that owns the flow: the token stays on top
	dropNext  bool // a preloaded Route that names a platform is removed
	dialog    choice.Key
	inDialog  bool
	towardsB  bool
	counted   bool             // against the tenant's concurrent calls
	foreign   bool             // towards an outside that we do not trust
	untouched bool             // towards a trunk or carrier whose calls are not relayed
	leg       uint32           // of the session that relays its media; 0: none
	body      []byte           // in place of the one that came; nil: that one. Valid for the step
	question  *remote.Question // that a media server must answer before it leaves; nil: none
	trusts    bool             // the carrier that it came from is marked trusted
}

// route finds the next hop: by the token alone, by the dialog index, by a phone's flow, else by the policy.
func (s *shard) route(a *arrival, h *hop) rejection {
	h.target = -1
	h.trusts = a.who.kind == partyCarrier && a.topo.carriers[a.who.carrier].trusted
	switch {
	case a.state == goodToken && a.token.kind == tokenFlow:
		return s.deliver(a, a.token.a.id, &a.token, h)
	case a.state == goodToken:
		return s.routeDialog(a, &a.token, a.towardsB, h)
	case s.reachesByID(a):
		return s.deliver(a, a.reached, nil, h)
	case !a.m.To.Tag.Empty():
		d, towardsB := s.findDialog(a.m)
		if d == nil {
			return rejection{code: 481, cause: causeNoDialog}
		}
		p := pin{kind: tokenDialog, platform: d.platform, rev: d.rev, leg: d.leg, edge: a.topo.node, a: d.a, b: d.b, tenant: d.tenant}
		return s.routeDialog(a, &p, towardsB, h)
	case a.who.kind == partyPlatform:
		return s.routeFromPlatform(a, h)
	case a.who.kind == partyEdge:
		return rejection{code: 403, cause: causeWrongSide} // edges hand each other flows, and nothing else
	}
	return s.routeByPolicy(a, h)
}

// routeDialog follows the pin: no policy is read.
func (s *shard) routeDialog(a *arrival, p *pin, towardsB bool, h *hop) rejection {
	speaker, listener := &p.a, &p.b
	if !towardsB {
		speaker, listener = &p.b, &p.a
	}
	if !a.speaksFor(speaker, p.tenant) {
		return rejection{code: 403, cause: causeWrongSide}
	}
	if s.outlived(a, p) {
		return rejection{code: 481, cause: causeEvicted}
	}
	if a.m.Is("NOTIFY") && listener.kind == endFlow {
		if s.notifies(a) {
			return rejection{code: 481, cause: causeEvicted}
		}
		if p.kind == tokenSubscription && a.policy != nil {
			rec := a.policy.Tenant(p.tenant)
			h.clamp = rec != nil && rec.Clamped(a.now/1e9)
		}
	}
	h.inDialog, h.towardsB, h.sealed = true, towardsB, a.sealed
	h.dialog, h.leg = dialogKey(a.m, towardsB), p.leg
	h.decision = policy.Decision{Platform: p.platform, Reason: policy.ReasonDialogPin, Rev: p.rev}
	if d := s.dialogs[h.dialog]; d != nil {
		h.decision.Tenant = d.tenant
		d.seen = a.now
		s.edge.dialogFile.Touch(h.dialog, a.now)
	} else if a.policy != nil {
		if r := a.policy.Tenant(p.tenant); r != nil {
			h.decision.Tenant, h.tenant = r.Tenant.ID, r
		}
	}
	switch listener.kind {
	case endFlow:
		owner, e := s.newest(a, p.edge, *listener)
		return s.toFlow(a, owner, &e, h)
	case endTarget:
		h.platform = listener.platform
		if addr, proto, ok := a.nextAddress(); ok {
			if q, i := a.topo.platformOf(addr, proto, -1); q == listener.platform {
				return s.toAddress(a, addr, proto, i, h)
			}
		}
		i := a.topo.targetByHash(listener.platform, listener.name)
		if i < 0 {
			pool := a.topo.pools[poolKey{listener.platform, a.topo.first[listener.platform]}]
			if i, _ = a.topo.health.Pick(pool, stableHash(a.m.CallID.Of(a.m.Raw)), 0); len(pool) == 0 {
				return rejection{code: 480, cause: causeNoTarget}
			}
		}
		t := &a.topo.targets[i]
		h.target, h.peer = i, transport.Peer{Listener: t.listener, Proto: t.proto, Addr: t.addr}
		h.share(a.topo)
		h.leaveBy(a.topo, a.egress())
	case endCarrier:
		i := a.topo.carrierByHash(listener.name)
		if i < 0 {
			return rejection{code: 480, cause: causeNoTrunk}
		}
		h.toCarrier(a, i)
	case endTrunk:
		_, tr := a.trunkByHash(p.tenant, listener.name)
		if tr == nil || !h.toTrunk(a, tr) {
			return rejection{code: 480, cause: causeNoTrunk}
		}
	default:
		return rejection{code: 403, cause: causeBadToken}
	}
	return rejection{}
}

func (s *shard) toAddress(a *arrival, addr netip.AddrPort, proto transport.Proto, target int, h *hop) rejection {
	l := a.topo.listenerFor(inside, proto, addr.Addr(), int(a.from.Listener))
	if target >= 0 { // its address, with or without a transport, means the target as it is configured
		t := &a.topo.targets[target]
		l, proto = int(t.listener), t.proto
	}
	if l < 0 {
		return rejection{code: 480, cause: causeNoTarget}
	}
	h.target, h.peer = target, transport.Peer{Listener: uint16(l), Proto: proto, Addr: addr}
	h.share(a.topo)
	h.leaveBy(a.topo, a.egress())
	return rejection{}
}

// share lets an in-dialog request fail over where the pool says that its targets know each other's dialogs.
func (h *hop) share(t *topology) {
	if h.target >= 0 && t.targets[h.target].shared {
		x := &t.targets[h.target]
		h.pool = t.pools[poolKey{x.platform, x.pool}]
	}
}

// routeFromPlatform: a platform calls a tenant of the other platform, a carrier or a customer's PBX. Hotcut chooses
// no carriers: the platform names one by the Request-URI or the last Route.
func (s *shard) routeFromPlatform(a *arrival, h *hop) rejection {
	last, proto, named := a.lastAddress()
	if named {
		if i := a.topo.carrierAt(last); i >= 0 {
			h.decision = policy.Decision{Platform: a.who.platform, Reason: policy.ReasonDialogPin}
			h.toCarrier(a, i)
			h.seal = recordRouted(a.m)
			return rejection{}
		}
		if rec, tr := a.policy.ByTrunk(last, proto.String()); tr != nil && h.toTrunk(a, tr) {
			h.tenant, h.decision = rec, policy.Decision{Tenant: rec.Tenant.ID, Platform: a.who.platform, Reason: policy.ReasonDialogPin}
			h.seal = recordRouted(a.m)
			return rejection{}
		}
	}
	if a.m.Is("INVITE") {
		if c, ok := s.edge.ring.Get(a.key, a.now); ok && s.repeat(a, c, h) {
			return rejection{}
		}
	}
	d := s.decide(a)
	if carrier, is := a.emergencyLeg(); is {
		return a.toEmergencyTrunk(carrier, h)
	}
	if other := policy.Legacy + policy.Core - a.who.platform; a.named.both[other] && a.topo.first[other] != "" {
		a.decideAs(&d, other, policy.ReasonDialogPin)
	}
	if a.trace.Tenant == nil || d.Platform == a.who.platform || d.Platform == policy.NoPlatform {
		return rejection{code: 404, cause: causeNoTrunk}
	}
	return s.toPlatform(a, d, h)
}

// routeByPolicy: phones, carriers and PBX trunks.
func (s *shard) routeByPolicy(a *arrival, h *hop) rejection {
	if a.hasNext {
		addr, proto, ok := a.nextAddress()
		if p, _ := a.topo.platformOf(addr, proto, -1); !ok || p == policy.NoPlatform {
			return rejection{code: 403, cause: causeForeignRoute}
		}
		h.dropNext = true
	}
	if done, rej := s.toAoR(a, h); done {
		return rej
	}
	if a.m.Is("INVITE") {
		if c, ok := s.edge.ring.Get(a.key, a.now); ok {
			if s.repeat(a, c, h) {
				return rejection{}
			}
		}
	}
	d := s.decide(a)
	if d.Platform == policy.NoPlatform {
		return rejection{cause: causeNoTenant} // default: none: not even an answer
	}
	if p := s.party(a); p != policy.NoPlatform && p != d.Platform && a.topo.first[p] != "" {
		a.decideAs(&d, p, policy.ReasonDialogPin)
	}
	if p := s.answering(a, d.Platform); p != policy.NoPlatform && p != d.Platform && a.topo.first[p] != "" {
		a.decideAs(&d, p, policy.ReasonChallenge)
	}
	if a.m.Is("INVITE") && a.trace.Tenant != nil && !a.query.Emergency {
		if !s.edge.allowCall(a) {
			return rejection{code: 503, cause: causeTenantLimit, retryAfter: true}
		}
		h.counted = true
	}
	return s.toPlatform(a, d, h)
}

// toPlatform picks a target of the platform that was decided: rendezvous order over the configured pool, by Call-ID,
// so that every edge picks the same; health only moves down that list.
func (s *shard) toPlatform(a *arrival, d policy.Decision, h *hop) rejection {
	h.decision, h.tenant, h.platform = d, a.trace.Tenant, d.Platform
	name := d.Pool
	if name == "" {
		name = a.topo.first[d.Platform]
	}
	h.pool = a.topo.pools[poolKey{d.Platform, name}]
	i, ok := a.topo.health.Pick(h.pool, stableHash(a.m.CallID.Of(a.m.Raw)), 0)
	if !ok {
		if h.counted {
			s.edge.tenants.End(a.trace.Tenant.Tenant.ID)
		}
		return rejection{code: 480, cause: causeNoTarget}
	}
	h.aim(a.topo, i, a)
	h.seal = recordRouted(a.m)
	h.lastResort(a)
	return s.asPhone(a, h)
}

// asPhone completes what a phone sends to a platform: its registration, or the Service-Route that the platform gave it.
func (s *shard) asPhone(a *arrival, h *hop) (rej rejection) {
	switch {
	case a.who.kind != partyPhone:
	case a.m.Is("REGISTER"):
		if h.reg, rej = s.readRegistration(a, h); rej.cause != causeNone {
			return rej
		}
		return s.limitRegistrations(a, h.reg)
	default:
		if b := s.bound(a); b != nil {
			h.from = b.ID
			h.route = b.Of(location.Platform(h.platform)).Route
		}
	}
	return rejection{}
}

// poolFor are the targets of a platform that serve the tenant.
func (a *arrival) poolFor(p policy.Platform) []int {
	name := a.poolOf(p)
	if name == "" {
		name = a.topo.first[p]
	}
	return a.topo.pools[poolKey{p, name}]
}

// poolOf is the tenant's pool on a platform.
func (a *arrival) poolOf(p policy.Platform) string {
	if a.trace.Tenant == nil {
		return ""
	}
	return poolName(a.trace.Tenant, p)
}

// repeat sends a retransmission where the first went, without asking the policy again.
func (s *shard) repeat(a *arrival, c choice.Choice, h *hop) bool {
	for i := range a.topo.targets {
		t := &a.topo.targets[i]
		if uint64(t.hash) == c.Target && policy.Platform(c.Platform) == t.platform {
			d := s.decide(a) // for the tenant's name in records and pin; what it says of the platform is ignored
			d.Platform, d.Reason, d.Rev, d.Pool = t.platform, policy.ReasonDialogPin, c.Rev, t.pool
			h.decision, h.tenant, h.platform = d, a.trace.Tenant, t.platform
			h.pool = a.topo.pools[poolKey{t.platform, t.pool}]
			h.aim(a.topo, i, a)
			h.seal = recordRouted(a.m)
			h.lastResort(a)
			return true
		}
	}
	return false
}

func (a *arrival) trunkByHash(tenant string, name uint32) (*policy.Record, *policy.Trunk) {
	if a.policy == nil {
		return nil, nil
	}
	r := a.policy.Tenant(tenant)
	if r == nil {
		return nil, nil
	}
	for i := range r.Tenant.Trunks {
		if t := &r.Tenant.Trunks[i]; hash32(t.Name) == name {
			return r, t
		}
	}
	return nil, nil
}

// nextAddress is the numeric address of the first foreign Route, else of the Request-URI. Names are not resolved:
// an outsider may have chosen them.
func (a *arrival) nextAddress() (netip.AddrPort, transport.Proto, bool) {
	if a.hasNext {
		return uriAddress(a.next.URI.Of(a.m.Raw))
	}
	return uriAddress(a.m.RequestURI.Of(a.m.Raw))
}

// lastAddress is the numeric address of the last Route that is not ours, else of the Request-URI.
func (a *arrival) lastAddress() (addr netip.AddrPort, proto transport.Proto, ok bool) {
	if a.hasNext {
		n := 0
		for e := range a.m.Elems(wire.HRoute) {
			if n++; n > a.popped {
				addr, proto, ok = uriAddress(e.URI.Of(a.m.Raw))
			}
		}
		return addr, proto, ok
	}
	return uriAddress(a.m.RequestURI.Of(a.m.Raw))
}

func uriAddress(uri []byte) (netip.AddrPort, transport.Proto, bool) {
	u, ok := wire.ParseURI(uri)
	if !ok {
		return netip.AddrPort{}, 0, false
	}
	ip, ok := wire.ParseAddr(u.Host.Of(uri))
	if !ok {
		return netip.AddrPort{}, 0, false
	}
	proto := transport.UDP
	if v, found := wire.Param(u.Params.Of(uri), "transport"); found && wire.EqualFold(v, "tcp") {
		proto = transport.TCP
	}
	port := u.Port
	if port == 0 {
		port = 5060
	}
	return netip.AddrPortFrom(ip, port), proto, true
}

// recordRouted: the methods whose dialogs must come back through us.
func recordRouted(m *wire.Message) bool {
	return m.Is("INVITE") || m.Is("SUBSCRIBE") || m.Is("REFER") || m.Is("NOTIFY")
}

// stableHash is the same on every edge (FNV-1a), unlike the shard's seeded one.
func stableHash(b []byte) uint64 {
	h := uint64(14695981039346656037)
	for _, c := range b {
		h = (h ^ uint64(c)) * 1099511628211
	}
	return h
}
