package location

import (
	"cmp"
	"hash/maphash"
	"iter"
	"log/slog"
	"math"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// DefaultLimit is how many bindings a Table holds unless told otherwise.
const DefaultLimit = 131072

// Grace is how long a binding that ended stays: as a tombstone it keeps late news of another edge from reviving it.
const Grace = 90 * time.Second

// Options of Open.
type Options struct {
	Path  string           // of the log; "": in memory only
	Limit int              // bindings; 0: DefaultLimit
	Node  string           // this edge's name, as in Flow.Edge
	Now   func() time.Time // nil: time.Now
	Log   *slog.Logger     // nil: slog.Default
}

// Table is every binding that this edge knows of. Its methods may be called by any goroutine.
//
// Bindings hang in buckets of singly linked nodes. A reader follows atomic pointers and takes no lock. A writer takes the
// stripe of its bucket; under it, and only when a binding comes or goes, the index. Nothing is called under a lock.
// Two edges' news of one binding meet in Merge, so the order in which they arrive does not matter.
type Table struct {
	limit int
	node  string
	now   func() time.Time
	log   *slog.Logger

	seed    maphash.Seed
	buckets []atomic.Pointer[node] // a power of two
	stripes [stripes]stripe        // of bucket number n: stripes[n%len(stripes)]
	due     []atomic.Int64         // of each groupSize buckets: unix seconds before which Sweep finds nothing
	index   index
	count   atomic.Int64

	changed func(*Binding)       // set before Run
	disk    *disk                // nil: in memory only
	news    atomic.Pointer[Feed] // nil: not shared

	full, oversize, swept atomic.Uint64
}

const stripes = 64

type stripe struct {
	sync.Mutex
	_ [56]byte // its own cache line
}

// node is the place of one id.
type node struct {
	b     atomic.Pointer[Binding]
	next  atomic.Pointer[node]
	flags atomic.Uint32 // feeds that it is owed to
	size  atomic.Uint32 // bytes of its last record in the log

	// Guarded by the index.
	home   home
	aor    links
	tenant links
}

// Flags of a node.
const (
	owedToDisk = 1 << iota
	owedToShare
)

func newTable(o Options) *Table {
	t := &Table{limit: o.Limit, node: o.Node, now: o.Now, log: o.Log, seed: maphash.MakeSeed()}
	if t.limit <= 0 {
		t.limit = DefaultLimit
	}
	if t.now == nil {
		t.now = time.Now
	}
	if t.log == nil {
		t.log = slog.Default()
	}
	size := max(stripes, groupSize)
	for size < t.limit {
		size *= 2
	}
	t.buckets = make([]atomic.Pointer[node], size)
	t.due = make([]atomic.Int64, size/groupSize)
	for i := range t.due {
		t.due[i].Store(math.MaxInt64)
	}
	t.index = index{seed: t.seed, byAoR: map[uint64]*node{}, byTenant: map[string]*node{}}
	return t
}

// Node is the name of this edge.
func (t *Table) Node() string { return t.node }

// Limit is how many bindings the table holds at most.
func (t *Table) Limit() int { return t.limit }

// Now is the table's clock.
func (t *Table) Now() time.Time { return t.now() }

// OnChange sets what is called after Put and Learn brought news, with the binding as it is then; without locks, on the
// goroutine that brought it. It is to be set before the first of them.
func (t *Table) OnChange(f func(*Binding)) { t.changed = f }

// Feed returns the feed of changes made by Put, for the one who shares them with other edges.
func (t *Table) Feed() *Feed {
	if f := t.news.Load(); f != nil {
		return f
	}
	t.news.CompareAndSwap(nil, newFeed(t, owedToShare))
	return t.news.Load()
}

func (t *Table) bucket(id ID) int {
	// Ids of our own are evenly spread; those that another wrote into Redis need not be.
	return int(maphash.Bytes(t.seed, id[:]) & uint64(len(t.buckets)-1))
}

func (t *Table) find(id ID) *node {
	for n := t.buckets[t.bucket(id)].Load(); n != nil; n = n.next.Load() {
		if n.b.Load().ID == id {
			return n
		}
	}
	return nil
}

// Get returns what is known of an id, nil if nothing is: also a binding that ended less than Grace ago. It takes no lock
// and does not allocate.
func (t *Table) Get(id ID) *Binding {
	if n := t.find(id); n != nil {
		return n.b.Load()
	}
	return nil
}

// Put merges news into the table and returns what is known now; it goes to disk and to the other edges by itself, soon.
// b belongs to the table from then on. false: the table is full, or b is longer than MaxRecord (counted), and nothing was
// stored.
func (t *Table) Put(b *Binding) (*Binding, bool) { return t.merge(b, true) }

// Learn is Put for news that came from the other edges: it is not sent to them again.
func (t *Table) Learn(b *Binding) { t.merge(b, false) }

func (t *Table) merge(b *Binding, publish bool) (*Binding, bool) {
	if !Fits(b) {
		t.oversize.Add(1)
		return b, false
	}
	n, now, stored := t.store(b)
	if n == nil {
		return now, stored
	}
	if t.disk != nil {
		t.disk.feed.owe(n)
	}
	if f := t.news.Load(); f != nil && publish {
		f.owe(n)
	}
	if t.changed != nil {
		t.changed(now)
	}
	return now, true
}

// store returns the node if something changed.
func (t *Table) store(b *Binding) (*node, *Binding, bool) {
	i := t.bucket(b.ID)
	s := &t.stripes[i%stripes]
	s.Lock()
	defer s.Unlock()
	n := t.find(b.ID)
	if n == nil {
		if t.count.Add(1) > int64(t.limit) {
			t.count.Add(-1)
			t.full.Add(1)
			return nil, b, false
		}
		n = &node{}
		n.b.Store(b)
		n.next.Store(t.buckets[i].Load())
		t.index.add(n, b)
		t.buckets[i].Store(n)
		t.expect(i, b)
		return n, b, true
	}
	old := n.b.Load()
	b = Merge(old, b)
	if b == old {
		return nil, old, true
	}
	if b.Tenant != old.Tenant || b.AoR != old.AoR {
		t.index.remove(n)
		defer t.index.add(n, b)
	}
	n.b.Store(b)
	t.expect(i, b)
	return n, b, true
}

// OfAoR returns the bindings of one address-of-record, the phone that was heard of last first.
func (t *Table) OfAoR(tenant, aor string) []*Binding {
	out := t.index.ofAoR(tenant, aor)
	slices.SortFunc(out, func(a, b *Binding) int {
		return cmp.Or(cmp.Compare(b.Stamp, a.Stamp), cmp.Compare(string(a.ID[:]), string(b.ID[:])))
	})
	return out
}

// OfTenant lists the bindings of one tenant as they are when the listing begins.
func (t *Table) OfTenant(tenant string) iter.Seq[*Binding] {
	return func(yield func(*Binding) bool) {
		for _, b := range t.index.ofTenant(tenant) {
			if !yield(b) {
				return
			}
		}
	}
}

// All lists all bindings. One that comes or goes meanwhile may be listed or not.
func (t *Table) All() iter.Seq[*Binding] {
	return func(yield func(*Binding) bool) {
		for n := range t.nodes() {
			if !yield(n.b.Load()) {
				return
			}
		}
	}
}

func (t *Table) nodes() iter.Seq[*node] {
	return func(yield func(*node) bool) {
		for i := range t.buckets {
			for n := t.buckets[i].Load(); n != nil; n = n.next.Load() {
				if !yield(n) {
					return
				}
			}
		}
	}
}

// Count returns how many live bindings a tenant has.
func (t *Table) Count(tenant string) int {
	now := t.now().Unix()
	return t.index.count(tenant, func(b *Binding) bool { return b.Until() > now })
}

// Len returns how many bindings the table holds, tombstones included.
func (t *Table) Len() int { return int(t.count.Load()) }
