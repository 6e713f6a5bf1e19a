package proxy

import (
	"hash/maphash"

	"github.com/hotcut/hotcut/policy"
	"github.com/hotcut/hotcut/proxy/tap"
	"github.com/hotcut/hotcut/proxy/wire"
)

// A Tap gets a copy of what a mirrored call says, as the edge received it. Put is called in the middle of a call, under a shard's lock:
// it must not wait, and must keep neither ev nor raw. What it returns, where that is not nil, is told Done before the lock is given back;
// else it changes nothing.
//
//	near    from outside to legacy: INVITE, SUBSCRIBE, OPTIONS and REGISTER whose decision says mirror
//	far     from legacy to anywhere: INVITE for, or on behalf of, a tenant that is mirrored at all; its Call-ID may be another
//
// With each of them go its CANCEL, the responses to it, the ACK of a 2xx, and what its dialog says both ways, with its responses, as
// long as this edge has the dialog in its index. Repetitions are left out. Whether a message is tapped was said by the request that began
// the dialog, or its transaction: a flag, not a look at the policy.
type Tap interface {
	Put(ev *tap.Event, raw []byte) *tap.Cell
}

// tapping is what a request, a dialog's leg or a subscription that is tapped carries. The zero value: it is not.
type tapping struct {
	leg       tap.Leg
	emergency bool
	platform  tap.Platform // these two are the request's: its parties are not looked at again for each response
	party     tap.Party
	acked     uint32 // echo of the last ACK
	rev       uint64 // of the policy that decided
	tenant    string
}

// tapPlaced begins, or goes on with, the tapping of a request of which it is known where it goes.
func (s *shard) tapPlaced(a *arrival, r *request) {
	h := &r.hop
	switch {
	case h.inDialog:
		if t := s.tapOf(a, h); t != nil {
			r.tap, r.tapUp = *t, !h.towardsB
		}
	case h.toPeer: // the edge that owns the flow has the dialog
	case r.who.outside():
		r.tap = a.nearTap(h)
	case a.m.Is("INVITE") && r.who.platform == policy.Legacy:
		r.tap = s.farTap(a, r)
	}
	if r.tap.leg == 0 {
		return
	}
	if !h.inDialog && !s.copies(a) {
		r.tap = tapping{}
		return
	}
	if !h.inDialog {
		s.tapDialog(a, r)
	}
	r.tap.platform, r.tap.party = tapPlatform(&r.who, h), tapParty(&r.who, h)
	s.tapRequest(r.began, r, a.m) // it may have waited since
}

// nearTap: the decision says mirror, and still names the platform of which copies are made.
func (a *arrival) nearTap(h *hop) (t tapping) {
	if d := &h.decision; d.Mirror && d.Platform == policy.Legacy && !h.emergency {
		switch string(a.m.Method.Of(a.m.Raw)) {
		case "INVITE", "SUBSCRIBE", "OPTIONS", "REGISTER":
			t = tapping{leg: tap.Near, rev: d.Rev, tenant: d.Tenant}
		}
	}
	return t
}

// tapDialog hands the flag to the dialog that r begins.
func (s *shard) tapDialog(a *arrival, r *request) {
	switch {
	case r.dialog != nil:
		r.dialog.taps[r.tap.leg-1] = r.tap
	case r.invite: // the same call once more, on its way through a proxying platform
		if d := s.dialogs[dialogKey(a.m, true)]; d != nil && !d.restored {
			d.taps[r.tap.leg-1] = r.tap
		}
	case a.m.Is("SUBSCRIBE"):
		if x := s.subs[dialogKey(a.m, true)]; x != nil {
			x.tap = r.tap
		}
	}
}

// tapOf is the tapping of the dialog that a request belongs to; nil: there is none.
func (s *shard) tapOf(a *arrival, h *hop) *tapping {
	leg := tap.Far
	if fromOutside := a.who.outside(); (fromOutside || h.platform == policy.NoPlatform) && fromOutside == h.towardsB {
		leg = tap.Near // of two platforms, whoever calls is the platform, and the other one far
	}
	if d := s.dialogs[h.dialog]; d != nil {
		if t := &d.taps[leg-1]; t.leg != 0 {
			return t
		}
		return nil
	}
	if x := s.subs[h.dialog]; x != nil && x.tap.leg == leg {
		return &x.tap
	}
	return nil
}

// farTap finds the mirrored tenant that a leg of the legacy platform serves. The phone or trunk that it goes to has one; so has the call
// that it belongs to, if the platform proxies. Else it is in somebody's name: who forwards, or who calls.
func (s *shard) farTap(a *arrival, r *request) tapping {
	if r.dialog == nil {
		if d := s.dialogs[dialogKey(a.m, true)]; d != nil && d.taps[tap.Near-1].leg != 0 {
			return tapping{leg: tap.Far, rev: d.rev, tenant: d.taps[tap.Near-1].tenant}
		}
	}
	if a.policy == nil {
		return tapping{}
	}
	h := &r.hop
	if mirrored(h.tenant) {
		return tapping{leg: tap.Far, rev: a.policy.Rev(), tenant: h.tenant.Tenant.ID}
	}
	format := "e164"
	if h.to.kind == endCarrier {
		if i := r.topo.carrierByHash(h.to.name); i >= 0 {
			format = r.topo.carriers[i].format
		}
	}
	rec := s.inNameOf(a, a.m.From.URI.Of(a.m.Raw), format)
	for _, id := range [...]wire.HeaderID{wire.HDiversion, wire.HHistoryInfo, wire.HPAI, wire.HRPID} {
		if rec != nil {
			break
		}
		n := 0
		for e := range a.m.Elems(id) {
			if rec = s.inNameOf(a, e.URI.Of(a.m.Raw), format); rec != nil {
				break
			}
			if n++; n == maxNamed {
				break
			}
		}
	}
	if rec == nil {
		return tapping{}
	}
	to, _, _ := a.party(a.m.RequestURI.Of(a.m.Raw), a.user[:0:128], a.fold[:0:128])
	return tapping{leg: tap.Far, rev: a.policy.Rev(), tenant: rec.Tenant.ID, emergency: rec.IsEmergency(to)}
}

