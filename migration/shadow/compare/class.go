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
	l, c := extensionDigits(a), extensionDigits(b)
	switch _, what, ok := strings.Cut(to, " "); {
	case from != to || !ok:
		return to
	case l == c:
		return "another " + what
	}
	n, what := l-c, "less"
	if n < 0 {
		n, what = -n, "more"
	}
	digits := "digits"
	if n == 1 {
		digits = "digit"
	}
	return fmt.Sprintf("%s with %d %s %s", to, n, digits, what)
}

// extensionDigits of "x3~token"; 0 for anything else: how long a number of E.164 is, its token hides.
func extensionDigits(a record.Address) int {
	open, _, ok := strings.Cut(string(a), "~")
	if !ok || !strings.HasPrefix(open, "x") {
		return 0
	}
	n, err := strconv.Atoi(open[1:])
	if err != nil {
		return 0
	}
	return n
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
