package store

import (
	"context"
	"errors"
	"maps"
	"slices"

	"github.com/hotcut/hotcut/migration/shadow/compare"
)

const maxSamples = 512 // that wait for the store

// writing is the keeper's work with its store, one round at a time, beside its goroutine.
type writing struct {
	k       *Keeper
	busy    bool
	samples []*Example
	last    map[string]bool     // tenants that this life has written
	kept    map[string][]string // tokens of examples that no look at the marks has followed yet, by tenant
	gone    map[string][]string // to be withdrawn with the next round
	handled map[string]int64    // marks
	done    chan result
}

func newWriting(k *Keeper) *writing {
	return &writing{
		k: k, last: make(map[string]bool), kept: make(map[string][]string), gone: make(map[string][]string),
		handled: make(map[string]int64), done: make(chan result, 1),
	}
}

// result of one round.
type result struct {
	batch   *Batch
	samples []*Example // those that could not be kept
	kept    []*Example
	marks   map[string]int64
	triage  map[string]map[compare.ClusterID]compare.Triage
	err     error
}

// start begins a round unless one is under way.
func (w *writing) start(ctx context.Context) {
	if w.busy {
		return
	}
	k := w.k
	now := k.o.Now()
	k.tally.Expire(now.Add(-k.o.Retention).UnixNano())
	if k.o.Exchanges != nil {
		if err := k.o.Exchanges.Sweep(); err != nil {
			k.fault(err)
		}
	}
	batch, err := Encode(k.tally, k.tally.Changed())
	if err != nil {
		k.fault(err)
	}
	batch.Gone, w.gone = w.gone, make(map[string][]string)
	for tenant := range batch.Tenants {
		w.last[tenant] = true
	}
	samples := w.samples
	w.samples = nil
	tenants := make([]string, 0, len(k.tally.Tenants))
	for name := range k.tally.Tenants {
		tenants = append(tenants, name)
	}
	w.busy = true
	go func() { w.done <- round(ctx, k.o.Store, batch, samples, tenants) }()
}

// round is all that waits for the store: counts first, then the marks. Who purges sets the mark first: of the two, one
// sees the other.
func round(ctx context.Context, s Store, b *Batch, samples []*Example, tenants []string) result {
	r := result{batch: b, triage: make(map[string]map[compare.ClusterID]compare.Triage)}
	if r.err = s.Write(ctx, b); r.err != nil {
		r.samples = samples
		return r
	}
	for i, x := range samples {
		err := s.Keep(ctx, x)
		if err != nil && !errors.Is(err, ErrFull) {
			r.samples, r.err = samples[i:], err
			return r
		}
		r.kept = append(r.kept, x)
	}
	if r.marks, r.err = s.Marks(ctx); r.err != nil {
		return r
	}
	for _, tenant := range tenants {
		t, err := s.Triage(ctx, tenant)
		if err != nil {
			r.err = errors.Join(r.err, err)
			continue
		}
		r.triage[tenant] = t
	}
	return r
}

// finish takes what a round brought: tenants to forget, waivers to honour, and what has to be tried again.
func (w *writing) finish(r result) {
	w.busy = false
	k := w.k
	if r.err != nil {
		for tenant := range r.batch.Tenants {
			k.tally.Again(tenant)
		}
		for tenant, tokens := range r.batch.Gone {
			w.gone[tenant] = append(w.gone[tenant], tokens...)
		}
		w.samples = append(r.samples[:min(len(r.samples), maxSamples-min(len(w.samples), maxSamples))], w.samples...)
		k.fault(r.err)
	} else {
		k.mu.Lock()
		k.stats.Written, k.stats.Failing = k.o.Now(), ""
		k.mu.Unlock()
	}
	for _, x := range r.kept {
		w.kept[x.Verdict.Tenant] = append(w.kept[x.Verdict.Tenant], x.Verdict.CallID)
	}
	if r.marks != nil {
		w.forget(r.marks)
		clear(w.kept)
	}
	for tenant, t := range r.triage {
		profile := ""
		if c := k.tally.Tenants[tenant]; c != nil {
			profile = c.Profile
		}
		if k.o.Profile != nil {
			profile = k.o.Profile(tenant)
		}
		k.tally.SetBasis(tenant, compare.NewBasis(k.o.Rules, profile, t, k.o.Now()))
	}
}

// forget drops what this edge has of tenants that were purged since the last round.
func (w *writing) forget(marks map[string]int64) {
	k := w.k
	news := make(map[string]int64)
	for name, at := range marks {
		if w.handled[name] != at {
			news[name] = at
		}
	}
	w.handled = marks
	if len(news) == 0 {
		return
	}
	tenants := maps.Clone(w.last)
	for name := range k.tally.Tenants {
		tenants[name] = true
	}
	for tenant := range tenants {
		if _, purged := news[Mark(tenant)]; !purged {
			continue
		}
		k.tally.Forget(tenant)
		delete(w.last, tenant)
		w.gone[tenant] = append(w.gone[tenant], w.kept[tenant]...)
		if k.o.Exchanges != nil {
			if err := k.o.Exchanges.Purge(tenant); err != nil {
				k.fault(err)
			}
		}
	}
	w.samples = slices.DeleteFunc(w.samples, func(x *Example) bool {
		_, purged := news[Mark(x.Verdict.Tenant)]
		return purged
	})
	if k.o.Exchanges != nil {
		if err := k.o.Exchanges.PurgeMarked(news); err != nil {
			k.fault(err)
		}
	}
}
