package report

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/hotcut/hotcut/migration/shadow/compare"
)

// section is a part of a report that is a table, for the forms that are plain text.
type section struct {
	title string
	note  string
	head  []string
	rows  [][]string
}

// Bounds of the plain forms; the HTML has all that the summary has.
const (
	maxClusters  = 20
	maxScenarios = 20
	maxWords     = 90  // runes of a sentence in a table
	maxCell      = 160 // runes of anything else
)

// sections are the tables of a report, in the order in which they are read. What is empty is left out.
func sections(d *Document) []section {
	var out []section
	for _, s := range []section{severities(d), clusters(d), outcomes(d), times(d), coverage(d), trend(d), waivers(d), variation(d), gaps(d)} {
		if len(s.rows) > 0 || s.note != "" {
			out = append(out, s)
		}
	}
	return out
}

func severities(d *Document) section {
	s := section{title: "differences by severity", head: []string{"severity", "calls", "share", "95 % interval"}}
	for _, x := range d.Severities {
		s.rows = append(s.rows, []string{x.Severity.String(), counted(x.Rate), share(x.Rate), interval(x.Rate)})
	}
	if d.Exempt > 0 {
		s.rows = append(s.rows, []string{"exempt", strconv.FormatUint(d.Exempt, 10), "", "waived or noise: counted above neither as a call nor as a difference"})
	}
	return s
}

func clusters(d *Document) section {
	s := section{title: "what differs", head: []string{"cluster", "severity", "state", "calls", "share", "95 % interval", "scenario", "what"}}
	for i := range d.Clusters {
		c := &d.Clusters[i]
		if i == maxClusters {
			s.note = fmt.Sprintf("and %d more: all are in the html and json forms", len(d.Clusters)-i)
			break
		}
		s.rows = append(s.rows, []string{string(c.ID), c.Severity.String(), stateWords(c), counted(c.Share), share(c.Share), interval(c.Share),
			clean(c.Scenario, 48), clean(c.Words, maxWords)})
	}
	return s
}

func outcomes(d *Document) section {
	m := matrixOf(d.Outcomes)
	s := section{title: fmt.Sprintf("how calls ended: legacy in rows, core in columns (%d calls)", m.N), head: []string{"legacy \\ core"}}
	for _, class := range m.Shadow {
		s.head = append(s.head, clean(class, 20))
	}
	for i, live := range m.Live {
		row := []string{clean(live, 20)}
		for _, c := range m.Cells[i] {
			row = append(row, cellWords(c))
		}
		s.rows = append(s.rows, row)
	}
	return s
}

func cellWords(c compare.Cell) string {
	if c.N == 0 {
		return "."
	}
	return fmt.Sprintf("%d (%s)", c.N, interval(c.Rate))
}

func times(d *Document) section {
	s := section{title: "how long it took: medians with 95 % intervals", head: []string{"time", "class", "legacy", "core", "core later by", "severity"}}
	side := func(q compare.Quantiles) string {
		if q.N == 0 {
			return "none seen"
		}
		return fmt.Sprintf("%s (%s to %s, n %d)", span(q.Median), span(q.Low), span(q.High), q.N)
	}
	for _, t := range d.Times {
		sev := "-"
		if t.Severity != compare.None {
			sev = t.Severity.String()
		}
		s.rows = append(s.rows, []string{t.Name, t.Class, side(t.Live), side(t.Shadow), shiftWords(&t), sev})
	}
	return s
}

func shiftWords(t *compare.TimeView) string {
	if t.Live.N == 0 || t.Shadow.N == 0 {
		return "-"
	}
	return fmt.Sprintf("%s (%s to %s)", signed(t.Shift), signed(t.ShiftLow), signed(t.ShiftHigh))
}

func coverage(d *Document) section {
	c := &d.Coverage
	s := section{title: "what was seen", head: []string{"scenario", "calls", "compared", "enough"}}
	if len(c.Scenarios) > 0 {
		s.note = coverageWords(c)
	}
	for i, x := range c.Scenarios {
		if i == maxScenarios {
			s.note += fmt.Sprintf("; %d more scenarios in the html and json forms", len(c.Scenarios)-i)
			break
		}
		enough := "yes"
		if !x.Enough {
			enough = "no"
		}
		s.rows = append(s.rows, []string{clean(x.Scenario, 60), strconv.FormatUint(x.N, 10), strconv.FormatUint(x.Compared, 10), enough})
	}
	return s
}

