package wire

import (
	"net/netip"
	"testing"
)

func TestParseURI(t *testing.T) {
	for _, c := range []struct {
		in                                            string
		scheme, user, password, host, params, headers string
		port                                          uint16
	}{
		{in: "sip:acme.example", scheme: "sip", host: "acme.example"},
		{in: "SIPS:100@Acme.Example:5061;transport=tcp;lr", scheme: "SIPS", user: "100", host: "Acme.Example", port: 5061, params: ";transport=tcp;lr"},
		{in: "sip:a:b%3A@h?Subject=x&y=", scheme: "sip", user: "a", password: "b%3A", host: "h", headers: "Subject=x&y="},
		{in: "sip:a:@h", scheme: "sip", user: "a", host: "h"},
		{in: "sip:[2001:db8::1]:5060;x=[::1]", scheme: "sip", host: "2001:db8::1", port: 5060, params: ";x=[::1]"},
		{in: "sip:user;par=u%40example.net@example.com", scheme: "sip", user: "user;par=u%40example.net", host: "example.com"},
		{in: "sip:1_odd?,/;;*:&it+has=1,weird!*@h", scheme: "sip", user: "1_odd?,/;;*", password: "&it+has=1,weird!*", host: "h"},
		{in: "sip:+13035551212;ext=5@h;user=phone", scheme: "sip", user: "+13035551212;ext=5", host: "h", params: ";user=phone"},
		{in: "sip:*98#@h", scheme: "sip", user: "*98#", host: "h"},
		{in: "sip:h;x=abc==;%6C%72", scheme: "sip", host: "h", params: ";x=abc==;%6C%72"},
		{in: "tel:+1-303-555-1212", scheme: "tel", user: "+1-303-555-1212"},
		{in: "tel:911;phone-context=+1", scheme: "tel", user: "911", params: ";phone-context=+1"},
		{in: "urn:service:sos", scheme: "urn"},
		{in: "soap.beep://192.0.2.103:3002", scheme: "soap.beep"},
	} {
		b := []byte(c.in)
		u, ok := ParseURI(b)
		if !ok {
			t.Errorf("%s: refused", c.in)
			continue
		}
		for _, p := range []struct {
			part, want string
			got        Span
		}{
			{"scheme", c.scheme, u.Scheme}, {"user", c.user, u.User}, {"password", c.password, u.Password},
			{"host", c.host, u.Host}, {"params", c.params, u.Params}, {"headers", c.headers, u.Headers},
			{"rest", c.in[len(c.scheme)+1:], u.Rest},
		} {
			if got := string(p.got.Of(b)); got != p.want {
				t.Errorf("%s: %s is %q", c.in, p.part, got)
			}
		}
		if u.Port != c.port {
			t.Errorf("%s: port %d", c.in, u.Port)
		}
	}
	for _, in := range []string{
		"", "sip", "sip:", ":a", "1sip:a", "s ip:a", "sip:@h", "sip:a@", "sip:a@b@c", "sip:a b@c", "sip:h:", "sip:h:0", "sip:h:65536",
		"sip:h:5060x", "sip:h ", " sip:h", "sip:<h>", "sip:\"a\"@h", "sip:h;", "sip:h;;lr", "sip:h;=x", "sip:h?", "sip:h?a=<b>", "sip:h;a=%4",
		"sip:%zz@h", "sip:%4@h", "sip:%", "sip:[::1", "sip:[]", "sip:::1", "sip:h\x00", "sip:h\xc3\xa9", "sip:a\\@h", "tel:", "tel:+", "tel:abc-xyz",
		"tel:911?x=y", "urn:", "urn:a b", "urn:%g1", "*", "sip:a@h/path", "sip:a@h..x", "sip:.h", "sip:[1::2::3]",
	} {
		if u, ok := ParseURI([]byte(in)); ok {
			t.Errorf("%q: accepted as %+v", in, u)
		}
	}
}

func TestParam(t *testing.T) {
	for _, c := range []struct {
		params, name, want string
		found              bool
	}{
		{";a=1;b=2", "b", "2", true},
		{"a=1", "A", "1", true},
		{" ; LR ;x", "lr", "", true},
		{";a = \r\n 1 ;b", "a", "1", true},
		{";a=\"x;b=2\";b=3", "b", "3", true},
		{";a=\"x\\\";b=2\";b=3", "b", "3", true},
		{";a=b=c", "a", "b=c", true},
		{";a=\"open;b=2", "b", "", false},
		{";ab=1", "a", "", false},
		{"", "a", "", false},
		{";;;", "", "", false},
	} {
		got, found := Param([]byte(c.params), c.name)
		if string(got) != c.want || found != c.found {
			t.Errorf("%q %s: %q %v", c.params, c.name, got, found)
		}
	}
	var all string
	for name, value := range Params([]byte(";a=1; b ;c=\"2\"")) {
		all += string(name) + "=" + string(value) + "|"
	}
	if all != "a=1|b=|c=\"2\"|" {
		t.Error(all)
	}
}

