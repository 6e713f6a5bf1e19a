package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/hotcut/hotcut/migration"
	"github.com/hotcut/hotcut/migration/shadow/compare"
	shadowreport "github.com/hotcut/hotcut/migration/shadow/report"
	"github.com/hotcut/hotcut/migration/shadow/store"
	"github.com/hotcut/hotcut/proxy/admin"
)

// shadowSource is where the verbs find what shadow calls have shown: at the edges, or, where none answers, in the Redis that they
// share.
type shadowSource struct {
	a     *app
	data  string // URL of that Redis; "": the policy's store, if it is one
	to    []migration.Address
	store store.Store // opened on demand

	answers []migration.Answer[shadowShown]
}

func dataFlag(cmd *cobra.Command, to *string) {
	cmd.Flags().StringVar(to, "data", "", "URL of the Redis that holds the edges' shadow counts, to be asked itself (default: the edges are asked, then the store)")
}

// shadowSource looks for the edges.
func (a *app) shadowSource(v *seen, data string) (*shadowSource, error) {
	e, err := a.eng()
	if err != nil {
		return nil, err
	}
	s := &shadowSource{a: a, data: data}
	if data == "" {
		s.to = e.Fleet.Addresses(v.Nodes)
		s.data = a.conf.Store
	}
	return s, nil
}

// shadowView is the policy and where shadow calls are kept; tenant, unless it is "", must be in the policy. The source is to be closed.
func (a *app) shadowView(ctx context.Context, tenant, data string) (*seen, *shadowSource, error) {
	var v *seen
	var err error
	if tenant == "" {
		v, err = a.view(ctx)
	} else if v, err = a.viewAt(ctx, 0, tenant); err == nil {
		_, err = v.Tenant(tenant)
	}
	if err != nil {
		return nil, nil, err
	}
	src, err := a.shadowSource(v, data)
	return v, src, err
}

func (s *shadowSource) close() {
	if s.store != nil {
		_ = s.store.Close() // it was read
	}
}

// redis opens the shared store; nil: there is none.
func (s *shadowSource) redis() (store.Store, error) {
	if s.store != nil || !isRedis(s.data) {
		return s.store, nil
	}
	var err error
	s.store, err = store.OpenRedis(s.data, store.Options{})
	return s.store, err
}

// nothing: nobody has a dark core, or nobody who has one answers.
func (s *shadowSource) nothing() error {
	var said error
	for _, ans := range s.answers {
		said = cmpErr(said, ans.Err)
	}
	err := errors.New("no edge keeps shadow calls: none has a dark core in its configuration (platforms.core.dark)")
	if said != nil && !notServed(said) {
		err = fmt.Errorf("no edge says what shadow calls have shown: %w", said)
	}
	return hint(err, "hotcut edges")
}

func cmpErr(a, b error) error {
	if a != nil && !notServed(a) {
		return a
	}
	if b != nil {
		return b
	}
	return a
}

func notServed(err error) bool {
	e, ok := errors.AsType[*admin.Error](err)
	return ok && e.Code == admin.CodeNotServed
}

// ask asks every edge, about one tenant or about all that are mirrored.
func (s *shadowSource) ask(ctx context.Context, tenant string) {
	s.answers = askClients(ctx, s.a, s.to, func(ctx context.Context, c *admin.Client) (x shadowShown, err error) {
		raw, err := c.Shadow(ctx, tenant)
		if err == nil {
			err = json.Unmarshal(raw, &x)
		}
		return x, err
	})
}

// counted is what is known of one tenant.
type counted struct {
	tally  *compare.Tally
	triage map[compare.ClusterID]compare.Triage
	notes  []string
	drops  map[string]uint64 // of all tenants of the edges that answered
	copies uint64            // likewise

	found, shared bool // an edge, or one that shares its counts, has said its own
}

func newCounted() *counted {
	return &counted{tally: &compare.Tally{Tenants: map[string]*compare.Tenant{}}, triage: map[compare.ClusterID]compare.Triage{}, drops: map[string]uint64{}}
}

// takes adds what an edge counted: all of it but where another said it before, since edges that share their counts say the same.
func (c *counted) takes(tenant string, x *shadowShown) {
	c.note(x)
	if x.Shared && c.shared {
		return
	}
	c.found, c.shared = true, c.shared || x.Shared
	compare.Merge(c.tally, tallyOf(tenant, x.Tenant))
	for id, t := range x.Triage {
		if old, known := c.triage[id]; !known || t.At > old.At {
			c.triage[id] = t
		}
	}
	c.notes = append(c.notes, x.Damage...)
}

