package proxy

import (
	"fmt"
	"strings"
	"testing"

	"github.com/hotcut/hotcut/policy"
	"github.com/hotcut/hotcut/proxy/config"
)

// credentials answers a challenge as a phone does: it repeats nonce and opaque.
func credentials(challenge message, header string) string {
	value := challenge.headers(header)[0]
	param := func(name string) string {
		_, rest, ok := strings.Cut(value, name+`="`)
		if !ok {
			return ""
		}
		v, _, _ := strings.Cut(rest, `"`)
		return v
	}
	name := "Authorization"
	if header == "Proxy-Authenticate" {
		name = "Proxy-Authorization"
	}
	line := fmt.Sprintf(`%s: Digest username="anna", realm="%s", nonce="%s", uri="sip:acme.example", response="00000000000000000000000000000000", algorithm=MD5`,
		name, param("realm"), param("nonce"))
	if o := param("opaque"); o != "" {
		line += `, opaque="` + o + `"`
	}
	return line + "\n"
}

const anna = "Contact: <sip:anna@192.0.2.1>;expires=600\n"

// challenged runs a REGISTER to its 401.
func (w *world) challenged(on *peer, cseq int, lines, challenge string) message {
	w.t.Helper()
	w.phone.register(w.out, cseq, "acme.example", anna+lines)
	on.reply(on.want("REGISTER "), "401 Unauthorized", "WWW-Authenticate: "+challenge+"\n")
	return w.phone.want("SIP/2.0 401")
}

const (
	legacyChallenge = `Digest realm="pbx", nonce="L1", opaque="theirs", algorithm=MD5, qop="auth"`
	coreChallenge   = `Digest realm="pbx", nonce="C1", algorithm=MD5, qop="auth"`
)

// A flip between 401 and answer costs nothing: the answer goes to who asked, and the phone is handed over from there.
func TestAnswerGoesToWhoAsked(t *testing.T) {
	t.Parallel()
	w := newWorld(t, tenant("acme", policy.StageLegacy))
	w.takesOurs()
	w.start()
	asked := w.challenged(w.legacy, 1, "", legacyChallenge)
	if got := asked.headers("WWW-Authenticate")[0]; strings.Contains(got, `"theirs"`) || strings.Contains(got, "stale") || !strings.Contains(got, `nonce="L1"`) {
		t.Errorf("the phone was asked %s", got)
	}
	w.move("acme", func(x *policy.Tenant) { x.Stage = policy.StageCore })
	m, _ := w.registered(w.legacy, 2, anna+credentials(asked, "WWW-Authenticate"), anna)
	if got := m.headers("Authorization")[0]; !strings.Contains(got, `opaque="theirs"`) || !strings.Contains(got, `nonce="L1"`) {
		t.Errorf("legacy got %s", got)
	}
	if m := w.core.want("REGISTER "); !strings.HasSuffix(m.headers("Call-ID")[0], "@hotcut") || len(m.headers("Authorization")) != 0 { // the edge's own
		t.Errorf("core got\n%s", m.text)
	}
	if n := w.edge.count.set.Snapshot()["hotcut_late_bindings_total"]; n != 1 {
		t.Errorf("%d late bindings, want 1", n)
	}

	// The next refresh goes to core, without what only legacy understands; core's challenge says stale, once.
	w.phone.register(w.out, 3, "acme.example", anna)
	if m := w.core.want("REGISTER "); strings.HasSuffix(m.headers("Call-ID")[0], "@hotcut") || len(m.headers("Authorization")) != 0 {
		t.Errorf("core got\n%s", m.text)
	}
}

