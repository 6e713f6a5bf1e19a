package digest

import (
	"strings"
	"testing"
)

// Challenges as the switches of the field write them.
var challenges = []struct {
	name, value                           string
	realm, nonce, opaque, qop, alg, stale string // "-": missing
}{
	{"asterisk pjsip",
		`Digest realm="asterisk",nonce="1700000000/3b1c9d6e2f0a4c7d8e9f",opaque="4b8ad9a15e1f22aa",algorithm=MD5,qop="auth"`,
		"asterisk", "1700000000/3b1c9d6e2f0a4c7d8e9f", "4b8ad9a15e1f22aa", "auth", "MD5", "-"},
	{"asterisk chan_sip",
		`Digest algorithm=MD5, realm="asterisk", nonce="51d89e6e"`,
		"asterisk", "51d89e6e", "-", "-", "MD5", "-"},
	{"asterisk chan_sip, stale",
		`Digest algorithm=MD5, realm="asterisk", nonce="51d89e6e", stale=true`,
		"asterisk", "51d89e6e", "-", "-", "MD5", "true"},
	{"kamailio",
		`Digest realm="acme.example", nonce="ZVkT9mVZEsrl8nEyV+0p7qO2gJZ/8Y1b"`,
		"acme.example", "ZVkT9mVZEsrl8nEyV+0p7qO2gJZ/8Y1b", "-", "-", "-", "-"},
	{"kamailio with qop",
		`Digest realm="acme.example", nonce="ZVkT9mVZEso=", qop="auth", algorithm=MD5`,
		"acme.example", "ZVkT9mVZEso=", "-", "auth", "MD5", "-"},
	{"freeswitch",
		`Digest realm="acme.example", nonce="6f3f8e9c-8a3e-4a5f-9b07-5b1d1b2c3d4e", stale=true, algorithm=MD5, qop="auth"`,
		"acme.example", "6f3f8e9c-8a3e-4a5f-9b07-5b1d1b2c3d4e", "-", "auth", "MD5", "true"},
	{"broadsoft",
		`DIGEST realm="BroadWorks",algorithm=MD5,nonce="BroadWorksXi8vc2p2tTn5n1b3BW",qop="auth"`,
		"BroadWorks", "BroadWorksXi8vc2p2tTn5n1b3BW", "-", "auth", "MD5", "-"},
	{"session border controller",
		`Digest realm="atlanta.com", domain="sip:boxesbybob.com", qop="auth", nonce="f84f1cec41e6cbe5aea9c8e88d359", opaque="", stale=FALSE, algorithm=MD5`,
		"atlanta.com", "f84f1cec41e6cbe5aea9c8e88d359", "", "auth", "MD5", "FALSE"},
	{"gateway, comma at the end",
		`Digest realm="audiocodes.com", nonce="11432d6bce58ddf02e3b5e1c77c010d2", stale=FALSE,`,
		"audiocodes.com", "11432d6bce58ddf02e3b5e1c77c010d2", "-", "-", "-", "FALSE"},
	{"RFC 8760",
		`Digest realm="biloxi.example.com", qop="auth,auth-int", algorithm=SHA-256, nonce="dcd98b", opaque="5ccc069c403ebaf9f0171e9517f40e41"`,
		"biloxi.example.com", "dcd98b", "5ccc069c403ebaf9f0171e9517f40e41", "auth,auth-int", "SHA-256", "-"},
	{"everything odd",
		"digest\tReAlM = \"a, \\\"b\\\" = c\" ,, NONCE=bare/==, X-New=\"opaque=1, nonce=2\",Opaque = o1 ,algorithm=\"MD5\",stale=",
		`a, \"b\" = c`, "bare/==", "o1", "-", "MD5", ""},
}

func text(value string, s Span) string {
	if !s.Present() {
		return "-"
	}
	return string(s.In([]byte(value)))
}

