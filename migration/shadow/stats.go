package shadow

import "iter"

// Drop is why the mirror let something go. Each is a label of the metric of drops.
type Drop uint8

const (
	DropRing      Drop = iota // the edge put faster than the mirror took
	DropTooLarge              // larger than a slot of the ring
	DropMalformed             // bytes that wire.Scan refuses, from either side
	DropOff                   // the tenant is not mirrored (any more)
	DropStopped               // mirroring has stopped: something escaped
	DropCalls                 // as many shadow calls as there may be
	DropMemory                // as many bytes kept as there may be
	DropMessages              // the exchange has as many messages as it may
	DropLegs                  // as many far legs as there may be
	DropOrphan                // a message of a call whose INVITE was not mirrored
	DropSource                // a datagram from an address that is no dark core's
	DropInbox                 // the dark core sent faster than the mirror read
	DropSend                  // the socket had no room, or no way
	DropUnmatched             // a response, ACK or CANCEL of the dark core that belongs to nothing
	DropTable                 // a table of transactions is full
	DropEmergency             // an emergency call is never mirrored
	DropMethod                // a method that is never mirrored
	DropUnbuilt               // what was tapped could not be made into a message to the dark core
	DropFile                  // the recorder's file has reached its limit
	DropForged                // a message that somebody marked as a copy, and that is none of ours
	dropKinds
)

var dropWords = [dropKinds]string{"ring_full", "too_large", "malformed", "not_mirrored", "stopped", "calls_full", "memory", "messages_full", "legs_full", "orphan",
	"source", "inbox_full", "send", "unmatched", "table_full", "emergency", "method", "unbuilt", "file_full", "forged"}

func (d Drop) String() string {
	if int(d) < len(dropWords) {
		return dropWords[d]
	}
	return "unknown"
}

// Drops are all the reasons, for metrics that exist before they count.
func Drops() iter.Seq[Drop] {
	return func(yield func(Drop) bool) {
		for d := range dropKinds {
			if !yield(d) {
				return
			}
		}
	}
}

// Stats is what the mirror has done since it began, and what it holds now.
type Stats struct {
	Mirrored   uint64            `json:"mirrored"` // exchanges begun
	Finished   uint64            `json:"finished"` // exchanges given to Verdict
	Dropped    map[string]uint64 `json:"dropped,omitempty"`
	Legs       uint64            `json:"legs"`       // far legs that were compared alone, since their calls pass another edge
	Unpaired   uint64            `json:"unpaired"`   // far legs of the dark core that no live leg explains
	Ambiguous  uint64            `json:"ambiguous"`  // far legs of the dark core that may belong to another call
	Unexpected uint64            `json:"unexpected"` // requests of the dark core outside of any call: NOTIFY, MESSAGE, REGISTER and the like

	Calls    int   `json:"calls"` // now
	FarLegs  int   `json:"far_legs"`
	Bytes    int64 `json:"bytes"`
	Bindings int   `json:"bindings"` // registered at the dark cores

	Dark []DarkStats `json:"dark"`
	// Stopped says why mirroring has stopped in this process, for good: "" it has not.
	Stopped string `json:"stopped,omitempty"`
	Escaped uint64 `json:"escaped"` // messages seen where none may be
}

// stopped is s with the reason why nothing is mirrored any more.
func stopped(s *Stats, why string) *Stats {
	x := *s
	x.Stopped = why
	return &x
}

// DarkStats is the state of one dark core.
type DarkStats struct {
	Name     string `json:"name"`
	Build    string `json:"build,omitempty"`
	LastSeen int64  `json:"last_seen,omitempty"` // unix ns of its last datagram
	Canary   string `json:"canary"`              // "none yet", "ok", "not verified"
	CanaryAt int64  `json:"canary_at,omitempty"` // unix ns of the last that arrived
}
