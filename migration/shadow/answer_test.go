package shadow

import (
	"crypto/md5"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hotcut/hotcut/migration/shadow/record"
	"github.com/hotcut/hotcut/policy"
	"github.com/hotcut/hotcut/proxy/digest"
	"github.com/hotcut/hotcut/proxy/tap"
	"github.com/hotcut/hotcut/proxy/wire"
)

// imported is a file of secrets.
func imported(t *testing.T, lines ...string) *digest.Secrets {
	t.Helper()
	s, err := digest.LoadSecrets(strings.NewReader(strings.Join(lines, "\n")))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func ha1(user, realm, password string) string {
	return "ha1-md5:" + md5Hex(user+":"+realm+":"+password)
}

func md5Hex(s string) string {
	h := md5.Sum([]byte(s))
	return hex.EncodeToString(h[:])
}

// proves checks the response of a request to a challenge, as a platform does that knows the password (RFC 7616 section 3.4).
func proves(r *wire.Message, id wire.HeaderID, method, realm, nonce, password string) bool {
	at := r.Find(id)
	if at < 0 {
		return false
	}
	v := r.AppendUnfolded(nil, r.Headers[at].Value)
	var p digest.Params
	if !digest.ParseCredentials(&p, v) || string(p.Realm.In(v)) != realm || string(p.Nonce.In(v)) != nonce {
		return false
	}
	in := func(s digest.Span) string { return string(s.In(v)) }
	want := md5Hex(md5Hex(in(p.Username)+":"+realm+":"+password) + ":" + nonce + ":" + in(p.NC) + ":" + in(p.CNonce) + ":auth:" + md5Hex(method+":"+in(p.URI)))
	return in(p.Response) == want
}

// guarded is a world whose dark core asks everybody for his password.
func guarded(t *testing.T, secrets *digest.Secrets) *world {
	w := newWorld(t)
	w.m.o.Answer = Digest(func() *policy.Snapshot { return w.snap }, secrets.Find)
	w.core.register = func(r *wire.Message) (int, string) {
		if !proves(r, wire.HAuthorization, "REGISTER", "provider", "n1", "pw") {
			return 401, "WWW-Authenticate: Digest realm=\"provider\", nonce=\"n1\", qop=\"auth\", algorithm=MD5\r\n"
		}
		return 200, "Contact: " + value(r, wire.HContact) + "\r\n"
	}
	w.core.plan = func(r *wire.Message) plan {
		switch {
		case proves(r, wire.HProxyAuthorization, "INVITE", "provider", "n2", "pw"):
			return plan{trying: ms, final: 20 * ms, code: 200}
		case r.Find(wire.HProxyAuthorization) >= 0 && proves(r, wire.HProxyAuthorization, "INVITE", "provider", "n1", "pw"):
			return plan{final: ms, code: 407, extra: "Proxy-Authenticate: Digest realm=\"provider\", nonce=\"n2\", qop=\"auth\", stale=TRUE\r\n"}
		}
		return plan{final: ms, code: 407, extra: "Proxy-Authenticate: Digest realm=\"other\", nonce=\"n0\"\r\n" +
			"Proxy-Authenticate: Digest realm=\"provider\", nonce=\"n1\", algorithm=SHA-256, qop=\"auth\"\r\n" +
			"Proxy-Authenticate: Digest realm=\"provider\", nonce=\"n1\", qop=\"auth,auth-int\"\r\n"}
	}
	w.phones = []tap.Binding{{ID: "b1", AoR: "sip:1001@acme.example", User: "1001", Here: true}}
	w.run(lookEvery + time.Second)
	return w
}

// challengedCall is a call that legacy asks for a password, and puts through.
func (w *world) challengedCall(t *testing.T) judged {
	t.Helper()
	k := w.talk("a", "1001", "1002")
	k.invite()
	w.run(5 * ms)
	k.fail(407)
	w.run(20 * ms)
	k.seq++
	k.invite("Proxy-Authorization: Digest x\r\n")
	w.run(100 * ms)
	k.answer()
	k.ack()
	w.run(time.Second)
	k.bye(false)
	return w.one(t)
}

func TestImportedHashesAnswerADarkCore(t *testing.T) {
	w := guarded(t, imported(t, "1001@acme.example provider "+ha1("1001", "provider", "pw")))
	if n := w.m.snapshotStats().Bindings; n != 1 {
		t.Errorf("%d bindings are held", n)
	}
	x := w.challengedCall(t)
	if got, want := near(x), "INVITE <407 INVITE <407 INVITE <100 <200 ACK BYE"; !strings.HasPrefix(got, want) {
		t.Errorf("%s, want %s", got, want)
	}
	if slices.Contains(x.shadow.Notes, record.NoteChallenged) {
		t.Errorf("notes %q", x.shadow.Notes)
	}
	for _, m := range x.shadow.Near.Messages {
		raw := string(m.Raw)
		if n := strings.Count(raw, "Proxy-Authorization:"); n > 1 {
			t.Errorf("%d answers in one request: %s", n, raw)
		}
		kept := string(record.NewRedactor([]byte("0123456789abcdef"), "acme", "1").Message(m.Raw))
		if strings.Contains(kept, "response=") || strings.Contains(kept, ha1("1001", "provider", "pw")[8:]) {
			t.Errorf("kept: %s", kept)
		}
	}
}

// The canary calls as a phone that is registered, and is asked as it is.
func TestTheCanaryAnswersAChallenge(t *testing.T) {
	w := guarded(t, imported(t, "1001@acme.example provider "+ha1("1001", "provider", "pw")))
	w.core.plan = func(r *wire.Message) plan {
		if !proves(r, wire.HAuthorization, "INVITE", "provider", "n1", "pw") {
			return plan{final: ms, code: 401, extra: "WWW-Authenticate: Digest realm=\"provider\", nonce=\"n1\", qop=\"auth\"\r\n"}
		}
		return plan{trying: ms, far: []string{w.sinkURI(userOf(r.RequestURI.Of(r.Raw)))}}
	}
	w.canaries(true)
	w.run(5 * time.Second)
	if s := w.m.snapshotStats().Dark[0]; s.Canary != canaryOK {
		t.Errorf("%+v", s)
	}
	if n := w.core.requests["INVITE"]; n != 2 {
		t.Errorf("%d INVITEs", n)
	}
	w.phones = nil
	w.run(time.Minute)
	w.rest()
}

// Without a hash for the realm, with a wrong one, or with one of a kind that is not asked for, the comparison ends at the challenge and
// says so; nothing is sent again and again.
func TestWithoutAHashTheComparisonEndsAtTheChallenge(t *testing.T) {
	for _, c := range []struct {
		name, line string
		invites    int
	}{
		{"none", "", 1},
		{"of another user", "1002@acme.example provider " + ha1("1002", "provider", "pw"), 1},
		{"of another realm", "1001@acme.example legacy " + ha1("1001", "legacy", "pw"), 1},
		{"of SHA-256 that is none", "1001@acme.example provider ha1-sha256:" + strings.Repeat("0", 63) + "1", 2},
		{"wrong", "1001@acme.example provider " + ha1("1001", "provider", "pw2"), 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := guarded(t, imported(t, c.line))
			if n := w.m.snapshotStats().Bindings; n != 0 {
				t.Errorf("%d bindings are held", n)
			}
			x := w.challengedCall(t)
			if !slices.Contains(x.shadow.Notes, record.NoteChallenged) {
				t.Errorf("notes %q", x.shadow.Notes)
			}
			if n := w.core.requests["INVITE"]; n != c.invites {
				t.Errorf("%d INVITEs, want %d: %s", n, c.invites, near(x))
			}
		})
	}
}

