package mediametrics

import (
	"github.com/hotcut/hotcut/media"
	"github.com/hotcut/hotcut/media/relay"
	"github.com/hotcut/hotcut/media/sdp"
	"github.com/hotcut/hotcut/proxy/metrics"
)

// Source is where the figures come from. Each func is asked at every scrape, and says false where there is nothing to ask.
type Source struct {
	Engine       func() (media.Counters, bool)
	Relay        func() (relay.Counters, bool) // of the same process as Engine
	Descriptions func() (relay.Counters, bool) // of whoever reads descriptions: also where servers relay
	Pairs        func() int                    // of ports, of each address; nil: it is not known how many are in use
}

// Events is the counter of what happens to sessions: count an event with its kind less media.EventNoLock.
func Events(s *metrics.Set) *metrics.Vec {
	var kinds []string
	for k := media.EventNoLock; k <= media.EventClosed; k++ {
		kinds = append(kinds, k.String())
	}
	return s.Counter("hotcut_media_events_total", "what happened to media sessions", "event", kinds)
}

// Register exports what a relay counts.
func Register(s *metrics.Set, src Source) {
	engine := func(f func(c *media.Counters) []metrics.Sample) func() []metrics.Sample {
		return func() []metrics.Sample {
			c, ok := src.Engine()
			if !ok {
				return nil
			}
			return f(&c)
		}
	}
	s.Gauge("hotcut_media_sessions", "media lines that are relayed", engine(func(c *media.Counters) []metrics.Sample { return One(c.Sessions) }))
	s.CounterFunc("hotcut_media_sessions_total", "media lines relayed since the start", engine(func(c *media.Counters) []metrics.Sample { return One(c.Opened) }))
	s.CounterFunc("hotcut_media_packets_total", "media packets relayed", engine(func(c *media.Counters) []metrics.Sample { return One(c.Packets) }))
	s.CounterFunc("hotcut_media_relayed_bytes_total", "media bytes relayed", engine(func(c *media.Counters) []metrics.Sample { return One(c.Bytes) }))
	s.CounterFunc("hotcut_media_dropped_total", "media packets not relayed, by reason", engine(func(c *media.Counters) []metrics.Sample {
		list := []metrics.Sample{{Labels: []string{"kernel"}, Value: float64(c.Kernel)}}
		for _, d := range media.Drops() {
			list = append(list, metrics.Sample{Labels: []string{d.String()}, Value: float64(c.Dropped[d])})
		}
		return list
	}), "reason")
	s.Gauge("hotcut_media_ports", "pairs of media ports", engine(src.ports), "address", "state")
	s.CounterFunc("hotcut_media_ports_early_total", "pairs of media ports that were used again before they had rested for 30 s", engine(func(c *media.Counters) (list []metrics.Sample) {
		for _, p := range c.Ports {
			list = append(list, metrics.Sample{Labels: []string{p.Addr.String()}, Value: float64(p.Early)})
		}
		return list
	}), "address")
	s.CounterFunc("hotcut_media_trouble_total", "what went wrong in the relay, and cost no call", engine(func(c *media.Counters) []metrics.Sample {
		r, ok := src.Relay()
		if !ok {
			return nil
		}
		return words([]string{"events_lost", "not_restored", "deaf", "journal", "unusable_address", "line_without_ports", "no_descriptors"},
			c.EventsLost, c.NotRestored, c.Deaf, c.JournalErrors, r.Unusable, r.Unplaced, r.Unopened)
	}), "what")
	registerDescriptions(s, src.Descriptions)
}

func (src *Source) ports(c *media.Counters) (list []metrics.Sample) {
	for _, p := range c.Ports {
		add := func(state string, n int) {
			list = append(list, metrics.Sample{Labels: []string{p.Addr.String(), state}, Value: float64(n)})
		}
		if src.Pairs != nil {
			add("used", src.Pairs()-p.Free-p.Resting)
		}
		add("free", p.Free)
		add("resting", p.Resting)
	}
	return list
}

func registerDescriptions(s *metrics.Set, counters func() (relay.Counters, bool)) {
	described := func(f func(c *relay.Counters) []metrics.Sample) func() []metrics.Sample {
		return func() []metrics.Sample {
			c, ok := counters()
			if !ok {
				return nil
			}
			return f(&c)
		}
	}
	s.CounterFunc("hotcut_media_descriptions_total", "session descriptions of relayed calls, by what became of them", described(func(c *relay.Counters) (list []metrics.Sample) {
		for o := relay.Anchored; o <= relay.NoFamily; o++ {
			list = append(list, metrics.Sample{Labels: []string{o.String()}, Value: float64(c.Outcomes[o])})
		}
		return list
	}), "outcome")
	s.CounterFunc("hotcut_media_refused_total", "session descriptions that no two readers read alike, by fault", described(func(c *relay.Counters) (list []metrics.Sample) {
		for f := range sdp.Faults() {
			list = append(list, metrics.Sample{Labels: []string{f.String()}, Value: float64(c.Faults[f])})
		}
		return list
	}), "fault")
	s.CounterFunc("hotcut_media_withdrawn_total", "offers that were refused: their session is what it was before", described(func(c *relay.Counters) []metrics.Sample { return One(c.Withdrawn) }))
}

// One is a figure without labels.
func One[N int | int64 | uint64](n N) []metrics.Sample { return []metrics.Sample{{Value: float64(n)}} }

func words(names []string, values ...uint64) (list []metrics.Sample) {
	for i, name := range names {
		list = append(list, metrics.Sample{Labels: []string{name}, Value: float64(values[i])})
	}
	return list
}
