package proxy

import (
	"bytes"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/hotcut/hotcut/policy"
)

// unverified is a request as a forger would write it: nothing in it is longer than it must be.
func unverified(method, uri, to, extra string, n int) []byte {
	return crlf(fmt.Sprintf("%s %s SIP/2.0\nVia: SIP/2.0/UDP x;branch=z9hG4bK%d\nFrom: <sip:a@b>;tag=1\nTo: %s\nCall-ID: %d\nCSeq: 1 %s\n%s\n", method, uri, n, to, n, method, extra))
}

// unverifiedRequests are what anybody may send to an edge, for as many kinds of answers as it has.
func unverifiedRequests() (list [][]byte) {
	add := func(raw []byte) { list = append(list, raw) }
	n := 0
	for _, method := range []string{"INVITE", "ACK", "CANCEL", "BYE", "OPTIONS", "REGISTER", "SUBSCRIBE", "NOTIFY", "REFER", "INFO", "UPDATE", "PRACK", "MESSAGE", "PUBLISH", "X"} {
		for _, uri := range []string{"sip:bob@acme.example", "sip:acme.example", "sip:bob@moved.example", "sip:x", "sip:sip.provider.test", "tel:+1", "urn:service:sos", "http://x", "sip:a b", "sip:1.2.3.4"} {
			for _, to := range []string{"<sip:c>", "<sip:c>;tag=2", "\"<sip:c>", "<isbn:1>"} {
				for _, extra := range []string{"", "Max-Forwards: 0\n", "Proxy-Require: a\n", "Require: a\n", "Route: <sip:sip.provider.test;lr>\n", "Route: <sip:AUQBAAAA@sip.provider.test;lr>\n",
					"Route: <sip:1.2.3.4;lr>\n", "Contact: <sip:a@b>\n", "Contact: *\nExpires: 0\n", "Content-Length: 9\n", "Content-Length: 1\nContent-Length: 1\n", "X: \x00\n",
					"Record-Route: <sip:a;lr>\n", "Session-Expires: 90\n", "Expires: 0\n", "Event: presence\n", "Replaces: a;to-tag=b;from-tag=c\n", "Identity: x\n" + strings.Repeat("Subject: x\n", 150)} {
					n++
					add(unverified(method, uri, to, extra, n))
				}
			}
		}
	}
	for _, raw := range []string{"\r\n\r\n", "\r\n", "x", "INVITE", "SIP/2.0 200 OK\r\n\r\n", "OPTIONS sip:x SIP/2.0\r\nVia: SIP/2.0/UDP x\r\nCSeq: 1 X\r\n\r\n", "OPTIONS sip:x SIP/3.0\r\nv:SIP/2.0/UDP x\r\nCSeq:1 X\r\n\r\n"} {
		add([]byte(raw))
	}
	return list
}

// Whatever a source says that nobody has verified, over UDP, once: of our own we never send it more bytes than came from
// it, at once or later, whether its request went on and nobody answered or not.
func TestAmplification(t *testing.T) {
	t.Parallel()
	q := newQuiet(t, unbudgeted, tenant("acme", policy.StageLegacy), tenant("moved", policy.StageCore))
	worst, worstOf, answered := 0.0, "", 0
	for i, raw := range unverifiedRequests() {
		source := netip.AddrPortFrom(netip.AddrFrom4([4]byte{203, 0, byte(i >> 8), byte(i)}), 5060)
		back, said := 0, ""
		count := func(list []outgoing) {
			for _, o := range list {
				if o.to.Addr.Addr() == source.Addr() {
					back += len(o.msg)
					line, _, _ := bytes.Cut(o.msg, []byte("\r\n"))
					said += fmt.Sprintf("%s (%d)\n", line, len(o.msg))
				}
			}
		}
		count(q.hear(quietOut, source, raw))
		q.sent = q.sent[:0]
		for _, d := range []time.Duration{time.Second, 40 * time.Second, 200 * time.Second} { // our 100; Timers B, F and H; Timer C
			q.at += int64(d)
			q.tick(q.at, q.out)
		}
		count(q.sent)
		if back > 0 {
			answered++
		}
		if factor := float64(back) / float64(len(raw)); factor > worst {
			worst, worstOf = factor, fmt.Sprintf("%s\n%s", raw, said)
		}
		if back > len(raw) {
			t.Errorf("%d bytes for %d:\n%s%s", back, len(raw), raw, said)
		}
		q.forget()
	}
	t.Logf("%d requests were answered; the worst factor is %.2f:\n%s", answered, worst, worstOf)
	if answered < 500 {
		t.Errorf("%d requests were answered at all", answered)
	}
	noPanic(t, q)
}

