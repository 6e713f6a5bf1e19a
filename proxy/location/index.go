package location

import (
	"hash/maphash"
	"sync"
)

// index finds nodes by address-of-record and by tenant. It changes when a binding comes or goes, not when it is
// refreshed. Its lists run through the nodes themselves.
type index struct {
	seed maphash.Seed

	mu       sync.RWMutex     // guards the maps, and home, aor and tenant of every node; taken under a stripe, never the reverse
	byAoR    map[uint64]*node // hash of tenant and address-of-record: two may share a list
	byTenant map[string]*node
}

// links are a node's neighbours in one list.
type links struct{ prev, next *node }

// home is the list a node is in.
type home struct {
	tenant string
	aor    uint64
}

func (x *index) hash(tenant, aor string) uint64 {
	var h maphash.Hash
	h.SetSeed(x.seed)
	h.WriteString(tenant)
	h.WriteByte(0)
	h.WriteString(aor)
	return h.Sum64()
}

func (x *index) add(n *node, b *Binding) {
	h := home{b.Tenant, x.hash(b.Tenant, b.AoR)}
	x.mu.Lock()
	defer x.mu.Unlock()
	n.home = h
	if n.aor.next = x.byAoR[h.aor]; n.aor.next != nil {
		n.aor.next.aor.prev = n
	}
	x.byAoR[h.aor] = n
	if n.tenant.next = x.byTenant[h.tenant]; n.tenant.next != nil {
		n.tenant.next.tenant.prev = n
	}
	x.byTenant[h.tenant] = n
}

func (x *index) remove(n *node) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if n.aor.next != nil {
		n.aor.next.aor.prev = n.aor.prev
	}
	switch {
	case n.aor.prev != nil:
		n.aor.prev.aor.next = n.aor.next
	case n.aor.next != nil:
		x.byAoR[n.home.aor] = n.aor.next
	default:
		delete(x.byAoR, n.home.aor)
	}
	if n.tenant.next != nil {
		n.tenant.next.tenant.prev = n.tenant.prev
	}
	switch {
	case n.tenant.prev != nil:
		n.tenant.prev.tenant.next = n.tenant.next
	case n.tenant.next != nil:
		x.byTenant[n.home.tenant] = n.tenant.next
	default:
		delete(x.byTenant, n.home.tenant)
	}
	n.aor, n.tenant = links{}, links{}
}

func (x *index) ofAoR(tenant, aor string) (out []*Binding) {
	h := x.hash(tenant, aor)
	x.mu.RLock()
	defer x.mu.RUnlock()
	for n := x.byAoR[h]; n != nil; n = n.aor.next {
		if b := n.b.Load(); b.Tenant == tenant && b.AoR == aor {
			out = append(out, b)
		}
	}
	return out
}

func (x *index) ofTenant(tenant string) (out []*Binding) {
	x.mu.RLock()
	defer x.mu.RUnlock()
	for n := x.byTenant[tenant]; n != nil; n = n.tenant.next {
		out = append(out, n.b.Load())
	}
	return out
}

func (x *index) count(tenant string, live func(*Binding) bool) (count int) {
	x.mu.RLock()
	defer x.mu.RUnlock()
	for n := x.byTenant[tenant]; n != nil; n = n.tenant.next {
		if live(n.b.Load()) {
			count++
		}
	}
	return count
}
