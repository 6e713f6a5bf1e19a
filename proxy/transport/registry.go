package transport

import (
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// A registry knows the connections: by number, by pooled address, and how many each source has. No other lock is taken under
// its own.
type registry struct {
	last atomic.Uint64 // connection number given last

	mu       sync.RWMutex // guards what follows
	byID     map[uint64]*conn
	pool     map[poolKey]*conn
	sources  map[netip.Addr]int // of accepted connections only; an entry per open connection at most
	accepted int
}

// A poolKey is one of the connections between a listener's address and a peer.
type poolKey struct {
	listener uint16
	addr     netip.AddrPort
	slot     uint32
}

// newRegistry counts connections from the time of its making on: a number that an earlier process gave out, and that may
// come back sealed in a message, is not given again.
func newRegistry() *registry {
	r := &registry{byID: map[uint64]*conn{}, pool: map[poolKey]*conn{}, sources: map[netip.Addr]int{}}
	r.last.Store(uint64(time.Now().UnixNano()))
	return r
}

// number returns a connection number never used before.
func (r *registry) number() uint64 { return r.last.Add(1) }

// admit enters an accepted connection, or says which limit it meets.
func (r *registry) admit(c *conn, lim *Limits) Reason {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case r.accepted >= lim.Conns:
		return ConnLimit
	case r.sources[c.source] >= lim.ConnsPerSource:
		return SourceLimit
	}
	r.accepted++
	r.sources[c.source]++
	r.byID[c.id] = c
	return reasonNone
}

// forget makes a connection unknown: it is dead.
func (r *registry) forget(c *conn) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.byID[c.id] != c {
		return
	}
	delete(r.byID, c.id)
	if c.pooled {
		delete(r.pool, c.pool)
	}
}

// leave gives an accepted connection's place free: its descriptor is closed. It is called once for each that was admitted.
func (r *registry) leave(c *conn) {
	if c.pooled {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.accepted--
	if r.sources[c.source]--; r.sources[c.source] == 0 {
		delete(r.sources, c.source)
	}
}

func (r *registry) byNumber(id uint64) *conn {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.byID[id]
}

func (r *registry) byPool(k poolKey) *conn {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.pool[k]
}

// enterPooled enters c under its key unless another is there, which it returns; nil means that the pool is full.
func (r *registry) enterPooled(c *conn, limit int) *conn {
	r.mu.Lock()
	defer r.mu.Unlock()
	if other := r.pool[c.pool]; other != nil {
		return other
	}
	if len(r.pool) >= limit {
		return nil
	}
	r.pool[c.pool], r.byID[c.id] = c, c
	return c
}

// all returns the connections of now, oldest first.
func (r *registry) all() []*conn {
	r.mu.RLock()
	defer r.mu.RUnlock()
	list := make([]*conn, 0, len(r.byID))
	for _, c := range r.byID {
		list = append(list, c)
	}
	slices.SortFunc(list, func(a, b *conn) int {
		if a.id < b.id {
			return -1
		}
		return 1
	})
	return list
}
