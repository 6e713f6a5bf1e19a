package lab

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/emiago/sipgo/sip"
)

// Bounds of a registrar.
const (
	registrarAORs     = 4096
	registrarContacts = 8 // per AoR
)

// Binding is one contact of an address-of-record, as a switch holds it.
type Binding struct {
	AoR     string
	Contact string   // URI
	Params  string   // of the Contact, without expires: q, +sip.instance, reg-id and whatever else
	Path    []string // RFC 3327: the URIs by which it is reached, nearest to the switch first
	Expires time.Time
	Granted time.Duration // at its last REGISTER
	CallID  string
	CSeq    uint32
	By      string // "digest", "trust" or "open"
	Source  string // address that its last REGISTER came from

	uri       sip.Uri
	params    sip.HeaderParams
	path      []sip.Uri
	transport string
}

// registrar is RFC 3261 section 10.3, from step 6 on.
type registrar struct {
	byCallID bool // the same URI under another Call-ID is another contact

	mu       sync.Mutex           // guards what follows
	bindings map[string][]Binding // by aorKey
	changed  chan struct{}        // closed and replaced at every update
}

func newRegistrar(o SwitchOptions) *registrar {
	return &registrar{byCallID: o.MatchCallID, bindings: make(map[string][]Binding), changed: make(chan struct{})}
}

// registration is what one REGISTER asks for. A contact that expires at now goes.
type registration struct {
	key      string // aorKey
	callID   string
	cseq     uint32
	star     bool // Contact: *
	contacts []Binding
}

// refusal is why a registration was not taken, as the phone sees it.
type refusal struct {
	code   int
	reason string
}

// update changes all bindings that a REGISTER names, or none (step 7). It returns what is bound then.
func (r *registrar) update(g registration, now time.Time) ([]Binding, *refusal) {
	r.mu.Lock()
	defer r.mu.Unlock()
	live := r.live(g.key, now)
	next := slices.Clone(live)
	if g.star {
		next = nil
		for _, b := range live {
			if b.CallID == g.callID && g.cseq <= b.CSeq {
				return live, &refusal{400, "CSeq Out Of Order"}
			}
		}
	}
	for _, c := range g.contacts {
		i := slices.IndexFunc(next, func(b Binding) bool { return r.same(b, c) })
		if i >= 0 {
			if old := next[i]; old.CallID == c.CallID && c.CSeq <= old.CSeq {
				return live, &refusal{400, "CSeq Out Of Order"}
			}
			next = slices.Delete(next, i, i+1)
		}
		if c.Expires.After(now) {
			next = append(next, c)
		}
	}
	if len(next) > registrarContacts || (len(next) > 0 && len(live) == 0 && len(r.bindings) >= registrarAORs) {
		return live, &refusal{503, "Service Unavailable"}
	}
	if len(next) == 0 {
		delete(r.bindings, g.key)
	} else {
		r.bindings[g.key] = next
	}
	close(r.changed)
	r.changed = make(chan struct{})
	return next, nil
}

// same says whether two bindings are one contact: the same instance and reg-id (RFC 5626 section 6), else the same URI.
func (r *registrar) same(a, b Binding) bool {
	if i, id := a.instance(); i != "" && id != "" {
		if j, other := b.instance(); i == j && id == other {
			return true
		}
	}
	return a.Contact == b.Contact && (!r.byCallID || a.CallID == b.CallID)
}

func (b Binding) instance() (instance, regID string) {
	return b.params.GetOr("+sip.instance", ""), b.params.GetOr("reg-id", "")
}

// find returns what is bound to an address-of-record, oldest first.
func (r *registrar) find(key string, now time.Time) []Binding {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.live(key, now))
}

// live drops what has expired. r.mu is held.
func (r *registrar) live(key string, now time.Time) []Binding {
	kept := slices.DeleteFunc(slices.Clone(r.bindings[key]), func(b Binding) bool { return !b.Expires.After(now) })
	if len(kept) == 0 {
		delete(r.bindings, key)
		return nil
	}
	r.bindings[key] = kept
	return kept
}

// all returns every live binding, by AoR and age, and a channel that is closed at the next update.
func (r *registrar) all(now time.Time) ([]Binding, <-chan struct{}) {
	r.mu.Lock()
	defer r.mu.Unlock()
	var list []Binding
	for key := range r.bindings {
		list = append(list, r.live(key, now)...)
	}
	slices.SortStableFunc(list, func(a, b Binding) int { return cmp.Compare(a.AoR, b.AoR) })
	return list, r.changed
}

// Bindings is what the switch holds: by AoR, oldest first.
func (s *Switch) Bindings() []Binding {
	list, _ := s.reg.all(s.guard.now())
	return list
}

// AwaitBindings returns once the switch holds what ok wants to see; an error shows what it held until ctx ended. Expiry
// alone is no event: ok is asked at every REGISTER.
func (s *Switch) AwaitBindings(ctx context.Context, ok func([]Binding) bool) error {
	for {
		list, changed := s.reg.all(s.guard.now())
		if ok(list) {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			var held []string
			for _, b := range list {
				held = append(held, b.AoR+" "+b.Contact+" by "+b.By)
			}
			return fmt.Errorf("%s holds [%s]: %w", s.platform, strings.Join(held, ", "), context.Cause(ctx))
		}
	}
}
