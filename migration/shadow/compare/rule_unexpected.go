package compare

import (
	"maps"
	"slices"

	"github.com/hotcut/hotcut/migration/shadow/record"
)

// Row "unexpected requests, Reason, Warning, Retry-After": type and count, minor, and a BYE that nothing on legacy explains is
// such a request. No other row takes it: the row "outcome" has classes of how a call began ("answered" on both sides), and
// there is no row for how long it lasted or who ended it. It has a field of its own, so that its cluster says in words what the
// called hear, and so that who sees more in it than a cosmetic difference finds it, and can triage it as a bug.
var unexpectedRules = []Rule{
	{Name: "unexpected request", Field: "unexpected", Severity: Minor, Revision: 1, Words: "the platform asks phones for something that legacy does not", find: unexpected},
	{Name: "hang-up", Field: "unexpected.bye", Severity: Minor, Revision: 1, Words: "calls are cut off by the platform", find: hangUp},
	{Name: "reason", Field: "reason", Severity: Minor, Words: "another reason is given", find: func(live, shadow *record.Call) []Difference {
		return multiset(live, shadow, live.Reason, shadow.Reason)
	}},
	{Name: "warning", Field: "warning", Severity: Minor, Words: "another warning is given", find: func(live, shadow *record.Call) []Difference {
		return multiset(live, shadow, numbers(live.Warning), numbers(shadow.Warning))
	}},
	{Name: "retry after", Field: "retry_after", Severity: Minor, Words: "callers are told to try again at another time", find: func(live, shadow *record.Call) []Difference {
		return multiset(live, shadow, numbers(live.RetryAfter), numbers(shadow.RetryAfter))
	}},
}

func unexpected(live, shadow *record.Call) []Difference {
	methods := slices.Sorted(maps.Keys(live.Unexpected))
	for _, m := range slices.Sorted(maps.Keys(shadow.Unexpected)) {
		if _, known := live.Unexpected[m]; !known {
			methods = append(methods, m)
		}
	}
	var ds []Difference
	for _, m := range methods {
		l, s := live.Unexpected[m], shadow.Unexpected[m]
		if m == invite {
			l, s = max(0, l-lastMinute(live)), max(0, s-lastMinute(shadow))
		}
		if l == s || m == "BYE" {
			continue
		}
		ds = append(ds, Difference{From: howMany(l) + " " + m, To: howMany(s) + " " + m})
	}
	return ds
}

// lastMinute counts legs without a counterpart that began when their call was all but over: whether the other side came as far is chance.
func lastMinute(c *record.Call) (n int) {
	for i := range c.Far {
		if l := &c.Far[i]; l.Unexpected && unsettled(c, l) {
			n++
		}
	}
	return n
}

func hangUp(live, shadow *record.Call) []Difference {
	l, s := live.Unexpected["BYE"], shadow.Unexpected["BYE"]
	switch {
	case s > l:
		return []Difference{{Kind: Added, To: "BYE"}}
	case l > s:
		return []Difference{{Kind: Lost, From: "BYE", Words: "calls go on that legacy cuts off"}}
	}
	return nil
}

func multiset(live, shadow *record.Call, l, s []string) []Difference {
	if !alike(live, shadow) || slices.Equal(l, s) {
		return nil
	}
	lost, added := apart(l, s)
	d := Difference{From: some(lost), To: some(added)}
	switch {
	case len(lost) == 0 && len(added) == 0:
		d.From, d.To = howMany(len(l)), howMany(len(s))
	case len(s) == 0:
		d.Kind = Lost
	case len(l) == 0:
		d.Kind = Added
	}
	return []Difference{d}
}