// A phone that sends what it has answered before is not asked by legacy; the dark core asks for what was stripped.
func TestStrippedCredentialsAreExpectedToBeAskedFor(t *testing.T) {
	w := newWorld(t)
	w.core.plan = func(*wire.Message) plan { return plan{final: 10 * ms, code: 407} }
	k := w.talk("a", "1001", "1002")
	k.invite("Proxy-Authorization: Digest x\r\n")
	w.run(30 * ms)
	k.answer()
	k.ack()
	w.run(30 * time.Second)
	k.bye(false)
	if x := w.one(t); !slices.Contains(x.shadow.Notes, record.NoteChallenged) {
		t.Errorf("notes %q", x.shadow.Notes)
	}
}

func TestDigestAnswersWhatItCan(t *testing.T) {
	snap := snapshotOf(t, policy.StageShadow, policy.FullShare)
	secrets := imported(t, "1001@acme.example provider "+ha1("1001", "provider", "pw"), "a%b@acme.example provider "+ha1("a%b", "provider", "pw"))
	answer := Digest(func() *policy.Snapshot { return snap }, secrets.Find)
	for _, c := range []struct {
		name, aor, method, challenge, want string
	}{
		{"asked", "sip:1001@acme.example", "INVITE", `Digest realm="provider", nonce="n", qop="auth"`, `Authorization: Digest username="1001", realm="provider", nonce="n", uri="sip:x"`},
		{"in capitals", "sip:1001@ACME.example", "INVITE", `Digest realm="provider", nonce="n"`, `Authorization: Digest username="1001"`},
		{"escaped", "sip:a%25b@acme.example", "INVITE", `Digest realm="provider", nonce="n"`, `Authorization: Digest username="a%b"`},
		{"with a port", "sip:1001@acme.example:5060", "INVITE", `Digest realm="provider", nonce="n"`, `Authorization: Digest username="1001"`},
		{"by the integrity of nothing", "sip:1001@acme.example", "REGISTER", `Digest realm="provider", nonce="n", qop="auth-int"`, `Authorization: Digest username="1001"`},
		{"by the integrity of a body", "sip:1001@acme.example", "INVITE", `Digest realm="provider", nonce="n", qop="auth-int"`, ""},
		{"another domain", "sip:1001@other.example", "INVITE", `Digest realm="provider", nonce="n"`, ""},
		{"nobody", "sip:acme.example", "INVITE", `Digest realm="provider", nonce="n"`, ""},
		{"a number", "tel:+13035550100", "INVITE", `Digest realm="provider", nonce="n"`, ""},
		{"no digest", "sip:1001@acme.example", "INVITE", `Bearer realm="provider"`, ""},
		{"too long", "sip:1001@acme.example", "INVITE", `Digest realm="provider", nonce="` + strings.Repeat("n", maxChallenge) + `"`, ""},
	} {
		var r wire.Message
		raw := []byte(fmt.Sprintf("SIP/2.0 401 Unauthorized\r\nVia: SIP/2.0/UDP h;branch=z9hG4bKx\r\nFrom: <sip:a@h>;tag=1\r\nTo: <sip:a@h>;tag=2\r\nCall-ID: c\r\nCSeq: 1 %s\r\n"+
			"WWW-Authenticate: %s\r\nContent-Length: 0\r\n\r\n", c.method, c.challenge))
		if f := r.Scan(raw, nil); f != wire.FaultNone {
			t.Fatal(c.name, f)
		}
		got := answer(&r, c.method, "sip:x", c.aor)
		if c.want == "" && got != "" || !strings.HasPrefix(got, c.want) || got != "" && !strings.HasSuffix(got, "\r\n") {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}
