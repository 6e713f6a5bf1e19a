package record

import (
	"strings"
	"testing"
)

func BenchmarkOf(b *testing.B) {
	for _, c := range loadCorpus(b) {
		b.Run(strings.TrimSuffix(c.file[strings.LastIndexByte(c.file, '/')+1:], ".txtar"), func(b *testing.B) {
			r := c.redactor()
			b.ReportAllocs()
			for b.Loop() {
				Of(c.x, c.p, r)
			}
		})
	}
}

// hostile are messages as large as the reader takes, each full of what takes longest to read.
func hostile() map[string]string {
	head := func(more, body string) string {
		return "INVITE sip:a@b SIP/2.0\r\nVia: SIP/2.0/UDP a;branch=z9hG4bKa\r\nFrom: <sip:a@b>;tag=a\r\nTo: <sip:a@b>\r\nCall-ID: a\r\nCSeq: 1 INVITE\r\n" +
			more + "\r\n" + body
	}
	body := func(kind, s string) string { return head("Content-Type: "+kind+"\r\n", s) }
	times := func(s string, n int) string { return strings.Repeat(s, n/len(s)) }
	const headers, bodies = 30 << 10, 15 << 10
	return map[string]string{
		"vias":       head(times("Via: SIP/2.0/UDP a;branch=z9hG4bKa\r\n", 4000), ""),
		"contacts":   head("Contact: "+times("<sip:a@b>,", headers)+"<sip:a@b>\r\n", ""),
		"supported":  head("Supported: "+times("timer,", headers)+"timer\r\n", ""),
		"require":    head("Require: "+times("a,", headers)+"timer\r\n", ""),
		"alerts":     head("Alert-Info: <a>"+times(";info=a", headers)+"\r\n", ""),
		"quotes":     head("Warning: "+times(`"`, headers)+"\r\n", ""),
		"challenges": head(times("WWW-Authenticate: Digest realm=\"a\"\r\n", 4000)+"Proxy-Authenticate: Digest "+times("realm=a,", headers-5000)+"\r\n", ""),
		"parameters": head("Diversion: <sip:a@b>"+times(";reason=a", headers)+"\r\n", ""),
		"uri":        head("Refer-To: <sip:a@b"+times(";lr", headers/2)+"?a=b"+times("&Replaces=a", headers/3)+">\r\n", ""),
		"privacy":    head("Privacy: "+times("id;", headers)+"id\r\n", ""),
		"media":      body("application/sdp", "v=0\r\nc=IN IP4 192.0.2.1\r\n"+times("m=audio 9 RTP/AVP 0 8\r\na=rtpmap:0 PCMU/8000\r\n", bodies/20)),
		"formats":    body("application/sdp", "v=0\r\nc=IN IP4 192.0.2.1\r\nm=audio 9 RTP/AVP 0\r\n"+times("a=rtpmap:96 opus/48000\r\n", bodies)),
		"crypto":     body("application/sdp", "v=0\r\nc=IN IP4 192.0.2.1\r\nm=audio 9 RTP/AVP 0\r\n"+times("a=crypto:1 A inline:b\r\n", bodies)),
		"xml":        body("application/dialog-info+xml", "<dialog-info entity=\"sip:a@b\">"+times("<dialog><state>early</state></dialog>", bodies)+"</dialog-info>"),
		"deep":       body("application/dialog-info+xml", times("<a>", bodies)),
		"attributes": body("application/dialog-info+xml", "<dialog-info"+times(" a=\"b\"", bodies)+"/>"),
		"summary":    body("application/simple-message-summary", times("Voice-Message: 1/2 (1/2)\r\n", bodies)),
		"large":      body("text/plain", times("0171234567 ", 31<<10)),
	}
}

func BenchmarkHostile(b *testing.B) {
	r := NewRedactor(testKey, "acme", "49")
	for name, raw := range hostile() {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				r.Message([]byte(raw))
			}
		})
	}
}

// Whatever a message is full of, its copy is bounded, scans, and makes a bounded record.
func TestHostileMessagesStaySmall(t *testing.T) {
	r := NewRedactor(testKey, "acme", "49")
	for name, raw := range hostile() {
		out := r.Message([]byte(raw))
		if out == nil {
			t.Errorf("%s: was not read", name)
		}
		if len(out) > maxHeaders+maxBodyOut+8<<10 {
			t.Errorf("%s: %d bytes", name, len(out))
		}
		if again := r.Message(out); string(again) != string(out) {
			t.Errorf("%s: a copy of the copy is another", name)
		}
	}
	x := &Exchange{Near: Leg{Messages: make([]Message, maxMessages+1)}, Far: make([]Leg, maxLegs+1)}
	x.Near.Messages[0].Raw = []byte(hostile()["vias"])
	if c := Of(x, nil, r); c.Missing != MissingTooLarge || len(c.Far) > maxLegs {
		t.Errorf("missing %q", c.Missing)
	}
	if kept := r.Exchange(x); len(kept.Far) != maxLegs || len(kept.Near.Messages) != maxMessages {
		t.Errorf("kept %d legs, %d messages", len(kept.Far), len(kept.Near.Messages))
	}
}
