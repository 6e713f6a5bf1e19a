package proxy

import (
	"net/netip"

	"github.com/hotcut/hotcut/media"
	"github.com/hotcut/hotcut/media/relay"
	"github.com/hotcut/hotcut/proxy/choice"
	"github.com/hotcut/hotcut/proxy/transport"
	"github.com/hotcut/hotcut/proxy/wire"
)

// answerer is who says what a response says, and in which session. Its zero value is in none.
type answerer struct {
	key    relay.Key
	leg    media.Leg  // the side that it is on
	called bool       // the other party began the dialog
	addr   netip.Addr // where it is
	asker  netip.Addr // where the other party is
	tenant string
	role   relay.Role
	known  bool // its session is there, or the call is over: a response opens one only where its request had no description
}

func (b *branch) answerer() answerer {
	r := b.req
	h := &r.hop
	if h.leg == 0 {
		return answerer{}
	}
	return answerer{key: r.media, leg: r.who.leg() ^ 1, called: !h.inDialog || h.towardsB, addr: b.peer.Addr.Addr(), asker: r.src.Addr(),
		tenant: h.decision.Tenant, known: r.described || r.final}
}

// describesAnswerer fills in what a response says of its sender; false: it describes nobody, or nobody whom we relay.
func (s *shard) describesAnswerer(m *wire.Message, w *answerer, x *relay.Description) bool {
	if w.key == noMedia || m.Status <= 100 || m.Status > 299 {
		return false
	}
	*x = relay.Description{From: w.leg, Signalling: w.addr, Stage: relay.Early, Role: w.role, Family: s.edge.media.family(w.leg^1, w.asker)}
	final := m.Status >= 200
	switch {
	case m.CSeqIs("INVITE"):
		if final {
			x.Stage = relay.Final
		}
	case final && (m.CSeqIs("UPDATE") || m.CSeqIs("PRACK")):
		x.Stage = relay.Reply
	default:
		return false
	}
	at := s.anchors[w.key]
	if w.known && (at == nil || !at.open) {
		return false
	}
	if w.called {
		x.Tag = string(m.To.Tag.Of(m.Raw))
		if at != nil && at.winner == "" && x.Stage == relay.Final {
			at.winner = x.Tag
		}
	}
	s.bodyOf(m, x)
	return true
}

// anchorResponse describes the answering side to the one that asked. It says whether it put another body in.
func (s *shard) anchorResponse(sp *wire.Splice, m *wire.Message, p *passage) bool {
	w := &p.answerer
	var x relay.Description
	if !s.describesAnswerer(m, w, &x) {
		return false
	}
	body, _, _ := s.describe(s.in.now, w.key, &x, mediaRules(s.edge.snapshot(), w.tenant))
	if body == nil {
		return false // also of a description that is refused: a response can not be
	}
	s.spliceBody(sp, m, body, p.stream)
	return true
}

// lateAnswerer finds the session of a response whose transaction a restart has lost. The key of the request names it if
// that was the call's first; else it stands in the token that the answering side has copied.
func (s *shard) lateAnswerer(m *wire.Message, upstream choice.Key, from transport.Peer, asker netip.Addr, topo *topology) answerer {
	if s.edge.media == nil {
		return answerer{}
	}
	raw := m.Raw
	callID := m.CallID.Of(raw)
	w := answerer{key: mediaKey(callID, mediaLeg(upstream)), called: true, addr: from.Addr.Addr(), asker: asker, known: true}
	if topo.listeners[from.Listener].side != outside {
		w.leg = media.Inside
	}
	if s.anchors[w.key] != nil {
		return w
	}
	for e := range m.Elems(wire.HRecordRoute) {
		uri := e.URI.Of(raw)
		u, ok := wire.ParseURI(uri)
		if !ok || u.User.Empty() || !topo.us(u.Host.Of(uri), u.Port) {
			continue
		}
		var p pin
		towardsB, ok := s.seal.open(&p, u.User.Of(uri), callID, m.From.Tag.Of(raw), m.To.Tag.Of(raw))
		if !ok || p.leg == 0 {
			continue
		}
		w.key, w.called, w.tenant = mediaKey(callID, p.leg), towardsB, string(append([]byte(nil), p.tenant...))
		if s.edge.media.remote != nil { // they know whether they have it
			w.known, w.role = false, relay.AsAnswer
			return w
		}
		if s.anchors[w.key] != nil {
			return w
		}
	}
	if !m.Body.Empty() && m.Status < 300 {
		s.edge.count.mediaLate.Inc(0)
	}
	return answerer{}
}
