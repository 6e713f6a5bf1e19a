package metrics

import (
	"context"
	"slices"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/instrumentation"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
)

// Histogram counts durations in fixed buckets, in seconds. Observe takes two atomic additions and no lock. A reader
// sees a count and a sum that may differ by the observations of the same moment.
type Histogram struct {
	name, help string
	bounds     []time.Duration // ascending; a bucket holds what is at most its bound
	series     []series
	since      time.Time
}

type series struct {
	attrs   attribute.Set
	sum     cell            // nanoseconds
	buckets []atomic.Uint64 // one more than bounds: the last has no bound
}

// Histogram registers a histogram; labels as for Counter. name ends in _seconds.
func (s *Set) Histogram(name, help, labelName string, labels []string, bounds []time.Duration) *Histogram {
	if unit(name) != "seconds" || len(bounds) == 0 || !slices.IsSorted(bounds) || len(slices.Compact(slices.Clone(bounds))) != len(bounds) {
		panic("metrics: the histogram " + name + " must end in _seconds and have ascending bounds")
	}
	names, _ := s.register(name, "histogram", help, labelName, labels)
	if len(names) == 0 {
		labels = []string{""}
	}
	h := &Histogram{name: name, help: help, bounds: slices.Clone(bounds), series: make([]series, len(labels)), since: time.Now()}
	for i, l := range labels {
		h.series[i].attrs = attributes(names, split(names, l))
		h.series[i].buckets = make([]atomic.Uint64, len(bounds)+1)
	}
	s.mu.Lock()
	s.hists = append(s.hists, h)
	s.mu.Unlock()
	return h
}

// Observe counts d in series i. A clock that went backwards counts as 0.
func (h *Histogram) Observe(i int, d time.Duration) {
	d = max(d, 0)
	b := 0
	for b < len(h.bounds) && d > h.bounds[b] {
		b++
	}
	h.series[i].buckets[b].Add(1)
	h.series[i].sum.n.Add(uint64(d))
}

// Count is the number of observations in series i.
func (h *Histogram) Count(i int) (n uint64) {
	for b := range h.series[i].buckets {
		n += h.series[i].buckets[b].Load()
	}
	return n
}

// Produce hands the histograms to OpenTelemetry's exporter. It is part of no one else's business.
func (s *Set) Produce(context.Context) ([]metricdata.ScopeMetrics, error) {
	s.mu.Lock()
	hists := slices.Clone(s.hists)
	s.mu.Unlock()
	if len(hists) == 0 {
		return nil, nil
	}
	now := time.Now()
	out := make([]metricdata.Metrics, len(hists))
	for i, h := range hists {
		out[i] = metricdata.Metrics{Name: h.name, Description: h.help, Data: metricdata.Histogram[float64]{
			DataPoints: h.points(now), Temporality: metricdata.CumulativeTemporality,
		}}
	}
	return []metricdata.ScopeMetrics{{Scope: instrumentation.Scope{Name: scope}, Metrics: out}}, nil
}

func (h *Histogram) points(now time.Time) []metricdata.HistogramDataPoint[float64] {
	bounds := make([]float64, len(h.bounds))
	for i, b := range h.bounds {
		bounds[i] = b.Seconds()
	}
	points := make([]metricdata.HistogramDataPoint[float64], len(h.series))
	for i := range h.series {
		s := &h.series[i]
		p := metricdata.HistogramDataPoint[float64]{
			Attributes: s.attrs, StartTime: h.since, Time: now, Bounds: bounds,
			Sum: time.Duration(s.sum.n.Load()).Seconds(), BucketCounts: make([]uint64, len(s.buckets)),
		}
		for b := range s.buckets {
			p.BucketCounts[b] = s.buckets[b].Load()
			p.Count += p.BucketCounts[b]
		}
		points[i] = p
	}
	return points
}
