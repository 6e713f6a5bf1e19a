package compare

import (
	"slices"
	"strconv"

	"github.com/hotcut/hotcut/migration/shadow/record"
)

// Row "identity at the far leg". The first two are what a phone shows; which of them depends on the phone.
var identityRules = []Rule{
	{Name: "caller", Field: "identity.from", Severity: Critical, Words: "phones show another caller", find: perLeg(caller)},
	{Name: "asserted caller", Field: "identity.pai", Severity: Critical, Words: "phones show another caller", find: perLeg(func(live *record.Call, p legPair) []Difference {
		if vouched(p) {
			return nil
		}
		return asserted(live, p, p.live.Identity.PAI, p.shadow.Identity.PAI)
	})},
	{Name: "remote party", Field: "identity.rpid", Severity: Critical, Words: "phones show another caller", find: perLeg(func(live *record.Call, p legPair) []Difference {
		return asserted(live, p, p.live.Identity.RPID, p.shadow.Identity.RPID)
	})},
	{Name: "privacy", Field: "identity.privacy", Severity: Critical, Words: "callers are hidden otherwise", find: perLeg(privacy)},
	{Name: "diversion", Field: "identity.diversion", Severity: Critical, Words: "forwarded calls tell another way", find: perLeg(func(_ *record.Call, p legPair) []Difference {
		return diverted(p.live.Identity.Diversion, p.shadow.Identity.Diversion)
	})},
	{Name: "history", Field: "identity.history", Severity: Critical, Words: "forwarded calls tell another way", find: perLeg(func(_ *record.Call, p legPair) []Difference {
		return diverted(p.live.Identity.History, p.shadow.Identity.History)
	})},
	{Name: "name", Field: "identity.name", Severity: Minor, Words: "the caller's name is shown otherwise", find: perLeg(name)},
	{Name: "connected party", Field: "connected", Severity: Major, Words: "the caller's phone shows another answering party", find: connected},
}

func perLeg(f func(live *record.Call, p legPair) []Difference) func(live, shadow *record.Call) []Difference {
	return func(live, shadow *record.Call) []Difference {
		same, moved, _, _ := pairLegs(live, shadow)
		var ds []Difference
		for _, p := range slices.Concat(same, moved) {
			ds = append(ds, f(live, p)...)
		}
		return ds
	}
}

// on says which calls, as somebody on the telephone would.
func on(live *record.Call, p legPair) string {
	switch {
	case forwarded(live, p):
		return " on forwarded calls"
	case p.live.Party == "carrier" || p.live.Party == "trunk":
		return " on calls to the outside"
	}
	return ""
}

func forwarded(live *record.Call, p legPair) bool {
	return len(p.live.Identity.Diversion) > 0 || len(p.live.Identity.History) > 1 || slices.Contains(live.Features, record.FeatureForward)
}

func hidden(a record.Address) bool {
	c := coarse(a)
	return c == classAnonymous || c == classNobody || c == classHost
}

func caller(live *record.Call, p legPair) []Difference {
	l, s := p.live.Identity.From, p.shadow.Identity.From
	if l == s {
		return nil
	}
	d := Difference{From: coarse(l), To: related(l, s), Detail: detail(l, s)}
	d.Kind, d.Words = shown(live, p, l, s)
	return []Difference{d}
}

func shown(live *record.Call, p legPair, l, s record.Address) (kind, words string) {
	switch {
	case hidden(l) && hidden(s):
		return Differs, "a hidden caller is shown in another way" + on(live, p)
	case hidden(s):
		return Lost, "caller ID lost" + on(live, p)
	case hidden(l):
		return Added, "the number of hidden callers is shown" + on(live, p)
	case forwarded(live, p) && (s == live.Called || slices.ContainsFunc(p.live.Identity.Diversion, func(d record.Diverted) bool { return d.Address == s })):
		return Differs, "caller ID lost on forwarded calls" // the forwarder's stands there
	case coarse(l) != coarse(s):
		return Differs, "caller ID is shown in another form" + on(live, p)
	}
	return Differs, "phones show another caller" + on(live, p)
}

