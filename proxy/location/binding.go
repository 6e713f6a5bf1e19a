package location

import (
	"net/netip"
)

// Platform is one of the two sides, by the numbers of policy.Platform: 1 legacy, 2 core.
type Platform uint8

const (
	NoPlatform Platform = iota
	Legacy
	Core
)

// A Binding is one contact of one address-of-record: who it is, how its phone is reached, and what each platform holds
// of it. A Binding in a Table is never changed: Put replaces it.
//
// Two edges may know different news of one binding: Merge takes what each of them knows best. Who is Stamp (the phone's
// own registration, with its flow) and each Hold has a stamp of its own, in unix microseconds.
type Binding struct {
	ID     ID     `json:"id"`
	Tenant string `json:"tenant,omitempty"` // "" of an unknown tenant
	AoR    string `json:"aor"`              // user@domain: the unit, and the tenant's canonical domain
	Unit   string `json:"unit,omitempty"`   // as the policy hashes it

	// What the phone wrote, byte for byte.
	To       string `json:"to"`      // URI of To: the address-of-record that a REGISTER of ours must name
	Contact  string `json:"contact"` // whole Contact element without its expires parameter
	URI      string `json:"uri"`     // its URI
	CallID   string `json:"callId"`
	CSeq     uint32 `json:"cseq"`
	Instance string `json:"instance,omitempty"` // +sip.instance, with its quotes
	RegID    string `json:"regId,omitempty"`
	Agent    string `json:"agent,omitempty"` // User-Agent, at most 64 bytes

	Asked int64  `json:"asked"` // seconds, by the phone's last REGISTER
	Told  int64  `json:"told"`  // unix seconds: what the phone believes; 0: it un-registered
	Flow  Flow   `json:"flow"`
	Rev   uint64 `json:"rev"` // of the policy at its last REGISTER
	Stamp int64  `json:"stamp"`

	Holds [2]Hold `json:"holds"` // legacy, core
}

// Flow is how a phone was last heard of.
type Flow struct {
	Edge     string         `json:"edge"`     // that owns it
	Listener string         `json:"listener"` // by name
	Proto    string         `json:"proto"`    // "udp", "tcp"
	Conn     uint64         `json:"conn,omitempty"`
	Addr     netip.AddrPort `json:"addr"`
}

// Hold is a binding as one platform holds it.
type Hold struct {
	Until  int64  `json:"until,omitempty"`  // unix seconds; 0: not there
	Lasts  int64  `json:"lasts,omitempty"`  // seconds that the platform granted
	Own    bool   `json:"own,omitempty"`    // by a REGISTER of ours, not the phone's
	CSeq   uint32 `json:"cseq,omitempty"`   // last that we used there ourselves
	Target string `json:"target,omitempty"` // by name
	Route  string `json:"route,omitempty"`  // Service-Route values that the platform gave
	Stamp  int64  `json:"stamp,omitempty"`
}

// Of returns what a platform holds.
func (b *Binding) Of(p Platform) *Hold {
	if p != Legacy && p != Core {
		return &Hold{}
	}
	return &b.Holds[p-1]
}

// Clone returns a copy that may be changed and given to Put.
func (b *Binding) Clone() *Binding {
	c := *b
	return &c
}

// Until is when nobody needs the binding any more, in unix seconds.
func (b *Binding) Until() int64 { return max(b.Told, b.Holds[0].Until, b.Holds[1].Until) }
