package policy

import (
	"encoding/hex"
	"maps"
	"slices"
)

// Motion says where a change could move anybody: the law of direction hangs on it, not on the verb. It is a set.
type Motion uint8

const (
	Still         Motion = 0
	TowardsLegacy Motion = 1
	TowardsCore   Motion = 2 // gates, hold, freeze, approval and confirmation apply
	Both          Motion = TowardsLegacy | TowardsCore
)

// sides is a set of platforms that may serve some traffic.
type sides uint8

const (
	onLegacy sides = 1 << iota
	onCore
	onNone // dropped
)

func sideOf(p Platform) sides {
	switch p {
	case Legacy:
		return onLegacy
	case Core:
		return onCore
	}
	return onNone
}

// moves says where traffic can go that was on one of from and is on one of to. To be dropped, and to be served by core
// after being dropped, is as grave as a move towards core.
func moves(from, to sides) (m Motion) {
	for f := onLegacy; f <= onNone; f <<= 1 {
		for t := onLegacy; t <= onNone; t <<= 1 {
			switch {
			case from&f == 0 || to&t == 0 || f == t:
			case t == onLegacy:
				m |= TowardsLegacy
			default:
				m |= TowardsCore
			}
		}
	}
	return m
}

// MotionOf classifies the change of one tenant from before to after (nil: none) under globals gb and ga: could any of its
// units, or of its emergency calls, move? It is exact for stage, share, rolled_back, halt, assigned users and the
// emergency platform; of rules, user maps and groups it says what could happen at worst. Numbers and trunks that come
// or go may have been, or become, part of another tenant's wider claim, which one record does not show: then either
// side is assumed. Change.Motions knows the snapshot and is exact there.
func MotionOf(before, after *Tenant, gb, ga Globals) Motion {
	gb, ga = gb.norm(), ga.norm()
	any := onLegacy | onCore
	return motionOf(before, after, gb, ga, any|sideOf(gb.platform()), any|sideOf(ga.platform()))
}

// motionOf is MotionOf when it is known who else could have served (from), or would serve (to), numbers and trunks.
func motionOf(before, after *Tenant, gb, ga Globals, from, to sides) (m Motion) {
	if before == nil && after == nil {
		return Still
	}
	defaultB, defaultA := sideOf(gb.platform()), sideOf(ga.platform())
	if before == nil {
		if len(after.Domains) > 0 {
			m |= moves(defaultB, serves(after, ga))
		}
		if len(after.Numbers)+len(after.Trunks) > 0 {
			m |= moves(from, serves(after, ga))
		}
		if m != Still || len(after.Domains)+len(after.Numbers)+len(after.Trunks) > 0 {
			m |= moves(onLegacy, sos(after, ga)) // nobody's emergency calls go to legacy
		}
		return m
	}
	if after == nil {
		if len(before.Domains) > 0 {
			m |= moves(serves(before, gb), defaultA)
		}
		if len(before.Numbers)+len(before.Trunks) > 0 {
			m |= moves(serves(before, gb), to)
		}
		if len(before.Domains)+len(before.Numbers)+len(before.Trunks) > 0 {
			m |= moves(sos(before, gb), onLegacy)
		}
		return m
	}
	b, a := serves(before, gb), serves(after, ga)
	switch mb, ma := masked(before, gb), masked(after, ga); {
	case !mb && !ma:
		m |= motionInside(before, after)
	case ma:
		// What a halt or rollback hides now shows when it ends: it is gated when it is written.
		m |= moves(b, a) | motionInside(before, after)&TowardsCore
	default:
		m |= moves(b, a)
	}
	m |= moves(sos(before, gb), sos(after, ga))
	if !slices.Equal(emergencyUsers(before), emergencyUsers(after)) {
		m |= moves(b|sos(before, gb), a|sos(after, ga))
	}
	return m | motionOfClaims(before, after, b, a, defaultB, defaultA, from, to)
}

