package proxy

import (
	"cmp"
	"fmt"
	"time"

	"github.com/hotcut/hotcut/policy"
	"github.com/hotcut/hotcut/proxy/choice"
	"github.com/hotcut/hotcut/proxy/location"
	"github.com/hotcut/hotcut/proxy/transport"
	"github.com/hotcut/hotcut/proxy/wire"
)

// A phone that the table does not know may have registered through another edge a moment ago: Redis is asked, once, from
// aside, and the request waits parked. Its answer, or the end of the wait, brings the request back here.

// canAsk: bindings are shared, and the other side listens.
func (e *Edge) canAsk() bool { return e.sharing != nil && e.sharing.State().Live }

// ask parks r and sends for the binding.
func (s *shard) ask(now int64, r *request) {
	s.park(now, r, askWait*2) // the answer comes within askWait; this is for the one that never does
	key, callHash, e := r.key, r.callHash, s.edge
	e.sharing.Ask(r.hop.ask, func(*location.Binding) { e.answered(key, callHash) })
}

// answered resumes a parked request on the goroutine that brought the news.
func (e *Edge) answered(key choice.Key, callHash uint32) {
	out := e.newOut()
	s := e.shardOf(callHash)
	s.mu.Lock()
	if r := s.requests[key]; r != nil && r.wait.Armed() {
		s.fired = callHash
		s.resume(e.now(), r, out)
	}
	s.unlock(callHash)
	out.Flush()
}

// arrivalOf is the arrival of a request that came before, for another look at where it goes.
func (s *shard) arrivalOf(now int64, r *request, m *wire.Message) *arrival {
	a := &s.in
	*a = arrival{now: now, m: m, callHash: r.callHash, topo: s.edge.topo.Load(), policy: s.edge.snapshot(), who: r.who, reply: r.reply,
		key: r.key, signer: r.signer, named: r.named}
	a.lst = &a.topo.listeners[r.listener]
	a.from = transport.Peer{Listener: r.listener, Proto: a.lst.proto, Conn: r.reply.Conn, Addr: r.src}
	a.readRoutes(s)
	return a
}

// located routes a request that waited for its phone's binding, whether it came or not.
func (s *shard) located(now int64, r *request, m *wire.Message, out *transport.Out) {
	r.asking = false
	a := s.arrivalOf(now, r, m)
	a.located = true
	var h hop
	rej := s.route(a, &h)
	if rej.cause == causeNone {
		rej = s.anchor(a, &h)
	}
	if rej.cause != causeNone {
		s.edge.drop(rej.cause)
		s.edge.logRefusal(a, rej)
		if rej.code == 0 { // too late for silence
			rej.code = 404
		}
		r.warning = rej.warning
		s.answer(now, r, rej.code, out)
		return
	}
	sealed := append([]byte(nil), h.sealed...)
	r.topo, r.hop = a.topo, h
	r.hop.sealed = sealed
	s.placed(a, r)
	s.proceed(now, r, m, out)
}

// locationWarnings says what is wrong with what this edge knows of phones.
func (e *Edge) locationWarnings() (list []string) {
	st := e.location.Stats()
	if st.LogFailing {
		list = append(list, "bindings can not be written to disk: after a restart without Redis the newest phones are not known")
	}
	if st.Bindings >= st.Limit {
		list = append(list, fmt.Sprintf("the table of bindings is full: raise limits.bindings above %d", st.Limit))
	}
	if e.sharing == nil {
		return list
	}
	if x := e.sharing.State(); !x.Live {
		list = append(list, fmt.Sprintf("bindings are not shared with the other edges since %s: %s", x.Since.UTC().Format(time.RFC3339), cmp.Or(x.LastError, "not yet connected")))
	}
	return list
}

// limitRegistrations holds a tenant to the phones that it may have. The count is of all edges.
func (s *shard) limitRegistrations(a *arrival, reg *registration) rejection {
	if a.trace.Tenant == nil || a.trace.Tenant.Tenant.Limits.Registrations == 0 {
		return rejection{}
	}
	fresh := 0
	for i := range reg.contacts {
		if b := s.edge.location.Get(reg.contacts[i].id); reg.contacts[i].asked > 0 && (b == nil || b.Told <= a.now/1e9) {
			fresh++
		}
	}
	if fresh > 0 && s.edge.location.Count(reg.tenant)+fresh > a.trace.Tenant.Tenant.Limits.Registrations {
		return rejection{code: 503, cause: causeTenantLimit, retryAfter: true}
	}
	return rejection{}
}

// fresh: the store was seen a moment ago, so the policy in force is the newest.
func (e *Edge) fresh() bool { return e.follower == nil || e.follower.State().State == policy.Live }
