package proxy

import (
	"github.com/hotcut/hotcut/media"
	"github.com/hotcut/hotcut/media/relay"
	"github.com/hotcut/hotcut/media/remote"
	"github.com/hotcut/hotcut/media/sdp"
	"github.com/hotcut/hotcut/proxy/metrics"
)

// mediaCounters are what the edge counts of media itself.
type mediaCounters struct {
	mediaEvents  *metrics.Vec // by media.EventKind - 1
	mediaMOS     *metrics.Vec
	mediaLate    *metrics.Vec
	mediaExpired *metrics.Vec
}

func (c *mediaCounters) register(s *metrics.Set, e *Edge) {
	var events []string
	for k := media.EventNoLock; k <= media.EventClosed; k++ {
		events = append(events, k.String())
	}
	c.mediaEvents = s.Counter("hotcut_media_events_total", "what happened to media sessions", "event", events)
	c.mediaMOS = s.Counter("hotcut_media_mos_total", "ended calls by how the party of a leg was heard: MOS (ITU-T G.107) of this or up to the next class", "leg,mos", mosWords)
	c.mediaLate = s.Counter("hotcut_media_late_total", "descriptions in responses that no session was found for after a restart: they passed as they came", "", nil)
	c.mediaExpired = s.Counter("hotcut_media_expired_total", "media sessions ended after an hour of silence: their BYE passed us by", "", nil)

	engine := func(f func(c *media.Counters) []metrics.Sample) func() []metrics.Sample {
		return func() []metrics.Sample {
			if e.media == nil || e.media.engine == nil {
				return nil
			}
			c := e.media.engine.Counters()
			return f(&c)
		}
	}
	one := func(n uint64) []metrics.Sample { return []metrics.Sample{{Value: float64(n)}} }
	s.Gauge("hotcut_media_sessions", "media lines that are relayed", engine(func(c *media.Counters) []metrics.Sample { return one(uint64(c.Sessions)) }))
	s.CounterFunc("hotcut_media_sessions_total", "media lines relayed since the start", engine(func(c *media.Counters) []metrics.Sample { return one(c.Opened) }))
	s.CounterFunc("hotcut_media_packets_total", "media packets relayed", engine(func(c *media.Counters) []metrics.Sample { return one(c.Packets) }))
	s.CounterFunc("hotcut_media_relayed_bytes_total", "media bytes relayed", engine(func(c *media.Counters) []metrics.Sample { return one(c.Bytes) }))
	s.CounterFunc("hotcut_media_dropped_total", "media packets not relayed, by reason", engine(func(c *media.Counters) []metrics.Sample {
		list := []metrics.Sample{{Labels: []string{"kernel"}, Value: float64(c.Kernel)}}
		for _, d := range media.Drops() {
			list = append(list, metrics.Sample{Labels: []string{d.String()}, Value: float64(c.Dropped[d])})
		}
		return list
	}), "reason")
	s.Gauge("hotcut_media_ports", "pairs of media ports", engine(func(c *media.Counters) []metrics.Sample {
		var list []metrics.Sample
		for _, p := range c.Ports {
			for _, x := range []struct {
				state string
				n     int
			}{{"used", e.media.pairs - p.Free - p.Resting}, {"free", p.Free}, {"resting", p.Resting}} {
				list = append(list, metrics.Sample{Labels: []string{p.Addr.String(), x.state}, Value: float64(x.n)})
			}
		}
		return list
	}), "address", "state")
	s.CounterFunc("hotcut_media_ports_early_total", "pairs of media ports that were used again before they had rested for 30 s", engine(func(c *media.Counters) []metrics.Sample {
		var list []metrics.Sample
		for _, p := range c.Ports {
			list = append(list, metrics.Sample{Labels: []string{p.Addr.String()}, Value: float64(p.Early)})
		}
		return list
	}), "address")
	s.CounterFunc("hotcut_media_trouble_total", "what went wrong in the relay, and cost no call", func() []metrics.Sample {
		if e.media == nil || e.media.engine == nil {
			return nil
		}
		c, r := e.media.engine.Counters(), e.media.relay.Counters()
		var list []metrics.Sample
		for _, x := range []struct {
			what string
			n    uint64
		}{
			{"events_lost", c.EventsLost}, {"not_restored", c.NotRestored}, {"deaf", c.Deaf}, {"journal", c.JournalErrors},
			{"unusable_address", r.Unusable}, {"line_without_ports", r.Unplaced}, {"no_descriptors", r.Unopened},
		} {
			list = append(list, metrics.Sample{Labels: []string{x.what}, Value: float64(x.n)})
		}
		return list
	}, "what")
	e.registerDescriptions(s)
	e.registerServers(s)
}

