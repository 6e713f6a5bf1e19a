package record

import (
	"fmt"
	"time"
)

// Side says whose work an exchange shows.
type Side uint8

// The sides: the platform that serves the tenant, and the dark core.
const (
	Live Side = iota
	Shadow
)

// String returns "live" or "shadow".
func (s Side) String() string {
	if s == Shadow {
		return "shadow"
	}
	return "live"
}

// MarshalText writes String.
func (s Side) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads what MarshalText wrote.
func (s *Side) UnmarshalText(b []byte) error {
	switch string(b) {
	case "live":
		*s = Live
	case "shadow":
		*s = Shadow
	default:
		return fmt.Errorf("a side is live or shadow, not %.20q", b)
	}
	return nil
}

// An Exchange is one request from outside and what one platform made of it: the caller's leg and the legs that the
// platform sent out for it. It is what is kept on disk, with its messages redacted.
type Exchange struct {
	Side    Side   `json:"side"`
	Tenant  string `json:"tenant"`
	Edge    string `json:"edge,omitempty"`
	Build   string `json:"build,omitempty"` // of the platform, as its configuration names it
	Profile string `json:"profile,omitempty"`
	Rev     uint64 `json:"rev,omitempty"`
	CallID  string `json:"call_id"` // of the live near leg, on both sides

	Near Leg   `json:"near"`
	Far  []Leg `json:"far,omitempty"`
	// LegOnly: the near leg passes another edge, and this is one far leg of it, which is all that is known here.
	LegOnly bool `json:"leg_only,omitzero"`

	Notes      []string `json:"notes,omitempty"`      // Note... constants
	Unpaired   string   `json:"unpaired,omitempty"`   // why a far leg has no partner on the other side
	Incomplete string   `json:"incomplete,omitempty"` // why the messages do not show the whole call

	redacted bool // by Redactor.Exchange
}

// Notes of an Exchange: what its other side or its reader must know.
const (
	NoteMadeAnswer = "made answer"               // the ACK's answer to an offerless INVITE was not the caller's
	NoteStripped   = "credentials stripped"      // the platform trusts the edge: challenges are not compared
	NoteChallenged = "challenges as expected"    // without credentials the comparison ends here
	NoteShare      = "depends on platform state" // less than all traffic is mirrored: busy, hunt and park are not comparable
)

// A Leg is one dialog (or one transaction outside of any) between a platform and the outside.
type Leg struct {
	Party string `json:"party,omitempty"` // "phone", "trunk", "carrier", "platform": who is on the outside
	// Target is where a far leg arrives, when its owner knows better than the Request-URI: the AoR of a binding.
	Target string `json:"target,omitempty"`
	// Held is how long the callee twin kept the leg waiting for the live one: no fault of the platform.
	Held       time.Duration `json:"held,omitzero"`
	Unexpected bool          `json:"unexpected,omitzero"` // nothing on the other side explains it
	Messages   []Message     `json:"messages"`            // in order of arrival
}

// A Message is one SIP message of a leg, as received, without retransmissions.
type Message struct {
	At         int64  `json:"at"`                  // unix ns
	Upstream   bool   `json:"up,omitzero"`         // from the called side: responses to the leg's INVITE, requests of the callee
	Unexpected bool   `json:"unexpected,omitzero"` // a request that nothing on the other side explains
	Raw        []byte `json:"-"`
}
