package policy

// Platform is one of the two sides that can serve a tenant. The zero value means "no platform".
type Platform uint8

const (
	NoPlatform Platform = iota
	Legacy
	Core
)

// Stage is how far a tenant has come on its way from legacy to core.
type Stage uint8

const (
	StageLegacy Stage = iota // legacy serves
	StageShadow              // legacy serves, the dark core gets copies
	StageCanary              // core serves the share, and whoever is assigned
	StageCore                // core serves, kept on legacy
	StageDone                // core serves, instant rollback has ended
)

// Bounds of one tenant record.
const (
	MaxRecord = 64 << 10 // bytes of canonical JSON
	FullShare = 10000    // basis points: everybody
)

// Tenant is a customer: its domains, numbers and trunks, its stage and its rules.
// A Tenant inside a Snapshot is never changed; a change carries a new record.
// JSON is canonical: this struct order, sorted maps, no HTML escaping, no floats.
type Tenant struct {
	ID   string `json:"id"`             // [a-z0-9-]{1,63}
	Name string `json:"name,omitempty"` // for people

	Domains []string `json:"domains,omitempty"` // lower case, exact, unique over all tenants; the first is canonical
	Numbers []string `json:"numbers,omitempty"` // "+1303555" (prefix) or "+13035550100-+13035550199" (inclusive range)
	Country string   `json:"country,omitempty"` // E.164 country code without +, to normalise what phones dial: "1", "44"
	Area    string   `json:"area,omitempty"`    // area code put before a local number
	Outside string   `json:"outsidePrefix,omitempty"`

	Users  map[string]string `json:"users,omitempty"`  // number or alias -> user
	Groups map[string]string `json:"groups,omitempty"` // user -> affinity group
	Trunks []Trunk           `json:"trunks,omitempty"`

	Stage      Stage               `json:"stage"`
	RolledBack bool                `json:"rolled_back,omitempty"`
	Share      int                 `json:"share,omitempty"` // basis points of the units that core serves in canary
	Salt       string              `json:"salt"`            // 16 bytes in hex, minted once
	HashVer    int                 `json:"hashVersion"`     // 1; an unknown version is refused
	Assigned   map[string]Platform `json:"assigned,omitempty"`
	Rules      []Rule              `json:"rules,omitempty"`
	Pool       Pools               `json:"pool,omitzero"`
	Mirror     int                 `json:"mirror,omitempty"`          // basis points of calls (hash of Call-ID)
	MirrorSubs bool                `json:"mirrorSubscribe,omitempty"` // subscriptions are mirrored too
	Hold       *Hold               `json:"hold,omitempty"`
	Phase      *Phase              `json:"phase,omitempty"`
	Emergency  *Emergency          `json:"emergency,omitempty"` // nil: the defaults
	Limits     Limits              `json:"limits,omitzero"`
	Media      Media               `json:"media,omitzero"`

	// CrossFailover: an explicit refusal before ringing may go to the other platform.
	CrossFailover bool `json:"crossFailover,omitempty"`
}

// Trunk is a customer's PBX: calls from Source are this tenant's.
type Trunk struct {
	Name          string `json:"name"`
	Source        string `json:"source"`                  // CIDR
	Port          uint16 `json:"port,omitempty"`          // 0: any
	Transport     string `json:"transport,omitempty"`     // "udp", "tcp", "tls"; empty: any
	URI           string `json:"uri,omitempty"`           // where calls towards the PBX go: numeric address
	Egress        string `json:"egress,omitempty"`        // name of the inside listener that its calls leave by
	TrustIdentity bool   `json:"trustIdentity,omitempty"` // pass P-Asserted-Identity and friends
	Media         string `json:"media,omitempty"`         // "off": SDP of its calls passes untouched
}

// Rule is an ordered slice of a tenant's traffic. Every field that is set must match.
// REGISTER obeys only rules that name users.
type Rule struct {
	Direction Direction `json:"direction,omitempty"` // zero: any
	Method    string    `json:"method,omitempty"`
	Called    string    `json:"called,omitempty"` // E.164 prefix of the called number
	Users     []string  `json:"users,omitempty"`
	Group     string    `json:"group,omitempty"`
	Trunk     string    `json:"trunk,omitempty"`
	Platform  Platform  `json:"platform"`
	Comment   string    `json:"comment,omitempty"`
	Expires   int64     `json:"expires,omitempty"` // unix seconds; 0: never
}

// Pools names, per platform, the target pool (cell) that serves the tenant. Empty: the platform's first pool.
type Pools struct {
	Legacy string `json:"legacy,omitempty"`
	Core   string `json:"core,omitempty"`
}

// Hold is a gate on every change towards core. It moves nothing and stops no rollback.
type Hold struct {
	By     string `json:"by"`
	Reason string `json:"reason,omitempty"`
	At     int64  `json:"at"` // unix seconds
}

// Emergency says what an emergency call is and who takes it.
type Emergency struct {
	Users     []string       `json:"users,omitempty"`    // user parts and URNs ("urn:service:sos*"); empty: the defaults
	Platform  Platform       `json:"platform,omitempty"` // zero: legacy
	Certified *Certification `json:"certified,omitempty"`
}

// Certification is the evidence that core takes emergency calls. Without one they stay on legacy.
type Certification struct {
	By       string `json:"by"`
	At       int64  `json:"at"` // unix seconds
	Evidence string `json:"evidence"`
}

// Limits of a tenant over all edges; 0: none. One edge enforces limit / listed edges x 1.5.
type Limits struct {
	CallsPerSecond int `json:"callsPerSecond,omitempty"`
	Calls          int `json:"calls,omitempty"` // concurrent
	Registrations  int `json:"registrations,omitempty"`
}

// Globals hold for all tenants.
type Globals struct {
	Default string          `json:"default"` // platform of an unknown tenant: "legacy" (default), "core", "none" (drop)
	Halt    Halt            `json:"halt"`
	Gates   map[string]Gate `json:"gates,omitempty"`
	Tests   []Test          `json:"tests,omitempty"`
}

// Halt is the big red switch.
type Halt string

const (
	HaltNone      Halt = "none"
	HaltAllLegacy Halt = "all-legacy" // everything not done goes to legacy, for new dialogs
	HaltFreeze    Halt = "freeze"     // no change towards core
)

// Gate says how strictly a named gate holds.
type Gate string

const (
	GateOff     Gate = "off"
	GateWarn    Gate = "warn"
	GateRequire Gate = "require"
)

// Test is an example of routing that every commit must satisfy.
type Test struct {
	Name   string `json:"name,omitempty"`
	Tenant string `json:"tenant,omitempty"` // expected tenant; empty: not checked
	From   string `json:"from"`             // URI, number, or user@domain
	To     string `json:"to"`
	Method string `json:"method,omitempty"` // default INVITE
	Expect string `json:"expect"`           // "legacy" or "core"
}
