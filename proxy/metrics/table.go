package metrics

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Table documents every registered metric as a Markdown table, by name. README holds it, and a test compares both.
func (s *Set) Table() string {
	s.mu.Lock()
	docs := slices.Clone(s.docs)
	s.mu.Unlock()
	slices.SortFunc(docs, func(a, b doc) int { return cmp.Compare(a.name, b.name) })
	var b strings.Builder
	b.WriteString("| metric | kind | unit | labels | meaning |\n|---|---|---|---|---|\n")
	for _, d := range docs {
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s | %s |\n", d.name, d.kind, d.unit, d.labelCell(), d.meaning)
	}
	return b.String()
}

// labelCell lists each label with the values that it can have, in the order of registration.
func (d *doc) labelCell() string {
	var out []string
	for i, name := range d.labels {
		var values []string
		for _, v := range d.values {
			if v = strings.Split(v, ",")[i]; !slices.Contains(values, v) {
				values = append(values, v)
			}
		}
		cell := "`" + name + "`"
		if len(values) > 0 {
			cell += ": " + strings.Join(values, ", ")
		}
		out = append(out, cell)
	}
	return cmp.Or(strings.Join(out, "; "), "-")
}

// Names lists every registered metric, sorted: what a dashboard may name.
func (s *Set) Names() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []string
	for _, d := range s.docs {
		out = append(out, d.name)
	}
	slices.Sort(out)
	return out
}
