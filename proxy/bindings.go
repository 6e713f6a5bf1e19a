package proxy

import (
	"github.com/hotcut/hotcut/policy"
	"github.com/hotcut/hotcut/proxy/tap"
	"github.com/hotcut/hotcut/proxy/wire"
)

// Policy is the policy in force; nil: none yet.
func (e *Edge) Policy() *policy.Snapshot { return e.snapshot() }

// Bindings are a tenant's live registrations, of all edges that share them, in no order.
func (e *Edge) Bindings(tenant string) []tap.Binding {
	now := e.now() / 1e9
	var list []tap.Binding
	for b := range e.location.OfTenant(tenant) {
		if b.Told <= now {
			continue
		}
		x := tap.Binding{ID: b.ID.String(), AoR: aorURI(b.AoR), To: b.To, Instance: unquoted(b.Instance), Expires: b.Told, Here: b.Flow.Edge == e.cfg.Node}
		if u, ok := wire.ParseURI([]byte(b.URI)); ok {
			x.User = string(u.User.Of([]byte(b.URI)))
		}
		list = append(list, x)
	}
	return list
}

func unquoted(s string) string {
	if len(s) >= 2 && s[0] == '"' && s[len(s)-1] == '"' {
		return s[1 : len(s)-1]
	}
	return s
}
