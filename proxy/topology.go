package proxy

import (
	"bytes"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strconv"

	"github.com/hotcut/hotcut/policy"
	"github.com/hotcut/hotcut/proxy/health"
	"github.com/hotcut/hotcut/proxy/transport"
	"github.com/hotcut/hotcut/proxy/wire"
)

type netipAddrPort = netip.AddrPort

// topology is the configured world: listeners, targets, carriers, names. It is immutable; reload swaps it whole.
type topology struct {
	node      uint32 // name hash of this edge
	listeners []listener
	targets   []target
	pools     map[poolKey][]int // configured order of targets
	first     [3]string         // per platform: the pool of a tenant that names none
	sources   []sourceNet
	carriers  []carrier
	dark      []sourceNet // where dark cores send from: none of it is anybody's
	health    *health.Table
	names     map[string]struct{} // lower-case hosts that are us on any port
	addresses map[string]struct{} // lower-case host:port that are us
	scanners  [][]byte            // names of tools, in lower case
}

type poolKey struct {
	platform policy.Platform
	pool     string
}

type side uint8

const (
	outside side = iota
	inside
	own
)

type listener struct {
	index  uint16
	name   string
	hash   uint16
	side   side
	proto  transport.Proto
	addr   netip.AddrPort // bound
	sentBy string         // host:port of our Via
	host   string         // host:port of our Record-Route
	wait   *pressure      // of the process's life
}

type target struct {
	name     string
	hash     uint32
	platform policy.Platform
	pool     string
	addr     netip.AddrPort
	proto    transport.Proto
	listener uint16 // that its requests leave by
	timers   timers
	shared   bool // its pool shares dialogs: in-dialog requests may fail over
	stream   int  // 1 + index of the same address over TCP, for what is too large; 0: there is none

	// Of registrations.
	byContact    bool // it reaches phones by our Contact, else by our Path (RFC 3327)
	keep         keepMode
	phoneCallID  bool // our own REGISTERs use the phone's Call-ID
	listsAll     bool // what its 2xx to REGISTER does not list is gone
	registerRate int  // of phones, per second
	keepRate     int  // of our own, per second
	shaper       *shaper
}

// keepMode is how a target accepts REGISTERs of our own.
type keepMode uint8

const (
	keepNone   keepMode = iota // it does not
	keepTrust                  // by the address that they come from
	keepDigest                 // by the secrets that we hold
)

func (k keepMode) String() string { return [...]string{"none", "trust", "digest"}[k] }

type sourceNet struct {
	platform policy.Platform
	prefix   netip.Prefix
	port     uint16 // 0: any; counts for UDP only
	by       []int  // inside listeners it arrives on
}

func (n *sourceNet) arrivesBy(listener int) bool {
	return listener < 0 || len(n.by) == 0 || slices.Contains(n.by, listener)
}

type carrier struct {
	name     string
	hash     uint32
	addr     netip.AddrPort
	proto    transport.Proto
	nets     []sourceNet
	trusted  bool
	format   string
	egress   int // inside listener that its calls leave by; -1: any
	listener uint16
	mediaOff bool // SDP of its calls passes untouched
}

// us tells whether a host (brackets and case as they came) and port (0: 5060) name this edge or its fleet.
func (t *topology) us(host []byte, port uint16) bool {
	var buf [264]byte
	if len(host) == 0 || len(host) > 255 {
		return false
	}
	b := append(buf[:0], host...)
	lower(b)
	if _, ok := t.names[view(b)]; ok {
		return true
	}
	if port == 0 {
		port = 5060
	}
	if bytes.IndexByte(b, ':') >= 0 {
		ip, ok := wire.ParseAddr(host) // it may be written in several ways
		if !ok {
			return false
		}
		b = append(ip.AppendTo(append(buf[:0], '[')), ']')
	}
	b = strconv.AppendUint(append(b, ':'), uint64(port), 10)
	_, ok := t.addresses[view(b)]
	return ok
}

