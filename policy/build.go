package policy

import (
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
)

// MaxTenants bounds a policy.
const MaxTenants = 1 << 20

// builder makes the next snapshot: first take away every record that changes, then put the new ones, so that a number
// can pass from one tenant to another in one change.
type builder struct {
	next    *Snapshot
	tenants *shardEdit[string, *Record]
	domains *shardEdit[string, string]
	trunks  trunkEdit
	own     bool // nobody else reads the trie yet
	dirty   [shardCount]bool
	list    []Fault
}

func newBuilder(next *Snapshot) *builder {
	return &builder{next: next, tenants: next.tenants.edit(), domains: next.domains.edit(), trunks: trunkEdit{t: &next.trunks}}
}

// same reports which claims of two records are equal, so that a flip touches no index. Either may be nil.
func same(a, b *Record) (domains, numbers, trunks bool) {
	if a == nil || b == nil {
		return false, false, false
	}
	return slices.Equal(a.Tenant.Domains, b.Tenant.Domains), slices.Equal(a.Tenant.Numbers, b.Tenant.Numbers),
		slices.Equal(a.Tenant.Trunks, b.Tenant.Trunks)
}

// takeAway removes old and those of its claims that next does not repeat.
func (b *builder) takeAway(old, next *Record) {
	id := old.Tenant.ID
	domains, numbers, trunks := same(old, next)
	if !domains {
		for _, d := range old.Tenant.Domains {
			b.domains.remove(hashString(d), d)
		}
	}
	if !numbers {
		for _, c := range old.claims {
			b.next.numbers.remove(id, c)
		}
	}
	if !trunks {
		for _, p := range old.nets {
			b.trunks.remove(p, id)
		}
	}
	if next == nil {
		b.tenants.remove(hashString(id), id)
		b.dirty[hashString(id)%shardCount] = true
	}
}

// put adds next and those of its claims that old did not have; a claim that clashes is a fault naming both tenants.
func (b *builder) put(old, next *Record) {
	t := next.Tenant
	domains, numbers, trunks := same(old, next)
	if !domains {
		for i, d := range t.Domains {
			if other, ok := b.domains.s.get(hashString(d), d); ok {
				b.clash(t.ID, other, fmt.Sprintf("domains[%d]", i), d, "is also a domain of tenant "+other,
					"a domain belongs to one tenant: remove it from one of them")
				continue
			}
			b.domains.set(hashString(d), d, t.ID)
		}
	}
	if !numbers {
		for i, c := range next.claims {
			if h, how := b.next.numbers.clash(t.ID, c); h != nil {
				b.clash(t.ID, h.id, fmt.Sprintf("numbers[%d]", i), t.Numbers[i], fmt.Sprintf("%s %s of tenant %s", how, h.claim, h.id),
					"claims of two tenants are disjoint, or one lies strictly inside the other")
				continue
			}
			b.next.numbers.insert(t.ID, c, b.own)
		}
	}
	if !trunks {
		b.putTrunks(next)
	}
	h := hashString(t.ID)
	b.tenants.set(h, t.ID, next)
	b.dirty[h%shardCount] = true
}

func (b *builder) putTrunks(r *Record) {
	b.trunks.begin()
	for i, k := range r.Tenant.Trunks {
		p := r.nets[i]
		e := trunkEntry{id: r.Tenant.ID, index: i, port: k.Port, transport: k.Transport}
		list, _ := b.trunks.nets.s.get(hashPrefix(p), p)
		clashes := false
		for _, o := range list {
			if o.id == e.id {
				continue // checked with the record itself
			}
			if how := e.clash(o); how != "" {
				clashes = true
				b.clash(e.id, o.id, fmt.Sprintf("trunks[%d].source", i), k.Source,
					fmt.Sprintf("%s a trunk source of tenant %s", how, o.id), "tell the two PBXs apart by address, port or transport")
				break
			}
		}
		if !clashes {
			b.trunks.insert(p, e)
		}
	}
}

