package main

import (
	"net/http"

	"github.com/hotcut/hotcut/media"
	"github.com/hotcut/hotcut/media/node"
	"github.com/hotcut/hotcut/media/relay"
	"github.com/hotcut/hotcut/media/sdp"
	"github.com/hotcut/hotcut/proxy/metrics"
)

// mediaEvents counts what happens to sessions.
type mediaEvents struct {
	set   *metrics.Set
	count *metrics.Vec
}

func newMediaEvents() *mediaEvents {
	var kinds []string
	for k := media.EventNoLock; k <= media.EventClosed; k++ {
		kinds = append(kinds, k.String())
	}
	set := metrics.New()
	return &mediaEvents{set, set.Counter("hotcut_media_events_total", "what happened to media sessions", "event", kinds)}
}

func (e *mediaEvents) note(ev media.Event) { e.count.Inc(int(ev.Kind - media.EventNoLock)) }

// mediaHandler serves /metrics, under the names that an edge has for the same things, and /healthz.
func mediaHandler(n *node.Node, events *mediaEvents) http.Handler {
	s := events.set
	engine := func(f func(media.Counters) []metrics.Sample) func() []metrics.Sample {
		return func() []metrics.Sample { return f(n.Engine().Counters()) }
	}
	s.Gauge("hotcut_media_sessions", "media lines that are relayed", engine(func(c media.Counters) []metrics.Sample { return sample(c.Sessions) }))
	s.CounterFunc("hotcut_media_sessions_total", "media lines relayed since the start", engine(func(c media.Counters) []metrics.Sample { return sample(c.Opened) }))
	s.CounterFunc("hotcut_media_packets_total", "media packets relayed", engine(func(c media.Counters) []metrics.Sample { return sample(c.Packets) }))
	s.CounterFunc("hotcut_media_relayed_bytes_total", "media bytes relayed", engine(func(c media.Counters) []metrics.Sample { return sample(c.Bytes) }))
	s.CounterFunc("hotcut_media_dropped_total", "media packets not relayed, by reason", engine(func(c media.Counters) []metrics.Sample {
		list := []metrics.Sample{{Labels: []string{"kernel"}, Value: float64(c.Kernel)}}
		for _, d := range media.Drops() {
			list = append(list, metrics.Sample{Labels: []string{d.String()}, Value: float64(c.Dropped[d])})
		}
		return list
	}), "reason")
	s.Gauge("hotcut_media_ports", "pairs of media ports", engine(func(c media.Counters) []metrics.Sample {
		var list []metrics.Sample
		for _, p := range c.Ports {
			list = append(list, metrics.Sample{Labels: []string{p.Addr.String(), "free"}, Value: float64(p.Free)},
				metrics.Sample{Labels: []string{p.Addr.String(), "resting"}, Value: float64(p.Resting)})
		}
		return list
	}), "address", "state")
	s.CounterFunc("hotcut_media_ports_early_total", "pairs of media ports that were used again before they had rested for 30 s", engine(func(c media.Counters) []metrics.Sample {
		var list []metrics.Sample
		for _, p := range c.Ports {
			list = append(list, metrics.Sample{Labels: []string{p.Addr.String()}, Value: float64(p.Early)})
		}
		return list
	}), "address")
	s.CounterFunc("hotcut_media_trouble_total", "what went wrong in the relay, and cost no call", func() []metrics.Sample {
		c, r := n.Engine().Counters(), n.Relay().Counters()
		return counts([]string{"events_lost", "not_restored", "deaf", "journal", "unusable_address", "line_without_ports", "no_descriptors"},
			[]uint64{c.EventsLost, c.NotRestored, c.Deaf, c.JournalErrors, r.Unusable, r.Unplaced, r.Unopened})
	}, "what")
	s.CounterFunc("hotcut_media_descriptions_total", "session descriptions of relayed calls, by what became of them", func() []metrics.Sample {
		var list []metrics.Sample
		c := n.Relay().Counters()
		for o := relay.Anchored; o <= relay.NoFamily; o++ {
			list = append(list, metrics.Sample{Labels: []string{o.String()}, Value: float64(c.Outcomes[o])})
		}
		return list
	}, "outcome")
	s.CounterFunc("hotcut_media_refused_total", "session descriptions that no two readers read alike, by fault", func() []metrics.Sample {
		var list []metrics.Sample
		c := n.Relay().Counters()
		for f := range sdp.Faults() {
			list = append(list, metrics.Sample{Labels: []string{f.String()}, Value: float64(c.Faults[f])})
		}
		return list
	}, "fault")
	s.CounterFunc("hotcut_media_expired_total", "calls ended by silence: their delete was lost", func() []metrics.Sample { return sample(n.Expired()) })
	s.CounterFunc("hotcut_media_commands_total", "NG commands taken, by what became of them; the rest are silences by reason", func() []metrics.Sample {
		var list []metrics.Sample
		for word, count := range n.Commands() {
			list = append(list, metrics.Sample{Labels: []string{word}, Value: float64(count)})
		}
		return list
	}, "outcome")
	mux := http.NewServeMux()
	mux.Handle("/metrics", s.Handler())
	mux.HandleFunc("/healthz", func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte("ok\n")) })
	return mux
}

func sample[N int | uint64](n N) []metrics.Sample { return []metrics.Sample{{Value: float64(n)}} }

func counts(words []string, values []uint64) (list []metrics.Sample) {
	for i, word := range words {
		list = append(list, metrics.Sample{Labels: []string{word}, Value: float64(values[i])})
	}
	return list
}
