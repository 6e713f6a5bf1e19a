package proxy

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"fmt"
	"maps"
	"os"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/hotcut/hotcut/policy"
	"github.com/hotcut/hotcut/proxy/config"
	"github.com/hotcut/hotcut/proxy/digest"
	"github.com/hotcut/hotcut/proxy/location"
	"github.com/hotcut/hotcut/proxy/transaction"
	"github.com/hotcut/hotcut/proxy/transport"
)

// keeper brings what both platforms hold of this edge's phones to what the policy wants: it registers them on the
// platform that has to know them and does not (hand-over), and keeps them on the one that may have to take them back.
// Here is its table; keepwant.go says what is wanted, keeplane.go when it is its turn, keepmessage.go writes the
// REGISTER, keepanswer.go reads what came of it.
//
// It reconciles: whatever happens to a binding or to the policy only marks it (changed, notice); tick looks at what is
// marked, in slices, and compares what is there with what is wanted now. So no event is ever lost or out of date, and
// nothing that happens costs more than an entry in a queue.
//
// mu is a leaf lock, held for moments: the location table and the policy are read under it, but messages are built and
// sent without it. Invariant: at most one request is under way for each binding and platform.
type keeper struct {
	// Set once by init.
	edge  *Edge
	table *location.Table
	key   [sha256.Size]byte // of the Call-IDs: the same on every edge, and not the key that names bindings

	secrets atomic.Pointer[digest.Secrets]

	sealing sync.Mutex // guards seal
	seal    *sealer    // of flows

	mu       sync.Mutex // guards what follows
	kept     map[location.ID]*keptBinding
	byTenant map[string][]*keptBinding // in no order, but in the same one in every run
	marked   []*keptBinding            // in order; each at most once
	wheel    transaction.Wheel
	lanes    map[laneKey]*lane
	policy   *policy.Snapshot
	topo     *topology
	tally    [2][sideClasses]int // of kept, by platform
}

// keptBinding is one binding of which this edge owns the flow.
type keptBinding struct {
	id     location.ID
	tenant string // by the policy of the last look
	place  int    // in its list of byTenant
	taken  int64  // Stamp of the registration by which it became ours; 0: it was when we started
	timer  transaction.Timer
	marked bool
	sides  [2]keptSide // legacy, core
}

// keptSide is how far we are with a binding on one platform.
type keptSide struct {
	state     sideState
	none      bool // wanted, but the target takes no REGISTER of ours
	urgent    bool // queued as such
	called    bool // somebody calls the phone
	failures  uint8
	seq       uint32 // of its entry in a queue
	cseq      uint32 // last that we used
	nc        uint32 // uses of the nonce in challenge
	tried     uint64 // targets of the pool that failed, a bit each
	notBefore int64  // unix ns
	missing   int64  // unix ns: since when the platform should hold it and does not; 0: it is as it should be
	fault     string // why our last REGISTER failed; "": it did not
	challenge string // that our answers still satisfy
	proxied   bool   // it came with a 407
}

type sideState uint8

const (
	sideIdle sideState = iota
	sideQueued
	sideFlying
)

// sideClass is how a side counts.
type sideClass uint8

const (
	sideFine    sideClass = iota
	sideMissing           // the platform should hold it and does not
	sideNone              // likewise, and it takes no REGISTER of ours
	sideClasses
)

func (s *keptSide) class() sideClass {
	switch {
	case s.missing == 0:
		return sideFine
	case s.none:
		return sideNone
	}
	return sideMissing
}

const (
	keepLooks  = 4096           // bindings looked at in one tick
	keepAgain  = int64(60e9)    // every binding is looked at this often: rules and phases end by the clock
	keepSpread = uint64(10_000) // ms over which a restart spreads its first looks
	keepAlarm  = int64(60e9)    // a binding that is missing for longer is an alarm
)

