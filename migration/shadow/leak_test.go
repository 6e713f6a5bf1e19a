package shadow

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/hotcut/hotcut/proxy/tap"
	"github.com/hotcut/hotcut/proxy/wire"
)

// Everything at which somebody could be reached in what is tapped below: hosts, addresses, ports, Contacts, ids that route.
var livePlaces = []string{
	"203.0.113.77", "192.168.7.7", "10.77.0.5", "10.9.9.9", "203.0.113.200", "172.20.1.1", "2001:db8:77::5", "fd00:7::1",
	"41999", "41234", "5070", "5066", "40444", "35061",
	"phone.isp.example", "pbx.customer.example", "carrier.example", "cert.sti.example", "media.isp.example", "ring.server.example",
	"route-binding-7", "token@", "nonce-77", "alice-secret", "icepassword", "inlinekeyofalive", "203-0-113-77",
	"iceufrag",
}

const richSDP = "v=0\r\no=alice 1 1 IN IP4 203.0.113.77\r\ns=call to pbx.customer.example\r\ni=x\r\nu=http://phone.isp.example/\r\ne=alice@phone.isp.example\r\nc=IN IP4 203.0.113.77\r\nt=0 0\r\n" +
	"a=ice-pwd:icepassword\r\nm=audio 41234 RTP/SAVP 8 101\r\nc=IN IP6 2001:db8:77::5\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\na=rtcp:40444 IN IP4 172.20.1.1\r\n" +
	"a=candidate:1 1 UDP 1 10.77.0.5 41234 typ host\r\na=remote-candidates:1 10.77.0.5 41234\r\na=ice-ufrag:iceufrag\r\na=ice-pwd:icepassword\r\na=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:inlinekeyofalive\r\n" +
	"a=ssrc:1 cname:alice@203.0.113.77\r\na=ptime:20\r\na=sendrecv\r\n"

const richHeaders = "Route: <sip:203.0.113.200;lr>, <sip:172.20.1.1:35061;lr>\r\nPath: <sip:token@203.0.113.200;lr>\r\n" +
	"Via: SIP/2.0/UDP 172.20.1.1:35061;branch=z9hG4bKx;received=10.77.0.5\r\nP-Asserted-Identity: <sip:1001@pbx.customer.example>\r\nP-Preferred-Identity: <sip:1001@phone.isp.example:5070>\r\n" +
	"Remote-Party-ID: <sip:1001@172.20.1.1>;party=calling\r\nDiversion: <sip:+13035550111@carrier.example:5070>;reason=no-answer\r\n" +
	"History-Info: <sip:1003@pbx.customer.example?Reason=SIP%3Bcause%3D302>;index=1, <sips:1004@[fd00:7::1]:5070>;index=1.1\r\n" +
	"Authorization: Digest username=\"1001\", nonce=\"nonce-77\", response=\"alice-secret\"\r\nProxy-Authorization: Digest nonce=\"nonce-77\"\r\n" +
	"Identity: abc;info=<https://cert.sti.example/p.pem>;alg=ES256\r\nCall-Info: <http://media.isp.example:5070/pic.png>;purpose=icon\r\nAlert-Info: <http://ring.server.example/x>;info=alert-autoanswer\r\n" +
	"User-Agent: Phone 1.2.3 (203.0.113.77)\r\nX-Origin: pbx.customer.example:5070 via 172.20.1.1\r\nX-Ids: fd00:7::1 [fd00:7::1]:5070\r\nX-Hotcut-Shadow: forged;mac\r\nP-Charging-Vector: icid-value=x;orig-ioi=carrier.example\r\n" +
	"Reply-To: <sip:alice@phone.isp.example>\r\nReferred-By: <sip:1001@203.0.113.77:5070>\r\nGeolocation: <sip:pos@phone.isp.example>\r\nWarning: 399 pbx.customer.example \"x\"\r\n" +
	"Session-Expires: 1800;refresher=uac\r\nSubject: meet at 10.77.0.5\r\nReplaces: other@203.0.113.77;to-tag=1;from-tag=2\r\nIn-Reply-To: x@203.0.113.77\r\n"

