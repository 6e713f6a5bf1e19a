package digest

import (
	"bytes"
	"strings"
	"testing"
)

func spans(p *Params) []Span {
	return []Span{p.Scheme, p.Realm, p.Nonce, p.Opaque, p.QOP, p.Algorithm, p.Stale, p.Username, p.URI,
		p.Response, p.CNonce, p.NC, p.NextNonce, p.opaqueName}
}

// Whatever is read lies inside the value and in one piece, and reading does not depend
// on what p held before.
func FuzzParse(f *testing.F) {
	for _, c := range challenges {
		f.Add(c.value)
	}
	for _, c := range phones {
		f.Add(phone(c.value, `opaque="x"`))
	}
	f.Add(`nextnonce="47364c", qop=auth, nc=00000001`)
	f.Fuzz(func(t *testing.T, s string) {
		value := []byte(s)
		for i, parse := range []func(*Params, []byte) bool{ParseChallenge, ParseCredentials, ParseInfo} {
			var p Params
			q := Params{Realm: Span{9, 9}, Opaque: Span{7, 7}}
			ok := parse(&p, value)
			if parse(&q, value) != ok || ok && p != q {
				t.Fatal("depends on what was read before")
			}
			if !ok {
				continue
			}
			if p.Scheme.Present() != (i < 2) {
				t.Fatal("scheme", p.Scheme)
			}
			for _, at := range spans(&p) {
				in := at.In(value)
				for i, c := range in {
					if c == '"' && (i == 0 || in[i-1] != '\\') || isControl(c) && c != '\t' {
						t.Fatalf("%q is no value", in)
					}
				}
			}
			if p.last > len(value) || len(bytes.Trim(value[p.last:], ", \t")) > 0 {
				t.Fatalf("something after the last parameter: %q", value[p.last:])
			}
		}
	})
}

// What a platform wrote comes back to it, and no byte of anything else is touched.
func FuzzWrapRestore(f *testing.F) {
	for _, c := range challenges {
		f.Add(c.value, call, true)
		f.Add(c.value, "", false)
	}
	s, other := newTestSealer("k"), newTestSealer("l")
	f.Fuzz(func(t *testing.T, challenge, callID string, quote bool) {
		value := []byte(challenge)
		var before, after Params
		wrapped, ok := s.AppendChallenge(nil, value, 2, wrappedAt, []byte(callID))
		if !ok {
			if ParseChallenge(&before, value) && before.Opaque.Len <= maxOpaque || len(wrapped) > 0 {
				t.Fatal("not wrapped")
			}
			return
		}
		if !ParseChallenge(&before, value) {
			t.Fatal("wrapped what is no challenge")
		}
		had := before.Opaque.Present()
		if !ParseChallenge(&after, wrapped) {
			if len(wrapped) > maxValue {
				return
			}
			t.Fatalf("can not be read any more: %q", wrapped)
		}
		opaque := string(after.Opaque.In(wrapped))
		if had {
			if got := string(wrapped[:before.Opaque.Off]) + string(before.Opaque.In(value)) + string(wrapped[after.Opaque.end():]); got != challenge {
				t.Fatalf("damaged:\n%q\n%q", got, challenge)
			}
		} else if got := strings.Replace(string(wrapped), `, opaque="`+opaque+`"`, "", 1); got != challenge {
			t.Fatalf("damaged:\n%q\n%q", got, challenge)
		}

		// A phone that answers.
		if quote {
			opaque = `"` + opaque + `"`
		}
		front := `Digest realm="` + string(after.Realm.In(wrapped)) + `", nonce="` + string(after.Nonce.In(wrapped)) + `"`
		const back = `, uri="sip:u", response="x"`
		sent := []byte(front + `, opaque=` + opaque + back)
		if len(sent) > maxValue {
			return
		}
		o, ok := s.Open(sent, []byte(callID))
		if !ok || o.Platform != 2 || o.At != wrappedAt || !o.SameCall {
			t.Fatalf("%+v %t for %q", o, ok, sent)
		}
		if o, ok := other.Open(sent, []byte(callID)); ok || !o.Ours {
			t.Fatal("opened under another key")
		}
		restored := AppendRestored(nil, sent, o)
		if !had {
			if string(restored) != front+back {
				t.Fatalf("%q", restored)
			}
			return
		}
		var p Params
		if !ParseCredentials(&p, restored) || !bytes.Equal(p.Opaque.In(restored), before.Opaque.In(value)) {
			t.Fatalf("%q, the opaque was %q", restored, before.Opaque.In(value))
		}
		if !bytes.HasPrefix(restored, []byte(front)) || !bytes.HasSuffix(restored, []byte(back)) {
			t.Fatalf("damaged: %q", restored)
		}
	})
}

