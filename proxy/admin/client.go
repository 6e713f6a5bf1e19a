package admin

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/hotcut/hotcut/proxy/callrecord"
)

// Client speaks to one edge. Its methods may be called from several goroutines.
type Client struct {
	base string // of HTTP, without a slash at its end
	name string // as given to Dial, for errors
	http *http.Client
}

// Dial makes a client for "unix:///path" or "http://host:port" (there: Ready and Metrics only). It connects with the
// first request.
func Dial(address string) (*Client, error) {
	t := &http.Transport{MaxIdleConns: 2, IdleConnTimeout: 10 * time.Second, ResponseHeaderTimeout: DoctorTime + writeTime, Proxy: nil}
	c := &Client{name: address, base: "http://edge", http: &http.Client{
		Transport:     t,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
	var d net.Dialer
	if path, ok := trimScheme(address); ok {
		if !strings.HasPrefix(path, "/") {
			return nil, fmt.Errorf("admin address %q: unix:// needs an absolute path, as in unix:///run/hotcut/edge.sock", address)
		}
		t.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) { return d.DialContext(ctx, "unix", path) }
		return c, nil
	}
	u, err := url.Parse(address)
	switch {
	case err != nil || u.Host == "":
		return nil, fmt.Errorf("admin address %q: write unix:///PATH or http://HOST:PORT", address)
	case u.Scheme == "https":
		return nil, fmt.Errorf("admin address %q: https is not in this build: use the edge's unix:// socket on its own machine", address)
	case u.Scheme != "http":
		return nil, fmt.Errorf("admin address %q: %s is no scheme of an edge: write unix:///PATH or http://HOST:PORT", address, u.Scheme)
	}
	t.DialContext = d.DialContext
	c.base = "http://" + u.Host
	return c, nil
}

// Close lets go of idle connections.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// State asks the edge how it is.
func (c *Client) State(ctx context.Context) (State, error) {
	return get[State](ctx, c, "/v1/state", nil)
}

// Calls lists calls in progress, of one tenant or (tenant "") of all; limit 0: MaxCalls.
func (c *Client) Calls(ctx context.Context, tenant string, limit int) ([]Call, error) {
	return get[[]Call](ctx, c, "/v1/calls", query("tenant", tenant, limit))
}

// Draining lists what still runs on the platform that a tenant has left.
func (c *Client) Draining(ctx context.Context, tenant string) ([]Draining, error) {
	return get[[]Draining](ctx, c, "/v1/draining", query("tenant", tenant, 0))
}

// Records finds a call by its Call-ID.
func (c *Client) Records(ctx context.Context, callID string) ([]callrecord.Record, error) {
	return get[[]callrecord.Record](ctx, c, "/v1/records", query("callId", callID, 0))
}

// Recent lists the latest records, newest first.
func (c *Client) Recent(ctx context.Context, tenant string, limit int) ([]callrecord.Record, error) {
	return get[[]callrecord.Record](ctx, c, "/v1/records", query("tenant", tenant, limit))
}

// Explain asks where a call would go.
func (c *Client) Explain(ctx context.Context, q ExplainRequest) (ExplainResponse, error) {
	return post[ExplainResponse](ctx, c, "/v1/explain", q)
}

// Drain begins or ends a drain.
func (c *Client) Drain(ctx context.Context, on bool) error {
	_, err := post[status](ctx, c, "/v1/drain", map[string]bool{"on": on})
	return err
}

// Reload makes the edge read its configuration again.
func (c *Client) Reload(ctx context.Context) (Reloaded, error) {
	return post[Reloaded](ctx, c, "/v1/reload", struct{}{})
}

// Override gives or takes back an order.
func (c *Client) Override(ctx context.Context, q OverrideChange) error {
	_, err := post[status](ctx, c, "/v1/override", q)
	return err
}

// AcceptEpoch makes the edge take the policy of another lineage.
func (c *Client) AcceptEpoch(ctx context.Context, epoch string) error {
	_, err := post[status](ctx, c, "/v1/accept-epoch", map[string]string{"epoch": epoch})
	return err
}

// ExportPolicy copies the policy in force to w. After an error, w holds an unknown part of it.
func (c *Client) ExportPolicy(ctx context.Context, w io.Writer) error {
	resp, err := c.send(ctx, http.MethodGet, "/v1/policy", nil)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	_, err = io.Copy(w, resp.Body)
	return err
}

// Ready is nil when the edge can serve new calls; else an *Error with CodeNotReady, or ErrUnreachable.
func (c *Client) Ready(ctx context.Context) error {
	_, err := get[status](ctx, c, "/readyz", nil)
	return err
}

// Metrics fetches the Prometheus text.
func (c *Client) Metrics(ctx context.Context) ([]byte, error) {
	resp, err := c.send(ctx, http.MethodGet, "/metrics", nil)
	if err != nil {
		return nil, err
	}
	return readAll(resp)
}

func query(key, value string, limit int) url.Values {
	q := url.Values{}
	if value != "" {
		q.Set(key, value)
	}
	if limit > 0 {
		q.Set("limit", strconv.Itoa(limit))
	}
	return q
}

func get[T any](ctx context.Context, c *Client, path string, q url.Values) (T, error) {
	if len(q) > 0 {
		path += "?" + q.Encode()
	}
	return answer[T](c.send(ctx, http.MethodGet, path, nil))
}

func post[T any](ctx context.Context, c *Client, path string, v any) (T, error) {
	b, err := json.Marshal(v)
	if err != nil {
		var none T
		return none, err
	}
	return answer[T](c.send(ctx, http.MethodPost, path, b))
}

func answer[T any](resp *http.Response, err error) (T, error) {
	var v T
	if err != nil {
		return v, err
	}
	b, err := readAll(resp)
	if err != nil {
		return v, err
	}
	return v, json.Unmarshal(b, &v)
}

// send returns an answer of status 200 whose body the caller must close, or an error.
func (c *Client) send(ctx context.Context, method, path string, body []byte) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, method, c.base+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := c.http.Do(req)
	if err != nil {
		if ue, ok := errors.AsType[*url.Error](err); ok {
			err = ue.Err // without the URL that stands for the socket
		}
		return nil, fmt.Errorf("%s: %w: %w", c.name, ErrUnreachable, err)
	}
	if resp.StatusCode == http.StatusOK {
		return resp, nil
	}
	b, err := readAll(resp)
	if err != nil {
		return nil, err
	}
	var eb errorBody
	if json.Unmarshal(b, &eb) != nil || eb.Error == nil {
		return nil, fmt.Errorf("%s: answered %s, which is not what an edge says", c.name, resp.Status)
	}
	eb.Error.Status = resp.StatusCode
	return nil, fmt.Errorf("%s: %w", c.name, eb.Error)
}

// readAll reads and closes an answer of at most MaxAnswer bytes.
func readAll(resp *http.Response) ([]byte, error) {
	defer resp.Body.Close()
	b, err := io.ReadAll(io.LimitReader(resp.Body, MaxAnswer+1))
	if err == nil && len(b) > MaxAnswer {
		err = fmt.Errorf("the answer is over %d bytes", MaxAnswer)
	}
	return b, err
}
