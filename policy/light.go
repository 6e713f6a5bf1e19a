package policy

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"iter"
	"reflect"
	"slices"
	"time"
)

// Buckets is how many buckets the root is made of; a tenant is in the bucket BucketOf(id).
const Buckets = shardCount

// ErrNeedsWhole: the change can only be judged with the whole policy at hand.
var ErrNeedsWhole = errors.New("only the whole policy can tell whether this change is valid")

// Ancestry is what a follower asks a store when the log no longer reaches back to its own rev. Both stores have it.
type Ancestry interface {
	// ChainAt returns the chain that the lineage of the head had at rev, "" if the store does not know (any more).
	ChainAt(ctx context.Context, rev uint64) (string, error)
}

// Peeker is a Store that can read a few tenants without the rest. The file store has the whole policy at hand and is none.
type Peeker interface {
	// Peek reads the tenants named, at the head, and proves that they are the head's. Those that do not exist are left
	// out. Errors are those of LoadAt, and one that a second look may not meet: somebody committed meanwhile.
	Peek(ctx context.Context, ids ...string) (*Light, error)
}

// BucketOf says in which bucket of the root a tenant is hashed.
func BucketOf(id string) int { return int(hashString(id) % shardCount) }

// AppendBucketHashes adds the hashes of all buckets to dst: Buckets times 32 bytes, from which Root follows.
func (s *Snapshot) AppendBucketHashes(dst []byte) []byte {
	for i := range s.buckets {
		dst = append(dst, s.buckets[i][:]...)
	}
	return dst
}

// AppendBucket adds what bucket i is the hash of: per tenant, by id, one byte of length, the id, 32 bytes of hash.
func (s *Snapshot) AppendBucket(dst []byte, i int) []byte {
	shard := s.tenants.shard(i)
	recs := make([]*Record, 0, len(shard))
	for _, r := range shard {
		recs = append(recs, r)
	}
	slices.SortFunc(recs, byID)
	for _, r := range recs {
		dst = appendLeaf(dst, r.Tenant.ID, r.hash)
	}
	return dst
}

// BucketHash returns the hash of bucket i.
func (s *Snapshot) BucketHash(i int) [32]byte { return s.buckets[i] }

func appendLeaf(dst []byte, id string, hash [32]byte) []byte {
	dst = append(dst, byte(len(id)))
	dst = append(dst, id...)
	return append(dst, hash[:]...)
}

// leaf is one entry of a bucket.
type leaf struct {
	id   string
	hash [32]byte
}

// parseBucket reads what AppendBucket wrote, and refuses what is out of order or in the wrong bucket.
func parseBucket(i int, b []byte) ([]leaf, error) {
	var out []leaf
	for len(b) > 0 {
		n := int(b[0])
		if n == 0 || len(b) < 1+n+32 {
			return nil, fmt.Errorf("bucket %d is cut short", i)
		}
		l := leaf{id: string(b[1 : 1+n]), hash: [32]byte(b[1+n:])}
		if BucketOf(l.id) != i || len(out) > 0 && out[len(out)-1].id >= l.id {
			return nil, fmt.Errorf("bucket %d holds %q where it does not belong", i, l.id)
		}
		out = append(out, l)
		b = b[1+n+32:]
	}
	return out, nil
}

func hashLeaves(leaves []leaf) [32]byte {
	h := sha256.New()
	for _, l := range leaves {
		h.Write(l.hash[:])
	}
	return [32]byte(h.Sum(nil))
}

// Light is the policy at its head as a client sees it that has read only some of its tenants, and proof that they are
// the head's: their buckets, and the hashes of all buckets. A flip in a policy of 100,000 tenants is judged by a few
// kilobytes.
type Light struct {
	head    Head
	globals Globals
	hashes  []byte         // Buckets * 32
	leaves  map[int][]leaf // of the tenants' buckets
	part    *Snapshot      // the tenants that were read, and no others
}