// motionOfClaims: what is claimed anew comes from elsewhere, what is given up goes there.
func motionOfClaims(before, after *Tenant, b, a, defaultB, defaultA, from, to sides) (m Motion) {
	if lacks(before.Domains, after.Domains) {
		m |= moves(defaultB, a)
	}
	if lacks(after.Domains, before.Domains) {
		m |= moves(b, defaultA)
	}
	if lacks(before.Numbers, after.Numbers) {
		m |= moves(from, a)
	}
	if lacks(after.Numbers, before.Numbers) {
		m |= moves(b, to)
	}
	kb, ka := trunkClaims(before), trunkClaims(after)
	if lacks(kb, ka) {
		m |= moves(from, a)
	}
	if lacks(ka, kb) {
		m |= moves(b, to)
	}
	return m
}

// lacks reports whether list is without any of want.
func lacks[T comparable](list, want []T) bool {
	if len(want) == 0 || slices.Equal(list, want) {
		return false
	}
	has := make(map[T]bool, len(list))
	for _, v := range list {
		has[v] = true
	}
	return slices.ContainsFunc(want, func(v T) bool { return !has[v] })
}

// trunkClaims are the trunks as far as they decide whose a call is.
func trunkClaims(t *Tenant) []Trunk {
	list := make([]Trunk, len(t.Trunks))
	for i, k := range t.Trunks {
		list[i] = Trunk{Source: k.Source, Port: k.Port, Transport: k.Transport}
	}
	return list
}

// masked: whatever the record says, everything but emergency calls is on legacy.
func masked(t *Tenant, g Globals) bool {
	return t.RolledBack || g.Halt == HaltAllLegacy && t.Stage != StageDone
}

// serves is where units of the tenant may be.
func serves(t *Tenant, g Globals) sides {
	if masked(t, g) {
		return onLegacy
	}
	s := base(t) | ruled(t)
	for _, p := range t.Assigned {
		s |= sideOf(p)
	}
	return s
}

// base is where the stage puts units. In canary those without a unit are always on legacy.
func base(t *Tenant) sides {
	switch {
	case t.Stage >= StageCore:
		return onCore
	case t.Stage == StageCanary && t.Share > 0:
		return onLegacy | onCore
	}
	return onLegacy
}

func ruled(t *Tenant) (s sides) {
	for i := range t.Rules {
		s |= sideOf(t.Rules[i].Platform)
	}
	return s
}

// sos is where emergency calls go.
func sos(t *Tenant, g Globals) sides {
	halted := g.Halt == HaltAllLegacy && t.Stage != StageDone
	if e := t.Emergency; !halted && e != nil && e.Platform == Core && e.Certified != nil {
		return onCore
	}
	return onLegacy
}

func emergencyUsers(t *Tenant) []string {
	if t.Emergency == nil || len(t.Emergency.Users) == 0 {
		return defaultEmergency
	}
	return t.Emergency.Users
}

// motionInside compares two records that nothing masks. Named users are compared one by one. For everybody else it goes
// from before to after in two steps, the stage and then the rules under the new stage: a unit that moves, moves in one
// of them.
func motionInside(before, after *Tenant) (m Motion) {
	switch b, a := extent(before), extent(after); {
	case a > b:
		m |= TowardsCore
	case a < b:
		m |= TowardsLegacy
	}
	if !sameUnits(before, after) {
		m |= moves(serves(before, Globals{}), serves(after, Globals{}))
	}
	rest := base(after) | ruled(before) | ruled(after)
	gone, come := ruleDiff(before.Rules, after.Rules)
	for _, r := range gone {
		m |= moves(sideOf(r.Platform), rest)
	}
	for _, r := range come {
		m |= moves(rest, sideOf(r.Platform))
	}
	named := maps.Clone(after.Assigned)
	if named == nil {
		named = make(map[string]Platform)
	}
	maps.Copy(named, before.Assigned)
	for u := range named {
		m |= moves(whereIs(before, u), whereIs(after, u))
	}
	if after.CrossFailover && !before.CrossFailover {
		m |= moves(serves(after, Globals{}), onLegacy|onCore)
	}
	return m
}

