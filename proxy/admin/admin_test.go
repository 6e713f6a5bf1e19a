package admin

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/hotcut/hotcut/policy"
	"github.com/hotcut/hotcut/proxy/callrecord"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// start runs a server on a socket of its own and returns a client of it. Both are gone when the test ends.
func start(t *testing.T, b Backend) (*Server, *Client) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "edge.sock")
	s, err := New(Listen{Socket: path, Metrics: "127.0.0.1:0"}, b, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	run(t, s)
	return s, dial(t, "unix://"+path)
}

func run(t *testing.T, s *Server) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
}

func dial(t *testing.T, address string) *Client {
	t.Helper()
	c, err := Dial(address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// told is a backend that notes what it was asked.
func told(log *[]any) Backend {
	note := func(v ...any) { *log = append(*log, v...) }
	return Backend{
		State: func() State {
			return State{NodeState: policy.NodeState{Edge: "edge-1", Rev: 7, State: policy.Live}, Uptime: 3, Counters: map[string]uint64{"x": 1}}
		},
		Calls: func(tenant string, limit int) []Call {
			note(tenant, limit)
			return []Call{{CallID: "a", State: Ringing}}
		},
		Draining: func(tenant string) []Draining { note(tenant); return nil },
		Records:  func(id string) []callrecord.Record { note(id); return []callrecord.Record{{CallID: id, Rev: 4}} },
		Recent:   func(tenant string, limit int) []callrecord.Record { note(tenant, limit); return nil },
		Explain: func(q ExplainRequest) (ExplainResponse, error) {
			note(q)
			return ExplainResponse{Decision: Decision{Tenant: "acme", Platform: "core", Reason: "stage"}, ToRaw: q.To}, nil
		},
		Registrations: func(tenant string, limit int) []Registration {
			note(tenant, limit)
			return []Registration{{ID: "b", Tenant: tenant, Legacy: RegistrationHold{Until: 9, Own: true}}}
		},
		RegistrationSummary: func(tenant string) RegistrationSummaries {
			note(tenant)
			return RegistrationSummaries{Edge: "edge-1"}
		},
		Doctor: func(_ context.Context, q DoctorRequest) (DoctorReport, error) {
			note(q)
			return DoctorReport{Edge: "edge-1", Challenges: map[string]Challenge{"core": {Realms: []string{"a"}}}}, nil
		},
		Drain:        func(on bool) error { note(on); return nil },
		Reload:       func() ([]string, []string, error) { return []string{"log.level"}, nil, nil },
		Override:     func(q OverrideChange) error { note(q); return nil },
		AcceptEpoch:  func(e string) error { note(e); return errors.New("no edge speaks that epoch") },
		ExportPolicy: func(w io.Writer) error { _, err := io.WriteString(w, "{}\n"); return err },
		Metrics:      http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "hotcut_up 1\n") }),
		Ready:        func() error { return errors.New("no policy yet") },
	}
}

