package policy

import "net/netip"

// Direction of a request, seen from the tenant.
type Direction uint8

const (
	AnyDirection Direction = iota
	Outbound               // a unit of the tenant calls a number outside
	Inbound                // a carrier, or another tenant, calls a unit of the tenant
	Internal               // one unit of the tenant calls another
)

// Query is one request as the policy sees it. The edge (or explain) builds it; strings may alias a receive buffer.
type Query struct {
	Method    string // case-sensitive SIP method
	Direction Direction
	Tenant    *Record  // who it is about: see Snapshot.ByDomain, ByNumber, ByTrunk; nil: unknown
	Number    string   // called number in E.164 with +, or "" (a rule's Called matches against it)
	Unit      string   // user part of the unit, percent-decoded, case kept, or E.164; "" is bad_unit
	Trunk     string   // name of the tenant's trunk that it came by
	Emergency bool     // see Record.IsEmergency
	From      Platform // arriving platform, or NoPlatform from outside
	Mirror    uint16   // hash of Call-ID in basis points [0,10000)
	Now       int64    // unix seconds
	Source    netip.Addr
}

// Decision is what the policy says of one request. It is a value: print it, seal it, replay it.
type Decision struct {
	Tenant   string // id, "" for an unknown one
	Platform Platform
	Keep     Platform // also kept there (registrations)
	Mirror   bool     // copy to the dark core
	Pool     string
	Reason   Reason
	Arg      int32 // rule number (from 1) or bucket, where the reason has one
	Rev      uint64
}

// Reason is why a decision fell: one constant, one metric label, one line of documentation.
type Reason uint8

const (
	ReasonNone Reason = iota
	ReasonDialogPin
	ReasonNodeOverride
	ReasonGlobalHalt
	ReasonEmergency
	ReasonRolledBack
	ReasonAssigned
	ReasonRule
	ReasonBucket
	ReasonStage
	ReasonDefault
	ReasonNoTenant
	ReasonBadUnit
	ReasonTargetUnhealthy
	ReasonFallback
	ReasonChallenge // the request answers a challenge that this platform has just given (the edge, not Decide)
)
