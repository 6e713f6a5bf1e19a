package archtest

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
)

const module = "github.com/hotcut/hotcut/"

// pkg is a folder with Go files.
type pkg struct {
	path  string // below the module
	files []file
}

type file struct {
	name    string // below the module
	test    bool
	ours    []string // imported packages of ours, below the module
	foreign []string // imported packages of others, not of the standard library
	doc     string   // package comment
}

// tree reads every Go file of the module, whatever its build tags: comments and imports only.
func tree(t *testing.T) []pkg {
	t.Helper()
	packages, err := readTree()
	if err != nil {
		t.Fatal(err)
	}
	return packages
}

var readTree = sync.OnceValues(func() ([]pkg, error) {
	const root = ".."
	found := make(map[string]*pkg)
	err := filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir():
			if base := d.Name(); name != root && (strings.HasPrefix(base, ".") || base == "testdata" || base == "bin") {
				return filepath.SkipDir
			}
			return nil
		case !strings.HasSuffix(name, ".go"):
			return nil
		}
		ast, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ImportsOnly|parser.ParseComments)
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, name)
		if err != nil {
			return err
		}
		path := filepath.ToSlash(filepath.Dir(rel))
		if found[path] == nil {
			found[path] = &pkg{path: path}
		}
		found[path].files = append(found[path].files, read(filepath.ToSlash(rel), ast))
		return nil
	})
	packages := make([]pkg, 0, len(found))
	for _, p := range found {
		packages = append(packages, *p)
	}
	slices.SortFunc(packages, func(a, b pkg) int { return strings.Compare(a.path, b.path) })
	return packages, err
})

func read(name string, syntax *ast.File) file {
	f := file{name: name, test: strings.HasSuffix(name, "_test.go"), doc: syntax.Doc.Text()}
	for _, i := range syntax.Imports {
		path, err := strconv.Unquote(i.Path.Value)
		if err != nil {
			continue // the compiler says so better
		}
		first, _, _ := strings.Cut(path, "/")
		switch own, is := strings.CutPrefix(path, module); {
		case is:
			f.ours = append(f.ours, own)
		case strings.Contains(first, "."):
			f.foreign = append(f.foreign, path)
		}
	}
	return f
}
