package proxy

import (
	"encoding/binary"
	"strconv"

	"github.com/hotcut/hotcut/media/relay"
	"github.com/hotcut/hotcut/policy"
	"github.com/hotcut/hotcut/proxy/callrecord"
	"github.com/hotcut/hotcut/proxy/choice"
	"github.com/hotcut/hotcut/proxy/location"
	"github.com/hotcut/hotcut/proxy/transaction"
	"github.com/hotcut/hotcut/proxy/transport"
	"github.com/hotcut/hotcut/proxy/wire"
)

type timers = transaction.Timers

// request is one server transaction and its response context (RFC 3261 section 16.7).
type request struct {
	key      choice.Key
	signer   uint16 // tag of the token key that named it
	callHash uint32
	invite   bool
	server   transaction.Machine
	timer    transaction.Timer
	trying   transaction.Timer // of our 100
	wait     transaction.Timer // while it is parked
	listener uint16            // that it came by
	who      party
	reply    transport.Peer // where its answers go
	src      netipAddrPort  // where it came from, for the stamp on its Via
	raw      []byte         // as it came: for another target and for answers of our own; nil once final
	last     []byte         // last response sent upstream

	topo    *topology // that hop's indexes are of
	hop     hop
	tried   uint64 // targets of hop.pool already used, a bit each
	current *branch
	open    int          // branches without a final response
	kept    *keptAnswers // refusals of the targets that were given up; nil: none

	began     int64  // unix ns
	rang      bool   // a 18x went upstream
	own       bool   // the last response is ours
	credit    int    // bytes that an unverified source may still get of our own: see credit.go
	repeats   uint8  // of the response to an unverified source
	final     bool   // a final response went upstream
	cancelled bool   // by its sender
	reasons   []byte // Reason header lines of the CANCEL
	dialog    *dialog
	record    *callrecord.Record
	reg       *registration // of a phone's REGISTER
	nonce     [2][]byte     // of credentials that a challenge must call stale: a registrar's, a proxy's
	awaits    []location.ID // phones whose hand-over it waits for
	fragment  bool          // it is large, and goes by UDP all the same
	asking    bool          // parked until Redis says where the phone is
	inquiring bool          // parked until a media server has spoken
	named     parties       // of the dialog that it names
	clamp     bool          // of SUBSCRIBE: its tenant moves, and it may not last
	register  bool
	endDialog bool // BYE: its final response ends hop.dialog

	tap       tapping   // what copies of it are marked with; zero: there are none
	tapUp     bool      // it came from the called side
	media     relay.Key // of the session that relays its dialog's media; zero: none
	described bool      // it has told the relay of its sender
	calledTag string    // of a BYE: tag of who was called
	warning   string    // value of the Warning header of its refusal
}

// branch is one client transaction: where a request went.
type branch struct {
	id        branchID
	callHash  uint32
	req       *request
	client    transaction.Machine
	timer     transaction.Timer
	peer      transport.Peer
	target    int    // -1: not a configured target
	sent      []byte // the request as it left; nil once a 2xx has passed
	canceller *cancelling
	ringing   bool   // a 1xx came, 100 included: CANCEL may follow
	rang      bool   // a 1xx above 100 came: it is no longer for another target
	want      bool   // CANCEL is to be sent with the first 1xx
	given     bool   // abandoned for another target: CANCEL on its first 1xx, its 2xx still goes up
	said      bool   // its refusal is among those kept
	large     bool   // it went by the stream that its target has for large requests
	over      bool   // its machine has ended; kept for what may still come
	tapped    uint32 // echo of the last response that was copied
}

// tag names the branch to the transport: Call-ID hash and part of the branch.
func (b *branch) tag() uint64 {
	return uint64(b.callHash) | uint64(binary.BigEndian.Uint32(b.id[:4]))<<32
}

func (s *shard) newRequest(a *arrival, h *hop) *request {
	r := &request{
		key: a.key, signer: a.signer, callHash: a.callHash, invite: a.m.Is("INVITE"), listener: a.from.Listener, who: a.who,
		reply: a.reply, src: a.from.Addr, topo: a.topo, hop: *h, began: a.now, credit: len(a.m.Raw),
	}
	r.raw = s.spare.copy(a.m.Raw)
	r.hop.sealed = append([]byte(nil), h.sealed...) // the arrival's bytes end with the step
	r.timer.Owner, r.trying.Owner, r.wait.Owner = r, (*trying)(r), (*parked)(r)
	r.reg, r.asking, r.named = h.reg, h.ask != (location.ID{}), a.named
	kind := transaction.Server
	if r.invite {
		kind = transaction.InviteServer
	}
	r.server.Init(kind, a.from.Proto != transport.UDP, &s.edge.timers, transaction.Time(a.now))
	s.wheel.Set(&r.timer, r.server.Next())
	s.requests[r.key] = r
	r.register = a.m.Is("REGISTER")
	if !r.asking {
		s.placed(a, r)
	}
	return r
}

