package digest

import (
	"crypto/md5"
	"crypto/sha256"
	"errors"
	"strings"
	"testing"
)

const (
	mufasa7616 = `Digest realm="http-auth@example.org", qop="auth, auth-int", algorithm=%s, nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"`
	cnonce7616 = "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ"
)

func password(user, pass string) Secret { return Secret{Username: user, Password: pass} }

func answer(challenge string, sec Secret, method, uri, cnonce string, nc uint32) (string, error) {
	var ch Params
	if !ParseChallenge(&ch, []byte(challenge)) {
		return "", errors.New("no challenge")
	}
	b, err := AppendAuthorization([]byte("> "), &ch, []byte(challenge), sec, method, uri, nc, cnonce)
	return strings.TrimPrefix(string(b), "> "), err
}

// Values that others have computed.
func TestAnswerPublished(t *testing.T) {
	for _, c := range []struct {
		name, challenge        string
		sec                    Secret
		method, uri, cnonce    string
		response, algorithm, q string
	}{
		{"RFC 7616 section 3.9.1, MD5",
			strings.Replace(mufasa7616, "%s", "MD5", 1), password("Mufasa", "Circle of Life"),
			"GET", "/dir/index.html", cnonce7616, "8ca523f5e9506fed4657c9700eebdbec", "MD5", "auth"},
		{"RFC 7616 section 3.9.1, SHA-256",
			strings.Replace(mufasa7616, "%s", "SHA-256", 1), password("Mufasa", "Circle of Life"),
			"GET", "/dir/index.html", cnonce7616, "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1", "SHA-256", "auth"},
		{"RFC 2617 section 3.5",
			`Digest realm="testrealm@host.com", qop="auth,auth-int", nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093", opaque="5ccc069c403ebaf9f0171e9517f40e41"`,
			password("Mufasa", "Circle Of Life"),
			"GET", "/dir/index.html", "0a4f113b", "6629fae49393a05397450978507c4ef1", "-", "auth"},
		{"RFC 2069 section 2.4, as its erratum has it",
			`Digest realm="testrealm@host.com", nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093", opaque="5ccc069c403ebaf9f0171e9517f40e41"`,
			password("Mufasa", "CircleOfLife"),
			"GET", "/dir/index.html", "", "1949323746fe6a43ef61f9606e7febea", "-", "-"},
		{"a gateway's manual, from its HA1 on",
			`Digest realm="audiocodes.com", nonce="11432d6bce58ddf02e3b5e1c77c010d2", stale=FALSE, algorithm=MD5`,
			Secret{Username: "122", Realm: "audiocodes.com", HA1MD5: [16]byte{
				0xa8, 0xf1, 0x7d, 0x4b, 0x41, 0xab, 0x8d, 0xab, 0x6c, 0x95, 0xd3, 0xc1, 0x4e, 0x34, 0xa9, 0xe1}},
			"REGISTER", "sip:10.2.2.222", "", "b9c45d0234a5abf5ddf5c704029b38cf", "MD5", "-"},
	} {
		got, err := answer(c.challenge, c.sec, c.method, c.uri, c.cnonce, 1)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		var p, ch Params
		ParseChallenge(&ch, []byte(c.challenge))
		if !ParseCredentials(&p, []byte(got)) {
			t.Errorf("%s: can not be read back: %s", c.name, got)
			continue
		}
		count, cnonce := "00000001", c.cnonce
		if c.q == "-" {
			count, cnonce = "-", "-"
		}
		for _, x := range []struct {
			what, want string
			got        Span
		}{
			{"response", c.response, p.Response}, {"algorithm", c.algorithm, p.Algorithm}, {"qop", c.q, p.QOP},
			{"nc", count, p.NC}, {"cnonce", cnonce, p.CNonce}, {"uri", c.uri, p.URI}, {"username", c.sec.Username, p.Username},
			{"realm", text(c.challenge, ch.Realm), p.Realm}, {"nonce", text(c.challenge, ch.Nonce), p.Nonce},
			{"opaque", text(c.challenge, ch.Opaque), p.Opaque},
		} {
			if text(got, x.got) != x.want {
				t.Errorf("%s: %s = %q, want %q", c.name, x.what, text(got, x.got), x.want)
			}
		}
	}
}

func TestAnswerWritten(t *testing.T) {
	got, err := answer(`Digest realm="r", nonce="n", qop="auth", algorithm=MD5, opaque="o"`, password("201", "pw"), "REGISTER", "sip:acme.example", "c", 255)
	// The response is what md5sum makes of it, step by step.
	const want = `Digest username="201", realm="r", nonce="n", uri="sip:acme.example", response="7e63d5258a2c1aa3bf699b8f798327f0", ` +
		`algorithm=MD5, cnonce="c", opaque="o", qop=auth, nc=000000ff`
	if err != nil || got != want {
		t.Errorf("%v\nis   %s\nwant %s", err, got, want)
	}
}

