package digest

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
)

const (
	wrappedAt = 1_700_000_000
	call      = "3848276298220188511@acme.example"
)

func newTestSealer(key string) *Sealer { return NewSealer([]byte(strings.Repeat(key, 32))) }

// wrap returns a challenge wrapped, and the opaque that it now has.
func wrap(t *testing.T, s *Sealer, challenge string, platform uint8) (value, opaque string) {
	t.Helper()
	b, ok := s.AppendChallenge([]byte("> "), []byte(challenge), platform, wrappedAt, []byte(call))
	if !ok {
		t.Fatalf("not wrapped: %s", challenge)
	}
	value = strings.TrimPrefix(string(b), "> ")
	var p Params
	if len(value) == len(b) || !ParseChallenge(&p, []byte(value)) || !p.Opaque.Present() {
		t.Fatalf("damaged: %s", b)
	}
	return value, text(value, p.Opaque)
}

func TestWrapAndRestore(t *testing.T) {
	s, other := newTestSealer("k"), newTestSealer("k") // another edge
	for _, c := range challenges {
		wrapped, opaque := wrap(t, s, c.value, 2)

		// No other byte differs.
		ours, theirs := `, opaque="`+opaque+`"`, ``
		if c.opaque != "-" {
			ours, theirs = opaque, c.opaque
		}
		if at := strings.Index(wrapped, ours); at < 0 || wrapped[:at]+theirs+wrapped[at+len(ours):] != c.value {
			t.Errorf("%s: wrapping damaged it\nis  %s\nwas %s", c.name, wrapped, c.value)
		}
		if !bareable([]byte(opaque)) {
			t.Errorf("%s: opaque is no token: %s", c.name, opaque)
		}

		var p Params
		ParseChallenge(&p, []byte(c.value))
		for _, ph := range phones {
			template := strings.Replace(ph.value, `"acme.example"`, `"`+text(c.value, p.Realm)+`"`, 1)
			template = strings.Replace(template, "acme.example\" ", text(c.value, p.Realm)+"\" ", 1)
			sent := phone(template, `opaque="`+opaque+`"`)
			o, ok := other.Open([]byte(sent), []byte(call))
			if !ok || !o.Ours || o.Platform != 2 || o.At != wrappedAt || !o.SameCall {
				t.Fatalf("%s, %s: %+v %t", c.name, ph.name, o, ok)
			}
			want := phone(template, "")
			if c.opaque != "-" {
				want = phone(template, `opaque="`+c.opaque+`"`)
			}
			if got := string(AppendRestored(nil, []byte(sent), o)); got != want {
				t.Errorf("%s, %s:\nis   %s\nwant %s", c.name, ph.name, got, want)
			}
		}
	}
}

// Every place a phone can put the parameter, with and without quotes.
func TestRestoredPlaces(t *testing.T) {
	s := newTestSealer("k")
	const rest = `realm="r", nonce="n", uri="sip:u", response="x"`
	_, none := wrap(t, s, `Digest realm="r", nonce="n"`, 1)
	_, plain := wrap(t, s, `Digest realm="r", nonce="n", opaque="abc"`, 1)
	_, empty := wrap(t, s, `Digest realm="r", nonce="n", opaque=""`, 1)
	_, spaced := wrap(t, s, `Digest realm="r", nonce="n", opaque="a \"b\""`, 1)
	for _, c := range []struct{ sent, want string }{
		{`Digest opaque="` + none + `", ` + rest, `Digest ` + rest},
		{`Digest opaque="` + none + `" ,` + rest, `Digest ` + rest},
		{`Digest opaque=` + none + `,` + rest, `Digest ` + rest},
		{`Digest realm="r",opaque="` + none + `",nonce="n",uri="sip:u",response="x"`, `Digest realm="r",nonce="n",uri="sip:u",response="x"`},
		{`Digest ` + rest + `, opaque="` + none + `"`, `Digest ` + rest},
		{`Digest ` + rest + `, OPAQUE = ` + none, `Digest ` + rest},
		{`Digest ` + rest + `, opaque="` + none + `",`, `Digest ` + rest + `,`},
		{`Digest ` + rest + `, opaque = "` + plain + `" , x=y`, `Digest ` + rest + `, opaque = "abc" , x=y`},
		{`Digest ` + rest + `, opaque=` + plain, `Digest ` + rest + `, opaque=abc`},
		{`Digest ` + rest + `, opaque=` + empty + `, x=y`, `Digest ` + rest + `, opaque="", x=y`},
		{`Digest ` + rest + `, opaque="` + empty + `"`, `Digest ` + rest + `, opaque=""`},
		{`Digest ` + rest + `, opaque=` + spaced + `, x=y`, `Digest ` + rest + `, opaque="a \"b\"", x=y`},
	} {
		o, ok := s.Open([]byte(c.sent), []byte(call))
		if !ok {
			t.Errorf("not opened: %s", c.sent)
			continue
		}
		if got := string(AppendRestored([]byte("> "), []byte(c.sent), o)); got != "> "+c.want {
			t.Errorf("%s\nis   %s\nwant > %s", c.sent, got, c.want)
		}
	}
}

