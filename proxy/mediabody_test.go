package proxy

import (
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/hotcut/hotcut/media"
	"github.com/hotcut/hotcut/policy"
)

// What stands around a description, or is none, goes out as it came.
func TestAudioBodies(t *testing.T) {
	t.Parallel()
	byEngines(t, testAudioBodies)
}

func testAudioBodies(t *testing.T, relayed relayedBy) {
	w := relayed(t, tenant("acme", policy.StageLegacy)).start()
	sdp := strings.ReplaceAll(described(9), "\n", "\r\n")
	for name, c := range map[string]struct {
		headers, body string
		relayed       bool
	}{
		"multipart":      {"Content-Type: multipart/mixed;\r\n boundary=x\r\n", "--x\r\nContent-Type: application/isup\r\n\r\n\x01\x00\xff\r\n--x\r\nContent-Type: application/sdp\r\n\r\n" + sdp + "\r\n--x--\r\n", true},
		"compact":        {"c: Application/SDP;charset=utf-8\r\nl: LENGTH\r\n", sdp, true},
		"no length":      {"Content-Type: application/sdp\r\n", sdp, true},
		"compressed":     {"Content-Type: application/sdp\r\nContent-Encoding: gzip\r\n", sdp, false},
		"early session":  {"Content-Type: application/sdp\r\nContent-Disposition: early-session\r\n", sdp, false},
		"something else": {"Content-Type: text/plain\r\n", sdp, false},
		"no type":        {"", sdp, false},
	} {
		x := &call{w: w, by: w.phone, id: strings.ReplaceAll(name, " ", ""), domain: "acme.example", to: "<sip:bob@acme.example>"}
		head := strings.Replace(strings.ReplaceAll(x.request("INVITE", 1, "sip:bob@acme.example", ""), "\n", "\r\n"), "Content-Length: 0\r\n", c.headers, 1)
		head = strings.Replace(head, "LENGTH", fmt.Sprint(len(c.body)), 1)
		w.feed(w.phone)([]byte(head + c.body))
		inv := w.legacy.want("INVITE ")
		sent, got, _ := strings.Cut(inv.text, "\r\n\r\n")
		if !c.relayed {
			if got != c.body {
				t.Errorf("%s: changed to\n%s", name, got)
			}
		} else {
			before, _, _ := strings.Cut(c.body, "c=IN")
			_, after, _ := strings.Cut(c.body, " RTP/AVP")
			if !strings.HasPrefix(got, before) || !strings.HasSuffix(got, after) || strings.Contains(got, "m=audio 9 ") || !strings.Contains(got, neighbour("3").String()) {
				t.Errorf("%s: changed to\n%q", name, got)
			}
			if strings.Contains(head, "l: ") && !strings.Contains(sent, fmt.Sprintf("\r\nl: %d", len(got))) {
				t.Errorf("%s: length in\n%s", name, sent)
			}
		}
		w.legacy.reply(inv, "486 Busy Here", "")
		w.legacy.want("ACK ")
		w.phone.wantFinal("SIP/2.0 486")
	}
	w.idle()
}

// Over a stream a length must be said, also where there was none.
func TestAudioOverAStream(t *testing.T) {
	t.Parallel()
	byEngines(t, testAudioOverAStream)
}

func testAudioOverAStream(t *testing.T, relayed relayedBy) {
	w := relayed(t, tenant("acme", policy.StageLegacy))
	out, _ := w.tcpListen()
	w.start()
	phone := w.dial(out)
	c := &call{w: w, by: w.phone, id: "one", domain: "acme.example", to: "<sip:bob@acme.example>"}
	phone.send(phone.tcp(with(c.request("INVITE", 1, "sip:bob@acme.example", ""), described(9)), w.phone))
	inv := w.legacy.want("INVITE ")
	head, body, _ := strings.Cut(with(answerTo(inv, "200 OK", "", w.legacy.addr()), described(11)), "\n\n")
	w.legacy.send(inv.from.String(), head[:strings.Index(head, "Content-Length")]+"\n"+body)
	ok := phone.want("SIP/2.0 ")
	if strings.HasPrefix(ok.text, "SIP/2.0 100") {
		ok = phone.want("SIP/2.0 200")
	}
	if m := ok.media(t); m.Addr() != neighbour("2") {
		t.Errorf("not relayed:\n%s", ok.text)
	}
}