// A phone that keeps a nonce of the other platform is asked again without its user being asked.
func TestOtherPlatformsCredentials(t *testing.T) {
	t.Parallel()
	w := newWorld(t, tenant("acme", policy.StageLegacy)).start()
	asked := w.challenged(w.legacy, 1, "", coreChallenge) // no opaque of its own
	reuse := credentials(asked, "WWW-Authenticate")
	m, _ := w.registered(w.legacy, 2, anna+reuse, anna)
	if got := m.headers("Authorization")[0]; strings.Contains(got, "opaque") {
		t.Errorf("legacy never gave an opaque, and got %s", got)
	}
	w.move("acme", func(x *policy.Tenant) { x.Stage = policy.StageCore })

	// Another Call-ID (an INVITE): provenance holds, but only the call that was challenged goes back to legacy.
	c := w.invite("a", "acme.example", strings.Replace(reuse, "Authorization", "Proxy-Authorization", 1))
	inv := w.core.want("INVITE ")
	if len(inv.headers("Proxy-Authorization")) != 0 {
		t.Errorf("core got\n%s", inv.text)
	}
	w.core.reply(inv, "407 Proxy Authentication Required", "Proxy-Authenticate: "+strings.ReplaceAll(coreChallenge, "C1", "C2")+"\n")
	again := w.phone.wantFinal("SIP/2.0 407")
	w.core.want("ACK ")
	w.phone.send(w.out, hopAckOf(c.request("ACK", 1, "sip:bob@acme.example", "")))
	if got := again.headers("Proxy-Authenticate")[0]; !strings.HasSuffix(got, "stale=true") {
		t.Errorf("the phone would ask its user: %s", got)
	}

	// The same nonce once more in this call: now it is said as core says it. In another call, or by another phone that got
	// it in the same second, it is said once more.
	for i, id := range []string{"a", "b"} {
		c = &call{w: w, by: w.phone, id: id, domain: "acme.example", to: "<sip:bob@acme.example>"}
		w.phone.send(w.out, c.request("INVITE", 2-i, "sip:bob@acme.example", strings.Replace(reuse, "Authorization", "Proxy-Authorization", 1)))
		w.core.reply(w.core.want("INVITE "), "407 Proxy Authentication Required", "Proxy-Authenticate: "+strings.ReplaceAll(coreChallenge, "C1", "C3")+"\n")
		third := w.phone.wantFinal("SIP/2.0 407")
		w.core.want("ACK ")
		w.phone.send(w.out, strings.Replace(c.request("ACK", 2-i, "sip:bob@acme.example", ""), fmt.Sprintf("-%da", 2-i), fmt.Sprintf("-%d", 2-i), 1))
		if got := third.headers("Proxy-Authenticate")[0]; strings.Contains(got, "stale") != (i == 1) {
			t.Errorf("call %s: asked %s", id, got)
		}
	}

	// With core's own nonce core's answer passes as it is: a wrong password is one.
	c = w.invite("c", "acme.example", credentials(again, "Proxy-Authenticate"))
	inv = w.core.want("INVITE ")
	if got := inv.headers("Proxy-Authorization"); len(got) != 1 || !strings.Contains(got[0], `nonce="C2"`) || strings.Contains(got[0], "opaque") {
		t.Errorf("core got %q", got)
	}
	w.core.reply(inv, "407 Proxy Authentication Required", "Proxy-Authenticate: "+strings.ReplaceAll(coreChallenge, "C1", "C4")+"\n")
	if got := w.phone.wantFinal("SIP/2.0 407").headers("Proxy-Authenticate")[0]; strings.Contains(got, "stale") {
		t.Errorf("a wrong password was called stale: %s", got)
	}
	_ = c
}

// A phone that answers a registrar's and a proxy's challenge in every request: the proxy's new challenge does not use up what
// the registrar's owes it.
func TestTwoKindsOfCredentials(t *testing.T) {
	t.Parallel()
	w := newWorld(t, tenant("acme", policy.StageLegacy)).start()
	www := credentials(w.challenged(w.legacy, 1, "", legacyChallenge), "WWW-Authenticate")
	w.registered(w.legacy, 2, anna+www, anna)
	c := w.invite("a", "acme.example", www)
	w.legacy.reply(w.legacy.want("INVITE "), "407 Proxy Authentication Required", "Proxy-Authenticate: "+strings.ReplaceAll(legacyChallenge, "L1", "L2")+"\n")
	proxy := credentials(w.phone.wantFinal("SIP/2.0 407"), "Proxy-Authenticate")
	w.legacy.want("ACK ")
	w.phone.send(w.out, hopAckOf(c.request("ACK", 1, "sip:bob@acme.example", "")))
	w.move("acme", func(x *policy.Tenant) { x.Stage = policy.StageCore })

	for i, both := range []string{proxy + www, www + proxy} {
		c = w.invite(fmt.Sprint("b", i), "acme.example", both)
		w.core.reply(w.core.want("INVITE "), "407 Proxy Authentication Required", "Proxy-Authenticate: "+strings.ReplaceAll(coreChallenge, "C1", fmt.Sprint("C", i))+"\n")
		got := w.phone.wantFinal("SIP/2.0 407").headers("Proxy-Authenticate")[0]
		w.core.want("ACK ")
		w.phone.send(w.out, hopAckOf(c.request("ACK", 1, "sip:bob@acme.example", "")))
		if stale := strings.Contains(got, "stale=true"); !stale {
			t.Errorf("%d: the proxy's challenge: %s", i, got)
		}
	}
	w.invite("c", "acme.example", www) // to a platform that asks as a user agent
	w.core.reply(w.core.want("INVITE "), "401 Unauthorized", "WWW-Authenticate: "+strings.ReplaceAll(coreChallenge, "C1", "C9")+"\n")
	if got := w.phone.wantFinal("SIP/2.0 401").headers("WWW-Authenticate")[0]; !strings.Contains(got, "stale=true") {
		t.Errorf("the phone would ask its user: %s", got)
	}
}

