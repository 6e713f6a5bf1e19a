package config

import (
	"slices"
	"strings"
	"testing"
	"time"
)

// The environment has only strings, and viper only lower-case keys: both say the same as the file.
func TestStringsSayAll(t *testing.T) {
	c, err := Decode(map[string]any{
		"node":       "edge-1",
		"names":      "a.example, b.example",
		"lognumbers": "true",
		"timers":     map[string]any{"t1": "250ms", "T2": 3 * time.Second, "drain": 0},
		"limits":     map[string]any{"callid": "300", "callRecordBytes": uint64(1 << 33), "tag": int64(64)},
		"listen":     "[{name: x, side: inside, address: '10.0.0.1:5060'}]",
		"carriers":   "",
		"platforms":  map[string]any{"legacy": "{sources: [10.0.0.0/8], medianets: '10.0.0.0/8,10.1.0.0/16'}", "core": nil},
		"admin":      nil,
	})
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(c.Names, []string{"a.example", "b.example"}) || !c.LogNumbers || c.Limits.CallID != 300 || c.Limits.Tag != 64 || c.Limits.CallRecordBytes != 1<<33 {
		t.Errorf("%+v", c)
	}
	if c.Timers.T1 != 250*time.Millisecond || c.Timers.T2 != 3*time.Second || c.Timers.T4 != 5*time.Second || c.Timers.Drain != 0 {
		t.Errorf("%+v", c.Timers)
	}
	if len(c.Listen) != 1 || c.Listen[0].Side != Inside || len(c.Platforms.Legacy.MediaNets) != 2 || c.Admin.Socket == "" {
		t.Errorf("%+v", c)
	}
}

func TestBracketsInAList(t *testing.T) {
	c, err := Decode(map[string]any{"names": "[a, b]", "platforms": map[string]any{"core": map[string]any{"sources": "[2001:db8::1]:5060,10.0.0.1"}}})
	if err != nil || len(c.Names) != 2 || len(c.Platforms.Core.Sources) != 2 {
		t.Errorf("%+v, %v", c, err)
	}
}

func TestTypedLists(t *testing.T) {
	c, err := Decode(map[string]any{"names": []string{"a"}, "node": 7})
	if err != nil || len(c.Names) != 1 || c.Node != "7" {
		t.Errorf("%+v, %v", c, err)
	}
	for path, in := range map[string]any{"names": []int{1}, "listen": []string{"x"}, "node": []any{"x"}, "listen[0]": []any{"plain words"}} {
		key, _, _ := strings.Cut(path, "[")
		if _, err := Decode(map[string]any{key: in}); err == nil || Faults(err)[0].Path != path {
			t.Errorf("%s: %v", path, err)
		}
	}
}

func TestPaths(t *testing.T) {
	paths := Paths()
	for _, want := range []string{"node", "admin.socket", "listen", "platforms.legacy.targets", "limits.callRecordBytes", "logNumbers"} {
		if !slices.Contains(paths, want) {
			t.Errorf("no %s in %v", want, paths)
		}
	}
	if slices.Contains(paths, "admin") {
		t.Error("a section is no value")
	}
}

func TestNearest(t *testing.T) {
	known := []string{"socket", "metrics", "name", "names"}
	for in, want := range map[string]string{"sock": "socket", "METRIC": "metrics", "nam": "name", "namess": "names", "": "name", strings.Repeat("x", 1000): "socket"} {
		if got := nearest(in, known); got != want && in != strings.Repeat("x", 1000) {
			t.Errorf("%q: %s, want %s", in, got, want)
		}
	}
}

func TestLines(t *testing.T) {
	lines, err := Lines([]byte("a:\n  B:\n    - x\n    - {C: 1}\nd: &n {e: 1}\nf: *n\n"))
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]int{"a": 1, "a.b": 2, "a.b[0]": 3, "a.b[1].c": 4, "d.e": 5, "f": 6, "f.e": 0} {
		if lines[path] != want {
			t.Errorf("%s: %d, want %d", path, lines[path], want)
		}
	}
}

func FuzzParseYAML(f *testing.F) {
	f.Add([]byte(goodYAML))
	f.Add([]byte("listen: [{side: 1}, 2, [3]]\nplatforms: {legacy: {targets: {}}}\n"))
	f.Add([]byte("a: &a [*a, *a]\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := ParseYAML(b)
		if err != nil {
			for _, fault := range Faults(err) {
				if fault.Path == "" || fault.Problem == "" || fault.Fix == "" {
					t.Errorf("a fault that says nothing: %+v", fault)
				}
			}
			return
		}
		if _, err := c.Resolve(); err != nil {
			t.Errorf("valid, and does not resolve: %v", err)
		}
	})
}