// Nothing in what is sent names a place at which a real phone, trunk or carrier could be reached.
func TestNothingSentLeadsToAnybody(t *testing.T) {
	w := newWorld(t)
	w.phones = []tap.Binding{{ID: "route-binding-7", AoR: "sip:1002@acme.example", To: "sip:1002@phone.isp.example:5070", User: "1002", Instance: "urn:uuid:203-0-113-77", Here: true}}
	w.core.plan = func(r *wire.Message) plan {
		for token := range w.m.tokens {
			return plan{trying: time.Millisecond, far: []string{w.sinkURI(token), w.sinkURI("+13035550111")}}
		}
		return plan{}
	}
	w.run(lookEvery + time.Second) // the phone is registered
	if len(w.m.tokens) != 1 || w.core.requests["REGISTER"] == 0 {
		t.Fatal("the phone is not registered")
	}
	k := w.talk("rich", "1001", "1002")
	k.sdp = richSDP
	k.invite(richHeaders)
	w.run(10 * time.Millisecond)
	f, g := k.farLeg("1002"), k.farLeg("+13035550111")
	for _, x := range []*talk{f, g} {
		x.sdp = richSDP
		x.invite(richHeaders)
		w.run(100 * time.Millisecond)
		x.response(183, "INVITE", richHeaders+"Require: 100rel\r\nRSeq: 4\r\n", richSDP)
	}
	w.run(500 * time.Millisecond)
	k.response(183, "INVITE", richHeaders, richSDP)
	g.response(302, "INVITE", richHeaders+"Contact: <sip:1009@phone.isp.example:5070>, <sip:1010@172.20.1.1>\r\n", "")
	f.response(200, "INVITE", richHeaders, richSDP)
	k.response(200, "INVITE", richHeaders, richSDP)
	k.ack()
	f.ack()
	w.run(time.Second)
	k.seq++
	k.request("INVITE", false, true, richHeaders, richSDP)
	w.run(time.Second)
	k.seq++
	k.request("INFO", false, true, "Content-Type: application/dtmf-relay\r\n", "Signal=5\r\nX=203.0.113.77\r\n")
	k.seq++
	k.request("UPDATE", false, true, richHeaders, richSDP)
	k.seq++
	k.request("REFER", false, true, "Refer-To: <sip:1009@phone.isp.example:5070?Replaces=other%40203.0.113.77%3Bto-tag%3D1%3Bfrom-tag%3D2>\r\n", "")
	f.seq++
	f.request("REFER", true, true, "Refer-To: <sip:1009@172.20.1.1:35061>\r\n", "")
	f.seq++
	f.request("INVITE", true, true, richHeaders, richSDP)
	w.run(time.Second)
	f.bye(true)
	k.bye(true)

	reg := w.talk("reg", "1001", "1001")
	reg.request("REGISTER", false, false, richHeaders+"Expires: 60\r\n", "")
	sub := w.talk("sub", "1001", "1002")
	sub.request("SUBSCRIBE", false, false, richHeaders+"Event: dialog\r\n", "")
	opt := w.talk("opt", "1001", "1002")
	opt.request("OPTIONS", false, false, richHeaders, "")
	bare := w.talk("bare", "1001", "+442079460000")
	bare.party, bare.sdp = "carrier", ""
	bare.invite(richHeaders)
	w.run(3 * time.Minute)

	methods := map[string]bool{}
	var m wire.Message
	for _, raw := range w.sent {
		if m.Scan(raw, nil) != wire.FaultNone {
			t.Fatalf("sent what is no SIP:\n%s", raw)
		}
		methods[string(m.CSeqMethod.Of(raw))] = true
		if m.Request && !strings.Contains(string(raw), "\r\nX-Hotcut-Shadow: ") {
			t.Errorf("without a mark:\n%s", raw)
		}
		if m.Request && bytes.Contains(raw, []byte("forged;mac")) {
			t.Errorf("with a forged mark:\n%s", raw)
		}
		for _, place := range livePlaces {
			if bytes.Contains(raw, []byte(place)) {
				t.Errorf("%q stands in what is sent:\n%s", place, raw)
			}
		}
	}
	for _, want := range []string{"INVITE", "ACK", "BYE", "INFO", "UPDATE", "REFER", "REGISTER", "SUBSCRIBE", "OPTIONS"} {
		if !methods[want] {
			t.Errorf("no %s was sent: the test has not looked at one", want)
		}
	}
	w.rest()
}

func TestScrub(t *testing.T) {
	s := &scrubber{domains: []string{"acme.example"}, sink: "198.51.100.1:5099", hole4: "192.0.2.1"}
	for _, c := range []struct{ in, want string }{
		{"<sip:1001@acme.example>", "<sip:1001@acme.example>"},
		{"<sip:1001@ACME.example:5070;transport=tcp>", "<sip:1001@ACME.example;transport=tcp>"},
		{"<sip:+1303;phone-context=+1@10.0.0.1:5070;user=phone>", "<sip:+1303;phone-context=+1@198.51.100.1:5099;user=phone>"},
		{"\"A\" <sips:x@[2001:db8:77::5]:5061>;tag=1", "\"A\" <sips:x@198.51.100.1:5099>;tag=1"},
		{"sip:10.0.0.1", "sip:198.51.100.1:5099"},
		{"sip:anonymous@anonymous.invalid", "sip:anonymous@anonymous.invalid"},
		{"tel:+13035550100", "tel:+13035550100"},
		{"10.0.0.1:5060", "192.0.2.1"},
		{"via [fd00::1]:5070 and fd00::1", "via [2001:db8::1] and 2001:db8::1"},
		{"http://ring.server.example:80/x.wav", "http://shadow.invalid/x.wav"},
		{"Phone 1.2.3", "Phone 1.2.3"},
		{"Q.850;cause=16;text=\"Bye\"", "Q.850;cause=16;text=\"Bye\""},
		{"<http://127.0.0.1/Bellcore-dr2>", "<http://192.0.2.1/Bellcore-dr2>"},
		{"Fri, 01 Jan 2027 10:20:30 GMT", "Fri, 01 Jan 2027 10:20:30 GMT"},
		{"sip:", "sip:"}, {"sip:@", "sip:@198.51.100.1:5099"}, {"", ""}, {"[", "["}, {":::", ":::"},
	} {
		if got := s.scrub(c.in, true); got != c.want {
			t.Errorf("%q: %q, want %q", c.in, got, c.want)
		}
	}
}

func FuzzScrub(f *testing.F) {
	f.Add("<sip:a;b@10.77.0.5:5060>;x=\"10.77.0.5\"")
	f.Add("sips:[fd00:7::1]:50 10.77.0.5:9")
	f.Fuzz(func(t *testing.T, in string) {
		s := &scrubber{domains: []string{"acme.example"}, sink: "198.51.100.1:5099", hole4: "192.0.2.1"}
		out := s.scrub(in, true)
		if s.scrub(out, true) != out && !strings.Contains(out, "198.51.100.1") {
			t.Errorf("%q becomes %q, and that %q", in, out, s.scrub(out, true))
		}
	})
}
