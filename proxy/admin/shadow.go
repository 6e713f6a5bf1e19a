package admin

import (
	"context"
	"encoding/json"
	"net/http"
	"time"
)

// Shadow is what a mirror beside the edge can do for operators. The edge hands its words on without reading them: what a count or an
// exchange is, whoever asks knows.
type Shadow struct {
	Show   func(tenant string) (json.RawMessage, error)     // "": all that are mirrored, in short
	Call   func(tenant, id string) (json.RawMessage, error) // by Call-ID or token; tenant "": whoever has it; null: not kept here
	Triage func(json.RawMessage) error
	Purge  func(tenant string) error
	Flush  func() error // writes what waits, and forgets whom anybody has purged
}

// shadowTime bounds an answer that may read files of many exchanges.
const shadowTime = time.Minute

var errNoShadow = &Error{http.StatusNotImplemented, CodeNotServed, "this edge has no dark core: it mirrors nothing"}

func (b *Backend) shadow(w http.ResponseWriter, r *http.Request) (any, error) {
	if b.Shadow == nil {
		return nil, errNoShadow
	}
	if err := slow(w); err != nil {
		return nil, err
	}
	return b.Shadow.Show(r.FormValue("tenant"))
}

func (b *Backend) shadowCall(w http.ResponseWriter, r *http.Request) (any, error) {
	if b.Shadow == nil {
		return nil, errNoShadow
	}
	id := r.FormValue("callId")
	if id == "" {
		return nil, badRequest("callId is missing")
	}
	if err := slow(w); err != nil {
		return nil, err
	}
	return b.Shadow.Call(r.FormValue("tenant"), id)
}

func (b *Backend) shadowTriage(_ http.ResponseWriter, r *http.Request) (any, error) {
	if b.Shadow == nil {
		return nil, errNoShadow
	}
	var q json.RawMessage
	if err := body(r, &q); err != nil {
		return nil, err
	}
	return status{"done"}, b.Shadow.Triage(q)
}

func (b *Backend) shadowPurge(w http.ResponseWriter, r *http.Request) (any, error) {
	if b.Shadow == nil {
		return nil, errNoShadow
	}
	var q struct {
		Tenant string `json:"tenant"`
	}
	if err := body(r, &q); err != nil {
		return nil, err
	}
	if q.Tenant == "" {
		return nil, badRequest("tenant is missing: nobody's data is everybody's")
	}
	if err := slow(w); err != nil {
		return nil, err
	}
	return status{"done"}, b.Shadow.Purge(q.Tenant)
}

func (b *Backend) shadowFlush(w http.ResponseWriter, _ *http.Request) (any, error) {
	if b.Shadow == nil {
		return nil, errNoShadow
	}
	if err := slow(w); err != nil {
		return nil, err
	}
	return status{"done"}, b.Shadow.Flush()
}

func slow(w http.ResponseWriter) error {
	return http.NewResponseController(w).SetWriteDeadline(time.Now().Add(shadowTime))
}

// Shadow is what the edge's mirror has counted, of one tenant or (tenant "") of all.
func (c *Client) Shadow(ctx context.Context, tenant string) (json.RawMessage, error) {
	return get[json.RawMessage](ctx, c, "/v1/shadow", query("tenant", tenant, 0))
}

// ShadowCall is one call on both sides, of a tenant or (tenant "") of whoever has it; null if the edge keeps none.
func (c *Client) ShadowCall(ctx context.Context, tenant, id string) (json.RawMessage, error) {
	q := query("callId", id, 0)
	if tenant != "" {
		q.Set("tenant", tenant)
	}
	return get[json.RawMessage](ctx, c, "/v1/shadow-call", q)
}

// ShadowTriage says of a cluster what a person thinks of it.
func (c *Client) ShadowTriage(ctx context.Context, q any) error {
	_, err := post[status](ctx, c, "/v1/shadow-triage", q)
	return err
}

// ShadowPurge takes away all that the edge keeps of a tenant's copies.
func (c *Client) ShadowPurge(ctx context.Context, tenant string) error {
	_, err := post[status](ctx, c, "/v1/shadow-purge", map[string]string{"tenant": tenant})
	return err
}

// ShadowFlush lets the edge write what waits, and forget whom anybody has purged, now instead of at its next write.
func (c *Client) ShadowFlush(ctx context.Context) error {
	_, err := post[status](ctx, c, "/v1/shadow-flush", struct{}{})
	return err
}
