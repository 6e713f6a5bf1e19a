package proxy

import (
	"encoding/binary"
	"net/netip"

	"github.com/hotcut/hotcut/policy"
	"github.com/hotcut/hotcut/proxy/choice"
	"github.com/hotcut/hotcut/proxy/location"
	"github.com/hotcut/hotcut/proxy/transport"
	"github.com/hotcut/hotcut/proxy/wire"
)

// arrival is one request on its way through the edge: what serve.go learns of it, step by step. It lives in its
// shard's scratch; everything in it is valid for one step only.
type arrival struct {
	now      int64
	from     transport.Peer
	m        *wire.Message
	callHash uint32
	topo     *topology
	policy   *policy.Snapshot // nil: none yet
	lst      *listener
	who      party
	reply    transport.Peer // where answers go (RFC 3261 section 18.2.2, RFC 3581)
	replyKey [18]byte
	key      choice.Key
	signer   uint16 // tag of the key that named it

	// Routes: our own are popped; what then stands first is next.
	popped   int
	next     wire.Elem
	hasNext  bool
	token    pin
	towardsB bool
	sealed   []byte // the token as it came
	state    tokenState

	question policy.Question
	trace    policy.Trace
	query    policy.Query
	asked    bool        // the policy was
	located  bool        // Redis was asked for the phone
	bound    location.ID // of the phone that sent it; zero: unknown
	reached  location.ID
	aor      string    // the URI that stands for the Request-URI, which was our Contact or Path; "": none
	named    parties   // of the dialog that it names
	fold     [256]byte // lower-cased host
	user     [256]byte // percent-decoded user
}

type tokenState uint8

const (
	noToken tokenState = iota
	badToken
	goodToken
)

// party is who sent a request.
type party struct {
	kind     partyKind
	platform policy.Platform
	target   int // its index, or -1 when only its network is known
	carrier  int
	tenant   *policy.Record // of a PBX trunk
	trunk    *policy.Trunk
}

type partyKind uint8

const (
	partyPhone    partyKind = iota // a phone or anybody: nothing that it says of itself is believed
	partyPlatform                  // a target or source network of a platform
	partyCarrier                   // by configuration
	partyTrunk                     // a tenant's PBX, by policy
	partyEdge                      // another edge of the fleet
	partyStranger                  // unknown, on an inside listener
	partyDark                      // a dark core: nothing that it says is heard here
)

func (k partyKind) String() string {
	return [...]string{"phone", "platform", "carrier", "trunk", "edge", "stranger", "dark"}[k]
}

// configured tells whether the party's address is known to us beforehand.
func (p *party) configured() bool {
	return p.kind != partyPhone && p.kind != partyStranger && p.kind != partyDark
}

func (a *arrival) identify(e *Edge) {
	a.who = party{target: -1, carrier: -1}
	if len(a.topo.dark) > 0 && a.topo.darkAt(a.from.Addr, a.from.Proto) {
		a.who.kind = partyDark
		return
	}
	if a.lst.side != outside {
		a.who.kind = partyStranger
		if p, i := a.topo.platformOf(a.from.Addr, a.from.Proto, int(a.from.Listener)); p != policy.NoPlatform {
			a.who.kind, a.who.platform, a.who.target = partyPlatform, p, i
		} else if e.fleet.knows(a.from.Addr.Addr()) {
			a.who.kind = partyEdge
			a.who.platform, a.who.target = a.handedOnBy()
		}
		return
	}
	if i := a.topo.carrierOf(a.from.Addr, a.from.Proto); i >= 0 {
		a.who.kind, a.who.carrier = partyCarrier, i
		return
	}
	if a.policy != nil {
		if rec, trunk := a.policy.ByTrunk(a.from.Addr, a.from.Proto.String()); trunk != nil {
			a.who.kind, a.who.tenant, a.who.trunk = partyTrunk, rec, trunk
		}
	}
}

// handedOnBy is the platform that another edge hands a request on for: it stands in the Via below, as that edge saw it.
func (a *arrival) handedOnBy() (policy.Platform, int) {
	v, ok := nextVia(a.m)
	if !ok {
		return policy.NoPlatform, -1
	}
	addr, ok := viaSource(&v, a.m.Raw)
	if !ok {
		return policy.NoPlatform, -1
	}
	proto := transport.UDP
	if wire.EqualFold(v.Transport.Of(a.m.Raw), "TCP") {
		proto = transport.TCP
	}
	return a.topo.platformOf(addr, proto, -1)
}

