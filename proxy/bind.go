package proxy

import (
	"strconv"

	"github.com/hotcut/hotcut/policy"
	"github.com/hotcut/hotcut/proxy/location"
	"github.com/hotcut/hotcut/proxy/wire"
)

// bind takes from a 2xx to REGISTER what it confirms: each Contact of this request, for as long as it says. The other
// contacts that it lists are put back into their phones' words and left alone; what it does not list is gone only where
// the registrar is known to list all. While the tenant is about to move, the phone is told a short time, so that it comes
// back soon; the platform holds it for as long as it granted.
func (s *shard) bind(now int64, sp *wire.Splice, m *wire.Message, b *branch) {
	r := b.req
	reg := r.reg
	said, hasExpires := int64(0), false
	if i := m.Find(wire.HExpires); i >= 0 {
		said, hasExpires = seconds(m.Value(i))
	}
	listed, any := [maxContacts]bool{}, false
	host := r.topo.listeners[b.peer.Listener].reachHost()
	shortest := int64(0)
	for e := range m.Elems(wire.HContact) {
		any = true
		n := reg.find(m.Raw, &e)
		if n < 0 {
			s.restoreOther(sp, m.Raw, &e)
			continue
		}
		c := &reg.contacts[n]
		if r.byContact() && !atHost(m.Raw, &e, host) && listsAt(m, reg, n, host) {
			sp.DeleteElem(e) // of the edge that it came by before: the phone is here now, and is not to see itself twice
			continue
		}
		granted := c.asked
		v, found := wire.Param(e.Params.Of(m.Raw), "expires")
		switch {
		case found:
			granted, _ = seconds(v)
		case hasExpires:
			granted = said
		case reg.raised && c.asked > 0:
			granted = armedExpires
		}
		told := reg.told(c, granted, now)
		if uri := e.URI.Of(m.Raw); string(uri) != c.uri && r.byContact() {
			sp.Replace(e.URI, bracketed(m.Raw, &e, []byte(c.uri)))
		}
		if at, ok := paramSpan(m.Raw, e.Params, "expires"); ok && told != granted {
			sp.Replace(at, strconv.AppendInt([]byte(";expires="), told, 10))
		} else if !ok && told != granted && !hasExpires {
			sp.Insert(e.Whole.End, strconv.AppendInt([]byte(";expires="), told, 10))
		}
		shortest = max(shortest, told)
		if !listed[n] {
			listed[n] = true
			s.bindOne(now, b, m, c, granted, told)
		}
	}
	if i := m.Find(wire.HExpires); i >= 0 && shortest > 0 && shortest < said {
		sp.Replace(m.Headers[i].Value, strconv.AppendInt(nil, shortest, 10))
	}
	for n := range reg.contacts {
		c := &reg.contacts[n]
		switch {
		case listed[n]:
		case c.asked == 0:
			s.bindOne(now, b, m, c, 0, 0)
		case !any && !r.topo.targets[max(b.target, 0)].listsAll: // it lists none at all, and has said yes
			granted := c.asked
			if hasExpires {
				granted = said
			}
			s.bindOne(now, b, m, c, granted, reg.told(c, granted, now))
		case b.target >= 0 && r.topo.targets[b.target].listsAll:
			s.unbind(now, s.edge.location.Get(c.id), r.hop.platform)
		}
	}
	if reg.star {
		for _, x := range s.edge.location.OfAoR(reg.tenant, reg.aor) {
			s.unbind(now, x, r.hop.platform)
		}
	}
	for i := range m.Headers { // ours to apply, with the binding
		if m.Headers[i].ID == wire.HServiceRoute {
			sp.DeleteHeader(i)
		}
	}
}

// find is the contact of the request that a 2xx lists: by our id where the target knows our Contact, else by its URI.
func (reg *registration) find(raw []byte, e *wire.Elem) int {
	uri := e.URI.Of(raw)
	if u, ok := wire.ParseURI(uri); ok {
		if id, ok := bindingOf(u.User.Of(uri)); ok {
			for i := range reg.contacts {
				if reg.contacts[i].id == id {
					return i
				}
			}
		}
	}
	for i := range reg.contacts {
		if string(uri) == reg.contacts[i].uri {
			return i
		}
	}
	for i := range reg.contacts {
		if sameURI(uri, []byte(reg.contacts[i].uri)) {
			return i
		}
	}
	return -1
}

// atHost tells whether a Contact of ours names the host that this edge writes.
func atHost(raw []byte, e *wire.Elem, host string) bool {
	uri := e.URI.Of(raw)
	u, ok := wire.ParseURI(uri)
	if !ok {
		return false
	}
	_, ours := bindingOf(u.User.Of(uri))
	return !ours || joinHost(string(u.Host.Of(uri)), max(u.Port, 1)) == host || u.Port == 0 && joinHost(string(u.Host.Of(uri)), 5060) == host
}

// listsAt: the 2xx also lists contact n as this edge wrote it.
func listsAt(m *wire.Message, reg *registration, n int, host string) bool {
	for e := range m.Elems(wire.HContact) {
		if reg.find(m.Raw, &e) == n && atHost(m.Raw, &e, host) {
			return true
		}
	}
	return false
}

