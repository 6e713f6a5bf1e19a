package tap

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
	At       int64 // of arrival, unix nanoseconds
	Kind     Kind
	Leg      Leg  // 0 in an Escape
	Upstream bool // from the called side of its leg: the responses to the leg's INVITE, the requests of its callee
	// Tenant is the tenant's id, Platform "legacy" or "core": who is on the platform's side of this leg. Both are strings of the
	// policy or of the edge, never parts of the message: they may be kept.
	Tenant    string
	Platform  string
	Rev       uint64 // of the policy that decided
	Emergency bool
	// Party is who is on the other side: "phone", "trunk" or "carrier", and on a Far leg also "platform" (where the edge sent
	// it to the other one). In an Escape it is who sent it: also "dark".
	Party string
}

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
