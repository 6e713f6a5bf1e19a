package proxy

import (
	"net/http"
	"time"

	"github.com/hotcut/hotcut/policy"
	"github.com/hotcut/hotcut/proxy/metrics"
	"github.com/hotcut/hotcut/proxy/wire"
)

// counters are the edge's metrics: one atomic add each on the hot path. The README's table of metrics is made from
// this list.
type counters struct {
	set       *metrics.Set
	requests  *metrics.Vec
	responses *metrics.Vec
	decisions *metrics.Vec
	causes    *metrics.Vec
	faults    *metrics.Vec
	failovers *metrics.Vec
	crossed   *metrics.Vec
	large     *metrics.Vec
	stateless *metrics.Vec
	expired   *metrics.Vec
	shed      *metrics.Vec

	bindings    *metrics.Vec
	late        *metrics.Vec
	credentials *metrics.Vec
	intercepted *metrics.Vec
	shaped      *metrics.Vec
	awaited     *metrics.Vec
	keepalives  *metrics.Vec
	kept        *metrics.Vec
	framing     map[string]int      // wire's faults by name: what the transport tells of streams
	sip         *metrics.Signalling // RFC 6076
	mediaCounters
}

var methodWords = []string{"INVITE", "ACK", "BYE", "CANCEL", "REGISTER", "OPTIONS", "SUBSCRIBE", "NOTIFY", "REFER", "INFO", "UPDATE", "PRACK", "MESSAGE", "PUBLISH", "other"}

func methodIndex(m []byte) int {
	for i, w := range methodWords {
		if string(m) == w {
			return i
		}
	}
	return len(methodWords) - 1
}

func newCounters(e *Edge) *counters {
	s := metrics.New()
	c := &counters{set: s, framing: map[string]int{}}
	c.requests = s.Counter("hotcut_requests_total", "requests received", "method", methodWords)
	c.responses = s.Counter("hotcut_responses_total", "responses sent upstream", "class", []string{"1xx", "2xx", "3xx", "4xx", "5xx", "6xx"})
	c.decisions = s.Counter("hotcut_decisions_total", "requests forwarded, by the policy's reason and the platform that serves", "reason,platform", decisionWords())
	c.causes = s.Counter("hotcut_refused_total", "messages refused, dropped or answered by the edge itself", "cause", causeWords[:])
	var faults []string
	for f := range wire.Faults() {
		for len(faults) <= int(f) {
			faults = append(faults, "none")
		}
		faults[f] = f.String()
	}
	c.shed = s.Counter("hotcut_overload_shed_total", "what was refused, or not copied, because messages waited too long", "class", workWords[:])
	c.faults = s.Counter("hotcut_faults_total", "messages that are not well formed", "fault", faults)
	c.failovers = s.Counter("hotcut_failovers_total", "requests given to another target of the same platform", "", nil)
	c.crossed = s.Counter("hotcut_crossed_total", "calls taken to the other platform: refused by their own where the tenant opted in, or emergency calls", "why", crossedWords)
	c.large = s.Counter("hotcut_large_requests_total", "requests over 1,300 bytes: by the stream of a target that has one, or by UDP, fragmented", "by", largeWords)
	c.stateless = s.Counter("hotcut_stateless_responses_total", "responses forwarded without a transaction, by what their branch proves", "", nil)
	c.expired = s.Counter("hotcut_dialogs_expired_total", "dialogs dropped from the index: no BYE passed, and nothing else for twice their session interval, or for 12 h without session timer", "", nil)
	c.bindings = s.Counter("hotcut_bindings_total", "what 2xx to REGISTER did to bindings", "change", bindWords)
	c.late = s.Counter("hotcut_late_bindings_total", "phones that registered on a platform which did not serve them any more: handed over at once", "", nil)
	c.credentials = s.Counter("hotcut_credentials_total", "credentials of the other platform taken out, credentials of nobody's nonce passed, challenges made to say stale=true", "change", credentialWords)
	c.intercepted = s.Counter("hotcut_intercepted_total", "calls of the platform that does not serve, turned to the one that does", "platform", []string{"legacy", "core"})
	c.shaped = s.Counter("hotcut_registers_delayed_total", "REGISTERs that waited for their turn at a target", "", nil)
	c.awaited = s.Counter("hotcut_calls_awaited_total", "calls that waited until their phone had been handed over", "", nil)
	c.keepalives = s.Counter("hotcut_keepalives_total", "keepalives sent to phones", "", nil)
	c.kept = registerKeeper(s, e)
	for i, f := range faults {
		c.framing[f] = i
	}
	c.sip = metrics.NewSignalling(s)
	registerIO(s, e)
	c.mediaCounters.register(s, e)
	one := func(name, help string, f func() float64) {
		s.Gauge(name, help, func() []metrics.Sample { return []metrics.Sample{{Value: f()}} })
	}
	one("hotcut_dialogs", "dialogs in the index", func() float64 { n, _ := e.sizes(); return float64(n) })
	one("hotcut_bindings", "bindings known, of all edges that share them", func() float64 { return float64(e.location.Len()) })
	shared := func(f func(ShareState) float64) func() float64 {
		return func() float64 {
			if e.sharing == nil {
				return 0
			}
			return f(e.sharing.State())
		}
	}
	one("hotcut_share_live", "1 while the bindings of all edges are known and followed", shared(func(s ShareState) float64 { return truth(s.Live) }))
	one("hotcut_share_published", "bindings written to Redis", shared(func(s ShareState) float64 { return float64(s.Published) }))
	one("hotcut_share_learned", "bindings that other edges brought", shared(func(s ShareState) float64 { return float64(s.Learned) }))
	one("hotcut_share_dropped", "bindings too long to be written", shared(func(s ShareState) float64 { return float64(s.Dropped) }))
	one("hotcut_share_foreign", "values in Redis that no edge can have written", shared(func(s ShareState) float64 { return float64(s.Foreign) }))
	one("hotcut_share_asked", "phones looked for in Redis while a call waited", shared(func(s ShareState) float64 { return float64(s.Asked) }))
	one("hotcut_share_unanswered", "of them, those that Redis did not answer in time, or was not asked", shared(func(s ShareState) float64 { return float64(s.AskShed + s.AskLate) }))
	registerShadow(s, e)
	one("hotcut_bindings_refused", "bindings that found the table full", func() float64 { return float64(e.location.Stats().Full) })
	one("hotcut_bindings_unwritten", "1 while bindings can not be written to disk: a restart would not know the newest", func() float64 { return truth(e.location.Stats().LogFailing) })
	one("hotcut_transactions", "server transactions", func() float64 { _, n := e.sizes(); return float64(n) })
	one("hotcut_policy_rev", "rev of the policy in force; 0: none", func() float64 {
		if p := e.snapshot(); p != nil {
			return float64(p.Rev())
		}
		return 0
	})
	one("hotcut_policy_fresh", "1 while the store was seen within 5 s", func() float64 { return truth(e.follower.State().State == policy.Live) })
	one("hotcut_draining", "1 while the edge takes no new dialogs", func() float64 { return truth(e.draining.Load()) })
	one("hotcut_uptime_seconds", "seconds since start", func() float64 { return time.Since(e.started).Seconds() })
	one("hotcut_panics", "faults of ours that cost one Call-ID its state", func() float64 { return float64(e.panics.Load()) })
	s.Gauge("hotcut_overloaded", "1 while a listener refuses new work, because messages wait too long before they are read", e.pressureSamples(func(p *pressure) float64 { return truth(p.over.Load()) }), "listener")
	s.Gauge("hotcut_waited_seconds", "how long the oldest message of the last batch waited before it was read; of a stream listener: how late timers are", e.pressureSamples(func(p *pressure) float64 {
		return time.Duration(p.waited.Load()).Seconds()
	}), "listener")
	s.Gauge("hotcut_target_up", "1 while a target takes new requests", e.targetSamples, "platform", "target")
	return c
}

