package proxy

import (
	"encoding/binary"
	"fmt"
	"net"
	"net/http/httptest"
	"net/netip"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/hotcut/hotcut/policy"
	"github.com/hotcut/hotcut/proxy/config"
)

// relayed is a world whose edge relays media.
func relayed(t *testing.T, tenants ...*policy.Tenant) *world {
	w := newWorld(t, tenants...)
	w.cfg.Media = config.Media{Engine: "embedded", Outside: []string{home[:len(home)-1] + "2"}, Inside: []string{home[:len(home)-1] + "3"}, Ports: asSet(mediaPorts())}
	return w
}

// speaker is one end of the audio: a socket that speaks RTP.
type speaker struct {
	t    *testing.T
	conn *net.UDPConn
	ssrc uint32
	seq  uint16
}

func newSpeaker(t *testing.T) *speaker {
	c, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.ParseIP(home)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return &speaker{t: t, conn: c, ssrc: uint32(c.LocalAddr().(*net.UDPAddr).Port)}
}

func (v *speaker) addr() netip.AddrPort { return v.conn.LocalAddr().(*net.UDPAddr).AddrPort() }

// sdp is what the end says of itself. more are further lines.
func (v *speaker) sdp(more ...string) string { return described(v.addr().Port(), more...) }

func described(port uint16, more ...string) string {
	lines := []string{"v=0", "o=- 1 1 IN IP4 " + home, "s=-", "c=IN IP4 " + home, "t=0 0", fmt.Sprintf("m=audio %d RTP/AVP 0", port), "a=rtpmap:0 PCMU/8000"}
	return strings.Join(append(lines, more...), "\n") + "\n"
}

// say sends a packet of 20 ms.
func (v *speaker) say(to netip.AddrPort) { v.t.Helper(); v.utter(to, 0) }

// A packet that probes may be one of several under way: who has heard one passes over the others.
const probing = 0x55

func (v *speaker) utter(to netip.AddrPort, payload byte) {
	v.t.Helper()
	p := make([]byte, 172)
	p[0] = 0x80
	v.seq++
	binary.BigEndian.PutUint16(p[2:], v.seq)
	binary.BigEndian.PutUint32(p[4:], uint32(v.seq)*160)
	binary.BigEndian.PutUint32(p[8:], v.ssrc)
	p[12] = payload
	if _, err := v.conn.WriteToUDPAddrPort(p, to); err != nil {
		v.t.Fatal(err)
	}
}

// hears waits for the next packet of another end and says from where it came.
func (v *speaker) hears(o *speaker) netip.AddrPort {
	v.t.Helper()
	buf := make([]byte, 2048)
	v.conn.SetReadDeadline(time.Now().Add(patience))
	n, from, err := v.conn.ReadFromUDPAddrPort(buf)
	for err == nil && n == 172 && buf[12] == probing {
		n, from, err = v.conn.ReadFromUDPAddrPort(buf)
	}
	if err != nil {
		v.t.Fatalf("nothing heard: %v", err)
	}
	if n != 172 || binary.BigEndian.Uint32(buf[8:]) != o.ssrc || binary.BigEndian.Uint16(buf[2:]) != o.seq {
		v.t.Fatalf("heard %d bytes of SSRC %d, sequence %d", n, binary.BigEndian.Uint32(buf[8:]), binary.BigEndian.Uint16(buf[2:]))
	}
	return netip.AddrPortFrom(from.Addr().Unmap(), from.Port())
}

// talk sends one packet each way: a by way of toA, b by toB. Each hears the other from the address that it sends to.
func talk(t *testing.T, a *speaker, toA netip.AddrPort, b *speaker, toB netip.AddrPort) {
	t.Helper()
	a.say(toA)
	if from := b.hears(a); from != toB {
		t.Fatalf("heard from %s, and sends to %s", from, toB)
	}
	b.say(toB)
	if from := a.hears(b); from != toA {
		t.Fatalf("heard from %s, and sends to %s", from, toA)
	}
}

// with gives a message another body.
func with(text, body string) string {
	length := len(strings.ReplaceAll(body, "\n", "\r\n"))
	return strings.Replace(text, "Content-Length: 0\n\n", fmt.Sprintf("Content-Type: application/sdp\nContent-Length: %d\n\n", length)+body, 1)
}

