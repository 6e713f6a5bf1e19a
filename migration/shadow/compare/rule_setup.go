package compare

import (
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/hotcut/hotcut/migration/shadow/record"
)

// Row "early media, 100rel, session timer, Require/Supported that change behaviour".
var setupRules = []Rule{
	{Name: "early media", Field: "early.media", Severity: Major, Revision: 1, Words: "what callers hear before an answer", find: earlyMedia},
	{Name: "ringing", Field: "early.codes", Severity: Major, Revision: 1, Words: "callers are told otherwise that it rings", find: ringing},
	{Name: "100rel", Field: "rel100", Severity: Major, Revision: 1, Words: "ringing is told reliably, or not", find: rel100},
	{Name: "session timer", Field: "timer", Severity: Major, Words: "calls are kept alive otherwise", find: func(live, shadow *record.Call) []Difference {
		if !answered(live, shadow) {
			return nil
		}
		return timer(live.Timer, shadow.Timer, "")
	}},
	{Name: "far session timer", Field: "far.timer", Severity: Major, Words: "calls are kept alive otherwise at the called phone", find: perLeg(func(_ *record.Call, p legPair) []Difference {
		return timer(p.live.Timer, p.shadow.Timer, " at the called phone")
	})},
	{Name: "require", Field: "require", Severity: Major, Words: "phones are required to do something else", find: func(live, shadow *record.Call) []Difference {
		if !alike(live, shadow) {
			return nil
		}
		return sets(live.Require, shadow.Require, "phones are no longer required to do what legacy requires", "phones are required to do what legacy does not: some will refuse the call")
	}},
	{Name: "supported", Field: "supported", Severity: Major, Words: "other features are offered to phones", find: func(live, shadow *record.Call) []Difference {
		if !alike(live, shadow) {
			return nil
		}
		return sets(live.Supported, shadow.Supported, "a feature is no longer offered to the caller's phone", "a feature is offered to the caller's phone that legacy does not offer")
	}},
	{Name: "far require", Field: "far.require", Severity: Major, Words: "called phones are required to do something else", find: perLeg(func(_ *record.Call, p legPair) []Difference {
		return sets(p.live.Require, p.shadow.Require, "called phones are no longer required to do what legacy requires", "called phones are required to do what legacy does not: some will refuse the call")
	})},
	{Name: "far supported", Field: "far.supported", Severity: Major, Words: "other features are offered to called phones", find: perLeg(func(_ *record.Call, p legPair) []Difference {
		return sets(p.live.Supported, p.shadow.Supported, "a feature is no longer offered to called phones", "a feature is offered to called phones that legacy does not offer")
	})},
}

// brief is for how long nobody hears anything: a 180 and the answer that follows so soon may overtake each other, and the second is then
// all that there is.
const brief = 100 * time.Millisecond

// rang is for how long a call rang before its end or its answer; 0: it did not.
func rang(c *record.Call) time.Duration {
	from := c.Times.Ring
	switch {
	case len(c.Early.Codes) == 0:
		return 0
	case c.Times.Final == 0:
		return math.MaxInt64 // it rings on
	case from == 0:
		from = c.Times.FirstAnswer // 181, 182: it was said that something happens
	}
	return c.Times.Final - from
}

// settled: the caller had the time to hear something, and did not give up in the very second in which it might have.
func settled(live, shadow *record.Call) bool {
	if !alike(live, shadow) || max(rang(live), rang(shadow)) < brief {
		return false
	}
	if live.Outcome.Class != record.Cancelled {
		return true
	}
	since := max(live.Times.Ring, shadow.Times.Ring)
	return since > 0 && live.Times.Final > since+tolerance
}

func earlyMedia(live, shadow *record.Call) []Difference {
	if !settled(live, shadow) {
		return nil
	}
	switch l, s := live.Early.Media != nil, shadow.Early.Media != nil; {
	case l && !s:
		return []Difference{{Kind: Lost, Words: "callers no longer hear announcements before an answer (early media)"}}
	case s && !l:
		return []Difference{{Kind: Added, Words: "callers hear the platform before an answer where legacy lets their phone ring (early media)"}}
	}
	return nil
}