// restoreOther puts another phone's contact, which the target knows as ours (an edge's: the id says which), back into its own
// words.
func (s *shard) restoreOther(sp *wire.Splice, raw []byte, e *wire.Elem) {
	uri := e.URI.Of(raw)
	u, ok := wire.ParseURI(uri)
	if !ok {
		return
	}
	id, ok := bindingOf(u.User.Of(uri))
	if !ok {
		return
	}
	if x := s.edge.location.Get(id); x != nil {
		sp.Replace(e.URI, bracketed(raw, e, []byte(x.URI)))
	}
}

// told is how long the phone is told that its binding lasts: never longer than it is, or than it asked.
func (reg *registration) told(c *contact, granted, now int64) int64 {
	if granted <= 0 {
		return granted
	}
	told := granted
	if reg.raised && c.asked > 0 {
		told = min(told, c.asked)
	}
	if reg.clamp && !c.push {
		told = min(told, clampSeconds(c.id[:], now))
	}
	return told
}

// clampSeconds spreads refreshes evenly over 90 to 150 seconds.
func clampSeconds(who []byte, now int64) int64 {
	return 90 + int64((stableHash(who)^uint64(now/1e9)*0x9e3779b97f4a7c15)>>32%61)
}

// bindOne enters one contact that the platform has confirmed; granted 0: that it has removed.
func (s *shard) bindOne(now int64, b *branch, m *wire.Message, c *contact, granted, told int64) {
	r := b.req
	reg := r.reg
	old := s.edge.location.Get(c.id)
	if old == nil && granted <= 0 {
		return
	}
	l := &r.topo.listeners[r.listener]
	x := &location.Binding{ID: c.id, Tenant: reg.tenant, AoR: reg.aor, Unit: reg.unit, To: reg.to, Contact: c.text, URI: c.uri,
		CallID: string(m.CallID.Of(m.Raw)), CSeq: m.CSeq, Instance: c.instance, RegID: c.regID, Agent: reg.agent, Asked: c.asked,
		Flow: location.Flow{Edge: s.edge.cfg.Node, Listener: l.name, Proto: l.proto.String(), Conn: r.reply.Conn, Addr: r.src},
		Rev:  r.hop.decision.Rev}
	stamp := now / 1e3
	if old != nil {
		x.Holds = old.Holds
		stamp = max(stamp, old.Stamp+1, old.Holds[0].Stamp+1, old.Holds[1].Stamp+1)
	}
	x.Stamp = stamp
	hold := x.Of(location.Platform(r.hop.platform))
	*hold = location.Hold{CSeq: hold.CSeq, Stamp: stamp}
	if granted > 0 {
		x.Told = now/1e9 + told
		hold.Until, hold.Lasts = now/1e9+granted, granted
		if b.target >= 0 {
			hold.Target = r.topo.targets[b.target].name
		}
		hold.Route = serviceRoute(m)
	}
	if _, ok := s.edge.location.Put(x); !ok {
		s.edge.drop(causeTableFull)
		return
	}
	s.edge.count.bindings.Add(bindIndex(old, granted), 1)
	if p := s.edge.snapshot(); granted > 0 && p != nil { // the table has told the keeper, which hands it over
		if d, _ := serves(p, x, now/1e9); d.Platform != r.hop.platform && d.Platform != policy.NoPlatform {
			s.edge.count.late.Add(0, 1)
		}
	}
}

// unbind: a platform has removed a binding, or never had it.
func (s *shard) unbind(now int64, x *location.Binding, p policy.Platform) {
	if x == nil {
		return
	}
	x = x.Clone()
	x.Told = 0
	x.Stamp = max(now/1e3, x.Stamp+1)
	*x.Of(location.Platform(p)) = location.Hold{CSeq: x.Of(location.Platform(p)).CSeq, Stamp: max(x.Stamp, x.Of(location.Platform(p)).Stamp+1)}
	s.edge.location.Put(x)
	s.edge.count.bindings.Add(bindRemoved, 1)
}

// What became of a binding, for the metric.
const (
	bindNew = iota
	bindRefreshed
	bindRemoved
)

var bindWords = []string{"new", "refreshed", "removed"}

func bindIndex(old *location.Binding, granted int64) int {
	switch {
	case granted <= 0:
		return bindRemoved
	case old == nil:
		return bindNew
	}
	return bindRefreshed
}

// serviceRoute is the value of Service-Route (RFC 3608): ours to apply to what the phone sends there.
func serviceRoute(m *wire.Message) string {
	var list []byte
	for e := range m.Elems(wire.HServiceRoute) {
		if len(list) > 0 {
			list = append(list, ", "...)
		}
		list = append(list, e.Whole.Of(m.Raw)...)
	}
	if len(list) > 1024 {
		return ""
	}
	return string(list)
}

func (r *request) byContact() bool {
	return r.hop.target >= 0 && r.topo.targets[r.hop.target].byContact
}