func TestParseChallenge(t *testing.T) {
	for _, c := range challenges {
		var p Params
		if !ParseChallenge(&p, []byte(c.value)) {
			t.Errorf("%s: refused", c.name)
			continue
		}
		for _, x := range []struct {
			what, want string
			got        Span
		}{
			{"realm", c.realm, p.Realm}, {"nonce", c.nonce, p.Nonce}, {"opaque", c.opaque, p.Opaque},
			{"qop", c.qop, p.QOP}, {"algorithm", c.alg, p.Algorithm}, {"stale", c.stale, p.Stale},
		} {
			if got := text(c.value, x.got); got != x.want {
				t.Errorf("%s: %s = %q, want %q", c.name, x.what, got, x.want)
			}
		}
		if got := text(c.value, p.Scheme); !strings.EqualFold(got, "digest") {
			t.Errorf("%s: scheme %q", c.name, got)
		}
	}
}

// Credentials as phones write them; %s is the opaque parameter, comma included.
var phones = []struct{ name, value string }{
	{"yealink", `Digest username="201", realm="acme.example", nonce="ZVkT9mVZEso=", uri="sip:acme.example:5060", response="0ea0ce64854f6d6251a051a0572d75aa", algorithm=MD5, cnonce="0a4f113b"%s, qop=auth, nc=00000001`},
	{"polycom", `Digest username="201", realm="acme.example", nonce="ZVkT9mVZEso=", qop=auth, cnonce="k1NcZzQ6vJk", nc=00000002%s, uri="sip:acme.example", response="0ea0ce64854f6d6251a051a0572d75aa", algorithm=MD5`},
	{"grandstream", `Digest username="201", realm="acme.example", nonce="ZVkT9mVZEso=", uri="sip:acme.example", response="0ea0ce64854f6d6251a051a0572d75aa", algorithm=MD5, cnonce="12345678"%s, qop=auth, nc=00000001`},
	{"snom", `Digest username="201",realm="acme.example",nonce="ZVkT9mVZEso=",uri="sip:acme.example",qop=auth,nc=00000001,cnonce="5f0d",response="0ea0ce64854f6d6251a051a0572d75aa"%s,algorithm=MD5`},
	{"cisco", `Digest username="201",realm="acme.example",uri="sip:acme.example",response="0ea0ce64854f6d6251a051a0572d75aa",nonce="ZVkT9mVZEso="%s,cnonce="55d6e54e",qop=auth,nc=00000001,algorithm=MD5`},
	{"sipp, qop in quotes", `Digest username="201",realm="acme.example",cnonce="6b8b4567",nc=00000001,qop="auth",uri="sip:*9000@acme.example",nonce="ZVkT9mVZEso=",response="0ea0ce64854f6d6251a051a0572d75aa",algorithm=MD5%s`},
	{"spaces before commas", `Digest  username = "201" , realm = "acme.example" , nonce = "ZVkT9mVZEso=" %s , uri = "sip:acme.example" , response = "0ea0ce64854f6d6251a051a0572d75aa"`},
	{"comma in the username", `Digest username="two, \"oh\" one", realm="acme.example", nonce="ZVkT9mVZEso="%s, uri="sip:acme.example;x=a,b", response="0ea0ce64854f6d6251a051a0572d75aa"`},
}

// phone returns a phone's credentials with an opaque parameter (or "").
func phone(value, opaque string) string {
	if opaque != "" {
		opaque = ", " + opaque
	}
	return strings.Replace(value, "%s", opaque, 1)
}

func TestParseCredentials(t *testing.T) {
	for _, c := range phones {
		value := phone(c.value, `opaque="a b"`)
		var p Params
		if !ParseCredentials(&p, []byte(value)) {
			t.Errorf("%s: refused", c.name)
			continue
		}
		if got := text(value, p.Nonce); got != "ZVkT9mVZEso=" {
			t.Errorf("%s: nonce %q", c.name, got)
		}
		if got := text(value, p.Opaque); got != "a b" {
			t.Errorf("%s: opaque %q", c.name, got)
		}
		if got := text(value, p.Response); got != "0ea0ce64854f6d6251a051a0572d75aa" {
			t.Errorf("%s: response %q", c.name, got)
		}
		if got := text(value, p.URI); !strings.HasPrefix(got, "sip:") || !strings.Contains(got, "acme.example") {
			t.Errorf("%s: uri %q", c.name, got)
		}
	}
	var p Params
	value := phones[1].value
	if !ParseCredentials(&p, []byte(phone(value, ""))) || p.Opaque.Present() {
		t.Error("credentials without opaque")
	}
	value = phone(value, "")
	if text(value, p.NC) != "00000002" || text(value, p.CNonce) != "k1NcZzQ6vJk" || text(value, p.Username) != "201" {
		t.Errorf("nc %q, cnonce %q, username %q", text(value, p.NC), text(value, p.CNonce), text(value, p.Username))
	}
}

