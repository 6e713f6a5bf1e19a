package proxy

import (
	"fmt"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/hotcut/hotcut/policy"
	"github.com/hotcut/hotcut/proxy/config"
)

// begin sends an INVITE with a description, and the platform's half of what follows is the test's.
func (w *world) begin(id, description string) (c *call, inv message) {
	w.t.Helper()
	c = newCall(w, id)
	w.phone.send(w.out, with(c.request("INVITE", 1, "sip:bob@acme.example", ""), description))
	return c, w.legacy.want("INVITE ")
}

// body is what stands below the headers.
func (m message) body() string {
	_, body, _ := strings.Cut(m.text, "\r\n\r\n")
	return body
}

// fax is a description whose line has become T.38.
func fax(port uint16) string {
	return strings.Replace(described(port, "a=T38FaxVersion:0"), fmt.Sprintf("m=audio %d RTP/AVP 0\na=rtpmap:0 PCMU/8000", port), fmt.Sprintf("m=image %d udptl t38", port), 1)
}

// line is where a description wants a line of a kind.
func (m message) line(t *testing.T, kind string) netip.AddrPort {
	t.Helper()
	m.text = strings.Replace(m.text, "m="+kind+" ", "m=audio ", 1)
	return m.media(t)
}

// udptl sends a packet of T.38 with a sequence number, and hands it to the other end.
func (v *speaker) udptl(to netip.AddrPort, seq byte, o *speaker) {
	v.t.Helper()
	p := []byte{0, seq, 1, 6, 0, 0}
	if _, err := v.conn.WriteToUDPAddrPort(p, to); err != nil {
		v.t.Fatal(err)
	}
	buf := make([]byte, 2048)
	o.conn.SetReadDeadline(time.Now().Add(patience))
	for {
		n, err := o.conn.Read(buf)
		if err != nil {
			v.t.Fatalf("no fax: %v", err)
		}
		if string(buf[:n]) == string(p) {
			return
		}
	}
}

// A call becomes a fax on the same ports; where that is refused it goes on as it was.
func TestAudioAndFax(t *testing.T) {
	t.Parallel()
	byEngines(t, func(t *testing.T, relayed relayedBy) {
		w := relayed(t, tenant("acme", policy.StageLegacy)).start()
		a := w.speak("one", "acme.example", w.legacy)
		a.talk()
		seen, _ := a.again("INVITE", fax(a.phone.addr().Port()), "488 Not Acceptable Here", "")
		w.legacy.want("ACK ")
		if seen.line(t, "image") != a.toFarSide {
			t.Errorf("the fax has %s, the call %s", seen.line(t, "image"), a.toFarSide)
		}
		a.talkSoon()

		seen, answered := a.again("INVITE", fax(a.phone.addr().Port()), "200 OK", fax(a.far.addr().Port()))
		w.phone.send(w.out, a.request("ACK", a.cseq, a.remote, ""))
		w.legacy.want("ACK ")
		if seen.line(t, "image") != a.toFarSide || answered.line(t, "image") != a.toPhoneSide {
			t.Errorf("the fax has %s and %s, the call %s and %s", seen.line(t, "image"), answered.line(t, "image"), a.toFarSide, a.toPhoneSide)
		}
		a.phone.udptl(a.toPhoneSide, 1, a.far)
		a.far.udptl(a.toFarSide, 1, a.phone)
		a.hangUp()
		w.idle()
	})
}

