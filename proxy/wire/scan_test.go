package wire

import (
	"strings"
	"testing"
)

// crlf makes line ends of a raw string literal those of SIP.
func crlf(s string) []byte { return []byte(strings.ReplaceAll(s, "\n", "\r\n")) }

var invite = crlf(`INVITE sip:+13035551212@acme.example;user=phone SIP/2.0
Via: SIP/2.0/UDP 127.0.0.11:5060;branch=z9hG4bK776asdhds;rport
Max-Forwards: 70
From: "Front Desk" <sip:100@acme.example>;tag=1928301774
To: <sip:+13035551212@acme.example;user=phone>
Call-ID: a84b4c76e66710@pc33.acme.example
CSeq: 314159 INVITE
Contact: <sip:100@127.0.0.11:5060;transport=udp>
Allow: INVITE, ACK, CANCEL, BYE, OPTIONS, REFER, NOTIFY, UPDATE, PRACK
Supported: replaces, timer, 100rel
User-Agent: Deskphone 7 (2.1.8)
Session-Expires: 1800;refresher=uac
Min-SE: 90
Content-Type: application/sdp
Content-Length: 153

v=0
o=- 29739 7272939 IN IP4 127.0.0.11
s=-
c=IN IP4 127.0.0.11
t=0 0
m=audio 49170 RTP/AVP 0 8 101
a=rtpmap:101 telephone-event/8000
a=sendrecv
`)

func mustScan(t testing.TB, raw []byte) *Message {
	t.Helper()
	m := new(Message)
	if f := m.Scan(raw, nil); f != FaultNone {
		t.Fatalf("Scan: %v\n%s", f, raw)
	}
	return m
}

func (m *Message) text(s Span) string { return string(s.Of(m.Raw)) }

func TestScanFields(t *testing.T) {
	m := mustScan(t, invite)
	for _, c := range []struct{ name, got, want string }{
		{"method", m.text(m.Method), "INVITE"},
		{"request uri", m.text(m.RequestURI), "sip:+13035551212@acme.example;user=phone"},
		{"version", m.text(m.Version), "SIP/2.0"},
		{"via host", m.text(m.TopVia.Host), "127.0.0.11"},
		{"via transport", m.text(m.TopVia.Transport), "UDP"},
		{"via branch", m.text(m.TopVia.Branch), "z9hG4bK776asdhds"},
		{"via params", m.text(m.TopVia.Params), ";branch=z9hG4bK776asdhds;rport"},
		{"via elem", m.text(m.TopVia.Elem), "SIP/2.0/UDP 127.0.0.11:5060;branch=z9hG4bK776asdhds;rport"},
		{"from name", m.text(m.From.Name), `"Front Desk"`},
		{"from uri", m.text(m.From.URI), "sip:100@acme.example"},
		{"from tag", m.text(m.From.Tag), "1928301774"},
		{"to uri", m.text(m.To.URI), "sip:+13035551212@acme.example;user=phone"},
		{"to tag", m.text(m.To.Tag), ""},
		{"call-id", m.text(m.CallID), "a84b4c76e66710@pc33.acme.example"},
		{"cseq method", m.text(m.CSeqMethod), "INVITE"},
		{"user agent", string(m.Value(m.Find(HUserAgent))), "Deskphone 7 (2.1.8)"},
		{"body", m.text(m.Body)[:3], "v=0"},
	} {
		if c.got != c.want {
			t.Errorf("%s: got %q, want %q", c.name, c.got, c.want)
		}
	}
	if !m.Request || !m.Answerable || m.CSeq != 314159 || m.MaxForwards != 70 || m.ContentLength != 153 ||
		m.TopVia.Port != 5060 || !m.TopVia.RPort || m.TopVia.RPortVal != 0 || len(m.Headers) != 14 || m.Trailing != 0 {
		t.Errorf("numbers: cseq %d, max-forwards %d, content-length %d, trailing %d, via %+v", m.CSeq, m.MaxForwards, m.ContentLength, m.Trailing, m.TopVia)
	}
	if !m.Is("INVITE") || m.Is("invite") || !m.CSeqIs("INVITE") {
		t.Error("methods are case-sensitive")
	}
	if f := m.Check(); f != FaultNone {
		t.Errorf("Check: %v", f)
	}
}

func TestScanAllocatesNothing(t *testing.T) {
	m := mustScan(t, invite)
	if n := testing.AllocsPerRun(100, func() { m.Scan(invite, nil); m.Check() }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkScan(b *testing.B) {
	var m Message
	b.SetBytes(int64(len(invite)))
	b.ReportAllocs()
	for b.Loop() {
		if m.Scan(invite, nil) != FaultNone {
			b.Fatal("refused")
		}
	}
}

func BenchmarkCheck(b *testing.B) {
	m := mustScan(b, invite)
	for b.Loop() {
		if m.Check() != FaultNone {
			b.Fatal("refused")
		}
	}
}
