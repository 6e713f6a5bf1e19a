package proxy

import (
	"bytes"
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"strings"
	"testing"

	"github.com/hotcut/hotcut/proxy/transport"
	"github.com/hotcut/hotcut/proxy/wire"
)

var update = flag.Bool("update", false, "rewrite the generated parts of README.md")

// The README's tables of metrics and refusals are made from the code: constant, metric label and line of documentation
// are the same word.
func TestReadme(t *testing.T) {
	const file = "../README.md"
	old, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	text := section(t, old, "metrics", newCounters(&Edge{}).set.Table())
	text = section(t, text, "refusals", refusals(t))
	if bytes.Equal(old, text) {
		return
	}
	if !*update {
		t.Fatal("README.md is behind the code: go test ./proxy -run TestReadme -update")
	}
	if err := os.WriteFile(file, text, 0o644); err != nil {
		t.Fatal(err)
	}
}

func section(t *testing.T, text []byte, name, body string) []byte {
	begin, end := []byte("<!-- "+name+": begin"), []byte("<!-- "+name+": end -->")
	i, j := bytes.Index(text, begin), bytes.Index(text, end)
	if i < 0 || j < i {
		t.Fatalf("README.md has no markers for %s", name)
	}
	i += bytes.IndexByte(text[i:], '\n') + 1
	return bytes.Join([][]byte{text[:i], []byte(body), text[j:]}, nil)
}

func refusals(t *testing.T) string {
	var b strings.Builder
	table := func(metric, file, prefix string, words []string, skip func(string) bool) {
		docs := comments(t, file, prefix)
		fmt.Fprintf(&b, "\n`%s`\n\n| label | meaning |\n|---|---|\n", metric)
		n := 0
		for _, w := range words {
			if skip != nil && skip(w) {
				n++
				continue
			}
			if n >= len(docs) || docs[n] == "" {
				t.Fatalf("%s: %q has no line of documentation", file, w)
			}
			fmt.Fprintf(&b, "| `%s` | %s |\n", w, docs[n])
			n++
		}
	}
	none := func(w string) bool { return w == "none" }
	table("hotcut_refused_total", "causes.go", "cause", causeWords[:], none)
	var faults []string
	for f := range wire.Faults() {
		faults = append(faults, f.String())
	}
	table("hotcut_faults_total", "wire/fault.go", "Fault", append([]string{"none"}, faults...), none)
	var reasons []string
	for r := range transport.Reasons() {
		reasons = append(reasons, r.String())
	}
	table("hotcut_transport_events_total", "transport/stats.go", "", append([]string{"none"}, reasons...), none)
	return b.String()
}

// comments returns, in order, the documentation of the constants of the first const block whose names have the prefix.
func comments(t *testing.T, file, prefix string) []string {
	f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range f.Decls {
		g, ok := d.(*ast.GenDecl)
		if !ok || g.Tok != token.CONST || len(g.Specs) < 5 {
			continue
		}
		var docs []string
		for _, s := range g.Specs {
			v := s.(*ast.ValueSpec)
			name := v.Names[0].Name
			if !strings.HasPrefix(name, prefix) {
				continue
			}
			text := v.Comment.Text() + v.Doc.Text()
			text = strings.TrimPrefix(strings.Join(strings.Fields(text), " "), name+": ")
			docs = append(docs, strings.ReplaceAll(text, "|", "\\|"))
		}
		return docs
	}
	t.Fatalf("%s has no block of constants", file)
	return nil
}