// platformOf names the platform that an address belongs to, and the target; of two at one address that of the transport. by is
// the listener it came in by, or -1.
func (t *topology) platformOf(a netip.AddrPort, proto transport.Proto, by int) (p policy.Platform, index int) {
	index = -1
	for i := range t.targets {
		x := &t.targets[i]
		if x.addr.Addr() != a.Addr() || x.addr.Port() != a.Port() {
			continue
		}
		if x.proto == proto {
			return x.platform, i
		}
		if index < 0 {
			index = i
		}
	}
	if index >= 0 {
		return t.targets[index].platform, index
	}
	if len(t.dark) > 0 && t.darkAt(a, proto) {
		return policy.NoPlatform, -1
	}
	for i := range t.sources {
		x := &t.sources[i]
		if x.prefix.Contains(a.Addr()) && (x.port == 0 || proto != transport.UDP || x.port == a.Port()) && x.arrivesBy(by) {
			return x.platform, -1
		}
	}
	return policy.NoPlatform, -1
}

func (t *topology) carrierOf(a netip.AddrPort, proto transport.Proto) int {
	for i := range t.carriers {
		for _, n := range t.carriers[i].nets {
			if n.prefix.Contains(a.Addr()) && (n.port == 0 || proto != transport.UDP || n.port == a.Port()) {
				return i
			}
		}
	}
	return -1
}

// carrierAt is the carrier whose configured address a URI names.
func (t *topology) carrierAt(a netip.AddrPort) int {
	for i := range t.carriers {
		if t.carriers[i].addr == a {
			return i
		}
	}
	return -1
}

// reaches tells whether host and port are those of our Contact towards a platform.
func (t *topology) reaches(host []byte, port uint16) bool {
	if t.us(host, port) {
		return true
	}
	var buf [264]byte
	if len(host) == 0 || len(host) > 255 {
		return false
	}
	b := append(buf[:0], host...)
	lower(b)
	if port == 0 {
		port = 5060
	}
	b = strconv.AppendUint(append(b, ':'), uint64(port), 10)
	for i := range t.listeners {
		if t.listeners[i].side == inside && t.listeners[i].sentBy == view(b) {
			return true
		}
	}
	return false
}

// takesOurs: some target of the pool takes REGISTERs of our own.
func (t *topology) takesOurs(pool []int) bool {
	for _, i := range pool {
		if t.targets[i].keep != keepNone {
			return true
		}
	}
	return false
}

func (t *topology) listenerByHash(h uint16) int {
	for i := range t.listeners {
		if t.listeners[i].hash == h {
			return i
		}
	}
	return -1
}

// listenerFor picks the listener of a side that speaks proto and the address family, preferring the wanted index.
func (t *topology) listenerFor(sd side, proto transport.Proto, a netip.Addr, want int) int {
	if want >= 0 && t.listeners[want].side == sd && t.listeners[want].proto == proto {
		return want
	}
	for i := range t.listeners {
		l := &t.listeners[i]
		if l.side == sd && l.proto == proto && l.addr.Addr().Is4() == a.Is4() {
			return i
		}
	}
	return -1
}

func (t *topology) targetByHash(p policy.Platform, h uint32) int {
	for i := range t.targets {
		if t.targets[i].hash == h && t.targets[i].platform == p {
			return i
		}
	}
	return -1
}

func (t *topology) carrierByHash(h uint32) int {
	for i := range t.carriers {
		if t.carriers[i].hash == h {
			return i
		}
	}
	return -1
}

// checkNames refuses two names that tokens could not tell apart: they carry names as hashes. It happens by accident once
// in thousands of configurations, and then a call would leave by the wrong listener.
func (t *topology) checkNames() error {
	seen := map[uint64]string{}
	check := func(kind uint64, field, name string, hash uint32) error {
		k := kind<<32 | uint64(hash)
		if other, ok := seen[k]; ok && other != name {
			return fmt.Errorf("%s: tokens can not tell the names %q and %q apart: rename one of them", field, other, name)
		}
		seen[k] = name
		return nil
	}
	var errs []error
	for i := range t.listeners {
		errs = append(errs, check(0, "listen", t.listeners[i].name, uint32(t.listeners[i].hash)))
	}
	for i := range t.targets {
		errs = append(errs, check(uint64(t.targets[i].platform), "platforms."+t.targets[i].platform.String()+".targets", t.targets[i].name, t.targets[i].hash))
	}
	for i := range t.carriers {
		errs = append(errs, check(8, "carriers", t.carriers[i].name, t.carriers[i].hash))
	}
	return errors.Join(errs...)
}
