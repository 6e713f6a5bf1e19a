package migration

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/hotcut/hotcut/policy"
)

// shelf is a store that only shows what it holds, in whole or in part, and counts how it was asked.
type shelf struct {
	policy.Store
	snap  *policy.Snapshot
	nodes []policy.NodeState
	busy  int // so many peeks meet a commit

	wholes, peeks int
}

func (s *shelf) Nodes(context.Context) ([]policy.NodeState, error) { return s.nodes, nil }

func (s *shelf) LoadAt(context.Context, uint64) (*policy.Snapshot, error) {
	s.wholes++
	return s.snap, nil
}

func (s *shelf) Peek(_ context.Context, ids ...string) (*policy.Light, error) {
	if s.peeks++; s.peeks <= s.busy {
		return nil, fmt.Errorf("somebody commits")
	}
	buckets := map[int][]byte{}
	var tenants []*policy.Tenant
	for _, id := range ids {
		buckets[policy.BucketOf(id)] = s.snap.AppendBucket(nil, policy.BucketOf(id))
		if r := s.snap.Tenant(id); r != nil {
			tenants = append(tenants, r.Tenant)
		}
	}
	return policy.NewLight(s.snap.Head(), s.snap.Globals(), s.snap.AppendBucketHashes(nil), buckets, tenants)
}

func (s *shelf) engine(t testing.TB, at time.Time) *Engine {
	return &Engine{Store: s, Fleet: &Fleet{Dial: edges{}.dial, Limit: time.Second}, Limit: time.Second, Now: func() time.Time { return at }, Say: t.Logf}
}

// told is all of a plan, or of why there is none, as text.
func told(t testing.TB, p *Plan, err error) string {
	t.Helper()
	if err != nil {
		return fmt.Sprintf("%T: %v", err, err)
	}
	b, err := json.MarshalIndent(p, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// alike asserts that the goal of a step, planned by the tenants that it names alone, is what it is by the whole policy,
// and that the whole policy was not read where they suffice.
func (s *scenario) alike(line string, words []string, goal Goal, p *Plan, err error) {
	s.t.Helper()
	var of []string
	light := false // the tenants named suffice
	switch words[0] {
	case "rollback", "hold", "release":
		of, light = words[1:], err == nil
	case "flip":
		of, light = words[1:2], err == nil
	case "set", "remove", "add":
		of = words[1:2]
	case "undo":
		n := 0
		if _, err := fmt.Sscan(words[1], &n); err != nil {
			s.t.Fatal(err)
		}
		of = About(s.log[n-1])
	case "rollback-since":
		d, perr := time.ParseDuration(words[1])
		if perr != nil {
			s.t.Fatal(perr)
		}
		of = MovedToCore(s.log, s.at.Add(-d))
	default:
		return
	}
	if words[0] == "set" && err == nil {
		light = len(p.Moves) == 0 || !slices.ContainsFunc(p.Moves[0].Fields, func(f string) bool { return f == "domains" || f == "numbers" || f == "trunks" })
	}
	store := &shelf{snap: s.snap, nodes: s.nodes}
	got, gotErr := store.engine(s.t, s.at).Plan(s.t.Context(), goal, of...)
	if a, b := told(s.t, got, gotErr), told(s.t, p, err); a != b {
		s.t.Errorf("%s by the tenants named:\n%s\nby the whole policy:\n%s", line, a, b)
	}
	if light && (store.wholes != 0 || store.peeks != 1) {
		s.t.Errorf("%s: read the whole policy %d times and its tenants %d times", line, store.wholes, store.peeks)
	}
}

func shelved(t *testing.T, ids ...string) *shelf {
	t.Helper()
	e, _ := newEngine(t, nil, ids...)
	return &shelf{snap: now(t, e)}
}

func TestTheHintChangesNoPlan(t *testing.T) {
	goal := func() Goal { return Rollback([]string{"acme", "birch"}, tester) }
	many := make([]string, policy.MaxLight+1)
	for i := range many {
		many[i] = fmt.Sprint("t", i)
	}
	for _, c := range []struct {
		name          string
		of            []string
		busy          int
		peeks, wholes int
	}{
		{"all that is needed", []string{"birch", "acme"}, 0, 1, 0},
		{"more", []string{"birch", "acme", "acme", "nobody"}, 0, 1, 0},
		{"less", []string{"acme"}, 0, 1, 1},
		{"others", []string{"nobody"}, 0, 1, 1},
		{"none", nil, 0, 0, 1},
		{"too many", append(many, "acme", "birch"), 0, 0, 1},
		{"a commit in between", []string{"acme", "birch"}, 2, 3, 0},
		{"no end of commits", []string{"acme", "birch"}, 99, 3, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := shelved(t, "acme", "birch", "cedar")
			s.busy = c.busy
			at := time.Unix(1_700_000_000, 0)
			p, err := s.engine(t, at).Plan(t.Context(), goal(), c.of...)
			whole, wholeErr := goal()(Present{Snapshot: s.snap, At: at})
			if a, b := told(t, p, err), told(t, whole, wholeErr); a != b {
				t.Errorf("%s\nwant\n%s", a, b)
			}
			if s.peeks != c.peeks || s.wholes != c.wholes {
				t.Errorf("%d peeks and %d whole policies, want %d and %d", s.peeks, s.wholes, c.peeks, c.wholes)
			}
		})
	}
}

func TestViewOfOneTenant(t *testing.T) {
	s := shelved(t, "acme", "birch")
	v, err := s.engine(t, time.Now()).View(t.Context(), "acme")
	if err != nil || v.Snapshot != nil || !v.Known() || s.wholes != 0 {
		t.Fatalf("%+v, %v, %d whole policies", v, err, s.wholes)
	}
	if acme, err := v.Find("acme"); err != nil || acme.Stage != policy.StageCore || v.Head != s.snap.Head() || v.Globals().Default != "legacy" {
		t.Errorf("%+v, %v at %+v", acme, err, v.Head)
	}
	// Who does not exist is looked for in the whole policy: what was meant?
	if v, err = s.engine(t, time.Now()).View(t.Context(), "acne"); err != nil || v.Snapshot == nil {
		t.Fatalf("%+v, %v", v, err)
	}
	if _, err := v.Find("acne"); told(t, nil, err) != `*migration.NoTenantError: no tenant "acne"; did you mean "acme"?` {
		t.Errorf("%v", err)
	}
}
