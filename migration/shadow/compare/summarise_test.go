package compare

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// aLife is the calls of one scenario on two builds: before of them have the cluster in build 1, after of them in build 2.
func aLife(calls1, before, calls2, after int) (*Tally, ClusterID) {
	tally := New("e", "b", nil)
	var id ClusterID
	at := time.Duration(0)
	add := func(build string, calls, hits int) {
		for i := range calls {
			severity := None
			if i < hits {
				severity = Critical
			}
			v := verdict("", at, severity)
			v.Build = build
			for _, d := range v.Differences {
				id = d.Key(v.Scenario).ID()
			}
			tally.Add(v)
			at += time.Minute
		}
	}
	add("1", calls1, before)
	add("2", calls2, after)
	return tally, id
}

func TestLifeOfACluster(t *testing.T) {
	now := testNow.Add(72 * time.Hour)
	fixed := Triage{State: StateFixed, Build: "2", By: "ops", At: 1}
	waiver := func(until time.Time) Triage {
		return Triage{State: StateIntended, By: "ops", Reason: "wanted", At: 1, Until: until.UnixNano()}
	}
	for _, c := range []struct {
		name                          string
		calls1, before, calls2, after int
		triage                        Triage
		state                         State
		open, expired                 bool
	}{
		{"nobody looked", 50, 5, 0, 0, Triage{}, StateNew, true, false},
		{"a bug", 50, 5, 0, 0, Triage{State: StateBug, At: 1}, StateBug, true, false},
		{"noise", 50, 5, 0, 0, Triage{State: StateNoise, At: 1}, StateNoise, false, false},
		{"waived", 50, 5, 0, 0, waiver(now.Add(time.Hour)), StateIntended, false, false},
		{"the waiver has ended", 50, 5, 0, 0, waiver(now.Add(-time.Hour)), StateIntended, true, true},
		{"fixed in a build that nobody has seen", 50, 5, 0, 0, fixed, StateFixed, true, false},
		{"fixed, too few calls to believe it", 50, 5, 10, 0, fixed, StateFixed, true, false},
		{"fixed, and gone", 50, 5, 200, 0, fixed, StateGone, false, false},
		{"fixed, and back", 50, 5, 200, 1, fixed, StateReopened, true, false},
		{"a newer build does not have it", 50, 5, 200, 0, Triage{}, StateGone, false, false},
		{"a newer build may not have it", 50, 5, 10, 0, Triage{}, StateNew, true, false},
		{"a newer build has it too", 50, 5, 200, 1, Triage{}, StateNew, true, false},
	} {
		tally, id := aLife(c.calls1, c.before, c.calls2, c.after)
		s := Summarise(tally, map[ClusterID]Triage{id: c.triage}, "acme", now)
		if len(s.Clusters) != 1 {
			t.Fatalf("%s: %d clusters", c.name, len(s.Clusters))
		}
		v := s.Clusters[0]
		if v.State != c.state || v.Open != c.open || v.Expired != c.expired {
			t.Errorf("%s: %s, open %v, expired %v (%s); want %s, %v, %v", c.name, v.State, v.Open, v.Expired, v.Why, c.state, c.open, c.expired)
		}
		if says := strings.HasPrefix(s.Headline, "1 critical difference is open"); says != c.open {
			t.Errorf("%s: %q", c.name, s.Headline)
		}
	}
}

func TestTriageNamesWhoWhyAndUntilWhen(t *testing.T) {
	good := Triage{State: StateIntended, By: "ops", Reason: "wanted", At: 1, Until: 2}
	if err := good.Check(); err != nil {
		t.Error(err)
	}
	for _, c := range []Triage{
		{State: StateIntended, Reason: "wanted", At: 1, Until: 2}, {State: StateIntended, By: "ops", At: 1, Until: 2},
		{State: StateIntended, By: "ops", Reason: "wanted", At: 2, Until: 2}, {State: StateFixed}, {State: StateGone}, {State: "?"},
		{State: StateBug, Reason: strings.Repeat("x", 501)},
	} {
		if c.Check() == nil {
			t.Errorf("%+v is taken", c)
		}
	}
}

