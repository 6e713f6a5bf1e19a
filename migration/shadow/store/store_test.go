package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"go.uber.org/goleak"

	"github.com/hotcut/hotcut/migration/shadow/compare"
	"github.com/hotcut/hotcut/migration/shadow/record"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// ground is a store with the means to look below it and to let time pass.
type ground struct {
	Store
	clock *clock
	// all is every key, file name and content, for grep.
	all  func() map[string]string
	pass func(time.Duration)
}

type clock struct{ now time.Time }

func (c *clock) time() time.Time { return c.now }

// startTime is a Monday at nine in the morning, UTC.
var startTime = time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)

func grounds(t *testing.T, f func(t *testing.T, g *ground)) {
	t.Run("redis", func(t *testing.T) {
		m := miniredis.RunT(t)
		c := &clock{startTime}
		m.SetTime(c.now)
		s, err := Open("redis://"+m.Addr()+"/0?ns=test", "", Options{Now: c.time})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { s.Close() })
		f(t, &ground{
			Store: s, clock: c, all: func() map[string]string { return dumpMini(t, m) },
			pass: func(d time.Duration) { c.now = c.now.Add(d); m.SetTime(c.now); m.FastForward(d) },
		})
	})
	t.Run("files", func(t *testing.T) {
		dir := t.TempDir()
		c := &clock{startTime}
		s, err := Open("", dir, Options{Now: c.time})
		if err != nil {
			t.Fatal(err)
		}
		f(t, &ground{
			Store: s, clock: c, all: func() map[string]string { return dumpFiles(t, dir) },
			pass: func(d time.Duration) {
				settle(t, dir, c.now)
				c.now = c.now.Add(d)
			},
		})
	})
}

func dumpMini(t *testing.T, m *miniredis.Miniredis) map[string]string {
	t.Helper()
	all := make(map[string]string)
	for _, key := range m.Keys() {
		switch m.Type(key) {
		case "string":
			all[key], _ = m.Get(key)
		case "hash":
			fields, _ := m.HKeys(key)
			for _, f := range fields {
				all[key] += f + " " + m.HGet(key, f) + "\n"
			}
		case "zset":
			members, _ := m.SortedSet(key)
			all[key] = fmt.Sprint(members)
		default:
			t.Errorf("key %s is a %s", key, m.Type(key))
		}
	}
	return all
}

