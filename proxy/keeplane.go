package proxy

import (
	"github.com/hotcut/hotcut/policy"
	"github.com/hotcut/hotcut/proxy/location"
)

// laneKey names a target over reloads.
type laneKey struct {
	platform policy.Platform
	target   string
}

// lane is what waits for one target, at its pace: hand-overs first, then what is only kept. Each binding has at most one
// entry that counts (its seq fits), so the queue is bounded by the table.
type lane struct {
	queues [3]lineUp // somebody calls the phone, urgent, not
	rate   float64   // per second
	tokens float64
	filled int64 // unix ns
	flying int   // without an answer; never more than a second's worth, or a target that is slow would be buried
}

type lineUp struct {
	list []entry
	head int
}

type entry struct {
	x   *keptBinding
	i   int // of its sides
	seq uint32
}

func (q *lineUp) len() int { return len(q.list) - q.head }

func (q *lineUp) push(e entry) { q.list = append(q.list, e) }

func (q *lineUp) pop() entry {
	e := q.list[q.head]
	q.list[q.head] = entry{}
	if q.head++; q.head == len(q.list) {
		q.list, q.head = nil, 0
	}
	return e
}

// queue lines a side up for a target. What waits already stays where it is, unless it has become urgent.
func (k *keeper) queue(x *keptBinding, i int, t *target, urgent bool) {
	s := &x.sides[i]
	if s.state == sideQueued && (s.urgent || !urgent) {
		return
	}
	key := laneKey{t.platform, t.name}
	l := k.lanes[key]
	if l == nil {
		l = &lane{tokens: 1}
		k.lanes[key] = l
	}
	l.rate = float64(t.keepRate)
	s.state, s.urgent = sideQueued, urgent
	s.seq++
	n := 2
	switch {
	case s.called:
		n = 0
	case urgent:
		n = 1
	}
	l.queues[n].push(entry{x, i, s.seq})
}

// hurry puts a phone's hand-over first: somebody calls it.
func (k *keeper) hurry(id location.ID, p policy.Platform) {
	k.mu.Lock()
	defer k.mu.Unlock()
	x := k.kept[id]
	if x == nil {
		return // another edge's
	}
	s := &x.sides[p-1]
	if s.called || s.state == sideFlying {
		return
	}
	s.called = true
	if s.state == sideQueued {
		s.state = sideIdle // its old entry counts no more: its seq does not fit
	}
	k.mark(x)
}

// due takes out of the lanes whose turn it is. k.mu is held.
func (k *keeper) due(now int64, topo *topology) []*visit {
	var list []*visit
	for t := range topo.targets { // in configured order: the same in every run
		key := laneKey{topo.targets[t].platform, topo.targets[t].name}
		l := k.lanes[key]
		if l == nil {
			continue
		}
		l.rate = float64(topo.targets[t].keepRate)
		l.fill(now)
		for l.tokens >= 1 && l.len() > 0 && l.flying < max(int(l.rate), 32) {
			q := &l.queues[2]
			for n := range l.queues {
				if l.queues[n].len() > 0 {
					q = &l.queues[n]
					break
				}
			}
			if v := k.check(now, topo, t, q.pop()); v != nil {
				v.lane = l
				l.flying++
				l.tokens--
				list = append(list, v)
			}
		}
	}
	for key, l := range k.lanes { // a target that is configured no more
		switch {
		case topo.targetNamed(key) >= 0:
			continue
		case l.len() == 0 && l.flying == 0:
			delete(k.lanes, key)
		}
		for i := range l.queues {
			for l.queues[i].len() > 0 {
				e := l.queues[i].pop()
				if s := &e.x.sides[e.i]; s.state == sideQueued && s.seq == e.seq {
					s.state = sideIdle
					k.mark(e.x)
				}
			}
		}
	}
	return list
}

// fill lets a tenth of a second's worth pass at once.
func (l *lane) fill(now int64) {
	if l.filled != 0 && now > l.filled {
		l.tokens += l.rate * float64(now-l.filled) / 1e9
	}
	l.tokens = min(l.tokens, max(l.rate/10, 1))
	l.filled = now
}

func (l *lane) len() int { return l.queues[0].len() + l.queues[1].len() + l.queues[2].len() }

func (t *topology) targetNamed(key laneKey) int {
	for i := range t.targets {
		if t.targets[i].platform == key.platform && t.targets[i].name == key.target {
			return i
		}
	}
	return -1
}

// check asks again whether what waited in a lane is still wanted, and by that target; nil: it is not.
func (k *keeper) check(now int64, topo *topology, target int, e entry) *visit {
	x, s := e.x, &e.x.sides[e.i]
	if s.state != sideQueued || s.seq != e.seq {
		return nil
	}
	s.state = sideIdle
	if k.kept[x.id] != x {
		return nil
	}
	b := k.table.Get(x.id)
	if b == nil {
		k.mark(x)
		return nil
	}
	p, sec := policy.Platform(e.i+1), now/1e9
	d, rec := serves(k.policy, b, sec)
	pool := topo.poolOf(rec, p)
	picked, ok := topo.health.Pick(pool, stableHash([]byte(b.CallID)), s.tried)
	t := &topo.targets[target]
	w := wanted(b, d, p, t.phoneCallID, x.taken, sec)
	switch {
	case w.at == 0 || w.at > sec || t.keep == keepNone:
		k.mark(x)
		return nil
	case !ok || picked != target: // another one is its turn now
		k.mark(x)
		return nil
	}
	s.state, s.called = sideFlying, false
	h := b.Of(location.Platform(p))
	v := &visit{x: x, side: e.i, platform: p, b: b, topo: topo, target: target, remove: w.remove, sent: sec,
		challenge: s.challenge, proxied: s.proxied, nc: s.nc + 1}
	v.expires = asked(b, rec, p, w, sec)
	if t.phoneCallID {
		v.callID, v.cseq = b.CallID, b.CSeq
	} else {
		v.callID = k.callID(b.ID, p)
		s.cseq = nextCSeq(sec, max(h.CSeq, s.cseq))
		v.cseq = s.cseq
	}
	for i, j := range pool {
		if j == target && i < 64 {
			v.bit = 1 << i
		}
	}
	return v
}

// nextCSeq rises over edges and restarts: it is the time, or one more than the last.
func nextCSeq(sec int64, last uint32) uint32 { return max(uint32(sec), last+1) }

const (
	keepExpires = 3600 // seconds that we ask for at least: a phone may ask for less, it comes back more often
)

// asked is for how long we ask a platform to hold a binding; towards legacy, while the tenant is about to move, moving or
// soaking, for a day: the way back stays open for as long as the registrar allows.
func asked(b *location.Binding, rec *policy.Record, p policy.Platform, w want, sec int64) int64 {
	switch {
	case w.remove:
		return 0
	case p == policy.Legacy && rec != nil && rec.Clamped(sec):
		return max(b.Asked, armedExpires)
	}
	return max(b.Asked, keepExpires)
}
