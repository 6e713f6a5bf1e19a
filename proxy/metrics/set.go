package metrics

import (
	"context"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"go.opentelemetry.io/otel/attribute"
	exporter "go.opentelemetry.io/otel/exporters/prometheus"
	"go.opentelemetry.io/otel/metric"
	sdk "go.opentelemetry.io/otel/sdk/metric"
)

// Prefix begins every name.
const Prefix = "hotcut_"

// scope is the name under which OpenTelemetry knows our instruments.
const scope = "github.com/hotcut/hotcut/proxy"

// asNamed is the exporter's strategy that serves names as they were registered, without a suffix of its own making. An
// unknown word would add suffixes, which the test of the table would see.
const asNamed = "UnderscoreEscapingWithoutSuffixes"

// maxSamples bounds the series of one metric; what a gauge has beyond is left out. OpenTelemetry itself begins to merge
// series at 2,000.
const maxSamples = 1024

// Set is the metrics of one edge. Register everything before Handler is served; counting may begin at once.
// Wrong names are mistakes of the program and panic when they are registered, not when they are counted.
type Set struct {
	registry *prometheus.Registry
	meter    metric.Meter

	mu    sync.Mutex // guards all below
	docs  []doc
	vecs  []*Vec
	hists []*Histogram
}

// doc is a line of the table.
type doc struct {
	name, kind, unit, meaning string
	labels                    []string
	values                    []string // of the labels, joined by commas as registered; nil: they come with the samples
}

// New makes an empty set with a registry of its own. Nothing of it runs in the background.
func New() *Set {
	s := &Set{registry: prometheus.NewRegistry()}
	e, err := exporter.New(
		exporter.WithRegisterer(s.registry), exporter.WithProducer(s),
		exporter.WithTranslationStrategy(asNamed),
		exporter.WithoutScopeInfo(), exporter.WithoutTargetInfo(),
	)
	if err != nil { // only for a registry that already has an exporter
		panic(err)
	}
	s.meter = sdk.NewMeterProvider(sdk.WithReader(e)).Meter(scope)
	return s
}

// Handler serves the Prometheus text, to at most four clients at a time.
func (s *Set) Handler() http.Handler {
	return promhttp.HandlerFor(s.registry, promhttp.HandlerOpts{MaxRequestsInFlight: 4})
}

// Counter registers a counter with one series per entry of labels. labelName may be several names joined by commas;
// each entry then holds as many values: ("platform,outcome", {"legacy,established", ...}). Without labels: "" and nil.
// name ends in _total.
func (s *Set) Counter(name, help, labelName string, labels []string) *Vec {
	if !strings.HasSuffix(name, "_total") {
		panic("metrics: the counter " + name + " does not end in _total")
	}
	names, attrs := s.register(name, "counter", help, labelName, labels)
	v := &Vec{name: name, labels: seriesNames(name, names, labels), cells: make([]cell, len(attrs))}
	_, err := s.meter.Int64ObservableCounter(name, metric.WithDescription(help),
		metric.WithInt64Callback(func(_ context.Context, o metric.Int64Observer) error {
			for i := range v.cells {
				o.Observe(int64(v.cells[i].n.Load()), attrs[i])
			}
			return nil
		}))
	if err != nil {
		panic(err)
	}
	s.mu.Lock()
	s.vecs = append(s.vecs, v)
	s.mu.Unlock()
	return v
}

// Sample is one series of a gauge at this moment.
type Sample struct {
	Labels []string // values, in the order of the gauge's label names
	Value  float64
}

// Gauge registers a gauge that is asked when somebody looks. A sample without a value for every label name is left out.
func (s *Set) Gauge(name, help string, f func() []Sample, labelNames ...string) {
	s.register(name, "gauge", help, strings.Join(labelNames, ","), nil)
	_, err := s.meter.Float64ObservableGauge(name, metric.WithDescription(help), metric.WithFloat64Callback(observe(f, labelNames)))
	if err != nil {
		panic(err)
	}
}

// CounterFunc registers a counter that somebody else counts and that is asked when somebody looks. name ends in _total.
// A sample without a value for every label name is left out.
func (s *Set) CounterFunc(name, help string, f func() []Sample, labelNames ...string) {
	if !strings.HasSuffix(name, "_total") {
		panic("metrics: the counter " + name + " does not end in _total")
	}
	s.register(name, "counter", help, strings.Join(labelNames, ","), nil)
	_, err := s.meter.Float64ObservableCounter(name, metric.WithDescription(help), metric.WithFloat64Callback(observe(f, labelNames)))
	if err != nil {
		panic(err)
	}
}

func observe(f func() []Sample, labelNames []string) metric.Float64Callback {
	return func(_ context.Context, o metric.Float64Observer) error {
		samples := f()
		for _, sample := range samples[:min(len(samples), maxSamples)] {
			if len(sample.Labels) == len(labelNames) {
				o.Observe(sample.Value, metric.WithAttributeSet(attributes(labelNames, sample.Labels)))
			}
		}
		return nil
	}
}

var validName = regexp.MustCompile(`^` + Prefix + `[a-z][a-z0-9_]*$`)

// register checks and documents a metric, and makes the attributes of its series: one per entry of labels, one without
// any if there are no label names.
func (s *Set) register(name, kind, help, labelName string, labels []string) (names []string, attrs []metric.MeasurementOption) {
	if !validName.MatchString(name) {
		panic("metrics: bad name " + name)
	}
	if help == "" || strings.ContainsAny(help, "|\n") {
		panic("metrics: " + name + " needs a meaning in one line without |")
	}
	if labelName != "" {
		names = strings.Split(labelName, ",")
	}
	if len(labels) > maxSamples {
		panic(fmt.Sprintf("metrics: %s has %d series", name, len(labels)))
	}
	values := labels
	if len(names) == 0 {
		values = []string{""}
	}
	for i, l := range values {
		parts := split(names, l)
		if len(parts) != len(names) || slices.Contains(parts, "") || slices.Contains(values[:i], l) {
			panic(fmt.Sprintf("metrics: %s: bad labels %q for %q", name, l, labelName))
		}
		attrs = append(attrs, metric.WithAttributeSet(attributes(names, parts)))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if slices.ContainsFunc(s.docs, func(d doc) bool { return d.name == name }) {
		panic("metrics: " + name + " is registered twice")
	}
	s.docs = append(s.docs, doc{name, kind, unit(name), help, names, labels})
	return names, attrs
}

func split(names []string, values string) []string {
	if len(names) == 0 {
		return nil
	}
	return strings.Split(values, ",")
}

func attributes(names, values []string) attribute.Set {
	kv := make([]attribute.KeyValue, len(names))
	for i := range names {
		kv[i] = attribute.String(names[i], strings.ToValidUTF8(values[i], "?"))
	}
	return attribute.NewSet(kv...)
}

// unit is what the name says: hotcut_srd_seconds, hotcut_sent_bytes_total.
func unit(name string) string {
	for _, u := range []string{"seconds", "bytes", "ratio"} {
		if strings.HasSuffix(strings.TrimSuffix(name, "_total"), "_"+u) {
			return u
		}
	}
	return "1"
}
