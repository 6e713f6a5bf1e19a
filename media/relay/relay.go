package relay

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/hotcut/hotcut/media"
	"github.com/hotcut/hotcut/media/sdp"
)

// Key is one dialog as it crosses us once.
type Key struct {
	CallID string
	Leg    string // the edge's own id of this pass, since one Call-ID may cross twice
}

// Options configure a Relay.
type Options struct {
	Engine *media.Engine
}

// A Relay keeps the dialogs whose media it relays. Any goroutine may use it.
//
// Concurrency: mu guards the table only; a dialog has a lock of its own, held while one description is worked in (some
// microseconds, and some 50 more for each line that needs ports). Nobody waits for the network, a disk or an engine's
// thread, except in Quality and End, which say so. The order of the locks is: a dialog's, then mu.
type Relay struct {
	engine *media.Engine

	mu      sync.Mutex // guards what follows
	dialogs map[Key]*dialog
	own     ownPorts

	counts counters
}

// New takes up the sessions that the engine found in its journal.
func New(o Options) *Relay {
	r := &Relay{engine: o.Engine, dialogs: make(map[Key]*dialog), own: make(ownPorts)}
	for s := range o.Engine.Sessions() {
		r.takeUp(s)
	}
	return r
}

// Len is how many dialogs there are.
func (r *Relay) Len() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.dialogs)
}

// Keys lists the dialogs, in no order.
func (r *Relay) Keys() []Key {
	r.mu.Lock()
	defer r.mu.Unlock()
	keys := make([]Key, 0, len(r.dialogs))
	for k := range r.dialogs {
		keys = append(keys, k)
	}
	return keys
}

// find returns a living dialog.
func (r *Relay) find(k Key) (*dialog, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	g, ok := r.dialogs[k]
	return g, ok
}

// lock returns the dialog of a key, locked; a new one if there is none.
func (r *Relay) lock(k Key) *dialog {
	for {
		r.mu.Lock()
		g := r.dialogs[k]
		if g == nil {
			g = &dialog{relay: r, key: k, began: time.Now()}
			r.dialogs[k] = g
		}
		r.mu.Unlock()
		g.mu.Lock()
		if !g.over {
			return g
		}
		g.mu.Unlock() // it ended in between
	}
}

// forget takes a locked dialog out of the table.
func (r *Relay) forget(g *dialog) {
	g.over = true
	r.mu.Lock()
	if r.dialogs[g.key] == g {
		delete(r.dialogs, g.key)
	}
	r.mu.Unlock()
}

// Failed takes back the last offer of a dialog: its request (re-INVITE, UPDATE) got a final response over 299.
func (r *Relay) Failed(k Key) { r.withdraw(k, -1) }

// FailedFrom is Failed for the last offer of one party: when both have made one at the same time.
func (r *Relay) FailedFrom(k Key, from media.Leg) { r.withdraw(k, int(from)) }

func (r *Relay) withdraw(k Key, from int) {
	g, ok := r.find(k)
	if !ok {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.over || !g.withdraw(from) {
		return
	}
	r.counts.withdrawn.Add(1)
	if g.empty() {
		r.forget(g)
	}
}

// End ends a dialog: its ports are given back, to rest. It returns the final figures, and false if there was no such
// dialog. It waits for the engine's threads to come by, some microseconds on a machine that keeps up; Close does not.
func (r *Relay) End(k Key) (Quality, bool) {
	sessions, began, ok := r.end(k)
	if !ok {
		return Quality{}, false
	}
	return qualityOf(sessions, began), true
}

// Close is End for who must not wait. If final is not nil it gets the figures, once, from a goroutine of its own. It
// returns false, and calls nobody, if there was no such dialog.
func (r *Relay) Close(k Key, final func(Quality)) bool {
	sessions, began, ok := r.end(k)
	if ok && final != nil {
		go func() { final(qualityOf(sessions, began)) }()
	}
	return ok
}

func (r *Relay) end(k Key) (sessions []*media.Session, began time.Time, ok bool) {
	g, ok := r.find(k)
	if !ok {
		return nil, began, false
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.over {
		return nil, began, false
	}
	sessions = g.sessions()
	g.closeSlots(func(int) bool { return true })
	r.forget(g)
	return sessions, g.began, true
}

// Counters are totals since New.
type Counters struct {
	Outcomes  map[Outcome]uint64
	Faults    map[sdp.Fault]uint64 // of what was refused, or passed although it would have been
	Withdrawn uint64               // offers that failed
	Unusable  uint64               // addresses that a session can not send to, such as of the other family: what was said before stays
	Unplaced  uint64               // lines of a relayed call that found no ports and passed as they came
	Unopened  uint64               // sockets that could not be had although ports were free: no descriptors, mostly
}

type counters struct {
	outcomes                                [outcomes]atomic.Uint64
	faults                                  sync.Map // sdp.Fault -> *atomic.Uint64
	withdrawn, unusable, unplaced, unopened atomic.Uint64
}

// Counters returns the figures as they are now. Every outcome and fault is there, counted or not.
func (r *Relay) Counters() Counters {
	c := Counters{
		Outcomes: make(map[Outcome]uint64), Faults: make(map[sdp.Fault]uint64),
		Withdrawn: r.counts.withdrawn.Load(), Unusable: r.counts.unusable.Load(), Unplaced: r.counts.unplaced.Load(), Unopened: r.counts.unopened.Load(),
	}
	for o := range r.counts.outcomes {
		c.Outcomes[Outcome(o)] = r.counts.outcomes[o].Load()
	}
	for f := range sdp.Faults() {
		c.Faults[f] = 0
		if n, ok := r.counts.faults.Load(f); ok {
			c.Faults[f] = n.(*atomic.Uint64).Load()
		}
	}
	return c
}

func (c *counters) fault(f sdp.Fault) {
	n, _ := c.faults.LoadOrStore(f, new(atomic.Uint64))
	n.(*atomic.Uint64).Add(1)
}