// NewLight checks that everything it is given belongs to the head: the globals and bucket hashes to its root, buckets
// (as AppendBucket writes them, by number) to their hashes, and tenants to their buckets. A tenant of which the
// bucket is given but that is not among tenants is taken to be of no interest, or not to exist.
func NewLight(h Head, g Globals, hashes []byte, buckets map[int][]byte, tenants []*Tenant) (*Light, error) {
	if len(hashes) != Buckets*32 {
		return nil, fmt.Errorf("%d bytes of bucket hashes, want %d", len(hashes), Buckets*32)
	}
	l := &Light{head: h, globals: g.norm(), hashes: hashes, leaves: make(map[int][]leaf)}
	root, err := rootOf(hashes, l.globals)
	if err != nil {
		return nil, err
	}
	if root != h.Root {
		return nil, fmt.Errorf("the bucket hashes and globals make root %s, the head says %s", root, h.Root)
	}
	for i, b := range buckets {
		if i < 0 || i >= Buckets {
			return nil, fmt.Errorf("bucket %d of %d", i, Buckets)
		}
		leaves, err := parseBucket(i, b)
		if err != nil {
			return nil, err
		}
		if hashLeaves(leaves) != [32]byte(hashes[i*32:]) {
			return nil, fmt.Errorf("bucket %d does not have the hash that the root is made of", i)
		}
		l.leaves[i] = leaves
	}
	if l.part, err = NewSnapshot(Head{Epoch: h.Epoch, Rev: h.Rev, Chain: h.Chain}, l.globals, tenants); err != nil {
		return nil, err
	}
	for r := range l.part.All() {
		if at, ok := l.find(r.Tenant.ID); !ok || l.leaves[BucketOf(r.Tenant.ID)][at].hash != r.hash {
			return nil, fmt.Errorf("tenant %s is not what its bucket says", r.Tenant.ID)
		}
	}
	return l, nil
}

func rootOf(hashes []byte, g Globals) (string, error) {
	gh, err := g.hash()
	if err != nil {
		return "", err
	}
	h := sha256.New()
	h.Write(hashes)
	h.Write(gh[:])
	return hex.EncodeToString(h.Sum(nil)), nil
}

func (l *Light) find(id string) (int, bool) {
	return slices.BinarySearchFunc(l.leaves[BucketOf(id)], id, func(a leaf, id string) int {
		switch {
		case a.id < id:
			return -1
		case a.id > id:
			return 1
		}
		return 0
	})
}

// LightStep is what a change makes of a Light: the sealed change, the head behind it, and the buckets that it touched.
type LightStep struct {
	Change  Change
	Head    Head
	Buckets map[int][]byte   // as AppendBucket
	Hashes  map[int][32]byte // of the same
}

// Next is Snapshot.Next for a change that touches nothing but the inside of existing tenants, or the halt: what it
// refuses or seals, the whole policy would refuse or seal alike. ErrNeedsWhole for every other change.
func (l *Light) Next(c Change, at time.Time) (*LightStep, error) {
	if !l.suits(&c) {
		return nil, ErrNeedsWhole
	}
	sealed, next, err := l.part.Next(c, at)
	if err != nil {
		return nil, err
	}
	step := &LightStep{Change: sealed, Buckets: make(map[int][]byte), Hashes: make(map[int][32]byte)}
	hashes := slices.Clone(l.hashes)
	changed := make(map[int][]leaf)
	for _, tc := range sealed.Tenants {
		if tc.Before == nil || tc.After == nil || !sameClaims(tc.Before, tc.After) {
			return nil, ErrNeedsWhole
		}
		i := BucketOf(tc.ID)
		if changed[i] == nil {
			changed[i] = slices.Clone(l.leaves[i])
		}
		at, ok := l.find(tc.ID)
		if !ok {
			return nil, ErrNeedsWhole
		}
		changed[i][at].hash = next.Tenant(tc.ID).hash
	}
	for i, leaves := range changed {
		var b []byte
		for _, lf := range leaves {
			b = appendLeaf(b, lf.id, lf.hash)
		}
		sum := hashLeaves(leaves)
		copy(hashes[i*32:], sum[:])
		step.Buckets[i], step.Hashes[i] = b, sum
	}
	root, err := rootOf(hashes, next.globals)
	if err != nil {
		return nil, err
	}
	step.Head = Head{Epoch: next.epoch, Rev: next.rev, Chain: next.chain, Root: root, Halt: next.globals.Halt}
	return step, nil
}

