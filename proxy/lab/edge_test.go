package lab

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/hotcut/hotcut/proxy/config"
)

// playEdge names the environment variable by which the test binary plays an edge: "ready", "unready" or "dies".
const playEdge = "LAB_TEST_PLAYS_EDGE"

// play serves /readyz as an edge does, until it is killed.
func play(role string) {
	dir := filepath.Dir(os.Args[len(os.Args)-1])
	if role == "dies" {
		fmt.Fprintln(os.Stderr, "listen: address already in use")
		os.Exit(1)
	}
	os.Remove(filepath.Join(dir, "edge.sock"))
	l, err := net.Listen("unix", filepath.Join(dir, "edge.sock"))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Fprintln(os.Stderr, http.Serve(l, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if role == "unready" {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	})))
}

func newTestEdge(t *testing.T, role string) *Edge {
	t.Helper()
	return newTestEdgeWith(t, role, func(*EdgeOptions) {})
}

func newTestEdgeWith(t *testing.T, role string, change func(*EdgeOptions)) *Edge {
	t.Helper()
	t.Setenv(playEdge, role)
	dir := t.TempDir()
	keys := filepath.Join(dir, "keys")
	if err := os.WriteFile(keys, []byte(config.MintKeyLine()+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	binary, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	o := EdgeOptions{
		Name: "edge-1", IP: netip.MustParseAddr("127.0.0.11"), Dir: dir, Store: "redis://127.0.0.1:6379/0", Keys: keys,
		Legacy: netip.MustParseAddrPort("127.0.1.5:5060"), Core: netip.MustParseAddrPort("127.0.2.5:5060"),
	}
	change(&o)
	e, err := NewEdge(binary, o)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func TestEdgeIsKilledAndStartedAgain(t *testing.T) {
	e := newTestEdge(t, "ready")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	for range 2 {
		if err := e.Start(ctx); err != nil {
			t.Fatal(err)
		}
		if err := e.Start(ctx); err == nil {
			t.Error("a running edge was started twice")
		}
		if err := e.Kill(); err != nil {
			t.Fatal(err)
		}
		if e.Running() {
			t.Error("a killed edge runs")
		}
	}
	if err := e.Start(ctx); err != nil {
		t.Fatal(err)
	}
	if err := e.Stop(); err != nil || e.Running() {
		t.Errorf("after Stop: %v, running %v", err, e.Running())
	}
	if err := e.Kill(); err == nil {
		t.Error("an edge that does not run was killed")
	}
}

func TestEdgeThatFailsSaysWhy(t *testing.T) {
	e := newTestEdge(t, "dies")
	err := e.Start(t.Context())
	if err == nil || !strings.Contains(err.Error(), "address already in use") {
		t.Errorf("error %v does not carry the edge's own words", err)
	}
}

func TestEdgeThatIsNotReadyIsGivenUp(t *testing.T) {
	e := newTestEdge(t, "unready")
	ctx, cancel := context.WithCancel(t.Context())
	started := make(chan error, 1)
	go func() { started <- e.Start(ctx) }()
	cancel()
	if err := <-started; err == nil {
		t.Error("an edge that never got ready was started")
	}
	if e.cmd != nil {
		<-e.exited
	}
}

// configured reads what an edge's file says.
func configured(t *testing.T, e *Edge) *config.Config {
	t.Helper()
	b, err := os.ReadFile(e.File)
	if err != nil {
		t.Fatal(err)
	}
	var settings map[string]any
	if err := yaml.Unmarshal(b, &settings); err != nil {
		t.Fatal(err)
	}
	c, err := config.Decode(settings)
	if err != nil {
		t.Fatalf("%v in\n%s", err, b)
	}
	if err := c.Validate(); err != nil {
		t.Fatalf("%v in\n%s", err, b)
	}
	return c
}

func TestEdgeFileIsAValidConfiguration(t *testing.T) {
	e := newTestEdge(t, "ready")
	c := configured(t, e)
	if e.Outside == e.Inside || e.Outside.Addr() != e.Inside.Addr() {
		t.Errorf("outside %s and inside %s", e.Outside, e.Inside)
	}
	for _, l := range c.Listen {
		if l.Side == config.Own {
			t.Errorf("%s: nobody asked for requests of our own", l.Name)
		}
	}
}

func TestEdgeThatKeepsRegistrations(t *testing.T) {
	own := netip.MustParseAddr("127.0.0.111")
	e := newTestEdgeWith(t, "ready", func(o *EdgeOptions) {
		secrets := filepath.Join(o.Dir, "secrets")
		if err := os.WriteFile(secrets, []byte("alice@acme.example password "+secret+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		o.Own, o.Secrets, o.Data, o.Keepalive = own, secrets, "redis://127.0.0.1:6379/1", 5*time.Second
		o.LegacyTarget = TargetOptions{Keep: "trust", ReachBack: "contact", CallID: "phone", ListsAll: true}
		o.CoreTarget = TargetOptions{Keep: "digest", ReachBack: "path"}
	})
	c := configured(t, e)
	legacy, core := c.Platforms.Legacy.Targets[0], c.Platforms.Core.Targets[0]
	if legacy.Keep != "trust" || legacy.ReachBack != "contact" || legacy.CallID != "phone" || !legacy.ListsAll {
		t.Errorf("legacy %+v", legacy)
	}
	if core.Keep != "digest" || core.ReachBack != "path" || core.ListsAll {
		t.Errorf("core %+v", core)
	}
	if c.Data != "redis://127.0.0.1:6379/1" || c.Secrets == "" || c.Timers.Keepalive != 5*time.Second {
		t.Errorf("data %q, secrets %q, keepalive %s", c.Data, c.Secrets, c.Timers.Keepalive)
	}
	at := map[config.Proto]bool{}
	for _, l := range c.Listen {
		if l.Side == config.Own {
			at[l.Transport] = netip.MustParseAddrPort(l.Address).Addr() == own
		}
	}
	if !at[config.UDP] || !at[config.TCP] {
		t.Errorf("own listeners %v, want both at %s", at, own)
	}
}