// media is where a description wants its audio.
func (m message) media(t *testing.T) netip.AddrPort {
	t.Helper()
	var ip netip.Addr
	var port uint64
	_, body, _ := strings.Cut(m.text, "\r\n\r\n")
	if n := m.headers("Content-Length"); len(n) != 1 || n[0] != strconv.Itoa(len(body)) {
		t.Fatalf("Content-Length %v of %d bytes", n, len(body))
	}
	for _, l := range strings.Split(body, "\r\n") {
		if s, ok := strings.CutPrefix(l, "c=IN IP4 "); ok {
			ip = netip.MustParseAddr(s)
		}
		if s, ok := strings.CutPrefix(l, "m=audio "); ok {
			port, _ = strconv.ParseUint(strings.Fields(s)[0], 10, 16)
		}
	}
	if !ip.IsValid() || port == 0 {
		t.Fatalf("no audio in\n%s", m.text)
	}
	return netip.AddrPortFrom(ip, uint16(port))
}

// audio is a call with a voice at each end.
type audio struct {
	*call
	on          *peer
	phone, far  *speaker
	toPhoneSide netip.AddrPort // where the phone sends
	toFarSide   netip.AddrPort // where the platform sends
	cseq        int
}

// speak sets a call up, from INVITE to ACK, with a voice at each end.
func (w *world) speak(id, domain string, on *peer) *audio {
	w.t.Helper()
	a := &audio{on: on, phone: newSpeaker(w.t), far: newSpeaker(w.t), cseq: 1}
	a.call = &call{w: w, by: w.phone, id: id, domain: domain, to: "<sip:bob@" + domain + ">"}
	w.phone.send(w.out, with(a.request("INVITE", 1, "sip:bob@"+domain, ""), a.phone.sdp()))
	inv := on.want("INVITE ")
	a.toFarSide = inv.media(w.t)
	on.send(inv.from.String(), with(answerTo(inv, "200 OK", "", on.addr()), a.far.sdp()))
	ok := w.phone.wantFinal("SIP/2.0 200")
	a.toPhoneSide = ok.media(w.t)
	a.answered(ok)
	w.phone.send(w.out, a.request("ACK", 1, a.remote, ""))
	on.want("ACK ")
	return a
}

func (a *audio) talk() {
	a.w.t.Helper()
	talk(a.w.t, a.phone, a.toPhoneSide, a.far, a.toFarSide)
}

// talkSoon is talk where a server may hear of what has changed a moment after the parties.
func (a *audio) talkSoon() {
	a.w.t.Helper()
	a.w.await(func() bool { a.phone.utter(a.toPhoneSide, probing); return a.far.heard(a.phone) }, "the phone to be heard")
	a.w.await(func() bool { a.far.utter(a.toFarSide, probing); return a.phone.heard(a.far) }, "the far end to be heard")
}

// again sends a request with a description in the dialog and answers it. It returns what each side saw.
func (a *audio) again(method, offer, status, answer string) (seen, answered message) {
	a.w.t.Helper()
	a.cseq++
	a.w.phone.send(a.w.out, with(a.request(method, a.cseq, a.remote, ""), offer))
	seen = a.on.want(method + " ")
	text := answerTo(seen, status, "", a.on.addr())
	if answer != "" {
		text = with(text, answer)
	}
	a.on.send(seen.from.String(), text)
	return seen, a.w.phone.wantFinal("SIP/2.0 " + status[:3])
}

func (a *audio) hangUp() {
	a.w.t.Helper()
	a.cseq++
	a.w.phone.send(a.w.out, a.request("BYE", a.cseq, a.remote, ""))
	a.on.reply(a.on.want("BYE "), "200 OK", "")
	a.w.phone.want("SIP/2.0 200")
}

// idle waits until the relay holds nothing.
func (w *world) idle() {
	w.t.Helper()
	w.await(func() bool {
		return w.sessions() == 0 && w.relayedLines() == 0 && (w.edge.media.remote == nil || w.edge.media.remote.Len() == 0)
	}, "the relay to hold nothing")
	for i := range w.edge.shards {
		s := &w.edge.shards[i]
		s.mu.Lock()
		n := len(s.anchors)
		s.mu.Unlock()
		if n != 0 {
			w.t.Errorf("%d anchors are left", n)
		}
	}
}

// The address that a phone sends to is the same before, during and after a flip, and the next call is relayed on the other
// platform. When a call ends, its ports are given back and its record says how it sounded.
func TestAudioThroughAFlip(t *testing.T) {
	t.Parallel()
	byEngines(t, testAudioThroughAFlip)
}