// What the relay reports of a call stands in its record.
func TestAudioEventsInTheRecord(t *testing.T) {
	t.Parallel()
	w := relayed(t, tenant("acme", policy.StageLegacy)).start()
	a := w.speak("one", "acme.example", w.legacy)
	for _, c := range []media.Event{{Kind: media.EventNoLock, Leg: media.Outside}, {Kind: media.EventOneWay, Leg: media.Inside}, {Kind: media.EventMedia}} {
		for s := range w.edge.media.engine.Sessions() {
			c.Key, c.At = s.Key(), time.Now()
		}
		w.edge.mediaEvent(c)
	}
	a.hangUp()
	want := "[no_lock outside one_way inside media]"
	w.await(func() bool {
		r := w.edge.records.Find("one@phone")
		return len(r) > 0 && r[len(r)-1].Media != nil && fmt.Sprint(r[len(r)-1].Media.Events) == want
	}, "a record with %s", want)
}

// A phone behind NAT names an address that nobody can send to: its media is taken from where its signalling comes from, and
// from anywhere where the tenant says loose.
func TestAudioBehindNAT(t *testing.T) {
	t.Parallel()
	byEngines(t, testAudioBehindNAT)
}

func testAudioBehindNAT(t *testing.T, relayed relayedBy) {
	pool := tenant("birch", policy.StageLegacy)
	pool.Media.Latch = "loose"
	w := relayed(t, tenant("acme", policy.StageLegacy), pool).start()
	for domain, ip := range map[string]string{"acme.example": home, "birch.example": home[:len(home)-1] + "9"} {
		conn, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.ParseIP(ip)})
		if err != nil {
			t.Fatal(err)
		}
		phone, far := &speaker{t: t, conn: conn, ssrc: 7}, newSpeaker(t)
		t.Cleanup(func() { conn.Close() })
		x := &call{w: w, by: w.phone, id: "nat" + domain[:4], domain: domain, to: "<sip:bob@" + domain + ">"}
		w.phone.send(w.out, with(x.request("INVITE", 1, "sip:bob@"+domain, ""), strings.Replace(described(4000), "c=IN IP4 "+home, "c=IN IP4 10.255.0.9", 1)))
		inv := w.legacy.want("INVITE ")
		w.legacy.send(inv.from.String(), with(answerTo(inv, "200 OK", "", w.legacy.addr()), far.sdp()))
		ok := w.phone.wantFinal("SIP/2.0 200")
		w.await(func() bool {
			phone.say(ok.media(t))
			return far.heard(phone)
		}, "%s: what the phone says", domain)
		w.await(func() bool {
			far.say(inv.media(t))
			return phone.heard(far)
		}, "%s: what the phone hears", domain)
	}
}

// The SDP of an emergency call is never refused.
func TestAudioOfEmergencies(t *testing.T) {
	t.Parallel()
	byEngines(t, testAudioOfEmergencies)
}

func testAudioOfEmergencies(t *testing.T, relayed relayedBy) {
	acme := tenant("acme", policy.StageLegacy)
	acme.Country = "1"
	w := relayed(t, acme).start()
	x := &call{w: w, by: w.phone, id: "sos", domain: "acme.example", to: "<sip:911@acme.example>"}
	bad := strings.Replace(described(9), "m=audio 9 ", "m=audio 70000 ", 1)
	w.phone.send(w.out, with(x.request("INVITE", 1, "sip:911@acme.example", ""), bad))
	if inv := w.legacy.want("INVITE "); !strings.Contains(inv.text, "m=audio 70000 ") {
		t.Errorf("changed:\n%s", inv.text)
	}
}
