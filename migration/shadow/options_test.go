package shadow

import (
	"net/netip"
	"strings"
	"testing"
)

func TestOptionsAreCheckedAllAtOnce(t *testing.T) {
	_, err := New(Options{Secret: []byte("short"), Canary: "abc", Sockets: []netip.AddrPort{netip.MustParseAddrPort("0.0.0.0:5060")},
		Dark: []Dark{{Name: "six", Addr: netip.MustParseAddrPort("[2001:db8::9]:5060")}, {Name: "none"}}})
	for _, want := range []string{"secret has fewer than 16 bytes", "nobody says which tenants", "no listener of side shadow reaches dark core six", "dark core none has no address", "names no address", "which is no number"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not in %v", want, err)
		}
	}
	if _, err := New(realOptions(t, darkAddr)); err != nil {
		t.Errorf("good options: %v", err)
	}
}

func TestEveryDropHasAWord(t *testing.T) {
	seen := map[string]bool{}
	for d := range Drops() {
		if w := d.String(); w == "" || w == "unknown" || seen[w] {
			t.Errorf("drop %d is %q", d, w)
		}
		seen[d.String()] = true
	}
}

func TestIdentitiesAreUnguessableAndMarksAreChecked(t *testing.T) {
	a, b := identity{secret: []byte("0123456789abcdef"), boot: "1"}, identity{secret: []byte("fedcba9876543210"), boot: "1"}
	if a.token(8, "call-id", "x") == b.token(8, "call-id", "x") || a.token(8, "call-id", "x") == a.token(8, "tag", "x") || a.token(8, "tag", "a", "b") == a.token(8, "tag", "ab") {
		t.Error("two things have one name")
	}
	if first, second := a.branch(), a.branch(); first == second {
		t.Error("a branch came twice")
	}
	if id, ok := a.marked(a.mark("call")); !ok || id != "call" {
		t.Error("our own mark is refused")
	}
	for _, forged := range []string{"", ";", "call;", "call;00", b.mark("call"), strings.Repeat("x", 100) + ";y"} {
		if _, ok := a.marked(forged); ok {
			t.Errorf("%q passes", forged)
		}
	}
}
