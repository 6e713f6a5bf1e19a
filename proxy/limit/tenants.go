package limit

import (
	"hash/maphash"
	"sync"
)

// Rates are what a tenant may do; 0 is no limit.
type Rates struct {
	CallsPerSecond float64
	Calls          int // at a time
}

// Reasons of a refusal; each is a metric label.
const (
	TenantRate  = "tenant_rate"  // calls per second
	TenantCalls = "tenant_calls" // calls at a time
)

// Tenants counts calls by tenant. Its ids come from the policy, which bounds how
// many there are; one without a call is forgotten when its bucket is full again.
// All methods may be called by any goroutine.
type Tenants struct {
	seed  maphash.Seed
	parts [stripes]tenants
}

type tenants struct {
	mu   sync.Mutex // guards all below
	byID map[string]*tenant
	// Entries since the last sweep double before the next: a sweep costs each
	// entry a constant.
	sweepAt int
}

type tenant struct {
	calls  int
	tokens float64
	seen   int64 // Unix nanoseconds, of tokens
	full   int64 // when the bucket is full again
}

const firstSweep = 64

// NewTenants makes an empty table.
func NewTenants() *Tenants {
	t := &Tenants{seed: maphash.MakeSeed()}
	for i := range t.parts {
		t.parts[i].byID = map[string]*tenant{}
		t.parts[i].sweepAt = firstSweep
	}
	return t
}

// Call starts a call of tenant id at now (Unix nanoseconds). ok: it counts until
// End. Otherwise reason says which limit it met. A second's worth of calls may
// come at once.
func (t *Tenants) Call(id string, lim Rates, now int64) (ok bool, reason string) {
	p := t.part(id)
	p.mu.Lock()
	defer p.mu.Unlock()
	b := budget{lim.CallsPerSecond, max(1, lim.CallsPerSecond)}
	x := p.byID[id]
	if x == nil {
		if len(p.byID) >= p.sweepAt {
			p.sweep(now)
		}
		x = &tenant{tokens: b.burst, seen: now}
		p.byID[id] = x
	}
	if lim.Calls > 0 && x.calls >= lim.Calls {
		return false, TenantCalls
	}
	if lim.CallsPerSecond > 0 {
		x.tokens = b.refill(x.tokens, now-x.seen)
		x.seen = later(x.seen, now)
		if x.tokens < 1 {
			return false, TenantRate
		}
		x.tokens--
		x.full = now + int64((b.burst-x.tokens)/b.rate*1e9)
	}
	x.calls++
	return true, ""
}

// End ends a call that Call has let in.
func (t *Tenants) End(id string) {
	p := t.part(id)
	p.mu.Lock()
	defer p.mu.Unlock()
	if x := p.byID[id]; x != nil && x.calls > 0 {
		x.calls--
	}
}

// Calls returns how many calls of id are counted.
func (t *Tenants) Calls(id string) int {
	p := t.part(id)
	p.mu.Lock()
	defer p.mu.Unlock()
	if x := p.byID[id]; x != nil {
		return x.calls
	}
	return 0
}

// Len returns how many tenants are remembered.
func (t *Tenants) Len() int {
	n := 0
	for i := range t.parts {
		p := &t.parts[i]
		p.mu.Lock()
		n += len(p.byID)
		p.mu.Unlock()
	}
	return n
}

// sweep forgets the tenants of which nothing is known that a new entry would not say.
func (p *tenants) sweep(now int64) {
	for id, x := range p.byID {
		if x.calls == 0 && x.full <= now {
			delete(p.byID, id)
		}
	}
	p.sweepAt = max(firstSweep, 2*len(p.byID))
}

func (t *Tenants) part(id string) *tenants {
	return &t.parts[maphash.String(t.seed, id)%stripes]
}
