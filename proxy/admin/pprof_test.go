package admin

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"testing"
)

// Profiles are served on the Unix socket, and not where metrics are.
func TestProfiles(t *testing.T) {
	s, _ := start(t, Backend{})
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", s.unix.Addr().String())
	}}}
	r, err := client.Get("http://edge/debug/pprof/heap")
	if err != nil {
		t.Fatal(err)
	}
	b, _ := io.ReadAll(r.Body)
	r.Body.Close()
	if r.StatusCode != 200 || !bytes.HasPrefix(b, []byte{0x1f, 0x8b}) {
		t.Errorf("heap profile: %d, %d bytes, not gzip", r.StatusCode, len(b))
	}
	client.Transport = &http.Transport{DisableKeepAlives: true}
	r, err = client.Get("http://" + s.MetricsAddr().String() + "/debug/pprof/heap")
	if err != nil {
		t.Fatal(err)
	}
	r.Body.Close()
	if r.StatusCode != 404 {
		t.Errorf("heap profile over TCP: %d, want 404", r.StatusCode)
	}
}
