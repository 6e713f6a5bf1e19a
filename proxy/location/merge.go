package location

import (
	"cmp"
)

// Merge returns what two pieces of news about one binding say together: who (the phone's own registration with its flow)
// as the higher Stamp says, and each Hold as its own higher Stamp says. Of equal stamps the greater content wins, field
// by field, so that the order and the number of merges do not matter: it is commutative, associative and idempotent.
//
// It changes neither and returns one of the two where that says it all: a when b brings no news. nil is no news.
func Merge(a, b *Binding) *Binding {
	if a == nil {
		return b
	}
	if b == nil || a == b {
		return a
	}
	who := a
	if compareWho(a, b) < 0 {
		who = b
	}
	holds := a.Holds
	for i := range holds {
		if compareHold(&holds[i], &b.Holds[i]) < 0 {
			holds[i] = b.Holds[i]
		}
	}
	if who.Holds == holds {
		return who
	}
	m := who.Clone()
	m.Holds = holds
	return m
}

func compareWho(a, b *Binding) int {
	if c := cmp.Compare(a.Stamp, b.Stamp); c != 0 {
		return c
	}
	return cmp.Or(
		cmp.Compare(string(a.ID[:]), string(b.ID[:])),
		cmp.Compare(a.Told, b.Told),
		cmp.Compare(a.CSeq, b.CSeq),
		cmp.Compare(a.Rev, b.Rev),
		cmp.Compare(a.Asked, b.Asked),
		cmp.Compare(a.Tenant, b.Tenant),
		cmp.Compare(a.AoR, b.AoR),
		cmp.Compare(a.Unit, b.Unit),
		cmp.Compare(a.To, b.To),
		cmp.Compare(a.Contact, b.Contact),
		cmp.Compare(a.URI, b.URI),
		cmp.Compare(a.CallID, b.CallID),
		cmp.Compare(a.Instance, b.Instance),
		cmp.Compare(a.RegID, b.RegID),
		cmp.Compare(a.Agent, b.Agent),
		compareFlow(&a.Flow, &b.Flow),
	)
}

func compareFlow(a, b *Flow) int {
	return cmp.Or(
		cmp.Compare(a.Edge, b.Edge),
		cmp.Compare(a.Listener, b.Listener),
		cmp.Compare(a.Proto, b.Proto),
		cmp.Compare(a.Conn, b.Conn),
		a.Addr.Compare(b.Addr),
	)
}

func compareHold(a, b *Hold) int {
	if c := cmp.Compare(a.Stamp, b.Stamp); c != 0 {
		return c
	}
	own := 0
	if a.Own != b.Own {
		own = -1
		if a.Own {
			own = 1
		}
	}
	return cmp.Or(
		cmp.Compare(a.Until, b.Until),
		cmp.Compare(a.CSeq, b.CSeq),
		cmp.Compare(a.Lasts, b.Lasts),
		own,
		cmp.Compare(a.Target, b.Target),
		cmp.Compare(a.Route, b.Route),
	)
}
