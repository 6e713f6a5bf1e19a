package limit

import (
	"encoding/binary"
	"math/bits"
	"math/rand/v2"
	"net/netip"
	"sync"
)

// Class is which of a source's two budgets a message takes from.
type Class uint8

// The classes.
const (
	New    Class = iota // whatever may start something
	Exempt              // belongs to a living call, or is an emergency call
	classes
)

// SourcesConfig sizes a table and its buckets. A budget with a rate and burst of 0
// allows nothing.
type SourcesConfig struct {
	Entries     int     // sources remembered, rounded up to a power of two; 512 or more
	Rate        float64 // messages per second of a source
	Burst       float64 // messages
	ExemptRate  float64
	ExemptBurst float64
	Seed        uint64 // of the hash that spreads sources; 0: a random one
}

const (
	stripes = 64
	ways    = 8
)

// Sources is the table of unverified sources, set-associative: an address can lie
// in any of the 8 entries of its set, and the one silent for longest makes room.
// Which addresses share a set follows from a secret seed, so nobody can aim at the
// bucket of another. All methods may be called by any goroutine.
type Sources struct {
	budgets [classes]budget
	seed    [2]uint64
	mask    uint64 // sets - 1

	locks [stripes]lock
	sets  []set // of set number n: guarded by locks[n%stripes]
}

type lock struct {
	sync.Mutex
	_ [56]byte // its own cache line
}

type set [ways]source

type source struct {
	prefix uint64 // the /64, or the IPv4 address
	seen   int64  // Unix nanoseconds, of the tokens
	tokens [classes]float64
	family uint8 // 0: empty
}

// NewSources makes a table. It never grows.
func NewSources(cfg SourcesConfig) *Sources {
	n := uint64(1) << bits.Len64(uint64(max(cfg.Entries, stripes*ways))-1)
	s := &Sources{
		budgets: [classes]budget{New: {cfg.Rate, cfg.Burst}, Exempt: {cfg.ExemptRate, cfg.ExemptBurst}},
		seed:    [2]uint64{mix(cfg.Seed), mix(^cfg.Seed)},
		mask:    n/ways - 1,
		sets:    make([]set, n/ways),
	}
	if cfg.Seed == 0 {
		s.seed = [2]uint64{rand.Uint64(), rand.Uint64()}
	}
	return s
}

// Allow takes a token of addr's budget for class at now (Unix nanoseconds); false:
// there is none, drop the message. A source has its budget as many times as it is
// worth: one for each phone behind it.
func (s *Sources) Allow(addr netip.Addr, now int64, class Class, times int) bool {
	if class >= classes {
		return false
	}
	prefix, family := prefixOf(addr)
	n := s.hash(prefix, family) & s.mask
	l := &s.locks[n%stripes]
	l.Lock()
	defer l.Unlock()
	x := s.sets[n].find(prefix, family)
	if x.family == 0 || x.prefix != prefix || x.family != family {
		*x = source{prefix: prefix, family: family, seen: now}
		for c, b := range s.budgets {
			x.tokens[c] = b.burst * float64(max(times, 1))
		}
	}
	for c, b := range s.budgets {
		n := float64(max(times, 1))
		x.tokens[c] = budget{b.rate * n, b.burst * n}.refill(x.tokens[c], now-x.seen)
	}
	x.seen = later(x.seen, now)
	if x.tokens[class] < 1 {
		return false
	}
	x.tokens[class]--
	return true
}

// Len counts the sources that are remembered.
func (s *Sources) Len() int {
	n := 0
	for i := range s.sets {
		l := &s.locks[i%stripes]
		l.Lock()
		for _, x := range s.sets[i] {
			if x.family != 0 {
				n++
			}
		}
		l.Unlock()
	}
	return n
}

// find returns the entry of a source, else an empty one, else the oldest.
func (s *set) find(prefix uint64, family uint8) *source {
	free := &s[0]
	for i := range s {
		x := &s[i]
		switch {
		case x.family == family && x.prefix == prefix:
			return x
		case free.family == 0:
		case x.family == 0 || x.seen < free.seen:
			free = x
		}
	}
	return free
}

// prefixOf is what a source is: an IPv4 address, also when mapped into IPv6, or a
// /64. Zones do not tell sources apart.
func prefixOf(addr netip.Addr) (prefix uint64, family uint8) {
	if addr.Is4() || addr.Is4In6() {
		b := addr.As4()
		return uint64(binary.BigEndian.Uint32(b[:])), 4
	}
	b := addr.As16()
	return binary.BigEndian.Uint64(b[:8]), 6
}

// hash says where a source lies. Both words of the seed are secret.
func (s *Sources) hash(prefix uint64, family uint8) uint64 {
	return mix(mix(prefix^s.seed[0]) + s.seed[1] ^ uint64(family))
}

// mix is the finaliser of splitmix64: every bit of x turns each bit of the result
// with a chance of a half.
func mix(x uint64) uint64 {
	x = (x ^ x>>30) * 0xBF58476D1CE4E5B9
	x = (x ^ x>>27) * 0x94D049BB133111EB
	return x ^ x>>31
}
