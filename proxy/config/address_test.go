package config

import (
	"net/netip"
	"strings"
	"testing"
)

func TestParseHop(t *testing.T) {
	for uri, want := range map[string]string{
		"sip:10.0.0.1": "10.0.0.1:5060 udp", "SIP:10.0.0.1:5080;Transport=TCP": "10.0.0.1:5080 tcp", "sip:[2001:db8::1]": "[2001:db8::1]:5060 udp",
		"sip:[2001:db8::1]:5070;transport=udp": "[2001:db8::1]:5070 udp",
	} {
		addr, proto, err := ParseHop(uri)
		if got := addr.String() + " " + string(proto); err != nil || got != want {
			t.Errorf("%s: %s, %v; want %s", uri, got, err, want)
		}
	}
	for _, uri := range []string{"", "sip:", "sip::5060", "sip:10.0.0.1:", "sip:10.0.0.1:99999", "sip:10.0.0.1:0", "sip:fe80::1%eth0", "sip:10.0.0.1?x=y", "sip:10.0.0.1;", "sip:10.0.0.1;transport", "sip:[::ffff:10.0.0.1]"} {
		if addr, _, err := ParseHop(uri); err == nil {
			t.Errorf("%q was read as %s", uri, addr)
		}
	}
}

func TestParseSource(t *testing.T) {
	for s, want := range map[string]struct {
		prefix string
		port   uint16
	}{
		"10.0.0.0/8": {"10.0.0.0/8", 0}, "10.0.0.1": {"10.0.0.1/32", 0}, "10.0.0.1:5080": {"10.0.0.1/32", 5080}, "2001:db8::/32": {"2001:db8::/32", 0},
		"2001:db8::1": {"2001:db8::1/128", 0}, "[2001:db8::1]:1": {"2001:db8::1/128", 1}, "10.0.0.1:1": {"10.0.0.1/32", 1},
	} {
		p, port, err := parseSource(s)
		if err != nil || p.String() != want.prefix || port != want.port {
			t.Errorf("%s: %s port %d, %v", s, p, port, err)
		}
	}
	for _, s := range []string{"", "10.0.0.1/8", "10.0.0.0/8:5060", "10.0.0.1:0", "::ffff:10.0.0.0/104", "pbx", "10.0.0"} {
		if p, _, err := parseSource(s); err == nil {
			t.Errorf("%q was read as %s", s, p)
		}
	}
}

func TestSplitHost(t *testing.T) {
	for s, want := range map[string]string{
		"edge.example": "edge.example 0", "Edge.Example:5061": "Edge.Example 5061", "10.0.0.1": "10.0.0.1 0", "10.0.0.1:9": "10.0.0.1 9",
		"[2001:db8::1]:9": "2001:db8::1 9", "2001:db8::1": "2001:db8::1 0", "a": "a 0",
	} {
		host, port, ok := splitHost(s)
		if got := strings.Join([]string{host, itoa(port)}, " "); !ok || got != want {
			t.Errorf("%s: %s, %v", s, got, ok)
		}
	}
	for _, s := range []string{"", ":5060", "a:", "a:0", "a b", "-a", "a-", "a..b", "300.1.1.1", "a:99999", "sip:a", strings.Repeat("a", 64), strings.Repeat("a.", 127) + "aa"} {
		if host, _, ok := splitHost(s); ok {
			t.Errorf("%q was read as %q", s, host)
		}
	}
}

func itoa(n uint16) string {
	return netip.AddrPortFrom(netip.IPv4Unspecified(), n).String()[len("0.0.0.0:"):]
}

func FuzzAddresses(f *testing.F) {
	for _, s := range []string{"sip:10.0.0.1;transport=tcp", "10.0.0.0/8", "[2001:db8::1]:5060", "edge.example:5060", "fe80::1%eth0"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if addr, proto, err := ParseHop(s); err == nil && (!addr.IsValid() || addr.Port() == 0 || addr.Addr().Zone() != "" || proto != UDP && proto != TCP) {
			t.Errorf("hop %q: %v %q", s, addr, proto)
		}
		if p, _, err := parseSource(s); err == nil && (!p.IsValid() || p != p.Masked()) {
			t.Errorf("source %q: %v", s, p)
		}
		if host, _, ok := splitHost(s); ok && (host == "" || strings.ContainsAny(host, " \r\n\x00;@")) {
			t.Errorf("host %q: %q", s, host)
		}
	})
}