func TestParseInfo(t *testing.T) {
	for _, c := range []struct {
		value, next string
		ok          bool
	}{
		{`nextnonce="47364c23432d2e131a5fb210812c"`, "47364c23432d2e131a5fb210812c", true},
		{`qop=auth,rspauth="6629fae4",cnonce="0a4f113b",nc=00000001,NextNonce="n2"`, "n2", true},
		{`qop=auth`, "-", true},
		{`nextnonce="a", nextnonce="b"`, "", false},
		{`Digest nextnonce="a"`, "", false},
	} {
		var p Params
		ok := ParseInfo(&p, []byte(c.value))
		if ok != c.ok || ok && text(c.value, p.NextNonce) != c.next {
			t.Errorf("%s: %t, nextnonce %q", c.value, ok, text(c.value, p.NextNonce))
		}
	}
}

func TestRefused(t *testing.T) {
	for name, value := range map[string]string{
		"empty":                      ``,
		"scheme only":                `Digest`,
		"no parameters":              `Digest `,
		"basic":                      `Basic realm="a", nonce="b"`,
		"bearer":                     `Bearer authz_server="https://a.example", realm="a", nonce="b"`,
		"longer scheme":              `Digestive realm="a", nonce="b"`,
		"no scheme":                  `realm="a", nonce="b"`,
		"no space":                   `Digest,realm="a", nonce="b"`,
		"two challenges":             `Digest realm="a", nonce="b", Digest realm="c", nonce="d"`,
		"two schemes":                `Digest realm="a", nonce="b", Basic realm="c"`,
		"two realms":                 `Digest realm="a", nonce="b", Realm="c"`,
		"two nonces, one bare":       `Digest realm="a", nonce="b", NONCE=c`,
		"two empty opaques":          `Digest realm="a", nonce="b", opaque="", opaque=`,
		"no realm":                   `Digest nonce="b"`,
		"no nonce":                   `Digest realm="b"`,
		"no comma":                   `Digest realm="a" nonce="b"`,
		"no equals sign":             `Digest realm="a", nonce="b", opaque`,
		"no name":                    `Digest realm="a", nonce="b", ="c"`,
		"quote left open":            `Digest realm="a", nonce="b`,
		"quote left open, escaped":   `Digest realm="a", nonce="b\"`,
		"ends in a backslash":        `Digest realm="a", nonce="b\`,
		"quote in a bare value":      `Digest realm="a", nonce=b"c"`,
		"text after a quoted string": `Digest realm="a", nonce="b"c`,
		"backslash in a bare value":  `Digest realm="a", nonce=b\c`,
		"two words":                  `Digest realm="a", nonce=b c`,
		"fold":                       "Digest realm=\"a\",\r\n nonce=\"b\"",
		"fold in quotes":             "Digest realm=\"a\r\n b\", nonce=\"b\"",
		"control":                    "Digest realm=\"a\x00\", nonce=\"b\"",
		"control in a quoted-pair":   "Digest realm=\"a\\\x01\", nonce=\"b\"",
		"control, bare":              "Digest realm=\"a\", nonce=b\x7f",
		"too long":                   `Digest realm="a", nonce="` + strings.Repeat("b", maxValue) + `"`,
	} {
		var p Params
		if ParseChallenge(&p, []byte(value)) {
			t.Errorf("%s: taken for a challenge", name)
		}
		if ParseCredentials(&p, []byte(value+`, uri="sip:a", response="r"`)) {
			t.Errorf("%s: taken for credentials", name)
		}
	}
	for _, value := range []string{
		`Digest realm="a", nonce="b", uri="c"`,
		`Digest realm="a", nonce="b", response="c"`,
	} {
		var p Params
		if ParseCredentials(&p, []byte(value)) {
			t.Errorf("%s: taken for credentials", value)
		}
	}
}
