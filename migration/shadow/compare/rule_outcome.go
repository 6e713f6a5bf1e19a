package compare

import (
	"fmt"
	"slices"
	"strconv"

	"github.com/hotcut/hotcut/migration/shadow/record"
)

// Row "outcome".
func outcomeRules(equal [][2]int) []Rule {
	return []Rule{
		{Name: "outcome", Field: "outcome", Severity: Critical, Words: "calls end otherwise than on legacy", find: outcome},
		{
			Name: "outcome code", Field: "outcome.code", Severity: Minor, Words: "the same outcome is told with another code: phones may show another text",
			find: func(live, shadow *record.Call) []Difference { return outcomeCode(live, shadow, equal) },
		},
	}
}

func outcome(live, shadow *record.Call) []Difference {
	if live.Method != invite && live.Register != nil || alike(live, shadow) {
		return nil // a REGISTER has a row of its own
	}
	l, s := live.Outcome.Class, shadow.Outcome.Class
	return []Difference{{
		From: string(l), To: string(s), Words: outcomeWords(l, s),
		Detail: fmt.Sprintf("%d, core %d", live.Outcome.Code, shadow.Outcome.Code),
	}}
}

// likely is what people say of the outcomes that a customer notices, by legacy's and core's.
var likely = map[[2]record.Class]string{
	{record.Answered, record.Busy}:           "callers hear busy on calls that legacy puts through",
	{record.Answered, record.NoAnswer}:       "calls ring out that legacy puts through",
	{record.Answered, record.Rejected}:       "calls are declined that legacy puts through",
	{record.Answered, record.NotFound}:       "numbers that work on legacy are said not to exist",
	{record.Answered, record.NetworkFailure}: "calls fail that legacy puts through",
	{record.Busy, record.Rejected}:           "busy callers hear 'declined'",
	{record.Busy, record.NoAnswer}:           "callers of a busy phone hear nothing of it and wait",
	{record.Busy, record.Answered}:           "the platform answers calls that legacy does not: the caller pays for them",
	{record.NoAnswer, record.Answered}:       "the platform answers calls that legacy does not: the caller pays for them",
	{record.NotFound, record.Answered}:       "calls go through that legacy refuses",
	{record.Rejected, record.Answered}:       "calls go through that legacy refuses",
}

// outcomeWords are what the customer's people will say when they call.
func outcomeWords(l, s record.Class) string {
	if words := likely[[2]record.Class{l, s}]; words != "" {
		return words
	}
	switch {
	case s == record.Challenged:
		return "callers are asked for a password that legacy does not ask for"
	case l == record.Challenged:
		return "callers get in without the password that legacy asks for"
	case s == record.Cancelled:
		return "calls go on that legacy has ended: " + l.Words()
	case s == record.NetworkFailure:
		return "the platform fails: on legacy " + l.Words()
	}
	return "legacy: " + l.Words() + "; core: " + s.Words()
}

func outcomeCode(live, shadow *record.Call, equal [][2]int) []Difference {
	l, s := live.Outcome.Code, shadow.Outcome.Code
	if live.Register != nil || !alike(live, shadow) || l == s || l == 0 || s == 0 {
		return nil
	}
	if slices.Contains(equal, [2]int{l, s}) || slices.Contains(equal, [2]int{s, l}) {
		return nil
	}
	return []Difference{{From: strconv.Itoa(l), To: strconv.Itoa(s)}}
}
