package proxy

import (
	"strings"
	"time"

	"github.com/hotcut/hotcut/policy"
	"github.com/hotcut/hotcut/proxy/choice"
	"github.com/hotcut/hotcut/proxy/transaction"
	"github.com/hotcut/hotcut/proxy/transport"
	"github.com/hotcut/hotcut/proxy/wire"
)

// A subscription is a dialog that its platform will not end when it stops serving: the lamps of a phone would go on
// showing what the old platform sees. So it is the one kind of dialog that a change of policy evicts. Twice over:
//
//   - its refresh, known by the token's kind, is answered 481 once another platform serves: the phone subscribes anew, and
//     there (RFC 6665 section 4.1.2.2). That needs no state, and while a tenant is armed a subscription lasts two minutes.
//   - where we saw the dialog begin, the phone gets a NOTIFY terminated;reason=deactivated at once, which asks for the same
//     (section 4.4.1); the old platform's next NOTIFY is answered 481, and it forgets the subscription too.
//
// Dialogs made by INVITE or REFER stay, whatever they carry.
type subscription struct {
	key      choice.Key
	callHash uint32
	callID   string
	query    policy.Query // as it was asked, with strings of its own; its tenant is looked up again
	tenant   string
	platform policy.Platform
	event    string // value of Event
	phone    string // value of From of its SUBSCRIBE
	remote   string // value of From of the platform's NOTIFY, with its tag; "": none has come
	contact  string // URI of the phone
	cseq     uint32 // of the platform's last NOTIFY
	flow     end
	edge     uint32 // that owns the flow
	answered bool   // a 2xx passed
	evicted  bool
	tap      tapping
	timer    transaction.Timer

	client transaction.Machine // of our NOTIFY, once evicted
	branch branchID
	peer   transport.Peer
	sent   []byte
}

const (
	evictSpread  = 2 * time.Second // over which the subscriptions of a change are evicted
	evictedAge   = 5 * time.Minute // for which the old platform's NOTIFYs are told 481
	pendingSub   = time.Minute     // without an answer
	subGrace     = 32 * time.Second
	defaultSub   = 3600 // seconds, where nobody says
	maxSubValues = 512  // bytes of each value that is kept
)

// subscribes notes a SUBSCRIBE that begins a dialog of a phone.
func (s *shard) subscribes(a *arrival, r *request) {
	m := a.m
	if !m.Is("SUBSCRIBE") || r.hop.inDialog || r.who.kind != partyPhone || r.hop.target < 0 || a.trace.Tenant == nil || len(s.subs) >= s.edge.maxDialogs {
		return
	}
	event, contact := m.Find(wire.HEvent), ""
	for e := range m.Elems(wire.HContact) {
		contact = string(e.URI.Of(m.Raw))
		break
	}
	from := m.Headers[m.Find(wire.HFrom)].Value.Of(m.Raw)
	if event < 0 || contact == "" || len(contact)+len(m.Value(event))+len(from) > maxSubValues {
		return
	}
	q := a.query
	q.Tenant, q.Number, q.Unit, q.Trunk = nil, strings.Clone(q.Number), strings.Clone(q.Unit), ""
	x := &subscription{key: dialogKey(m, true), callHash: r.callHash, callID: string(m.CallID.Of(m.Raw)), query: q, tenant: a.trace.Tenant.Tenant.ID,
		platform: r.hop.platform, event: string(m.Value(event)), phone: string(from), contact: contact, flow: a.end(), edge: a.topo.node}
	x.flow.id = r.hop.from
	x.timer.Owner = x
	if old := s.subs[x.key]; old != nil {
		s.dropSubscription(old)
	}
	s.subs[x.key] = x
	s.wheel.Set(&x.timer, transaction.Time(a.now).Add(pendingSub))
}

