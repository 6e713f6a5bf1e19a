package compare

import "time"

// Rate is a share with what it rests on.
type Rate struct {
	Of    uint64  `json:"of"`    // observations
	Count uint64  `json:"count"` // of them
	Share float64 `json:"share"` // Count/Of; 0 of 0 is 0
	Low   float64 `json:"low"`   // Wilson's 95 % interval; 0 and 1 without observations
	High  float64 `json:"high"`
}

// Counted is a count with its name, for tables in a fixed order.
type Counted struct {
	Name string `json:"name"`
	N    uint64 `json:"n"`
	Rate Rate   `json:"rate"`
}

// Summary is what the report prints of a tenant. All its lists have a fixed order.
type Summary struct {
	Tenant  string    `json:"tenant"`
	Profile string    `json:"profile,omitempty"`
	Build   string    `json:"build"` // the newest of the dark core
	Basis   string    `json:"basis"`
	From    time.Time `json:"from"` // of the first and last call
	To      time.Time `json:"to"`
	Now     time.Time `json:"now"`

	Headline string   `json:"headline"` // one sentence: what stands in the way, or that nothing was seen
	Sure     string   `json:"sure"`     // how sure, with n and interval
	Next     []string `json:"next"`     // what to do, the most urgent first

	Sampled  uint64    `json:"sampled"`
	Compared Rate      `json:"compared"` // of the sampled
	Missing  []Counted `json:"missing"`  // by reason, the most first
	Dropped  []Counted `json:"dropped"`
	Overflow []Counted `json:"overflow"`

	Severities []SeverityRate  `json:"severities"` // critical, major, minor: observations of the current build and basis
	Exempt     uint64          `json:"exempt"`     // observations that a waiver or noise takes out of the count
	Outcomes   []Cell          `json:"outcomes"`
	Clusters   []ClusterView   `json:"clusters"` // by severity x share, open ones first
	Times      []TimeView      `json:"times"`
	Coverage   Coverage        `json:"coverage"`
	Builds     []BuildView     `json:"builds"` // by first appearance
	Waivers    []Waiver        `json:"waivers"`
	Variation  []VariationView `json:"variation"`
}

// SeverityRate is the share of observations whose worst difference has this severity.
type SeverityRate struct {
	Severity Severity `json:"severity"`
	Rate     Rate     `json:"rate"`
}

// Cell of the outcome matrix: legacy's class and the core's.
type Cell struct {
	Live   string `json:"live"`
	Shadow string `json:"shadow"`
	N      uint64 `json:"n"`
	Rate   Rate   `json:"rate"` // of the calls with this live class
}

// ClusterView is a cluster with its state.
type ClusterView struct {
	ID ClusterID `json:"id"`
	*Cluster
	State   State  `json:"state"`
	Triage  Triage `json:"triage,omitzero"`
	Why     string `json:"why,omitempty"` // why it has this state, where the evidence decided
	Open    bool   `json:"open"`          // it stands in the way: neither waived in date, nor noise, nor gone
	Expired bool   `json:"expired,omitempty"`
	Share   Rate   `json:"share"`   // of the compared calls of the tenant
	Tenants int    `json:"tenants"` // that have it, of those in the tally
	Current uint64 `json:"current"` // calls on the current build
	Noise   Noise  `json:"noise"`   // what legacy's own variation says of the field
}

// TimeView compares a time of one outcome class on the current build.
type TimeView struct {
	Name   string    `json:"name"`  // "first answer", "ring", "answer"
	Class  string    `json:"class"` // outcome
	Live   Quantiles `json:"live"`
	Shadow Quantiles `json:"shadow"`
	// How much later the core is: of the medians, with a 95 % interval.
	Shift     time.Duration `json:"shift"`
	ShiftLow  time.Duration `json:"shift_low"`
	ShiftHigh time.Duration `json:"shift_high"`
	Late      Rate          `json:"late"`     // calls of the core that come later than legacy's p90 + 500 ms
	Severity  Severity      `json:"severity"` // None: no difference was shown
	Words     string        `json:"words,omitempty"`
}

// Quantiles of a distribution, with the distribution itself for drawing.
type Quantiles struct {
	N       uint64        `json:"n"`
	Median  time.Duration `json:"median"`
	P90     time.Duration `json:"p90"`
	Low     time.Duration `json:"low"` // 95 % interval of the median
	High    time.Duration `json:"high"`
	Buckets []Bucket      `json:"buckets"` // not empty ones, rising
}

// Bucket of a distribution.
type Bucket struct {
	From time.Duration `json:"from"`
	To   time.Duration `json:"to"`
	N    uint64        `json:"n"`
}

// BuildView is one point of the trend.
type BuildView struct {
	Build      string         `json:"build"`
	First      time.Time      `json:"first"`
	Last       time.Time      `json:"last"`
	Severities []SeverityRate `json:"severities"`
}

// Waiver is a difference that somebody wants as it is.
type Waiver struct {
	ID      ClusterID `json:"id"`
	Words   string    `json:"words"`
	By      string    `json:"by"`
	Reason  string    `json:"reason"`
	Until   time.Time `json:"until"`
	Expired bool      `json:"expired"`
}

// VariationView is legacy against itself, for one scenario and field.
type VariationView struct {
	Triples
	Noise Noise `json:"noise"`
}

// Coverage says how much of what the tenant does was compared.
type Coverage struct {
	Scenarios []ScenarioView `json:"scenarios"` // the most frequent first
	Seen      int            `json:"seen"`      // scenarios
	Enough    int            `json:"enough"`    // of them compared at least CoverageEnough times
	Calls     uint64         `json:"calls"`
	Once      int            `json:"once"`              // scenarios met once
	Unseen    float64        `json:"unseen"`            // Good-Turing: the share of calls to come whose scenario was never seen
	Known     bool           `json:"provisioned_known"` // somebody says which features the tenant has
	NeverSeen []string       `json:"never_seen"`        // of them, those that were not compared often enough; none where nobody says
}

// ScenarioView is one scenario.
type ScenarioView struct {
	Scenario string         `json:"scenario"`
	N        uint64         `json:"n"`
	Compared uint64         `json:"compared"`
	Enough   bool           `json:"enough"`
	Worst    []SeverityRate `json:"worst"` // on the current build and basis
}

// CoverageEnough is how many compared calls make a scenario known: 0 critical ones in 30 bound the rate at 10 %.
const CoverageEnough = 30
