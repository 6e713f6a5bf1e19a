package proxy

import (
	"crypto/sha256"
	"time"

	"github.com/hotcut/hotcut/media/relay"
	"github.com/hotcut/hotcut/policy"
	"github.com/hotcut/hotcut/proxy/callrecord"
	"github.com/hotcut/hotcut/proxy/choice"
	"github.com/hotcut/hotcut/proxy/transaction"
	"github.com/hotcut/hotcut/proxy/wire"
)

// dialogAge ends the index entry of a call without session timer that was silent for so long: its BYE passed us by. The call
// itself is not touched, and its token still routes.
const dialogAge = 12 * time.Hour

// dialog is the index entry of a living call: what `calls`, `draining` and requests without a token need. The pin in
// the messages, not this, is what routes.
type dialog struct {
	key      choice.Key
	callHash uint32
	callID   string
	tenant   string
	platform policy.Platform
	target   string
	rev      uint64
	reason   policy.Reason
	arg      int32
	from, to string
	a, b     end
	age      time.Duration // see lasts
	since    int64         // unix ns: INVITE, then the answer
	seen     int64
	taps     [2]tapping // of its near and its far leg; here since whoever reads them has just written seen
	state    dialogState
	restored bool  // from the file, after a restart
	passes   uint8 // answered ones besides the first: it goes through a platform that proxies, and comes by again
	counted  bool  // against the tenant's concurrent calls; until closeDialog
	record   *callrecord.Record
	timer    transaction.Timer
	leg      uint32    // of the pin
	media    relay.Key // of the session that relays its media; zero: none
}

type dialogState uint8

const (
	dialogTrying dialogState = iota
	dialogRinging
	dialogTalking
)

func (d dialogState) String() string { return [...]string{"trying", "ringing", "talking"}[d] }

// dialogKey hashes Call-ID and the initiator's tag; it is the same on every edge and after any restart.
func dialogKey(m *wire.Message, towardsB bool) choice.Key {
	tag := m.From.Tag.Of(m.Raw)
	if !towardsB {
		tag = m.To.Tag.Of(m.Raw)
	}
	return keyOf(m.CallID.Of(m.Raw), tag)
}

func keyOf(callID, tag []byte) (k choice.Key) {
	var buf [520]byte
	b := append(buf[:0], callID...)
	b = append(append(b, 0), tag...)
	sum := sha256.Sum256(b)
	copy(k[:], sum[:])
	return k
}

// findDialog looks a request without a token up by either tag.
func (s *shard) findDialog(m *wire.Message) (d *dialog, towardsB bool) {
	if d = s.dialogs[dialogKey(m, true)]; d != nil && !d.restored {
		return d, true
	}
	if d = s.dialogs[dialogKey(m, false)]; d != nil && !d.restored {
		return d, false
	}
	return nil, false
}

func (s *shard) openDialog(a *arrival, r *request) {
	if len(s.dialogs) >= s.edge.maxDialogs {
		s.edge.drop(causeTableFull)
		if r.hop.counted {
			s.edge.tenants.End(r.hop.decision.Tenant)
		}
		return
	}
	m, h := a.m, &r.hop
	key := dialogKey(m, true)
	if old := s.dialogs[key]; old != nil {
		if !old.restored {
			// The same call once more, on its way through a proxying platform: it is listed and counted once, as it came in
			// from outside.
			if h.counted {
				s.edge.tenants.End(h.decision.Tenant)
			}
			return
		}
		s.closeDialog(old)
	}
	d := &dialog{key: key, callHash: r.callHash, callID: string(m.CallID.Of(m.Raw)), tenant: h.decision.Tenant,
		platform: h.decision.Platform, rev: h.decision.Rev, reason: h.decision.Reason, arg: h.decision.Arg,
		from: partyName(m, m.From.URI), to: partyName(m, m.RequestURI), a: a.end(), b: h.to, since: a.now, seen: a.now, counted: h.counted}
	d.timer.Owner = d
	s.dialogs[d.key] = d
	s.edge.callers.count(d, 1)
	r.dialog = d
}

