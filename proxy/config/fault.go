package config

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Fault is one thing wrong with a configuration: where, what, and what to write instead.
type Fault struct {
	Path    string // "listen[0].address"
	Line    int    // in the file; 0 when it is not known
	Problem string
	Fix     string
}

func (f *Fault) Error() string {
	where := f.Path
	if f.Line > 0 {
		where = fmt.Sprintf("line %d: %s", f.Line, f.Path)
	}
	return where + ": " + f.Problem + "; " + f.Fix
}

// Faults takes an error of Decode, Validate or Resolve apart, sorted by line and path. Other errors inside it are left out.
func Faults(err error) []*Fault {
	var out []*Fault
	var walk func(error)
	walk = func(err error) {
		if f, ok := err.(*Fault); ok {
			out = append(out, f)
			return
		}
		switch e := err.(type) {
		case interface{ Unwrap() []error }:
			for _, sub := range e.Unwrap() {
				walk(sub)
			}
		case interface{ Unwrap() error }:
			walk(e.Unwrap())
		}
	}
	walk(err)
	slices.SortStableFunc(out, func(a, b *Fault) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Path, b.Path))
	})
	return out
}

// WithLines fills in the line of every fault in err, from Lines. A key that the file does not have gets the line of
// the section that should have it. It returns err's faults, joined, in the order of the file.
func WithLines(err error, lines map[string]int) error {
	faults := Faults(err)
	if len(faults) == 0 {
		return err
	}
	for _, f := range faults {
		for p := strings.ToLower(f.Path); p != "" && f.Line == 0; p = parent(p) {
			f.Line = lines[p]
		}
	}
	return join(Faults(err))
}

// parent is the path one level up: "a.b[0].c" -> "a.b[0]" -> "a.b" -> "a" -> "".
func parent(path string) string {
	return path[:max(strings.LastIndexAny(path, ".["), 0)]
}

func join(faults []*Fault) error {
	errs := make([]error, len(faults))
	for i, f := range faults {
		errs[i] = f
	}
	return errors.Join(errs...)
}

// quote shows what was written, cut short: it goes to a terminal and may be hostile or huge.
func quote(s string) string {
	if len(s) > 60 {
		return fmt.Sprintf("%q...", s[:60])
	}
	return fmt.Sprintf("%q", s)
}