// A HA1 answers as the password does that it was made of, in every algorithm.
func TestAnswerByHash(t *testing.T) {
	byPassword := password("201", "pw")
	byHash := Secret{Username: "201", Realm: "r", HA1MD5: md5.Sum([]byte("201:r:pw")), HA1SHA256: sha256.Sum256([]byte("201:r:pw"))}
	seen := map[string]string{}
	for _, algorithm := range []string{"", "MD5", "md5-SESS", `"SHA-256"`, "SHA-256-sess"} {
		for _, qop := range []string{"", "auth", "auth-int", "auth-int,auth", "AUTH , x"} {
			challenge := `Digest realm="r", nonce="n", qop="` + qop + `", algorithm=` + algorithm
			one, err1 := answer(challenge, byPassword, "REGISTER", "sip:a", "c", 1)
			two, err2 := answer(challenge, byHash, "REGISTER", "sip:a", "c", 1)
			if err1 != nil || err2 != nil || one != two {
				t.Errorf("%s: %v, %v\n%s\n%s", challenge, err1, err2, one, two)
			}
			var p Params
			ParseCredentials(&p, []byte(one))
			want := map[string]string{"": "-", "auth-int": "auth-int"}[qop]
			if want == "" {
				want = "auth"
			}
			if text(one, p.QOP) != want {
				t.Errorf("%s: qop %s", challenge, text(one, p.QOP))
			}
			if sess := strings.Contains(strings.ToLower(algorithm), "sess"); p.CNonce.Present() != (sess || qop != "") {
				t.Errorf("%s: cnonce %t", challenge, p.CNonce.Present())
			}
			response := text(one, p.Response)
			if with, twice := seen[response]; twice && with != algorithm+want && !(strings.TrimPrefix(with, "MD5") == want && algorithm == "") && !(with == want && algorithm == "MD5") {
				t.Errorf("%s: the response of %s", challenge, with)
			}
			seen[response] = algorithm + want
		}
	}
	if len(seen) != 4*3 {
		t.Errorf("%d responses for 4 algorithms and 3 qops", len(seen))
	}
}

// By the definitions, step by step: RFC 7616 sections 3.4.2 and 3.4.3.
func TestAnswerSessionAndIntegrity(t *testing.T) {
	got, err := answer(`Digest realm="r", nonce="n", qop="auth-int", algorithm=SHA-256-sess`, password("u", "p"), "REGISTER", "sip:a", "c", 2)
	a1 := sha256Hex(sha256Hex("u:r:p") + ":n:c")
	a2 := sha256Hex("REGISTER:sip:a:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855") // H of nothing
	if want := sha256Hex(a1 + ":n:00000002:c:auth-int:" + a2); err != nil || !strings.Contains(got, `response="`+want+`"`) {
		t.Errorf("%v: %s", err, got)
	}
}

func TestAnswerRefuses(t *testing.T) {
	hash := Secret{Username: "201", Realm: "r", HA1MD5: [16]byte{1}}
	for _, c := range []struct {
		name, challenge string
		sec             Secret
		uri             string
		want            error
	}{
		{"realm", `Digest realm="q", nonce="n"`, hash, "sip:a", ErrRealm},
		{"realm, with a password", `Digest realm="q", nonce="n"`, Secret{Username: "201", Realm: "r", Password: "p"}, "sip:a", ErrRealm},
		{"realm in another case", `Digest realm="R", nonce="n"`, hash, "sip:a", ErrRealm},
		{"hash without realm", `Digest realm="r", nonce="n"`, Secret{Username: "201", HA1MD5: [16]byte{1}}, "sip:a", ErrRealm},
		{"algorithm", `Digest realm="r", nonce="n", algorithm=AKAv1-MD5`, hash, "sip:a", ErrAlgorithm},
		{"no such hash", `Digest realm="r", nonce="n", algorithm=SHA-256`, hash, "sip:a", ErrNoHash},
		{"nothing at all", `Digest realm="r", nonce="n"`, Secret{Username: "201", Realm: "r"}, "sip:a", ErrNoHash},
		{"qop", `Digest realm="r", nonce="n", qop="auth-conf"`, hash, "sip:a", ErrQOP},
		{"username", `Digest realm="r", nonce="n"`, password(`2"01`, "p"), "sip:a", ErrWriting},
		{"uri", `Digest realm="r", nonce="n"`, hash, "sip:a\r\nX: y", ErrWriting},
	} {
		got, err := answer(c.challenge, c.sec, "REGISTER", c.uri, "c", 1)
		if !errors.Is(err, c.want) || got != "" {
			t.Errorf("%s: %v, %q", c.name, err, got)
		}
	}
	_, err := answer(`Digest realm="r", nonce="n", algorithm=`+strings.Repeat("x", 4000), hash, "REGISTER", "sip:a", "c", 1)
	if !errors.Is(err, ErrAlgorithm) || len(err.Error()) > 200 {
		t.Error("a platform writes long errors:", len(err.Error()))
	}
}