// MaxLight is how many tenants a Light may hold to be cheaper than the whole policy.
const MaxLight = 64

// SuitsLight says before anything is read whether Light.Next can possibly judge the change.
func (c *Change) SuitsLight() bool {
	if len(c.Tenants) > MaxLight {
		return false
	}
	if c.Globals != nil && (c.Kind != KindHalt || c.Globals.After == nil) {
		return false
	}
	for _, tc := range c.Tenants {
		if tc.After == nil || tc.Before == nil && !c.Force || tc.Before != nil && !sameClaims(tc.Before, tc.After) {
			return false
		}
	}
	return c.Kind != KindInit && c.Kind != KindImport && c.Kind != KindResync
}

// suits: the tests of a policy are about all of it, so with tests only what they can not refuse is judged here. A change
// that read the globals at a rev since which they may have changed is a question to the log.
func (l *Light) suits(c *Change) bool {
	if !c.SuitsLight() || c.ReadGlobals && c.Globals == nil && !c.Force && c.Base < l.part.globalsRev {
		return false
	}
	return len(l.globals.Tests) == 0 || c.Kind == KindRollback || c.Kind == KindHalt && len(c.Tenants) == 0
}

// sameClaims: the two records claim the same domains, numbers and trunks, so no other tenant is concerned.
func sameClaims(a, b *Tenant) bool {
	return a.ID == b.ID && slices.Equal(a.Domains, b.Domains) && slices.Equal(a.Numbers, b.Numbers) &&
		reflect.DeepEqual(a.Trunks, b.Trunks)
}

// CheckResync says whether s may be committed as rev newRev into a store with this head (zero: an empty store):
// ErrForked for another epoch, ErrConflict when newRev may have been used.
func CheckResync(h Head, s *Snapshot, newRev uint64) error {
	switch {
	case h.Epoch != "" && h.Epoch != s.Epoch():
		return fmt.Errorf("the store holds epoch %s, the edge %s: %w", h.Epoch, s.Epoch(), ErrForked)
	case newRev <= s.Rev():
		return fmt.Errorf("rev %d was used by the edge, which is at %d: %w", newRev, s.Rev(), ErrConflict)
	case newRev <= h.Rev:
		return fmt.Errorf("rev %d was used by the store, which is at %d: %w", newRev, h.Rev, ErrConflict)
	}
	return nil
}

// Steady tells l what the log was read for: no change after rev touched the globals. Without it they may have changed
// with the head itself. Not for a Light that others read at the same time.
func (l *Light) Steady(rev uint64) { l.part.globalsRev = min(l.part.globalsRev, rev) }

// Motions is Change.Motions for a change that Light.Next could judge: one that leaves the claims of its tenants as they
// are, and so concerns nobody else. ErrNeedsWhole for any other.
func (l *Light) Motions(c *Change) (iter.Seq2[string, Motion], error) {
	if !c.SuitsLight() || c.Globals != nil {
		return nil, ErrNeedsWhole
	}
	return c.Motions(l.part), nil
}

// Head is the tip that was read.
func (l *Light) Head() Head { return l.head }

// Globals of the policy.
func (l *Light) Globals() Globals { return l.globals }

// Tenant returns one of the tenants that were read, nil when it was not asked for or does not exist.
func (l *Light) Tenant(id string) *Record { return l.part.Tenant(id) }
