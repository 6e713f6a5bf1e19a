package proxy

import (
	"context"
	"log/slog"
	"os"
	"sync"
	"testing"

	"github.com/hotcut/hotcut/policy"
)

// stuck is a log that nobody reads.
type stuck struct {
	slog.Handler
	once    sync.Once
	writing chan struct{} // a line is being written
	free    chan struct{}
}

func (s *stuck) Handle(_ context.Context, r slog.Record) error {
	if r.Message == "refused" {
		s.once.Do(func() { close(s.writing) })
		<-s.free
	}
	return nil
}
func (s *stuck) Enabled(context.Context, slog.Level) bool { return true }
func (s *stuck) WithAttrs([]slog.Attr) slog.Handler       { return s }
func (s *stuck) WithGroup(string) slog.Handler            { return s }

// Calls do not wait for the log, not even those of the shard that has something to say.
func TestStuckLogStopsNoCall(t *testing.T) {
	t.Parallel()
	w := newWorld(t, tenant("acme", policy.StageLegacy))
	log := &stuck{writing: make(chan struct{}), free: make(chan struct{})}
	w.log = slog.New(log)
	w.start()
	defer close(log.free)
	c := &call{w: w, by: w.phone, id: "one", domain: "acme.example", to: "<sip:bob@acme.example>"}
	w.phone.send(w.out, c.request("INVITE", 7, "sip:bob@acme.example", "Route: <sip:192.0.2.1;lr>\n"))
	w.phone.want("SIP/2.0 403")
	<-log.writing
	w.hangUp(w.establish("one", "acme.example", w.legacy), w.legacy) // the same Call-ID, the same shard
}

// What New bound it releases when it fails.
func TestNewReleasesItsSockets(t *testing.T) {
	t.Parallel()
	w := newWorld(t, tenant("acme", policy.StageLegacy))
	in := w.dir + "/a.sock"
	if err := os.Mkdir(in, 0o700); err != nil { // something else is there
		t.Fatal(err)
	}
	cfg := w.cfg
	if _, err := New(Options{Config: &cfg, Store: w.store}); err == nil {
		t.Fatal("New put a socket over a directory")
	}
	if err := os.Remove(in); err != nil {
		t.Fatal(err)
	}
	w.start()
}
