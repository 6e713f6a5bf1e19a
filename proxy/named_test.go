package proxy

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/hotcut/hotcut/policy"
	"github.com/hotcut/hotcut/proxy/location"
)

// flip puts the same tenants at another stage into force.
func (sc *scene) flip(stage policy.Stage, ids ...string) {
	var list []*policy.Tenant
	for _, id := range ids {
		list = append(list, tenant(id, stage))
	}
	snap, err := policy.NewSnapshot(policy.Head{Epoch: "e", Rev: sc.x.policy.Rev() + 1}, policy.Globals{Default: "legacy", Halt: policy.HaltNone}, list)
	if err != nil {
		sc.t.Fatal(err)
	}
	sc.x.policy = snap
}

// tag of a From or To.
func tagOf(v string) string {
	_, tag, _ := strings.Cut(v, ";tag=")
	return tag
}

// Replaces, Join and Target-Dialog go where the dialog is that they name; else where the sender's others are; else by policy.
func TestNamedDialog(t *testing.T) {
	sc := newScene(t, tenant("acme", policy.StageLegacy)).start()
	other := sc.actor("192.0.2.98:5060")
	l := sc.phone.invite("first", "sip:anna@acme.example", "sip:bob@acme.example", "")
	l.talk(sc.legacy[0])
	sc.flip(policy.StageCore, "acme")
	mine, theirs := tagOf(l.from), tagOf(l.to)
	for i, tc := range []struct {
		method, header string
		by             *actor
		at             *actor
	}{
		{"INVITE", "", sc.phone, sc.core[0]},
		{"INVITE", "Replaces: first;to-tag=" + theirs + ";from-tag=" + mine, other, sc.legacy[0]},
		{"INVITE", "replaces:  first ; from-tag=" + theirs + " ;to-tag=" + mine + ";early-only", other, sc.legacy[0]},
		{"INVITE", "Join: first;to-tag=" + theirs + ";from-tag=" + mine, other, sc.legacy[0]},
		{"REFER", "Target-Dialog: first;local-tag=" + mine + ";remote-tag=" + theirs, other, sc.legacy[0]},
		{"SUBSCRIBE", "Target-Dialog: first;local-tag=" + theirs + ";remote-tag=" + mine, other, sc.legacy[0]},
		{"INVITE", "Replaces: unknown;to-tag=1;from-tag=2", other, sc.core[0]},
		{"INVITE", "Replaces: unknown;to-tag=1;from-tag=2", sc.phone, sc.legacy[0]},
		{"INVITE", "Replaces: first;to-tag=1;from-tag=2", other, sc.core[0]},
		{"INVITE", "Replaces: ;;;=;", other, sc.core[0]},
	} {
		x := &leg{a: tc.by, edge: sc.x.out, id: fmt.Sprintf("n%d", i), from: "<sip:carol@acme.example>;tag=c", to: "<sip:bob@acme.example>", remote: "sip:bob@acme.example"}
		if tc.header != "" {
			tc.header += "\n"
		}
		x.send(tc.method, tc.header)
		m := tc.at.want(tc.method + " sip:bob@acme.example")
		tc.at.reply(m, "404 Not Found", "")
		tc.by.want("SIP/2.0 404")
		if tc.method == "INVITE" {
			tc.at.want("ACK ")
		}
	}
	l.hangUp(sc.legacy[0])
	for i, by := range []*actor{other, sc.phone} { // it has ended, and with it the sender's last
		by.invite(fmt.Sprintf("late%d", i), "sip:carol@acme.example", "sip:bob@acme.example", "Replaces: first;to-tag="+theirs+";from-tag="+mine+"\n")
		sc.core[0].want("INVITE ")
	}
}

// register makes a binding of the phone at the platform that serves it and returns its Path.
func (sc *scene) register(user string, at *actor) string {
	sc.t.Helper()
	sc.registers++
	x := &leg{a: sc.phone, edge: sc.x.out, id: "reg" + user, from: "<sip:" + user + "@acme.example>;tag=r", to: "<sip:" + user + "@acme.example>", remote: "sip:acme.example"}
	x.cseq = sc.registers
	x.send("REGISTER", "Expires: 300\n")
	m := at.want("REGISTER ")
	at.reply(m, "200 OK", "Contact: "+m.headers("Contact")[0]+";expires=300\n")
	sc.phone.want("SIP/2.0 200")
	return m.headers("Path")[0]
}