// Keys, fingerprints and all that is not an address of ours pass as they came, both ways.
func TestAudioSecured(t *testing.T) {
	t.Parallel()
	byEngines(t, func(t *testing.T, relayed relayedBy) {
		w := relayed(t, tenant("acme", policy.StageLegacy)).start()
		for id, lines := range map[string]string{
			"sdes": "m=audio 9 RTP/SAVP 0\na=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz|2^20|1:4\na=crypto:2 AES_CM_128_HMAC_SHA1_32 inline:NzB4d1BINUAvLEw6UzF3WSJ+PSdFcGdUJShpX1Zj\na=x-unknown: kept  as it is\n",
			"dtls": "m=audio 9 UDP/TLS/RTP/SAVPF 0 101\na=setup:actpass\na=fingerprint:sha-256 19:E2:1C:3B:4B:9F:81:E6:B8:5C:F4:A5:A8:D8:73:04:BB:05:2F:70:9F:04:A9:0E:05:E9:26:33:E8:70:88:A2\na=tls-id:91bbf309c0990a6bec11e38ba2933cee\na=rtcp-mux\n",
		} {
			said := "v=0\no=- 1 1 IN IP4 " + home + "\ns=-\nc=IN IP4 " + home + "\nt=0 0\n" + lines
			untouched := func(m message) {
				t.Helper()
				at := m.media(t)
				body := strings.NewReplacer("c=IN IP4 "+at.Addr().String(), "c=IN IP4 "+home, fmt.Sprintf("m=audio %d ", at.Port()), "m=audio 9 ", "\r\n", "\n").Replace(m.body())
				if body != said || at.Port() == 9 {
					t.Errorf("%s: became\n%s", id, m.body())
				}
			}
			c, inv := w.begin(id, said)
			untouched(inv)
			w.legacy.send(inv.from.String(), with(answerTo(inv, "200 OK", "", w.legacy.addr()), said))
			ok := w.phone.wantFinal("SIP/2.0 200")
			untouched(ok)
			c.answered(ok)
			w.phone.send(w.out, c.request("ACK", 1, c.remote, ""))
			w.legacy.want("ACK ")
			w.hangUp(c, w.legacy)
		}
		w.idle()
	})
}

// The offer comes in a reliable 183 and PRACK answers it; later the callee offers in an UPDATE of its own.
func TestAudioOfPrackAndOfTheCallee(t *testing.T) {
	t.Parallel()
	byEngines(t, func(t *testing.T, relayed relayedBy) {
		w := relayed(t, tenant("acme", policy.StageLegacy)).start()
		phone, far := newSpeaker(t), newSpeaker(t)
		c := w.invite("one", "acme.example", "Supported: 100rel\n")
		inv := w.legacy.want("INVITE ")
		w.legacy.send(inv.from.String(), with(answerTo(inv, "183 Session Progress", "Require: 100rel\nRSeq: 1\n", w.legacy.addr()), far.sdp()))
		progress := w.phone.wantFinal("SIP/2.0 183")
		c.answered(progress)
		w.phone.send(w.out, with(c.request("PRACK", 2, c.remote, "RAck: 1 1 INVITE\n"), phone.sdp()))
		prack := w.legacy.want("PRACK ")
		w.legacy.reply(prack, "200 OK", "")
		w.phone.want("SIP/2.0 200")
		talk(t, phone, progress.media(t), far, prack.media(t))
		w.legacy.reply(inv, "200 OK", "")
		ok := w.phone.want("SIP/2.0 200")
		w.phone.send(w.out, c.request("ACK", 1, c.remote, ""))
		w.legacy.want("ACK ")

		moved := newSpeaker(t)
		w.legacy.send(w.in, with(calleeRequest("UPDATE", 7, inv, ok, w.legacy.addr(), w.phone.addr()), moved.sdp()))
		update := w.phone.want("UPDATE ")
		w.phone.send(update.from.String(), with(answerTo(update, "200 OK", "", w.phone.addr()), phone.sdp()))
		answered := w.legacy.want("SIP/2.0 200")
		if update.media(t) != progress.media(t) || answered.media(t) != prack.media(t) {
			t.Errorf("ports changed: %s and %s, were %s and %s", update.media(t), answered.media(t), progress.media(t), prack.media(t))
		}
		talk(t, phone, progress.media(t), moved, prack.media(t))
		w.phone.send(w.out, c.request("BYE", 3, c.remote, ""))
		w.legacy.reply(w.legacy.want("BYE "), "200 OK", "")
		w.phone.want("SIP/2.0 200")
		w.idle()
	})
}

// calleeRequest is a request of who was called, in the dialog of an INVITE that it got and the 200 that the caller has.
func calleeRequest(method string, cseq int, inv, ok message, callee, caller string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s sip:anna@%s SIP/2.0\nVia: SIP/2.0/UDP %s;branch=z9hG4bKcallee%d\n", method, caller, callee, cseq)
	for _, r := range inv.headers("Record-Route") {
		fmt.Fprintf(&b, "Route: %s\n", r)
	}
	fmt.Fprintf(&b, "Max-Forwards: 70\nFrom: %s\nTo: %s\nCall-ID: %s\nCSeq: %d %s\nContact: <sip:callee@%s>\nContent-Length: 0\n\n",
		ok.headers("To")[0], inv.headers("From")[0], inv.headers("Call-ID")[0], cseq, method, callee)
	return b.String()
}

