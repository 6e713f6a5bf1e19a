package compare

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/hotcut/hotcut/migration/shadow/record"
)

// Classes of addresses. They are few on purpose: a fault that meets a thousand numbers is one cluster.
const (
	classNumber    = "a number"
	classExtension = "an extension"
	classCode      = "a feature code"
	classAnonymous = "anonymous"
	className      = "a name"
	classHost      = "a host"
	classNobody    = "nobody"
)

func coarse(a record.Address) string {
	s := string(a)
	_, _, token := strings.Cut(s, "~")
	switch {
	case s == "":
		return classNobody
	case s[0] == '+':
		return classNumber
	case s[0] == '*' || s[0] == '#':
		return classCode
	case token && s[0] == 'x':
		return classExtension
	case token:
		return className
	case slices.Contains([]string{"anonymous", "restricted", "unavailable", "unknown", "private"}, s):
		return classAnonymous
	case strings.ContainsAny(s, ".:"):
		return classHost
	}
	return clean(s) // a name that is nobody's: "voicemail"
}

// related says what b is, seen from a which it should have been.
func related(a, b record.Address) string {
	from, to := coarse(a), coarse(b)
	_, what, ok := strings.Cut(to, " ")
	if from != to || !ok {
		return to
	}
	n := 0
	if to == classExtension && a.Digits() > 0 && b.Digits() > 0 {
		n = a.Digits() - b.Digits()
	}
	switch {
	case n == 0:
		return "another " + what
	case n == 1 || n == -1:
		return fmt.Sprintf("%s with 1 digit %s", to, lessOrMore(n))
	}
	return fmt.Sprintf("%s with %d digits %s", to, max(n, -n), lessOrMore(n))
}

// translated is related for what a dialled number came out as. Numbers in E.164 of one country and area are compared by their length too:
// of those that came out otherwise some are the same but for a digit.
func translated(a, b record.Address) string {
	switch n := tooShort(a, b); {
	case n == 0 || coarse(a) != classNumber:
		return related(a, b)
	case n == 1 || n == -1:
		return fmt.Sprintf("%s with 1 digit %s", classNumber, lessOrMore(n))
	default:
		return fmt.Sprintf("%s with digits %s", classNumber, lessOrMore(n)) // by how many is no cluster of its own
	}
}

// tooShort is by how many digits b is shorter than a, of two numbers or two extensions; 0: nobody knows, or they are as long.
func tooShort(a, b record.Address) int {
	if coarse(a) != coarse(b) || coarse(a) == classNumber && !a.Within(b) || a.Digits() == 0 || b.Digits() == 0 {
		return 0
	}
	return a.Digits() - b.Digits()
}

func lessOrMore(n int) string {
	if n > 0 {
		return "less"
	}
	return "more"
}

// howLong is a class of a distance in time. A ring is 4 to 6 seconds: no limit is among them.
func howLong(d time.Duration) string {
	switch d = d.Abs(); {
	case d <= 3*time.Second:
		return "1-3 s"
	case d <= 8*time.Second:
		return "3-8 s"
	case d <= 20*time.Second:
		return "8-20 s"
	}
	return "over 20 s"
}

// howMany is a class of a count.
func howMany(n int) string {
	switch {
	case n <= 1:
		return strconv.Itoa(max(n, 0))
	case n <= 4:
		return "2-4"
	}
	return "5 or more"
}

// apart are two sets' own elements, sorted.
func apart(live, shadow []string) (lost, added []string) {
	for _, s := range live {
		if !slices.Contains(shadow, s) {
			lost = append(lost, s)
		}
	}
	for _, s := range shadow {
		if !slices.Contains(live, s) {
			added = append(added, s)
		}
	}
	slices.Sort(lost)
	slices.Sort(added)
	return slices.Compact(lost), slices.Compact(added)
}

// sets compares two sets of words: what legacy has alone, and what the core has alone, are a difference each.
func sets(live, shadow []string, lostWords, addedWords string) []Difference {
	var ds []Difference
	lost, added := apart(live, shadow)
	if len(lost) > 0 {
		ds = append(ds, Difference{Kind: Lost, From: some(lost), Words: lostWords})
	}
	if len(added) > 0 {
		ds = append(ds, Difference{Kind: Added, To: some(added), Words: addedWords})
	}
	return ds
}

// some of a list: the classes of a cluster stay short.
func some(list []string) string {
	const most = 4
	if len(list) > most {
		return strings.Join(list[:most], " ") + " and others"
	}
	return strings.Join(list, " ")
}

func text[S ~string](list []S) []string {
	out := make([]string, len(list))
	for i, s := range list {
		out[i] = string(s)
	}
	return out
}

func numbers(list []int) []string {
	out := make([]string, len(list))
	for i, n := range list {
		out[i] = strconv.Itoa(n)
	}
	return out
}

func alike(live, shadow *record.Call) bool { return live.Outcome.Class == shadow.Outcome.Class }

func answered(live, shadow *record.Call) bool {
	return live.Outcome.Class == record.Answered && alike(live, shadow)
}