// init prepares the keeper. binding is the key that does not rotate.
func (k *keeper) init(e *Edge, table *location.Table, binding []byte) {
	k.edge, k.table = e, table
	k.kept = map[location.ID]*keptBinding{}
	k.byTenant = map[string][]*keptBinding{}
	k.lanes = map[laneKey]*lane{}
	mac := hmac.New(sha256.New, binding)
	mac.Write([]byte("hotcut call-id of our own registrations"))
	copy(k.key[:], mac.Sum(nil))
	k.seal = &sealer{flow: hmac.New(sha256.New, binding)}
}

// openKeeper makes the keeper of this edge's bindings.
func (e *Edge) openKeeper(ring config.KeyRing) error {
	binding, _ := ring.Binding()
	e.keeper.init(e, e.location, binding[:])
	e.location.OnChange(func(b *location.Binding) {
		e.keeper.changed(b)
		e.waits.changed(b, e.now()/1e9)
	})
	return e.keeper.loadSecrets(e.cfg.Secrets)
}

// loadSecrets reads the file of HA1s and passwords; path "": there is none.
func (k *keeper) loadSecrets(path string) error {
	if path == "" {
		k.secrets.Store(nil)
		return nil
	}
	f, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("secrets: %w", err)
	}
	defer f.Close()
	s, err := digest.LoadSecrets(f)
	if err != nil {
		return fmt.Errorf("secrets %s: %w", path, err)
	}
	k.secrets.Store(s)
	return nil
}

// start takes up the bindings that survived a restart, spread over some seconds: they lasted until now.
func (k *keeper) start(now int64) {
	k.mu.Lock()
	defer k.mu.Unlock()
	list := slices.SortedFunc(k.table.All(), func(a, b *location.Binding) int { return bytes.Compare(a.ID[:], b.ID[:]) })
	for _, b := range list { // in the same order in every run
		if x := k.take(b); x != nil && !x.marked {
			k.wheel.Set(&x.timer, transaction.Time(now+int64(stableHash(b.ID[:])%keepSpread)*1e6))
		}
	}
}

// changed marks a binding of which there is news: what the phone, a platform or another edge said. It never waits, and
// may be called under a shard's lock.
func (k *keeper) changed(b *location.Binding) {
	k.mu.Lock()
	defer k.mu.Unlock()
	known := k.kept[b.ID] != nil
	if x := k.take(b); x != nil {
		if !known {
			x.taken = b.Stamp
		}
		k.mark(x)
	}
}

// take is the entry of a binding, a new one if it is ours to keep; nil: it is not.
func (k *keeper) take(b *location.Binding) *keptBinding {
	x := k.kept[b.ID]
	if x == nil && k.edge != nil && b.Flow.Edge == k.edge.cfg.Node {
		x = &keptBinding{id: b.ID, tenant: b.Tenant}
		x.timer.Owner = x
		k.kept[b.ID] = x
		k.file(x)
		k.tally[0][sideFine]++
		k.tally[1][sideFine]++
	}
	return x
}

func (k *keeper) file(x *keptBinding) {
	list := k.byTenant[x.tenant]
	x.place = len(list)
	k.byTenant[x.tenant] = append(list, x)
}

func (k *keeper) unfile(x *keptBinding) {
	list := k.byTenant[x.tenant]
	last := len(list) - 1
	list[x.place] = list[last]
	list[x.place].place = x.place
	list[last] = nil
	if k.byTenant[x.tenant] = list[:last]; last == 0 {
		delete(k.byTenant, x.tenant)
	}
}

func (k *keeper) forget(x *keptBinding) {
	k.wheel.Stop(&x.timer)
	k.unfile(x)
	delete(k.kept, x.id)
	for i := range x.sides {
		k.tally[i][x.sides[i].class()]--
	}
}

func (k *keeper) mark(x *keptBinding) {
	if !x.marked {
		x.marked = true
		k.marked = append(k.marked, x)
	}
}

// tick is called by runChores.
func (k *keeper) tick(now int64, out *transport.Out) {
	defer func() {
		if p := recover(); p != nil {
			k.edge.panicked(p, &arrival{})
		}
	}()
	for _, v := range k.turn(now) {
		k.visit(now, v, out)
	}
}