// subscribed reads the final response of a SUBSCRIBE: how long the dialog lasts. While the tenant is about to move it lasts
// two minutes, whatever the platform says.
func (s *shard) subscribed(now int64, sp *wire.Splice, m *wire.Message, b *branch) {
	r := b.req
	granted := int64(defaultSub)
	i := m.Find(wire.HExpires)
	if i >= 0 {
		granted, _ = seconds(m.Value(i))
	}
	if r.clamp && granted > 0 {
		if told := min(granted, clampSeconds(m.CallID.Of(m.Raw), now)); told < granted || i < 0 {
			if i >= 0 {
				sp.Replace(m.Headers[i].Value, appendInt(nil, told))
			} else {
				sp.EndHeaders(append(appendInt([]byte("Expires: "), told), '\r', '\n'))
			}
		}
	}
	x := s.subs[dialogKey(m, true)]
	if x == nil || x.evicted {
		return
	}
	x.answered = true
	s.wheel.Set(&x.timer, transaction.Time(now).Add(time.Duration(granted)*time.Second+subGrace))
}

// notifies follows a NOTIFY of the platform in a subscription that we know. gone: it was evicted, and the platform is to
// forget it.
func (s *shard) notifies(a *arrival) (gone bool) {
	x := s.subs[dialogKey(a.m, false)]
	if x == nil {
		return false
	}
	if x.evicted {
		return true
	}
	x.cseq = max(x.cseq, a.m.CSeq)
	if from := a.m.Headers[a.m.Find(wire.HFrom)].Value.Of(a.m.Raw); len(from) <= maxSubValues {
		x.remote = string(from)
	}
	if i := a.m.Find(wire.HSubscriptionState); i >= 0 && wire.EqualFold(firstToken(a.m.Value(i)), "terminated") {
		s.dropSubscription(x)
	}
	return false
}

// outlived tells whether a refresh of a subscription comes to a platform that serves its tenant no longer.
func (s *shard) outlived(a *arrival, p *pin) bool {
	if p.kind != tokenSubscription || !a.m.Is("SUBSCRIBE") || a.policy == nil || a.who.kind != partyPhone {
		return false
	}
	if i := a.m.Find(wire.HExpires); i >= 0 {
		if n, ok := seconds(a.m.Value(i)); ok && n == 0 {
			return false // it takes its leave of whom it has it from
		}
	}
	d := s.decide(a)
	return d.Tenant == p.tenant && d.Platform != policy.NoPlatform && d.Platform != p.platform
}

// evict looks at every subscription after a change of policy, and gives those that it concerns a moment of their own
// within the next two seconds.
func (e *Edge) evict(now int64, p *policy.Snapshot) {
	old := e.evictedFor
	e.evictedFor = p
	if p == nil {
		return
	}
	for i := range e.shards {
		s := &e.shards[i]
		s.mu.Lock()
		for _, x := range s.subs {
			rec := p.Tenant(x.tenant)
			if x.evicted || rec == nil || old != nil && old.Tenant(x.tenant) == rec && old.Overrides() == p.Overrides() && old.Globals().Halt == p.Globals().Halt {
				continue
			}
			q := x.query
			q.Tenant, q.Now = rec, now/1e9
			if d := p.Decide(q); d.Platform != policy.NoPlatform && d.Platform != x.platform {
				x.evicted = true
				s.wheel.Set(&x.timer, transaction.Time(now+int64(stableHash([]byte(x.callID))%uint64(evictSpread))))
			}
		}
		s.unlock(0)
	}
}

// subscriptionDue: it has ended, its eviction is due, or our NOTIFY is to be sent again.
func (s *shard) subscriptionDue(now int64, x *subscription, out *transport.Out) {
	switch {
	case !x.evicted, x.evicted && x.sent == nil && x.remote == "":
		s.dropSubscription(x)
	case x.sent == nil:
		s.sendTerminated(now, x, out)
	case x.client.State() == transaction.Completed || x.client.State() == transaction.Terminated:
		s.dropSubscription(x)
	default:
		s.stepTerminated(now, x, transaction.TimerFired, out)
	}
}

