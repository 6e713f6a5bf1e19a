package main

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/hotcut/hotcut/migration"
)

// plural counts: "1 edge", "3 edges", "0 calls".
func plural(n int, noun string) string {
	switch {
	case n == 1:
		return "1 " + noun
	case strings.HasSuffix(noun, "y"):
		return fmt.Sprintf("%d %sies", n, strings.TrimSuffix(noun, "y"))
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// list names a few and counts the rest.
func list(names []string, show int) string {
	if len(names) <= show {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:show], ", "), len(names)-show)
}

// stamp is a time as tables show it: local, to the second.
func stamp(unixMs int64) string {
	if unixMs == 0 {
		return "-"
	}
	return time.UnixMilli(unixMs).Format("2006-01-02 15:04:05")
}

// ago is how long before now something was, "never" for no time at all.
func (a *app) ago(unixMs int64) string { return agoAt(a.now(), unixMs) }

// agoAt is ago as it was at a time: what a look found is as old as it was then.
func agoAt(at time.Time, unixMs int64) string {
	if unixMs == 0 {
		return "never"
	}
	return migration.Ago(at.Sub(time.UnixMilli(unixMs))) + " ago"
}

// when is ago, for times that need not be known.
func (a *app) when(unixMs int64) string {
	if unixMs == 0 {
		return "-"
	}
	return a.ago(unixMs)
}

// dash stands for what is empty.
func dash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

// drains says what still runs on the side that was left: "5 calls draining on core (oldest 11m02s)". Where it is of more
// than one tenant, each is named.
func (a *app) drains(list []migration.Drain) []string {
	var out []string
	several := slices.ContainsFunc(list, func(d migration.Drain) bool { return d.Tenant != list[0].Tenant })
	for _, d := range list {
		if d.Count == 0 && !d.AtLeast {
			continue
		}
		s := plural(d.Count, "call")
		if d.AtLeast {
			s = "at least " + s
		}
		if several {
			s += " of " + dash(d.Tenant)
		}
		s += " draining on " + d.Platform.String()
		if d.Oldest != 0 {
			s += " (oldest " + migration.Ago(a.now().Sub(time.UnixMilli(d.Oldest))) + ")"
		}
		out = append(out, s)
	}
	return out
}

func durationMs(ms int64) time.Duration { return time.Duration(ms) * time.Millisecond }