// extent orders stages by whom core serves. Canary at 100 % still leaves requests without a unit on legacy; done ends
// the way back.
func extent(t *Tenant) int {
	switch t.Stage {
	case StageCanary:
		return t.Share
	case StageCore:
		return FullShare + 1
	case StageDone:
		return FullShare + 2
	}
	return 0
}

// sameUnits reports whether every request has the same unit and bucket as before.
func sameUnits(b, a *Tenant) bool {
	trunkNames := func(t *Tenant) []Trunk {
		list := trunkClaims(t)
		for i := range list {
			list[i].Name = t.Trunks[i].Name
		}
		return list
	}
	usesTrunks := func(r Rule) bool { return r.Trunk != "" }
	if slices.ContainsFunc(b.Rules, usesTrunks) || slices.ContainsFunc(a.Rules, usesTrunks) {
		if !slices.Equal(trunkNames(b), trunkNames(a)) {
			return false
		}
	}
	return b.Salt == a.Salt && b.HashVer == a.HashVer && b.Country == a.Country && b.Area == a.Area &&
		b.Outside == a.Outside && maps.Equal(b.Users, a.Users) && maps.Equal(b.Groups, a.Groups)
}

// whereIs is where a user is: exact by assignment, and by bucket where no rule can say otherwise.
func whereIs(t *Tenant, user string) sides {
	if p, ok := t.Assigned[user]; ok {
		return sideOf(p)
	}
	s := base(t)
	var salt [16]byte
	raw, err := hex.DecodeString(t.Salt) // the record may not have been checked yet
	if copy(salt[:], raw); t.Stage == StageCanary && err == nil && len(raw) == len(salt) {
		kind, unit := byte('u'), user
		if g, ok := t.Groups[user]; ok {
			kind, unit = 'g', g
		}
		if s = onLegacy; bucketOf(&salt, kind, unit) < t.Share {
			s = onCore
		}
	}
	return s | ruled(t)
}

// ruleDiff returns the rules that are only in b and only in a, those in another order among them. Comments move nobody.
func ruleDiff(b, a []Rule) (gone, come []Rule) {
	eq := func(x, y Rule) bool {
		return x.Direction == y.Direction && x.Method == y.Method && x.Called == y.Called && slices.Equal(x.Users, y.Users) &&
			x.Group == y.Group && x.Trunk == y.Trunk && x.Platform == y.Platform && x.Expires == y.Expires
	}
	for len(b) > 0 && len(a) > 0 && eq(b[0], a[0]) {
		b, a = b[1:], a[1:]
	}
	for len(b) > 0 && len(a) > 0 && eq(b[len(b)-1], a[len(a)-1]) {
		b, a = b[:len(b)-1], a[:len(a)-1]
	}
	if len(b) == 0 || len(a) == 0 {
		return b, a
	}
	// Longest common subsequence; both lists are bounded by maxRules.
	l := make([][]int16, len(b)+1)
	for i := range l {
		l[i] = make([]int16, len(a)+1)
	}
	for i := len(b) - 1; i >= 0; i-- {
		for j := len(a) - 1; j >= 0; j-- {
			if eq(b[i], a[j]) {
				l[i][j] = l[i+1][j+1] + 1
			} else {
				l[i][j] = max(l[i+1][j], l[i][j+1])
			}
		}
	}
	i, j := 0, 0
	for i < len(b) && j < len(a) {
		switch {
		case eq(b[i], a[j]):
			i, j = i+1, j+1
		case l[i+1][j] >= l[i][j+1]:
			gone = append(gone, b[i])
			i++
		default:
			come = append(come, a[j])
			j++
		}
	}
	return append(gone, b[i:]...), append(come, a[j:]...)
}