func testAudioThroughAFlip(t *testing.T, relayed relayedBy) {
	w := relayed(t, tenant("acme", policy.StageLegacy)).start()
	one := w.speak("one", "acme.example", w.legacy)
	for range 20 {
		one.talk()
	}
	w.move("acme", func(x *policy.Tenant) { x.Stage = policy.StageCore })
	one.talk()
	two := w.speak("two", "acme.example", w.core)
	two.talk()
	one.talk()
	if calls := w.edge.liveCalls("acme", 0); len(calls) != 2 || calls[0].Media == nil || calls[0].Media.Outside.Packets != 22 || calls[0].Media.Inside.Codec != "PCMU" {
		t.Errorf("living calls: %+v", calls)
	}
	one.hangUp()
	two.talk()
	two.hangUp()
	w.idle()
	w.await(func() bool {
		r := w.edge.records.Find("one@phone")
		return len(r) > 0 && r[len(r)-1].Media != nil
	}, "the record of call one")
	recs := w.edge.records.Find("one@phone")
	m := recs[len(recs)-1]
	if m.HungUp != "caller" || m.Media.Outside.Packets != 22 || m.Media.Inside.Packets != 22 || m.Media.Outside.Lost != 0 || m.Media.Outside.Codec != "PCMU" ||
		m.Media.Outside.Peer != one.phone.addr().String() {
		t.Errorf("record: %+v, media %+v", m, m.Media)
	}
}

// Hold and resume, by re-INVITE and UPDATE: the ports stay. A re-INVITE that is refused changes nothing.
func TestAudioReinvite(t *testing.T) {
	t.Parallel()
	byEngines(t, testAudioReinvite)
}

func testAudioReinvite(t *testing.T, relayed relayedBy) {
	w := relayed(t, tenant("acme", policy.StageLegacy)).start()
	a := w.speak("one", "acme.example", w.legacy)
	a.talk()
	ack := func() { w.phone.send(w.out, a.request("ACK", a.cseq, a.remote, "")); w.legacy.want("ACK ") }
	same := func(seen, answered message) {
		t.Helper()
		if seen.media(t) != a.toFarSide || answered.media(t) != a.toPhoneSide {
			t.Errorf("ports changed: %s and %s, were %s and %s", seen.media(t), answered.media(t), a.toFarSide, a.toPhoneSide)
		}
	}
	same(a.again("INVITE", a.phone.sdp("a=sendonly"), "200 OK", a.far.sdp("a=recvonly")))
	ack()
	same(a.again("INVITE", a.phone.sdp(), "200 OK", a.far.sdp()))
	ack()
	a.talk()
	same(a.again("UPDATE", a.phone.sdp(), "200 OK", a.far.sdp()))
	a.talk()

	moved := newSpeaker(t) // it would move, and may not
	seen, _ := a.again("INVITE", moved.sdp(), "488 Not Acceptable Here", "")
	w.legacy.want("ACK ")
	if seen.media(t) != a.toFarSide {
		t.Errorf("ports changed: %s, were %s", seen.media(t), a.toFarSide)
	}
	a.talkSoon()
	if n := w.edge.media.descriptions().Withdrawn; n != 1 {
		t.Errorf("%d offers withdrawn, want 1", n)
	}

	same(a.again("UPDATE", moved.sdp(), "200 OK", a.far.sdp()))
	a.phone = moved
	a.talk()
	a.hangUp()
	w.idle()
}

// Early media, a reliable 183 that the 200 does not repeat, and an offer in the 200 that the ACK answers.
func TestAudioEarlyAndLateOffers(t *testing.T) {
	t.Parallel()
	byEngines(t, testAudioEarlyAndLateOffers)
}

func testAudioEarlyAndLateOffers(t *testing.T, relayed relayedBy) {
	w := relayed(t, tenant("acme", policy.StageLegacy)).start()
	phone, far := newSpeaker(t), newSpeaker(t)
	c := &call{w: w, by: w.phone, id: "early", domain: "acme.example", to: "<sip:bob@acme.example>"}
	w.phone.send(w.out, with(c.request("INVITE", 1, "sip:bob@acme.example", "Supported: 100rel\n"), phone.sdp()))
	inv := w.legacy.want("INVITE ")
	w.legacy.send(inv.from.String(), with(answerTo(inv, "183 Session Progress", "Require: 100rel\nRSeq: 1\n", w.legacy.addr()), far.sdp()))
	w.phone.after100()
	progress := w.phone.want("SIP/2.0 183")
	talk(t, phone, progress.media(t), far, inv.media(t))
	c.answered(progress)
	w.phone.send(w.out, c.request("PRACK", 2, c.remote, "RAck: 1 1 INVITE\n"))
	w.legacy.reply(w.legacy.want("PRACK "), "200 OK", "")
	w.phone.want("SIP/2.0 200")
	w.legacy.reply(inv, "200 OK", "")
	w.phone.want("SIP/2.0 200")
	w.phone.send(w.out, c.request("ACK", 1, c.remote, ""))
	w.legacy.want("ACK ")
	talk(t, phone, progress.media(t), far, inv.media(t))
	w.phone.send(w.out, c.request("BYE", 3, c.remote, ""))
	w.legacy.reply(w.legacy.want("BYE "), "200 OK", "")
	w.phone.want("SIP/2.0 200")
	w.idle()

	c = w.invite("late", "acme.example", "")
	inv = w.legacy.want("INVITE ")
	w.legacy.send(inv.from.String(), with(answerTo(inv, "200 OK", "", w.legacy.addr()), far.sdp()))
	ok := w.phone.wantFinal("SIP/2.0 200")
	c.answered(ok)
	w.phone.send(w.out, with(c.request("ACK", 1, c.remote, ""), phone.sdp()))
	ack := w.legacy.want("ACK ")
	talk(t, phone, ok.media(t), far, ack.media(t))
	w.hangUp(c, w.legacy)
	w.idle()
}