func decisionWords() []string {
	var words []string
	for r := policy.ReasonNone; r <= policy.ReasonChallenge; r++ {
		for p := policy.NoPlatform; p <= policy.Core; p++ {
			name := "none"
			if p != policy.NoPlatform {
				name = p.String()
			}
			reason := "none"
			if r != policy.ReasonNone {
				reason = r.String()
			}
			words = append(words, reason+","+name)
		}
	}
	return words
}

// refused counts what the transport would not frame; its own reasons are counted by itself.
func (c *counters) refused(reason string) {
	if i, ok := c.framing[reason]; ok {
		c.faults.Add(i, 1)
	}
}

func (c *counters) handler() http.Handler { return c.set.Handler() }

func (e *Edge) targetSamples() []metrics.Sample {
	var list []metrics.Sample
	topo := e.topo.Load()
	for i := range topo.targets {
		v := truth(topo.health.Up(i))
		list = append(list, metrics.Sample{Labels: []string{topo.targets[i].platform.String(), topo.targets[i].name}, Value: v})
	}
	return list
}

func (e *Edge) pressureSamples(f func(*pressure) float64) func() []metrics.Sample {
	return func() (list []metrics.Sample) {
		for _, l := range e.topo.Load().listeners {
			list = append(list, metrics.Sample{Labels: []string{l.name}, Value: f(l.wait)})
		}
		return list
	}
}

// sizes are the entries of all shards.
func (e *Edge) sizes() (dialogs, requests int) {
	for i := range e.shards {
		dialogs += int(e.shards[i].live.Load())
	}
	return dialogs, int(e.held.Load())
}

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// What the session metrics of RFC 6076 are told.

func (e *Edge) callRang(r *request, now int64) {
	e.count.sip.RequestDelay(int(r.hop.decision.Platform), true, time.Duration(now-r.began))
}

func (e *Edge) callAnswered(r *request, code int, now int64) {
	if !r.rang {
		e.callRang(r, now)
	}
	e.count.sip.Session(int(r.hop.decision.Platform), code)
}

func (e *Edge) callFailed(r *request, code int, now int64) {
	e.count.sip.Session(int(r.hop.decision.Platform), code)
	if !r.rang && code >= 400 && code != 401 && code != 407 {
		e.count.sip.RequestDelay(int(r.hop.decision.Platform), false, time.Duration(now-r.began))
	}
}
