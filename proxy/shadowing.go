package proxy

import (
	"github.com/hotcut/hotcut/proxy/admin"
	"github.com/hotcut/hotcut/proxy/metrics"
)

// Shadowing is a mirror beside the edge, as far as the edge shows it: to its metrics and to its operators. The edge runs nothing of it.
type Shadowing struct {
	State func() ShadowState
	Admin admin.Shadow
}

// ShadowState says what a mirror has done since the start, and what it holds.
type ShadowState struct {
	Mirrored, Compared, Missing uint64
	Dropped                     map[string]uint64 // by reason: words of the mirror's own
	Unexpected, Escaped         uint64
	Calls                       int
	Bytes                       int64
	Stopped                     bool // by itself: something got out
	Verified                    bool // every dark core answered its last canary
}

func (s *Shadowing) admin() *admin.Shadow {
	if s == nil {
		return nil
	}
	return &s.Admin
}

func registerShadow(s *metrics.Set, e *Edge) {
	value := func(f func(ShadowState) float64) func() []metrics.Sample {
		return func() []metrics.Sample {
			if e.opts.Shadow == nil {
				return nil
			}
			return []metrics.Sample{{Value: f(e.opts.Shadow.State())}}
		}
	}
	s.CounterFunc("hotcut_shadow_mirrored_total", "calls and registrations that were copied to a dark core", value(func(x ShadowState) float64 { return float64(x.Mirrored) }))
	s.CounterFunc("hotcut_shadow_compared_total", "of them, those of which both sides were compared", value(func(x ShadowState) float64 { return float64(x.Compared) }))
	s.CounterFunc("hotcut_shadow_missing_total", "of them, those that could not be compared", value(func(x ShadowState) float64 { return float64(x.Missing) }))
	s.CounterFunc("hotcut_shadow_unexpected_total", "requests of a dark core outside of any call", value(func(x ShadowState) float64 { return float64(x.Unexpected) }))
	s.CounterFunc("hotcut_shadow_escaped_total", "messages of copies seen where none may be: mirroring has stopped", value(func(x ShadowState) float64 { return float64(x.Escaped) }))
	s.CounterFunc("hotcut_shadow_dropped_total", "what the mirror let go, by reason; the live call knows nothing of it", func() []metrics.Sample {
		if e.opts.Shadow == nil {
			return nil
		}
		var list []metrics.Sample
		for reason, n := range e.opts.Shadow.State().Dropped {
			list = append(list, metrics.Sample{Labels: []string{reason}, Value: float64(n)})
		}
		return list
	}, "reason")
	s.Gauge("hotcut_shadow_calls", "shadow calls that are up", value(func(x ShadowState) float64 { return float64(x.Calls) }))
	s.Gauge("hotcut_shadow_held_bytes", "bytes of messages that the mirror holds", value(func(x ShadowState) float64 { return float64(x.Bytes) }))
	s.Gauge("hotcut_shadow_stopped", "1 when mirroring has stopped by itself, for good: a copy got out, or a fault of ours", value(func(x ShadowState) float64 { return truth(x.Stopped) }))
	s.Gauge("hotcut_shadow_verified", "1 while the last canary of every dark core came back to the sink and to nowhere else", value(func(x ShadowState) float64 { return truth(x.Verified) }))
}
