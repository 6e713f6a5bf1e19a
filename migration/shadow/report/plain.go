package report

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
)

// Table writes a report for a terminal.
func Table(w io.Writer, d *Document) error {
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s   core build %s   %s\n", clean(d.Tenant, 80), buildWords(d), period(d))
	fmt.Fprintf(&b, "%s\n%s\n%s\n", clean(d.Headline, 400), sureWords(d), disclaimer)
	fmt.Fprintf(&b, "compared %s\n", rate(d.Compared))
	for _, s := range sections(d) {
		fmt.Fprintf(&b, "\n%s\n", s.title)
		t := tabwriter.NewWriter(&b, 0, 0, 3, ' ', 0)
		fmt.Fprintln(t, strings.ToUpper(strings.Join(cells(s.head), "\t")))
		for _, row := range s.rows {
			fmt.Fprintln(t, strings.Join(cells(row), "\t"))
		}
		if err := t.Flush(); err != nil {
			return err
		}
		if s.note != "" {
			fmt.Fprintln(&b, s.note)
		}
	}
	for _, n := range d.Notes {
		fmt.Fprintf(&b, "\nnote: %s\n", clean(n, 400))
	}
	if len(d.Next) > 0 {
		fmt.Fprintln(&b, "\nwhat to do")
		for _, n := range d.Next {
			fmt.Fprintf(&b, "  %s\n", clean(n, 400))
		}
	}
	return trimmed(w, &b)
}

// cells are fit for a terminal, whoever wrote them.
func cells(row []string) []string {
	out := make([]string, len(row))
	for i, c := range row {
		out[i] = clean(c, maxCell)
	}
	return out
}

// trimmed writes lines without the blanks that a table leaves at their ends.
func trimmed(w io.Writer, b *bytes.Buffer) error {
	lines := strings.SplitAfter(b.String(), "\n")
	for i, l := range lines {
		if body, ended := strings.CutSuffix(l, "\n"); ended {
			lines[i] = strings.TrimRight(body, " ") + "\n"
		}
	}
	_, err := io.WriteString(w, strings.Join(lines, ""))
	return err
}

// Call writes one call for a terminal: what differs, and both ladders side by side. What only one side has is marked by !.
func Call(w io.Writer, p *Pair) error {
	var b bytes.Buffer
	fmt.Fprintf(&b, "call %s   %s   core build %s   %s UTC\n", clean(p.CallID, 60), clean(p.Scenario, 80), or(clean(p.Build, 60), "not named"), nanos(p.At))
	switch {
	case p.Missing != "":
		fmt.Fprintf(&b, "not compared: %s\n", clean(p.Missing, 200))
	case len(p.Differences) == 0:
		fmt.Fprintln(&b, "no difference")
	}
	t := tabwriter.NewWriter(&b, 0, 0, 3, ' ', 0)
	if len(p.Differences) > 0 {
		fmt.Fprintln(t, "\nSEVERITY\tFIELD\tLEGACY\tCORE\tWHAT")
		for _, x := range p.Differences {
			fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\n", x.Severity, clean(x.Field, 60), or(clean(x.From, 60), "-"), or(clean(x.To, 60), "-"), clean(x.Words, maxWords))
			if x.Detail != "" {
				fmt.Fprintf(t, "\t\t\t\t%s\n", clean(x.Detail, 160))
			}
		}
	}
	if err := t.Flush(); err != nil {
		return err
	}
	live, shadow := ladders(p)
	fmt.Fprintln(&b)
	if err := ladderTable(&b, &live, &shadow); err != nil {
		return err
	}
	return trimmed(w, &b)
}

// ladderTable puts both ladders side by side: what they have in common stands in one row.
func ladderTable(w io.Writer, live, shadow *Ladder) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "LEGACY\t\t\t|\tCORE")
	for l, s := live.Steps, shadow.Steps; len(l) > 0 || len(s) > 0; {
		row := 0
		switch {
		case len(l) == 0:
			row = s[0].Row
		case len(s) == 0:
			row = l[0].Row
		default:
			row = min(l[0].Row, s[0].Row)
		}
		left, right := "\t\t", ""
		if len(l) > 0 && l[0].Row == row {
			left, l = stepWords(live, &l[0]), l[1:]
		}
		if len(s) > 0 && s[0].Row == row {
			right, s = stepWords(shadow, &s[0]), s[1:]
		}
		fmt.Fprintf(t, "%s\t|\t%s\n", left, right)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	for _, x := range []*Ladder{live, shadow} {
		for _, n := range ladderNotes(x) {
			fmt.Fprintf(w, "%s: %s\n", x.Lanes[1], n)
		}
	}
	return nil
}

func stepWords(l *Ladder, s *Step) string {
	what := clean(s.Label, 28)
	if s.SDP {
		what += " +sdp"
	}
	if s.Unexpected {
		what += " (unexpected)"
	}
	mark := ""
	if s.Only {
		mark = "! "
	}
	return fmt.Sprintf("%s\t%s -> %s\t%s%s", span(s.At), l.Lanes[s.From], l.Lanes[s.To], mark, what)
}

func ladderNotes(l *Ladder) []string {
	out := l.Notes
	if len(l.Steps) == 0 {
		out = append(out, "no message of this side is kept")
	}
	if l.Legs > 0 {
		out = append(out, fmt.Sprintf("%d more legs are not shown", l.Legs))
	}
	if l.Cut > 0 {
		out = append(out, fmt.Sprintf("%d more messages are not shown", l.Cut))
	}
	return out
}