// placed: it is known where r goes.
func (s *shard) placed(a *arrival, r *request) {
	h := &r.hop
	s.holdMedia(a, r)
	r.endDialog = h.inDialog && a.m.Is("BYE")
	if r.invite && !h.inDialog && !h.toPeer {
		s.openDialog(a, r)
		r.record = s.newRecord(a, r)
		s.holdAnchor(a, r)
	}
	if r.clamp = h.tenant != nil && a.m.Is("SUBSCRIBE") && h.tenant.Clamped(a.now/1e9); !r.invite {
		s.subscribes(a, r)
	}
	s.edge.count.decisions.Add(decisionIndex(h.decision), 1)
	if s.edge.tap != nil {
		s.tapPlaced(a, r)
	}
}

// launch sends r to r.hop as a new branch. m is the request as it came, just scanned or scanned again.
func (s *shard) launch(now int64, r *request, m *wire.Message, out *transport.Out) {
	h := &r.hop
	topo := r.topo
	b := &branch{req: r, callHash: r.callHash, peer: h.peer, target: h.target}
	b.timer.Owner = b
	buf := s.fit(b, m, out)
	b.sent = s.spare.copy(buf)
	r.markTried(h.target)
	t := s.failoverTimers(r, m)
	kind := transaction.Client
	if r.invite {
		kind = transaction.InviteClient
	}
	b.client.Init(kind, b.peer.Proto != transport.UDP, t, transaction.Time(now))
	s.wheel.Set(&b.timer, b.client.Next())
	if old := s.branches[b.id]; old != nil { // the same request was here, and its server side has forgotten it
		s.dropBranch(old)
	}
	s.branches[b.id] = b
	if b.peer.Proto != transport.UDP {
		s.streams[b.tag()] = b
	}
	r.current = b
	r.open++
	if h.target >= 0 {
		if r.invite && !h.inDialog {
			x := &topo.targets[h.target]
			s.edge.ring.Put(choice.Choice{Key: r.key, Platform: uint8(x.platform), Target: uint64(x.hash), Rev: h.decision.Rev,
				Listener: r.listener, At: now})
		}
		if r.record != nil {
			r.record.Platform, r.record.Target = topo.targets[h.target].platform.String(), topo.targets[h.target].name
		}
	}
	out.End(b.peer, buf, b.tag())
	if r.invite && r.last == nil && !r.trying.Armed() { // it was parked: no 100 before the target has the INVITE
		s.wheel.Set(&r.trying, transaction.Time(now).Add(tryingAfter))
	}
}

func (s *shard) branchOf(r *request, m *wire.Message) branchID {
	var next [19]byte
	to := r.hop.peer
	k := addressKey(to.Addr.Addr(), to.Addr.Port())
	copy(next[:], k[:])
	next[18] = byte(to.Proto)
	return s.seal.branch(s.seal.signer(r.signer).mac, r.key, m.TopVia.Host.Of(m.Raw), next[:])
}

// rewrite splices what we own into the request: Via, Record-Route or Path, Max-Forwards, the Routes we pop, and the
// strip list. All other bytes go out as they came in.
func (s *shard) rewrite(dst []byte, m *wire.Message, r *request, topo *topology, id branchID) []byte {
	h := &r.hop
	in, outL := &topo.listeners[r.listener], &topo.listeners[h.peer.Listener]
	sp := &s.splice
	sp.Reset(m)

	m.AppendReceived(sp, r.src, r.who.forceRport())
	branch := appendBranch(s.scratch[0][:0], s.seal.signer(r.signer).tag, id)
	head := wire.AppendVia(s.scratch[1][:0], outL.proto.Token(), outL.sentBy, branch, loopParam(s.scratch[2][:0], m, r.listener))
	head = s.appendRoutes(head, m, r, topo, in, outL)
	// Above every header, not just above the Vias: a peer may write its Record-Route or Path before its Via, and ours goes
	// before those that are there (RFC 3261 section 16.6 item 4).
	sp.Insert(m.Headers[0].Line.Start, head)
	s.scratch[0], s.scratch[1] = branch, head

	hops := 70
	if i := m.Find(wire.HMaxForwards); i >= 0 {
		hops = min(m.MaxForwards-1, 70)
		sp.Replace(m.Headers[i].Value, strconv.AppendInt(s.scratch[2][32:32], int64(hops), 10))
	} else {
		sp.Insert(m.Headers[m.Find(wire.HVia)].Line.Start, []byte("Max-Forwards: 70\r\n"))
	}
	switch {
	case h.body != nil:
		s.spliceBody(sp, m, h.body, outL.proto != transport.UDP)
	case outL.proto != transport.UDP && m.ContentLength < 0:
		sp.AddContentLength() // a datagram may do without, a stream may not
	}
	switch next, ok := s.popRoutes(sp, m, h, topo); {
	case ok && h.strictNext(sp, m, &next):
	case h.retarget != "":
		sp.Replace(m.RequestURI, []byte(h.retarget))
	}
	if r.reg != nil {
		s.spliceRegister(sp, m, r, outL)
	}
	if r.register && h.to.kind == endCarrier {
		spliceTrunkRegister(sp, m, outL)
	}
	if h.clamp {
		s.spliceState(sp, m, r.began)
	}
	if h.platform != policy.NoPlatform && (r.who.kind == partyPhone || r.who.kind == partyTrunk) {
		s.spliceCredentials(sp, m, r)
	}
	inside := r.who.kind == partyPlatform || r.who.kind == partyEdge
	strip(sp, m, voice{trusted: r.who.trusted(h), inside: inside, toForeign: h.foreign})
	return sp.AppendTo(dst)
}

