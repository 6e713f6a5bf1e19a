package tap

import "slices"

// Kind is what a tapped message is.
type Kind uint8

const (
	Request Kind = iota + 1
	Response
	// Escape is a message marked as shadow, or from a dark core, that reached a listener which is not the shadow's. It was refused.
	Escape
)

func (k Kind) String() string { return word(k, "request", "response", "escape") }

// Leg is on which side of the platform a message was seen.
type Leg uint8

const (
	Near Leg = iota + 1 // outside -> platform: the caller's leg
	Far                 // platform -> outside: the platform's leg to a phone, a trunk, a carrier or the other platform
)

func (l Leg) String() string { return word(l, "near", "far") }

// Event is what the edge knows of a message that its bytes do not say.
type Event struct {
	At        int64 // of arrival, unix nanoseconds
	Kind      Kind
	Leg       Leg  // 0 in an Escape
	Upstream  bool // from the called side of its leg: the responses to the leg's INVITE, the requests of its callee
	Emergency bool
	Platform  Platform // who is on the platform's side of this leg; 0 where no platform is
	Party     Party    // who is on its other side; in an Escape: who sent it
	Rev       uint64   // of the policy that decided
	Tenant    string   // its id: a string of the policy or of the edge, never a part of the message, so it may be kept
}

// set makes e a copy of what ev says. One field after the other: while the collector runs it must be told of a pointer that moves, which
// for one is a few instructions and for a struct that holds one a call.
func (e *Event) set(ev *Event) {
	e.At, e.Rev = ev.At, ev.Rev
	e.Kind, e.Leg, e.Upstream, e.Emergency, e.Platform, e.Party = ev.Kind, ev.Leg, ev.Upstream, ev.Emergency, ev.Platform, ev.Party
	e.Tenant = ev.Tenant
}

// Platform is one of the two.
type Platform uint8

const (
	Legacy Platform = iota + 1
	Core
)

func (p Platform) String() string { return platformWords[min(int(p), len(platformWords)-1)] }

var platformWords = [...]string{"", "legacy", "core", ""}

// Party is who an edge speaks to, or hears.
type Party uint8

const (
	Phone Party = iota + 1
	Trunk
	Carrier
	OtherPlatform // on a Far leg: the edge sent it to the other platform
	Edge          // these are seen in an Escape only
	Stranger
	Dark
)

var partyWords = [...]string{"", "phone", "trunk", "carrier", "platform", "edge", "stranger", "dark", ""}

func (p Party) String() string { return partyWords[min(int(p), len(partyWords)-1)] }

// PartyOf reads what String wrote; 0: it is none.
func PartyOf(s string) Party { return Party(max(slices.Index(partyWords[:], s), 0)) }

// Binding is a live registration of a phone, as the edge knows it.
type Binding struct {
	ID       string // the same on every edge and at every refresh; it routes to the phone: nothing of it may stand in a copy
	AoR      string // sip:user@domain, the unit at its tenant's first domain
	To       string // URI of To of the phone's REGISTER: the address-of-record as the phone calls it
	User     string // of its Contact, as the phone wrote it; may be empty
	Instance string // +sip.instance without quotes; may be empty
	Expires  int64  // unix seconds
	Here     bool   // this edge has its flow; else another one does
}

func word[T ~uint8](v T, words ...string) string {
	if v == 0 || int(v) > len(words) {
		return "none"
	}
	return words[v-1]
}
