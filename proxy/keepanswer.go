package proxy

import (
	"errors"
	"strconv"
	"time"

	"github.com/hotcut/hotcut/proxy/digest"
	"github.com/hotcut/hotcut/proxy/location"
	"github.com/hotcut/hotcut/proxy/transport"
	"github.com/hotcut/hotcut/proxy/wire"
)

var errNoSecret = errors.New("no secret for this user and realm")

// What became of a REGISTER of ours, for the metric.
const (
	keepKept = iota
	keepRemoved
	keepRefused // 401 after our credentials, 403, 404: a person has to look
	keepFailed  // 5xx and what else passes by itself
	keepSilent
	keepUnreached
)

var keepWords = []string{"kept", "removed", "refused", "failed", "timeout", "transport"}

// visit sends a REGISTER of ours.
func (k *keeper) visit(now int64, v *visit, out *transport.Out) {
	build := func(dst, via []byte) []byte { return k.appendRegister(dst, via, v) }
	done := func(now int64, m *wire.Message, why cause, out *transport.Out) { k.answered(now, v, m, why, out) }
	if !k.edge.own.send(now, v.topo, v.target, own, build, done, out) {
		k.finish(now, v, outcome{result: keepFailed, fault: "unsent", soon: true})
	}
}

// outcome is how a visit ended.
type outcome struct {
	result     int
	fault      string        // "": none
	soon       bool          // it passes by itself
	wait       time.Duration // at least so long, as the target asked
	granted    int64
	route      string
	nextTarget bool
}

// answered reads what a target said; two things are answered at once: a challenge, and that the time asked for is too
// brief.
func (k *keeper) answered(now int64, v *visit, m *wire.Message, why cause, out *transport.Out) {
	if m == nil {
		o := outcome{result: keepSilent, fault: why.String(), soon: true, nextTarget: true}
		if why == causeTransport {
			o.result = keepUnreached
		}
		k.finish(now, v, o)
		return
	}
	code := m.Status
	o := outcome{fault: strconv.Itoa(code), wait: retryAfter(m)}
	switch {
	case code < 300:
		o = outcome{result: keepRemoved, wait: o.wait}
		if !v.remove {
			var ok bool
			if o.granted, ok = granted(m, v); ok {
				o.result, o.route = keepKept, serviceRoute(m)
			} else {
				o = outcome{result: keepRefused, fault: "unlisted"}
			}
		}
	case code == 401 || code == 407:
		if k.again(now, v, m, out) {
			return
		}
		o.result = keepRefused
	case code == 423 && !v.brief && !v.remove:
		if i := m.Find(wire.HMinExpires); i >= 0 {
			if n, ok := seconds(m.Value(i)); ok && n > v.expires && n <= armedExpires*7 {
				v.brief, v.expires = true, n
				k.resend(now, v, out)
				return
			}
		}
		o.result = keepRefused
	case code == 408 || code == 480 || code >= 500 && code < 600:
		o.result, o.soon, o.nextTarget = keepFailed, true, code != 480
	default:
		o.result = keepRefused
	}
	k.finish(now, v, o)
}

// again answers a challenge: once, and once more if the target calls the nonce stale.
func (k *keeper) again(now int64, v *visit, m *wire.Message, out *transport.Out) bool {
	id := wire.HWWWAuthenticate
	if m.Status == 407 {
		id = wire.HProxyAuthenticate
	}
	for i := range m.Headers {
		if m.Headers[i].ID != id {
			continue
		}
		value := m.AppendUnfolded(nil, m.Headers[i].Value)
		var ch digest.Params
		if !digest.ParseChallenge(&ch, value) || len(value) > 2048 {
			continue
		}
		if v.rounds > 1 || v.rounds == 1 && !wire.EqualFold(ch.Stale.In(value), "true") {
			return false
		}
		next := *v
		next.challenge, next.proxied, next.nc = string(value), m.Status == 407, 1
		if line, err := k.authorization(&next); err != nil || line == "" {
			continue // the next one may be of an algorithm or realm that we have something for (RFC 8760 section 2.4)
		}
		*v = next
		v.rounds++
		k.resend(now, v, out)
		return true
	}
	return false
}