const maxNamed = 8 // elements of one header in which a tenant is looked for

// inNameOf is the mirrored tenant that a URI belongs to; nil: none.
func (s *shard) inNameOf(a *arrival, uri []byte, format string) *policy.Record {
	user, host, _ := a.party(uri, a.user[128:128], a.fold[128:128])
	rec := a.policy.ByDomain(host)
	if rec == nil {
		s.scratch[0] = policy.AppendNormalised(s.scratch[0], format, user)
		rec = a.policy.ByNumber(view(s.scratch[0]))
	}
	if !mirrored(rec) {
		return nil
	}
	return rec
}

// mirrored: calls of the tenant are copied, however few.
func mirrored(rec *policy.Record) bool {
	if rec == nil || rec.Tenant.Mirror == 0 {
		return false
	}
	return rec.Tenant.Stage == policy.StageShadow || rec.Tenant.Stage == policy.StageCanary
}

// tapRequest copies a request of r.
func (s *shard) tapRequest(now int64, r *request, m *wire.Message) {
	s.put(now, tap.Request, &r.tap, r.tapUp, r.tap.platform, r.tap.party, m.Raw)
}

// tapResponse copies a response that came on a branch, as it came, unless it repeats the one before.
func (s *shard) tapResponse(now int64, b *branch, m *wire.Message) {
	echo := s.edge.echo(m)
	if echo == b.tapped {
		return
	}
	b.tapped = echo
	r := b.req
	platform := r.tap.platform
	if b.target >= 0 { // it may be another one by now
		platform = tapPlatforms[r.topo.targets[b.target].platform]
	}
	s.put(now, tap.Response, &r.tap, !r.tapUp, platform, r.tap.party, m.Raw)
}

// tapAck copies the ACK of a 2xx, unless it repeats the one before.
func (s *shard) tapAck(a *arrival, h *hop) {
	t := s.tapOf(a, h)
	if t == nil {
		return
	}
	echo := s.edge.echo(a.m)
	if echo == t.acked {
		return
	}
	t.acked = echo
	s.put(a.now, tap.Request, t, !h.towardsB, tapPlatform(&a.who, h), tapParty(&a.who, h), a.m.Raw)
}

// echo tells a response on a branch, or an ACK of a dialog, from the one before: by status, CSeq, who speaks or is spoken to, and
// where it is a reliable one its RSeq (RFC 3262). A 180 that says nothing new is an echo, too. 0: none.
func (e *Edge) echo(m *wire.Message) uint32 {
	h := maphash.Bytes(e.fuse.seed, m.To.Tag.Of(m.Raw))
	if !m.Request && m.Status > 100 && m.Status < 200 {
		if i := m.Find(wire.HRSeq); i >= 0 {
			h += maphash.Bytes(e.fuse.seed, m.Value(i)) >> 1
		}
	}
	return uint32(h) ^ m.CSeq<<10 ^ uint32(m.Status) | 1<<31
}

// put hands over an event. It stands in the shard's scratch: on the stack it would escape.
func (s *shard) put(now int64, k tap.Kind, t *tapping, upstream bool, platform tap.Platform, party tap.Party, raw []byte) {
	s.tapDone()
	ev := &s.tapped
	ev.At, ev.Kind, ev.Leg, ev.Upstream, ev.Emergency = now, k, t.leg, upstream, t.emergency
	ev.Platform, ev.Party, ev.Rev, ev.Tenant = platform, party, t.rev, t.tenant
	s.copied = s.edge.tap.Put(ev, raw)
}

// tapDone lets the reader have what was put last: at the end of a step, which is some time later, or before the next one is put.
func (s *shard) tapDone() {
	if c := s.copied; c != nil {
		s.copied = nil
		c.Done()
	}
}

var tapPlatforms = [...]tap.Platform{policy.NoPlatform: 0, policy.Legacy: tap.Legacy, policy.Core: tap.Core}

// tapPlatform is who is on the platform's side of a leg.
func tapPlatform(who *party, h *hop) tap.Platform {
	if who.outside() {
		return tapPlatforms[h.platform]
	}
	return tapPlatforms[who.platform]
}

// tapParty is who is on the other side.
func tapParty(who *party, h *hop) tap.Party {
	if who.outside() {
		return tapParties[who.kind]
	}
	switch h.to.kind {
	case endFlow:
		return tap.Phone
	case endCarrier:
		return tap.Carrier
	case endTrunk:
		return tap.Trunk
	}
	return tap.OtherPlatform
}

var tapParties = [...]tap.Party{partyPhone: tap.Phone, partyPlatform: tap.OtherPlatform, partyCarrier: tap.Carrier, partyTrunk: tap.Trunk,
	partyEdge: tap.Edge, partyStranger: tap.Stranger, partyDark: tap.Dark}

// outside: a phone, a carrier or a customer's PBX.
func (p *party) outside() bool {
	return p.kind == partyPhone || p.kind == partyCarrier || p.kind == partyTrunk
}
