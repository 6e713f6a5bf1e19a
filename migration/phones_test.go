package migration

import (
	"fmt"
	"reflect"
	"testing"

	"github.com/hotcut/hotcut/policy"
)

// row is a count of one owner's registrations.
func row(owner, tenant string, bindings, onLegacy, onCore int) Owned {
	return Owned{owner, Phones{Tenant: tenant, Bindings: bindings, Reachable: bindings, OnLegacy: onLegacy, OnCore: onCore,
		MissingCore: bindings - onCore, PerSecond: float64(bindings) / 3600, ClampedPerSecond: float64(bindings) / 100}}
}

func knows(edge string, rows ...Owned) Answer[EdgePhones] {
	return Answer[EdgePhones]{Edge: edge, Value: EdgePhones{Rows: rows, Keep: map[string][]string{"core": {"trust"}, "legacy": {"none"}},
		Rate: map[string]int{"core": 10, "legacy": 10}, Pending: 2, ETA: 0.5}}
}

func deaf(edge string) Answer[EdgePhones] { return Answer[EdgePhones]{Edge: edge, Err: errDead} }

// Of every owner its own rows count, and of one that is silent what the edge says that knows most of it.
func TestMergePhones(t *testing.T) {
	for _, c := range []struct {
		name    string
		answers []Answer[EdgePhones]
		want    string // tenant bindings/on legacy/on core
		heard   []Heard
		silent  []string
	}{
		{name: "nobody", want: ""},
		{name: "own rows win over what others heard",
			answers: []Answer[EdgePhones]{knows("edge-1", row("edge-1", "acme", 3, 3, 1), row("edge-2", "acme", 9, 9, 9)), knows("edge-2", row("edge-2", "acme", 2, 2, 0), row("edge-1", "acme", 8, 8, 8))},
			want:    "acme 5/5/1;"},
		{name: "an owner that answers and has none has none",
			answers: []Answer[EdgePhones]{knows("edge-1", row("edge-2", "acme", 9, 9, 9)), knows("edge-2")},
			want:    ""},
		{name: "a silent owner is as others last heard",
			answers: []Answer[EdgePhones]{knows("edge-1", row("edge-1", "acme", 1, 1, 1), row("edge-3", "birch", 4, 4, 0)), knows("edge-2", row("edge-3", "birch", 5, 5, 5)), deaf("edge-3")},
			want:    "acme 1/1/1;birch 5/5/5;", heard: []Heard{{"edge-3", "edge-2"}}, silent: []string{"edge-3"}},
		{name: "an owner that is not listed any more",
			answers: []Answer[EdgePhones]{knows("edge-1", row("edge-9", "acme", 2, 2, 2))},
			want:    "acme 2/2/2;", heard: []Heard{{"edge-9", "edge-1"}}},
		{name: "all silent", answers: []Answer[EdgePhones]{deaf("edge-1")}, want: "", silent: []string{"edge-1"}},
	} {
		all := mergePhones(c.answers)
		got := ""
		for _, p := range all.Tenants {
			got += fmt.Sprintf("%s %d/%d/%d;", p.Tenant, p.Bindings, p.OnLegacy, p.OnCore)
		}
		if got != c.want || !same2(all.Heard, c.heard) || !same2(all.Silent, c.silent) || all.Asked != len(c.answers) {
			t.Errorf("%s: %s heard %v silent %v asked %d", c.name, got, all.Heard, all.Silent, all.Asked)
		}
	}
}

func same2[T any](got, want []T) bool {
	return len(got) == len(want) && (len(got) == 0 || reflect.DeepEqual(got, want))
}

func TestPhonesAdd(t *testing.T) {
	var sum Phones
	sum.add(Phones{Bindings: 1, Failed: 1, InstantUntil: 90, NextRefresh: 5, PerSecond: 1, ClampedPerSecond: 3})
	sum.add(Phones{Bindings: 2, InstantUntil: 0, NextRefresh: 9})
	sum.add(Phones{Bindings: 3, InstantUntil: 70, NextRefresh: 7, MissingLegacy: 2})
	want := Phones{Bindings: 6, Failed: 1, InstantUntil: 70, NextRefresh: 9, PerSecond: 1, ClampedPerSecond: 3, MissingLegacy: 2}
	if sum != want || sum.Extra() != 2 || sum.Missing(policy.Legacy) != 2 {
		t.Errorf("%+v", sum)
	}
	if (Phones{PerSecond: 2, ClampedPerSecond: 1}).Extra() != 0 {
		t.Error("a clamp never takes REGISTERs away")
	}
}

// Owners bring their phones at the same time, each at its own rate, behind what waits already.
func TestHandOverEstimate(t *testing.T) {
	all := mergePhones([]Answer[EdgePhones]{knows("edge-1", row("edge-1", "acme", 30, 30, 10)), knows("edge-2", row("edge-2", "acme", 5, 5, 0))})
	if s, ok := all.HandOver("acme", policy.Core); !ok || s != 2.5 { // 20 at 10 per second, after 0.5 s
		t.Errorf("core: %v %t", s, ok)
	}
	if _, ok := all.HandOver("acme", policy.Legacy); ok {
		t.Error("legacy takes no REGISTER of ours, yet a time is named")
	}
	all = mergePhones([]Answer[EdgePhones]{knows("edge-1", row("edge-2", "acme", 5, 5, 0)), deaf("edge-2")})
	if _, ok := all.HandOver("acme", policy.Core); ok {
		t.Error("edge-2 is silent, yet a time is named for its phones")
	}
}

func TestKept(t *testing.T) {
	for _, c := range []struct {
		modes       []string
		kept, keeps bool
	}{{nil, false, false}, {[]string{"none"}, false, false}, {[]string{"none", "trust"}, false, true}, {[]string{"digest"}, true, true}} {
		f := FleetPhones{Keep: map[string][]string{"core": c.modes}}
		if f.Kept(policy.Core) != c.kept || f.keeps(policy.Core) != c.keeps {
			t.Errorf("%v: kept %t, keeps %t", c.modes, f.Kept(policy.Core), f.keeps(policy.Core))
		}
	}
}
