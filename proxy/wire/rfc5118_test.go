package wire

import (
	"os"
	"path/filepath"
	"testing"
)

// The messages of RFC 5118, each written from its description there, what this package makes of each, and what it reads
// as the host and port of the Request-URI.
var ipv6Torture = []struct {
	name  string
	fault Fault
	host  string
	port  uint16
}{
	{"ipv6-good", FaultNone, "2001:db8::10", 0},
	{"ipv6-bad", FaultRequestURI, "", 0},
	{"port-ambiguous", FaultNone, "2001:db8::10:5070", 0}, // all within the brackets is the address
	{"port-unambiguous", FaultNone, "2001:db8::10", 5070},
	{"via-received-param-with-delim", FaultNone, "2001:db8::10", 0},
	{"via-received-param-no-delim", FaultNone, "2001:db8::10", 0},
	{"ipv6-in-sdp", FaultNone, "2001:db8::10", 0},
	{"mult-ip-in-header", FaultNone, "2001:db8::10", 0},
	{"mult-ip-in-sdp", FaultNone, "2001:db8::10", 0},
	{"ipv4-mapped-ipv6", FaultNone, "example.com", 0},
	{"ipv6-bug-abnf-3-colons", FaultNone, "2001:db8:::192.0.2.1", 0}, // as it came
	{"ipv6-correct-abnf-2-colons", FaultNone, "2001:db8::192.0.2.1", 0},
}

func ipv6Message(t testing.TB, name string) []byte {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("testdata", "rfc5118", name+".sip"))
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func TestIPv6Torture(t *testing.T) {
	files, err := filepath.Glob(filepath.Join("testdata", "rfc5118", "*.sip"))
	if err != nil || len(files) != len(ipv6Torture) {
		t.Errorf("%d files for %d rows (%v)", len(files), len(ipv6Torture), err)
	}
	for _, c := range ipv6Torture {
		t.Run(c.name, func(t *testing.T) {
			raw := ipv6Message(t, c.name)
			var m Message
			if f := judge(&m, raw); f != c.fault {
				t.Fatalf("got %v, want %v", f, c.fault)
			}
			if c.fault != FaultNone {
				if c.fault.Code() != 400 || !m.Answerable {
					t.Errorf("code %d, answerable %v", c.fault.Code(), m.Answerable)
				}
				return
			}
			checkForward(t, &m)
			secondReader(t, &m)
			uri := m.RequestURI.Of(raw)
			if u, ok := ParseURI(uri); !ok || string(u.Host.Of(uri)) != c.host || u.Port != c.port {
				t.Errorf("host %s, port %d", u.Host.Of(uri), u.Port)
			}
			for n := range len(raw) {
				if n < int(m.Body.End) && new(Message).Scan(raw[:n:n], nil) == FaultNone {
					t.Fatalf("%d bytes of %d accepted", n, len(raw))
				}
			}
		})
	}
}

// TestReceivedDelimiters: section 4.5 asks to read received with and without brackets; both mean the same address, and
// so do an address and the same mapped into IPv6 (section 4.9).
func TestReceivedDelimiters(t *testing.T) {
	for name, want := range map[string]string{
		"via-received-param-with-delim": "2001:db8::9:255", "via-received-param-no-delim": "2001:db8::9:255",
	} {
		m := mustScan(t, ipv6Message(t, name))
		if ip, ok := ParseAddr(m.TopVia.Received.Of(m.Raw)); !ok || ip.String() != want || m.text(m.TopVia.Host) != "2001:db8::9:1" {
			t.Errorf("%s: received %v %v", name, ip, ok)
		}
	}
	m := mustScan(t, ipv6Message(t, "ipv4-mapped-ipv6"))
	if ip, ok := ParseAddr(m.TopVia.Host.Of(m.Raw)); !ok || ip.String() != "192.0.2.10" || m.TopVia.Port != 19823 {
		t.Errorf("sent-by %v %v, port %d", ip, ok, m.TopVia.Port)
	}
}
