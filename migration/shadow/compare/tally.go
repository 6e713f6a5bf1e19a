package compare

// Tally is the cumulative counts of one (edge, boot), or the sum of many. Its owner overwrites what it wrote before, so
// nothing counts twice. It is for one goroutine.
type Tally struct {
	Edge     string             `json:"edge,omitempty"` // "" in a sum
	Boot     string             `json:"boot,omitempty"`
	Tenants  map[string]*Tenant `json:"tenants"`
	Overflow map[string]uint64  `json:"overflow,omitempty"` // calls that a full table of the whole edge did not take, by table

	rules    []Rule
	version  string           // of rules
	bases    map[string]Basis // by tenant
	clusters int              // of all tenants
	dirty    map[string]bool  // tenants that changed since Changed

	// What one call must know of those before it. Not kept over a restart: a redial across one counts twice.
	redials  map[parties]*observation
	previous previousCalls
}

// New returns an empty tally of a life of an edge. rules are those of its verdicts; nil: Rules.
func New(edge, boot string, rules []Rule) *Tally {
	if rules == nil {
		rules = Rules
	}
	return &Tally{
		Edge: edge, Boot: boot, Tenants: make(map[string]*Tenant), rules: rules, version: Version(rules),
		bases: make(map[string]Basis), redials: make(map[parties]*observation),
	}
}

// Tenant is the counts of one tenant: the unit that is stored and purged.
type Tenant struct {
	Profile string `json:"profile,omitempty"`
	First   int64  `json:"first"` // unix ns of the first and last call
	Last    int64  `json:"last"`

	Methods map[string]*Method `json:"methods,omitempty"` // of first requests
	Missing map[string]uint64  `json:"missing,omitempty"` // calls that could not be compared, by reason
	Dropped map[string]uint64  `json:"dropped,omitempty"` // calls lost before they were a call, by reason

	Counts    map[string]*Count      `json:"counts,omitempty"`    // by CountKey(build, basis)
	Builds    map[string]*Build      `json:"builds,omitempty"`    // compared, by build of the dark core, over all bases
	Scenarios map[string]*Seen       `json:"scenarios,omitempty"` // in production, compared or not
	Clusters  map[ClusterID]*Cluster `json:"clusters,omitempty"`
	Variation map[string]*Triples    `json:"variation,omitempty"` // by VariationKey(scenario, field)
	Times     map[string]*TimePair   `json:"times,omitempty"`     // by TimeKey(build, name, outcome class)
	Overflow  map[string]uint64      `json:"overflow,omitempty"`  // calls that a full table did not take, by table
}

// Method is how many calls, registrations, subscriptions there were: of one method.
type Method struct {
	Sampled  uint64 `json:"sampled"` // that were to be mirrored: compared and missing ones, without Dropped
	Compared uint64 `json:"compared"`
}

// Count is the observations of one basis on one build: what the readiness gates count. Redials within 5 minutes are one
// observation, the worst of them.
type Count struct {
	Build string `json:"build"`
	Basis string `json:"basis"` // of rules, profile, waivers and noise verdicts: whoever changes one starts a new count
	First int64  `json:"first"`
	Last  int64  `json:"last"`

	// Of INVITEs: a phone that registers each minute must not make a tenant look ready.
	N       uint64              `json:"n"`
	Worst   map[Severity]uint64 `json:"worst,omitempty"`  // of N, by the severity of the worst difference; without is clean
	Exempt  uint64              `json:"exempt,omitempty"` // observations with a difference that is waived or noise: in neither N nor Worst
	Missing map[string]uint64   `json:"missing,omitempty"`
	Hours   map[int]uint64      `json:"hours,omitempty"` // of N, by hour of the week, UTC; Monday 0:00 is 0

	// All that was compared, redials one by one and exempt ones too.
	Calls    uint64              `json:"calls"`              // INVITEs
	Outcomes map[string]uint64   `json:"outcomes,omitempty"` // of INVITEs, by OutcomeKey(legacy's class, the core's)
	By       map[string]*Severed `json:"by,omitempty"`       // by scenario
}

// CountKey of a Count.
func CountKey(build, basis string) string { return build + "|" + basis }

// OutcomeKey of a cell of the matrix.
func OutcomeKey(live, shadow string) string { return live + ">" + shadow }

// Severed is the calls of one scenario.
type Severed struct {
	N     uint64              `json:"n"`
	Worst map[Severity]uint64 `json:"worst,omitempty"`
}

// Seen is how often a scenario was met.
type Seen struct {
	Method   string `json:"method,omitempty"`
	N        uint64 `json:"n"`        // calls
	Compared uint64 `json:"compared"` // of them
	First    int64  `json:"first"`
	Last     int64  `json:"last"`
	// Features that the scenario shows, for coverage of what is provisioned.
	Features []string `json:"features,omitempty"`
}

// Triples are counts over (this call's dark core, this call's legacy, the previous legacy call of the same scenario and
// the same two parties): does the core differ from legacy more often than legacy from itself? Calls of other parties are
// no repetition: their numbers and their phones' codecs differ for reasons of their own, and that would pass for noise.
type Triples struct {
	Scenario   string `json:"scenario"`
	Field      string `json:"field"`       // "": all triples of the scenario, in N
	N          uint64 `json:"n,omitempty"` // triples; only where Field is ""
	OnlyCore   uint64 `json:"only_core"`   // core differs from legacy, legacy does not differ from itself
	OnlyLegacy uint64 `json:"only_legacy"` // legacy differs from itself, core does not differ from legacy
	Both       uint64 `json:"both"`
}

// Bounds of the tables. What a full one does not take is counted in Overflow under the table's name; the call counts
// everywhere else. They hold where calls are added; a sum is bounded by how many blobs it is made of.
const (
	maxTenants   = 10_000
	maxClusters  = 16_384 // of all tenants of an edge
	maxOfTenant  = 256    // clusters; scenarios; counts by scenario
	maxCounts    = 32     // bases times builds
	maxBuilds    = 32
	maxTimes     = 512
	maxVariation = 1024
	maxReasons   = 64 // of missing, dropped; cells of a matrix
	maxRedials   = 65_536
	maxText      = 240 // bytes of a name
	reservoir    = 20  // samples of a cluster
)

// Names of the tables, as Overflow has them.
const (
	TableTenants   = "tenants"
	TableClusters  = "clusters"
	TableScenarios = "scenarios"
	TableCounts    = "counts"
	TableBuilds    = "builds"
	TableTimes     = "times"
	TableVariation = "variation"
	TableReasons   = "reasons"
	TableRedials   = "redials"
)
