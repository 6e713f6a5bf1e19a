//go:build interop

package interop

import (
	"os/exec"
	"strings"
	"testing"
)

// sipsak registers as few phones do: addr-specs without brackets in From, To and Contact, a new Call-ID each time. It
// asks what is bound, and removes all with a star. Its domain is localhost: it looks up the domain before the proxy.
func TestSipsak(t *testing.T) {
	if _, err := exec.LookPath("sipsak"); err != nil {
		t.Fatal("sipsak is not installed: apt-get install sipsak")
	}
	for _, by := range reaches {
		t.Run(by.name, func(t *testing.T) {
			w := newWorld(t, 1, by)
			e := w.edges[0]
			w.must("tenant", "set", "acme", "--domain", "localhost", "--domain", realm, "--yes")
			const bound = "sip:bob@127.0.0.1:7000"
			sipsak := func(password string, ok bool, contact, expires string) string {
				t.Helper()
				out, err := exec.Command("sipsak", "-U", "-C", contact, "-s", "sip:bob@localhost", "-p", e.outside, "-k", home,
					"-u", "bob", "-a", password, "-x", expires, "-vvv").CombinedOutput()
				if (err == nil) != ok {
					t.Fatalf("sipsak -C %s: %v\n%s", contact, err, out)
				}
				_, last, _ := strings.Cut(string(out), "SIP/2.0 200 OK")
				return last
			}
			lists := func(what, out string) {
				t.Helper()
				if !strings.Contains(out, "<"+bound+">;expires=") {
					t.Errorf("%s: sipsak is told\n%s", what, out)
				}
			}
			lists("register", sipsak("pw-bob", true, bound, "300"))
			lists("query", sipsak("pw-bob", true, "empty", "300"))
			sipsak("wrong", false, "sip:bob@127.0.0.1:7001", "300")
			w.known(w.legacy, "bob", 1)
			w.flip("bob", 1)
			lists("query on core", sipsak("pw-bob", true, "empty", "300"))
			lists("refresh on core", sipsak("pw-bob", true, bound, "300"))
			w.known(w.core, "bob", 1)
			if out := sipsak("pw-bob", true, "star", "0"); strings.Contains(out, bound) {
				t.Errorf("after Contact: * sipsak is told\n%s", out)
			}
			w.known(w.core, "bob", 0)
			w.known(w.legacy, "bob", 0)
		})
	}
}
