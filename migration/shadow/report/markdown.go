package report

import (
	"bytes"
	"fmt"
	"io"
	"strings"
)

// maxMarkdownCalls is how many clusters come with an example call: the rest is in the HTML.
const maxMarkdownCalls = 5

// Markdown writes a report for a ticket or a wiki.
func Markdown(w io.Writer, d *Document) error {
	var b bytes.Buffer
	fmt.Fprintf(&b, "# What would core have done for %s?\n\n", escaped(clean(d.Tenant, 80)))
	fmt.Fprintf(&b, "**%s**\n\n%s\n\n%s\n\n", escaped(clean(d.Headline, 400)), escaped(sureWords(d)), disclaimer)
	fmt.Fprintf(&b, "Core build %s, %s. Compared: %s.\n", escaped(buildWords(d)), period(d), rate(d.Compared))
	for _, s := range sections(d) {
		fmt.Fprintf(&b, "\n## %s\n\n", escaped(upper(s.title)))
		if len(s.rows) > 0 {
			fmt.Fprintf(&b, "| %s |\n|%s\n", strings.Join(each(cells(s.head)), " | "), strings.Repeat(" --- |", len(s.head)))
			for _, row := range s.rows {
				fmt.Fprintf(&b, "| %s |\n", strings.Join(each(cells(row)), " | "))
			}
		}
		if s.note != "" {
			fmt.Fprintf(&b, "\n%s.\n", escaped(upper(s.note)))
		}
		if s.title == "what differs" {
			if err := markdownCalls(&b, d); err != nil {
				return err
			}
		}
	}
	for _, n := range d.Notes {
		fmt.Fprintf(&b, "\n> %s\n", escaped(clean(n, 400)))
	}
	if len(d.Next) > 0 {
		fmt.Fprint(&b, "\n## What to do\n\n")
		for _, n := range d.Next {
			fmt.Fprintf(&b, "1. %s\n", escaped(clean(n, 400)))
		}
	}
	_, err := w.Write(b.Bytes())
	return err
}

func markdownCalls(b *bytes.Buffer, d *Document) error {
	shown := 0
	for i := range d.Clusters {
		c := &d.Clusters[i]
		p := d.Examples[c.ID]
		if p == nil || shown == maxMarkdownCalls {
			continue
		}
		shown++
		live, shadow := ladders(p)
		var drawn, lines bytes.Buffer
		if err := ladderTable(&drawn, &live, &shadow); err != nil {
			return err
		}
		if err := trimmed(&lines, &drawn); err != nil {
			return err
		}
		fmt.Fprintf(b, "\n### %s: %s\n\n", escaped(string(c.ID)), escaped(clean(c.Words, maxWords)))
		// An indented block has no end that a message could write.
		for line := range strings.Lines(lines.String()) {
			fmt.Fprintf(b, "    %s", line)
		}
	}
	return nil
}

func each(cells []string) []string {
	out := make([]string, len(cells))
	for i, c := range cells {
		out[i] = or(escaped(c), " ")
	}
	return out
}

// escaped takes every meaning from the characters that have one in Markdown, or in the HTML that may stand in it.
func escaped(s string) string {
	var b strings.Builder
	for _, r := range s {
		switch r {
		case '\\', '`', '*', '_', '[', ']', '<', '>', '|', '#', '~', '!', '&', '$':
			b.WriteByte('\\')
		case ':': // a bare address becomes a link: this one does not
			if strings.HasSuffix(b.String(), "http") || strings.HasSuffix(b.String(), "https") {
				b.WriteByte('\\')
			}
		}
		b.WriteRune(r)
	}
	return b.String()
}

func upper(s string) string {
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}