// counts reads a tenant's counts: those that edges share, once, and those that an edge keeps for itself.
func (s *shadowSource) counts(ctx context.Context, tenant string) (*counted, error) {
	s.ask(ctx, tenant)
	out := newCounted()
	for _, ans := range s.answers {
		switch {
		case ans.Err == nil:
			out.takes(tenant, &ans.Value)
		case !notServed(ans.Err):
			out.notes = append(out.notes, fmt.Sprintf("%s did not answer: %v", ans.Edge, ans.Err))
		}
	}
	if out.found {
		return out, nil
	}
	st, err := s.redis()
	if err != nil {
		return nil, err
	}
	if st == nil {
		return nil, s.nothing()
	}
	ctx, cancel := s.a.limited(ctx)
	defer cancel()
	counts, triage, damage, err := readShadow(ctx, st, tenant)
	if err != nil {
		return nil, err
	}
	if counts == nil && s.to != nil {
		return nil, s.nothing()
	}
	out.tally, out.triage, out.notes = tallyOf(tenant, counts), triage, append(out.notes, damage...)
	return out, nil
}

// note takes what an edge says of its mirror.
func (c *counted) note(x *shadowShown) {
	c.copies += x.Mirror.Mirrored
	for reason, n := range x.Mirror.Dropped {
		c.drops[reason] += n
	}
	if x.Mirror.Stopped != "" {
		c.notes = append(c.notes, fmt.Sprintf("%s has stopped mirroring by itself: %s", x.Edge, x.Mirror.Stopped))
	}
	for _, d := range x.Mirror.Dark {
		if d.Canary != "ok" {
			c.notes = append(c.notes, fmt.Sprintf("%s: that nothing of dark core %s gets out is not proven: its canary is %s", x.Edge, d.Name, d.Canary))
		}
	}
	if x.Kept.Failing != "" {
		c.notes = append(c.notes, fmt.Sprintf("%s can not keep what it finds: %s", x.Edge, x.Kept.Failing))
	}
}

// dropped are the mirrors' drops as rows of a report.
func (c *counted) dropped() []compare.Counted {
	var out []compare.Counted
	for _, reason := range slices.Sorted(maps.Keys(c.drops)) {
		if n := c.drops[reason]; n > 0 {
			out = append(out, compare.Counted{Name: reason + ", of all tenants", N: n, Rate: compare.NewRate(n, c.copies+n)})
		}
	}
	return out
}

// call finds one call at an edge, or among the examples that are shared; nil: nobody keeps it.
func (s *shadowSource) call(ctx context.Context, tenant, id string) (*shadowreport.Pair, error) {
	var failed error
	for _, at := range s.to {
		raw, err := askOne(ctx, s.a, at, func(ctx context.Context, c *admin.Client) (json.RawMessage, error) {
			return c.ShadowCall(ctx, tenant, id)
		})
		var p *shadowreport.Pair
		if err == nil {
			err = json.Unmarshal(raw, &p)
		}
		if p != nil {
			return p, nil
		}
		if err != nil && !notServed(err) {
			failed = err
		}
	}
	st, err := s.redis()
	if st == nil || err != nil {
		return nil, join(err, failed)
	}
	ctx, cancel := s.a.limited(ctx)
	defer cancel()
	tenants := []string{tenant}
	if tenant == "" {
		if tenants, err = st.Tenants(ctx); err != nil {
			return nil, err
		}
	}
	for _, t := range tenants {
		x, err := st.Find(ctx, t, id)
		if err == nil {
			return shadowreport.PairOf(x.Verdict, x.Live, x.Shadow), nil
		}
		if !errors.Is(err, store.ErrNotFound) {
			return nil, err
		}
	}
	return nil, failed
}

// askOne asks one edge.
func askOne[T any](ctx context.Context, a *app, at migration.Address, question func(context.Context, *admin.Client) (T, error)) (T, error) {
	ans := askClients(ctx, a, []migration.Address{at}, question)
	return ans[0].Value, ans[0].Err
}

// Bounds of the examples of one report.
const (
	maxExamples  = 60
	exampleTries = 3
	examplesTime = 15 * time.Second
)

// examples finds a call for each of the first clusters.
func (s *shadowSource) examples(ctx context.Context, d *shadowreport.Document) {
	ctx, cancel := context.WithTimeout(ctx, examplesTime)
	defer cancel()
	d.Examples = map[compare.ClusterID]*shadowreport.Pair{}
	for i := range d.Clusters {
		c := &d.Clusters[i]
		if i == maxExamples || ctx.Err() != nil {
			d.Notes = append(d.Notes, fmt.Sprintf("examples of %d kinds of difference were not looked for", len(d.Clusters)-i))
			return
		}
		for _, x := range c.Samples[:min(len(c.Samples), exampleTries)] {
			p, err := s.call(ctx, d.Tenant, x.CallID)
			if err != nil {
				s.a.detail("%s: %v", x.CallID, err)
			}
			if p != nil {
				d.Examples[c.ID] = p
				if p.Live != nil || p.Shadow != nil {
					break
				}
			}
		}
	}
}