// What ends a call before it was answered gives its ports back: a refusal, and a CANCEL.
func TestAudioOfCallsThatFail(t *testing.T) {
	t.Parallel()
	byEngines(t, testAudioOfCallsThatFail)
}

func testAudioOfCallsThatFail(t *testing.T, relayed relayedBy) {
	w := relayed(t, tenant("acme", policy.StageLegacy)).start()
	for _, how := range []string{"486 Busy Here", "487 Request Terminated"} {
		c := &call{w: w, by: w.phone, id: "fails" + how[:3], domain: "acme.example", to: "<sip:bob@acme.example>"}
		w.phone.send(w.out, with(c.request("INVITE", 1, "sip:bob@acme.example", ""), described(9)))
		inv := w.legacy.want("INVITE ")
		w.legacy.send(inv.from.String(), with(answerTo(inv, "183 Session Progress", "", w.legacy.addr()), described(9)))
		w.phone.after100()
		w.phone.want("SIP/2.0 183")
		if w.sessions() != 1 {
			t.Errorf("%d sessions while it rings", w.sessions())
		}
		if how[:3] == "487" {
			w.phone.send(w.out, c.request("CANCEL", 1, "sip:bob@acme.example", ""))
			w.legacy.want("CANCEL ")
			w.phone.want("SIP/2.0 200")
		}
		w.legacy.reply(inv, how, "")
		w.phone.want("SIP/2.0 " + how[:3])
		w.legacy.want("ACK ")
		w.idle()
	}
}

// SDP that has two readings is refused with 488 and a Warning, or passes as it came where the tenant says so.
func TestAudioRefusedSDP(t *testing.T) {
	t.Parallel()
	byEngines(t, testAudioRefusedSDP)
}

func testAudioRefusedSDP(t *testing.T, relayed relayedBy) {
	lax := tenant("birch", policy.StageLegacy)
	lax.Media.Refused = "pass"
	w := relayed(t, tenant("acme", policy.StageLegacy), lax).start()
	bad := strings.Replace(described(9), "m=audio 9 ", "m=audio 70000 ", 1)
	c := &call{w: w, by: w.phone, id: "bad", domain: "acme.example", to: "<sip:bob@acme.example>"}
	w.phone.send(w.out, with(c.request("INVITE", 1, "sip:bob@acme.example", ""), bad))
	if m := w.phone.want("SIP/2.0 488"); len(m.headers("Warning")) != 1 || !strings.HasPrefix(m.headers("Warning")[0], "399 "+w.out) {
		t.Errorf("no Warning in\n%s", m.text)
	}
	w.legacy.silent()
	if n := w.edge.count.causes.Value(int(causeRefusedSDP)); n != 1 {
		t.Errorf("counted %d times", n)
	}
	c = &call{w: w, by: w.phone, id: "lax", domain: "birch.example", to: "<sip:bob@birch.example>"}
	w.phone.send(w.out, with(c.request("INVITE", 1, "sip:bob@birch.example", ""), bad))
	inv := w.legacy.want("INVITE ")
	if !strings.Contains(inv.text, "m=audio 70000 ") {
		t.Errorf("it did not pass:\n%s", inv.text)
	}
	w.legacy.send(inv.from.String(), with(answerTo(inv, "200 OK", "", w.legacy.addr()), described(11)))
	if m := w.phone.wantFinal("SIP/2.0 200"); m.media(t).Port() != 11 {
		t.Errorf("half of the call is relayed:\n%s", m.text)
	}

	a := w.speak("living", "acme.example", w.legacy) // a living call survives a bad re-INVITE
	w.phone.send(w.out, with(a.request("INVITE", 2, a.remote, ""), bad))
	w.phone.want("SIP/2.0 488")
	a.talk()
	a.cseq = 2
	a.hangUp()
}

