package admin

import (
	"github.com/hotcut/hotcut/policy"
	"github.com/hotcut/hotcut/proxy/callrecord"
)

// State is what an edge says of itself.
type State struct {
	policy.NodeState
	Targets  []TargetState     `json:"targets"`
	Counters map[string]uint64 `json:"counters"` // by metric name, labels in braces
	Uptime   int64             `json:"uptime"`   // seconds
	Warnings []string          `json:"warnings,omitempty"`
}

// TargetState is the health of one target.
type TargetState struct {
	Platform string `json:"platform"` // "legacy", "core"
	Pool     string `json:"pool"`
	Name     string `json:"name"`
	Addr     string `json:"addr"` // "udp:10.0.1.5:5060"
	Up       bool   `json:"up"`
	Since    int64  `json:"since"`            // unix milliseconds of the last change
	Reason   string `json:"reason,omitempty"` // why it is down, by name
}

// Call is one call in progress.
type Call struct {
	CallID   string    `json:"callId"`
	Tenant   string    `json:"tenant"`
	Platform string    `json:"platform"`
	Target   string    `json:"target"`
	From     string    `json:"from"`
	To       string    `json:"to"`
	State    CallState `json:"state"`
	Since    int64     `json:"since"` // unix milliseconds
	Rev      uint64    `json:"rev"`
	Reason   string    `json:"reason"`
	// Passes is how often the call goes through the edge, where that is more than once: its platform proxies, so it comes by again on
	// its way to the other party. The rest is as it came in. An edge that was restarted does not know.
	Passes int `json:"passes,omitempty"`

	Media *callrecord.Media `json:"media,omitempty"` // how it sounds so far; nil: it is not relayed
}

// CallState is how far a call has come.
type CallState string

const (
	Ringing CallState = "ringing"
	Talking CallState = "talking"
)

// Draining counts the calls of a tenant that live on a platform which no longer gets its new ones.
type Draining struct {
	Tenant   string `json:"tenant"`
	Platform string `json:"platform"`
	Count    int    `json:"count"`
	Oldest   int64  `json:"oldest"`            // unix milliseconds: start of the oldest of them
	Since    int64  `json:"since"`             // unix milliseconds: what is older may be missing; 0: nothing is
	AtLeast  bool   `json:"atLeast,omitempty"` // the edge restarted and may not know them all
}

// ExplainRequest is a hypothetical call. From and To are URIs, numbers or user@domain.
type ExplainRequest struct {
	From      string `json:"from"`
	To        string `json:"to"`
	Method    string `json:"method,omitempty"`    // empty: INVITE
	Source    string `json:"source,omitempty"`    // address or address:port that it comes from
	Transport string `json:"transport,omitempty"` // empty: udp
	At        int64  `json:"at,omitempty"`        // unix seconds for rules that expire; 0: now
}

// ExplainResponse is where that call would go, and why.
type ExplainResponse struct {
	Decision  Decision `json:"decision"`
	Direction string   `json:"direction"`
	Arrived   string   `json:"arrived"` // "phone", "carrier NAME", "trunk NAME", "platform legacy"
	FromRaw   string   `json:"fromRaw"`
	FromE164  string   `json:"fromE164,omitempty"`
	ToRaw     string   `json:"toRaw"`
	ToE164    string   `json:"toE164,omitempty"`
	Unit      string   `json:"unit,omitempty"`
	Emergency bool     `json:"emergency,omitempty"`
	// Targets in the order in which they would be tried.
	Targets  []TargetState `json:"targets"`
	Warnings []string      `json:"warnings,omitempty"`
}

// Decision is policy.Decision in words.
type Decision struct {
	Tenant   string `json:"tenant"`
	Platform string `json:"platform"`
	Keep     string `json:"keep,omitempty"`
	Mirror   bool   `json:"mirror,omitempty"`
	Pool     string `json:"pool,omitempty"`
	Reason   string `json:"reason"`
	Arg      int    `json:"arg,omitempty"`
	Rev      uint64 `json:"rev"`
}

// OverrideChange gives or takes back an order that this edge obeys whatever the policy says.
type OverrideChange struct {
	Op      Op           `json:"op"`
	Scope   Scope        `json:"scope"`
	Tenants []string     `json:"tenants,omitempty"` // with scope tenants
	Order   OverrideInfo `json:"order,omitzero"`    // with op set; who, when, why
}

// OverrideInfo says who gave an order, when and why.
type OverrideInfo = policy.Override

// Op is set or remove.
type Op string

const (
	Set    Op = "set"
	Remove Op = "remove"
)

// Scope is what an override is about.
type Scope string

const (
	ScopeAllLegacy Scope = "all-legacy"
	ScopeFreeze    Scope = "freeze"
	ScopeTenants   Scope = "tenants"
	ScopeAll       Scope = "all" // remove only: every override there is
)

// Reloaded says what a reload did.
type Reloaded struct {
	Changed      []string `json:"changed"`      // keys in force now
	NeedsRestart []string `json:"needsRestart"` // keys that differ and stay as they were
}

// Bounds of the API.
const (
	MaxBody   = 64 << 10 // bytes of a request
	MaxCalls  = 10_000   // calls or records in one answer
	MaxAnswer = 64 << 20 // bytes of an answer that a client keeps in memory
)

// DecisionOf puts a decision into words.
func DecisionOf(d policy.Decision) Decision {
	out := Decision{
		Tenant: d.Tenant, Platform: d.Platform.String(), Mirror: d.Mirror, Pool: d.Pool,
		Reason: d.Reason.String(), Arg: int(d.Arg), Rev: d.Rev,
	}
	if d.Keep != policy.NoPlatform {
		out.Keep = d.Keep.String()
	}
	return out
}
