package storetest

import (
	"errors"
	"sync"
	"testing"

	"github.com/hotcut/hotcut/policy"
)

// Writers lets writers commit at once, per commits each, spread over handles of one empty store, while a reader
// follows the log. Every commit must stand in it once; every rev must be made once; the chain must be whole; and a
// tenant that only one writer edits must count its edits. Every third commit is a rollback of a tenant that all share.
func Writers(t *testing.T, handles []policy.Store, writers, per int) {
	Seed(t, handles[0], writers+1) // the last tenant is the shared one
	shared := "t" + itoa(writers)
	total := uint64(1 + writers*per)

	var mu sync.Mutex
	byRev := map[uint64]string{} // what Apply acknowledged: rev -> key
	var all sync.WaitGroup
	for w := range writers {
		all.Go(func() {
			s, id := handles[w%len(handles)], "t"+itoa(w)
			for i := range per {
				snap, err := s.LoadAt(t.Context(), 0)
				if err != nil {
					t.Errorf("writer %d: %v", w, err)
					return
				}
				var c policy.Change
				if i%3 == 2 {
					c = Rollback(snap, shared)
				} else {
					c = Edit(snap, policy.KindTenant, id, func(t *policy.Tenant) { t.Mirror++ })
				}
				h, _, err := s.Apply(t.Context(), c)
				if err != nil {
					t.Errorf("writer %d, commit %d: %v", w, i, err)
					return
				}
				mu.Lock()
				if other, ok := byRev[h.Rev]; ok && other != c.Key {
					t.Errorf("rev %d was given to %s and to %s", h.Rev, other, c.Key)
				}
				byRev[h.Rev] = c.Key
				mu.Unlock()
			}
		})
	}

	defer all.Wait()

	// The reader: what it sees must be one chain, to the end.
	s := handles[len(handles)-1]
	written := make(chan struct{})
	go func() { all.Wait(); close(written) }()
	heads := watch(t, s)
	rev, chain := uint64(0), policy.Empty(head(t, s).Epoch).Chain()
	for rev < total {
		select {
		case h := <-heads:
			if h.Rev < rev {
				continue // reported before we read past it
			}
		case <-written:
			if t.Failed() {
				return
			}
		}
		changes, err := s.Since(t.Context(), rev)
		if errors.Is(err, policy.ErrTrimmed) { // too slow for the log: do what an edge does
			if got := chainAt(t, s, rev); got != chain {
				t.Fatalf("rev %d had chain %s, the store says %s", rev, chain, got)
			}
			tip := Load(t, s)
			rev, chain = tip.Rev(), tip.Chain()
			continue
		}
		if err != nil {
			t.Fatalf("Since(%d): %v", rev, err)
		}
		rev, chain = CheckChain(t, rev, chain, changes)
		mu.Lock()
		for _, c := range changes {
			if key, ok := byRev[c.Rev]; ok && key != c.Key {
				t.Errorf("rev %d was acknowledged to %s and holds %s", c.Rev, key, c.Key)
			}
			if c.Rev > 1 && byRev[c.Rev] == "" {
				byRev[c.Rev] = c.Key // its writer compares when it is told
			}
		}
		mu.Unlock()
	}
	<-written
	if h := head(t, s); h.Rev != total || h.Chain != chain {
		t.Errorf("the head is %+v, the log leads to rev %d, chain %s", h, rev, chain)
	}
	if uint64(len(byRev)) != total-1 {
		t.Errorf("%d revs for %d commits", len(byRev), total-1)
	}
	tip := Load(t, s)
	for w := range writers {
		edits := per - per/3
		if got := tip.Tenant("t" + itoa(w)).Tenant.Mirror; got != edits {
			t.Errorf("writer %d made %d edits, %d stand", w, edits, got)
		}
	}
	if per >= 3 && !tip.Tenant(shared).Tenant.RolledBack {
		t.Error("the shared tenant is not rolled back")
	}
}