func dumpFiles(t *testing.T, dir string) map[string]string {
	t.Helper()
	all := make(map[string]string)
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || path == dir {
			return err
		}
		all[path] = ""
		if !d.IsDir() {
			b, err := os.ReadFile(path)
			all[path] = string(b)
			return err
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// settle gives files that were written since the last time the test's time: mtime is the kernel's, which is later.
func settle(t *testing.T, dir string, now time.Time) {
	t.Helper()
	for path := range dumpFiles(t, dir) {
		info, err := os.Stat(path)
		if err == nil && !info.IsDir() && info.ModTime().After(now) {
			err = os.Chtimes(path, now, now)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

func verdict(tenant, token string, at time.Time, severity compare.Severity) *compare.Verdict {
	v := &compare.Verdict{Tenant: tenant, Build: "7.1", Scenario: "out/phone/pstn answered", CallID: token, At: at.UnixNano()}
	if severity > compare.None {
		v.Differences = []compare.Difference{{Field: "outcome", Kind: compare.Differs, From: "answered", To: "busy", Severity: severity, Words: "callers hear busy"}}
	}
	return v
}

func write(t *testing.T, s Store, tally *compare.Tally) {
	t.Helper()
	b, err := Encode(tally, slices.Collect(maps.Keys(tally.Tenants)))
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Write(t.Context(), b); err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, s Store, tenant string) *compare.Tally {
	t.Helper()
	sum, damage, err := s.Read(t.Context(), tenant)
	if err != nil || len(damage) > 0 {
		t.Fatal(err, damage)
	}
	return sum
}

func sampled(sum *compare.Tally, tenant string) uint64 {
	var n uint64
	if c := sum.Tenants[tenant]; c != nil {
		for _, m := range c.Methods {
			n += m.Sampled
		}
	}
	return n
}

// Three lives of two edges write many times over: the sum is what was seen, and nothing counts twice.
func TestEachLifeOverwritesItsOwn(t *testing.T) {
	grounds(t, func(t *testing.T, g *ground) {
		lives := []*compare.Tally{compare.New("e1", "boot1", nil), compare.New("e1", "boot2", nil), compare.New("e2", "boot1", nil)}
		want := new(compare.Tally)
		for round := range 3 {
			for i, l := range lives {
				l.Add(verdict("acme", fmt.Sprint(round, i), startTime, compare.Critical))
				l.Add(verdict("globex", fmt.Sprint(round, i), startTime, compare.None))
				write(t, g, l)
			}
		}
		for _, l := range lives {
			compare.Merge(want, l)
		}
		got, _ := json.Marshal(read(t, g, ""))
		if w, _ := json.Marshal(want); string(got) != string(w) {
			t.Errorf("got\n%s\nwant\n%s", got, w)
		}
		if one := read(t, g, "acme"); len(one.Tenants) != 1 || sampled(one, "acme") != 9 {
			t.Errorf("%d tenants, %d calls", len(one.Tenants), sampled(one, "acme"))
		}
		if list, err := g.Tenants(t.Context()); err != nil || !slices.Equal(list, []string{"acme", "globex"}) {
			t.Errorf("%v %v", list, err)
		}
		if none := read(t, g, "nobody"); len(none.Tenants) != 0 {
			t.Errorf("%v", none.Tenants)
		}
	})
}

func TestEverythingExpires(t *testing.T) {
	grounds(t, func(t *testing.T, g *ground) {
		tally := compare.New("e1", "boot1", nil)
		tally.Add(verdict("acme", "c~a", startTime, compare.Critical))
		write(t, g, tally)
		if err := g.Keep(t.Context(), &Example{Verdict: verdict("acme", "c~a", startTime, compare.Critical)}); err != nil {
			t.Fatal(err)
		}
		g.pass(29 * 24 * time.Hour)
		if n := sampled(read(t, g, "acme"), "acme"); n != 1 {
			t.Fatalf("%d calls after 29 days", n)
		}
		g.pass(2 * 24 * time.Hour)
		// Somebody else writes: what it leads to is looked after then.
		other := compare.New("e2", "boot1", nil)
		other.Add(verdict("globex", "c~b", g.clock.now, compare.None))
		write(t, g, other)
		if sum := read(t, g, ""); sum.Tenants["acme"] != nil || sum.Tenants["globex"] == nil {
			t.Errorf("after 31 days: %v", slices.Collect(maps.Keys(sum.Tenants)))
		}
		if _, err := g.Find(t.Context(), "acme", "c~a"); !errors.Is(err, ErrNotFound) {
			t.Errorf("an example after 31 days: %v", err)
		}
	})
}

func TestTriage(t *testing.T) {
	grounds(t, func(t *testing.T, g *ground) {
		ctx := t.Context()
		if all, err := g.Triage(ctx, "acme"); err != nil || len(all) != 0 {
			t.Fatal(all, err)
		}
		bug := compare.Triage{State: compare.StateBug, By: "ops", Reason: "ticket 17", At: 1}
		waived := compare.Triage{State: compare.StateIntended, By: "ops", Reason: "wanted", At: 1, Until: 2}
		for id, tr := range map[compare.ClusterID]compare.Triage{"a": bug, "b": bug, "c": waived} {
			if err := g.SetTriage(ctx, "acme", id, tr); err != nil {
				t.Fatal(err)
			}
		}
		if err := g.SetTriage(ctx, "acme", "b", waived); err != nil {
			t.Fatal(err)
		}
		want := map[compare.ClusterID]compare.Triage{"a": bug, "b": waived, "c": waived}
		if all, err := g.Triage(ctx, "acme"); err != nil || !maps.Equal(all, want) {
			t.Errorf("%v %v", all, err)
		}
		if all, err := g.Triage(ctx, "globex"); err != nil || len(all) != 0 {
			t.Errorf("another tenant's: %v %v", all, err)
		}
		if err := g.SetTriage(ctx, "acme", "d", compare.Triage{State: compare.StateIntended}); err == nil {
			t.Error("a waiver without a name is taken")
		}
	})
}

func TestDamageIsNamedAndNotSummed(t *testing.T) {
	grounds(t, func(t *testing.T, g *ground) {
		tally := compare.New("e1", "boot1", nil)
		tally.Add(verdict("acme", "c~a", startTime, compare.None))
		write(t, g, tally)
		if err := g.Write(t.Context(), &Batch{Edge: "e2", Boot: "b", Tenants: map[string][]byte{"acme": []byte(`{"clusters":{"x":{}}}`)}}); err != nil {
			t.Fatal(err)
		}
		sum, damage, err := g.Read(t.Context(), "acme")
		if err != nil || len(damage) != 1 || !strings.Contains(damage[0], "e2") || sampled(sum, "acme") != 1 {
			t.Errorf("%v, damage %q, %d calls", err, damage, sampled(sum, "acme"))
		}
	})
}

func TestNamesAreChecked(t *testing.T) {
	grounds(t, func(t *testing.T, g *ground) {
		long := strings.Repeat("x", 200)
		for _, b := range []*Batch{
			{Edge: "", Boot: "b"}, {Edge: "e|1", Boot: "b"}, {Edge: "e", Boot: long},
			{Edge: "e", Boot: "b", Tenants: map[string][]byte{"a}b": []byte("{}")}}, {Edge: "e", Boot: "b", Tenants: map[string][]byte{long: []byte("{}")}},
		} {
			if err := g.Write(t.Context(), b); err == nil {
				t.Errorf("%+v is taken", b)
			}
		}
	})
}

// A purge leaves a mark of which nobody can tell whose it is, and nothing else; a tenant of a like name stays.
func TestPurgeLeavesNothing(t *testing.T) {
	grounds(t, func(t *testing.T, g *ground) {
		ctx := t.Context()
		for _, tenant := range []string{"acme", "acme2", "ac*e", "[a]cme"} {
			for _, edge := range []string{"e1", "e2"} {
				tally := compare.New(edge, "boot", nil)
				tally.Add(verdict(tenant, "c~"+tenant, startTime, compare.Major))
				write(t, g, tally)
			}
			if err := errors.Join(
				g.Keep(ctx, &Example{Verdict: verdict(tenant, "c~"+tenant, startTime, compare.Major)}),
				g.SetTriage(ctx, tenant, "a", compare.Triage{State: compare.StateBug, At: 1}),
			); err != nil {
				t.Fatal(err)
			}
		}
		for _, tenant := range []string{"ac*e", "[a]cme", "acme"} {
			if err := g.Purge(ctx, tenant); err != nil {
				t.Fatal(err)
			}
		}
		for name, content := range g.all() {
			for _, what := range []string{":acme}", "/acme/", "/acme.json", "c~acme\"", "\"acme\"", "ac*e", "ac%2Ae", "[a]cme", "%5Ba%5Dcme"} {
				if strings.Contains(name, what) || strings.Contains(content, what) {
					t.Errorf("%s is left in %s: %s", what, name, content)
				}
			}
		}
		if n := sampled(read(t, g, "acme2"), "acme2"); n != 2 {
			t.Errorf("another tenant has %d calls, want 2", n)
		}
		marks, err := g.Marks(ctx)
		if err != nil || len(marks) != 3 || marks[Mark("acme")] != startTime.UnixMilli() {
			t.Errorf("%v %v", marks, err)
		}
		g.pass(31 * 24 * time.Hour)
		if marks, err := g.Marks(ctx); err != nil || len(marks) != 0 {
			t.Errorf("marks after the retention: %v %v", marks, err)
		}
	})
}

// What crossed a purge is taken back by the edge that wrote it.
func TestWhatCrossedAPurgeIsWithdrawn(t *testing.T) {
	grounds(t, func(t *testing.T, g *ground) {
		ctx := t.Context()
		tally := compare.New("e1", "boot", nil)
		tally.Add(verdict("acme", "c~a", startTime, compare.Major))
		if err := g.Purge(ctx, "acme"); err != nil {
			t.Fatal(err)
		}
		write(t, g, tally)
		if err := g.Keep(ctx, &Example{Verdict: verdict("acme", "c~a", startTime, compare.Major)}); err != nil {
			t.Fatal(err)
		}
		if err := g.Write(ctx, &Batch{Edge: "e1", Boot: "boot", Gone: map[string][]string{"acme": {"c~a"}, "never": nil}}); err != nil {
			t.Fatal(err)
		}
		g.pass(time.Second)
		for name, content := range g.all() {
			if strings.Contains(name+content, "acme") && !isEmptyFolder(name) {
				t.Errorf("%s: %s", name, content)
			}
		}
	})
}

func isEmptyFolder(path string) bool {
	entries, err := os.ReadDir(path)
	return err == nil && len(entries) == 0
}

func TestFindInRedis(t *testing.T) {
	m := miniredis.RunT(t)
	s, err := OpenRedis("redis://"+m.Addr()+"/0?ns=test", Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	ctx := t.Context()
	big := record.Message{Raw: []byte(strings.Repeat("x", maxExample))}
	x := &Example{
		Verdict: verdict("acme", "c~a", startTime, compare.Major),
		Live:    &record.Exchange{Tenant: "acme", Near: record.Leg{Messages: []record.Message{{Raw: []byte("INVITE")}}}},
	}
	huge := &Example{Verdict: verdict("acme", "c~b", startTime, compare.Major), Live: &record.Exchange{Near: record.Leg{Messages: []record.Message{big}}}}
	if err := errors.Join(s.Keep(ctx, x), s.Keep(ctx, huge)); err != nil {
		t.Fatal(err)
	}
	if got, err := s.Find(ctx, "acme", "c~a"); err != nil || string(got.Live.Near.Messages[0].Raw) != "INVITE" || got.Verdict.Worst() != compare.Major {
		t.Errorf("%+v %v", got, err)
	}
	if got, err := s.Find(ctx, "acme", "c~b"); err != nil || got.Live != nil || len(got.Verdict.Differences) != 1 {
		t.Errorf("what does not fit must lose its messages only: %+v %v", got, err)
	}
	if _, err := s.Find(ctx, "globex", "c~a"); !errors.Is(err, ErrNotFound) {
		t.Errorf("another tenant's call: %v", err)
	}
	for i := range maxCalls {
		if err = s.Keep(ctx, &Example{Verdict: verdict("acme", fmt.Sprint("c~", i), startTime, compare.Major)}); err != nil {
			break
		}
	}
	if !errors.Is(err, ErrFull) {
		t.Errorf("more than %d examples of a tenant: %v", maxCalls, err)
	}
}

func TestAnUnreachableRedisIsNamedWithoutItsPassword(t *testing.T) {
	s, err := OpenRedis("redis://:hunter2@127.0.0.1:1/0?ns=test", Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	_, err = s.Tenants(ctx)
	if err == nil || strings.Contains(err.Error(), "hunter2") || !strings.Contains(err.Error(), "127.0.0.1:1") {
		t.Errorf("%v", err)
	}
	if _, err := Open("redis+postgres://:hunter2@h/", "", Options{}); err == nil || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("%v", err)
	}
	if _, err := Open("", "", Options{}); err == nil {
		t.Error("no place at all is taken")
	}
}
