package admin

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/hotcut/hotcut/proxy/callrecord"
)

// route is one method of one path. Its answer is written as JSON, unless it is nil: then serve wrote it.
type route struct {
	method string
	serve  func(http.ResponseWriter, *http.Request) (any, error)
}

// commands are the paths of the Unix socket, besides those of probes.
func (b *Backend) commands() map[string]route {
	return map[string]route{
		"/v1/state":        {"GET", b.state},
		"/v1/calls":        {"GET", b.calls},
		"/v1/draining":     {"GET", b.draining},
		"/v1/records":      {"GET", b.records},
		"/v1/explain":      {"POST", b.explain},
		"/v1/drain":        {"POST", b.drain},
		"/v1/reload":       {"POST", b.reload},
		"/v1/override":     {"POST", b.override},
		"/v1/accept-epoch": {"POST", b.acceptEpoch},
		"/v1/policy":       {"GET", b.exportPolicy},

		"/v1/registrations":        {"GET", b.registrations},
		"/v1/registration-summary": {"GET", b.registrationSummary},
		"/v1/doctor":               {"POST", b.doctor},

		"/v1/shadow":        {"GET", b.shadow},
		"/v1/shadow-call":   {"GET", b.shadowCall},
		"/v1/shadow-triage": {"POST", b.shadowTriage},
		"/v1/shadow-purge":  {"POST", b.shadowPurge},
		"/v1/shadow-flush":  {"POST", b.shadowFlush},
	}
}

// probes are the paths that the TCP listener has too.
func (b *Backend) probes() map[string]route {
	return map[string]route{
		"/healthz": {"GET", func(http.ResponseWriter, *http.Request) (any, error) { return status{"ok"}, nil }},
		"/readyz":  {"GET", b.ready},
		"/metrics": {"GET", b.metrics},
	}
}

type status struct {
	Status string `json:"status"`
}

func (b *Backend) ready(http.ResponseWriter, *http.Request) (any, error) {
	if b.Ready == nil {
		return nil, errNotServed
	}
	if err := b.Ready(); err != nil {
		return nil, &Error{http.StatusServiceUnavailable, CodeNotReady, err.Error()}
	}
	return status{"ready"}, nil
}

func (b *Backend) metrics(w http.ResponseWriter, r *http.Request) (any, error) {
	if b.Metrics == nil {
		return nil, errNotServed
	}
	b.Metrics.ServeHTTP(w, r)
	return nil, nil
}

func (b *Backend) state(http.ResponseWriter, *http.Request) (any, error) {
	if b.State == nil {
		return nil, errNotServed
	}
	s := b.State()
	s.Targets = list(s.Targets)
	return s, nil
}

func (b *Backend) calls(_ http.ResponseWriter, r *http.Request) (any, error) {
	if b.Calls == nil {
		return nil, errNotServed
	}
	limit, err := limitOf(r, MaxCalls)
	if err != nil {
		return nil, err
	}
	out := list(b.Calls(r.FormValue("tenant"), limit))
	return out[:min(len(out), limit)], nil
}

func (b *Backend) draining(_ http.ResponseWriter, r *http.Request) (any, error) {
	if b.Draining == nil {
		return nil, errNotServed
	}
	return list(b.Draining(r.FormValue("tenant"))), nil
}

// records: one call by callId, or the latest of a tenant.
func (b *Backend) records(_ http.ResponseWriter, r *http.Request) (any, error) {
	if b.Records == nil || b.Recent == nil {
		return nil, errNotServed
	}
	limit, err := limitOf(r, MaxCalls)
	if err != nil {
		return nil, err
	}
	var out []callrecord.Record
	if id := r.FormValue("callId"); id != "" {
		out = b.Records(id)
	} else {
		out = b.Recent(r.FormValue("tenant"), limit)
	}
	return list(out)[:min(len(out), limit)], nil
}

func (b *Backend) explain(_ http.ResponseWriter, r *http.Request) (any, error) {
	if b.Explain == nil {
		return nil, errNotServed
	}
	var q ExplainRequest
	if err := body(r, &q); err != nil {
		return nil, err
	}
	if q.To == "" {
		return nil, badRequest("to is missing: say whom the call is for")
	}
	a, err := b.Explain(q)
	a.Targets = list(a.Targets)
	return a, err
}

func (b *Backend) drain(_ http.ResponseWriter, r *http.Request) (any, error) {
	if b.Drain == nil {
		return nil, errNotServed
	}
	var q struct {
		On *bool `json:"on"`
	}
	if err := body(r, &q); err != nil {
		return nil, err
	}
	if q.On == nil {
		return nil, badRequest("on is missing: write true to drain, false to serve again")
	}
	return status{"done"}, b.Drain(*q.On)
}