// Who will not be relayed is not; and a call that finds no ports goes on without.
func TestAudioNotAnchored(t *testing.T) {
	t.Parallel()
	off := tenant("birch", policy.StageLegacy)
	off.Media.Anchor = "off"
	off.Numbers = []string{"+1303555"}
	acme := tenant("acme", policy.StageLegacy)
	acme.Numbers = []string{"+1304555"}
	w := relayed(t, acme, off)
	carrier := newPeer(t)
	w.cfg.Carriers = []config.Carrier{{Name: "carrier-a", URI: "sip:" + carrier.addr(), Sources: []string{carrier.addr()}, Media: "off"}}
	w.cfg.Media.Ports = asSet(fewPorts())
	w.start()
	for _, c := range []struct {
		name, uri string
		by        *peer
	}{
		{"tenant", "sip:bob@birch.example", w.phone},
		{"carrier", "sip:+13045550100@sip.provider.test", carrier},
	} {
		x := &call{w: w, by: c.by, id: c.name, domain: "x.example", to: "<sip:bob@x.example>"}
		c.by.send(w.out, with(x.request("INVITE", 1, c.uri, ""), described(9)))
		inv := w.legacy.want("INVITE ")
		if inv.media(t).Port() != 9 {
			t.Errorf("%s: relayed:\n%s", c.name, inv.text)
		}
		w.legacy.send(inv.from.String(), with(answerTo(inv, "200 OK", "", w.legacy.addr()), described(11)))
		if m := c.by.wantFinal("SIP/2.0 200"); m.media(t).Port() != 11 {
			t.Errorf("%s: relayed:\n%s", c.name, m.text)
		}
	}
	if w.sessions() != 0 {
		t.Error("somebody is relayed")
	}
	a, a2 := w.speak("first", "acme.example", w.legacy), w.speak("another", "acme.example", w.legacy)
	a.talk()
	b := &call{w: w, by: w.phone, id: "second", domain: "acme.example", to: "<sip:bob@acme.example>"}
	w.phone.send(w.out, with(b.request("INVITE", 1, "sip:bob@acme.example", ""), described(9)))
	inv := w.legacy.want("INVITE ")
	w.legacy.send(inv.from.String(), with(answerTo(inv, "200 OK", "", w.legacy.addr()), described(11)))
	if m := w.phone.wantFinal("SIP/2.0 200"); inv.media(t).Port() != 9 || m.media(t).Port() != 11 {
		t.Errorf("the second call is half relayed:\n%s\n%s", inv.text, m.text)
	}
	c := w.invite("third", "acme.example", "") // its offer comes with the answer, and finds no ports either
	inv = w.legacy.want("INVITE ")
	w.legacy.send(inv.from.String(), with(answerTo(inv, "200 OK", "", w.legacy.addr()), described(11)))
	ok := w.phone.wantFinal("SIP/2.0 200")
	c.answered(ok)
	a.hangUp() // now there are
	w.phone.send(w.out, with(c.request("ACK", 1, c.remote, ""), described(9)))
	if ack := w.legacy.want("ACK "); ok.media(t).Port() != 11 || ack.media(t).Port() != 9 {
		t.Errorf("the third call is half relayed:\n%s\n%s", ok.text, ack.text)
	}
	w.hangUp(c, w.legacy)
	a2.hangUp()
	w.idle()
	for _, line := range []string{`descriptions_total{outcome="no_ports"} 2`, `ports{address="` + w.cfg.Media.Inside[0] + `",state="resting"} 2`, `mos_total{leg="outside",mos="4.34"} 0`} {
		w.await(func() bool { return strings.Contains(w.edge.count.text(t), "\nhotcut_media_"+line) }, "hotcut_media_%s", line)
	}
}

// text is what /metrics says.
func (c *counters) text(_ *testing.T) string {
	r := httptest.NewRecorder()
	c.handler().ServeHTTP(r, httptest.NewRequest("GET", "/metrics", nil))
	return r.Body.String()
}

// heard says whether a packet of another end has come, without waiting.
func (v *speaker) heard(o *speaker) bool {
	buf := make([]byte, 2048)
	v.conn.SetReadDeadline(time.Now().Add(5 * time.Millisecond))
	for {
		n, _, err := v.conn.ReadFromUDPAddrPort(buf)
		if err != nil {
			return false
		}
		if n == 172 && binary.BigEndian.Uint32(buf[8:]) == o.ssrc {
			return true
		}
	}
}