func TestClientAndServerAgree(t *testing.T) {
	var log []any
	_, c := start(t, told(&log))
	ctx := t.Context()

	s, err := c.State(ctx)
	if err != nil || s.Edge != "edge-1" || s.Rev != 7 || s.NodeState.State != policy.Live || s.Counters["x"] != 1 || s.Targets == nil {
		t.Errorf("State: %+v, %v", s, err)
	}
	if calls, err := c.Calls(ctx, "a&b", 5); err != nil || len(calls) != 1 || calls[0].State != Ringing {
		t.Errorf("Calls: %+v, %v", calls, err)
	}
	if d, err := c.Draining(ctx, "acme"); err != nil || d == nil || len(d) != 0 {
		t.Errorf("Draining must be an empty list: %#v, %v", d, err)
	}
	if r, err := c.Records(ctx, "x@192.0.2.7"); err != nil || len(r) != 1 || r[0].CallID != "x@192.0.2.7" {
		t.Errorf("Records: %+v, %v", r, err)
	}
	if r, err := c.Recent(ctx, "acme", 9); err != nil || r == nil {
		t.Errorf("Recent: %+v, %v", r, err)
	}
	q := ExplainRequest{From: "+13035550100", To: "911", Source: "192.0.2.1:5060"}
	if a, err := c.Explain(ctx, q); err != nil || a.Decision.Platform != "core" || a.ToRaw != "911" || a.Targets == nil {
		t.Errorf("Explain: %+v, %v", a, err)
	}
	if r, err := c.Registrations(ctx, "acme", 4); err != nil || len(r) != 1 || !r[0].Legacy.Own || r[0].Missing == nil {
		t.Errorf("Registrations: %+v, %v", r, err)
	}
	if s, err := c.RegistrationSummary(ctx, "acme"); err != nil || s.Edge != "edge-1" || s.Rows == nil || s.KeepModes == nil {
		t.Errorf("RegistrationSummary: %+v, %v", s, err)
	}
	dq := DoctorRequest{Tenant: "acme", User: "bob@acme.example", Platform: "core", Write: true}
	if d, err := c.Doctor(ctx, dq); err != nil || d.Findings == nil || !reflect.DeepEqual(d.Challenges["core"], Challenge{[]string{"a"}, []string{}, []string{}}) {
		t.Errorf("Doctor: %+v, %v", d, err)
	}
	if err := c.Drain(ctx, true); err != nil {
		t.Errorf("Drain: %v", err)
	}
	if r, err := c.Reload(ctx); err != nil || !reflect.DeepEqual(r, Reloaded{[]string{"log.level"}, []string{}}) {
		t.Errorf("Reload: %+v, %v", r, err)
	}
	o := OverrideChange{Op: Set, Scope: ScopeTenants, Tenants: []string{"acme"}, Order: policy.Override{By: "ops", At: 5}}
	if err := c.Override(ctx, o); err != nil {
		t.Errorf("Override: %v", err)
	}
	if err := c.AcceptEpoch(ctx, "ff"); code(err) != CodeFailed || !strings.Contains(err.Error(), "no edge speaks that epoch") {
		t.Errorf("AcceptEpoch must carry the edge's words: %v", err)
	}
	var buf bytes.Buffer
	if err := c.ExportPolicy(ctx, &buf); err != nil || buf.String() != "{}\n" {
		t.Errorf("ExportPolicy: %q, %v", buf.String(), err)
	}
	if err := c.Ready(ctx); code(err) != CodeNotReady || !strings.Contains(err.Error(), "no policy yet") {
		t.Errorf("Ready: %v", err)
	}
	if m, err := c.Metrics(ctx); err != nil || string(m) != "hotcut_up 1\n" {
		t.Errorf("Metrics: %q, %v", m, err)
	}
	want := []any{"a&b", 5, "acme", "x@192.0.2.7", "acme", 9, q, "acme", 4, "acme", dq, true, o, "ff"}
	if !reflect.DeepEqual(log, want) {
		t.Errorf("the backend was asked\n %+v\nwant\n %+v", log, want)
	}
}

// code is the code of an edge's refusal.
func code(err error) string {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Code
	}
	return ""
}

