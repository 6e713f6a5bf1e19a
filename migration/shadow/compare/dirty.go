package compare

// Changed are the tenants whose counts changed since the last call of Changed or were put back by Again.
func (t *Tally) Changed() []string {
	list := make([]string, 0, len(t.dirty))
	for name := range t.dirty {
		if t.Tenants[name] != nil {
			list = append(list, name)
		}
	}
	clear(t.dirty)
	return list
}

// Again makes a tenant one that changed: what was to be written was not.
func (t *Tally) Again(tenant string) {
	if t.dirty == nil {
		t.dirty = make(map[string]bool)
	}
	t.dirty[tenant] = true
}

// Forget drops all that is known of a tenant: it was purged.
func (t *Tally) Forget(tenant string) {
	if c := t.Tenants[tenant]; c != nil {
		t.clusters -= len(c.Clusters)
		delete(t.Tenants, tenant)
	}
	delete(t.dirty, tenant)
	delete(t.bases, tenant)
	for k := range t.redials {
		if k.tenant == tenant {
			delete(t.redials, k)
		}
	}
	t.previous.forget(tenant)
}

func (p *previousCalls) forget(tenant string) {
	for k := range p.last {
		if k.tenant == tenant {
			delete(p.last, k)
		}
	}
}
