package proxy

import (
	"slices"
	"testing"
	"time"

	"github.com/hotcut/hotcut/proxy/tap"
	"github.com/hotcut/hotcut/proxy/transport"
)

// BenchmarkCallTap is BenchmarkCall without and with a tap, in turns of 300 calls, all of them mirrored. An op is a call of either kind;
// off-ns and on-ns are the medians of the turns, tap-ns is the median of what each turn took longer than the one before it.
// The ring is emptied between the turns: that is another processor's work.
func BenchmarkCallTap(b *testing.B) {
	const perTurn = 300 // of six messages: they fit in the ring
	e, r := record(b, 20_000)
	ring := tap.NewRing(tap.DefaultSlots, tap.DefaultSlotBytes)
	out := transport.Capture(func(transport.Peer, []byte, uint64) {})
	var ev tap.Event
	var buf []byte
	tapped := 0
	turn := func(x *simEdge, list []heard) float64 {
		began := time.Now()
		for i := range list {
			h := &list[i]
			x.edge.message(h.now, transport.Peer{Listener: h.listener, Proto: transport.UDP, Addr: h.from}, h.msg, out)
			if i%120 == 0 {
				x.edge.tick(h.now, out)
			}
		}
		took := float64(time.Since(began)) / perTurn
		for ok := true; ok; {
			if buf, ok = ring.Take(&ev, buf); ok {
				tapped++
			}
		}
		return took
	}
	var off, on, more []float64
	for done := 0; done < b.N; {
		edges := [2]*simEdge{}
		for i := range edges {
			x := *e
			x.n, x.dir = newNetwork(&testing.T{}, 1), b.TempDir()
			if edges[i] = &x; i == 1 {
				x.tap = ring
			}
			x.start()
		}
		for at := 0; at+perTurn*6 <= len(r.heard) && done < b.N; at += perTurn * 6 {
			list := r.heard[at : at+perTurn*6]
			a, c := turn(edges[0], list), turn(edges[1], list)
			off, on, more = append(off, a), append(on, c), append(more, c-a)
			done += 2 * perTurn
		}
		for _, x := range edges {
			x.kill()
		}
	}
	median := func(list []float64) float64 { slices.Sort(list); return list[len(list)/2] }
	b.ReportMetric(median(off), "off-ns/call")
	b.ReportMetric(median(on), "on-ns/call")
	b.ReportMetric(median(more), "tap-ns/call")
	if full, large := ring.Dropped(); full+large > 0 || tapped != len(on)*perTurn*6 {
		b.Fatalf("%d of %d messages were tapped, %d and %d dropped", tapped, len(on)*perTurn*6, full, large)
	}
}