// end seals the party into a pin.
func (a *arrival) end() end {
	switch a.who.kind {
	case partyPlatform, partyEdge:
		e := end{kind: endTarget, platform: a.who.platform}
		if a.who.target >= 0 {
			e.name = a.topo.targets[a.who.target].hash
		}
		return e
	case partyCarrier:
		return end{kind: endCarrier, name: a.topo.carriers[a.who.carrier].hash}
	case partyTrunk:
		return end{kind: endTrunk, name: hash32(a.who.trunk.Name)}
	}
	return end{kind: endFlow, proto: a.from.Proto, listener: a.lst.hash, conn: a.from.Conn, addr: a.from.Addr, id: a.bound}
}

// speaksFor tells whether the party may use a token of that end. A phone is nobody until its tag and token are right;
// its address may have moved behind a NAT, or become a trunk's since. A carrier or trunk that the configuration or the
// policy knows no longer speaks for itself as if it were a phone: its calls live on.
func (a *arrival) speaksFor(e *end, tenant string) bool {
	switch a.who.kind {
	case partyEdge:
		return true
	case partyPlatform:
		return e.kind == endTarget && e.platform == a.who.platform
	case partyStranger:
		return false
	}
	switch e.kind {
	case endFlow:
		return true
	case endCarrier:
		if a.who.kind == partyCarrier && e.name == a.topo.carriers[a.who.carrier].hash {
			return true
		}
		return a.topo.carrierByHash(e.name) < 0
	case endTrunk:
		if a.who.kind == partyTrunk && e.name == hash32(a.who.trunk.Name) {
			return true
		}
		_, known := a.trunkByHash(tenant, e.name)
		return known == nil
	}
	return false
}

// trusted tells whether what the party says of identities is believed.
func (p *party) trusted(h *hop) bool {
	switch p.kind {
	case partyPlatform, partyEdge:
		return true
	case partyTrunk:
		return p.trunk.TrustIdentity
	case partyCarrier:
		return h.trusts
	}
	return false
}

// forceRport: phones sit behind NATs whether they ask for rport or not (RFC 3581); trunks and platforms follow
// RFC 3261 section 18.2.2.
func (p *party) forceRport() bool { return p.kind == partyPhone }

// answersTo works out where responses to m go, and the same as bytes for the upstream key. It can be recomputed from
// the stamped Via alone, which is how a response without a transaction finds its way after a restart.
func (a *arrival) answersTo() {
	v := &a.m.TopVia
	a.reply = a.from
	port := a.from.Addr.Port()
	if !v.RPort && !a.who.forceRport() {
		port = v.Port
		if port == 0 {
			port = 5060
		}
		if a.from.Proto == transport.UDP {
			a.reply.Addr = netip.AddrPortFrom(a.from.Addr.Addr(), port)
		}
	}
	a.replyKey = addressKey(a.from.Addr.Addr(), port)
}

// name gives the request the key of its transaction. Rotation of the token keys renames what comes after it; what is
// under way, here or in the ring, keeps the name that it got.
func (a *arrival) name(s *shard) {
	for i := range s.seal.keys {
		k := &s.seal.keys[i]
		key := s.seal.upstreamKey(k.mac, a.m, &a.m.TopVia, class(a.m), a.replyKey[:], a.lst.hash)
		known := len(s.seal.keys) == 1 || s.requests[key] != nil
		if !known {
			_, known = s.edge.ring.Get(key, a.now)
		}
		if i == 0 || known {
			a.key, a.signer = key, k.tag
		}
		if known {
			return
		}
	}
}

func addressKey(ip netip.Addr, port uint16) (k [18]byte) {
	b := ip.As16()
	copy(k[:], b[:])
	binary.BigEndian.PutUint16(k[16:], port)
	return k
}

// readRoutes pops our own Routes, opens the token that the first of them carries, and finds what stands next.
func (a *arrival) readRoutes(s *shard) {
	a.popped, a.hasNext, a.state, a.sealed = 0, false, noToken, nil
	raw := a.m.Raw
	for e := range a.m.Elems(wire.HRoute) {
		uri := e.URI.Of(raw)
		u, ok := wire.ParseURI(uri)
		if !ok || !a.topo.us(u.Host.Of(uri), u.Port) {
			a.next, a.hasNext = e, true
			break
		}
		a.popped++
		if user := u.User.Of(uri); len(user) > 0 && a.sealed == nil {
			a.sealed = user
			a.openToken(s)
		}
	}
}

func (a *arrival) openToken(s *shard) {
	raw := a.m.Raw
	if isFlow(a.sealed) {
		a.state = badToken
		if s.seal.openFlow(&a.token, a.sealed) {
			a.state = goodToken
		}
		return
	}
	towardsB, ok := s.seal.open(&a.token, a.sealed, a.m.CallID.Of(raw), a.m.From.Tag.Of(raw), a.m.To.Tag.Of(raw))
	a.towardsB = towardsB
	a.state = badToken
	if ok {
		a.state = goodToken
	}
}
