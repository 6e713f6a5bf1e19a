package archtest

import (
	"path"
	"slices"
	"strings"
	"testing"
)

// A package comment promises and refuses; one that only repeats the name does neither.
const shortestComment = 80 // characters

func TestEveryPackageHasAComment(t *testing.T) {
	for _, p := range tree(t) {
		var docs []string
		onlyTests := true
		for _, f := range p.files {
			onlyTests = onlyTests && f.test
			if !f.test && f.doc != "" {
				docs = append(docs, f.doc)
			}
		}
		switch {
		case onlyTests:
		case len(docs) == 0:
			t.Errorf("%s has no package comment: what does it promise, and what does it refuse?", p.path)
		case len(docs) > 1:
			t.Errorf("%s has %d package comments; godoc shows them glued together", p.path, len(docs))
		case !strings.HasPrefix(docs[0], "Package "+path.Base(p.path)+" ") && !strings.HasPrefix(docs[0], "Command "+path.Base(p.path)+" "):
			t.Errorf("%s: the package comment does not begin with \"Package %s\" (or Command)", p.path, path.Base(p.path))
		case len(docs[0]) < shortestComment:
			t.Errorf("%s: the package comment says too little: %q", p.path, docs[0])
		}
	}
}

func TestNoPackageIsADrawer(t *testing.T) {
	drawers := []string{"util", "utils", "common", "helper", "helpers", "misc", "types", "models", "shared", "base"}
	for _, p := range tree(t) {
		if slices.Contains(drawers, path.Base(p.path)) {
			t.Errorf("%s: a name that promises nothing collects everything; name the concept", p.path)
		}
	}
}

// Files past 400 lines have two concepts in them; a folder of the standard library's name shadows it.
func TestNoPackageShadowsTheStandardLibrary(t *testing.T) {
	for _, p := range tree(t) {
		if slices.Contains([]string{"fmt", "log", "net", "errors", "time", "context", "http"}, path.Base(p.path)) {
			t.Errorf("%s has the name of a package of the standard library", p.path)
		}
	}
}
