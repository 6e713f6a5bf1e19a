package proxy

import (
	"sync/atomic"
	"time"

	"github.com/hotcut/hotcut/proxy/transaction"
	"github.com/hotcut/hotcut/proxy/transport"
	"github.com/hotcut/hotcut/proxy/wire"
)

// A shaper spaces the REGISTERs that go to one target: after a restart, or an outage, every phone comes at once, and a
// registrar that drowns in them answers nobody. Who comes too early waits here, under a transaction that absorbs its
// repetitions; who would wait too long is told to come again.
type shaper struct {
	gap  int64        // ns between two
	free atomic.Int64 // unix ns: when the next may go
}

const (
	shapeBurst = 100 * time.Millisecond // worth of requests that may go at once
	shapeWait  = 8 * time.Second        // longest wait of a phone that we know: they give up after 32 s, and the target needs time too
	shapeNew   = shapeWait / 2          // of one that we do not: who makes up phones keeps none of ours from coming back
)

func newShaper(perSecond int) *shaper {
	return &shaper{gap: int64(time.Second) / int64(max(perSecond, 1))}
}

// reserve takes the next place: how long to wait for it. false: it would be too long, and none is taken.
func (x *shaper) reserve(now int64, longest time.Duration) (time.Duration, bool) {
	for {
		free := x.free.Load()
		at := max(free, now-int64(shapeBurst))
		wait := at - now
		if wait > int64(longest) {
			return 0, false
		}
		if x.free.CompareAndSwap(free, at+x.gap) {
			return time.Duration(max(wait, 0)), true
		}
	}
}

// turn is how long a REGISTER has to wait for its target.
func (s *shard) turn(now int64, h *hop) (time.Duration, rejection) {
	if h.reg == nil {
		return 0, rejection{}
	}
	x := s.in.topo.targets[h.target].shaper
	if x == nil {
		return 0, rejection{}
	}
	longest := shapeNew
	for i := range h.reg.contacts {
		if b := s.edge.location.Get(h.reg.contacts[i].id); b != nil && b.Told+lateRefresh > now/1e9 {
			longest = shapeWait
		}
	}
	wait, ok := x.reserve(now, longest)
	if !ok {
		return 0, rejection{code: 503, cause: causeRegisterRate, retryAfter: true}
	}
	if wait > 0 {
		s.edge.count.shaped.Add(0, 1)
	}
	return wait, rejection{}
}

// parked is the timer of a request that waits: for its turn, or to learn where a phone is.
type parked request

// park lets r wait, not longer than d. Its repetitions, CANCEL and timers find it as they would any request.
func (s *shard) park(now int64, r *request, d time.Duration) {
	s.wheel.Set(&r.wait, transaction.Time(now).Add(d))
}

// resume goes on with a request whose wait is over.
func (s *shard) resume(now int64, r *request, out *transport.Out) {
	s.wheel.Stop(&r.wait)
	if len(r.awaits) > 0 {
		s.edge.waits.forget(r.key, r.awaits)
		r.awaits = nil
	}
	if r.final || r.raw == nil || r.current != nil || r.inquiring {
		return
	}
	m := &s.again
	if m.Scan(r.raw, &s.edge.limits) != wire.FaultNone {
		return // it was accepted once; it can not happen
	}
	m.Stamped(r.src, r.who.forceRport())
	if r.cancelled {
		s.answer(now, r, 487, out)
		return
	}
	if r.asking {
		s.located(now, r, m, out)
		return
	}
	s.proceed(now, r, m, out)
}