func TestRefusals(t *testing.T) {
	var log []any
	s, _ := start(t, told(&log))
	h := handler(s.b.commands())
	for _, c := range []struct {
		method, path, body string
		status             int
		code, message      string
	}{
		{"GET", "/v2/state", "", 404, CodeNotFound, "no such path"},
		{"POST", "/v1/state", "", 405, CodeMethod, "takes GET"},
		{"GET", "/v1/drain", "", 405, CodeMethod, "takes POST"},
		{"GET", "/v1/calls?limit=0", "", 400, CodeBadRequest, "limit must be 1 to 10000"},
		{"GET", "/v1/calls?limit=x", "", 400, CodeBadRequest, "limit must be"},
		{"GET", "/v1/records?limit=99999", "", 400, CodeBadRequest, "limit must be"},
		{"GET", "/v1/registrations?limit=10001", "", 400, CodeBadRequest, "limit must be 1 to 10000"},
		{"POST", "/v1/doctor", `{"platform":"moon"}`, 400, CodeBadRequest, "platform must be"},
		{"POST", "/v1/doctor", `{"force":true}`, 400, CodeBadRequest, `unknown field "force"`},
		{"POST", "/v1/drain", "", 400, CodeBadRequest, "EOF"},
		{"POST", "/v1/drain", "{}", 400, CodeBadRequest, "on is missing"},
		{"POST", "/v1/drain", `{"on":true,"off":1}`, 400, CodeBadRequest, `unknown field "off"`},
		{"POST", "/v1/drain", `{"on":true}{}`, 400, CodeBadRequest, "more than one JSON value"},
		{"POST", "/v1/drain", `{"on":"` + strings.Repeat("x", MaxBody) + `"}`, 413, CodeTooLarge, "65536 bytes"},
		{"POST", "/v1/explain", `{"from":"1"}`, 400, CodeBadRequest, "to is missing"},
		{"POST", "/v1/accept-epoch", `{}`, 400, CodeBadRequest, "epoch is missing"},
		{"POST", "/v1/override", `{"op":"toggle"}`, 400, CodeBadRequest, "op must be"},
		{"POST", "/v1/override", `{"op":"set","scope":"tenants","order":{"by":"x","at":1}}`, 400, CodeBadRequest, "tenants is empty"},
		{"POST", "/v1/override", `{"op":"set","scope":"freeze","tenants":["a"]}`, 400, CodeBadRequest, "scope tenants only"},
		{"POST", "/v1/override", `{"op":"set","scope":"all"}`, 400, CodeBadRequest, "only be removed"},
		{"POST", "/v1/override", `{"op":"remove","scope":"moon"}`, 400, CodeBadRequest, "scope must be"},
		{"POST", "/v1/override", `{"op":"set","scope":"freeze"}`, 400, CodeBadRequest, "order.by is empty"},
	} {
		w := serve(h, c.method, c.path, c.body)
		want := `{"error":{"code":"` + c.code + `"`
		if got := w.Body.String(); w.Code != c.status || !strings.HasPrefix(got, want) || !strings.Contains(strings.ReplaceAll(got, `\"`, `"`), c.message) {
			t.Errorf("%s %s %.60s: %d %s\nwant %d %s ... %s", c.method, c.path, c.body, w.Code, got, c.status, want, c.message)
		}
	}
	if len(log) != 0 {
		t.Errorf("a refused request reached the backend: %v", log)
	}
}

// An edge that lacks a function says so and does not fall over.
func TestNotServed(t *testing.T) {
	var b Backend
	all := b.commands()
	for path, r := range b.probes() {
		all[path] = r
	}
	for path, r := range all {
		if path == "/healthz" {
			continue
		}
		if w := serve(handler(all), r.method, path, "{}"); w.Code != http.StatusNotImplemented || !strings.Contains(w.Body.String(), CodeNotServed) {
			t.Errorf("%s: %d %s", path, w.Code, w.Body)
		}
	}
}

func TestTCPCommandsNothing(t *testing.T) {
	var log []any
	b := told(&log)
	b.Ready = func() error { return nil }
	s, _ := start(t, b)
	c := dial(t, "http://"+s.MetricsAddr().String())
	if err := c.Ready(t.Context()); err != nil {
		t.Errorf("readyz: %v", err)
	}
	if m, err := c.Metrics(t.Context()); err != nil || len(m) == 0 {
		t.Errorf("metrics: %q, %v", m, err)
	}
	if err := c.Drain(t.Context(), true); code(err) != CodeNotFound || len(log) != 0 {
		t.Errorf("a command over TCP: %v, backend saw %v", err, log)
	}
	if _, err := c.State(t.Context()); code(err) != CodeNotFound {
		t.Errorf("state over TCP: %v", err)
	}
}

func TestBrokenExportIsNoticed(t *testing.T) {
	b := Backend{ExportPolicy: func(w io.Writer) error {
		w.Write(bytes.Repeat([]byte("x"), 1<<16))
		return errors.New("disk")
	}}
	_, c := start(t, b)
	if err := c.ExportPolicy(t.Context(), io.Discard); err == nil {
		t.Error("half a policy was taken for a whole one")
	}
}

