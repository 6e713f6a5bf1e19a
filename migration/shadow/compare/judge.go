package compare

import (
	"slices"
	"time"

	"github.com/hotcut/hotcut/migration/shadow/record"
)

// Why a verdict has nothing to compare, beside what a record's own Missing says.
const (
	MissingCrossed    = "crossed"                  // the caller gave up in the second in which it was answered: either outcome is right
	MissingState      = record.NoteShare           // busy, hunt and park, with less than all traffic mirrored
	MissingChallenged = record.NoteChallenged      // no credentials: what follows the challenge was not seen
	MissingSide       = "no record"                // one side has none
	MissingScenario   = "different first requests" // a REGISTER against an INVITE: the two were never the same call
)

// tolerance is within which two moments of two platforms are the same.
const tolerance = time.Second

// Compare returns what the rules find, in their order, each cluster once. It is pure.
func Compare(live, shadow *record.Call, rules []Rule) []Difference {
	var found []Difference
	seen := make(map[Key]bool)
	for i := range rules {
		r := &rules[i]
		for _, d := range r.find(live, shadow) {
			if d.Field == "" {
				d.Field = r.Field
			}
			if d.Kind == "" {
				d.Kind = Differs
			}
			if d.Severity == None {
				d.Severity = r.Severity
			}
			if d.Words == "" {
				d.Words = r.Words
			}
			if k := d.Key(""); !seen[k] {
				seen[k] = true
				found = append(found, d)
			}
		}
	}
	return found
}

// Judge makes the verdict of one call: whether there is something to compare, and what differs. It is pure, and sets
// everything that the two records tell.
func Judge(live, shadow *record.Call, rules []Rule) *Verdict {
	v := &Verdict{Live: live, Shadow: shadow}
	if live != nil {
		v.Tenant, v.Profile, v.Edge, v.Rev = live.Tenant, live.Profile, live.Edge, live.Rev
		v.Scenario, v.CallID, v.At, v.Pair = string(live.Scenario()), live.ID, live.At, pairOf(live)
	}
	if shadow != nil {
		v.Build = shadow.Build
	}
	challenge := false
	if v.Missing, challenge = missing(live, shadow); v.Missing != "" {
		if !challenge {
			return v
		}
		// What was asked for can be compared all the same.
		var asked []Rule
		for _, r := range rules {
			if r.challenge {
				asked = append(asked, r)
			}
		}
		if v.Differences = Compare(live, shadow, asked); len(v.Differences) > 0 {
			v.Missing = ""
		}
		return v
	}
	v.Differences = Compare(live, shadow, rules)
	v.Times = timesOf(live, shadow)
	return v
}

// missing says why the two can not be compared; challenge: but for what was asked for.
func missing(live, shadow *record.Call) (why string, challenge bool) {
	switch {
	case live == nil || shadow == nil:
		return MissingSide, false
	case live.Missing != "":
		return live.Missing, false
	case shadow.Missing != "":
		return shadow.Missing, false
	case live.Method != shadow.Method:
		return MissingScenario, false
	case shadow.Outcome.Class == record.Challenged && live.Outcome.Class != record.Challenged && noted(shadow, record.NoteChallenged):
		return MissingChallenged, true
	case (noted(live, record.NoteShare) || noted(shadow, record.NoteShare)) && (stateful(live) || stateful(shadow)):
		return MissingState, false
	case crossed(live, shadow):
		return MissingCrossed, false
	}
	return "", false
}

func noted(c *record.Call, note string) bool { return slices.Contains(c.Notes, note) }

// stateful: what came of it depends on other calls of the tenant.
func stateful(c *record.Call) bool {
	return c.Outcome.Class == record.Busy || slices.Contains(c.Features, record.FeatureHunt) || slices.Contains(c.Features, record.FeaturePark)
}

// crossed: a CANCEL met an answer on the wire, on one side or the other.
func crossed(live, shadow *record.Call) bool {
	switch l, s := live.Outcome.Class, shadow.Outcome.Class; {
	case l == record.Cancelled && s == record.Answered:
		return live.Times.Final > 0 && shadow.Times.Answer >= live.Times.Final-tolerance
	case l == record.Answered && s == record.Cancelled:
		return live.End.By == "caller" && live.End.After <= tolerance
	}
	return false
}

// pairOf is who called whom, in tokens; "": somebody without a number, whose next call is nobody's redial.
func pairOf(c *record.Call) string {
	if a := coarse(c.Caller); a == classNobody || a == classAnonymous {
		return ""
	}
	return c.Method + " " + string(c.Caller) + ">" + string(c.Called)
}

// timesOf are the times that both sides have, of calls that ended alike: an early failure is no fast answer.
func timesOf(live, shadow *record.Call) []Time {
	if live.Outcome.Class != shadow.Outcome.Class {
		return nil
	}
	var both []Time
	for _, t := range []Time{
		{TimeFirst, live.Times.FirstAnswer, shadow.Times.FirstAnswer},
		{TimeRing, live.Times.Ring, shadow.Times.Ring},
		{TimeAnswer, live.Times.Answer, shadow.Times.Answer},
	} {
		if t.Live > 0 && t.Shadow > 0 {
			both = append(both, t)
		}
	}
	return both
}