func TestOpenRefuses(t *testing.T) {
	s := newTestSealer("k")
	const rest = `Digest realm="r", nonce="n", uri="sip:u", response="x", opaque="`
	_, opaque := wrap(t, s, `Digest realm="r", nonce="n", opaque="abc"`, 1)

	check := func(name, value string, s *Sealer, ours, ok bool) {
		t.Helper()
		o, opened := s.Open([]byte(value), []byte(call))
		if o.Ours != ours || opened != ok {
			t.Errorf("%s: ours %t, verified %t", name, o.Ours, opened)
		}
		if !ok && string(AppendRestored(nil, []byte(value), o)) != value {
			t.Errorf("%s: changed without being verified", name)
		}
		if !ok && (o.Platform != 0 || o.At != 0 || o.SameCall) {
			t.Errorf("%s: something is believed: %+v", name, o)
		}
	}
	check("as it was", rest+opaque+`"`, s, true, true)
	check("next nonce", strings.Replace(rest, `"n"`, `"n2"`, 1)+opaque+`"`, s, true, true)
	check("after a change of the key", rest+opaque+`"`, newTestSealer("l"), true, false)
	check("another realm", strings.Replace(rest, `"r"`, `"q"`, 1)+opaque+`"`, s, true, false)
	check("cut", rest+opaque[:len(opaque)-4]+`"`, s, true, false)
	check("cut short", rest+mark+`"`, s, true, false)
	check("longer", rest+opaque+`AAAA"`, s, true, false)
	check("far too long", rest+mark+strings.Repeat("A", 1000)+`"`, s, true, false)
	check("no base64", rest+mark+strings.Repeat("?", 60)+`"`, s, true, false)
	check("not ours", rest+`5ccc069c403ebaf9f0171e9517f40e41"`, s, false, false)
	check("empty", rest+`"`, s, false, false)
	check("no opaque", `Digest realm="r", nonce="n", uri="sip:u", response="x"`, s, false, false)
	check("another scheme", strings.Replace(rest, "Digest", "Basic", 1)+opaque+`"`, s, false, false)
	for i := len(mark); i < len(opaque); i++ {
		forged := []byte(opaque)
		forged[i] ^= 1
		if bytes.ContainsRune([]byte("\"\\"), rune(forged[i])) {
			continue
		}
		check(fmt.Sprint("byte ", i), rest+string(forged)+`"`, s, true, false)
	}
}

func TestOpenFromAnotherCall(t *testing.T) {
	s := newTestSealer("k")
	_, opaque := wrap(t, s, `Digest realm="r", nonce="n"`, 1)
	value := `Digest realm="r", nonce="n", uri="sip:u", response="x", opaque="` + opaque + `"`
	o, ok := s.Open([]byte(value), []byte("another@call"))
	if !ok || o.SameCall || o.Platform != 1 {
		t.Errorf("%+v %t", o, ok)
	}
	if got := string(AppendRestored(nil, []byte(value), o)); strings.Contains(got, "opaque") {
		t.Error(got)
	}
	if s.CallHash([]byte(call)) == s.CallHash([]byte("another@call")) || s.CallHash([]byte(call)) != newTestSealer("k").CallHash([]byte(call)) {
		t.Error("CallHash must tell calls apart, and nothing else")
	}
}

// A realm that the phone quotes in another way is the same realm.
func TestRealmQuotedOtherwise(t *testing.T) {
	s := newTestSealer("k")
	_, opaque := wrap(t, s, `Digest realm="a\-b \"c\"", nonce="n"`, 1)
	value := `Digest realm="a-b \"c\"", nonce="n", uri="sip:u", response="x", opaque="` + opaque + `"`
	if _, ok := s.Open([]byte(value), []byte(call)); !ok {
		t.Error("not opened")
	}
}

