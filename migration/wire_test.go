package migration_test

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"

	"github.com/hotcut/hotcut/migration"
	"github.com/hotcut/hotcut/policy"
	"github.com/hotcut/hotcut/policy/redisstore"
	"github.com/hotcut/hotcut/policy/storetest"
)

// meter counts what a process moves to and from its store.
type meter struct{ bytes atomic.Int64 }

type meteredConn struct {
	net.Conn
	meter *meter
}

func (m *meter) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	c, err := new(net.Dialer).DialContext(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	return &meteredConn{c, m}, nil
}

func (c *meteredConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.meter.bytes.Add(int64(n))
	return n, err
}

func (c *meteredConn) Write(b []byte) (int, error) {
	n, err := c.Conn.Write(b)
	c.meter.bytes.Add(int64(n))
	return n, err
}

// blind is a store that can only be read whole.
type blind struct{ policy.Store }

// process is an engine as one run of the CLI has it: nothing is in memory yet.
func process(t *testing.T, url, ns string, whole bool) (*migration.Engine, *meter, func()) {
	t.Helper()
	m := new(meter)
	s, err := redisstore.Open(t.Context(), url, ns, redisstore.Dialer(m.dial))
	if err != nil {
		t.Fatal(err)
	}
	e := &migration.Engine{Store: s, Fleet: &migration.Fleet{Limit: time.Second}, Roster: filepath.Join(t.TempDir(), "roster.json"),
		Limit: 30 * time.Second, Now: time.Now, Say: t.Logf}
	if whole {
		e.Store = blind{s}
	}
	return e, m, func() { s.Close() }
}

// verb is a change that names its tenants, as cmd/hotcut makes it.
type verb struct {
	name string
	of   []string
	back bool
	goal func(*migration.Engine) (migration.Goal, error)
}

var ops = migration.Author{Actor: "ops@test", Reason: "test"}

func verbs() []verb {
	plain := func(g func(migration.Author) migration.Goal) func(*migration.Engine) (migration.Goal, error) {
		return func(*migration.Engine) (migration.Goal, error) {
			by := ops
			by.Key = policy.MintKey()
			return g(by), nil
		}
	}
	flip := func(stage policy.Stage) func(*migration.Engine) (migration.Goal, error) {
		return plain(func(by migration.Author) migration.Goal {
			return migration.Flip(migration.FlipTo{Tenant: "t7", Stage: stage}, by)
		})
	}
	t7 := []string{"t7"}
	return []verb{
		{"flip to core", t7, false, flip(policy.StageCore)},
		{"rollback", t7, true, plain(func(by migration.Author) migration.Goal { return migration.Rollback(t7, by) })},
		{"hold", []string{"t7", "t8"}, false, plain(func(by migration.Author) migration.Goal { return migration.Hold([]string{"t7", "t8"}, by) })},
		{"flip of who is held", t7, false, flip(policy.StageCore)},
		{"release", t7, false, plain(func(by migration.Author) migration.Goal { return migration.Release(t7, by) })},
		{"set", t7, false, plain(func(by migration.Author) migration.Goal {
			return migration.Set("t7", migration.Fields{"name": json.RawMessage(`"Seven"`)}, by)
		})},
		{"flip back", t7, false, flip(policy.StageCore)},
		{"flip to legacy", t7, true, flip(policy.StageLegacy)},
		{"undo", t7, false, func(e *migration.Engine) (migration.Goal, error) {
			head, err := e.Store.Head(context.Background())
			if err != nil {
				return nil, err
			}
			c, err := e.ChangeAt(context.Background(), head.Rev)
			by := ops
			by.Key = policy.MintKey()
			return migration.Undo(c, by), err
		}},
	}
}

