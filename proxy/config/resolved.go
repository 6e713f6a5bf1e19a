package config

import (
	"net/netip"
	"time"
)

// Resolved is the configuration with its words read: what the proxy core works with. Indexes are those of the
// configuration's own lists, but for listeners: those of side shadow stand apart, since the edge does not open them.
type Resolved struct {
	Listeners []Listener
	Shadow    []Listener // of side shadow: whoever mirrors opens them
	Dark      []DarkCore // not empty exactly if Shadow is not
	NextHops  []NextHop  // legacy's targets in order, then core's
	Networks  []Network  // where the platforms' requests come from
	Carriers  []CarrierHop
	Names     map[string]struct{} // lower case hosts that are us on any port
	Addresses map[string]struct{} // lower case host:port that are us: what listeners have and what they advertise
	ViaHost   string              // "" when each listener speaks for itself
	ViaPort   uint16              // 0: the listener's
	Media     MediaRelay
	Data      string // URL of the Redis that edges share bindings over; "": none is shared
}

// Listener is one socket to open.
type Listener struct {
	Index   int // in Resolved's own list
	Entry   int // in the configuration's
	Name    string
	Side    Side
	Proto   Proto
	Addr    netip.AddrPort
	Readers int // at least 1

	AdvertiseHost string // a name or a numeric address, IPv6 without brackets
	AdvertisePort uint16
	Advertise     string // host:port, IPv6 in brackets: ready for a Via or a URI
	Egress        bool   // reserved for the calls of one carrier: nothing else leaves by it
}

// PlatformNumber tells the platforms apart: the numbers are those of policy.Platform.
type PlatformNumber uint8

const (
	LegacyPlatform PlatformNumber = 1
	CorePlatform   PlatformNumber = 2
)

func (p PlatformNumber) String() string {
	switch p {
	case LegacyPlatform:
		return "legacy"
	case CorePlatform:
		return "core"
	}
	return "none"
}

// NextHop is a target.
type NextHop struct {
	Platform      PlatformNumber
	Index         int // in the platform's targets
	Name          string
	Pool          string
	Addr          netip.AddrPort
	Proto         Proto
	Listener      int // inside listener that requests leave by unless a carrier's egress is meant
	TimerB        time.Duration
	SharedDialogs bool

	ReachBack    string // "path" or "contact"
	Keep         string // "none", "trust" or "digest"
	CallID       string // "own" or "phone"
	ListsAll     bool
	RegisterRate int // per second
	KeepRate     int // per second
}

// Network is where requests of a platform come from.
type Network struct {
	Platform  PlatformNumber
	Prefix    netip.Prefix
	Port      uint16 // 0: any; counts for UDP only
	Listeners []int  // inside listeners it arrives on
}

// CarrierHop is a carrier.
type CarrierHop struct {
	Index        int
	Name         string
	Addr         netip.AddrPort
	Proto        Proto
	Listener     int // outside listener that requests to it leave by
	Sources      []Source
	Trusted      bool
	NumberFormat string // for policy.Normalise
	Egress       int    // inside listener that its calls leave by; -1: none of its own
	MediaOff     bool   // SDP of its calls passes untouched
}

// MediaRelay is where media is relayed.
type MediaRelay struct {
	Relays            bool // this process does; else the addresses and ports mean nothing
	Outside, Inside   netip.Addr
	Outside6, Inside6 netip.Addr                // of the other family; not valid: none
	Advertise         map[netip.Addr]netip.Addr // what SDP says instead of an outside address
	Low, High         uint16                    // ports, both included
	Nets              []netip.Prefix            // where the platforms' media servers are

	Servers    []netip.AddrPort // that relay in place of this process; none: they do not
	Interfaces [2]string        // what they call the outside and the inside
	Wait       time.Duration    // for their answers
}

// DarkCore is an instance of the core that gets copies, over UDP, and nothing else.
type DarkCore struct {
	Index   int
	Name    string
	Build   string
	Addr    netip.AddrPort
	Sink    int // in Shadow: by which copies go to it, and what it sends out comes back
	Sources []Source
}

// Source is a network that a carrier or a dark core sends from.
type Source struct {
	Prefix netip.Prefix
	Port   uint16 // 0: any; counts for UDP only
}