// A challenge that crosses the edge twice (a platform that proxies through us) is
// wrapped twice, and opened from the outside in.
func TestWrappedTwice(t *testing.T) {
	s := newTestSealer("k")
	once, first := wrap(t, s, `Digest realm="r", nonce="n", opaque="abc"`, 2)
	_, second := wrap(t, s, once, 1)
	value := []byte(`Digest realm="r", nonce="n", uri="sip:u", response="x", opaque="` + second + `"`)
	for _, want := range []struct {
		platform uint8
		opaque   string
	}{{1, first}, {2, "abc"}} {
		o, ok := s.Open(value, []byte(call))
		if !ok || o.Platform != want.platform {
			t.Fatalf("%+v %t", o, ok)
		}
		value = AppendRestored(nil, value, o)
		if !strings.Contains(string(value), `opaque="`+want.opaque+`"`) {
			t.Fatalf("%s", value)
		}
	}
}

func TestWrapRefuses(t *testing.T) {
	s := newTestSealer("k")
	long := `Digest realm="r", nonce="n", opaque="` + strings.Repeat("o", maxOpaque) + `"`
	_, opaque := wrap(t, s, long, 1)
	value := []byte(strings.Replace(long, strings.Repeat("o", maxOpaque), opaque, 1) + `, uri="u", response="x"`)
	o, ok := s.Open(value, []byte(call))
	if !ok || string(AppendRestored(nil, value, o)) != long+`, uri="u", response="x"` {
		t.Error("the longest opaque does not come back")
	}
	for _, value := range []string{
		`Digest realm="r", nonce="n", opaque="` + strings.Repeat("o", maxOpaque+1) + `"`,
		`Basic realm="r"`,
		`Digest realm="r"`,
	} {
		if b, ok := s.AppendChallenge([]byte("> "), []byte(value), 1, wrappedAt, []byte(call)); ok || string(b) != "> " {
			t.Errorf("wrapped: %s", b)
		}
	}
}

func TestStale(t *testing.T) {
	for _, c := range []struct{ value, want string }{
		{`Digest realm="r", nonce="n"`, `Digest realm="r", nonce="n", stale=true`},
		{`Digest realm="r", nonce="n",`, `Digest realm="r", nonce="n", stale=true,`},
		{`Digest realm="r",stale=FALSE,nonce="n"`, `Digest realm="r",stale=true,nonce="n"`},
		{`Digest realm="r", stale="false", nonce="n"`, `Digest realm="r", stale="true", nonce="n"`},
		{`Digest realm="r", nonce="n", stale=`, `Digest realm="r", nonce="n", stale=true`},
		{`Digest realm="r", nonce="n", stale=true`, `Digest realm="r", nonce="n", stale=true`},
		{`Digest realm="r", nonce="n", stale="TRUE"`, `Digest realm="r", nonce="n", stale="TRUE"`},
		{`Digest realm="stale=false", nonce="n"`, `Digest realm="stale=false", nonce="n", stale=true`},
		{`Basic realm="r"`, `Basic realm="r"`},
		{`Digest realm="r", nonce="n`, `Digest realm="r", nonce="n`},
	} {
		if got := string(AppendStale([]byte("> "), []byte(c.value))); got != "> "+c.want {
			t.Errorf("%s\nis   %s\nwant > %s", c.value, got, c.want)
		}
	}
}

func TestNothingAllocates(t *testing.T) {
	s := newTestSealer("k")
	_, opaque := wrap(t, s, challenges[0].value, 1)
	challenge := []byte(challenges[0].value)
	sent := []byte(strings.Replace(phone(phones[0].value, `opaque="`+opaque+`"`), `"acme.example"`, `"asterisk"`, 1))
	callID := []byte(call)
	dst := make([]byte, 0, 4096)
	nonces := NewNonces(0, 1)
	var p Params
	for name, f := range map[string]func(){
		"ParseChallenge":   func() { ParseChallenge(&p, challenge) },
		"ParseCredentials": func() { ParseCredentials(&p, sent) },
		"AppendChallenge":  func() { dst, _ = s.AppendChallenge(dst[:0], challenge, 1, wrappedAt, callID) },
		"AppendStale":      func() { dst = AppendStale(dst[:0], challenge) },
		"Open, AppendRestored": func() {
			o, ok := s.Open(sent, callID)
			if !ok {
				t.Error("not opened")
			}
			dst = AppendRestored(dst[:0], sent, o)
		},
		"Nonces": func() {
			nonces.Learn(callID, 1, 2, wrappedAt)
			nonces.Origin(callID, wrappedAt)
			nonces.StaleOnce(challenge, wrappedAt)
		},
	} {
		if n := testing.AllocsPerRun(100, f); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}
