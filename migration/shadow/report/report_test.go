package report

import (
	"bytes"
	"flag"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the goldens anew")

// golden compares what was rendered with a file; review a change as prose.
func golden(t *testing.T, name string, render func(io.Writer) error) {
	t.Helper()
	var b bytes.Buffer
	if err := render(&b); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, b.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(b.Bytes(), want) {
		t.Errorf("%s is not what is rendered (-update writes it):\n%s", path, b.Bytes())
	}
}

func TestGoldens(t *testing.T) {
	none := &Document{}
	none.Tenant, none.Now, none.Headline, none.Compared.High = "acme", noon, "no call was copied yet", 1
	for name, d := range map[string]*Document{"full": fixture(), "empty": none} {
		golden(t, name+".txt", func(w io.Writer) error { return Table(w, d) })
		golden(t, name+".md", func(w io.Writer) error { return Markdown(w, d) })
		golden(t, name+".html", func(w io.Writer) error { return HTML(w, d) })
	}
	golden(t, "call.txt", func(w io.Writer) error { return Call(w, forwarded()) })
}

// Where nobody says which features a tenant has, every form says that, and none an empty list of those never seen.
func TestUnknownProvisioningIsSaid(t *testing.T) {
	d := fixture()
	d.Coverage.Known, d.Coverage.NeverSeen = false, nil
	for name, render := range map[string]func(io.Writer, *Document) error{"table": Table, "md": Markdown, "html": HTML} {
		var b bytes.Buffer
		if err := render(&b, d); err != nil {
			t.Fatal(err)
		}
		if got := b.String(); !strings.Contains(got, "rovisioned features: not known to the policy") || strings.Contains(got, "provisioned but never used") {
			t.Errorf("%s: %s", name, got)
		}
	}
}
