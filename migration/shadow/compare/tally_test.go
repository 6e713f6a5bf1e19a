package compare

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/hotcut/hotcut/migration/shadow/record"
)

// testNow is a Monday at nine in the morning, UTC.
var testNow = time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)

// someVerdicts are n calls of a few tenants, builds, scenarios and faults.
func someVerdicts(seed uint64, n int) []*Verdict {
	r := rand.New(rand.NewPCG(seed, 5))
	pick := func(list ...string) string { return list[r.IntN(len(list))] }
	var all []*Verdict
	for i := range n {
		token := make([]byte, 8)
		for j := range token {
			token[j] = byte(r.Uint32())
		}
		live, shadow := aCall(), aCall()
		c := ruleCases[3*r.IntN(24)]
		if r.IntN(3) == 0 {
			live, shadow = c.calls()
		}
		v := Judge(live, shadow, Rules)
		v.Tenant, v.Build, v.Edge = pick("acme", "globex"), pick("7.1", "7.2", ""), pick("e1", "e2")
		v.CallID, v.At = "c~"+hex.EncodeToString(token), testNow.UnixNano()+int64(i)*int64(time.Second)
		v.Scenario += pick("", " hold", " dtmf")
		v.Pair = pick("", "a>b", "a>c", "b>c") + pick("", "1", "2", "3")
		if r.IntN(12) == 0 {
			v.Missing, v.Differences = pick("unpaired", "timed out"), nil
		}
		all = append(all, v)
	}
	return all
}