func TestHosts(t *testing.T) {
	for _, c := range []struct {
		a, b string
		same bool
	}{
		{"acme.example", "ACME.example.", true},
		{"acme.example", "acme.example2", false},
		{"127.0.0.1", "127.0.0.1", true},
		{"127.0.0.1", "127.0.0.2", false},
		{"[2001:db8::0:1]", "2001:DB8::1", true},
		{"2001:db8::1", "a", false},
	} {
		if EqualHost([]byte(c.a), []byte(c.b)) != c.same || EqualHost([]byte(c.b), []byte(c.a)) != c.same {
			t.Errorf("%s and %s: want %v", c.a, c.b, c.same)
		}
	}
	for in, want := range map[string]string{
		"192.0.2.1": "192.0.2.1", "[2001:db8::1]": "2001:db8::1", "::ffff:192.0.2.1": "192.0.2.1",
		"2001:db8:::192.0.2.1": "2001:db8::192.0.2.1", ":::192.0.2.1": "::192.0.2.1", "::::192.0.2.1": "", "2001:db8:::1": "", "1::2:::192.0.2.1": "", ":::": "",
		"192.0.2.256": "", "192.0.2": "", "192.0.2.1.": "", "192.0.02.1": "", "": "", "1::2::3": "", "fe80::1%eth0": "", "pc.example": "", "[]": "",
	} {
		got, ok := ParseAddr([]byte(in))
		if ok != (want != "") || ok && got != netip.MustParseAddr(want) {
			t.Errorf("%q: %v %v", in, got, ok)
		}
	}
	if got := string(AppendHost([]byte("x"), []byte("Acme.EXAMPLE."))); got != "xacme.example" {
		t.Error(got)
	}
	a, b := []byte("2001:db8::1"), []byte("[2001:DB8::1]")
	if n := testing.AllocsPerRun(100, func() { EqualHost(a, b) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestText(t *testing.T) {
	for in, want := range map[string]string{"a%40b": "a@b", "%6c%4C": "lL", "%": "%", "%4": "%4", "%zz": "%zz", "%00": "\x00", "%%41": "%A"} {
		if got := string(AppendUnescaped(nil, []byte(in))); got != want {
			t.Errorf("%q: %q", in, got)
		}
	}
	got := string(AppendList([]byte("X: "), "plain", "a, b", `q"\`, "", "new\r\nline"))
	if got != `X: plain, "a, b", "q\"\\", "", "new  line"` {
		t.Error(got)
	}
	// Read back, the list has as many elements as went in.
	m := mustScan(t, append(options(""), nil...))
	var s Splice
	s.Reset(m)
	s.EndHeaders([]byte("Supported" + got[1:] + "\r\n"))
	n := 0
	again := mustScan(t, s.AppendTo(nil))
	for range again.Elems(HSupported) {
		n++
	}
	if n != 5 {
		t.Errorf("%d elements", n)
	}
}

func TestLookup(t *testing.T) {
	for id := HOther + 1; id < HXHotcut; id++ {
		name := []byte(id.String())
		if got := lookup(name); got != id {
			t.Errorf("%s is %v", name, got)
		}
		for i := range name {
			name[i] ^= 0x20 & -(name[i] >> 6) // other case, letters only
		}
		if got := lookup(name); got != id {
			t.Errorf("%s is %v", name, got)
		}
		if got := lookup(append(name, 'x')); got != HOther {
			t.Errorf("%sx is %v", name, got)
		}
	}
	for compact, id := range map[string]HeaderID{
		"a": HAcceptContact, "b": HReferredBy, "c": HContentType, "d": HRequestDisposition, "e": HContentEncoding, "f": HFrom, "i": HCallID,
		"j": HRejectContact, "k": HSupported, "l": HContentLength, "m": HContact, "n": HIdentityInfo, "o": HEvent, "r": HReferTo, "s": HSubject,
		"t": HTo, "u": HAllowEvents, "v": HVia, "x": HSessionExpires, "y": HIdentity, "q": HOther, "X-Hotcut-": HXHotcut, "x-HOTCUT-Any": HXHotcut,
		"X-Hotcut": HOther, "X-Hotcut_Any": HOther,
	} {
		if got := lookup([]byte(compact)); got != id {
			t.Errorf("%s is %v", compact, got)
		}
	}
}
