package proxy

import (
	"strings"
	"testing"

	"github.com/hotcut/hotcut/policy"
	"github.com/hotcut/hotcut/proxy/callrecord"
	"github.com/hotcut/hotcut/proxy/config"
)

// An edge that is restarted in mid-call has the same ports: audio goes on, re-INVITE and BYE find the session.
func TestAudioThroughARestart(t *testing.T) {
	t.Parallel()
	w := relayed(t, tenant("acme", policy.StageLegacy)).start()
	a := w.speak("one", "acme.example", w.legacy)
	a.talk()
	w.stop()
	a.phone.say(a.toPhoneSide) // it goes on talking
	w.start()
	a.talk()
	if calls := w.edge.liveCalls("acme", 0); len(calls) != 1 || calls[0].Media == nil || calls[0].Media.Outside.Packets == 0 {
		t.Errorf("living calls: %+v", calls)
	}
	seen, answered := a.again("INVITE", a.phone.sdp("a=sendonly"), "200 OK", a.far.sdp("a=recvonly"))
	if seen.media(t) != a.toFarSide || answered.media(t) != a.toPhoneSide {
		t.Errorf("ports changed: %s and %s, were %s and %s", seen.media(t), answered.media(t), a.toFarSide, a.toPhoneSide)
	}
	w.phone.send(w.out, a.request("ACK", a.cseq, a.remote, ""))
	w.legacy.want("ACK ")
	a.hangUp()
	w.idle()
}

// Restarted between INVITE and answer: the repeated INVITE is the same, bytes of the body included, and the answer, for
// which there is no transaction, is relayed as it would have been. So is that of a later re-INVITE.
func TestAudioOfLateAnswers(t *testing.T) {
	t.Parallel()
	byEngines(t, testAudioOfLateAnswers)
}

func testAudioOfLateAnswers(t *testing.T, relayed relayedBy) {
	w := relayed(t, tenant("acme", policy.StageLegacy)).start()
	a := &audio{on: w.legacy, phone: newSpeaker(t), far: newSpeaker(t), cseq: 1}
	a.call = &call{w: w, by: w.phone, id: "one", domain: "acme.example", to: "<sip:bob@acme.example>"}
	first := with(a.request("INVITE", 1, "sip:bob@acme.example", ""), a.phone.sdp())
	w.phone.send(w.out, first)
	inv := w.legacy.want("INVITE ")
	a.toFarSide = inv.media(t)
	w.stop()
	w.start()
	w.phone.send(w.out, first)
	if again := w.legacy.next("INVITE "); again.text != inv.text {
		t.Errorf("first\n%s\nthen\n%s", inv.text, again.text)
	}
	w.stop()
	w.start()
	w.legacy.send(inv.from.String(), with(answerTo(inv, "200 OK", "", w.legacy.addr()), a.far.sdp()))
	ok := w.phone.wantFinal("SIP/2.0 200")
	a.toPhoneSide = ok.media(t)
	a.answered(ok)
	w.phone.send(w.out, a.request("ACK", 1, a.remote, ""))
	w.legacy.want("ACK ")
	a.talk()

	w.phone.send(w.out, with(a.request("INVITE", 2, a.remote, ""), a.phone.sdp("a=sendonly")))
	inv = w.legacy.want("INVITE ")
	w.stop()
	w.start()
	w.legacy.send(inv.from.String(), with(answerTo(inv, "200 OK", "", w.legacy.addr()), a.far.sdp("a=recvonly")))
	if m := w.phone.wantFinal("SIP/2.0 200"); m.media(t) != a.toPhoneSide {
		t.Errorf("answer of the re-INVITE says %s, want %s", m.media(t), a.toPhoneSide)
	}
	w.phone.send(w.out, a.request("ACK", 2, a.remote, ""))
	w.legacy.want("ACK ")
	a.cseq = 2
	a.hangUp()
	w.idle()
}

// A platform that only proxies sends a call back to us, with its Call-ID and our own media address in it: it crosses
// twice, is relayed twice, and each pass has its record.
func TestAudioOfACallThatCrossesTwice(t *testing.T) {
	t.Parallel()
	byEngines(t, testAudioOfACallThatCrossesTwice)
}

