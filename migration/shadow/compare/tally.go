package compare

// Tally is the cumulative counts of one (edge, boot), or the sum of many. Its owner overwrites what it wrote before, so
// nothing counts twice. It is for one goroutine.
type Tally struct {
	Edge    string             `json:"edge,omitempty"` // "" in a sum
	Boot    string             `json:"boot,omitempty"`
	Tenants map[string]*Tenant `json:"tenants"`
}

// Tenant is the counts of one tenant: the unit that is stored and purged.
type Tenant struct {
	Profile string `json:"profile,omitempty"`
	First   int64  `json:"first"` // unix ns of the first and last call
	Last    int64  `json:"last"`

	Sampled uint64            `json:"sampled"`           // calls that were to be mirrored: compared + missing + dropped
	Missing map[string]uint64 `json:"missing,omitempty"` // calls that could not be compared, by reason
	Dropped map[string]uint64 `json:"dropped,omitempty"` // calls lost before they were a call, by reason

	Counts    map[string]*Count      `json:"counts,omitempty"`    // by CountKey(build, basis)
	Builds    map[string]*Build      `json:"builds,omitempty"`    // compared, by build of the dark core, over all bases
	Scenarios map[string]*Seen       `json:"scenarios,omitempty"` // in production, compared or not
	Clusters  map[ClusterID]*Cluster `json:"clusters,omitempty"`
	Variation map[string]*Triples    `json:"variation,omitempty"` // by VariationKey(scenario, field)
	Overflow  map[string]uint64      `json:"overflow,omitempty"`  // calls that a full table did not take, by table
	Times     map[string]*TimePair   `json:"times,omitempty"`     // by TimeKey(build, name, outcome class)
}

// Count is the observations of one basis on one build: what the readiness gates count. Redials within 5 minutes are one.
type Count struct {
	Build string `json:"build"`
	Basis string `json:"basis"` // of rules, profile, waivers and noise verdicts: whoever changes one starts a new count
	First int64  `json:"first"`
	Last  int64  `json:"last"`

	N        uint64              `json:"n"`
	Worst    map[Severity]uint64 `json:"worst,omitempty"`  // observations by the severity of their worst difference
	Exempt   uint64              `json:"exempt,omitempty"` // observations with a difference that is waived or noise: in neither N nor Worst
	Missing  map[string]uint64   `json:"missing,omitempty"`
	Outcomes map[string]uint64   `json:"outcomes,omitempty"` // by "legacy's class>the core's"
	By       map[string]*Severed `json:"by,omitempty"`       // by scenario
	Hours    map[int]uint64      `json:"hours,omitempty"`    // observations by hour of the week, UTC, Monday 0:00 is 0
}

// Severed is the observations of one scenario.
type Severed struct {
	N     uint64              `json:"n"`
	Worst map[Severity]uint64 `json:"worst,omitempty"`
}

// Seen is how often a scenario was met.
type Seen struct {
	N        uint64 `json:"n"`        // calls
	Compared uint64 `json:"compared"` // of them
	First    int64  `json:"first"`
	Last     int64  `json:"last"`
}

// Triples are counts over (this call's dark core, this call's legacy, the previous legacy call of the same scenario and
// the same two parties): does the core differ from legacy more often than legacy from itself?
type Triples struct {
	Scenario   string `json:"scenario"`
	Field      string `json:"field"`
	N          uint64 `json:"n"`           // triples
	OnlyCore   uint64 `json:"only_core"`   // core differs from legacy, legacy does not differ from itself
	OnlyLegacy uint64 `json:"only_legacy"` // legacy differs from itself, core does not differ from legacy
	Both       uint64 `json:"both"`
}
