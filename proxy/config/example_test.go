package config

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

// later are the keys that Validate refuses in this build: the example does not show them.
var later = []string{".cert", ".key", "legacy.dark"}

func TestExample(t *testing.T) {
	keys := filepath.Join(t.TempDir(), "keys")
	if err := os.WriteFile(keys, []byte(MintKeyLine()), 0o600); err != nil {
		t.Fatal(err)
	}
	file := []byte(strings.Replace(Example, "/etc/hotcut/keys", keys, 1))
	c, err := ParseYAML(file)
	if err != nil {
		t.Fatal(err)
	}
	if len(c.Warnings()) != 0 {
		t.Errorf("it warns: %q", c.Warnings())
	}

	// What has a default stands there with it.
	d := Defaults()
	for name, pair := range map[string][2]any{
		"store": {c.Store, d.Store}, "state": {c.State, d.State}, "media": {c.Media, d.Media}, "admin": {c.Admin, d.Admin},
		"limits": {c.Limits, d.Limits}, "timers": {c.Timers, d.Timers}, "log": {c.Log, d.Log}, "bootDefault": {c.BootDefault, d.BootDefault}, "scanners": {c.Scanners, d.Scanners},
	} {
		if fmt.Sprintf("%+v", pair[0]) != fmt.Sprintf("%+v", pair[1]) { // an empty list is as good as none
			t.Errorf("%s: the example has %+v, the default is %+v", name, pair[0], pair[1])
		}
	}

	// Every key stands there, but for what this build refuses.
	lines, err := Lines(file)
	if err != nil {
		t.Fatal(err)
	}
	shown := make(map[string]bool)
	for path := range lines {
		shown[strings.NewReplacer("[0]", "[]", "[1]", "[]", "[2]", "[]", "[3]", "[]", "[4]", "[]", "core.targets", "legacy.targets").Replace(path)] = true
	}
	for _, p := range leaves("", reflect.TypeFor[Config]()) {
		want := true
		for _, l := range later {
			if p == l || strings.HasSuffix(p, l) || strings.Contains(p, "."+l+"[]") {
				want = false
			}
		}
		p = strings.Replace(p, "core.targets", "legacy.targets", 1)
		if got := shown[strings.ToLower(p)]; got != want {
			t.Errorf("%s: in the example %v, want %v", p, got, want)
		}
	}
}
