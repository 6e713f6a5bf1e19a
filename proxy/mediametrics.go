package proxy

import (
	"github.com/hotcut/hotcut/media"
	"github.com/hotcut/hotcut/media/relay"
	"github.com/hotcut/hotcut/media/remote"
	"github.com/hotcut/hotcut/proxy/mediametrics"
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
	c.mediaEvents = mediametrics.Events(s)
	c.mediaMOS = s.Counter("hotcut_media_mos_total", "ended calls by how the party of a leg was heard: MOS (ITU-T G.107) of this or up to the next class", "leg,mos", mosWords)
	c.mediaLate = s.Counter("hotcut_media_late_total", "descriptions in responses that no session was found for after a restart: they passed as they came", "", nil)
	c.mediaExpired = s.Counter("hotcut_media_expired_total", "media sessions ended after an hour of silence: their BYE passed us by", "", nil)

	mediametrics.Register(s, mediametrics.Source{
		Engine: func() (c media.Counters, ok bool) {
			if ok = e.media != nil && e.media.engine != nil; ok {
				c = e.media.engine.Counters()
			}
			return c, ok
		},
		Relay: func() (c relay.Counters, ok bool) {
			if ok = e.media != nil && e.media.relay != nil; ok {
				c = e.media.relay.Counters()
			}
			return c, ok
		},
		Descriptions: func() (c relay.Counters, ok bool) {
			if ok = e.media != nil; ok {
				c = e.media.descriptions()
			}
			return c, ok
		},
		Pairs: func() int { return e.media.pairs },
	})
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
