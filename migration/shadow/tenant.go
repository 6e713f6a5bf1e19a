package shadow

import (
	"hash/fnv"
	"slices"

	"github.com/hotcut/hotcut/policy"
)

// tenant is a mirrored tenant: how its messages are rewritten, and what of it is under way.
type tenant struct {
	id       string
	dark     *dark
	share    int // basis points of its calls that are mirrored
	country  string
	scrub    scrubber
	voice    voice
	calls    map[*call]struct{}
	unpaired []*liveLeg // live far legs without a shadow leg, by when they began
	waiting  []*twin    // legs of the dark core without a live one, by when they began
	lately   lately
	bindings map[string]*binding
	looked   int64 // unix ns at which its bindings were compared last
	header   headerSeen
}

// headerSeen says how often a platform's far legs had the correlation header: it is believed while it is always there.
type headerSeen struct{ with, without [2]uint64 }

// obey takes the policy in force: a tenant that it mirrors no more loses its shadow calls at once.
func (m *machine) obey() {
	s := m.o.Policy()
	if s == m.snapshot {
		return
	}
	m.snapshot = s
	for id, t := range m.tenants {
		rec := mirrored(s, id)
		if rec == nil {
			m.dismiss(t)
			continue
		}
		m.learn(t, rec.Tenant)
	}
	if s == nil {
		return
	}
	for rec := range s.All() {
		if mirrored(s, rec.Tenant.ID) != nil {
			m.tenant(rec.Tenant.ID)
		}
	}
}

func mirrored(s *policy.Snapshot, id string) *policy.Record {
	if s == nil {
		return nil
	}
	rec := s.Tenant(id)
	if rec == nil || rec.Tenant.Mirror == 0 || rec.Tenant.Stage != policy.StageShadow && rec.Tenant.Stage != policy.StageCanary {
		return nil
	}
	return rec
}

// tenant is a tenant that is mirrored, nil: it is not.
func (m *machine) tenant(id string) *tenant {
	if t := m.tenants[id]; t != nil {
		return t
	}
	rec := mirrored(m.snapshot, id)
	if rec == nil {
		return nil
	}
	t := &tenant{id: id, dark: m.darkOf(id), calls: map[*call]struct{}{}, bindings: map[string]*binding{}}
	m.learn(t, rec.Tenant)
	m.tenants[id] = t
	return t
}

func (m *machine) learn(t *tenant, rec *policy.Tenant) {
	t.share, t.country = rec.Mirror, rec.Country
	t.scrub = scrubber{domains: slices.Clone(rec.Domains), sink: t.dark.sink.String(), hole4: "192.0.2.1"}
	t.voice = voice{addr: m.o.BlackHole, session: "1", version: 1, key: m.id.token(32, "crypto", t.id)}
}

// darkOf is the dark core of a tenant, the same on every edge with the same list: the highest hash of both names.
func (m *machine) darkOf(id string) *dark {
	if m.recorded != nil {
		return nowhere()
	}
	var best *dark
	var most uint64
	for _, d := range m.darks {
		h := fnv.New64a()
		h.Write([]byte(d.Name + "\x00" + id))
		if n := h.Sum64(); best == nil || n > most {
			best, most = d, n
		}
	}
	return best
}

// dismiss ends everything of a tenant that is mirrored no more.
func (m *machine) dismiss(t *tenant) {
	for c := range t.calls {
		m.abandon(c)
	}
	for _, l := range m.lives {
		if l.t == t {
			l.tape.release()
			m.forgetLive(l)
		}
	}
	for tw := range m.twins {
		if tw.t == t {
			tw.leave()
		}
	}
	m.unregister(t)
	delete(m.tenants, t.id)
}