// sendTerminated tells the phone that its subscription has ended and that it may subscribe again at once.
func (s *shard) sendTerminated(now int64, x *subscription, out *transport.Out) {
	topo := s.edge.topo.Load()
	owner, flow := s.newest(&arrival{now: now, topo: topo}, x.edge, x.flow)
	l := topo.listenerByHash(flow.listener)
	if owner != topo.node || l < 0 {
		s.dropSubscription(x) // its refresh will tell it
		return
	}
	x.peer = transport.Peer{Listener: uint16(l), Proto: flow.proto, Conn: flow.conn, Addr: flow.addr}
	x.branch = s.seal.branch(s.seal.keys[0].mac, x.key, []byte("terminated"), []byte(x.callID))
	lst := &topo.listeners[l]
	b := append(append([]byte("NOTIFY "), x.contact...), " SIP/2.0\r\n"...)
	b = wire.AppendVia(b, lst.proto.Token(), lst.sentBy, appendBranch(nil, s.seal.keys[0].tag, x.branch), nil)
	b = append(append(append(b, "Max-Forwards: 70\r\nFrom: "...), x.remote...), "\r\nTo: "...)
	b = append(append(append(b, x.phone...), "\r\nCall-ID: "...), x.callID...)
	b = appendInt(append(b, "\r\nCSeq: "...), int64(x.cseq)+1)
	b = append(append(append(b, " NOTIFY\r\nContact: <sip:hotcut@"...), lst.host...), ">\r\nEvent: "...)
	b = append(append(b, x.event...), "\r\nSubscription-State: terminated;reason=deactivated\r\nContent-Length: 0\r\n\r\n"...)
	x.sent = b
	s.notices[x.branch] = x
	x.client.Init(transaction.Client, flow.proto != transport.UDP, &s.edge.timers, transaction.Time(now))
	s.wheel.Set(&x.timer, x.client.Next())
	out.End(x.peer, append(out.Begin(), b...), uint64(x.callHash))
	s.edge.drop(causeEvicted)
}

func (s *shard) stepTerminated(now int64, x *subscription, ev transaction.Event, out *transport.Out) {
	do := x.client.Step(ev, transaction.Time(now))
	if do&transaction.DoResend != 0 {
		out.End(x.peer, append(out.Begin(), x.sent...), uint64(x.callHash))
	}
	if do&transaction.DoPass != 0 || do&transaction.DoEnd != 0 { // it knows, or is not there: now the platform is to learn it
		delete(s.notices, x.branch)
		x.client = transaction.Machine{}
		x.sent, x.remote = nil, ""
		s.wheel.Set(&x.timer, transaction.Time(now).Add(evictedAge))
		return
	}
	s.wheel.Set(&x.timer, x.client.Next())
}

func (s *shard) dropSubscription(x *subscription) {
	s.wheel.Stop(&x.timer)
	if s.subs[x.key] == x {
		delete(s.subs, x.key)
	}
	if s.notices[x.branch] == x {
		delete(s.notices, x.branch)
	}
}

// spliceState bounds how long a NOTIFY of an armed tenant's platform says that the subscription lasts.
func (s *shard) spliceState(sp *wire.Splice, m *wire.Message, now int64) {
	i := m.Find(wire.HSubscriptionState)
	if i < 0 {
		return
	}
	at := m.Headers[i].Value
	for n, c := range m.Value(i) {
		if c != ';' {
			continue
		}
		params := wire.Span{Start: at.Start + uint32(n), End: at.End}
		v, _ := wire.Param(params.Of(m.Raw), "expires")
		told := clampSeconds(m.CallID.Of(m.Raw), now)
		if n, ok := seconds(v); ok && n > told {
			if span, ok := paramSpan(m.Raw, params, "expires"); ok {
				sp.Replace(span, appendInt([]byte(";expires="), told))
			}
		}
		return
	}
}
