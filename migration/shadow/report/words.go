package report

import (
	"fmt"
	"strings"
	"time"

	"github.com/hotcut/hotcut/migration/shadow/compare"
)

// percent writes a share with as many digits as it bears: "0.25", "2.2", "41".
func percent(share float64) string {
	p := 100 * share
	switch {
	case p == 0 || p == 100:
		return fmt.Sprintf("%.0f", p)
	case p < 1 || p > 99:
		return fmt.Sprintf("%.2f", p)
	case p < 10:
		return fmt.Sprintf("%.1f", p)
	}
	return fmt.Sprintf("%.0f", p)
}

// counted is "3 of 402".
func counted(r compare.Rate) string { return fmt.Sprintf("%d of %d", r.Count, r.Of) }

// share is "0.75 %", "-" of nothing.
func share(r compare.Rate) string {
	if r.Of == 0 {
		return "-"
	}
	return percent(r.Share) + " %"
}

// interval is "0.25 to 2.2 %", "-" of nothing.
func interval(r compare.Rate) string {
	if r.Of == 0 {
		return "-"
	}
	return percent(r.Low) + " to " + percent(r.High) + " %"
}

// rate is "3 of 402, 0.75 % (0.25 to 2.2 %)".
func rate(r compare.Rate) string {
	if r.Of == 0 {
		return "none seen"
	}
	return fmt.Sprintf("%s, %s (%s)", counted(r), share(r), interval(r))
}

// span is a duration as people say it: "0.92 s", "85 ms".
func span(d time.Duration) string {
	sign := ""
	if d < 0 {
		sign, d = "-", -d
	}
	switch {
	case d < time.Second:
		return fmt.Sprintf("%s%d ms", sign, d.Milliseconds())
	case d < 10*time.Second:
		return fmt.Sprintf("%s%.2f s", sign, d.Seconds())
	}
	return fmt.Sprintf("%s%.1f s", sign, d.Seconds())
}

// signed is span with its sign: "+0.92 s".
func signed(d time.Duration) string {
	if d > 0 {
		return "+" + span(d)
	}
	return span(d)
}

// moment is a time to the minute, in UTC: a report is read in more than one place.
func moment(t time.Time) string {
	if t.IsZero() || t.Unix() == 0 {
		return "-"
	}
	return t.UTC().Format("2006-01-02 15:04")
}

func nanos(ns int64) string { return moment(time.Unix(0, ns)) }

func day(t time.Time) string {
	if t.IsZero() || t.Unix() == 0 {
		return "-"
	}
	return t.UTC().Format("2006-01-02")
}

// or is s, or none where s is empty.
func or(s, none string) string {
	if s == "" {
		return none
	}
	return s
}

// clean makes one line of text for a terminal out of what anybody may have written: no control characters, no more than n
// runes.
func clean(s string, n int) string {
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r >= 0x7f && r < 0xa0 || r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069 || r == 0x2028 || r == 0x2029 {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, "?"))
	if r := []rune(s); len(r) > n {
		return string(r[:n-1]) + "…"
	}
	return s
}

// noiseWords says what legacy's own variation makes of a difference.
func noiseWords(n compare.Noise) string {
	switch n {
	case compare.IsNoise:
		return "varies as often: noise"
	case compare.IsReal:
		return "does not vary like this"
	}
	return "not decided yet"
}

// stateWords says where a cluster is in its life.
func stateWords(c *compare.ClusterView) string {
	switch {
	case c.Expired:
		return "waiver expired"
	case c.State == compare.StateFixed && c.Triage.Build != "":
		return "fixed in " + c.Triage.Build
	case c.State == compare.StateIntended:
		return "intended until " + day(time.Unix(0, c.Triage.Until))
	}
	return string(c.State)
}