// A platform that replaces a call of its own at a phone reaches the phone, though the other platform serves it by now.
func TestReplacesIsNotIntercepted(t *testing.T) {
	sc := newScene(t, tenant("acme", policy.StageLegacy)).start()
	path := sc.register("anna", sc.legacy[0])
	in := &leg{a: sc.legacy[0], edge: sc.x.in, id: "in", from: "<sip:bob@acme.example>;tag=b", to: "<sip:anna@acme.example>", remote: "sip:me@192.0.2.99:5060", routes: []string{path}}
	in.send("INVITE", "")
	in.talk(sc.phone)
	sc.flip(policy.StageCore, "acme")
	sc.register("anna", sc.core[0])
	again := &leg{a: sc.legacy[0], edge: sc.x.in, id: "again", from: "<sip:carol@acme.example>;tag=c", to: "<sip:anna@acme.example>", remote: "sip:me@192.0.2.99:5060", routes: []string{path}}
	again.send("INVITE", "Replaces: in;to-tag="+tagOf(in.to)+";from-tag=b\n")
	sc.phone.want("INVITE sip:me@192.0.2.99:5060")
	fresh := &leg{a: sc.legacy[0], edge: sc.x.in, id: "fresh", from: "<sip:dave@acme.example>;tag=d", to: "<sip:anna@acme.example>", remote: "sip:me@192.0.2.99:5060", routes: []string{path}}
	fresh.send("INVITE", "")
	sc.core[0].want("INVITE sip:anna@acme.example")
}

// Our Path token or our Contact in a Request-URI from outside means the phone's user, and the policy decides.
func TestOurContactFromOutside(t *testing.T) {
	sc := newScene(t, tenant("acme", policy.StageLegacy)).start()
	path := sc.register("anna", sc.legacy[0])
	token := strings.TrimSuffix(strings.TrimPrefix(path, "<"), ";lr>")
	id := token[:len("sip:")+16] + token[strings.Index(token, "@"):]
	sc.flip(policy.StageCore, "acme")
	for i, uri := range []string{token, id} {
		sc.phone.invite(fmt.Sprintf("to%d", i), "sip:bob@acme.example", uri, "")
		m := sc.core[0].want("INVITE sip:anna@acme.example SIP/2.0")
		if to := m.headers("To"); len(to) != 1 || !strings.Contains(to[0], uri) {
			t.Errorf("To %q", to)
		}
	}
	forged := strings.Replace(token, "sip:", "sip:0", 1)
	unknown := "sip:0000000000000000" + token[strings.Index(token, "@"):]
	for i, uri := range []string{forged, unknown} { // neither is a phone of ours
		sc.phone.invite(fmt.Sprintf("no%d", i), "sip:bob@acme.example", uri, "")
		sc.core[0].want("INVITE " + uri + " SIP/2.0")
	}
	empty, err := location.Open(location.Options{Path: filepath.Join(t.TempDir(), "bindings"), Limit: 1024, Node: sc.x.name})
	if err != nil {
		t.Fatal(err)
	}
	sc.edge().location.Close()
	sc.edge().location = empty // of the edge that the phone is at, and that we can not ask
	sc.phone.invite("gone", "sip:bob@acme.example", token, "")
	sc.phone.want("SIP/2.0 404")
}

// What a user is called never becomes a header.
func TestAoRIsEscaped(t *testing.T) {
	for aor, want := range map[string]string{
		"anna@acme.example":               "sip:anna@acme.example",
		"+1303;x=y@acme.example":          "sip:+1303;x=y@acme.example",
		"a\r\nX-Evil: 1@acme.example":     "sip:a%0D%0AX-Evil%3A%201@acme.example",
		"a b@c@acme.example":              "sip:a%20b%40c@acme.example",
		string([]byte{0xc3, 0xa9}) + "@x": "sip:%C3%A9@x",
	} {
		if got := aorURI(aor); got != want {
			t.Errorf("%q: %q, want %q", aor, got, want)
		}
	}
	sc := newScene(t, tenant("acme", policy.StageLegacy)).start()
	path := sc.register("a%0d%0aX-Evil:%201", sc.legacy[0])
	sc.flip(policy.StageCore, "acme")
	sc.register("a%0d%0aX-Evil:%201", sc.core[0])
	in := &leg{a: sc.legacy[0], edge: sc.x.in, id: "in", from: "<sip:bob@acme.example>;tag=b", to: "<sip:anna@acme.example>", remote: "sip:me@192.0.2.99:5060", routes: []string{path}}
	in.send("INVITE", "")
	if m := sc.core[0].want("INVITE "); slices.Contains(strings.Split(m.text, "\r\n"), "X-Evil: 1") || len(m.headers("X-Evil")) != 0 {
		t.Errorf("a header by a user's name:\n%s", m.text)
	}
}

// The count of a phone's dialogs ends with them.
func TestCallersAreForgotten(t *testing.T) {
	sc := newScene(t, tenant("acme", policy.StageLegacy)).start()
	l := sc.phone.invite("one", "sip:anna@acme.example", "sip:bob@acme.example", "")
	l.talk(sc.legacy[0])
	k := callerKey(sc.phone.addr, 0)
	if p := sc.edge().callers.platform(k); p != policy.Legacy {
		t.Errorf("the phone talks by %s", p)
	}
	l.hangUp(sc.legacy[0])
	n := 0
	for i := range sc.edge().callers.parts {
		n += len(sc.edge().callers.parts[i].m)
	}
	if n != 0 {
		t.Errorf("%d phones left", n)
	}
}