// A phone that says good-bye says it to the platform that serves, whoever challenged it; and so does one that registers, where
// nobody could hand it over.
func TestGoodByeGoesToWhoServes(t *testing.T) {
	t.Parallel()
	for _, keep := range []bool{true, false} {
		w := newWorld(t, tenant("acme", policy.StageLegacy))
		lines := strings.Replace(anna, "600", "0", 1)
		if keep {
			w.takesOurs()
		} else {
			lines = anna
		}
		w.start()
		asked := w.challenged(w.legacy, 1, "", legacyChallenge)
		w.move("acme", func(x *policy.Tenant) { x.Stage = policy.StageCore })
		w.phone.register(w.out, 2, "acme.example", lines+credentials(asked, "WWW-Authenticate"))
		if m := w.core.want("REGISTER "); len(m.headers("Authorization")) != 0 {
			t.Errorf("core got\n%s", m.text)
		}
	}
}

// takesOurs configures core to take REGISTERs of our own.
func (w *world) takesOurs() {
	w.cfg.Listen = append(w.cfg.Listen, config.Listen{Name: "own", Side: config.Own, Transport: config.UDP, Address: home + ":" + freePort(w.t)})
	w.cfg.Platforms.Core.Targets[0].Keep = "trust"
}

// A nonce that nobody remembers passes; if it is refused, the phone is told that it was the nonce, once.
func TestUnknownNonce(t *testing.T) {
	t.Parallel()
	w := newWorld(t, tenant("acme", policy.StageLegacy)).start()
	const old = `Authorization: Digest username="anna", realm="pbx", nonce="before-us", uri="sip:acme.example", response="00000000000000000000000000000000"` + "\n"
	for i, want := range []bool{true, false} {
		w.phone.register(w.out, i+1, "acme.example", anna+old)
		m := w.legacy.want("REGISTER ")
		if !strings.Contains(m.text, `nonce="before-us"`) {
			t.Errorf("legacy got\n%s", m.text)
		}
		w.legacy.reply(m, "401 Unauthorized", fmt.Sprintf("WWW-Authenticate: Digest realm=\"pbx\", nonce=\"N%d\", stale=FALSE\n", i))
		if got := w.phone.want("SIP/2.0 401").headers("WWW-Authenticate")[0]; strings.Contains(got, "stale=true") != want || !want && !strings.Contains(got, "stale=FALSE") {
			t.Errorf("%d: asked %s, stale wanted: %v", i, got, want)
		}
	}
}

// The next nonce of Authentication-Info is the platform's too.
func TestNextNonce(t *testing.T) {
	t.Parallel()
	w := newWorld(t, tenant("acme", policy.StageLegacy)).start()
	w.registered(w.legacy, 1, anna, anna+"Authentication-Info: nextnonce=\"L9\"\n")
	w.move("acme", func(x *policy.Tenant) { x.Stage = policy.StageCore })
	const next = `Authorization: Digest username="anna", realm="pbx", nonce="L9", uri="sip:x", response="00000000000000000000000000000000"` + "\n"
	c := w.invite("a", "acme.example", next)
	if m := w.core.want("INVITE "); len(m.headers("Authorization")) != 0 {
		t.Errorf("core got\n%s", m.text)
	}
	_ = c
}

// A phone that challenges a platform would get a digest that it can use elsewhere: it gets none.
func TestPhoneMayNotChallenge(t *testing.T) {
	t.Parallel()
	w := newWorld(t, tenant("acme", policy.StageLegacy)).start()
	reg, _ := w.registered(w.legacy, 1, "Contact: <sip:anna@"+w.phone.addr()+">\n", "Contact: <sip:anna@"+w.phone.addr()+">;expires=60\n")
	in := &call{w: w, by: w.legacy, id: "in", domain: "acme.example", to: "<sip:anna@acme.example>", routes: reg.headers("Path")}
	w.legacy.send(w.in, in.request("INVITE", 1, "sip:anna@"+w.phone.addr(), ""))
	w.phone.reply(w.phone.want("INVITE "), "407 Proxy Authentication Required", "Proxy-Authenticate: "+coreChallenge+"\n")
	w.phone.want("ACK ")
	if m := w.legacy.wantFinal("SIP/2.0 403"); strings.Contains(m.text, "Digest") {
		t.Errorf("legacy got\n%s", m.text)
	}
}
