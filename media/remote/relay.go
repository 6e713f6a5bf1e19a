package remote

import (
	"cmp"
	"context"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hotcut/hotcut/media/ng"
	"github.com/hotcut/hotcut/media/relay"
	"github.com/hotcut/hotcut/media/sdp"
)

// Options configure a Relay.
type Options struct {
	Servers    []netip.AddrPort
	Interfaces [2]string     // what the servers call the two sides, by media.Leg
	Wait       time.Duration // for the reply to a question; 400 ms
	Questions  int           // that may wait at once; 1024
	Ping       time.Duration // between two pings to a server; the client's default
	// Heard is told whether a question got what it asked for, from any goroutine.
	Heard func(why Failure)
}

// A Relay keeps the dialogs whose media the servers relay. Any goroutine may use it while Run runs.
//
// Concurrency: mu guards the table, what is queued and what was said; nothing waits under it. What a dialog's jobs alone use
// needs no lock: they run one after the other, in a goroutine that lives while there are any.
type Relay struct {
	// Set once by New.
	o      Options
	client *ng.Client

	mu        sync.Mutex // guards what follows
	dialogs   map[relay.Key]*dialog
	questions int  // that wait
	ended     bool // no job begins any more

	ran    atomic.Bool
	jobs   sync.WaitGroup
	counts counters
}

// New opens sockets to the servers. What it returns must be run.
func New(o Options) (*Relay, error) {
	o.Wait = cmp.Or(o.Wait, 400*time.Millisecond)
	o.Questions = cmp.Or(o.Questions, 1024)
	if o.Heard == nil {
		o.Heard = func(Failure) {}
	}
	// A command is sent at most three times within Wait: at its beginning, after a fifth of it and after three.
	client, err := ng.NewClient(ng.ClientConfig{Servers: o.Servers, Interval: max(o.Wait/5, time.Millisecond), Ping: o.Ping, Outstanding: 4 * o.Questions})
	if err != nil {
		return nil, err
	}
	return &Relay{o: o, client: client, dialogs: make(map[relay.Key]*dialog)}, nil
}

// Run serves until ctx ends. Calls that live go on living: nothing is deleted.
func (r *Relay) Run(ctx context.Context) error {
	r.ran.Store(true)
	err := r.client.Run(ctx)
	r.mu.Lock()
	r.ended = true
	r.mu.Unlock()
	r.jobs.Wait() // each ends at once, for the client has ended
	return err
}

// Close gives back what New took, if there was no Run.
func (r *Relay) Close() {
	if r.ran.Load() {
		return
	}
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	r.Run(ended)
}

// Len is how many dialogs there are.
func (r *Relay) Len() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.dialogs)
}

// Health is what is known of the servers.
func (r *Relay) Health() []ng.ServerHealth { return r.client.Health() }

// Counters are totals since New.
type Counters struct {
	Outcomes  map[relay.Outcome]uint64
	Faults    map[sdp.Fault]uint64
	Failures  map[Failure]uint64 // descriptions that went on as they came, by why
	Withdrawn uint64             // offers that failed
	Client    ng.ClientCounters
}

type counters struct {
	outcomes  [relay.NoFamily + 1]atomic.Uint64
	faults    sync.Map // sdp.Fault -> *atomic.Uint64
	failures  [failures]atomic.Uint64
	withdrawn atomic.Uint64
}

// Counters returns the figures as they are now. Every outcome, fault and failure is there, counted or not.
func (r *Relay) Counters() Counters {
	c := Counters{Outcomes: make(map[relay.Outcome]uint64), Faults: make(map[sdp.Fault]uint64), Failures: make(map[Failure]uint64),
		Withdrawn: r.counts.withdrawn.Load(), Client: r.client.Counters()}
	for o := range r.counts.outcomes {
		c.Outcomes[relay.Outcome(o)] = r.counts.outcomes[o].Load()
	}
	for f := range Failures() {
		c.Failures[f] = r.counts.failures[f].Load()
	}
	for f := range sdp.Faults() {
		c.Faults[f] = 0
		if n, ok := r.counts.faults.Load(f); ok {
			c.Faults[f] = n.(*atomic.Uint64).Load()
		}
	}
	return c
}

// counted is v, counted.
func (c *counters) counted(v relay.Verdict) relay.Verdict {
	c.outcomes[v.Outcome].Add(1)
	if v.Fault != sdp.FaultNone {
		n, _ := c.faults.LoadOrStore(v.Fault, new(atomic.Uint64))
		n.(*atomic.Uint64).Add(1)
	}
	return v
}
