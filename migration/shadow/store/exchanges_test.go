package store

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hotcut/hotcut/migration/shadow/compare"
	"github.com/hotcut/hotcut/migration/shadow/record"
)

func openExchanges(t *testing.T, dir string, c *clock, o Options) *Exchanges {
	t.Helper()
	o.Now = c.time
	e, err := OpenExchanges(dir, o)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func example(tenant, token string, at time.Time, bytes int) *Example {
	return &Example{
		Verdict: verdict(tenant, token, at, compare.Major),
		Live:    &record.Exchange{Tenant: tenant, Near: record.Leg{Messages: []record.Message{{Raw: []byte(strings.Repeat("x", bytes))}}}},
	}
}

func TestExchangesAreFoundAlsoAfterARestart(t *testing.T) {
	dir, c := t.TempDir(), &clock{startTime}
	e := openExchanges(t, dir, c, Options{})
	for i := range 50 {
		if err := e.Append(example("acme", fmt.Sprint("c~", i), c.now, 100+i)); err != nil {
			t.Fatal(err)
		}
		c.now = c.now.Add(time.Hour)
	}
	// The edge dies in the middle of a line.
	files := tenantFiles(e.dir, "acme")
	if len(files) != 3 {
		t.Errorf("%d files for two days and two hours, want 3", len(files))
	}
	f, err := os.OpenFile(files[len(files)-1], os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	f.WriteString(`{"verdict":{"tenant":"acme","call_id":"c~torn"`)
	f.Close()
	e = openExchanges(t, dir, c, Options{})
	if err := e.Append(example("acme", "c~7", c.now, 999)); err != nil { // the same call again: the newest counts
		t.Fatal(err)
	}
	for token, want := range map[string]int{"c~0": 100, "c~7": 999, "c~49": 149} {
		x, err := e.Find("acme", token)
		if err != nil || len(x.Live.Near.Messages[0].Raw) != want {
			t.Errorf("%s: %v %+v", token, err, x)
		}
	}
	for _, token := range []string{"c~torn", "c~", "", "c~50"} {
		if _, err := e.Find("acme", token); !errors.Is(err, ErrNotFound) {
			t.Errorf("%q: %v", token, err)
		}
	}
	if _, err := e.Find("globex", "c~0"); !errors.Is(err, ErrNotFound) {
		t.Errorf("another tenant's: %v", err)
	}
	store, err := Open("", dir, Options{Now: c.time})
	if err != nil {
		t.Fatal(err)
	}
	if x, err := store.Find(t.Context(), "acme", "c~3"); err != nil || x.Verdict.CallID != "c~3" {
		t.Errorf("the command line on the same disk: %v", err)
	}
}

func TestExchangesHaveABoundAndARetention(t *testing.T) {
	dir, c := t.TempDir(), &clock{startTime}
	const most = 200 << 10
	e := openExchanges(t, dir, c, Options{MaxBytes: most})
	bytes := func() (n int64) {
		for _, path := range exchangeFiles(e.dir) {
			info, err := os.Stat(path)
			if err != nil {
				t.Fatal(err)
			}
			n += info.Size()
		}
		return n
	}
	for i := range 100 {
		if err := e.Append(example([]string{"acme", "globex"}[i%2], fmt.Sprint("c~", i), c.now, 10<<10)); err != nil {
			t.Fatal(err)
		}
		c.now = c.now.Add(13 * time.Hour)
		if n := bytes(); n > most || n != e.total {
			t.Fatalf("%d bytes on the disk, %d known, at most %d", n, e.total, most)
		}
	}
	if e.Pushed() == 0 {
		t.Error("nobody is told that files went before their time")
	}
	if _, err := e.Find("acme", "c~98"); err != nil {
		t.Errorf("the newest: %v", err)
	}
	if err := e.Append(example("acme", "c~huge", c.now, maxLine)); err == nil {
		t.Error("an exchange beyond all bounds is taken")
	}
	c.now = c.now.Add(31 * 24 * time.Hour)
	if err := e.Sweep(); err != nil || bytes() != 0 || e.total != 0 {
		t.Errorf("after the retention: %v, %d bytes, %d known", err, bytes(), e.total)
	}
	if left := names(filepath.Join(e.dir, "exchanges")); len(left) != 0 {
		t.Errorf("folders are left: %v", left)
	}
	if err := e.Append(example("acme", "c~new", c.now, 10)); err != nil {
		t.Error(err)
	}
}

// An edge that was down when a tenant was purged deletes what it has when it comes back, and only that.
func TestMarksReachAnEdgeThatWasDown(t *testing.T) {
	dir, c := t.TempDir(), &clock{startTime}
	e := openExchanges(t, dir, c, Options{})
	long := strings.Repeat("long%", 25)
	for _, tenant := range []string{"acme", "globex", long} {
		if err := e.Append(example(tenant, "c~a", c.now, 10)); err != nil {
			t.Fatal(err)
		}
	}
	c.now = c.now.Add(time.Hour)
	marks := map[string]int64{Mark("acme"): c.now.UnixMilli(), Mark(long): c.now.UnixMilli()}
	c.now = c.now.Add(time.Hour)
	e = openExchanges(t, dir, c, Options{})
	if err := e.PurgeMarked(marks); err != nil {
		t.Fatal(err)
	}
	if left := names(filepath.Join(e.dir, "exchanges")); len(left) != 1 || left[0] != "globex" {
		t.Errorf("left: %v", left)
	}
	if err := e.Append(example("acme", "c~new", c.now, 10)); err != nil {
		t.Fatal(err)
	}
	if err := e.PurgeMarked(marks); err != nil {
		t.Fatal(err)
	}
	if _, err := e.Find("acme", "c~new"); err != nil {
		t.Errorf("what came after the purge: %v", err)
	}
}

func TestFileNamesAreOneElement(t *testing.T) {
	seen := make(map[string]string)
	for _, s := range []string{"acme", ".", "..", "../x", "a/b", "A", "a b", "a+b", "=x", strings.Repeat("z", 300), strings.Repeat("z", 301), "\x00", "é"} {
		name := fileName(s)
		if strings.ContainsAny(name, "/\\\x00") || strings.HasPrefix(name, ".") || len(name) > 200 || name == "" {
			t.Errorf("%q becomes %q", s, name)
		}
		if other, taken := seen[name]; taken {
			t.Errorf("%q and %q are both %q", s, other, name)
		}
		seen[name] = s
		if back, ok := originalName(name); ok && back != s {
			t.Errorf("%q reads back as %q", s, back)
		}
	}
}

func FuzzScan(f *testing.F) {
	f.Add([]byte("{\"verdict\":{}}\n\n\nx"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		path := filepath.Join(t.TempDir(), "1.jsonl")
		if err := os.WriteFile(path, raw, 0o600); err != nil {
			t.Fatal(err)
		}
		var got []string
		if err := scan(path, func(line []byte) bool {
			got = append(got, string(line))
			decodeExample(line)
			return true
		}); err != nil {
			t.Fatal(err)
		}
		if want := strings.TrimSuffix(string(raw), "\n"); strings.Join(got, "\n") != want && len(raw) > 0 {
			t.Errorf("%q, want %q", got, want)
		}
	})
}

// In steps it is the same line.
func TestExamplesAreEncodedInSteps(t *testing.T) {
	v := &compare.Verdict{Tenant: "acme", CallID: "c~bcdfghjklmnp"}
	x := &record.Exchange{Tenant: "acme", Near: record.Leg{Messages: []record.Message{{At: 1, Raw: []byte("INVITE <a> & }\r\n")}, {At: 2, Raw: []byte{0xff}}}}}
	for _, e := range []*Example{{Verdict: v}, {Verdict: v, Live: x}, {Verdict: v, Shadow: x}, {Verdict: v, Live: x, Shadow: x}, {Live: x}, {}} {
		want, err := json.Marshal(e)
		if err != nil {
			t.Fatal(err)
		}
		yields := 0
		got, err := encodeExample(e, func() { yields++ })
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s, %v\nwant\n%s", got, err, want)
		}
		if yields == 0 {
			t.Error("nobody else had a turn")
		}
	}
}
