package config

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const zeros = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="

func TestKeys(t *testing.T) {
	line := MintKeyLine()
	if other := MintKeyLine(); other == line {
		t.Fatal("two mintings gave one key")
	}
	file := "# rotated in May\n\n" + line + "\r\n\told " + zeros + "\n"
	ring, err := ParseKeys([]byte(file))
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{strings.Fields(line)[0], "old"}; !slices.Equal(ring.IDs(), want) || ring.Signer() != &ring[0] {
		t.Errorf("ids %v, want %v", ring.IDs(), want)
	}
	if ring[0].Secret == ring[1].Secret || ring[1].Secret != [KeyBytes]byte{} {
		t.Error("secrets are mixed up")
	}
	if s := fmt.Sprintf("%v %+v %#v", ring[0], ring, ring[0]); strings.Contains(s, fmt.Sprint(ring[0].Secret[0])+" "+fmt.Sprint(ring[0].Secret[1])) {
		t.Errorf("a printed key shows its secret: %s", s)
	}
}

func TestBadKeys(t *testing.T) {
	for file, want := range map[string]string{
		"":                               "holds no key",
		"# only talk\n":                  "holds no key",
		zeros:                            "line 1 has 1 words",
		"a b c":                          "line 1 has 3 words",
		"# x\n\na! " + zeros:             "line 3: the key id must be",
		"abcdefghijklmnopq " + zeros:     "the key id must be",
		"a AAAA":                         "not base64 of 32 bytes",
		"a " + zeros[:43]:                "not base64 of 32 bytes",
		"a " + zeros + "\na " + zeros:    "line 2: the key id a stands twice",
		strings.Repeat("# x\n", 5000):    "more than 16384 bytes",
		manyKeys(MaxKeys + 1):            "more than 64 keys",
		"a\x00 " + zeros:                 "the key id must be",
		"a " + strings.Repeat("A", 3000): "not base64 of 32 bytes",
		"a " + strings.Replace(zeros, "A", "*", 1): "not base64 of 32 bytes",
	} {
		if _, err := ParseKeys([]byte(file)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.40q: %v, want %q", file, err, want)
		}
	}
}

func manyKeys(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "k%d %s\n", i, zeros)
	}
	return b.String()
}

// The binding key stands apart: it signs nothing, wherever in the file it is, and without it the last key stands in.
func TestBindingKey(t *testing.T) {
	first, second, binding := MintKeyLine(), MintKeyLine(), MintBindingLine()
	ring, err := ParseKeys([]byte(binding + "\n" + first + "\n" + second))
	if err != nil {
		t.Fatal(err)
	}
	if secret, own := ring.Binding(); !own || secret != ring[2].Secret || len(ring.Tokens()) != 2 || ring.Signer().ID != ring.Tokens()[0].ID {
		t.Errorf("ring %v: binding of its own %v, tokens %v", ring.IDs(), own, ring.Tokens().IDs())
	}
	if _, err := ParseKeys([]byte(binding)); err == nil {
		t.Error("a file with nothing but the binding key was taken")
	}
	one, _ := ParseKeys([]byte(first + "\n" + second))
	rotated, _ := ParseKeys([]byte(MintKeyLine() + "\n" + second))
	a, own := one.Binding()
	if b, _ := rotated.Binding(); own || a != b || a == one[1].Secret {
		t.Error("without a line of its own the binding key must follow the last key, and not be it")
	}
}

func TestLoadKeys(t *testing.T) {
	path := filepath.Join(t.TempDir(), "my keys")
	if err := os.WriteFile(path, []byte("file "+zeros), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ value, env, want string }{
		{path, "", "file"},
		{path, "env " + zeros, "file"}, // the configuration ranks above what it does without
		{"", "env " + zeros, "env"},
		{"", path, "file"},
		{"a " + zeros + "\nb " + zeros, "", "a b"},
	} {
		t.Setenv(KeyEnv, c.env)
		ring, err := LoadKeys(c.value)
		if err != nil || strings.Join(ring.IDs(), " ") != c.want {
			t.Errorf("%q, env %q: %v, %v", c.value, c.env, ring, err)
		}
	}
	t.Setenv(KeyEnv, "")
	if _, err := LoadKeys(""); !errors.Is(err, ErrNoKeys) {
		t.Errorf("%v", err)
	}
	if _, err := LoadKeys("/nowhere/keys"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%v", err)
	}
}

func FuzzKeys(f *testing.F) {
	f.Add([]byte("a " + zeros + "\n# x\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		ring, err := ParseKeys(b)
		if (err == nil) != (len(ring) > 0) || len(ring) > MaxKeys {
			t.Errorf("%d keys, %v", len(ring), err)
		}
	})
}