func TestUnreachable(t *testing.T) {
	c := dial(t, "unix://"+filepath.Join(t.TempDir(), "nobody.sock"))
	if _, err := c.State(t.Context()); !errors.Is(err, ErrUnreachable) || !strings.Contains(err.Error(), "nobody.sock") {
		t.Errorf("got %v", err)
	}
}

func TestDialRefuses(t *testing.T) {
	for address, want := range map[string]string{
		"unix://edge.sock": "absolute path", "https://edge:1": "not in this build", "ftp://edge": "no scheme", "edge": "write unix:///PATH", "": "write unix:///PATH",
	} {
		if _, err := Dial(address); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Dial(%q): %v, want %q", address, err, want)
		}
	}
}

func TestSocketIsPrivateAndRemoved(t *testing.T) {
	path := filepath.Join(t.TempDir(), "edge.sock")
	s, err := New(Listen{Socket: path}, Backend{}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	fi, err := os.Lstat(path)
	if err != nil || fi.Mode() != os.ModeSocket|0o600 {
		t.Errorf("mode %v, %v", fi.Mode(), err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if _, err := os.Lstat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("left behind: %v", err)
	}
}

func TestSocketOfAnother(t *testing.T) {
	quiet := slog.New(slog.DiscardHandler)
	path := filepath.Join(t.TempDir(), "edge.sock")

	// A dead process leaves its socket: nobody answers and nobody holds the lock.
	dead, err := net.ListenUnix("unix", &net.UnixAddr{Name: path})
	if err != nil {
		t.Fatal(err)
	}
	dead.SetUnlinkOnClose(false)
	dead.Close()
	s, err := New(Listen{Socket: path}, Backend{}, quiet)
	if err != nil {
		t.Fatalf("a stale socket must be cleared away: %v", err)
	}

	// That edge now lives (it need not even Run yet): a second one is refused.
	if _, err := New(Listen{Socket: path}, Backend{}, quiet); !errors.Is(err, ErrInUse) {
		t.Errorf("second edge: %v", err)
	}
	s.Close()

	// A living process that knows nothing of our lock.
	other, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	if _, err := New(Listen{Socket: path}, Backend{}, quiet); !errors.Is(err, ErrInUse) {
		t.Errorf("other process: %v", err)
	}
	if _, err := os.Lstat(path); err != nil {
		t.Errorf("the living socket was removed: %v", err)
	}

	// What is no socket is not ours to remove.
	file := filepath.Join(t.TempDir(), "notes")
	os.WriteFile(file, []byte("x"), 0o600)
	if _, err := New(Listen{Socket: file}, Backend{}, quiet); err == nil || !strings.Contains(err.Error(), "not a socket") {
		t.Errorf("a file: %v", err)
	}
}

func TestTakenPortGivesTheSocketBack(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	path := filepath.Join(t.TempDir(), "edge.sock")
	if _, err := New(Listen{Socket: path, Metrics: ln.Addr().String()}, Backend{}, slog.New(slog.DiscardHandler)); err == nil {
		t.Fatal("a taken port was accepted")
	}
	if _, err := os.Lstat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("socket left behind: %v", err)
	}
}

func TestConnectionsAreBounded(t *testing.T) {
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ln := limit(inner, 1)
	accepted := make(chan net.Conn)
	go func() {
		defer close(accepted)
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			accepted <- c
		}
	}()
	var mine []net.Conn
	for range 2 {
		c, err := net.Dial("tcp", inner.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		mine = append(mine, c)
	}
	first := <-accepted
	if n := len(ln.(*limited).slots); n != 1 {
		t.Errorf("%d slots in use, want 1", n)
	}
	first.Close()
	first.Close() // gives its slot back once
	second := <-accepted
	second.Close()
	ln.Close()
	for range accepted {
	}
	for _, c := range mine {
		c.Close()
	}
}