// resend sends a visit again, as another request of the same registration.
func (k *keeper) resend(now int64, v *visit, out *transport.Out) {
	if !v.topo.targets[v.target].phoneCallID {
		k.mu.Lock()
		s := &v.x.sides[v.side]
		s.cseq = nextCSeq(now/1e9, s.cseq)
		v.cseq = s.cseq
		k.mu.Unlock()
	}
	k.visit(now, v, out)
}

// granted is for how long a 2xx confirms the binding. A registrar that lists contacts and not ours has not taken it; one
// that lists none has said yes.
func granted(m *wire.Message, v *visit) (int64, bool) {
	said := v.expires
	if i := m.Find(wire.HExpires); i >= 0 {
		if n, ok := seconds(m.Value(i)); ok {
			said = n
		}
	}
	listed := false
	for e := range m.Elems(wire.HContact) {
		listed = true
		uri := e.URI.Of(m.Raw)
		u, ok := wire.ParseURI(uri)
		if !ok {
			continue
		}
		id, named := bindingOf(u.User.Of(uri))
		if !(named && id == v.b.ID) && string(uri) != v.b.URI && !sameURI(uri, []byte(v.b.URI)) {
			continue
		}
		if p, found := wire.Param(e.Params.Of(m.Raw), "expires"); found {
			if n, ok := seconds(p); ok {
				return n, n > 0
			}
		}
		return said, said > 0
	}
	return said, !listed && said > 0
}

// retryAfter is the wait that a response asks for, at most an hour.
func retryAfter(m *wire.Message) time.Duration {
	i := m.Find(wire.HRetryAfter)
	if i < 0 {
		return 0
	}
	n := 0
	for _, c := range m.Value(i) {
		if c < '0' || c > '9' || n >= 3600 {
			break
		}
		n = n*10 + int(c-'0')
	}
	return time.Duration(min(n, 3600)) * time.Second
}

// finish ends a visit: what the platform holds goes into the table, what failed waits its time, and then everything is
// looked at anew, since the phone may have come or gone meanwhile.
func (k *keeper) finish(now int64, v *visit, o outcome) {
	p := location.Platform(v.platform)
	k.edge.count.kept.Add(int(p-1)*len(keepWords)+o.result, 1)
	if o.fault == "" {
		if b := k.table.Get(v.x.id); b != nil {
			b = b.Clone()
			h := b.Of(p)
			*h = location.Hold{CSeq: v.cseq, Stamp: max(now/1e3, h.Stamp+1)}
			if !v.remove {
				h.Until, h.Lasts, h.Own, h.Route = v.sent+o.granted, o.granted, true, o.route
				h.Target = v.topo.targets[v.target].name
			}
			k.table.Put(b)
		}
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	s := &v.x.sides[v.side]
	s.state = sideIdle
	v.lane.flying--
	if o.fault == "" {
		s.failures, s.fault, s.tried, s.notBefore = 0, "", 0, now+int64(o.wait)
		s.challenge, s.proxied, s.nc = v.challenge, v.proxied, v.nc
	} else {
		s.fault, s.challenge, s.nc = o.fault, "", 0
		s.failures = min(s.failures+1, 16)
		if o.nextTarget {
			s.tried |= v.bit
		}
		s.notBefore = now + int64(max(o.wait, s.backoff(v.x.id, o.soon)))
	}
	if k.kept[v.x.id] == v.x {
		k.mark(v.x)
	}
}

// backoff doubles from 2 s to 2 min where the fault may pass by itself, else from 30 s to 10 min; up to a quarter less,
// by the binding, so that a thousand that failed together do not come back together.
func (s *keptSide) backoff(id location.ID, soon bool) time.Duration {
	first, most := 30*time.Second, 10*time.Minute
	if soon {
		first, most = 2*time.Second, 2*time.Minute
	}
	d := min(first<<(s.failures-1), most)
	r := (stableHash(id[:]) ^ uint64(s.failures)*0x9e3779b97f4a7c15) >> 32 % 256
	return d - d/4*time.Duration(r)/256
}