func (b *builder) clash(id, other, field, value, problem, fix string) {
	b.list = append(b.list, Fault{Tenant: id, Other: other, Field: field, Value: value, Problem: problem, Fix: fix})
}

// finish seals the snapshot: indexes, bucket hashes, root.
func (b *builder) finish() (*Snapshot, error) {
	n := b.next
	if b.tenants.s.n > MaxTenants {
		b.list = append(b.list, Fault{Field: "tenants", Problem: fmt.Sprintf("%d are more than %d", b.tenants.s.n, MaxTenants), Fix: "split the policy"})
	}
	var err error
	if n.globalsHash, err = n.globals.hash(); err != nil {
		b.list = append(b.list, Fault{Field: "globals", Problem: err.Error()})
	}
	if len(b.list) > 0 {
		slices.SortStableFunc(b.list, func(x, y Fault) int { return strings.Compare(x.Tenant, y.Tenant) })
		return nil, refuse(b.list)
	}
	n.tenants, n.domains = b.tenants.s, b.domains.s
	b.trunks.done()
	buckets := *n.buckets
	n.buckets = &buckets
	for i, dirty := range b.dirty {
		if dirty {
			n.buckets[i] = n.bucketHash(i)
		}
	}
	n.root = n.rootHash()
	return n, nil
}

// NewSnapshot builds a whole policy, from a checkpoint or a file. It keeps the tenants it is given: the caller never
// changes them again. Every fault of every record is in the *Refusal. If h.Root is not empty, content that has another
// root is refused.
func NewSnapshot(h Head, g Globals, tenants []*Tenant) (*Snapshot, error) {
	recs := make([]*Record, len(tenants))
	bad := make([][]Fault, len(tenants))
	each(len(tenants), func(i int) {
		if tenants[i] == nil {
			bad[i] = []Fault{{Field: fmt.Sprintf("tenants[%d]", i), Problem: "is null", Fix: "remove it"}}
			return
		}
		recs[i], bad[i] = compile(tenants[i], nil)
	})
	return fromRecords(h, g, h.Rev, recs, slices.Concat(bad...))
}

// fromRecords indexes compiled records. bad are the faults found while compiling; a record that has any is nil.
func fromRecords(h Head, g Globals, globalsRev uint64, recs []*Record, bad []Fault) (*Snapshot, error) {
	next := Empty(h.Epoch)
	next.rev, next.chain, next.globals, next.globalsRev = h.Rev, h.Chain, g.norm(), globalsRev
	b := newBuilder(next)
	b.own = true
	b.list = append(bad, g.check()...)
	for _, r := range recs {
		if r == nil {
			continue
		}
		id := r.Tenant.ID
		if _, ok := b.tenants.s.get(hashString(id), id); ok {
			b.list = append(b.list, Fault{Tenant: id, Other: id, Field: "id", Value: id, Problem: "stands twice", Fix: "keep one of the records"})
			continue
		}
		b.put(nil, r)
	}
	s, err := b.finish()
	if err != nil {
		return nil, err
	}
	if h.Root != "" && h.Root != s.Root() {
		return nil, refuse([]Fault{{Field: "root", Value: h.Root, Problem: "is not the root of this content, which is " + s.Root(),
			Fix: "the copy is damaged: take another"}})
	}
	return s, nil
}

// each calls f for 0..n-1 on all processors and waits.
func each(n int, f func(int)) {
	const step = 64
	var wg sync.WaitGroup
	var mu sync.Mutex
	at := 0
	for range min(runtime.GOMAXPROCS(0), (n+step-1)/step) {
		wg.Go(func() {
			for {
				mu.Lock()
				lo := at
				at += step
				mu.Unlock()
				if lo >= n {
					return
				}
				for i := lo; i < min(lo+step, n); i++ {
					f(i)
				}
			}
		})
	}
	wg.Wait()
}
