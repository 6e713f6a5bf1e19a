package policy

import (
	"fmt"
	"math/rand/v2"
	"testing"
)

// randomTenant makes a valid record out of few parts, so that two of them often differ in one.
func randomTenant(r *rand.Rand) *Tenant {
	t := tenant("acme")
	bare := r.IntN(2) == 0 // no rules, no maps
	t.Stage = Stage(r.IntN(5))
	t.Share = r.IntN(11) * 1000
	t.RolledBack = r.IntN(5) == 0
	if t.Stage == StageDone || r.IntN(6) == 0 {
		t.Emergency = &Emergency{Platform: Core, Certified: &Certification{By: "x", At: 1, Evidence: "y"}}
	}
	if !bare && r.IntN(4) == 0 {
		t.Groups = map[string]string{"bob": "team", "carol": "team"}
	}
	if !bare && r.IntN(4) == 0 {
		t.Users = map[string]string{"+13035550101": "dan", "eve": "dan"}
	}
	for u := range 3 {
		if r.IntN(4) == 0 {
			if t.Assigned == nil {
				t.Assigned = make(map[string]Platform)
			}
			p := Platform(1 + r.IntN(2))
			switch u {
			case 0:
				t.Assigned["bob"], t.Assigned["carol"] = p, p
			case 1:
				t.Assigned["dan"] = p
			case 2:
				t.Assigned["frank"] = p
			}
		}
	}
	for range r.IntN(3) {
		if bare {
			break
		}
		p := Platform(1 + r.IntN(2))
		t.Rules = append(t.Rules, [...]Rule{
			{Direction: Outbound, Platform: p}, {Users: []string{"bob", "carol"}, Platform: p}, {Called: "+44", Platform: p},
			{Users: []string{"dan"}, Direction: Inbound, Platform: p}, {Method: "MESSAGE", Platform: p},
		}[r.IntN(5)])
	}
	return t
}

// observe asks every question of a small world before and after, and says who moved. A dropped call counts as Motion
// does. It goes through Resolve, so that user maps are part of it.
func observe(t *testing.T, before, after *Snapshot) (m Motion) {
	t.Helper()
	froms := []string{"bob", "carol", "dan", "frank", "eve", "+13035550101", ""}
	for i := range 60 {
		froms = append(froms, fmt.Sprintf("u%d", i))
	}
	for _, from := range froms {
		for _, to := range []string{"x", "+442079460000", "+12125550000", "911"} {
			for _, method := range []string{"INVITE", "REGISTER", "MESSAGE"} {
				for _, inbound := range []bool{false, true} {
					q := Question{Method: method, FromUser: from, FromHost: "acme.example", ToUser: to, ToHost: "acme.example", Now: 1}
					if method == "REGISTER" {
						q.ToUser = from
					} else if inbound {
						q.FromUser, q.FromHost, q.ToUser = "x", "example.org", from
					}
					var tr Trace
					b := before.Decide(before.Resolve(&q, &tr))
					a := after.Decide(after.Resolve(&q, &tr))
					m |= moves(sideOf(b.Platform), sideOf(a.Platform))
				}
			}
		}
	}
	return m
}

// Nobody moves towards core (or legacy) that Motions did not announce; where it promises to be exact, it announces
// nothing that does not happen.
func TestMotionsAnnounceWhatHappens(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	halts := []Halt{HaltNone, HaltNone, HaltNone, HaltAllLegacy, HaltFreeze}
	defaults := []string{"legacy", "legacy", "core", "none"}
	exact := 0
	for range 800 {
		g := Globals{Default: defaults[r.IntN(4)], Halt: halts[r.IntN(5)]}
		b, a := randomTenant(r), randomTenant(r)
		switch r.IntN(4) {
		case 0: // one record in few fields
			c := *b
			c.Stage, c.Share, c.RolledBack = a.Stage, a.Share, a.RolledBack
			if c.Stage == StageDone {
				c.Emergency = a.Emergency
			}
			a = &c
		case 1:
			c := *b
			c.Assigned = a.Assigned
			a = &c
		}
		var list []*Tenant
		tc := TenantChange{ID: "acme", Before: b, After: a}
		switch r.IntN(10) {
		case 0:
			tc.Before = nil
		case 1:
			tc.After = nil
		}
		if tc.Before != nil {
			list = append(list, b)
		}
		before, err := NewSnapshot(Head{Epoch: testEpoch, Rev: 1}, g, list)
		if err != nil {
			t.Fatal(err)
		}
		c := Change{Epoch: testEpoch, Kind: KindTenant, Tenants: []TenantChange{tc}}
		ga := g
		if r.IntN(4) == 0 {
			ga = Globals{Default: defaults[r.IntN(4)], Halt: halts[r.IntN(5)]}
			c.Globals = &GlobalsChange{Before: new(before.Globals()), After: &ga}
		}
		_, after, err := before.Next(c, testTime)
		if err != nil {
			t.Fatal(err)
		}
		var said Motion
		for _, m := range c.Motions(before) {
			said |= m
		}
		alone := MotionOf(tc.Before, tc.After, g, ga)
		saw := observe(t, before, after)
		if saw&^said != 0 || c.Globals == nil && saw&^alone != 0 {
			bj, _ := canonical(tc.Before)
			aj, _ := canonical(tc.After)
			t.Fatalf("saw %s, Motions announced %s, MotionOf %s\nglobals %+v -> %+v\nbefore %s\nafter  %s", saw, said, alone, g, ga, bj, aj)
		}
		if plain(tc.Before) && plain(tc.After) && tc.Before != nil && tc.After != nil && c.Globals == nil &&
			!masked(tc.After, ga) && tc.Before.Stage != StageDone && tc.After.Stage != StageDone {
			exact++
			if said != saw {
				bj, _ := canonical(tc.Before)
				aj, _ := canonical(tc.After)
				t.Fatalf("announced %s, saw %s\nglobals %+v\nbefore %s\nafter  %s", said, saw, g, bj, aj)
			}
		}
	}
	if exact < 60 {
		t.Fatalf("only %d cases were exact", exact)
	}
}

