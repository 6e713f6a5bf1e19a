package record

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/txtar"
)

var update = flag.Bool("update", false, "write the golden files again; review them as prose")

// A corpus file is one exchange. Its comment has lines "name: value" (tenant, country, side, profile JSON, a line "secret: s"
// for each string that may be in nothing that is produced). Its files are messages named
// "LEG TIME UP|DOWN [unexpected] [party=P] [target=T] [held=D]", then the golden "want scenario", "want record" and
// "want messages".
type corpus struct {
	file    string
	archive *txtar.Archive
	x       *Exchange
	p       *Profile
	country string
	secrets []string
}

// epoch is a Monday at nine in the morning, UTC.
var epoch = time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC).UnixNano()

var testKey = []byte("key of the tests")

func loadCorpus(t testing.TB) []*corpus {
	t.Helper()
	files, err := filepath.Glob("testdata/exchange/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("no corpus: %v", err)
	}
	var all []*corpus
	for _, f := range files {
		a, err := txtar.ParseFile(f)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, readCorpus(t, f, a))
	}
	return all
}

func readCorpus(t testing.TB, file string, a *txtar.Archive) *corpus {
	t.Helper()
	c := &corpus{file: file, archive: a, x: &Exchange{Tenant: "acme", CallID: "live-call-id@198.51.100.77"}, p: &Profile{}, country: "49"}
	for line := range strings.Lines(string(a.Comment)) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ": ")
		switch name {
		case "country":
			c.country = value
		case "side":
			if value == "shadow" {
				c.x.Side = Shadow
			}
		case "profile":
			if err := json.Unmarshal([]byte(value), c.p); err != nil {
				t.Fatalf("%s: %v", file, err)
			}
		case "secret":
			c.secrets = append(c.secrets, value)
		}
	}
	c.secrets = append(c.secrets, c.x.CallID)
	far := map[string]*Leg{}
	var order []string
	for _, f := range a.Files {
		if strings.HasPrefix(f.Name, "want ") {
			continue
		}
		words := strings.Fields(f.Name)
		at, err := time.ParseDuration(words[1])
		if err != nil {
			t.Fatalf("%s: %s: %v", file, f.Name, err)
		}
		l := &c.x.Near
		if words[0] != "near" {
			if far[words[0]] == nil {
				far[words[0]] = &Leg{}
				order = append(order, words[0])
			}
			l = far[words[0]]
		}
		m := Message{At: epoch + int64(at), Upstream: words[2] == "up", Raw: crlf(f.Data)}
		for _, w := range words[3:] {
			name, value, _ := strings.Cut(w, "=")
			switch name {
			case "unexpected":
				m.Unexpected = true
			case "leg":
				l.Unexpected = true
			case "party":
				l.Party = value
			case "target":
				l.Target = value
			case "held":
				if l.Held, err = time.ParseDuration(value); err != nil {
					t.Fatal(err)
				}
			default:
				t.Fatalf("%s: %s: what is %q?", file, f.Name, w)
			}
		}
		l.Messages = append(l.Messages, m)
	}
	for _, name := range order {
		c.x.Far = append(c.x.Far, *far[name])
	}
	return c
}

// crlf makes wire format of a message as an editor writes it: a message without a body ends in an empty line.
func crlf(b []byte) []byte {
	b = bytes.ReplaceAll(b, []byte("\n"), []byte("\r\n"))
	if !bytes.Contains(b, []byte("\r\n\r\n")) {
		b = append(b, "\r\n"...)
	}
	return b
}

func (c *corpus) redactor() *Redactor { return NewRedactor(testKey, c.x.Tenant, c.country) }

func TestRecords(t *testing.T) {
	for _, c := range loadCorpus(t) {
		t.Run(strings.TrimSuffix(filepath.Base(c.file), ".txtar"), func(t *testing.T) {
			r := c.redactor()
			call := Of(c.x, c.p, r)
			record, err := json.MarshalIndent(call, "", "  ")
			if err != nil {
				t.Fatal(err)
			}
			var messages bytes.Buffer
			for i, l := range append([]Leg{c.x.Near}, c.x.Far...) {
				for j, m := range l.Messages {
					fmt.Fprintf(&messages, "== leg %d message %d\n%s\n", i, j, bytes.ReplaceAll(r.Message(m.Raw), []byte("\r\n"), []byte("\n")))
				}
			}
			got := map[string][]byte{
				"want scenario": []byte(string(call.Scenario()) + "\n"),
				"want record":   append(record, '\n'),
				"want messages": messages.Bytes(),
			}
			if *update {
				c.write(t, got)
				return
			}
			for _, f := range c.archive.Files {
				if want, is := got[f.Name]; is {
					if !bytes.Equal(f.Data, want) {
						t.Errorf("%s: got\n%s\nwant\n%s", f.Name, want, f.Data)
					}
					delete(got, f.Name)
				}
			}
			for name := range got {
				t.Errorf("no %q in the file: run with -update and read what it writes", name)
			}
		})
	}
}

func (c *corpus) write(t *testing.T, got map[string][]byte) {
	t.Helper()
	c.archive.Files = slices.DeleteFunc(c.archive.Files, func(f txtar.File) bool { return strings.HasPrefix(f.Name, "want ") })
	for _, name := range []string{"want scenario", "want record", "want messages"} {
		c.archive.Files = append(c.archive.Files, txtar.File{Name: name, Data: got[name]})
	}
	if err := os.WriteFile(c.file, txtar.Format(c.archive), 0o644); err != nil {
		t.Fatal(err)
	}
}