func ringing(live, shadow *record.Call) []Difference {
	if !settled(live, shadow) {
		return nil
	}
	l, s := numbers(live.Early.Codes), numbers(shadow.Early.Codes)
	lost, added := apart(l, s)
	if len(lost) == 0 && len(added) == 0 {
		return nil
	}
	d := Difference{From: strings.Join(l, " "), To: strings.Join(s, " ")}
	switch {
	case len(s) == 0:
		d.Kind, d.Words = Lost, "callers hear no ringing"
	case len(l) == 0:
		d.Kind, d.Words = Added, "callers hear ringing where legacy is silent"
	}
	return []Difference{d}
}

func rel100(live, shadow *record.Call) []Difference {
	if !settled(live, shadow) || len(live.Early.Codes) == 0 || len(shadow.Early.Codes) == 0 {
		return nil
	}
	switch {
	case live.Rel100 && !shadow.Rel100:
		return []Difference{{Kind: Lost, Words: "ringing is no longer told reliably: announcements may be cut (100rel)"}}
	case shadow.Rel100 && !live.Rel100:
		return []Difference{{Kind: Added, Words: "phones must confirm ringing, which legacy does not ask for (100rel)"}}
	}
	return nil
}

func timer(l, s record.SessionTimer, where string) []Difference {
	told := func(t record.SessionTimer) string {
		if t.Expires == 0 {
			return "none"
		}
		return strings.TrimSpace(strconv.Itoa(t.Expires) + " s " + t.Refresher)
	}
	switch {
	case l.Expires == 0 && s.Expires == 0:
		return nil
	case s.Expires == 0:
		return []Difference{{Kind: Lost, From: told(l), To: told(s), Words: "calls whose other end is gone are no longer noticed (session timer)" + where}}
	case l.Expires == 0:
		return []Difference{{Kind: Added, From: told(l), To: told(s), Words: "calls end unless phones refresh them, which legacy does not ask for (session timer)" + where}}
	case within10Percent(l.Expires, s.Expires) && l.Refresher == s.Refresher:
		return nil
	}
	return []Difference{{From: told(l), To: told(s), Words: "calls are refreshed otherwise (session timer)" + where}}
}

func within10Percent(a, b int) bool { return 10*max(a-b, b-a) <= max(a, b) }

// Row "auto-answer and ring headers".
var alertRules = []Rule{
	{Name: "ring", Field: "far.alert", Severity: Major, Words: "phones ring otherwise", find: perLeg(func(_ *record.Call, p legPair) []Difference {
		return alerts(p.live.Alert, p.shadow.Alert)
	})},
	{Name: "caller's ring", Field: "alert", Severity: Major, Words: "the caller's phone signals otherwise", find: func(live, shadow *record.Call) []Difference {
		if !alike(live, shadow) {
			return nil
		}
		ds := alerts(live.Alert, shadow.Alert)
		for i := range ds {
			ds[i].Words = "the caller's phone signals otherwise"
		}
		return ds
	}},
}

func alerts(live, shadow []record.Alert) []Difference {
	l, s := told(live), told(shadow)
	lost, added := apart(l, s)
	if len(lost) == 0 && len(added) == 0 {
		return nil
	}
	d := Difference{From: some(lost), To: some(added), Words: "phones ring with another melody"}
	switch auto := slices.ContainsFunc[[]string]; {
	case auto(l, autoAnswer) && !auto(s, autoAnswer):
		d.Kind, d.Words = Lost, "intercom calls are no longer answered by the phone itself"
	case auto(s, autoAnswer) && !auto(l, autoAnswer):
		d.Kind, d.Words = Added, "phones answer by themselves where they ring on legacy"
	case len(added) == 0:
		d.Kind, d.Words = Lost, "phones no longer ring with a melody of their own"
	case len(lost) == 0:
		d.Kind, d.Words = Added, "phones ring with a melody of their own that legacy does not ask for"
	}
	return []Difference{d}
}

func told(alerts []record.Alert) []string {
	out := make([]string, 0, len(alerts))
	for _, a := range alerts {
		out = append(out, strings.TrimSpace(a.Header+": "+strings.Join(slices.Concat([]string{a.Ring}, a.Params), ";")))
	}
	return out
}

func autoAnswer(alert string) bool {
	for _, word := range []string{"answer", "intercom"} {
		if strings.Contains(strings.ToLower(alert), word) {
			return true
		}
	}
	return false
}