// Nobody writes credentials that open without having seen a challenge.
func FuzzOpen(f *testing.F) {
	f.Add(phone(phones[0].value, `opaque="`+mark+strings.Repeat("A", 40)+`"`))
	f.Add(phone(phones[1].value, `opaque=`+mark+strings.Repeat("A", sealChars)))
	f.Fuzz(func(t *testing.T, value string) {
		s := newTestSealer("k")
		o, ok := s.Open([]byte(value), []byte(call))
		if ok {
			t.Fatalf("opened: %q", value)
		}
		if got := AppendRestored(nil, []byte(value), o); string(got) != value {
			t.Fatalf("changed: %q", got)
		}
	})
}

// Nor by changing what they have seen: every byte of an opaque counts, and so does the realm that it was given for.
func FuzzChanged(f *testing.F) {
	for i, c := range challenges {
		f.Add(c.value, i, byte(0))
		f.Add(c.value, -1-i, byte(1))
		f.Add(c.value, sealChars+len(mark), byte(0x20))
	}
	f.Add(challenges[0].value, 9, byte('A'^'\n'))
	s := newTestSealer("k")
	f.Fuzz(func(t *testing.T, challenge string, at int, flip byte) {
		wrapped, ok := s.AppendChallenge(nil, []byte(challenge), 2, wrappedAt, []byte(call))
		var p Params
		if !ok || !ParseChallenge(&p, wrapped) || len(wrapped) > maxValue/2 {
			return
		}
		changed := bytes.Clone(p.Opaque.In(wrapped))
		changed[uint(at)%uint(len(changed))] ^= flip
		sent := `Digest realm="` + string(p.Realm.In(wrapped)) + `", nonce="n", opaque="` + string(changed) + `", uri="sip:u", response="x"`
		if o, ok := s.Open([]byte(sent), []byte(call)); ok != (flip == 0) || ok && o.Platform != 2 {
			t.Fatalf("flipped %08b: %+v %t for %q", flip, o, ok, sent)
		}
		sent = `Digest realm="x` + string(p.Realm.In(wrapped)) + `", nonce="n", opaque="` + string(p.Opaque.In(wrapped)) + `", uri="sip:u", response="x"`
		if _, ok := s.Open([]byte(sent), []byte(call)); ok {
			t.Fatalf("opened for another realm: %q", sent)
		}
	})
}

// A stale challenge is the same challenge, and saying it twice changes nothing.
func FuzzStale(f *testing.F) {
	for _, c := range challenges {
		f.Add(c.value)
	}
	f.Fuzz(func(t *testing.T, value string) {
		once := AppendStale(nil, []byte(value))
		var p, q Params
		if !ParseChallenge(&p, []byte(value)) {
			if string(once) != value {
				t.Fatalf("changed: %q", once)
			}
			return
		}
		if len(once) > maxValue {
			return
		}
		if !ParseChallenge(&q, once) || !equalFold(q.Stale.In(once), "true") || string(AppendStale(nil, once)) != string(once) {
			t.Fatalf("%q", once)
		}
		if text(value, p.Nonce) != text(string(once), q.Nonce) || text(value, p.Opaque) != text(string(once), q.Opaque) {
			t.Fatalf("damaged: %q", once)
		}
	})
}

// Answers can be read back, whatever the challenge.
func FuzzAnswer(f *testing.F) {
	for _, c := range challenges {
		f.Add(c.value)
	}
	f.Fuzz(func(t *testing.T, challenge string) {
		got, err := answer(challenge, password("201", "pw"), "REGISTER", "sip:acme.example", "c", 1)
		if err != nil {
			return
		}
		var p, ch Params
		ParseChallenge(&ch, []byte(challenge))
		if !ParseCredentials(&p, []byte(got)) {
			if len(got) > maxValue {
				return
			}
			t.Fatalf("%q", got)
		}
		if text(got, p.Nonce) != text(challenge, ch.Nonce) || text(got, p.Opaque) != text(challenge, ch.Opaque) || text(got, p.Realm) != text(challenge, ch.Realm) {
			t.Fatalf("%q answered by %q", challenge, got)
		}
	})
}

// A secrets file is read whole or refused, and its errors quote nothing.
func FuzzSecrets(f *testing.F) {
	f.Add(secretsFile)
	f.Add("201@a r ha1-md5:geheim\n")
	f.Fuzz(func(t *testing.T, file string) {
		s, err := LoadSecrets(strings.NewReader(file))
		if (s == nil) == (err == nil) {
			t.Fatal(s, err)
		}
		if err != nil && strings.Contains(file, "geheim") && strings.Contains(err.Error(), "geheim") {
			t.Fatal(err)
		}
		if err == nil && s.Len() > strings.Count(file, "\n")+1 {
			t.Fatal(s.Len(), "secrets")
		}
	})
}