// descriptions are what either engine counts of session descriptions.
func (p *mediaPlane) descriptions() relay.Counters {
	if p.remote == nil {
		return p.relay.Counters()
	}
	c := p.remote.Counters()
	return relay.Counters{Outcomes: c.Outcomes, Faults: c.Faults, Withdrawn: c.Withdrawn}
}

// registerDescriptions exports what the relay makes of session descriptions.
func (e *Edge) registerDescriptions(s *metrics.Set) {
	s.CounterFunc("hotcut_media_descriptions_total", "session descriptions of relayed calls, by what became of them", func() []metrics.Sample {
		if e.media == nil {
			return nil
		}
		c := e.media.descriptions()
		var list []metrics.Sample
		for o := relay.Anchored; o <= relay.NoFamily; o++ {
			list = append(list, metrics.Sample{Labels: []string{o.String()}, Value: float64(c.Outcomes[o])})
		}
		return list
	}, "outcome")
	s.CounterFunc("hotcut_media_refused_total", "session descriptions that no two readers read alike, by fault", func() []metrics.Sample {
		if e.media == nil {
			return nil
		}
		c := e.media.descriptions()
		var list []metrics.Sample
		for f := range sdp.Faults() {
			list = append(list, metrics.Sample{Labels: []string{f.String()}, Value: float64(c.Faults[f])})
		}
		return list
	}, "fault")
	s.CounterFunc("hotcut_media_withdrawn_total", "offers that were refused: their session is what it was before", func() []metrics.Sample {
		if e.media == nil {
			return nil
		}
		return []metrics.Sample{{Value: float64(e.media.descriptions().Withdrawn)}}
	})
}

// registerServers exports how media servers do.
func (e *Edge) registerServers(s *metrics.Set) {
	remotely := func(f func(r *remote.Relay) []metrics.Sample) func() []metrics.Sample {
		return func() []metrics.Sample {
			if !e.media.asks() {
				return nil
			}
			return f(e.media.remote)
		}
	}
	s.Gauge("hotcut_media_server_up", "1 while a media server answers", remotely(func(r *remote.Relay) (list []metrics.Sample) {
		for _, h := range r.Health() {
			up := 0.0
			if h.Up {
				up = 1
			}
			list = append(list, metrics.Sample{Labels: []string{h.Server.String()}, Value: up})
		}
		return list
	}), "server")
	s.Gauge("hotcut_media_server_calls", "calls that media servers relay for this edge", remotely(func(r *remote.Relay) []metrics.Sample {
		return []metrics.Sample{{Value: float64(r.Len())}}
	}))
	s.CounterFunc("hotcut_media_server_failed_total", "session descriptions that passed as they came because no media server took them, by why", remotely(func(r *remote.Relay) (list []metrics.Sample) {
		c := r.Counters()
		for f := range remote.Failures() {
			list = append(list, metrics.Sample{Labels: []string{f.String()}, Value: float64(c.Failures[f])})
		}
		return list
	}), "why")
	s.CounterFunc("hotcut_media_server_commands_total", "commands to media servers: sent in all, repeated, not answered, given to another server", remotely(func(r *remote.Relay) []metrics.Sample {
		c := r.Counters().Client
		return []metrics.Sample{{Labels: []string{"sent"}, Value: float64(c.Sent)}, {Labels: []string{"repeated"}, Value: float64(c.Repeated)},
			{Labels: []string{"timeout"}, Value: float64(c.Timeouts)}, {Labels: []string{"failover"}, Value: float64(c.Failovers)}}
	}), "what")
}
