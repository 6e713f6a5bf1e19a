package shadow

import (
	"sync/atomic"

	"github.com/hotcut/hotcut/proxy/tap"
)

// A Mirror keeps the shadow calls of one edge. It is made by New and works while Run runs.
type Mirror struct {
	// Set once by New.
	o    Options
	ring *tap.Ring

	stats atomic.Pointer[Stats] // written by Run's goroutine
}

// New checks the options. It opens nothing and starts nothing.
func New(o Options) (*Mirror, error) {
	o.defaults()
	if err := o.check(); err != nil {
		return nil, err
	}
	m := &Mirror{o: o, ring: tap.NewRing(o.Slots, o.SlotSize)}
	m.stats.Store(&Stats{})
	return m, nil
}

// Put is the edge's tap: it copies and returns. Any goroutine may call it.
func (m *Mirror) Put(ev *tap.Event, raw []byte) bool { return m.ring.Put(ev, raw) }

// Stats is what the mirror has done, as of its last second. The result is the caller's to read only.
func (m *Mirror) Stats() Stats { return *m.stats.Load() }
