package admin

import (
	"context"
	"net/http"
)

// Registration is one contact of one address-of-record as an edge knows it: how its phone is reached, and what each
// platform holds of it.
type Registration struct {
	ID      string `json:"id"` // the binding's, 16 characters
	Tenant  string `json:"tenant"`
	AoR     string `json:"aor"`     // user@domain
	Contact string `json:"contact"` // as the phone wrote it
	Agent   string `json:"agent,omitempty"`

	Edge      string `json:"edge"`           // that owns the flow
	Flow      string `json:"flow,omitempty"` // "udp 192.0.2.7:5060 by out-udp"
	Reachable bool   `json:"reachable"`      // over that flow, as far as this edge knows
	Told      int64  `json:"told"`           // unix seconds: until when the phone believes it is registered; 0: it un-registered
	Since     int64  `json:"since"`          // unix milliseconds: the phone's last REGISTER

	Serves  string           `json:"serves"`         // platform, by the policy now
	Keep    string           `json:"keep,omitempty"` // platform that shall hold it too; empty: none
	Legacy  RegistrationHold `json:"legacy"`
	Core    RegistrationHold `json:"core"`
	Missing []string         `json:"missing"` // platforms where it should be and is not
}

// RegistrationHold is a registration as one platform holds it.
type RegistrationHold struct {
	Until  int64  `json:"until"`         // unix seconds; 0: not there
	Own    bool   `json:"own,omitempty"` // by a REGISTER of ours, not the phone's
	Target string `json:"target,omitempty"`
	Error  string `json:"error,omitempty"` // why our last REGISTER there failed: "403", "timeout"
}

// RegistrationSummaries counts registrations as one edge knows them.
type RegistrationSummaries struct {
	Edge        string                `json:"edge"`   // who answers
	Shared      bool                  `json:"shared"` // its table is shared with the other edges, and that works at present
	Rows        []RegistrationSummary `json:"rows"`
	KeepModes   map[string][]string   `json:"keepModes"`   // platform -> "none", "trust", "digest" of its targets
	KeepRate    map[string]int        `json:"keepRate"`    // platform -> REGISTERs of ours per second that this edge sends there
	KeepPending int                   `json:"keepPending"` // REGISTERs of ours that wait for their turn
	KeepETA     float64               `json:"keepEta"`     // seconds until none does
}

// RegistrationSummary counts the registrations of one tenant of which one edge owns the flows. An edge has rows of
// other owners too, as it last heard of them.
type RegistrationSummary struct {
	Tenant        string `json:"tenant"`
	Edge          string `json:"edge"` // that owns the flows
	Bindings      int    `json:"bindings"`
	Reachable     int    `json:"reachable"`
	OnLegacy      int    `json:"onLegacy"`
	OnCore        int    `json:"onCore"`
	MissingLegacy int    `json:"missingLegacy"` // should be there and are not
	MissingCore   int    `json:"missingCore"`
	InstantUntil  int64  `json:"instantUntil"` // unix seconds: the earliest end of a binding that is kept; 0: none is
	Failed        int    `json:"failed"`       // bindings of which our last REGISTER failed

	PerSecond        float64 `json:"perSecond"`        // REGISTERs that these phones send at present
	ClampedPerSecond float64 `json:"clampedPerSecond"` // and while they are clamped
	NextRefresh      int64   `json:"nextRefresh"`      // unix seconds: by when every one of these phones will have registered anew
}

// MaxRegistrations bounds one answer of single registrations. Summaries have a row per tenant and edge.
const MaxRegistrations = 10_000

// Registrations lists registrations, of one tenant or (tenant "") of all; limit 0: MaxRegistrations.
func (c *Client) Registrations(ctx context.Context, tenant string, limit int) ([]Registration, error) {
	return get[[]Registration](ctx, c, "/v1/registrations", query("tenant", tenant, limit))
}

// RegistrationSummary counts registrations, of one tenant or (tenant "") of all.
func (c *Client) RegistrationSummary(ctx context.Context, tenant string) (RegistrationSummaries, error) {
	return get[RegistrationSummaries](ctx, c, "/v1/registration-summary", query("tenant", tenant, 0))
}

func (b *Backend) registrations(_ http.ResponseWriter, r *http.Request) (any, error) {
	if b.Registrations == nil {
		return nil, errNotServed
	}
	limit, err := limitOf(r, MaxRegistrations)
	if err != nil {
		return nil, err
	}
	out := list(b.Registrations(r.FormValue("tenant"), limit))
	out = out[:min(len(out), limit)]
	for i := range out {
		out[i].Missing = list(out[i].Missing)
	}
	return out, nil
}

func (b *Backend) registrationSummary(_ http.ResponseWriter, r *http.Request) (any, error) {
	if b.RegistrationSummary == nil {
		return nil, errNotServed
	}
	s := b.RegistrationSummary(r.FormValue("tenant"))
	s.Rows = list(s.Rows)
	if s.KeepModes == nil {
		s.KeepModes = map[string][]string{}
	}
	if s.KeepRate == nil {
		s.KeepRate = map[string]int{}
	}
	return s, nil
}