// Repetitions and CANCEL pay in and draw out; whoever says little hears little, whatever it says how often.
func TestAmplificationOfRepetitions(t *testing.T) {
	t.Parallel()
	q := newQuiet(t, unbudgeted, tenant("acme", policy.StageLegacy))
	heard := 0
	for n, plan := range []string{"I", "II", "IIIIIIIII", "IC", "ICCCCCC", "IICIIC", "CCC", "IA", "IACIAC", "I----I----I", "I-C-I-C-I-C------"} {
		back, said := 0, 0
		count := func(list []outgoing) {
			for _, o := range list {
				if o.to.Addr == quietPhone {
					back += len(o.msg)
				}
			}
		}
		for _, step := range plan {
			method := map[rune]string{'I': "INVITE", 'C': "CANCEL", 'A': "ACK"}[step]
			if method == "" {
				count(q.pass(10 * time.Second))
				continue
			}
			raw := unverified("INVITE", "sip:bob@acme.example", "<sip:c>", "", n)
			raw = bytes.ReplaceAll(raw, []byte("INVITE"), []byte(method))
			said += len(raw)
			count(q.hear(quietOut, quietPhone, raw))
		}
		count(q.pass(250 * time.Second))
		if back > said {
			t.Errorf("%s: %d bytes for %d", plan, back, said)
		}
		if back > 0 {
			heard++
		}
		q.forget()
	}
	if heard < 6 {
		t.Errorf("%d plans were answered at all", heard)
	}
	noPanic(t, q)
}

// What a target answers is passed on at most three times to a source that is not verified, unless it pays for more.
func TestAmplificationOfAnswers(t *testing.T) {
	t.Parallel()
	for _, status := range []string{"180 Ringing", "302 Moved", "486 Busy Here", "603 Decline"} {
		q := newQuiet(t, unbudgeted, tenant("acme", policy.StageLegacy))
		raw := unverified("INVITE", "sip:bob@acme.example", "<sip:c>", "", 1)
		sent := q.hear(quietOut, quietPhone, raw)
		if len(sent) != 1 || sent[0].to.Addr != quietLegacy {
			t.Fatalf("%d messages left", len(sent))
		}
		inv := message{text: string(sent[0].msg)}
		long := "Contact: <sip:b@10.1.0.1>\r\nX: " + strings.Repeat("x", 900) + "\r\n"
		copies, said := 0, 0
		count := func(list []outgoing) {
			for _, o := range list {
				if o.to.Addr == quietPhone {
					copies++
				}
			}
		}
		count(q.hear(quietIn, quietLegacy, []byte(answer(inv, status, "t", long))))
		for range 20 {
			count(q.hear(quietOut, quietPhone, raw))
			said += len(raw)
		}
		count(q.pass(40 * time.Second))
		if most := 3 + said/1000; copies < 1 || copies > most {
			t.Errorf("%s went to the source %d times, %d bytes for %d; want at most %d times", status, copies, copies*1100, said, most)
		}
		noPanic(t, q)
	}
}

// A phone whose INVITE is too short to pay for a 100 and a refusal gets its 100 when it repeats itself.
func TestTryingIsPaidFor(t *testing.T) {
	t.Parallel()
	q := newQuiet(t, unbudgeted, tenant("acme", policy.StageLegacy))
	raw := unverified("INVITE", "sip:bob@acme.example", "<sip:c>", "", 1)
	codes := func(list []outgoing) (s string) {
		for _, o := range list {
			if o.to.Addr == quietPhone {
				s += string(o.msg[8:12])
			}
		}
		return s
	}
	got := codes(q.hear(quietOut, quietPhone, raw)) + codes(q.pass(500*time.Millisecond))
	for _, gap := range []time.Duration{time.Second, 2 * time.Second, 4 * time.Second} {
		got += codes(q.hear(quietOut, quietPhone, raw)) + codes(q.pass(gap))
	}
	if got += codes(q.pass(40 * time.Second)); got != "100 408 " {
		t.Errorf("the phone heard %q, want 100 408", got)
	}
}
