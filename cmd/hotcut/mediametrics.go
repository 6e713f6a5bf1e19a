package main

import (
	"net/http"

	"github.com/hotcut/hotcut/media"
	"github.com/hotcut/hotcut/media/node"
	"github.com/hotcut/hotcut/media/relay"
	"github.com/hotcut/hotcut/proxy/mediametrics"
	"github.com/hotcut/hotcut/proxy/metrics"
)

// mediaEvents counts what happens to sessions.
type mediaEvents struct {
	set   *metrics.Set
	count *metrics.Vec
}

func newMediaEvents() *mediaEvents {
	set := metrics.New()
	return &mediaEvents{set, mediametrics.Events(set)}
}

func (e *mediaEvents) note(ev media.Event) { e.count.Inc(int(ev.Kind - media.EventNoLock)) }

// mediaHandler serves /metrics, under the names that an edge has for the same things, and /healthz.
func mediaHandler(n *node.Node, events *mediaEvents) http.Handler {
	s := events.set
	described := func() (relay.Counters, bool) { return n.Relay().Counters(), true }
	mediametrics.Register(s, mediametrics.Source{
		Engine: func() (media.Counters, bool) { return n.Engine().Counters(), true }, Relay: described, Descriptions: described,
	})
	s.CounterFunc("hotcut_media_expired_total", "calls ended by silence: their delete was lost", func() []metrics.Sample { return mediametrics.One(n.Expired()) })
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
