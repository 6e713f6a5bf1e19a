package proxy

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/hotcut/hotcut/policy"
	"github.com/hotcut/hotcut/proxy/config"
	"github.com/hotcut/hotcut/proxy/location"
	"github.com/hotcut/hotcut/proxy/wire"
)

// FuzzRegister: whatever a REGISTER lists and whatever a 2xx says of it, nothing panics; the target and the phone get
// messages with as many contacts as were listed; what is bound is a contact that the phone asked for, for its own
// address-of-record, at the platform that confirmed it, for no longer than anything may be; and where our parameters are
// cut out, two readers of parameters agree on where they are.
//
// The domain chooses the target: one that keeps our Path, one that knows our Contact, one of a tenant that moves. $CONTACT
// in the answer is the first Contact as the target saw it.
func FuzzRegister(f *testing.F) {
	for _, x := range []struct{ lines, answer string }{
		{"Contact: <sip:one@192.0.2.1:5060;ob>;q=0.5;expires=600\n", "Contact: $CONTACT;expires=60\nExpires: 3600\n"},
		{"m: <sip:one@192.0.2.1>;+sip.instance=\"<urn:uuid:1>\";reg-id=1, \"a;expires=9\" <sip:two@192.0.2.1>\nExpires: 60\n", "Contact: $CONTACT, <sip:other@x>;expires=7\n"},
		{"Contact: sip:one@192.0.2.1;expires=0\n", "Contact: sip:one@192.0.2.1\n"},
		{"Contact: *\nExpires: 0\n", "Expires: 0\n"},
		{"Contact: <sip:one@[2001:db8::1];pn-provider=x;transport=TCP>;x=\"\\\";expires=5\";EXPIRES = 7\n", "Contact: $CONTACT ; expires = \"60\"\nService-Route: <sip:a;lr>, <sip:b;lr>\n"},
		{"Contact: <tel:+1>,\n <urn:x:y>\nContact: <name:z>\nExpires: 4294967295\n", "Contact: $CONTACT;expires=99999999999999999999\nExpires: x\n"},
		{"Contact: <sip:a@b>;expires=1;expires=2, <sip:a@B:5060>, <sip:%61@b>\n", "Contact: <sip:0000000000000000@10.9.9.9>;expires=60, $CONTACT\n"},
		{"", "Contact: *\n"},
	} {
		for domain := range 3 {
			f.Add(crlf(x.lines), crlf(x.answer), byte(domain))
		}
	}
	moving := tenant("moving", policy.StageCanary)
	q := newQuiet(f, func(c *config.Config) {
		unbudgeted(c)
		c.Platforms.Core.Targets[0].ReachBack = "contact"
	}, tenant("path", policy.StageLegacy), tenant("contact", policy.StageCore), moving)
	n := 0
	f.Fuzz(func(t *testing.T, lines, answer []byte, domain byte) {
		n++
		q.at += 1e9
		defer q.forget()
		id := []string{"path", "contact", "moving"}[domain%3]
		aor := "anna@" + id + ".example"
		text := fmt.Sprintf("REGISTER sip:%s.example SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.99;branch=z9hG4bK%d\r\nFrom: <sip:%s>;tag=r\r\nTo: <sip:%s>\r\n"+
			"Call-ID: %d\r\nCSeq: 1 REGISTER\r\n%sContent-Length: 0\r\n\r\n", id, n, aor, aor, n, lines)
		in := new(wire.Message)
		if in.Scan([]byte(text), &q.limits) != wire.FaultNone {
			return
		}
		var asked [][]byte
		for e := range in.Elems(wire.HContact) {
			asked = append(asked, bytes.Clone(e.URI.Of(in.Raw)))
			cutsAgree(t, in.Raw, &e)
		}
		var passed *wire.Message
		var to = quietLegacy
		for _, o := range slices.Clone(q.hear(quietOut, quietPhone, []byte(text))) {
			m := emitted(t, o)
			if m.Is("REGISTER") {
				passed, to = m, o.to.Addr
			}
		}
		if passed == nil {
			noPanic(t, q)
			return
		}
		contact, count := "", 0
		for e := range passed.Elems(wire.HContact) {
			if count++; contact == "" {
				contact = string(e.Whole.Of(passed.Raw))
			}
			u, ok := wire.ParseURI(e.URI.Of(passed.Raw))
			if _, ours := bindingOf(u.User.Of(e.URI.Of(passed.Raw))); to == quietCore && !e.URI.Empty() && (!ok || !ours) {
				t.Fatalf("the target would call %q itself", e.URI.Of(passed.Raw))
			}
		}
		if count != len(asked) {
			t.Fatalf("%d contacts of %d went on:\n%q", count, len(asked), passed.Raw)
		}
		var vias []string
		for e := range passed.Elems(wire.HVia) {
			vias = append(vias, string(e.Whole.Of(passed.Raw)))
		}
		said := fmt.Sprintf("SIP/2.0 200 OK\r\nVia: %s\r\nVia: %s\r\nFrom: <sip:%s>;tag=r\r\nTo: <sip:%s>;tag=p\r\nCall-ID: %d\r\nCSeq: 1 REGISTER\r\n%sContent-Length: 0\r\n\r\n",
			vias[0], vias[1], aor, aor, n, strings.ReplaceAll(string(answer), "$CONTACT", contact))
		out := new(wire.Message)
		if out.Scan([]byte(said), &q.limits) != wire.FaultNone || out.Check() != wire.FaultNone || out.TopVia.Branch.Of(out.Raw) == nil {
			return
		}
		listed, others := 0, 0 // others: in nobody's words that this phone knows
		for e := range out.Elems(wire.HContact) {
			listed++
			cutsAgree(t, out.Raw, &e)
			uri := e.URI.Of(out.Raw)
			u, _ := wire.ParseURI(uri)
			if _, ours := bindingOf(u.User.Of(uri)); !ours && !slices.ContainsFunc(asked, func(a []byte) bool { return sameURI(uri, a) }) {
				others++
			}
		}
		for _, o := range slices.Clone(q.hear(quietIn, to, []byte(said))) {
			m := emitted(t, o)
			if m.Request {
				continue
			}
			got := 0
			for range m.Elems(wire.HContact) {
				got++
			}
			// What is listed as the phone's own twice, under an earlier edge's host too, it sees once; other people's all.
			if got > listed || got < others || listed > 0 && got == 0 || m.Find(wire.HServiceRoute) >= 0 {
				t.Fatalf("%d contacts of %d in\n%q\nmade of\n%q", got, listed, o.msg, said)
			}
		}
		noPanic(t, q)
		bound(t, q, id, aor, asked, to == quietCore)
	})
}

