package policy

import (
	"encoding/hex"
	"iter"
	"net/netip"
	"slices"
	"strings"
)

// Snapshot is the whole routing truth at one rev: immutable, shared by every reader. The next one is made by Apply,
// which copies what the change touches and shares the rest.
type Snapshot struct {
	epoch string
	rev   uint64
	chain string // hex; "" at rev 0

	globals     Globals
	globalsHash [32]byte
	globalsRev  uint64 // the youngest rev at which the globals may have changed

	tenants shards[string, *Record] // by id; a shard is also a bucket of the root
	domains shards[string, string]  // domain -> id, so that a flip need not touch this index
	numbers numberTrie              // -> id
	trunks  trunkTable              // -> id
	buckets *[shardCount][32]byte   // hash of each shard of tenants
	root    [32]byte

	overrides *Overrides // this edge's own orders; no part of the policy
	warnings  []string
}

// Empty returns rev 0 of a lineage: no tenants, unknown domains to legacy, no halt. Init applies to it.
func Empty(epoch string) *Snapshot {
	s := &Snapshot{epoch: epoch, globals: Globals{}.norm(), buckets: new([shardCount][32]byte)}
	s.globalsHash, _ = s.globals.hash()
	for i := range s.buckets {
		s.buckets[i] = s.bucketHash(i)
	}
	s.root = s.rootHash()
	return s
}

// Rev is the number of the change that made this snapshot; 0 for Empty.
func (s *Snapshot) Rev() uint64 { return s.rev }

// Epoch is the lineage: 128 random bits in hex.
func (s *Snapshot) Epoch() string { return s.epoch }

// Chain is the hash of all changes up to Rev, "" at rev 0.
func (s *Snapshot) Chain() string { return s.chain }

// Root is the hash of the content, in hex: equal roots are equal policies.
func (s *Snapshot) Root() string { return hex.EncodeToString(s.root[:]) }

// Globals returns the globals; the caller does not change what they hold.
func (s *Snapshot) Globals() Globals { return s.globals }

// Len is the number of tenants.
func (s *Snapshot) Len() int { return s.tenants.n }

// Numbers is the number of claims on numbers (prefixes and ranges).
func (s *Snapshot) Numbers() int { return s.numbers.n }

// Head is the tip that this snapshot stands for.
func (s *Snapshot) Head() Head {
	return Head{Epoch: s.epoch, Rev: s.rev, Chain: s.chain, Root: s.Root(), Halt: s.globals.Halt}
}

// Warnings lists what was let pass when this snapshot was made: tests that fail.
func (s *Snapshot) Warnings() []string { return s.warnings }

// Tenant returns a record by id, nil when there is none.
func (s *Snapshot) Tenant(id string) *Record {
	r, _ := s.tenants.get(hashString(id), id)
	return r
}

// ByDomain returns the tenant of a SIP domain, given in lower case. nil when it is nobody's.
func (s *Snapshot) ByDomain(domain string) *Record {
	id, ok := s.domains.get(hashString(domain), domain)
	if !ok {
		return nil
	}
	return s.Tenant(id)
}

// ByNumber returns the tenant of the innermost claim on a number in E.164 with +. nil when nobody claims it.
func (s *Snapshot) ByNumber(e164 string) *Record {
	d, ok := strings.CutPrefix(e164, "+")
	if !ok {
		return nil
	}
	id := s.numbers.find(d)
	if id == "" {
		return nil
	}
	return s.Tenant(id)
}

// ByTrunk returns the tenant whose PBX sends from an address, and the trunk. transport is "udp", "tcp" or "tls".
// nil when the address is nobody's.
func (s *Snapshot) ByTrunk(src netip.AddrPort, transport string) (*Record, *Trunk) {
	e, ok := s.trunks.find(src, transport)
	if !ok {
		return nil, nil
	}
	r := s.Tenant(e.id)
	return r, &r.Tenant.Trunks[e.index]
}

// All yields the tenants sorted by id. It sorts them anew each time: not for the path of a call.
func (s *Snapshot) All() iter.Seq[*Record] {
	return func(yield func(*Record) bool) {
		all := make([]*Record, 0, s.tenants.n)
		for i := range shardCount {
			for _, r := range s.tenants.shard(i) {
				all = append(all, r)
			}
		}
		slices.SortFunc(all, byID)
		for _, r := range all {
			if !yield(r) {
				return
			}
		}
	}
}

func byID(a, b *Record) int { return strings.Compare(a.Tenant.ID, b.Tenant.ID) }

// WithOverrides returns the same policy as an edge with orders of its own sees it: Decide ranks them first. nil takes
// them away.
func (s *Snapshot) WithOverrides(o *Overrides) *Snapshot {
	c := *s
	c.overrides = o
	return &c
}

// Overrides returns the edge's own orders, nil when there are none.
func (s *Snapshot) Overrides() *Overrides { return s.overrides }