func asserted(live *record.Call, p legPair, l, s []record.Address) []Difference {
	lost, added := apart(text(l), text(s))
	switch {
	case len(lost) == 0 && len(added) == 0:
		return nil
	case len(s) == 0:
		return []Difference{{Kind: Lost, From: coarse(l[0]), Words: "caller ID lost" + on(live, p), Detail: some(lost)}}
	case len(l) == 0:
		return []Difference{{Kind: Added, To: coarse(s[0]), Words: "a caller's number is passed on that legacy keeps back" + on(live, p), Detail: some(added)}}
	case len(lost) == 0:
		return []Difference{{Kind: Added, To: coarse(record.Address(added[0])), Words: "one more caller's number is passed on" + on(live, p), Detail: some(added)}}
	case len(added) == 0:
		return []Difference{{Kind: Lost, From: coarse(record.Address(lost[0])), Words: "one of the caller's numbers is lost" + on(live, p), Detail: some(lost)}}
	}
	a, b := record.Address(lost[0]), record.Address(added[0])
	d := Difference{From: coarse(a), To: related(a, b), Detail: detail(a, b)}
	d.Kind, d.Words = shown(live, p, a, b)
	return []Difference{d}
}

// vouched: the dark core passes on what the edge has told it of the caller in place of credentials, which it never tells legacy, and
// that is what both platforms show in From anyway. Nothing is known by it that was not.
func vouched(p legPair) bool {
	l, s := p.live.Identity, p.shadow.Identity
	return len(l.PAI) == 0 && len(s.PAI) == 1 && s.PAI[0] == l.From && s.From == l.From && !hidden(l.From)
}

func privacy(live *record.Call, p legPair) []Difference {
	return sets(p.live.Identity.Privacy, p.shadow.Identity.Privacy,
		"callers who hide their number are no longer hidden"+on(live, p), "callers are hidden who do not want to be"+on(live, p))
}

func diverted(l, s []record.Diverted) []Difference {
	if slices.Equal(l, s) {
		return nil
	}
	d := Difference{From: howMany(len(l)), To: howMany(len(s))}
	switch {
	case len(s) == 0:
		d.Kind, d.Words = Lost, "forwarded calls no longer say who forwarded them"
	case len(l) == 0:
		d.Kind, d.Words = Added, "calls are said to be forwarded that are not on legacy"
	case len(l) != len(s):
		d.Words = "forwarded calls tell another number of forwards"
	default:
		i := 0
		for l[i] == s[i] {
			i++
		}
		d.Detail = strconv.Itoa(i+1) + ": " + detail(l[i].Address, s[i].Address)
		if l[i].Address == s[i].Address {
			d.From, d.To, d.Words = l[i].Reason, s[i].Reason, "forwarded calls tell another reason"
			break
		}
		d.From, d.To = coarse(l[i].Address), related(l[i].Address, s[i].Address)
		d.Words = "forwarded calls name another forwarder"
	}
	return []Difference{d}
}

func name(live *record.Call, p legPair) []Difference {
	switch l, s := p.live.Identity.Named, p.shadow.Identity.Named; {
	case l && !s:
		return []Difference{{Kind: Lost, Words: "the caller's name is no longer shown" + on(live, p)}}
	case s && !l:
		return []Difference{{Kind: Added, Words: "a name is shown that legacy does not show" + on(live, p)}}
	}
	return nil
}

func connected(live, shadow *record.Call) []Difference {
	if !answered(live, shadow) {
		return nil
	}
	l, s := live.Connected, shadow.Connected
	show := func(i record.Identity) []string { return slices.Concat(text(i.PAI), text(i.RPID), i.Privacy) }
	a, b := show(l), show(s)
	lost, added := apart(a, b)
	d := Difference{From: howMany(len(a)), To: howMany(len(b)), Detail: detail(record.Address(some(lost)), record.Address(some(added)))}
	switch {
	case len(lost) == 0 && len(added) == 0:
		return nil
	case len(b) == 0:
		d.Kind, d.Words = Lost, "the caller's phone no longer shows who answered"
	case len(a) == 0:
		d.Kind, d.Words = Added, "the caller's phone shows who answered, which legacy keeps back"
	}
	return []Difference{d}
}