func TestNoiseIsNotOpen(t *testing.T) {
	tally, id := aLife(50, 5, 0, 0)
	c := tally.Tenants["acme"]
	key := VariationKey(c.Clusters[id].Scenario, c.Clusters[id].Field)
	c.Variation = map[string]*Triples{key: {Scenario: c.Clusters[id].Scenario, Field: c.Clusters[id].Field, OnlyLegacy: 40, OnlyCore: 3}}
	if v := Summarise(tally, nil, "acme", testNow).Clusters[0]; v.Open || v.State != StateNoise || v.Noise != IsNoise {
		t.Errorf("%+v", v)
	}
	if v := Summarise(tally, map[ClusterID]Triage{id: {State: StateBug, At: 1}}, "acme", testNow).Clusters[0]; !v.Open {
		t.Error("a person said bug: no statistic closes it")
	}
}

func TestCoverage(t *testing.T) {
	tally := New("e", "b", nil)
	add := func(scenario string, n int) {
		for i := range n {
			v := Judge(aHunt(), aHunt(), Rules)
			v.Tenant, v.Scenario, v.At, v.CallID = "acme", scenario, testNow.UnixNano()+int64(i), fmt.Sprint(i)
			tally.Add(v)
		}
	}
	if c := tally.Coverage("acme", []string{"fax"}); c.Unseen != 1 || len(c.NeverSeen) != 1 {
		t.Errorf("without calls: %+v", c)
	}
	add("often", 96)
	if c := tally.Coverage("acme", nil); c.Unseen != 3.0/96 {
		t.Errorf("the rule of three: %v", c.Unseen)
	}
	add("sometimes", 2)
	add("once", 1)
	add("once too", 1)
	c := tally.Coverage("acme", []string{"voicemail", "fax"})
	if c.Calls != 100 || c.Seen != 4 || c.Enough != 1 || c.Once != 2 || c.Unseen != 0.02 || len(c.NeverSeen) != 1 || c.NeverSeen[0] != "fax" {
		t.Errorf("%+v", c)
	}
	if unknown := tally.Coverage("acme", nil); unknown.Known || len(unknown.NeverSeen) > 0 || !c.Known {
		t.Errorf("nobody says what is provisioned: %+v", unknown)
	}
	if c.Scenarios[0].Scenario != "often" || !c.Scenarios[0].Enough {
		t.Errorf("%+v", c.Scenarios)
	}
}

// Copies that end at a challenge are counted as missing, and the report says what would help.
func TestSummarySaysWhatHelpsAgainstChallenges(t *testing.T) {
	tally := New("e1", "b1", nil)
	tally.Add(&Verdict{Tenant: "acme", Build: "7.2", Scenario: "s", CallID: "c~1", At: testNow.UnixNano(), Missing: MissingChallenged})
	s := Summarise(tally, nil, "acme", testNow)
	if len(s.Missing) != 1 || s.Missing[0].Name != "challenges as expected" || s.Compared.Count != 0 {
		t.Errorf("%+v", s.Missing)
	}
	if !slices.ContainsFunc(s.Next, func(n string) bool {
		return strings.HasPrefix(n, "1 copy got no further than core's question for a password that the edge does not know: let core trust")
	}) {
		t.Errorf("%q", s.Next)
	}
}

// The summary of a whole tenant as the report gets it, and that it is the same however often it is made.
func TestSummaryGolden(t *testing.T) {
	tally := New("e1", "b1", nil)
	for i, v := range someVerdicts(4, 150) {
		v.Tenant = "acme"
		if v.Build == "" {
			v.Build = "7.2"
		}
		v.CallID = fmt.Sprintf("c~%03d", i)
		tally.Add(v)
	}
	tally.Drop("acme", "full", 7)
	s := Summarise(tally, nil, "acme", testNow.Add(time.Hour), "fax")
	for i := range s.Times { // drawn, not read
		s.Times[i].Live.Buckets, s.Times[i].Shadow.Buckets = nil, nil
	}
	for i := range s.Clusters {
		s.Clusters[i].Cluster.Samples = nil
	}
	s.Variation = nil
	raw, err := json.MarshalIndent(s, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "summary.json", string(raw)+"\n")
	if again, _ := json.MarshalIndent(Summarise(&Tally{}, nil, "acme", testNow), "", " "); !strings.Contains(string(again), "nothing was mirrored yet") {
		t.Errorf("%s", again)
	}
}