func coverageWords(c *compare.Coverage) string {
	w := ""
	if c.Calls > 0 {
		w = fmt.Sprintf("%d of %d scenarios compared %d times or more; of %d calls %d were the only one of their kind, so about %s %% of calls to come are of a kind never seen; ",
			c.Enough, c.Seen, compare.CoverageEnough, c.Calls, c.Once, percent(min(c.Unseen, 1)))
	}
	switch {
	case !c.Known:
		return w + "provisioned features: not known to the policy"
	case len(c.NeverSeen) == 0:
		return w + "each provisioned feature was used"
	}
	return w + "provisioned but never used: " + clean(strings.Join(c.NeverSeen, ", "), 200)
}

func trend(d *Document) section {
	s := section{title: "core build by build", head: []string{"build", "first call", "last call"}}
	for _, v := range compare.Severities {
		s.head = append(s.head, v.String())
	}
	for _, b := range d.Builds {
		row := []string{or(clean(b.Build, 40), "(not named)"), moment(b.First), moment(b.Last)}
		for _, v := range compare.Severities {
			row = append(row, rate(rateOf(b.Severities, v)))
		}
		s.rows = append(s.rows, row)
	}
	return s
}

func rateOf(list []compare.SeverityRate, s compare.Severity) compare.Rate {
	for _, x := range list {
		if x.Severity == s {
			return x.Rate
		}
	}
	return compare.Rate{}
}

func waivers(d *Document) section {
	s := section{title: "waived by name", head: []string{"cluster", "until", "by", "reason", "what"}}
	for _, w := range d.Waivers {
		until := day(w.Until)
		if w.Expired {
			until += " (expired)"
		}
		s.rows = append(s.rows, []string{string(w.ID), until, clean(w.By, 40), clean(w.Reason, maxWords), clean(w.Words, maxWords)})
	}
	return s
}

func variation(d *Document) section {
	s := section{title: "legacy against itself", head: []string{"scenario", "field", "triples", "only core differs", "only legacy differs", "both", "verdict"}}
	for i, v := range d.Variation {
		if i == maxScenarios {
			s.note = fmt.Sprintf("and %d more in the html and json forms", len(d.Variation)-i)
			break
		}
		s.rows = append(s.rows, []string{clean(v.Scenario, 48), v.Field, strconv.FormatUint(v.N, 10), rate(compare.NewRate(v.OnlyCore, v.N)),
			rate(compare.NewRate(v.OnlyLegacy, v.N)), rate(compare.NewRate(v.Both, v.N)), noiseWords(v.Noise)})
	}
	return s
}

// gaps are the calls that are not in the comparison, each under its reason.
func gaps(d *Document) section {
	s := section{title: "not compared, by reason", head: []string{"what", "reason", "calls", "share", "95 % interval"}}
	for _, list := range []struct {
		what string
		of   []compare.Counted
	}{{"missing", d.Missing}, {"dropped", d.Dropped}, {"table full", d.Overflow}} {
		for _, c := range list.of {
			s.rows = append(s.rows, []string{list.what, clean(c.Name, 60), strconv.FormatUint(c.N, 10), share(c.Rate), interval(c.Rate)})
		}
	}
	return s
}

// period is the time that a report is about.
func period(d *Document) string {
	if d.From.IsZero() || d.From.Unix() == 0 {
		return "no call yet"
	}
	return moment(d.From) + " to " + moment(d.To) + " UTC"
}

func buildWords(d *Document) string { return or(clean(d.Build, 60), "not named") }

// sureWords is how sure, with what it rests on.
func sureWords(d *Document) string {
	if d.Sure != "" {
		return clean(d.Sure, 400)
	}
	if d.Compared.Of == 0 {
		return "nothing is known yet"
	}
	return rate(d.Compared) + " of the sampled calls were compared"
}
