// Package metrics counts for an edge and shows the counts to Prometheus.
//
// It promises that counting costs one atomic addition on a cache line of its own (no lock, no allocation, no look-up:
// labels are indexes of a small enumeration), that every series exists with 0 from the start, that no series is ever
// made from what a peer sent, and that Table documents exactly what Handler serves.
//
// It refuses unbounded labels: a tenant, a number or an address belongs in a call record.
//
// # Decisions
//
// Counters and gauges go through OpenTelemetry's observable instruments. For histograms OpenTelemetry has no observable
// kind, and its synchronous one locks and allocates per observation; so ours count in their own atomics and are handed
// to OpenTelemetry's Prometheus exporter as a Producer.
//
// RFC 6076 counts every INVITE as an attempt. Those answered 401 or 407 are left out of the ratios here (they stand in
// hotcut_sessions_total as challenged): the same session is attempted again with credentials, and one healthy call
// would count as half a failure.
package metrics
