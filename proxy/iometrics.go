package proxy

import (
	"github.com/hotcut/hotcut/proxy/metrics"
	"github.com/hotcut/hotcut/proxy/transport"
)

// registerIO exports what the transport and the files count themselves.
func registerIO(s *metrics.Set, e *Edge) {
	pair := func(in, out func(*transport.Stats) uint64) func() []metrics.Sample {
		return func() []metrics.Sample {
			st := e.transport.Stats()
			return []metrics.Sample{{Labels: []string{"in"}, Value: float64(in(st))}, {Labels: []string{"out"}, Value: float64(out(st))}}
		}
	}
	s.CounterFunc("hotcut_datagrams_total", "UDP datagrams", pair(
		func(s *transport.Stats) uint64 { return s.DatagramsIn.Load() }, func(s *transport.Stats) uint64 { return s.DatagramsOut.Load() }), "direction")
	s.CounterFunc("hotcut_stream_messages_total", "messages over streams", pair(
		func(s *transport.Stats) uint64 { return s.MessagesIn.Load() }, func(s *transport.Stats) uint64 { return s.MessagesOut.Load() }), "direction")
	s.CounterFunc("hotcut_bytes_total", "SIP bytes over all transports", pair(
		func(s *transport.Stats) uint64 { return s.BytesIn.Load() }, func(s *transport.Stats) uint64 { return s.BytesOut.Load() }), "direction")
	s.CounterFunc("hotcut_transport_events_total", "what the transport dropped, refused or closed, by reason", func() []metrics.Sample {
		var list []metrics.Sample
		for r := range transport.Reasons() {
			list = append(list, metrics.Sample{Labels: []string{r.String()}, Value: float64(e.transport.Stats().Count(r))})
		}
		return list
	}, "reason")
	s.Gauge("hotcut_connections", "stream connections open", func() []metrics.Sample {
		return []metrics.Sample{{Value: float64(e.transport.Stats().ConnsOpen.Load())}}
	})
	s.CounterFunc("hotcut_call_records_lost_total", "call records that were dropped because the disk did not keep up, or failed", func() []metrics.Sample {
		return []metrics.Sample{{Value: float64(e.records.Dropped() + e.records.Failed())}}
	})
	s.CounterFunc("hotcut_dialog_file_full_total", "dialogs that did not fit into the dialog file: after a crash their count is a lower bound", func() []metrics.Sample {
		return []metrics.Sample{{Value: float64(e.dialogFile.Lost())}}
	})
}