// plain records are those of which motions are exact: no rules, no maps.
func plain(t *Tenant) bool {
	return t == nil || len(t.Rules)+len(t.Groups)+len(t.Users) == 0
}

func TestMotionsKnowTheNeighbours(t *testing.T) {
	wide := tenant("wide", func(t *Tenant) { t.Stage, t.Numbers = StageCore, []string{"+1303"} })
	s := snapshot(t, wide, tenant("home"), tenant("core", func(t *Tenant) { t.Stage = StageCore }))
	motions := func(c Change) map[string]Motion {
		c.Epoch = s.Epoch()
		out := make(map[string]Motion)
		for id, m := range c.Motions(s) {
			out[id] = m
		}
		return out
	}
	numbers := func(id string, n ...string) Change {
		return change(s, id, func(t *Tenant) { t.Numbers = n })
	}
	for name, tc := range map[string]struct {
		c    Change
		id   string
		want Motion
	}{
		"nobody's number to a tenant at home":      {numbers("home", "+1212555"), "home", Still},
		"nobody's number to a tenant on core":      {numbers("core", "+1212555"), "core", TowardsCore},
		"a number out of a core tenant's prefix":   {numbers("home", "+13035550100"), "home", TowardsLegacy},
		"a range out of it":                        {numbers("home", "+13035550100-+13035550199"), "home", TowardsLegacy},
		"from one core tenant to another, or none": {numbers("core", "+1303555"), "core", TowardsCore},
	} {
		if got := motions(tc.c)[tc.id]; got != tc.want {
			t.Errorf("%s: %s, want %s", name, got, tc.want)
		}
	}
	in := commit(t, s, numbers("home", "+13035550100"))
	back := change(in, "home", func(t *Tenant) { t.Numbers = nil })
	for id, m := range back.Motions(in) {
		if m != TowardsCore {
			t.Errorf("%s gives a number back to a core tenant's prefix: %s", id, m)
		}
	}
	swap := numbers("home", "+1303")
	swap.Tenants = append(swap.Tenants, change(s, "wide", func(t *Tenant) { t.Numbers = nil }).Tenants...)
	if got := motions(swap); got["home"] != TowardsLegacy {
		t.Errorf("a prefix passes from core to a tenant at home: %v", got)
	}
	halt := Change{Kind: KindHalt, Force: true, Globals: &GlobalsChange{After: &Globals{Halt: HaltAllLegacy}}}
	if got := motions(halt); len(got) != 1 || got[AllTenants] != TowardsLegacy {
		t.Errorf("halt: %v", got)
	}
	back = Change{Kind: KindRollback, Force: true, Tenants: []TenantChange{{ID: "core"}, {ID: "home"}}}
	if got := motions(back); got["core"] != TowardsLegacy || got["home"] != Still {
		t.Errorf("rollback: %v", got)
	}
}

func TestMotionOfOverrides(t *testing.T) {
	all := &Overrides{AllLegacy: &Override{By: "a"}}
	one := &Overrides{Tenants: map[string]Override{"acme": {By: "a"}}}
	for _, tc := range []struct {
		before, after *Overrides
		want          Motion
	}{
		{nil, nil, Still},
		{nil, all, TowardsLegacy},
		{all, nil, TowardsCore},
		{one, nil, TowardsCore},
		{nil, one, TowardsLegacy},
		{one, all, Both},
		{one, &Overrides{Tenants: map[string]Override{"acme": {By: "b", At: 9}}}, Still},
		{one, &Overrides{Tenants: map[string]Override{"beta": {By: "a"}}}, Both},
		{nil, &Overrides{Freeze: &Override{By: "a"}}, Still},
	} {
		if got := MotionOfOverrides(tc.before, tc.after); got != tc.want {
			t.Errorf("%+v -> %+v: %s, want %s", tc.before, tc.after, got, tc.want)
		}
	}
}
