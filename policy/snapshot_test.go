package policy

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
)

const (
	testEpoch = "00112233445566778899aabbccddeeff"
	testSalt  = "000102030405060708090a0b0c0d0e0f"
)

var testTime = time.UnixMilli(1_700_000_000_123)

// tenant returns a valid record that tests then change.
func tenant(id string, edit ...func(*Tenant)) *Tenant {
	t := &Tenant{ID: id, Domains: []string{id + ".example"}, Salt: testSalt, HashVer: 1}
	for _, f := range edit {
		f(t)
	}
	return t
}

// snapshot builds a policy at rev 1 or fails the test.
func snapshot(t testing.TB, tenants ...*Tenant) *Snapshot {
	t.Helper()
	s, err := NewSnapshot(Head{Epoch: testEpoch, Rev: 1, Chain: strings.Repeat("0", 64)}, Globals{}, tenants)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// commit makes the next snapshot as a store would.
func commit(t testing.TB, s *Snapshot, c Change) *Snapshot {
	t.Helper()
	sealed, next, err := tryCommit(s, c)
	if err != nil {
		t.Fatal(err)
	}
	again, err := s.Apply(sealed)
	if err != nil {
		t.Fatalf("an edge refuses what the store made: %v", err)
	}
	if again.Root() != next.Root() || again.Chain() != next.Chain() {
		t.Fatalf("edge and store differ after rev %d", next.Rev())
	}
	return next
}

func tryCommit(s *Snapshot, c Change) (Change, *Snapshot, error) {
	if c.Epoch == "" {
		c.Epoch = s.Epoch()
	}
	if c.Kind == "" {
		c.Kind = KindTenant
	}
	if c.Actor == "" {
		c.Actor = "test"
	}
	return s.Next(c, testTime)
}

// change replaces one tenant: what edit does to a copy of the present record.
func change(s *Snapshot, id string, edit func(*Tenant)) Change {
	before := s.Tenant(id).Tenant
	after := *before
	edit(&after)
	return Change{Base: s.Rev(), Kind: KindFlip, Tenants: []TenantChange{{ID: id, Before: before, After: &after}}}
}

func add(tenants ...*Tenant) Change {
	c := Change{Kind: KindTenant}
	for _, t := range tenants {
		c.Tenants = append(c.Tenants, TenantChange{ID: t.ID, After: t})
	}
	return c
}

func TestApplyFollowsTheChain(t *testing.T) {
	s0 := Empty(testEpoch)
	s1 := commit(t, s0, add(tenant("acme"), tenant("beta")))
	s2 := commit(t, s1, change(s1, "acme", func(t *Tenant) { t.Stage = StageCore }))
	if s2.Rev() != 2 || s2.Len() != 2 || s2.Epoch() != testEpoch {
		t.Fatalf("rev %d, %d tenants, epoch %s", s2.Rev(), s2.Len(), s2.Epoch())
	}
	if s1.Tenant("acme").Tenant.Stage != StageLegacy {
		t.Fatal("a change reached into the snapshot before it")
	}
	if d := s2.Decide(Query{Tenant: s2.ByDomain("acme.example")}); d.Platform != Core || d.Rev != 2 {
		t.Fatalf("after the flip: %+v", d)
	}
	sealed, _, err := tryCommit(s1, change(s1, "beta", func(t *Tenant) { t.Name = "Beta" }))
	if err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		at   *Snapshot
		edit func(*Change)
	}{
		"twice":           {s2, func(*Change) {}},
		"another epoch":   {s1, func(c *Change) { c.Epoch = strings.Repeat("f", 32) }},
		"gap":             {s1, func(c *Change) { c.Rev = 4; c.Chain = ChainOf(s1.Chain(), c) }},
		"altered":         {s1, func(c *Change) { c.Actor = "somebody else" }},
		"no chain":        {s1, func(c *Change) { c.Chain = "" }},
		"another history": {s0, func(c *Change) { c.Rev = 1 }},
	} {
		c := sealed
		tc.edit(&c)
		if _, err := tc.at.Apply(c); !errors.Is(err, ErrForked) {
			t.Errorf("%s: got %v, want ErrForked", name, err)
		}
	}
}

func TestExportRoundTrip(t *testing.T) {
	s := commit(t, Empty(testEpoch), add(tenant("acme", func(t *Tenant) { t.Numbers = []string{"+1303555", "+13035550100-+13035550199"} }), tenant("beta")))
	for i := range 50 {
		s = commit(t, s, add(tenant(fmt.Sprintf("t%d", i))))
	}
	var a, b bytes.Buffer
	if err := s.Encode(&a); err != nil {
		t.Fatal(err)
	}
	whole := a.String()
	got, err := Decode(&a)
	if err != nil {
		t.Fatal(err)
	}
	if got.Head() != s.Head() || got.Len() != s.Len() || got.Numbers() != 2 {
		t.Fatalf("decoded %+v, want %+v", got.Head(), s.Head())
	}
	if err := got.Encode(&b); err != nil {
		t.Fatal(err)
	}
	if b.String() != whole {
		t.Fatal("equal policies, different exports")
	}
	for name, bad := range map[string]string{
		"cut short":       whole[:len(whole)-10],
		"a line missing":  whole[:strings.LastIndex(whole[:len(whole)-1], "\n")+1],
		"more after it":   whole + "{}\n",
		"changed":         strings.Replace(whole, `"id":"beta"`, `"id":"bets"`, 1),
		"changed header":  strings.Replace(whole, `"halt":"none"`, `"halt":"freeze"`, 1),
		"not canonical":   strings.Replace(whole, `"stage":"legacy"`, `"stage": "legacy"`, 1),
		"unknown field":   strings.Replace(whole, `"stage":"legacy"`, `"stage":"legacy","stagge":1`, 1),
		"another schema":  strings.Replace(whole, `"schema":1`, `"schema":2`, 1),
		"something else":  "hello\n",
		"nothing":         "",
		"root left out":   strings.Replace(whole, s.Root(), "", 1),
		"absurd count":    strings.Replace(whole, `"tenants":52`, `"tenants":99999999`, 1),
		"one long line":   strings.Repeat("x", MaxGlobals+8192),
		"negative number": strings.Replace(whole, `"tenants":52`, `"tenants":-1`, 1),
	} {
		if bad == whole {
			t.Fatalf("%s: the test changes nothing", name)
		}
		if _, err := Decode(strings.NewReader(bad)); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
}