// appendRoutes writes our Record-Route (doubled when the request changes sides, RFC 5658) or Path.
func (s *shard) appendRoutes(dst []byte, m *wire.Message, r *request, topo *topology, in, outL *listener) []byte {
	h := &r.hop
	var token []byte
	switch {
	case h.toPeer: // no second pin: the edge that owns the flow reads this one
		dst = append(dst, "Route: <sip:"...)
		if len(h.sealed) > 0 { // a flow that is known by its Contact stands in the Request-URI
			dst = append(append(dst, h.sealed...), '@')
		}
		return append(h.peer.Addr.AppendTo(dst), ";lr>\r\n"...)
	case r.who.kind == partyEdge && !h.seal || m.Is("ACK") || m.Is("CANCEL"):
		return dst
	case h.inDialog && len(h.sealed) > 0:
		token = h.sealed
	case h.seal:
		p := pin{kind: tokenDialog, platform: h.decision.Platform, rev: h.decision.Rev, leg: h.leg, edge: topo.node, listener: in.hash,
			a: r.dialogEnd(topo, in), b: h.to, tenant: h.decision.Tenant}
		if m.Is("SUBSCRIBE") {
			p.kind = tokenSubscription
		}
		token = s.seal.appendToken(s.scratch[3][:0], &p, m.CallID.Of(m.Raw), m.From.Tag.Of(m.Raw))
		s.scratch[3] = token
	case r.reg != nil:
		if len(r.reg.contacts) == 0 || topo.targets[h.target].byContact {
			return dst
		}
		e := r.dialogEnd(topo, in)
		return s.seal.appendPath(dst, r.reg.contacts[0].id, topo.node, &e, r.reg.tenant, outL)
	default:
		return dst
	}
	if h.route != "" && !h.inDialog { // RFC 3608: the platform's own path for what its phones send
		dst = append(append(append(dst, "Route: "...), h.route...), "\r\n"...)
	}
	dst = appendRoute(append(dst, "Record-Route: "...), token, outL)
	if in != outL {
		dst = appendRoute(append(dst, "Record-Route: "...), token, in)
	}
	return dst
}

func appendRoute(dst, token []byte, l *listener) []byte {
	dst = append(append(dst, "<sip:"...), token...)
	dst = append(append(dst, '@'), l.host...)
	return append(appendTransport(dst, l), ";lr>\r\n"...)
}

func appendTransport(dst []byte, l *listener) []byte {
	if l.proto == transport.TCP {
		return append(dst, ";transport=tcp"...)
	}
	return dst
}

// dialogEnd is the party that sent r, as a pin names it.
func (r *request) dialogEnd(topo *topology, in *listener) end {
	a := arrival{who: r.who, from: transport.Peer{Listener: r.listener, Proto: in.proto, Conn: r.reply.Conn, Addr: r.src}, topo: topo, lst: in,
		bound: r.hop.from}
	return a.end()
}

// popRoutes removes the Routes that are ours, and the preloaded one that named a platform. What it returns is where the
// request goes next.
func (s *shard) popRoutes(sp *wire.Splice, m *wire.Message, h *hop, topo *topology) (next wire.Elem, ok bool) {
	for e := range m.Elems(wire.HRoute) {
		uri := e.URI.Of(m.Raw)
		u, ok := wire.ParseURI(uri)
		switch {
		case ok && topo.us(u.Host.Of(uri), u.Port):
			sp.DeleteElem(e)
			continue
		case h.dropNext:
			sp.DeleteElem(e)
			return next, false
		}
		return e, !h.toPeer
	}
	return next, false
}

func decisionIndex(d policy.Decision) int { return int(d.Reason)*3 + int(d.Platform) }
