package lab

import (
	"testing"
	"time"
)

// The examples of RFC 7616 section 3.9.1, which spells out both algorithms for one request.
func TestDigestOfTheRFC(t *testing.T) {
	const (
		nonce  = "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v"
		cnonce = "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ"
	)
	for algorithm, want := range map[string]string{
		MD5:    "8ca523f5e9506fed4657c9700eebdbec",
		SHA256: "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1",
	} {
		got := digest(algorithm, "Mufasa", "http-auth@example.org", "Circle of Life", "GET", "/dir/index.html", nonce, "00000001", cnonce, "auth")
		if got != want {
			t.Errorf("%s: %s, want %s", algorithm, got, want)
		}
	}
	// RFC 2617 section 3.5 without qop, as RFC 2069 computes it (errata 749).
	if got := digest(MD5, "Mufasa", "testrealm@host.com", "CircleOfLife", "GET", "/dir/index.html",
		"dcd98b7102dd2f0e8b11d0f600bfb0c093", "", "", ""); got != "1949323746fe6a43ef61f9606e7febea" {
		t.Errorf("without qop: %s", got)
	}
}

func TestChallengeIsReadAsItWasWritten(t *testing.T) {
	for _, c := range []challenge{
		{realm: "acme.example", nonce: "n1", algorithm: MD5, qop: "auth"},
		{realm: "acme, inc", nonce: "a=b,c", opaque: "w=1,2", algorithm: SHA256, qop: "auth", stale: true},
		{realm: "r", nonce: "n", algorithm: MD5},
	} {
		got, ok := parseChallenge(c.String())
		if !ok || got != c {
			t.Errorf("%s read as %+v, %v", c, got, ok)
		}
	}
}

func TestChallengesThatThePhoneCanNotAnswer(t *testing.T) {
	for _, value := range []string{
		"", "Digest", "Basic realm=x", `Digest realm="x"`, `Digest realm="x", nonce="n`, `Digest realm="x", nonce="n", nonce="m"`,
		`Digest realm="x", nonce="n", algorithm=SHA-512-256`, `Digest realm="x", nonce="n", qop="auth-int"`, `Digest realm`,
	} {
		if c, ok := parseChallenge(value); ok {
			t.Errorf("%q read as %+v", value, c)
		}
	}
	if c, ok := parseChallenge(`digest  NONCE=n,realm = "a\"b" , qop="auth-int,auth"`); !ok || c.realm != `a"b` || c.qop != "auth" || c.algorithm != MD5 {
		t.Errorf("odd but valid: %+v, %v", c, ok)
	}
}

func TestNoncesAgeAndHaveAnOwner(t *testing.T) {
	now := time.Unix(1_000_000, 0)
	o := SwitchOptions{Now: func() time.Time { return now }, NonceAge: time.Minute}
	mine, other := newGuard(o), newGuard(o)
	n := mine.nonce()
	if ours, fresh := mine.minted(n); !ours || !fresh {
		t.Error("a new nonce is not good")
	}
	if ours, _ := other.minted(n); ours {
		t.Error("a foreign nonce was taken for an own one")
	}
	now = now.Add(time.Minute + time.Nanosecond)
	if ours, fresh := mine.minted(n); !ours || fresh {
		t.Error("an old nonce is ours, and stale")
	}
	for _, bad := range []string{"", "x", "*", n + "A"} {
		if ours, _ := mine.minted(bad); ours {
			t.Errorf("%q was taken for an own nonce", bad)
		}
	}
}
