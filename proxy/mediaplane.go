package proxy

import (
	"context"
	"fmt"
	"net/netip"
	"sync"
	"sync/atomic"

	"github.com/hotcut/hotcut/media"
	"github.com/hotcut/hotcut/media/relay"
	"github.com/hotcut/hotcut/media/remote"
	"github.com/hotcut/hotcut/proxy/config"
)

// mediaPlane is who relays: this process (engine and relay), or servers (remote). Its methods are all that the rest of the
// edge knows of the difference, but for one thing: a server must be asked, and what it is asked about waits (mediawait.go).
type mediaPlane struct {
	engine  *media.Engine  // nil: servers
	relay   *relay.Relay   // nil: servers
	remote  *remote.Relay  // nil: this process
	pairs   int            // of ports, of each address
	closing sync.WaitGroup // final figures that are still to come
	outage  atomic.Bool    // of the servers: it is in the log
}

// openServers makes the client of the media servers.
func (e *Edge) openServers(res *config.MediaRelay) error {
	p := &mediaPlane{}
	r, err := remote.New(remote.Options{Servers: res.Servers, Interfaces: res.Interfaces, Wait: res.Wait, Heard: func(why remote.Failure) { e.mediaHeard(p, why) }})
	if err != nil {
		return fmt.Errorf("media: %w", err)
	}
	p.remote = r
	e.media = p
	return nil
}

// mediaHeard writes the beginning and the end of an outage into the log, once each.
func (e *Edge) mediaHeard(p *mediaPlane, why remote.Failure) {
	switch why {
	case remote.FailureClosed:
	case remote.FailureNone:
		if p.outage.Load() && p.outage.CompareAndSwap(true, false) {
			e.lines.put(func() { e.log.Info("media servers relay calls again") })
		}
	default:
		if p.outage.CompareAndSwap(false, true) {
			e.lines.put(func() {
				e.log.Warn("a media server did not take a call's media: such calls go on without being relayed", "why", why.String())
			})
		}
	}
}

// asks: what a message says of media must be asked of somebody.
func (p *mediaPlane) asks() bool { return p != nil && p.remote != nil }

func (p *mediaPlane) run(ctx context.Context) error {
	if p.remote != nil {
		return p.remote.Run(ctx)
	}
	return p.engine.Run(ctx)
}

// close gives back what was opened, if there was no run.
func (p *mediaPlane) close() {
	if p.remote != nil {
		p.remote.Close()
		return
	}
	p.engine.Close()
}

// family is the address family in which a party is spoken to, if the relay speaks it. Servers are asked for it, and know.
func (p *mediaPlane) family(leg media.Leg, a netip.Addr) media.Family {
	f := media.IPv6
	if a.Unmap().Is4() {
		f = media.IPv4
	}
	if p.remote != nil && a.IsValid() || p.remote == nil && p.engine.Has(leg, f) {
		return f
	}
	return media.AnyFamily
}

// failedFrom takes back the last offer of a party.
func (p *mediaPlane) failedFrom(k relay.Key, from media.Leg) {
	if p.remote != nil {
		p.remote.FailedFrom(k, from)
		return
	}
	p.relay.FailedFrom(k, from)
}

// end ends a session. final gets the figures later, or nil if there are none. false: there is no session, and nobody is called.
func (p *mediaPlane) end(k relay.Key, final func(*relay.Quality)) bool {
	if p.remote == nil {
		return p.relay.Close(k, func(q relay.Quality) { final(&q) })
	}
	p.remote.End(k, func(q relay.Quality, known bool) {
		if !known {
			final(nil)
			return
		}
		final(&q)
	})
	return true
}

// quality is how a session sounds. It may wait.
func (p *mediaPlane) quality(k relay.Key) (relay.Quality, bool) {
	if p.remote != nil {
		return p.remote.Quality(k)
	}
	return p.relay.Quality(k)
}
