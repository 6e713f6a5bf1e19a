package compare

import "github.com/hotcut/hotcut/migration/shadow/record"

// Difference is one respect in which the dark core's call was not legacy's.
type Difference struct {
	Field    string   `json:"field"` // of the specification's table: "outcome", "far.destination", "sdp.direction"
	Kind     string   `json:"kind"`  // what became of it: one of the constants below
	From     string   `json:"from"`  // legacy's class, redacted; "" nothing
	To       string   `json:"to"`    // the dark core's
	Severity Severity `json:"severity"`
	Words    string   `json:"words"`            // for a support desk: "caller ID lost on forwarded calls"
	Detail   string   `json:"detail,omitempty"` // the two values of this call, redacted; not part of a cluster's identity
}

// Rule is one row, or a part of a row, of the specification's table. It is pure.
type Rule struct {
	Name     string
	Field    string                                       // of its differences
	Severity Severity                                     // the worst that it gives
	Words    string                                       // what it is about, for a person
	Revision int                                          // raised when the rule judges otherwise: counts start anew
	find     func(live, shadow *record.Call) []Difference // what it leaves out is filled from the rule

	challenge bool // it looks at nothing that comes after a challenge
}

// Kinds of differences.
const (
	Differs = "differs"
	Lost    = "missing" // legacy has it
	Added   = "added"   // legacy does not have it
	Order   = "order"
	Later   = "later"
	Earlier = "earlier"
)