func marshal(t testing.TB, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// sumOf merges in the order given.
func sumOf(tallies ...*Tally) *Tally {
	sum := new(Tally)
	for _, t := range tallies {
		Merge(sum, t)
	}
	return sum
}

// However calls are spread over edges, and in whatever order and grouping edges are summed, the sum is the same; what an
// edge wrote before is replaced, so writing it again changes nothing.
func TestMergeIsCommutativeAssociativeAndIdempotentPerLife(t *testing.T) {
	for seed := range uint64(8) {
		r := rand.New(rand.NewPCG(seed, 6))
		var edges []*Tally
		for i := range 4 {
			edges = append(edges, New(fmt.Sprintf("edge-%d", i), "boot", nil))
		}
		for _, v := range someVerdicts(seed, 300) {
			e := edges[r.IntN(len(edges))]
			e.Add(v)
			if r.IntN(20) == 0 {
				e.Drop(v.Tenant, "full", 3)
			}
		}
		before := marshal(t, edges)
		want := marshal(t, sumOf(edges...))
		shuffled := slices.Clone(edges)
		r.Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
		if got := marshal(t, sumOf(shuffled...)); got != want {
			t.Fatalf("seed %d: another order, another sum:\n%s\n%s", seed, got, want)
		}
		left := sumOf(sumOf(edges[0], edges[1]), sumOf(edges[2], edges[3]))
		right := sumOf(edges[0], sumOf(edges[1], sumOf(edges[2], edges[3])))
		if marshal(t, left) != want || marshal(t, right) != want {
			t.Fatalf("seed %d: another grouping, another sum", seed)
		}
		if marshal(t, edges) != before {
			t.Fatalf("seed %d: summing changed what was summed", seed)
		}
		// A store: each life overwrites its own entry, however often.
		blobs := make(map[string]string)
		for _, e := range slices.Concat(edges, edges) {
			blobs[e.Edge+"|"+e.Boot] = marshal(t, e)
		}
		sum := new(Tally)
		for _, raw := range blobs {
			var e Tally
			if err := json.Unmarshal([]byte(raw), &e); err != nil {
				t.Fatal(err)
			}
			Merge(sum, &e)
		}
		if got := marshal(t, sum); got != want {
			t.Fatalf("seed %d: through a store:\n%s\n%s", seed, got, want)
		}
	}
}

// The reservoir of a sum is the 20 smallest tokens of all calls of the cluster, as if one edge had seen them all.
func TestReservoirIsTheSmallestTokens(t *testing.T) {
	edges := []*Tally{New("e1", "b", nil), New("e2", "b", nil), New("e3", "b", nil)}
	all := make(map[ClusterID][]string)
	for i, v := range someVerdicts(9, 3000) {
		v.Tenant, v.Scenario = "acme", "s"
		edges[i%3].Add(v)
		for _, d := range v.Differences {
			id := d.Key(v.Scenario).ID()
			all[id] = append(all[id], v.CallID)
		}
	}
	sum := sumOf(edges...).Tenants["acme"]
	full := 0
	for id, tokens := range all {
		slices.Sort(tokens)
		tokens = slices.Compact(tokens)
		want := tokens[:min(len(tokens), 20)]
		var got []string
		for _, s := range sum.Clusters[id].Samples {
			got = append(got, s.CallID)
		}
		if !slices.Equal(got, want) {
			t.Errorf("cluster %s: %v, want %v", id, got, want)
		}
		if len(tokens) > 20 {
			full++
		}
	}
	if full == 0 {
		t.Error("no cluster had more calls than a reservoir holds: this test shows nothing")
	}
}

func verdict(pair string, at time.Duration, worst Severity) *Verdict {
	v := Judge(aCall(), aCall(), Rules)
	v.Tenant, v.Build, v.Pair, v.At, v.CallID = "acme", "7.1", pair, testNow.Add(at).UnixNano(), fmt.Sprint(pair, at)
	if worst > None {
		v.Differences = []Difference{{Field: worst.String(), Kind: Differs, Severity: worst, Words: "w"}}
	}
	return v
}

func TestRedialsAreOneObservationTheWorstOfThem(t *testing.T) {
	tally := New("e", "b", nil)
	for _, v := range []*Verdict{
		verdict("a>b", 0, None), verdict("a>b", time.Minute, Minor), verdict("a>b", 2*time.Minute, Critical), verdict("a>b", 3*time.Minute, Major),
		verdict("a>c", 3*time.Minute, Major),
		verdict("a>b", 9*time.Minute, Minor), // more than 5 minutes after the last one
		verdict("", 9*time.Minute, None), verdict("", 9*time.Minute, None),
	} {
		tally.Add(v)
	}
	n := tally.Tenants["acme"].current()
	if want := map[Severity]uint64{Critical: 1, Major: 1, Minor: 1}; n.N != 5 || !maps.Equal(n.Worst, want) {
		t.Errorf("%d observations, %v; want 5 and %v", n.N, n.Worst, want)
	}
	if n.Calls != 8 || n.Outcomes["answered>answered"] != 8 {
		t.Errorf("%d calls, %v", n.Calls, n.Outcomes)
	}
	if n.Hours[9] != 5 {
		t.Errorf("hours of the week: %v; want 5 in hour 9, Monday", n.Hours)
	}
}

func TestWaivedCallsLeaveTheCount(t *testing.T) {
	tally := New("e", "b", nil)
	tally.Add(verdict("a>b", 0, Major))
	first := tally.Tenants["acme"].current().Basis
	d := verdict("", 0, Major)
	id := d.Differences[0].Key(d.Scenario).ID()
	waive := map[ClusterID]Triage{id: {State: StateIntended, By: "ops", Reason: "wanted", At: 1, Until: testNow.Add(time.Hour).UnixNano()}}
	b := NewBasis(Rules, "", waive, testNow)
	if b.ID == first || !b.Exempt[id] {
		t.Fatalf("a waiver must start a new count: basis %s, exempt %v", b.ID, b.Exempt)
	}
	tally.SetBasis("acme", b)
	for _, v := range []*Verdict{
		verdict("a>b", time.Minute, Major), // a redial of a call of the count before: a new observation, exempt
		verdict("a>c", time.Minute, Major),
		verdict("a>c", 2*time.Minute, Critical), // a redial that is no longer exempt
		verdict("a>d", 2*time.Minute, None),
	} {
		tally.Add(v)
	}
	c := tally.Tenants["acme"]
	n := c.Counts[CountKey("7.1", b.ID)]
	if n.N != 2 || n.Exempt != 1 || n.Worst[Critical] != 1 || n.Worst[Major] != 0 {
		t.Errorf("N %d, exempt %d, worst %v; want 2, 1 and one critical", n.N, n.Exempt, n.Worst)
	}
	if old := c.Counts[CountKey("7.1", first)]; old.N != 1 || old.Worst[Major] != 1 {
		t.Errorf("the count before: %+v", old)
	}
	if cl := c.Clusters[id]; cl.Count != 3 {
		t.Errorf("the cluster has %d calls, want all 3", cl.Count)
	}
	after := NewBasis(Rules, "", waive, testNow.Add(2*time.Hour))
	if after.ID != first || len(after.Exempt) != 0 {
		t.Errorf("an expired waiver exempts %v, basis %s", after.Exempt, after.ID)
	}
}

func TestRegistrationsDoNotMakeATenantReady(t *testing.T) {
	tally := New("e", "b", nil)
	for i := range 100 {
		v := Judge(aRegister(), aRegister(), Rules)
		v.Tenant, v.Build, v.At = "acme", "7.1", testNow.UnixNano()+int64(i)
		tally.Add(v)
	}
	c := tally.Tenants["acme"]
	if n := c.current(); n.N != 0 || n.Calls != 0 || len(n.Outcomes) != 0 {
		t.Errorf("%+v", n)
	}
	if m := c.Methods["REGISTER"]; m == nil || m.Compared != 100 {
		t.Errorf("%+v", c.Methods)
	}
}

func TestFullTablesAreNamed(t *testing.T) {
	tally := New("e", "b", nil)
	for i := range 2000 {
		v := verdict("a>b", time.Duration(i)*time.Hour, Critical)
		v.Differences[0].To = fmt.Sprint("class ", i)
		v.Scenario = fmt.Sprint("scenario ", i)
		v.Build = fmt.Sprint("build ", i%100)
		tally.Add(v)
		v = verdict("", 0, None)
		v.Missing = fmt.Sprint("reason ", i)
		tally.Add(v)
	}
	c := tally.Tenants["acme"]
	if len(c.Clusters) > maxOfTenant || len(c.Scenarios) > maxOfTenant || len(c.Counts) > maxCounts || len(c.Builds) > maxBuilds || len(c.Missing) > maxReasons || len(c.Times) > maxTimes {
		t.Errorf("clusters %d, scenarios %d, counts %d, builds %d, reasons %d, times %d", len(c.Clusters), len(c.Scenarios), len(c.Counts), len(c.Builds), len(c.Missing), len(c.Times))
	}
	for _, table := range []string{TableClusters, TableScenarios, TableCounts, TableBuilds, TableReasons} {
		if c.Overflow[table] == 0 {
			t.Errorf("nobody is told that table %q was full: %v", table, c.Overflow)
		}
	}
	if c.Methods["INVITE"].Sampled != 4000 {
		t.Errorf("%d calls, want 4000: a full table loses no call", c.Methods["INVITE"].Sampled)
	}
	if raw := marshal(t, c); len(raw) > MaxTenantBytes {
		t.Errorf("%d bytes", len(raw))
	}
}

func TestMissingIsNeverAMatch(t *testing.T) {
	live := aCall()
	for name, c := range map[string]struct {
		live, shadow *record.Call
		want         string
	}{
		"no shadow":        {live, nil, MissingSide},
		"unpaired":         {live, with(aCall(), func(c *record.Call) { c.Missing = "ambiguous" }), "ambiguous"},
		"live incomplete":  {with(aCall(), func(c *record.Call) { c.Missing = "lost" }), aCall(), "lost"},
		"another request":  {live, aRegister(), MissingScenario},
		"challenge":        {live, with(aCall(), both(ended(record.Challenged, 407), func(c *record.Call) { c.Notes = []string{record.NoteChallenged} })), MissingChallenged},
		"busy at a share":  {with(aCall(), ended(record.Busy, 486)), with(aCall(), func(c *record.Call) { c.Notes = []string{record.NoteShare} }), MissingState},
		"hunt at a share":  {aHunt(), with(aHunt(), func(c *record.Call) { c.Notes = []string{record.NoteShare} }), MissingState},
		"crossing answer":  {with(aCall(), both(ended(record.Cancelled, 487), func(c *record.Call) { c.Times.Final = 6500 * time.Millisecond })), aCall(), MissingCrossed},
		"crossing CANCEL":  {with(aCall(), func(c *record.Call) { c.End.After = 200 * time.Millisecond }), with(aCall(), ended(record.Cancelled, 487)), MissingCrossed},
		"nothing is amiss": {live, aCall(), ""},
	} {
		v := Judge(c.live, c.shadow, Rules)
		if v.Missing != c.want || v.Missing != "" && len(v.Differences) > 0 {
			t.Errorf("%s: missing %q, %d differences; want %q", name, v.Missing, len(v.Differences), c.want)
		}
		if c.want == "" {
			continue
		}
		tally := New("e", "b", nil)
		tally.Add(v)
		for _, tenant := range tally.Tenants {
			if n := tenant.current(); n.N != 0 || tenant.Missing[c.want] != 1 {
				t.Errorf("%s: counted as %+v", name, n)
			}
		}
	}
}

func TestWhatWasAskedForIsComparedWithoutCredentials(t *testing.T) {
	challenged := with(aRegister(), both(ended(record.Challenged, 401), func(c *record.Call) {
		c.Register.Code, c.Notes = 401, []string{record.NoteChallenged}
		for i := range c.Register.Challenges {
			c.Register.Challenges[i].Realm = "h-cdfghjklmnpq.invalid"
		}
	}))
	v := Judge(aRegister(), challenged, Rules)
	if v.Missing != "" || len(v.Differences) != 1 || v.Differences[0].Field != "register.realm" {
		t.Errorf("%q %+v", v.Missing, v.Differences)
	}
}

func with(c *record.Call, f func(*record.Call)) *record.Call {
	f(c)
	return c
}

func TestAnEmergencyIsCritical(t *testing.T) {
	v := verdict("a>b", 0, Minor)
	v.Emergency = true
	tally := New("e", "b", nil)
	tally.Add(v)
	if n := tally.Tenants["acme"].current(); n.Worst[Critical] != 1 {
		t.Errorf("%v", n.Worst)
	}
}

// Legacy's own variation: the calls of two parties alone are repetitions of each other.
func TestVariationIsOfTheSameParties(t *testing.T) {
	tally := New("e", "b", nil)
	add := func(pair string, live, shadow *record.Call) {
		v := Judge(live, shadow, Rules)
		v.Tenant, v.Pair, v.CallID = "acme", pair, "x"
		tally.Add(v)
	}
	slow := func(c *record.Call) *record.Call { c.Answer.Media[0].Ptime = 40; return c }
	add("a>b", aCall(), aCall())
	add("a>b", slow(aCall()), slow(aCall())) // legacy differs from itself
	add("a>b", slow(aCall()), aCall())       // only the core differs
	add("a>b", aCall(), slow(aCall()))       // both
	add("a>c", slow(aCall()), slow(aCall())) // other parties: no repetition
	add("a>b", aCall(), aCall())             // neither
	scenario := string(aCall().Scenario())
	c := tally.Tenants["acme"]
	if got, want := *c.Variation[VariationKey(scenario, "sdp.ptime")], (Triples{Scenario: scenario, Field: "sdp.ptime", OnlyCore: 1, OnlyLegacy: 1, Both: 1}); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	if all := c.Variation[VariationKey(scenario, "")]; all == nil || all.N != 4 {
		t.Errorf("%+v, want 4 triples", all)
	}
}

func TestExpireAndForget(t *testing.T) {
	tally := New("e", "b", nil)
	old, recent := verdict("a>b", 0, Critical), verdict("a>b", 48*time.Hour, Major)
	tally.Add(old)
	tally.Add(recent)
	other := verdict("a>b", 0, Minor)
	other.Tenant = "globex"
	tally.Add(other)
	tally.Expire(testNow.Add(time.Hour).UnixNano())
	if tally.Tenants["globex"] != nil || tally.Tenants["acme"] == nil || len(tally.Tenants["acme"].Clusters) != 1 {
		t.Errorf("%s", marshal(t, tally))
	}
	if got := tally.Changed(); !slices.Equal(got, []string{"acme"}) {
		t.Errorf("changed: %v", got)
	}
	if got := tally.Changed(); len(got) != 0 {
		t.Errorf("changed again: %v", got)
	}
	tally.Forget("acme")
	if len(tally.Tenants) != 0 || tally.clusters != 0 || len(tally.redials) != 0 {
		t.Errorf("%s, %d clusters, %d redials", marshal(t, tally), tally.clusters, len(tally.redials))
	}
}