func testAudioOfACallThatCrossesTwice(t *testing.T, relayed relayedBy) {
	w := relayed(t, tenant("acme", policy.StageLegacy))
	carrier := newPeer(t)
	w.cfg.Carriers = []config.Carrier{{Name: "carrier-a", URI: "sip:" + carrier.addr(), Sources: []string{carrier.addr()}}}
	w.start()
	a := &audio{on: carrier, phone: newSpeaker(t), far: newSpeaker(t), cseq: 1}
	a.call = &call{w: w, by: w.phone, id: "one", domain: "acme.example", to: "<sip:bob@acme.example>"}
	w.phone.send(w.out, with(a.request("INVITE", 1, "sip:bob@acme.example", ""), a.phone.sdp()))
	in := w.legacy.want("INVITE ")
	proxied := func(m message, uri string) string { // as a proxy writes it
		line, rest, _ := strings.Cut(strings.ReplaceAll(m.text, "\r\n", "\n"), "\n")
		method, _, _ := strings.Cut(line, " ")
		us := "<sip:" + w.legacy.addr() + ";lr>\n"
		rest = strings.Replace(rest, "Route: "+us, "", 1) // of the BYE
		return method + " " + uri + " SIP/2.0\nVia: SIP/2.0/UDP " + w.legacy.addr() + ";branch=z9hG4bKtwice" + m.headers("CSeq")[0][:1] + "\nRecord-Route: " + us +
			strings.Replace(rest, "Max-Forwards: 69", "Max-Forwards: 68", 1)
	}
	back := func(m message) string { // the response on its way up, without the proxy's own Via
		_, rest, _ := strings.Cut(m.text, "\r\n")
		start := m.text[:len(m.text)-len(rest)-2]
		_, rest, _ = strings.Cut(rest, "\r\n")
		return strings.ReplaceAll(start+"\r\n"+rest, "\r\n", "\n")
	}
	w.legacy.send(w.in, proxied(in, "sip:"+carrier.addr()))
	out := carrier.want("INVITE ")
	a.toFarSide = out.media(t)
	if w.sessions() != 2 || in.media(t) == out.media(t) {
		t.Errorf("%d sessions, %s and %s", w.sessions(), in.media(t), out.media(t))
	}
	carrier.send(w.out, with(answerTo(out, "200 OK", "", carrier.addr()), a.far.sdp()))
	w.legacy.send(in.from.String(), back(w.legacy.wantFinal("SIP/2.0 200")))
	ok := w.phone.wantFinal("SIP/2.0 200")
	a.toPhoneSide = ok.media(t)
	a.phone.say(a.toPhoneSide) // both outside legs have loopback addresses: nothing goes there before they have spoken
	a.far.say(a.toFarSide)
	w.await(func() bool {
		a.phone.say(a.toPhoneSide)
		return a.far.heard(a.phone)
	}, "audio through both passes")
	w.await(func() bool {
		a.far.say(a.toFarSide)
		return a.phone.heard(a.far)
	}, "audio back through both")

	a.answered(ok)
	w.phone.send(w.out, a.request("BYE", 2, a.remote, ""))
	bye := w.legacy.want("BYE ")
	w.legacy.send(w.in, proxied(bye, "sip:callee@"+carrier.addr()))
	carrier.reply(carrier.want("BYE "), "200 OK", "")
	w.legacy.send(bye.from.String(), back(w.legacy.want("SIP/2.0 200")))
	w.phone.want("SIP/2.0 200")
	w.idle()
	w.await(func() bool {
		n := 0
		for _, r := range latestOf(w.edge.records.Find("one@phone")) {
			if r.Media != nil && r.End != 0 {
				n++
			}
		}
		return n == 2
	}, "two records with media")
}

// latestOf keeps the last record of each pass.
func latestOf(list []callrecord.Record) map[string]callrecord.Record {
	m := map[string]callrecord.Record{}
	for _, r := range list {
		m[r.Source] = r
	}
	return m
}

// A BYE for a branch that was answered too late ends that branch, not the call.
func TestAudioOfTheWinner(t *testing.T) {
	t.Parallel()
	byEngines(t, testAudioOfTheWinner)
}

func testAudioOfTheWinner(t *testing.T, relayed relayedBy) {
	w := relayed(t, tenant("acme", policy.StageLegacy)).start()
	a := &audio{on: w.legacy, phone: newSpeaker(t), far: newSpeaker(t), cseq: 1}
	a.call = &call{w: w, by: w.phone, id: "one", domain: "acme.example", to: "<sip:bob@acme.example>"}
	w.phone.send(w.out, with(a.request("INVITE", 1, "sip:bob@acme.example", ""), a.phone.sdp()))
	inv := w.legacy.want("INVITE ")
	a.toFarSide = inv.media(t)
	answer := with(answerTo(inv, "200 OK", "", w.legacy.addr()), a.far.sdp())
	w.legacy.send(inv.from.String(), answer)
	ok := w.phone.wantFinal("SIP/2.0 200")
	a.toPhoneSide = ok.media(t)
	w.legacy.send(inv.from.String(), strings.Replace(answer, ";tag=callee", ";tag=loser", 1))
	second := w.phone.want("SIP/2.0 200")
	a.talk()

	a.answered(second)
	w.phone.send(w.out, a.request("BYE", 2, a.remote, ""))
	w.legacy.reply(w.legacy.want("BYE "), "200 OK", "")
	w.phone.want("SIP/2.0 200")
	a.talk()
	if n := len(w.edge.liveCalls("", 0)); n != 1 {
		t.Errorf("%d living calls", n)
	}
	a.answered(ok)
	a.cseq = 2
	a.hangUp()
	w.idle()
}

// A BYE that passed us by: an hour of silence ends the session, and a living one stays.
func TestAudioSwept(t *testing.T) {
	t.Parallel()
	byEngines(t, testAudioSwept)
}

func testAudioSwept(t *testing.T, relayed relayedBy) {
	w := relayed(t, tenant("acme", policy.StageLegacy)).start()
	a := w.speak("one", "acme.example", w.legacy)
	a.talk()
	now := w.edge.now()
	w.edge.sweepMedia(now)
	w.edge.sweepMedia(now + mediaSilent*9/10)
	if w.sessions() != 1 {
		t.Fatal("it was ended")
	}
	w.edge.sweepMedia(now + 2*mediaSilent)
	w.idle()
	seen, answered := a.again("INVITE", a.phone.sdp(), "200 OK", a.far.sdp()) // it was only on hold
	a.toFarSide, a.toPhoneSide = seen.media(t), answered.media(t)
	a.talk()
	w.phone.send(w.out, a.request("ACK", 2, a.remote, ""))
	w.legacy.want("ACK ")
	a.hangUp()
	w.idle()
}
