package node

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/hotcut/hotcut/media"
	"github.com/hotcut/hotcut/media/ng"
	"github.com/hotcut/hotcut/media/relay"
)

// Config is what a Node is told.
type Config struct {
	Media  media.Options
	Server ng.ServerConfig
	Names  [2]string     // of the two sides, by media.Leg, in "direction". Empty: outside and inside
	Silent time.Duration // a call without packets or commands for so long is over: its delete was lost. 0: never
}

// Validate names every fault that can be seen without binding anything.
func (c *Config) Validate() error {
	errs := []error{c.Server.Validate()}
	if c.Names[0] == c.Names[1] && c.Names[0] != "" {
		errs = append(errs, fmt.Errorf("node: both sides are called %q", c.Names[0]))
	}
	if c.Silent < 0 || c.Silent > 0 && c.Silent < time.Second {
		errs = append(errs, fmt.Errorf("node: calls that are silent for %v are not over; want 1s or more, or 0 for never", c.Silent))
	}
	return errors.Join(errs...)
}

// A Node relays what an NG client says. New binds, Run works, and everything has ended when Run returns. Commands are
// carried out one at a time, by the server's goroutine.
type Node struct {
	// Set once by New.
	config Config
	engine *media.Engine
	relay  *relay.Relay
	server *ng.Server

	mu      sync.Mutex // guards what follows, and every pass
	calls   map[string][]*pass
	expired uint64 // passes that ended by silence
}

// New binds the control port and takes up what the journal has. Without a Run, Close gives everything back.
func New(c Config) (*Node, error) {
	if c.Names == [2]string{} {
		c.Names = [2]string{media.Outside.String(), media.Inside.String()}
	}
	if err := c.Validate(); err != nil {
		return nil, err
	}
	engine, err := media.New(c.Media)
	if err != nil {
		return nil, err
	}
	n := &Node{config: c, engine: engine, relay: relay.New(relay.Options{Engine: engine}), calls: make(map[string][]*pass)}
	n.server, err = ng.NewServer(c.Server, ng.Handler{
		Offer: n.offer, Answer: n.answer, Delete: n.delete, Query: n.query, List: n.list, Statistics: n.statistics,
	})
	if err != nil {
		engine.Close()
		return nil, err
	}
	for _, k := range n.relay.Keys() {
		n.takeUp(k)
	}
	return n, nil
}

// Addr is where commands are taken.
func (n *Node) Addr() netip.AddrPort { return n.server.Addr() }

// Engine is the engine, for metrics.
func (n *Node) Engine() *media.Engine { return n.engine }

// Relay is the relay, for metrics.
func (n *Node) Relay() *relay.Relay { return n.relay }

// Commands yields what the server has counted.
func (n *Node) Commands() iter.Seq2[string, uint64] { return n.server.Counters() }

// Expired is how many passes ended by silence.
func (n *Node) Expired() uint64 {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.expired
}

// Close gives back what New took, if there was no Run.
func (n *Node) Close() {
	n.server.Close()
	n.engine.Close()
}

// Run relays until ctx ends. Calls that live stay in the journal.
func (n *Node) Run(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return n.engine.Run(ctx) })
	g.Go(func() error { return n.server.Run(ctx) })
	g.Go(func() error { n.watch(ctx); return nil })
	return g.Wait()
}

// watch ends what is silent, and what was to be deleted later.
func (n *Node) watch(ctx context.Context) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for look := time.Now(); ; {
		select {
		case <-ctx.Done():
			return
		case now := <-tick.C:
			n.endDue(now)
			if s := n.config.Silent; s > 0 && now.Sub(look) >= min(s/4, time.Minute) {
				look = now
				n.endSilent(now)
			}
		}
	}
}

// endDue ends what a delete with a delay has named.
func (n *Node) endDue(now time.Time) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, passes := range n.calls {
		for _, p := range passes {
			if !p.due.IsZero() && !now.Before(p.due) {
				n.end(p)
			}
		}
	}
}

// endSilent ends the passes whose parties have gone.
func (n *Node) endSilent(now time.Time) {
	for _, p := range n.all() {
		q, _ := n.relay.Quality(p.key)
		last := lastHeard(&q)
		n.mu.Lock()
		if last.Before(p.said) {
			last = p.said
		}
		if now.Sub(last) >= n.config.Silent && n.end(p) {
			n.expired++
		}
		n.mu.Unlock()
	}
}

func lastHeard(q *relay.Quality) (last time.Time) {
	for _, st := range q.Lines {
		for _, leg := range st.Legs {
			if leg.In.Last.After(last) {
				last = leg.In.Last
			}
		}
	}
	return last
}
