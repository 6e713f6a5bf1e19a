package proxy

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hotcut/hotcut/policy"
	"github.com/hotcut/hotcut/proxy/choice"
	"github.com/hotcut/hotcut/proxy/location"
)

// Right after a flip the new platform does not know every phone yet: they are handed over at its pace. A call to one that
// it misses waits here, parked, and its phone goes first in the queue; the call goes on with the hand-over, or without it
// when it takes too long. Elsewhere the caller would hear that the number does not exist.

const (
	handOverWait = 3 * time.Second // of a call; the caller hears nothing for that long at worst
	movedLately  = time.Minute     // after a change of policy calls look whether their phones are there
)

// waits are the calls that wait for hand-overs, by binding. mu is a leaf lock.
type waits struct {
	count  atomic.Int32 // of calls; read without mu
	resume chan resumption

	mu sync.Mutex
	by map[location.ID][]*handOver
}

type resumption struct {
	key      choice.Key
	callHash uint32
}

type handOver struct {
	resumption
	platform location.Platform
	left     int
}

// missing are the callee's phones that the platform of h should know and does not.
func (s *shard) missing(a *arrival, h *hop) (ids []location.ID) {
	e := s.edge
	if !a.m.Is("INVITE") || h.target < 0 || h.inDialog || h.platform == policy.NoPlatform || !a.asked || a.query.Emergency || a.trace.Tenant == nil ||
		a.now-e.revSince.Load() > int64(movedLately) || a.topo.targets[h.target].keep == keepNone {
		return nil
	}
	t := a.trace.Tenant
	if len(t.Tenant.Domains) == 0 {
		return nil
	}
	users := [2]string{a.question.ToUser}
	if n := a.trace.Called(); n != "" {
		users[1] = t.Unit(n)
	}
	sec := a.now / 1e9
	for i, user := range users {
		if user == "" || i > 0 && user == users[0] {
			continue
		}
		for _, b := range e.location.OfAoR(t.Tenant.ID, user+"@"+t.Tenant.Domains[0]) {
			if b.Told > sec && b.Of(location.Platform(h.platform)).Until <= sec {
				ids = append(ids, b.ID)
			}
		}
	}
	return ids
}

// await parks a call until its phones have been handed over.
func (s *shard) await(now int64, r *request, ids []location.ID) {
	e := s.edge
	r.awaits = ids
	s.park(now, r, handOverWait)
	p := location.Platform(r.hop.platform)
	e.waits.add(&handOver{resumption{r.key, r.callHash}, p, len(ids)}, ids)
	for _, id := range ids {
		e.keeper.hurry(id, r.hop.platform)
		if b := e.location.Get(id); b != nil {
			e.waits.changed(b, now/1e9) // it may have come in between
		}
	}
	e.count.awaited.Add(0, 1)
}

func (w *waits) init() {
	w.resume = make(chan resumption, 4096)
	w.by = map[location.ID][]*handOver{}
}

func (w *waits) add(x *handOver, ids []location.ID) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.count.Add(1)
	for _, id := range ids {
		w.by[id] = append(w.by[id], x)
	}
}

// changed is told of every binding that changes, often under a shard's lock: it only passes the word on.
func (w *waits) changed(b *location.Binding, sec int64) {
	if w.count.Load() == 0 {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	rest := w.by[b.ID][:0]
	for _, x := range w.by[b.ID] {
		if b.Of(x.platform).Until <= sec {
			rest = append(rest, x)
			continue
		}
		if x.left--; x.left == 0 {
			select {
			case w.resume <- x.resumption:
			default: // its own time will wake it
			}
		}
	}
	if len(rest) == 0 {
		delete(w.by, b.ID)
	} else {
		w.by[b.ID] = rest
	}
}

// forget ends a call's wait, whatever it was for.
func (w *waits) forget(key choice.Key, ids []location.ID) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.count.Add(-1)
	for _, id := range ids {
		rest := w.by[id][:0]
		for _, x := range w.by[id] {
			if x.key != key {
				rest = append(rest, x)
			}
		}
		if len(rest) == 0 {
			delete(w.by, id)
		} else {
			w.by[id] = rest
		}
	}
}

// run wakes the calls whose phones are there.
func (w *waits) run(ctx context.Context, wake func(resumption)) {
	for {
		select {
		case <-ctx.Done():
			return
		case x := <-w.resume:
			wake(x)
		}
	}
}
