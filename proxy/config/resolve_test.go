package config

import (
	"strings"
	"testing"
)

// edit is the good configuration with some replacements, read and resolved.
func edit(t *testing.T, oldnew ...string) (*Config, *Resolved, error) {
	t.Helper()
	file := good(t)
	for i := 0; i < len(oldnew); i += 2 {
		if !strings.Contains(file, oldnew[i]) {
			t.Fatalf("%q does not stand in the good file", oldnew[i])
		}
		file = strings.Replace(file, oldnew[i], oldnew[i+1], 1)
	}
	c, err := ParseYAML([]byte(file))
	if err != nil {
		return c, nil, err
	}
	r, err := c.Resolve()
	return c, r, err
}

// Two platforms on one address can be told apart by port, or by the listener that a request arrives on.
func TestPlatformsOnOneAddress(t *testing.T) {
	core := `sources: [10.0.2.0/25, "10.0.9.9:5080"]`
	for name, c := range map[string]struct {
		edits []string
		fine  bool
	}{
		"two ports":           {[]string{"sources: [10.0.1.0/24]", `sources: ["10.0.9.9:5090"]`}, true},
		"one port":            {[]string{"sources: [10.0.1.0/24]", `sources: ["10.0.9.9:5080"]`}, false},
		"a port and any":      {[]string{"sources: [10.0.1.0/24]", "sources: [10.0.9.9]"}, false},
		"listeners differ":    {[]string{"sources: [10.0.1.0/24]", "sources: [10.0.2.0/24]\n    listeners: [in-udp]", core, core + "\n    listeners: [in-tcp]"}, true},
		"listeners overlap":   {[]string{"sources: [10.0.1.0/24]", "sources: [10.0.2.0/24]\n    listeners: [in-udp]", core, core + "\n    listeners: [in-tcp, in-udp]"}, false},
		"one names listeners": {[]string{"sources: [10.0.1.0/24]", "sources: [10.0.2.0/24]\n    listeners: [in-udp]"}, false},
	} {
		if _, _, err := edit(t, c.edits...); (err == nil) != c.fine {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Without sources a platform's requests come from its targets, a carrier's from its address.
func TestSourcesFromTargets(t *testing.T) {
	_, r, err := edit(t, "    sources: [10.0.1.0/24]\n", "", ", sources: [198.51.100.0/28]", "")
	if err != nil {
		t.Fatal(err)
	}
	if n := r.Networks[1]; n.Prefix.String() != "10.0.1.6/32" || n.Platform != LegacyPlatform || n.Port != 0 {
		t.Errorf("%+v", n)
	}
	if s := r.Carriers[0].Sources; len(s) != 1 || s[0].Prefix.String() != "198.51.100.1/32" {
		t.Errorf("%+v", s)
	}
}

func TestWarnings(t *testing.T) {
	c, _, err := edit(t, ", egress: in-ca", "", "  - {name: own, side: own, address: \"10.0.0.12:5070\"}\n", "",
		`    targets: [{name: c1, uri: "sip:10.0.2.5;transport=tcp", pool: cell-1, sharedDialogs: true}]`, "    targets: []", "logNumbers: false", "logNumbers: true")
	if err != nil {
		t.Fatal(err)
	}
	got := strings.Join(c.Warnings(), "\n")
	for _, want := range []string{"platforms.core has no targets", "carriers[0].egress is empty", "no side: own", "whole telephone numbers"} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
}

// IPv4 and IPv6 share a port unless one socket takes both.
func TestFamilies(t *testing.T) {
	if _, _, err := edit(t, `"[2001:db8::10]:5060"`, `"[2001:db8::10]:5070"`); err != nil {
		t.Errorf("one port in two families: %v", err)
	}
	if _, _, err := edit(t, `"[2001:db8::10]:5060"`, `"[::]:5060", advertise: six.example`); err == nil || !strings.Contains(err.Error(), "already taken") {
		t.Errorf(":: takes IPv4 too: %v", err)
	}
}

func TestWithLinesKeepsOtherErrors(t *testing.T) {
	if err := WithLines(ErrNoKeys, nil); err != ErrNoKeys {
		t.Errorf("%v", err)
	}
	if WithLines(nil, nil) != nil || Faults(nil) != nil {
		t.Error("nothing is no fault")
	}
}

// Where media is relayed: as written, else beside the first listener of the side.
func TestMediaAddresses(t *testing.T) {
	_, r, err := edit(t, "engine: none", "engine: embedded", "sources: [10.0.1.0/24]", "mediaNets: [10.0.5.0/24, 10.0.6.1]", "egress: in-ca", "egress: in-ca, media: off")
	if err != nil {
		t.Fatal(err)
	}
	if m := r.Media; !m.Relays || m.Outside.String() != "192.0.2.10" || m.Inside.String() != "10.0.0.10" || m.Low != 20000 || m.High != 39999 ||
		len(m.Nets) != 2 || m.Nets[1].String() != "10.0.6.1/32" || !r.Carriers[0].MediaOff {
		t.Errorf("%+v", m)
	}
	_, r, err = edit(t, "engine: none", `engine: embedded, outside: [10.9.0.1, "2001:db8::5"], inside: 10.0.0.77, advertise: 203.0.113.7, ports: 30000-30009`)
	if err != nil {
		t.Fatal(err)
	}
	if m := r.Media; m.Outside6.String() != "2001:db8::5" || m.Inside.String() != "10.0.0.77" || m.Inside6.IsValid() ||
		m.Advertise[m.Outside].String() != "203.0.113.7" || m.Low != 30000 {
		t.Errorf("%+v", m)
	}
}