func (b *Backend) reload(_ http.ResponseWriter, r *http.Request) (any, error) {
	if b.Reload == nil {
		return nil, errNotServed
	}
	changed, restart, err := b.Reload()
	return Reloaded{list(changed), list(restart)}, err
}

func (b *Backend) override(_ http.ResponseWriter, r *http.Request) (any, error) {
	if b.Override == nil {
		return nil, errNotServed
	}
	var q OverrideChange
	if err := body(r, &q); err != nil {
		return nil, err
	}
	if err := q.check(); err != nil {
		return nil, err
	}
	return status{"done"}, b.Override(q)
}

// check refuses an order that could be read in two ways.
func (q *OverrideChange) check() error {
	switch {
	case q.Op != Set && q.Op != Remove:
		return badRequest("op must be set or remove")
	case q.Scope == ScopeTenants && len(q.Tenants) == 0:
		return badRequest("tenants is empty: name the tenants, or use another scope")
	case q.Scope != ScopeTenants && len(q.Tenants) > 0:
		return badRequest("tenants has a meaning with scope tenants only")
	case q.Scope == ScopeAll && q.Op == Set:
		return badRequest("scope all can only be removed: set all-legacy, freeze or tenants")
	case q.Scope != ScopeAll && q.Scope != ScopeAllLegacy && q.Scope != ScopeFreeze && q.Scope != ScopeTenants:
		return badRequest("scope must be all-legacy, freeze, tenants or, to remove, all")
	case q.Op == Set && q.Order.By == "":
		return badRequest("order.by is empty: say who gives the order")
	}
	return nil
}

func (b *Backend) acceptEpoch(_ http.ResponseWriter, r *http.Request) (any, error) {
	if b.AcceptEpoch == nil {
		return nil, errNotServed
	}
	var q struct {
		Epoch string `json:"epoch"`
	}
	if err := body(r, &q); err != nil {
		return nil, err
	}
	if q.Epoch == "" {
		return nil, badRequest("epoch is missing")
	}
	return status{"done"}, b.AcceptEpoch(q.Epoch)
}

// exportTime bounds the one answer that may be large.
const exportTime = 2 * time.Minute

// exportPolicy streams. An error after the first byte breaks the connection, so that half a policy is never taken for
// a whole one.
func (b *Backend) exportPolicy(w http.ResponseWriter, r *http.Request) (any, error) {
	if b.ExportPolicy == nil {
		return nil, errNotServed
	}
	if err := http.NewResponseController(w).SetWriteDeadline(time.Now().Add(exportTime)); err != nil {
		return nil, err
	}
	w.Header().Set("Content-Type", "application/jsonl")
	count := &countingWriter{w: w}
	switch err := b.ExportPolicy(count); {
	case err != nil && count.n == 0:
		return nil, err
	case err != nil:
		panic(http.ErrAbortHandler)
	}
	return nil, nil
}

type countingWriter struct {
	w io.Writer
	n int64
}

func (c *countingWriter) Write(p []byte) (int, error) {
	n, err := c.w.Write(p)
	c.n += int64(n)
	return n, err
}

var errNotServed = &Error{http.StatusNotImplemented, CodeNotServed, "this edge does not serve that"}

// body reads the request strictly: one JSON value, at most MaxBody bytes, no field that we do not know.
func body(r *http.Request, v any) error {
	d := json.NewDecoder(r.Body)
	d.DisallowUnknownFields()
	err := d.Decode(v)
	if err == nil {
		if _, more := d.Token(); more != io.EOF {
			err = errors.New("more than one JSON value")
		}
	}
	if _, large := errors.AsType[*http.MaxBytesError](err); large {
		return &Error{http.StatusRequestEntityTooLarge, CodeTooLarge, fmt.Sprintf("the body is over %d bytes", MaxBody)}
	}
	if err != nil {
		return badRequest("the body is not what this path takes: " + strings.TrimPrefix(err.Error(), "json: "))
	}
	return nil
}

func limitOf(r *http.Request, most int) (int, error) {
	s := r.FormValue("limit")
	if s == "" {
		return most, nil
	}
	n, err := strconv.Atoi(s)
	if err != nil || n < 1 || n > most {
		return 0, badRequest(fmt.Sprintf("limit must be 1 to %d", most))
	}
	return n, nil
}

// list makes an empty list of nil, so that JSON says [] and not null.
func list[T any](s []T) []T {
	if s == nil {
		return []T{}
	}
	return s
}
