package proxy

import (
	"time"

	"github.com/hotcut/hotcut/proxy/location"
)

// simRedis is the memory that edges share: what one writes the others learn a moment later, unless it is away.
type simRedis struct {
	w       *simWorld
	records map[location.ID]*location.Binding
	order   []location.ID
	away    int64 // until then
}

func newSimRedis(w *simWorld) *simRedis {
	return &simRedis{w: w, records: map[location.ID]*location.Binding{}}
}

func (r *simRedis) leave(d time.Duration) {
	r.w.n.met.fault(faultRedisAway)
	r.away = max(r.away, r.w.n.now+int64(d))
}

// share is what an edge asks Redis.
func (r *simRedis) share(x *simEdge) *Sharing {
	return &Sharing{
		Ask: func(id location.ID, done func(*location.Binding)) {
			life, away := x.life, r.away > r.w.n.now
			r.w.n.after(r.w.n.between(time.Millisecond, 60*time.Millisecond), func() {
				if x.life != life || x.edge == nil {
					return
				}
				b := r.records[id]
				if away {
					b = nil
				}
				if b != nil {
					x.edge.location.Learn(b.Clone())
				}
				done(b)
				x.after()
			})
		},
		State: func() ShareState { return ShareState{Live: r.away <= r.w.n.now} },
	}
}

// publish writes what an edge has put into its table.
func (r *simRedis) publish(x *simEdge) {
	if !x.dirty {
		return
	}
	x.dirty = false
	life := x.life
	r.w.n.at(max(r.w.n.now, r.away)+int64(r.w.n.between(time.Millisecond, 20*time.Millisecond)), func() {
		if x.life != life || x.edge == nil {
			return
		}
		for _, b := range x.edge.location.Feed().Take(nil, 1024) {
			old := r.records[b.ID]
			if old == nil {
				r.order = append(r.order, b.ID)
			}
			b = location.Merge(old, b)
			r.records[b.ID] = b
			for _, y := range r.w.edges {
				if y != x && y.edge != nil {
					y.edge.location.Learn(b.Clone())
					y.after()
				}
			}
		}
	})
}

// catchUp is what an edge reads when it starts.
func (r *simRedis) catchUp(x *simEdge) {
	life := x.life
	r.w.n.at(max(r.w.n.now, r.away)+int64(5*time.Millisecond), func() {
		if x.life != life || x.edge == nil {
			return
		}
		for _, id := range r.order {
			x.edge.location.Learn(r.records[id].Clone())
		}
		x.after()
	})
}
