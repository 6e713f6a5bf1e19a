package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/hotcut/hotcut/migration"
	"github.com/hotcut/hotcut/policy"
	"github.com/hotcut/hotcut/proxy/admin"
)

// eng opens the store that the flags, the environment or the CLI's file name, and makes the engine over it.
func (a *app) eng() (*migration.Engine, error) {
	if a.engine != nil {
		return a.engine, nil
	}
	if a.conf.Store == "" {
		return nil, usage(errors.New("no store: which policy is meant?"), "export HOTCUT_STORE=redis://127.0.0.1:6379/0", "hotcut help")
	}
	store, err := openStore(a.conf.Store)
	if err != nil {
		return nil, usage(err, "hotcut help")
	}
	a.opened = store
	a.detail("store %s", redacted(a.conf.Store))
	a.engine = a.engineOver(store)
	return a.engine, nil
}

// engineOver makes an engine; store may be nil for what needs edges only.
func (a *app) engineOver(store policy.Store) *migration.Engine {
	e := &migration.Engine{
		Store: store,
		Fleet: &migration.Fleet{Dial: dialEdge, Listed: a.conf.addresses(), Limit: a.flags.timeout},
		Limit: a.flags.timeout,
		Wait:  a.change.wait,
		Now:   a.now,
		Say:   a.say,
	}
	if cache, err := os.UserCacheDir(); err == nil && a.conf.Store != "" {
		e.Roster = migration.RosterPath(cache, a.conf.Store)
	}
	return e
}

// dialEdge makes an edge of migration out of the admin client. It connects with the first question.
func dialEdge(address string) (migration.Edge, error) {
	c, err := admin.Dial(address)
	if err != nil {
		return migration.Edge{}, err
	}
	return migration.Edge{
		State: func(ctx context.Context) (policy.NodeState, error) {
			defer c.Close()
			s, err := c.State(ctx)
			return s.NodeState, err
		},
		Export: func(ctx context.Context) (*policy.Snapshot, error) {
			defer c.Close()
			var b bytes.Buffer
			if err := c.ExportPolicy(ctx, &b); err != nil {
				return nil, err
			}
			return policy.Decode(&b)
		},
		Draining: func(ctx context.Context, tenant string) ([]migration.Drain, error) {
			defer c.Close()
			list, err := c.Draining(ctx, tenant)
			return drainsOf(list), err
		},
		Order:       func(ctx context.Context, o migration.Order) error { defer c.Close(); return order(ctx, c, o) },
		AcceptEpoch: func(ctx context.Context, epoch string) error { defer c.Close(); return c.AcceptEpoch(ctx, epoch) },
		Phones: func(ctx context.Context, tenant string) (migration.EdgePhones, error) {
			defer c.Close()
			s, err := c.RegistrationSummary(ctx, tenant)
			return phonesOf(s), err
		},
		HeldUntil: func(ctx context.Context, tenant string, side policy.Platform) (int64, error) {
			defer c.Close()
			return heldUntil(ctx, c, tenant, side)
		},
		Doctor: func(ctx context.Context, p migration.Probe) (migration.Diagnosis, error) {
			defer c.Close()
			d, err := c.Doctor(ctx, admin.DoctorRequest(p))
			return diagnosisOf(d), err
		},
	}, nil
}

func drainsOf(list []admin.Draining) []migration.Drain {
	out := make([]migration.Drain, 0, len(list))
	for _, d := range list {
		var p policy.Platform
		if err := p.UnmarshalText([]byte(d.Platform)); err != nil {
			continue // an edge of another build counts something that we do not know
		}
		out = append(out, migration.Drain{Tenant: d.Tenant, Platform: p, Count: d.Count, Oldest: d.Oldest, Since: d.Since, AtLeast: d.AtLeast})
	}
	return out
}

func phonesOf(s admin.RegistrationSummaries) migration.EdgePhones {
	out := migration.EdgePhones{Keep: s.KeepModes, Rate: s.KeepRate, Pending: s.KeepPending, ETA: s.KeepETA}
	for _, r := range s.Rows {
		out.Rows = append(out.Rows, migration.Owned{Owner: r.Edge, Phones: migration.Phones{
			Tenant: r.Tenant, Bindings: r.Bindings, Reachable: r.Reachable, OnLegacy: r.OnLegacy, OnCore: r.OnCore,
			MissingLegacy: r.MissingLegacy, MissingCore: r.MissingCore, Failed: r.Failed, InstantUntil: r.InstantUntil,
			PerSecond: r.PerSecond, ClampedPerSecond: r.ClampedPerSecond, NextRefresh: r.NextRefresh,
		}})
	}
	return out
}

func heldUntil(ctx context.Context, c *admin.Client, tenant string, side policy.Platform) (int64, error) {
	list, err := c.Registrations(ctx, tenant, admin.MaxRegistrations)
	first := int64(0)
	for _, r := range list {
		until := r.Legacy.Until
		if side == policy.Core {
			until = r.Core.Until
		}
		if until != 0 && (first == 0 || until < first) {
			first = until
		}
	}
	return first, err
}

func diagnosisOf(r admin.DoctorReport) migration.Diagnosis {
	d := migration.Diagnosis{Challenges: map[string]migration.Challenge{}}
	for _, f := range r.Findings {
		d.Findings = append(d.Findings, migration.Finding{Check: f.Check, Platform: f.Platform, Target: f.Target, Level: f.Level, Detail: f.Detail, Fix: f.Fix})
	}
	for platform, c := range r.Challenges {
		d.Challenges[platform] = migration.Challenge(c)
	}
	return d
}

// order speaks migration's orders in the admin API's words.
func order(ctx context.Context, c *admin.Client, o migration.Order) error {
	q := admin.OverrideChange{Op: admin.Set, Order: o.By}
	if o.Remove {
		q = admin.OverrideChange{Op: admin.Remove}
	}
	if !o.AllLegacy && !o.Freeze && len(o.Tenants) == 0 {
		if !o.Remove {
			return errors.New("an order that orders nothing")
		}
		q.Scope = admin.ScopeAll
		return c.Override(ctx, q)
	}
	var scopes []admin.Scope
	if o.AllLegacy {
		scopes = append(scopes, admin.ScopeAllLegacy)
	}
	if o.Freeze {
		scopes = append(scopes, admin.ScopeFreeze)
	}
	if len(o.Tenants) > 0 {
		scopes = append(scopes, admin.ScopeTenants)
	}
	for _, scope := range scopes {
		q.Scope, q.Tenants = scope, nil
		if scope == admin.ScopeTenants {
			q.Tenants = o.Tenants
		}
		if err := c.Override(ctx, q); err != nil {
			return fmt.Errorf("%s: %w", scope, err)
		}
	}
	return nil
}

// askClients asks edges something that only people want to know.
func askClients[T any](ctx context.Context, a *app, to []migration.Address, question func(context.Context, *admin.Client) (T, error)) []migration.Answer[T] {
	return migration.Each(ctx, to, a.flags.timeout, func(ctx context.Context, at migration.Address) (T, error) {
		c, err := admin.Dial(at.Admin)
		if err != nil {
			var none T
			return none, err
		}
		defer c.Close()
		return question(ctx, c)
	})
}

// silent names the edges that did not answer.
func silent[T any](answers []migration.Answer[T]) []string {
	out := []string{}
	for _, ans := range answers {
		if ans.Err != nil {
			out = append(out, ans.Edge)
		}
	}
	return out
}
