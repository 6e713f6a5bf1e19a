package policy

import "time"

// Kind names the verb behind a change.
type Kind string

const (
	KindInit     Kind = "init"
	KindTenant   Kind = "tenant" // add, set, remove
	KindImport   Kind = "import"
	KindFlip     Kind = "flip"
	KindRollback Kind = "rollback"
	KindUndo     Kind = "undo"
	KindHalt     Kind = "halt"
	KindResume   Kind = "resume"
	KindHold     Kind = "hold"
	KindRelease  Kind = "release"
	KindShadow   Kind = "shadow" // copies to the dark core start or stop: moves nobody
	KindResync   Kind = "resync"
	KindAuto     Kind = "auto" // made by the controller: the fence is compared
)

// Change is one step of the policy and its own audit record. Before and after stand in it whole.
type Change struct {
	Epoch string `json:"epoch"` // 128 random bits in hex
	Rev   uint64 `json:"rev"`   // the rev it made; set by the store
	Base  uint64 `json:"base"`  // the rev its author looked at
	Kind  Kind   `json:"kind"`

	Tenants []TenantChange `json:"tenants,omitempty"` // sorted by ID
	Globals *GlobalsChange `json:"globals,omitempty"`

	// ReadGlobals: the author's reasoning used the globals, so a change of them since Base is a conflict.
	ReadGlobals bool `json:"readGlobals,omitempty"`
	// Force: "this state, whatever it was" (rollback, halt): Before is filled in by the store at commit; never a conflict.
	Force bool `json:"force,omitempty"`

	Actor    string `json:"actor"`
	Reason   string `json:"reason,omitempty"`
	Incident string `json:"incident,omitempty"`
	Plan     string `json:"plan,omitempty"`
	Undoes   uint64 `json:"undoes,omitempty"` // undo: the rev taken back
	Key      string `json:"key"`              // idempotency key
	Fence    uint64 `json:"fence,omitempty"`  // kind auto
	At       int64  `json:"at"`               // unix milliseconds; set by the store

	Chain string `json:"chain,omitempty"` // SHA-256(previous chain, change without this field), hex; set by the store
}

// TenantChange is a record before and after. Before nil: added. After nil: removed.
type TenantChange struct {
	ID     string  `json:"id"`
	Before *Tenant `json:"before,omitempty"`
	After  *Tenant `json:"after,omitempty"`
}

// GlobalsChange is the globals before and after.
type GlobalsChange struct {
	Before *Globals `json:"before,omitempty"`
	After  *Globals `json:"after"`
}

// Head is the tip of the log.
type Head struct {
	Epoch string `json:"epoch"`
	Rev   uint64 `json:"rev"`
	Chain string `json:"chain"`
	Root  string `json:"root"`
	Halt  Halt   `json:"halt"`
}

// Durability says how safe a commit is.
type Durability struct {
	Replicas int    `json:"replicas"` // that acknowledged it
	Note     string `json:"note"`     // "replicated to 1", "no replicas", "fsynced"
}

// NodeState is what one edge says of itself. Edges are listed without expiry: a silent one is named, never left out.
type NodeState struct {
	Edge    string `json:"edge"`
	Boot    string `json:"boot"` // random per start
	Build   string `json:"build"`
	Schemas []int  `json:"schemas"` // policy record schemas it can read

	Epoch     string    `json:"epoch"`
	Rev       uint64    `json:"rev"` // applied
	Chain     string    `json:"chain"`
	Stored    uint64    `json:"stored"` // rev on its disk
	State     LinkState `json:"state"`
	AppliedAt int64     `json:"appliedAt"` // unix milliseconds
	SeenAt    int64     `json:"seenAt"`    // unix milliseconds, set by the store when it takes the report
	Nack      *Nack     `json:"nack,omitempty"`
	Alarms    []string  `json:"alarms,omitempty"` // policy_forked, other_epoch, ...

	Admin     string     `json:"admin"`  // unix:///... or https://...
	Inside    []string   `json:"inside"` // "udp:10.0.0.10:5070": where other edges reach its flows
	Keys      []string   `json:"keys"`   // ids of the token keys; the first signs
	Draining  bool       `json:"draining"`
	Dialogs   int        `json:"dialogs"`
	Overrides *Overrides `json:"overrides,omitempty"`
}

// Nack says which rev an edge refused, and why.
type Nack struct {
	Rev    uint64 `json:"rev"`
	Reason string `json:"reason"`
}

// LinkState is how fresh an edge's policy is.
type LinkState string

const (
	Live   LinkState = "live"  // head seen within 5 s
	Stale  LinkState = "stale" // serves for ever, says so everywhere
	Disk   LinkState = "disk"  // started from its disk copy and has not met the store yet
	NoRev  LinkState = "none"  // has no policy: not ready
	Remain           = 5 * time.Second
)

// Overrides are an edge's own orders, by which it serves legacy whatever the policy says. They survive restarts.
type Overrides struct {
	AllLegacy *Override           `json:"allLegacy,omitempty"`
	Freeze    *Override           `json:"freeze,omitempty"`
	Tenants   map[string]Override `json:"tenants,omitempty"` // rolled back here
}

// Override says who gave an order, when and why.
type Override struct {
	By       string `json:"by"`
	At       int64  `json:"at"` // unix seconds
	Reason   string `json:"reason,omitempty"`
	Incident string `json:"incident,omitempty"`
}
