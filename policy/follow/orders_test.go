package follow_test

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"testing/synctest"

	"github.com/hotcut/hotcut/policy"
	"github.com/hotcut/hotcut/policy/follow"
	"github.com/hotcut/hotcut/policy/redisstore"
	"github.com/hotcut/hotcut/policy/storetest"
)

func legacyHere(e *edge, id string) bool {
	s := e.Current()
	if s == nil || s.Overrides() == nil {
		return false
	}
	_, ok := s.Overrides().Tenants[id]
	return ok
}

func TestOverrideSurvivesAndIsReported(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		state := t.TempDir()
		s := fileStore(t, t.TempDir())
		storetest.Seed(t, s, 1)
		e := startEdge(t, s, state)
		e.untilRev(t, 1)
		err := e.Override(func(o *policy.Overrides) error {
			o.Tenants = map[string]policy.Override{"t0": {By: "anna", At: 7}}
			return nil
		})
		if err != nil || !legacyHere(e, "t0") {
			t.Fatalf("%v, %+v", err, e.Current().Overrides())
		}
		if err := e.Override(func(o *policy.Overrides) error { o.Tenants = nil; return errors.New("no") }); err == nil || !legacyHere(e, "t0") {
			t.Error("an edit that failed was put into force")
		}
		until(t, "the roster says so", func() bool {
			nodes, err := s.Nodes(t.Context())
			return err == nil && len(nodes) == 1 && nodes[0].Overrides != nil && nodes[0].Overrides.Tenants["t0"].By == "anna"
		})
		h := edit(t, s, 1, "n") // the next rev keeps the order
		e.untilRev(t, h.Rev)
		if !legacyHere(e, "t0") {
			t.Error("a new rev dropped the order")
		}
		e.stop()
		e = startEdge(t, s, state)
		if !legacyHere(e, "t0") {
			t.Error("a restart dropped the order")
		}
		if err := e.Override(func(o *policy.Overrides) error { delete(o.Tenants, "t0"); return nil }); err != nil || legacyHere(e, "t0") {
			t.Errorf("not removed: %v", err)
		}
		e.stop()
	})
}

// A file written by hand works with nothing else alive; one that can not be read changes nothing, now and after a restart.
func TestHandWrittenOrders(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		state := t.TempDir()
		file := filepath.Join(state, "overrides.json")
		s := fileStore(t, t.TempDir()) // holds nothing, ever
		e := startEdge(t, s, state)
		write := func(text string) {
			if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		write(`{"tenants": {"t0": {"by": "anna"}}}`)
		until(t, "in force", func() bool { return legacyHere(e, "t0") })
		if at := e.State().Overrides.Tenants["t0"].At; at == 0 {
			t.Error("an order without a time has got none")
		}
		write(`{"tenants": {"t0": {"by": "anna"}}, "allLegacy": {`)
		e.untilAlarm(t, follow.AlarmOrders)
		if !legacyHere(e, "t0") {
			t.Error("an unreadable file took orders away")
		}
		e.stop()
		e = startEdge(t, s, state)
		if !legacyHere(e, "t0") || !slices.Contains(e.State().Alarms, follow.AlarmOrders) {
			t.Errorf("started with an unreadable file: %+v", e.State())
		}
		write(`{"allLegacy": {"by": "anna"}}`)
		until(t, "in force", func() bool { o := e.State().Overrides; return o != nil && o.AllLegacy != nil && o.Tenants == nil })
		e.untilCalm(t)
		if err := os.Remove(file); err != nil {
			t.Fatal(err)
		}
		until(t, "gone", func() bool { return e.State().Overrides == nil })
		e.stop()
	})
}

// With a store that takes connections and never answers, nothing that calls or operators need may wait.
func TestHangingStore(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	accepted := make(chan net.Conn, 100)
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			accepted <- c
		}
	}()
	s, err := redisstore.Open(t.Context(), "redis://"+l.Addr().String(), "test")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	e := startEdge(t, s, t.TempDir())
	<-accepted // somebody waits for an answer now
	err = e.Override(func(o *policy.Overrides) error { o.AllLegacy = &policy.Override{By: "anna"}; return nil })
	if err != nil {
		t.Fatal(err)
	}
	if o := e.Current().Overrides(); o == nil || o.AllLegacy == nil {
		t.Error("the order is not in force")
	}
	if n := e.State(); n.State != policy.NoRev || n.Overrides == nil {
		t.Errorf("state %+v", n)
	}
}