// leads notes where d leads now. Who calls is counted by both ends and the platform: what was counted must be what is taken out.
func (s *shard) leads(d *dialog, b end, platform policy.Platform) {
	listed := s.dialogs[d.key] == d
	if listed {
		s.edge.callers.count(d, -1)
	}
	d.b, d.platform = b, platform
	if listed {
		s.edge.callers.count(d, 1)
	}
}

// closeDialog takes d out of the index, once.
func (s *shard) closeDialog(d *dialog) {
	if s.dialogs[d.key] != d {
		return
	}
	s.wheel.Stop(&d.timer)
	delete(s.dialogs, d.key)
	s.edge.callers.count(d, -1)
	s.edge.dialogFile.End(d.key)
	if d.counted {
		d.counted = false
		s.edge.tenants.End(d.tenant)
	}
}

func (s *shard) ringing(now int64, r *request, status int) {
	if d := r.dialog; d != nil && d.state == dialogTrying {
		d.state = dialogRinging
	}
	if status < 180 || r.rang {
		return
	}
	s.edge.callRang(r, now)
	r.rang = true
	if r.record != nil {
		r.record.Ring = now / 1e6
	}
}

// answered: a 2xx to an INVITE passed. The dialog lives until its BYE.
func (s *shard) answered(now int64, r *request, b *branch, m *wire.Message) {
	if r.hop.inDialog {
		return
	}
	s.edge.ring.MarkAnswered(r.key)
	s.servedBy(r, b)
	if r.record != nil && r.record.Answer == 0 {
		r.record.Answer, r.record.Code = now/1e6, m.Status
		s.edge.records.Put(clone(r.record))
		s.edge.callAnswered(r, m.Status, now)
	}
	d := r.dialog
	if d == nil && !r.final {
		s.passedAgain(m)
	}
	if d == nil || d.state == dialogTalking || s.dialogs[d.key] != d { // not there: it failed before, and now another target answers
		return
	}
	topo := r.topo
	d.record, r.record = r.record, nil // the request stays for 32 s yet, the record goes with the BYE
	d.state, d.since, d.seen = dialogTalking, now, now
	if b.target >= 0 {
		d.target = topo.targets[b.target].name
		s.leads(d, end{kind: endTarget, platform: topo.targets[b.target].platform, name: topo.targets[b.target].hash}, d.platform)
	}
	s.wheel.Set(&d.timer, transaction.Time(now).Add(dialogAge))
	s.edge.dialogFile.Put(choice.Dialog{Key: d.key, CallID: d.callID, Tenant: d.tenant, Platform: uint8(d.platform),
		Target: uint64(hash32(d.target)), Rev: d.rev, Since: now, Seen: now})
}

// passedAgain: the call of an answer goes through the edge once more than it did; the index has it as it came in from outside.
func (s *shard) passedAgain(m *wire.Message) {
	if d := s.dialogs[dialogKey(m, true)]; d != nil && !d.restored {
		d.passes = min(d.passes, 254) + 1
	}
}

// finalSent: a final response went upstream (or, for a non-INVITE, none ever will).
func (s *shard) finalSent(now int64, r *request, code int) {
	d := r.dialog
	r.dialog, r.hop.sealed, r.hop.body = nil, nil, nil // r stays for 64*T1, these need not
	if r.endDialog && code != 401 && code != 407 {
		s.endDialog(now, r)
	}
	if r.register && code < 300 {
		s.edge.count.sip.RegistrationDelay(int(r.hop.decision.Platform), time.Duration(now-r.began))
	}
	if code >= 300 {
		s.takeBack(r)
	}
	if !r.invite || r.hop.inDialog {
		return
	}
	if code >= 300 {
		s.edge.ring.Mark(r.key, false, true)
		if d != nil && d.state != dialogTalking && s.dialogs[d.key] == d {
			s.closeDialog(d)
		}
		if r.record != nil {
			r.record.End, r.record.Code = now/1e6, code
		}
		s.endMedia(r, r.record)
		r.record = nil
		s.edge.callFailed(r, code, now)
	}
}