// run plans and commits one verb, and returns all that a person or a script sees of it.
func run(t *testing.T, e *migration.Engine, v verb) (plan string, exit error) {
	t.Helper()
	goal, err := v.goal(e)
	if err != nil {
		t.Fatal(err)
	}
	var p *migration.Plan
	if v.back {
		p, err = e.PlanBack(t.Context(), goal, ops, v.of...)
	} else {
		p, err = e.Plan(t.Context(), goal, v.of...)
	}
	if err != nil {
		return "", err
	}
	seen := *p
	seen.Change.Epoch, seen.Change.Key = "", ""
	seen.Change.Tenants = nil // salts and times of two stores differ; moves and fields say what changes
	b, err := json.MarshalIndent(seen, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	_, err = e.Commit(t.Context(), goal, p)
	return string(b), err
}

// namedMovesKilobytes runs every verb twice, as a process that can read a few tenants and as one that can not, each in a
// store of its own. The first moves less than limit bytes each time, and both see the same.
func namedMovesKilobytes(t *testing.T, url string, tenants int, limit int64) {
	for _, ns := range []string{"light", "whole"} {
		w, err := redisstore.Open(t.Context(), url, ns)
		if err != nil {
			t.Fatal(err)
		}
		storetest.Seed(t, w, tenants)
		w.Close()
	}
	for _, v := range verbs() {
		e, m, end := process(t, url, "light", false)
		plan, err := run(t, e, v)
		end()
		if n := m.bytes.Load(); n > limit {
			t.Errorf("%s in a policy of %d tenants moved %d bytes, limit %d", v.name, tenants, n, limit)
		} else {
			t.Logf("%s in a policy of %d tenants moved %d bytes", v.name, tenants, n)
		}
		w, _, end := process(t, url, "whole", true)
		wantPlan, wantErr := run(t, w, v)
		end()
		if plan != wantPlan || sentence(err) != sentence(wantErr) {
			t.Errorf("%s by the tenants named: %v\n%s\nby the whole policy: %v\n%s", v.name, err, plan, wantErr, wantPlan)
		}
	}
	e, m, end := process(t, url, "light", false)
	defer end()
	view, err := e.View(t.Context(), "t7")
	if err != nil {
		t.Fatal(err)
	}
	if t7, err := view.Find("t7"); err != nil || t7.Stage != policy.StageCore || t7.Name != "Seven" || m.bytes.Load() > limit {
		t.Errorf("%+v, %v, by %d bytes", t7, err, m.bytes.Load())
	}
	// A move to core that others overtook, on other tenants: it read the globals, and the log tells that they stand.
	overtaken(t, url, limit)
}

func sentence(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// overtaken commits other tenants' changes between a plan towards core and its commit, and then a freeze.
func overtaken(t *testing.T, url string, limit int64) {
	to := func(id string, by migration.Author) migration.Goal {
		by.Key = policy.MintKey()
		return migration.Flip(migration.FlipTo{Tenant: id, Stage: policy.StageCore}, by)
	}
	between := func(id string, meanwhile func(*migration.Engine) error) (int64, error) {
		e, m, end := process(t, url, "light", false)
		defer end()
		goal := to(id, ops)
		p, err := e.Plan(t.Context(), goal, id)
		if err != nil {
			t.Fatal(err)
		}
		other, _, done := process(t, url, "light", false)
		if err := meanwhile(other); err != nil {
			t.Fatal(err)
		}
		done()
		_, err = e.Commit(t.Context(), goal, p)
		return m.bytes.Load(), err
	}
	commit := func(e *migration.Engine, goal migration.Goal, of ...string) error {
		p, err := e.Plan(t.Context(), goal, of...)
		if err != nil {
			return err
		}
		_, err = e.Commit(t.Context(), goal, p)
		return err
	}
	n, err := between("t1", func(e *migration.Engine) error { return commit(e, to("t2", ops), "t2") })
	if err != nil || n > limit {
		t.Errorf("overtaken by another tenant's flip: %v, by %d bytes", err, n)
	}
	_, err = between("t3", func(e *migration.Engine) error {
		by := ops
		by.Key = policy.MintKey()
		return commit(e, migration.Halt(policy.HaltFreeze, by))
	})
	if !errors.Is(err, policy.ErrConflict) {
		t.Errorf("overtaken by a freeze: %v", err)
	}
}

// A change that names its tenants costs kilobytes, from the look to the commit.
func TestNamedMovesKilobytes(t *testing.T) {
	tenants := 5000
	if testing.Short() {
		tenants = 500
	}
	namedMovesKilobytes(t, "redis://"+miniredis.RunT(t).Addr(), tenants, 256<<10)
}
