package main

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"sync"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"github.com/hotcut/hotcut/migration/shadow"
	"github.com/hotcut/hotcut/migration/shadow/compare"
	"github.com/hotcut/hotcut/migration/shadow/record"
	"github.com/hotcut/hotcut/migration/shadow/store"
	"github.com/hotcut/hotcut/policy"
	"github.com/hotcut/hotcut/proxy"
	"github.com/hotcut/hotcut/proxy/config"
	"github.com/hotcut/hotcut/proxy/digest"
	"github.com/hotcut/hotcut/proxy/tap"
)

// edgeShadow is the mirror beside an edge and where its verdicts are kept. Nothing of the edge waits for it.
type edgeShadow struct {
	node   string
	shared bool // its counts are where those of all edges are
	mirror *shadow.Mirror
	kept   keeping
	edge   *proxy.Edge // set before run
	rows   rowCache

	compared, missing atomic.Uint64
}

// keeping is a store with its keeper.
type keeping struct {
	secret    []byte
	policy    func() *policy.Snapshot
	store     store.Store
	exchanges *store.Exchanges
	keeper    *store.Keeper
}

// beside is what has the edge's tap: a mirror, a recorder, or nothing.
type beside struct {
	shadow   *edgeShadow
	recorder *shadow.Recorder
	edge     *proxy.Edge // set before the recorder runs
}

// newBeside makes what a configuration, or the flag that records, asks for.
func newBeside(c *config.Config, recording string, log *slog.Logger) (*beside, error) {
	b := new(beside)
	var err error
	if b.shadow, err = newEdgeShadow(c, log); err != nil || recording == "" {
		return b, err
	}
	if b.shadow != nil {
		return b, join(usage(errors.New("--record: this edge has a dark core and compares at once; recording is for an edge without one")), b.close())
	}
	secret, err := shadowSecret(c)
	if err != nil {
		return b, err
	}
	b.recorder, err = shadow.NewRecorder(shadow.Options{Edge: c.Node, Policy: func() *policy.Snapshot { return b.edge.Policy() }, Secret: secret, Log: log},
		shadow.RecorderOptions{Path: recording})
	return b, err
}

func (b *beside) into(o *proxy.Options) {
	switch {
	case b.shadow != nil:
		o.Tap, o.Shadow = b.shadow.mirror, b.shadow.shows()
	case b.recorder != nil:
		o.Tap = b.recorder
	}
}

// close is for one that never starts.
func (b *beside) close() error {
	if b.shadow != nil {
		return b.shadow.kept.store.Close()
	}
	return nil
}

// start runs it until ctx ends or the returned function is called, which waits for its end.
func (b *beside) start(ctx context.Context, edge *proxy.Edge, log *slog.Logger) (stop func()) {
	ctx, end := context.WithCancel(ctx)
	var running sync.WaitGroup
	switch {
	case b.shadow != nil:
		b.shadow.edge = edge
		running.Go(func() { b.shadow.run(ctx, log) })
	case b.recorder != nil:
		b.edge = edge
		running.Go(func() {
			if err := aside(func() error { return b.recorder.Run(ctx) }); err != nil {
				log.Error("nothing is recorded any more", "error", err)
			}
		})
	}
	return func() {
		end()
		running.Wait()
	}
}

// newEdgeShadow makes the mirror that a configuration asks for; nil: it has no dark core.
func newEdgeShadow(c *config.Config, log *slog.Logger) (*edgeShadow, error) {
	res, err := c.Resolve()
	if err != nil {
		return nil, err
	}
	if len(res.Dark) == 0 {
		return nil, nil
	}
	s := &edgeShadow{node: c.Node, shared: isRedis(res.Data)}
	if s.kept, err = newKeeping(c, res, s.snapshot, log); err != nil {
		return nil, err
	}
	o := mirrorOptions(c, res, &s.kept, log)
	o.Bindings = func(tenant string) []tap.Binding { return s.edge.Bindings(tenant) }
	o.Answer = shadow.Digest(s.snapshot, func(user, domain, realm string) (digest.Secret, bool) { return s.edge.Secret(user, domain, realm) })
	o.Verdict, o.Yield = s.verdict, yield
	if s.mirror, err = shadow.New(o); err != nil {
		return nil, errors.Join(err, s.kept.store.Close())
	}
	return s, nil
}

