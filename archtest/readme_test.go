package archtest

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

func read1(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile("../" + name)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// Every module that our code or our tools use stands in the README's table with a reason, and nothing else does.
func TestDependenciesAreExplained(t *testing.T) {
	required := modules(read1(t, "go.mod"))
	used := map[string]bool{"honnef.co/go/tools": true, "golang.org/x/vuln": true} // go.mod's tool lines
	for _, p := range tree(t) {
		for _, f := range p.files {
			for _, imported := range f.foreign {
				if m := moduleOf(imported, required); m != "" {
					used[m] = true
				} else {
					t.Errorf("%s imports %s, which go.mod does not require", f.name, imported)
				}
			}
		}
	}
	explained := make(map[string]bool)
	for _, row := range regexp.MustCompile("(?m)^\\| `([^`]+)` \\| \\S.*\\|$").FindAllStringSubmatch(section(read1(t, "README.md"), "Dependencies"), -1) {
		explained[row[1]] = true
	}
	for m := range used {
		if !explained[m] {
			t.Errorf("README.md, Dependencies: %s is used and not explained", m)
		}
	}
	for m := range explained {
		if !used[m] {
			t.Errorf("README.md, Dependencies: %s is explained and not used", m)
		}
	}
}

// modules reads the module paths of go.mod's require lines.
func modules(gomod string) []string {
	var list []string
	for _, m := range regexp.MustCompile(`(?m)^(?:require)?\s+([a-zA-Z0-9./_!-]+\.[a-zA-Z0-9./_!-]+) v\S+`).FindAllStringSubmatch(gomod, -1) {
		list = append(list, m[1])
	}
	return list
}

// moduleOf is the longest required module that an import path lies in.
func moduleOf(imported string, required []string) string {
	longest := ""
	for _, m := range required {
		if (imported == m || strings.HasPrefix(imported, m+"/")) && len(m) > len(longest) {
			longest = m
		}
	}
	return longest
}

// section is the text below a heading of the second level.
func section(markdown, heading string) string {
	_, rest, _ := strings.Cut(markdown, "\n## "+heading+"\n")
	text, _, _ := strings.Cut(rest, "\n## ")
	return text
}

// What the README says a build machine runs is what it runs.
func TestBuildMachineRunsTheReadmesTestCommand(t *testing.T) {
	if !strings.Contains(section(read1(t, "README.md"), "Building and testing"), "\nmake test ") {
		t.Error("README.md does not name `make test`")
	}
	run := strings.TrimSpace(read1(t, ".ci/run"))
	if last := run[strings.LastIndexByte(run, '\n')+1:]; !strings.HasSuffix(last, "exec make test") {
		t.Errorf(".ci/run ends with %q", last)
	}
	for _, target := range []string{"help", "demo", "test", "race", "fuzz", "lint", "bench", "build"} {
		if !regexp.MustCompile(`(?m)^` + target + `:.* ## \S`).MatchString(read1(t, "Makefile")) {
			t.Errorf("Makefile has no target %q that `make help` lists", target)
		}
	}
}