// Behind a platform two phones ring, each with a voice of its own: the newest is heard, until one of them answers for good.
func TestAudioOfEarlyDialogs(t *testing.T) {
	t.Parallel()
	byEngines(t, func(t *testing.T, relayed relayedBy) {
		for _, says := range []bool{true, false} {
			w := relayed(t, tenant("acme", policy.StageLegacy)).start()
			phone, first, second := newSpeaker(t), newSpeaker(t), newSpeaker(t)
			c, inv := w.begin("one", phone.sdp())
			early := func(tag string, v *speaker, status string) string {
				text := answerTo(inv, status, "", w.legacy.addr())
				at := strings.Index(text, ";tag=callee")
				end := at + strings.IndexByte(text[at:], '\n')
				text = text[:at] + ";tag=" + tag + text[end:]
				if v == nil {
					return text
				}
				return with(text, v.sdp())
			}
			w.legacy.send(inv.from.String(), early("one", first, "183 Session Progress"))
			p1 := w.phone.wantFinal("SIP/2.0 183")
			talk(t, phone, p1.media(t), first, inv.media(t))
			w.legacy.send(inv.from.String(), early("two", second, "183 Session Progress"))
			p2 := w.phone.want("SIP/2.0 183")
			if p1.media(t) != p2.media(t) {
				t.Errorf("the phone is told %s and %s", p1.media(t), p2.media(t))
			}
			talk(t, phone, p1.media(t), second, inv.media(t))
			answer := first
			if !says {
				answer = nil
			}
			w.legacy.send(inv.from.String(), early("one", answer, "200 OK"))
			ok := w.phone.want("SIP/2.0 200")
			c.answered(ok)
			w.phone.send(w.out, c.request("ACK", 1, c.remote, ""))
			w.legacy.want("ACK ")
			a := &audio{call: c, on: w.legacy, phone: phone, far: first, toPhoneSide: p1.media(t), toFarSide: inv.media(t), cseq: 1}
			a.talkSoon()
			a.hangUp()
			w.idle()
			w.stop()
		}
	})
}

// A description that names an address of the relay is accepted only where a living call has that port.
func TestAudioOfOurOwnAddress(t *testing.T) {
	t.Parallel()
	byEngines(t, func(t *testing.T, relayed relayedBy) {
		lax := tenant("birch", policy.StageLegacy)
		lax.Media.Refused = "pass"
		w := relayed(t, tenant("acme", policy.StageLegacy), lax).start()
		ours := strings.Replace(described(40404), "c=IN IP4 "+home, "c=IN IP4 "+neighbour("2").String(), 1)
		c := newCall(w, "stolen")
		w.phone.send(w.out, with(c.request("INVITE", 1, "sip:bob@acme.example", ""), ours))
		if m := w.phone.wantFinal("SIP/2.0 488"); len(m.headers("Warning")) != 1 || !strings.Contains(m.headers("Warning")[0], "own_address") {
			t.Errorf("no Warning in\n%s", m.text)
		}
		w.legacy.silent()
		if n := w.edge.count.causes.Value(int(causeRefusedSDP)); n != 1 {
			t.Errorf("counted %d times", n)
		}
		c = &call{w: w, by: w.phone, id: "lax", domain: "birch.example", to: "<sip:bob@birch.example>"}
		w.phone.send(w.out, with(c.request("INVITE", 1, "sip:bob@birch.example", ""), ours))
		if inv := w.legacy.want("INVITE "); inv.media(t).Port() != 40404 {
			t.Errorf("it did not pass:\n%s", inv.text)
		}
	})
}