// cutsAgree: paramSpan, which finds what we cut out, and wire.Param, which reads it.
func cutsAgree(t *testing.T, raw []byte, e *wire.Elem) {
	t.Helper()
	v, found := wire.Param(e.Params.Of(raw), "expires")
	at, ok := paramSpan(raw, e.Params, "expires")
	if ok != found || ok && !bytes.Contains(at.Of(raw), v) {
		t.Fatalf("%q: read %q %v, cut %q %v", e.Params.Of(raw), v, found, at.Of(raw), ok)
	}
}

func bound(t *testing.T, q *quiet, tenant, aor string, asked [][]byte, core bool) {
	t.Helper()
	now := q.at / 1e9
	n := 0
	for b := range q.location.All() {
		n++
		this, other := b.Of(location.Legacy), b.Of(location.Core)
		if core {
			this, other = other, this
		}
		if b.Tenant != tenant || b.AoR != aor || !slices.ContainsFunc(asked, func(u []byte) bool { return string(u) == b.URI }) {
			t.Fatalf("bound is %+v, asked for was %q", b, asked)
		}
		if other.Until != 0 || this.Until < 0 || this.Until > now+maxExpires || b.Told > max(this.Until, 0) || b.Flow.Addr != quietPhone {
			t.Fatalf("at %d bound is %+v", now, b)
		}
	}
	if n > maxContacts {
		t.Fatalf("%d bindings of one REGISTER", n)
	}
}
