package proxy

import (
	"bytes"

	"github.com/hotcut/hotcut/media"
	"github.com/hotcut/hotcut/media/relay"
	"github.com/hotcut/hotcut/proxy/location"
	"github.com/hotcut/hotcut/proxy/wire"
)

// anchor decides whether a call is relayed, and describes the sender of a request to the other side. Where h goes is known.
func (s *shard) anchor(a *arrival, h *hop) rejection {
	if s.edge.media == nil || h.toPeer || h.ask != (location.ID{}) {
		h.leg = 0
		return rejection{}
	}
	m := a.m
	if !h.inDialog && a.mayAnchor(h) {
		h.leg = mediaLeg(a.key)
	}
	if h.leg == 0 || !describesSender(m) {
		return rejection{}
	}
	x := relay.Description{From: a.who.leg(), Stage: relay.Request, Signalling: a.from.Addr.Addr()}
	s.bodyOf(m, &x)
	if len(x.SDP) == 0 {
		return rejection{} // an offer is asked for, or nothing is said
	}
	x.Family = s.edge.media.family(x.From^1, h.peer.Addr.Addr())
	if m.Is("ACK") && s.edge.media.remote != nil { // of which a server knows copies by that
		x.Role = relay.AsAnswer
	}
	switch {
	case !h.inDialog:
		x.Stage = relay.Offer
	case !h.towardsB:
		x.Tag = string(m.From.Tag.Of(m.Raw))
	}
	rules := mediaRules(a.policy, h.decision.Tenant)
	if h.emergency {
		rules.Refused = "pass" // help first
	}
	body, v, question := s.describe(a.now, mediaKey(m.CallID.Of(m.Raw), h.leg), &x, rules)
	switch {
	case question != nil: // h goes on with the reply
		h.question = question
	case body != nil:
		h.body = body
	case v.Outcome == relay.Refused && !m.Is("ACK"): // which can not be answered
		if h.counted {
			s.edge.tenants.End(h.decision.Tenant)
		}
		return rejection{code: 488, cause: causeRefusedSDP, warning: v.Warning(a.lst.host)}
	case !h.inDialog && (v.Outcome != relay.Passed || v.Reason != ""):
		h.leg = 0 // as it began, so it goes on
	}
	return rejection{}
}

// holdMedia keeps what a request needs of the step: it may leave again, and its end may be the session's.
func (s *shard) holdMedia(a *arrival, r *request) {
	h := &r.hop
	h.body = bytes.Clone(h.body)
	if h.leg == 0 {
		return
	}
	r.media, r.described = mediaKey(a.m.CallID.Of(a.m.Raw), h.leg), h.body != nil || h.question != nil
	if a.m.Is("BYE") {
		tag := a.m.From.Tag
		if h.towardsB {
			tag = a.m.To.Tag
		}
		r.calledTag = string(tag.Of(a.m.Raw))
	}
}

// holdAnchor ties a new call's session to its record and its entry in the dialog index.
func (s *shard) holdAnchor(a *arrival, r *request) {
	if r.media == noMedia {
		return
	}
	at := s.anchorOf(r.media)
	at.record, at.seen = r.record, a.now
	if r.dialog != nil {
		r.dialog.leg, r.dialog.media = r.hop.leg, r.media
	}
}

// mayAnchor: a call from one side to the other, whose INVITE gets our pin, and that nobody wants untouched.
func (a *arrival) mayAnchor(h *hop) bool {
	to := media.Outside
	if h.to.kind == endTarget {
		to = media.Inside
	}
	return a.m.Is("INVITE") && h.seal && a.who.leg() != to && !h.untouched && !a.untouched() && !mediaRules(a.policy, h.decision.Tenant).Off()
}

// untouched: SDP of the trunk or carrier that a request came from passes as it is.
func (a *arrival) untouched() bool {
	switch a.who.kind {
	case partyCarrier:
		return a.topo.carriers[a.who.carrier].mediaOff
	case partyTrunk:
		return !a.who.trunk.Anchored()
	}
	return false
}

// leg is the side of the relay that a party is on.
func (p *party) leg() media.Leg {
	if p.kind == partyPlatform || p.kind == partyEdge {
		return media.Inside
	}
	return media.Outside
}

// describesSender: the requests that may carry the offers and answers of a dialog (RFC 3261 section 13, RFC 3262, RFC 3311).
func describesSender(m *wire.Message) bool {
	return m.Is("INVITE") || m.Is("ACK") || m.Is("PRACK") || m.Is("UPDATE")
}