// turn looks at what is marked, and returns whose turn it is to be told to a platform.
func (k *keeper) turn(now int64) []*visit {
	if k.table == nil {
		return nil
	}
	snap := k.edge.snapshot()
	if snap == nil {
		return nil
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	topo := k.edge.topo.Load()
	k.notice(snap, topo)
	k.wheel.Advance(transaction.Time(now), func(t *transaction.Timer) { k.mark(t.Owner.(*keptBinding)) })
	n := min(len(k.marked), keepLooks)
	for _, x := range k.marked[:n] {
		x.marked = false
		if k.kept[x.id] == x {
			k.reconcile(now, topo, x)
		}
	}
	if k.marked = k.marked[n:]; len(k.marked) == 0 {
		k.marked = nil // or what was once a flip's worth stays for ever
	}
	return k.due(now, topo)
}

// notice marks what a new policy is about: the tenants whose record changed, all if an order for all or the
// configuration did, and what is nobody's, which may be somebody's now.
func (k *keeper) notice(s *policy.Snapshot, topo *topology) {
	old, reloaded := k.policy, k.topo != topo
	if s == old && !reloaded {
		return
	}
	k.policy, k.topo = s, topo
	all := reloaded || old == nil || old.Overrides() != s.Overrides() || old.Globals().Halt != s.Globals().Halt ||
		old.Globals().Default != s.Globals().Default
	for _, id := range slices.Sorted(maps.Keys(k.byTenant)) {
		if !all && id != "" && old.Tenant(id) == s.Tenant(id) {
			continue
		}
		for _, x := range k.byTenant[id] {
			k.mark(x)
		}
	}
}

// reconcile compares what is with what is wanted. k.mu is held.
func (k *keeper) reconcile(now int64, topo *topology, x *keptBinding) {
	b := k.table.Get(x.id)
	if b == nil || b.Flow.Edge != k.edge.cfg.Node {
		if !x.flying() {
			k.forget(x)
		}
		return
	}
	sec := now / 1e9
	d, rec := serves(k.policy, b, sec)
	if d.Tenant != x.tenant {
		k.unfile(x)
		x.tenant = d.Tenant
		k.file(x)
	}
	wake, needed := now+keepAgain, b.Told > sec
	for i := range x.sides {
		p, s := policy.Platform(i+1), &x.sides[i]
		pool := topo.poolOf(rec, p)
		target, ok := topo.health.Pick(pool, stableHash([]byte(b.CallID)), s.tried)
		if !ok {
			s.tried = 0
			target, ok = topo.health.Pick(pool, stableHash([]byte(b.CallID)), 0)
		}
		w := wanted(b, d, p, ok && topo.targets[target].phoneCallID, x.taken, sec)
		k.tally[i][s.class()]--
		s.note(now, b.Of(location.Platform(p)), w, sec)
		needed = needed || w.at != 0 || s.state != sideIdle
		at := max(w.at*1e9, s.notBefore)
		s.none = w.at != 0 && ok && topo.targets[target].keep == keepNone
		k.tally[i][s.class()]++
		switch {
		case w.at == 0 || s.state == sideFlying || s.none || !ok:
		case at > now:
			wake = min(wake, at)
		default:
			k.queue(x, i, &topo.targets[target], w.urgent)
		}
	}
	if !needed {
		k.forget(x)
		return
	}
	if b.Told > sec {
		wake = min(wake, b.Told*1e9)
	}
	k.wheel.Set(&x.timer, transaction.Time(wake))
}

// note keeps since when a platform misses the binding.
func (s *keptSide) note(now int64, h *location.Hold, w want, sec int64) {
	switch {
	case w.at == 0 || w.remove || h.Until > sec:
		s.missing = 0
		if w.at == 0 && s.state == sideIdle {
			s.fault, s.failures = "", 0
		}
	case s.missing == 0:
		s.missing = now
	}
}

func (x *keptBinding) flying() bool {
	return x.sides[0].state == sideFlying || x.sides[1].state == sideFlying
}
