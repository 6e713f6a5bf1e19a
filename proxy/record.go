package proxy

import (
	"strings"

	"github.com/hotcut/hotcut/policy"
	"github.com/hotcut/hotcut/proxy/callrecord"
)

// newRecord starts the call record of an INVITE outside dialogs, with what the policy was asked: "the same call at rev
// N" can be asked again.
func (s *shard) newRecord(a *arrival, r *request) *callrecord.Record {
	m, d, q := a.m, &r.hop.decision, &a.question
	var callID, from, to string
	if x := r.dialog; x != nil { // it has them already
		callID, from, to = x.callID, x.from, x.to
	} else {
		callID, from, to = string(m.CallID.Of(m.Raw)), partyName(m, m.From.URI), partyName(m, m.RequestURI)
	}
	rec := &callrecord.Record{
		CallID: callID, Edge: s.edge.cfg.Node, Tenant: d.Tenant, Method: "INVITE",
		Platform: d.Platform.String(), Reason: d.Reason.String(), Arg: int(d.Arg), Rev: d.Rev,
		From: from, To: to,
		Source: a.from.Addr.String(), Listener: a.lst.name, Start: a.now / 1e6,
	}
	if a.policy != nil {
		rec.Epoch = a.policy.Epoch()
	}
	if a.asked {
		// What the policy names lies in the shard's scratch: a record outlives the step.
		rec.FromE164, rec.ToE164 = strings.Clone(a.trace.Caller()), strings.Clone(a.trace.Called())
		rec.Direction = a.query.Direction.String()
		rec.Query = callrecord.Query{Direction: rec.Direction, Number: strings.Clone(a.query.Number), Unit: strings.Clone(a.query.Unit),
			Trunk: a.query.Trunk, Domain: strings.Clone(q.ToHost), Emergency: a.query.Emergency,
			Mirror: a.query.Mirror, Now: a.query.Now, Source: rec.Source}
		if q.FromPlatform != policy.NoPlatform {
			rec.Query.From = q.FromPlatform.String()
		}
	}
	return rec
}

// recordOf is the record of a call that outlived a restart: what its index entry still knows.
func (e *Edge) recordOf(d *dialog) *callrecord.Record {
	return &callrecord.Record{CallID: d.callID, Edge: e.cfg.Node, Tenant: d.tenant, Method: "INVITE", Platform: d.platform.String(),
		Target: d.target, Rev: d.rev, From: d.from, To: d.to, Answer: d.since / 1e6, Start: d.since / 1e6, Code: 200}
}

// clone: the log keeps what it is given, and the call goes on changing its own.
func clone(r *callrecord.Record) *callrecord.Record {
	c := *r
	return &c
}