// A phone over IPv6, a platform over IPv4: each is told an address of its own family.
func TestAudioBetweenFamilies(t *testing.T) {
	t.Parallel()
	if l, err := net.ListenPacket("udp", "[::1]:0"); err != nil {
		t.Skip("this machine has no IPv6")
	} else {
		l.Close()
	}
	w := relayed(t, tenant("acme", policy.StageLegacy))
	w.phone = newPeerAt(t, "::1")
	w.cfg.Listen[0].Address = "[::1]:" + freePortAt(t, "::1")
	w.out = w.cfg.Listen[0].Address
	w.cfg.Media.Outside = []string{"::1"}
	w.start()
	said := strings.ReplaceAll(described(4000), "IN IP4 "+home, "IN IP6 2001:db8::9")
	c, inv := w.begin("one", said)
	if at := inv.media(t); at.Addr() != neighbour("3") || strings.Count(inv.body(), "IN IP6") != 1 { // o= is the phone's own
		t.Errorf("became\n%s", inv.body())
	}
	w.legacy.send(inv.from.String(), with(answerTo(inv, "200 OK", "", w.legacy.addr()), described(11)))
	ok := w.phone.wantFinal("SIP/2.0 200")
	if !strings.Contains(ok.body(), "\r\nc=IN IP6 ::1\r\n") || strings.Contains(ok.body(), "m=audio 11 ") {
		t.Errorf("became\n%s", ok.body())
	}
	c.answered(ok)
	w.phone.send(w.out, c.request("ACK", 1, c.remote, ""))
	w.legacy.want("ACK ")
	w.hangUp(c, w.legacy)
	w.idle()
}

// A platform calls a phone by way of an edge that does not own its flow: the owner relays, and nobody else. What comes later
// by the other edge finds the session there too.
func TestAudioByWayOfAnotherEdge(t *testing.T) {
	t.Parallel()
	byEngines(t, func(t *testing.T, relayed relayedBy) {
		w := relayed(t, tenant("acme", policy.StageLegacy)).start()
		if w.cfg.Media.Engine == "embedded" {
			w.cfg.Media = config.Media{Engine: "embedded", Outside: []string{neighbour("4").String()}, Inside: []string{neighbour("5").String()}, Ports: asSet(mediaPorts())}
		}
		v := w.beside()
		c := &call{w: w, by: w.phone, id: "reg", domain: "acme.example", to: "<sip:anna@acme.example>"}
		w.phone.send(w.out, c.request("REGISTER", 1, "sip:acme.example", "Expires: 300\n"))
		reg := w.legacy.want("REGISTER ")
		w.legacy.reply(reg, "200 OK", "")
		w.phone.want("SIP/2.0 200")
		path := strings.Replace(reg.headers("Path")[0], w.in, v.in, 1)

		phone, far := newSpeaker(t), newSpeaker(t)
		in := &call{w: w, by: w.legacy, id: "in", domain: "acme.example", to: "<sip:anna@acme.example>", routes: []string{path}}
		w.legacy.send(v.in, with(in.request("INVITE", 1, "sip:anna@"+w.phone.addr(), ""), far.sdp()))
		inv := w.phone.want("INVITE ")
		w.phone.send(inv.from.String(), with(answerTo(inv, "200 OK", "", w.phone.addr()), phone.sdp()))
		ok := w.legacy.wantFinal("SIP/2.0 200")
		if inv.media(t).Addr() != neighbour("2") || ok.media(t).Addr() != neighbour("3") {
			t.Errorf("relayed by %s and %s", inv.media(t), ok.media(t))
		}
		in.answered(ok)
		w.legacy.send(w.in, in.request("ACK", 1, in.remote, ""))
		w.phone.want("ACK ")
		talk(t, phone, inv.media(t), far, ok.media(t))
		if w.sessions() != 1 || len(w.edge.liveCalls("", 0)) != 1 || len(v.edge.liveCalls("", 0)) != 0 {
			t.Errorf("%d sessions", w.sessions())
		}
		another := strings.ReplaceAll(in.request("UPDATE", 2, in.remote, ""), w.in, v.in) // a VIP took it to the other edge
		w.legacy.send(v.in, with(another, far.sdp("a=sendonly")))
		update := w.phone.want("UPDATE ")
		if update.media(t) != inv.media(t) {
			t.Errorf("ports changed: %s, were %s", update.media(t), inv.media(t))
		}
		w.phone.send(update.from.String(), with(answerTo(update, "200 OK", "", w.phone.addr()), phone.sdp("a=recvonly")))
		if m := w.legacy.want("SIP/2.0 200"); m.media(t) != ok.media(t) {
			t.Errorf("ports changed: %s, were %s", m.media(t), ok.media(t))
		}
		w.legacy.send(w.in, in.request("BYE", 3, in.remote, ""))
		w.phone.reply(w.phone.want("BYE "), "200 OK", "")
		w.legacy.want("SIP/2.0 200")
		w.idle()
	})
}