// endDialog: BYE had its final response.
func (s *shard) endDialog(now int64, r *request) {
	if s.loser(r) {
		return
	}
	s.edge.dialogFile.End(r.hop.dialog)
	d, pass := s.dialogs[r.hop.dialog], s.passRecord(r)
	if d == nil {
		s.endMedia(r, ended(pass, now, r))
		return
	}
	s.closeDialog(d)
	s.edge.count.sip.DisconnectDelay(int(d.platform), time.Duration(now-r.began))
	s.edge.count.sip.Duration(int(d.platform), time.Duration(now-d.since))
	rec := d.record
	if rec == nil {
		rec = s.edge.recordOf(d)
	}
	d.record = nil
	ended(rec, now, r)
	if pass != nil && pass != rec {
		s.edge.records.Put(clone(rec))
		rec = ended(pass, now, r)
	}
	s.endMedia(r, rec)
}

// ended says in a record that r, a BYE, has ended its call. The first word counts: a call through a proxying platform ends
// once in each pass.
func ended(rec *callrecord.Record, now int64, r *request) *callrecord.Record {
	if rec == nil || rec.End != 0 {
		return rec
	}
	rec.End = now / 1e6
	rec.HungUp = "callee"
	if r.hop.towardsB {
		rec.HungUp = "caller"
	}
	return rec
}

func (s *shard) dialogIdle(now int64, d *dialog) {
	if idle := now - d.seen; idle < int64(d.lasts()) {
		s.wheel.Set(&d.timer, transaction.Time(d.seen).Add(d.lasts()))
		return
	}
	s.closeDialog(d)
	s.expired(d)
}

// restoreDialog: the answer of a call whose INVITE went out before a restart. The next in-dialog request has the
// token; the index only needs to count it.
// Only the first answer counts: one that is repeated for ever must not bring back a call that has ended.
func (s *shard) restoreDialog(m *wire.Message, upstream choice.Key) {
	key := dialogKey(m, true)
	c, ok := s.edge.ring.Get(upstream, s.in.now)
	if !ok || c.Final {
		return
	}
	if s.dialogs[key] != nil || len(s.dialogs) >= s.edge.maxDialogs {
		return
	}
	now := s.in.now
	d := &dialog{key: key, callHash: s.edge.callHash(m.CallID.Of(m.Raw)), callID: string(m.CallID.Of(m.Raw)), since: now, seen: now,
		platform: policy.Platform(c.Platform), rev: c.Rev, state: dialogTalking, restored: true, from: partyName(m, m.From.URI), to: partyName(m, m.To.URI)}
	d.timer.Owner = d
	d.age = sessionAge(m)
	s.wheel.Set(&d.timer, transaction.Time(now).Add(d.lasts()))
	s.dialogs[key] = d
}

// endRestored: the final response to a BYE that went out before a restart ends what the file had of its call.
func (s *shard) endRestored(m *wire.Message) {
	if m.Status < 200 || m.Status == 401 || m.Status == 407 {
		return
	}
	for _, towardsB := range [...]bool{true, false} {
		if d := s.dialogs[dialogKey(m, towardsB)]; d != nil && d.restored {
			s.closeDialog(d)
		}
	}
}

// partyName is user@host of a URI span, for people.
func partyName(m *wire.Message, at wire.Span) string {
	uri := at.Of(m.Raw)
	u, ok := wire.ParseURI(uri)
	if !ok {
		return ""
	}
	user, host := u.User.Of(uri), u.Host.Of(uri)
	if len(user) > 0 && len(host) > 0 {
		return view(user) + "@" + view(host) // + copies
	}
	return string(user) + string(host)
}