// mirrorOptions are what a configuration says of a mirror.
func mirrorOptions(c *config.Config, res *config.Resolved, k *keeping, log *slog.Logger) shadow.Options {
	o := shadow.Options{Edge: c.Node, Policy: k.policy, Secret: k.secret, Log: log,
		Alarm: func(what string, err error) { log.Error("shadow", "alarm", what, "error", err) }}
	for _, l := range res.Shadow {
		o.Sockets = append(o.Sockets, l.Addr)
	}
	for _, d := range res.Dark {
		x := shadow.Dark{Name: d.Name, Addr: d.Addr, Build: d.Build}
		for _, src := range d.Sources {
			x.Sources = append(x.Sources, src.Prefix)
		}
		if len(x.Sources) == 0 {
			x.Sources = []netip.Prefix{netip.PrefixFrom(d.Addr.Addr(), d.Addr.Addr().BitLen())}
		}
		o.Dark = append(o.Dark, x)
	}
	return o
}

// newKeeping opens where verdicts are kept: in the Redis that edges share, or in the state directory.
func newKeeping(c *config.Config, res *config.Resolved, snapshot func() *policy.Snapshot, log *slog.Logger) (k keeping, err error) {
	k.policy = snapshot
	if k.secret, err = shadowSecret(c); err != nil {
		return k, err
	}
	if k.store, err = store.Open(res.Data, c.State, store.Options{Log: log}); err != nil {
		return k, err
	}
	if k.exchanges, err = store.OpenExchanges(c.State, store.Options{Yield: yield, Log: log}); err == nil {
		k.keeper, err = store.NewKeeper(store.KeeperOptions{Edge: c.Node, Boot: policy.MintKey(), Store: k.store, Exchanges: k.exchanges, Redactor: k.redactor, Yield: yield, Log: log})
	}
	if err != nil {
		return k, errors.Join(err, k.store.Close())
	}
	return k, nil
}

// shadowSecret is of the key that never rotates, so that a number has the same token for as long as anything of it is kept, on every
// edge.
func shadowSecret(c *config.Config) ([]byte, error) {
	ring, err := config.LoadKeys(c.Keys)
	if err != nil {
		return nil, err
	}
	h := hmac.New(sha256.New, ring[len(ring)-1].Secret[:])
	fmt.Fprint(h, "hotcut shadow")
	return h.Sum(nil), nil
}

func (k *keeping) redactor(tenant string) *record.Redactor {
	country := ""
	if s := k.policy(); s != nil {
		if r := s.Tenant(tenant); r != nil {
			country = r.Tenant.Country
		}
	}
	return record.NewRedactor(k.secret, tenant, country)
}

func (s *edgeShadow) snapshot() *policy.Snapshot { return s.edge.Policy() }

// verdict counts and hands over: it runs on the mirror's goroutine.
func (s *edgeShadow) verdict(v *compare.Verdict, live, dark *record.Exchange) {
	if v.Missing != "" {
		s.missing.Add(1)
	} else {
		s.compared.Add(1)
	}
	s.kept.keeper.Put(v, live, dark)
}

// shows is what the edge shows of it.
func (s *edgeShadow) shows() *proxy.Shadowing {
	x := &proxy.Shadowing{State: s.state}
	x.Admin.Show, x.Admin.Call, x.Admin.Triage, x.Admin.Purge, x.Admin.Flush = s.show, s.call, s.triage, s.purge, s.flush
	return x
}

func (s *edgeShadow) state() proxy.ShadowState {
	m := s.mirror.Stats()
	x := proxy.ShadowState{Mirrored: m.Mirrored, Compared: s.compared.Load(), Missing: s.missing.Load(), Dropped: m.Dropped, Unexpected: m.Unexpected,
		Escaped: m.Escaped, Calls: m.Calls, Bytes: m.Bytes, Stopped: m.Stopped != "", Verified: len(m.Dark) > 0}
	for _, d := range m.Dark {
		x.Verified = x.Verified && d.Canary == "ok"
	}
	return x
}

// run mirrors until ctx ends. What goes wrong with it is said and costs the edge nothing: calls come first.
func (s *edgeShadow) run(ctx context.Context, log *slog.Logger) {
	var g errgroup.Group
	keeping, last := context.WithCancel(context.WithoutCancel(ctx)) // the last calls' verdicts come when the mirror has ended
	g.Go(func() error { return aside(func() error { return s.kept.keeper.Run(keeping) }) })
	g.Go(func() error { defer last(); return aside(func() error { return s.mirror.Run(ctx) }) })
	if err := errors.Join(g.Wait(), s.kept.store.Close()); err != nil {
		log.Error("shadow: nothing is mirrored", "error", err)
	}
}
