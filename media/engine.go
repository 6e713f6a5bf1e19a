package media

import (
	"context"
	"fmt"
	"iter"
	"net/netip"
	"runtime"
	"slices"
	"sync"
	"time"
)

const eventsKept = 1024

// An Engine relays the media of many sessions. New binds what the journal has, Run works, and everything has ended when
// Run returns. Its methods may be called from any goroutine, also before Run: packets wait in the kernel until then.
type Engine struct {
	// Set once by New.
	options Options
	epoch   time.Time
	pools   map[netip.Addr]*portPool
	threads []*thread
	journal *journal
	events  chan Event
	stop    chan struct{} // closed by Close, and when Run's context ends
	ended   chan struct{} // closed when nothing runs any more

	mu       sync.Mutex // guards what follows
	sessions map[SessionKey]*Session
	opened   uint64
	ran      bool
	closed   bool

	counts counters
}

// New checks the options and takes up what the journal holds. Without a Run, Close gives everything back.
func New(o Options) (*Engine, error) {
	o.setDefaults(runtime.GOMAXPROCS(0))
	if err := o.validate(); err != nil {
		return nil, err
	}
	o.MediaNets = slices.Clone(o.MediaNets)
	e := &Engine{
		options: o, epoch: time.Now(),
		pools: make(map[netip.Addr]*portPool), sessions: make(map[SessionKey]*Session),
		events: make(chan Event, eventsKept), stop: make(chan struct{}), ended: make(chan struct{}),
	}
	for _, a := range []netip.Addr{o.Outside, o.Inside, o.Outside6, o.Inside6} {
		if a.IsValid() && e.pools[a] == nil {
			e.pools[a] = newPortPool(a, o.Ports)
		}
	}
	for range o.Threads {
		t, err := newThread(e)
		if err != nil {
			e.teardown()
			return nil, fmt.Errorf("media: %w", err)
		}
		e.threads = append(e.threads, t)
	}
	if err := e.takeUp(); err != nil {
		e.teardown()
		return nil, err
	}
	return e, nil
}

// takeUp opens the journal and the sessions in it.
func (e *Engine) takeUp() error {
	j, records, err := openJournal(e.options.State)
	if err != nil {
		return err
	}
	e.journal = j
	for _, r := range records {
		if err := e.restore(r); err != nil {
			e.counts.notRestored.Add(1)
		}
	}
	return e.journal.compact(e.Sessions())
}

// Run relays until ctx ends or Close is called. Living sessions stay in the journal.
//
// A thread that waits for packets keeps its processor of the Go scheduler (GOMAXPROCS), so Run adds one per thread and
// takes them away at the end: the rest of the process loses none.
func (e *Engine) Run(ctx context.Context) error {
	e.mu.Lock()
	if e.closed || e.ran {
		e.mu.Unlock()
		return ErrClosed
	}
	e.ran = true
	e.mu.Unlock()
	runtime.GOMAXPROCS(runtime.GOMAXPROCS(0) + len(e.threads))
	defer func() { runtime.GOMAXPROCS(runtime.GOMAXPROCS(0) - len(e.threads)) }()

	halt := make(chan struct{})
	var threads, writers sync.WaitGroup
	for _, t := range e.threads {
		t.begin()
		threads.Go(func() { t.run(halt) })
	}
	quit := make(chan struct{})
	writers.Go(func() { e.report(quit) })
	writers.Go(func() { e.journal.run(quit, e) })

	select {
	case <-ctx.Done():
	case <-e.stop:
	}
	e.mu.Lock()
	e.closed = true
	e.mu.Unlock()
	close(halt)
	for _, t := range e.threads {
		t.do(func() {})
	}
	threads.Wait()
	close(quit)
	writers.Wait()
	e.teardown()
	close(e.ended)
	return nil
}

// Close ends Run, or gives back what New took if there was none. It returns when that is done.
func (e *Engine) Close() {
	e.mu.Lock()
	first := !e.closed
	e.closed = true
	ran := e.ran
	if first {
		close(e.stop)
	}
	e.mu.Unlock()
	switch {
	case ran:
		<-e.ended
	case first:
		e.teardown()
	}
}

// teardown closes every descriptor.
func (e *Engine) teardown() {
	for _, t := range e.threads {
		t.close()
	}
	e.journal.close()
	e.mu.Lock()
	clear(e.sessions)
	e.mu.Unlock()
}

// report calls OnEvent.
func (e *Engine) report(quit <-chan struct{}) {
	for {
		select {
		case ev := <-e.events:
			e.options.OnEvent(ev)
			continue
		default:
		}
		select {
		case ev := <-e.events:
			e.options.OnEvent(ev)
		case <-quit:
			if len(e.events) == 0 {
				return
			}
		}
	}
}

// emit never waits.
func (e *Engine) emit(ev Event) {
	select {
	case e.events <- ev:
	default:
		e.counts.eventsLost.Add(1)
	}
}

// forget takes a session out of the books; its thread does the rest.
func (e *Engine) forget(s *Session) {
	e.mu.Lock()
	if e.sessions[s.key] == s {
		delete(e.sessions, s.key)
	}
	e.journal.end(s)
	e.mu.Unlock()
}

// living is how many sessions there are.
func (e *Engine) living() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return len(e.sessions)
}

// Session finds a living session.
func (e *Engine) Session(key SessionKey) (*Session, bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	s, ok := e.sessions[key]
	return s, ok
}

// Sessions lists the living sessions, in no order.
func (e *Engine) Sessions() iter.Seq[*Session] {
	e.mu.Lock()
	defer e.mu.Unlock()
	list := make([]*Session, 0, len(e.sessions))
	for _, s := range e.sessions {
		list = append(list, s)
	}
	return slices.Values(list)
}

// Owns says whether an address is the port of a living session of ours, as bound or as advertised: SDP that names it
// comes from another pass of a call through us.
func (e *Engine) Owns(a netip.AddrPort) bool {
	_, ours := e.owned(unmapped(a))
	return ours
}

// owned turns an address that Owns into the bound one: what is sent there has to arrive, whatever the network makes of
// the advertised address from within.
func (e *Engine) owned(a netip.AddrPort) (bound netip.AddrPort, ours bool) {
	for addr, pool := range e.pools {
		if (addr == a.Addr() || e.options.Advertise[addr] == a.Addr()) && pool.inUse(a.Port()) {
			return netip.AddrPortFrom(addr, a.Port()), true
		}
	}
	return a, false
}

// now is the engine's clock.
func (e *Engine) now() time.Duration { return time.Since(e.epoch) }

func (e *Engine) wall(d time.Duration) time.Time { return e.epoch.Add(d) }
