//go:build interop

package interop

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A dark core that trusts nobody, and asks for the password of each registration and each call, gets answers from the HA1s that were
// imported: its calls compare as those of one that trusts. Nothing of a hash is in what the edge keeps.
func TestShadowKamailioChallenges(t *testing.T) {
	var secrets strings.Builder
	var hashes []string
	for _, user := range []string{"alice", "bob", "carol", "dave"} {
		h := md5hex(user + ":" + realm + ":pw-" + user)
		hashes = append(hashes, h)
		fmt.Fprintf(&secrets, "%s@%s %s ha1-md5:%s\n", user, realm, realm, h)
	}
	dark, sink := darkAddrs(t)
	w := newDark(t, dark, sink, func(w *shadowed) string { return w.sink }, secrets.String(), "AUTH_CALLS")
	w.ready()
	for range 3 {
		w.answered("bob", w.bob)
		w.busy()
	}
	d := w.sampled(6)
	if d.Compared.Count != 6 || len(grave(d)) > 0 {
		t.Errorf("grave differences %q\n%s", grave(d), describe(d))
	}
	if n := w.dark.registrar("challenged", ""); n == 0 {
		t.Error("the dark core has asked nobody for a password")
	}
	err := filepath.WalkDir(w.dir, func(path string, e os.DirEntry, err error) error {
		if err != nil || !e.Type().IsRegular() || e.Name() == "secrets" {
			return err
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		for _, h := range hashes {
			if strings.Contains(string(b), h) {
				t.Errorf("a HA1 is in %s", path)
			}
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}
