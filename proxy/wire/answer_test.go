package wire

import (
	"bytes"
	"net/netip"
	"testing"
)

func TestAppendResponse(t *testing.T) {
	m := mustScan(t, crlf(`INVITE sip:b@acme.example SIP/2.0
v: SIP/2.0/UDP pc.example;branch=z9hG4bKx;rport , SIP/2.0/TCP
 192.0.2.7;branch=z9hG4bKy
Via: SIP/2.0/UDP 192.0.2.8;branch=z9hG4bKz
f: "A"
  <sip:a@acme.example>;tag=1
To:  sip:b@acme.example  
Call-ID: c
CSeq: 1 INVITE
Timestamp: 54
Contact: <sip:a@pc.example>
Content-Length: 2

hi`))
	m.Stamped(netip.MustParseAddrPort("192.0.2.1:4000"), false)
	vias := `v: SIP/2.0/UDP pc.example;branch=z9hG4bKx;rport=4000;received=192.0.2.1 , SIP/2.0/TCP 192.0.2.7;branch=z9hG4bKy
Via: SIP/2.0/UDP 192.0.2.8;branch=z9hG4bKz
f: "A" <sip:a@acme.example>;tag=1
`
	for _, c := range []struct {
		code         int
		phrase, want string
	}{
		{100, "Trying", "SIP/2.0 100 Trying\n" + vias + "To:  sip:b@acme.example\nCall-ID: c\nCSeq: 1 INVITE\nTimestamp: 54\nX: 1\nContent-Length: 0\n\n"},
		{503, "Busy", "SIP/2.0 503 Busy\n" + vias + "To:  sip:b@acme.example;tag=ours\nCall-ID: c\nCSeq: 1 INVITE\nX: 1\nContent-Length: 0\n\n"},
	} {
		got := m.AppendResponse(nil, c.code, c.phrase, []byte("ours"), []byte("X: 1\r\n"))
		if !bytes.Equal(got, crlf(c.want)) {
			t.Errorf("got\n%s\nwant\n%s", got, c.want)
		}
		mustScan(t, got)
	}

	tagged := mustScan(t, bytes.Replace(options(""), []byte("To: <sip:b@acme.example>"), []byte("To: <sip:b@acme.example>;tag=theirs"), 1))
	if got := tagged.AppendResponse(nil, 481, "x", []byte("ours"), nil); bytes.Contains(got, []byte("ours")) {
		t.Errorf("a second tag:\n%s", got)
	}
	// Nothing to answer: no panic, no invention.
	if got := string(new(Message).AppendResponse(nil, 400, "x", []byte("t"), nil)); got != "SIP/2.0 400 x\r\nContent-Length: 0\r\n\r\n" {
		t.Errorf("%q", got)
	}
}

func TestAppendHop(t *testing.T) {
	m := mustScan(t, crlf(`INVITE sip:b@acme.example SIP/2.0
Via: SIP/2.0/UDP 127.0.0.1:5060;branch=z9hG4bKours;rport, SIP/2.0/UDP 192.0.2.7;branch=z9hG4bKy
Route: <sip:one;lr>,
 <sip:two;lr>
Max-Forwards: 69
Route: <sip:three;lr>
From: <sip:a@acme.example>;tag=1
To: <sip:b@acme.example>
Call-ID: c
CSeq: 0007 INVITE
Content-Length: 0

`))
	rest := ` sip:b@acme.example SIP/2.0
Via: SIP/2.0/UDP 127.0.0.1:5060;branch=z9hG4bKours;rport
Route: <sip:one;lr>, <sip:two;lr>
Route: <sip:three;lr>
From: <sip:a@acme.example>;tag=1
`
	got := m.AppendHop(nil, "ACK", []byte("<sip:b@acme.example>;tag=2"), nil)
	want := crlf("ACK" + rest + "To: <sip:b@acme.example>;tag=2\nCall-ID: c\nCSeq: 7 ACK\nMax-Forwards: 70\nContent-Length: 0\n\n")
	if !bytes.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	mustScan(t, got)
	got = m.AppendHop(nil, "CANCEL", nil, []byte("Reason: SIP;cause=200\r\n"))
	want = crlf("CANCEL" + rest + "To: <sip:b@acme.example>\nCall-ID: c\nCSeq: 7 CANCEL\nMax-Forwards: 70\nReason: SIP;cause=200\nContent-Length: 0\n\n")
	if !bytes.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	mustScan(t, got)
}

func TestAppendVia(t *testing.T) {
	got := string(AppendVia(nil, "UDP", "127.0.0.1:5060", []byte("z9hG4bKq"), []byte(";hl=1")))
	if got != "Via: SIP/2.0/UDP 127.0.0.1:5060;branch=z9hG4bKq;rport;hl=1\r\n" {
		t.Error(got)
	}
}

func TestElems(t *testing.T) {
	m := mustScan(t, options("Route: \"x, y\" <sip:a,b;lr>;p=\",\",<sip:c>\nSupported: a ,, b\nk: c\nRoute: sip:d;q\nSupported:\nm: *\nContact: <sip:\"e>, <sip:f\"g>\n"))
	list := func(id HeaderID) (out string) {
		for e := range m.Elems(id) {
			out += m.text(e.Whole) + " [" + m.text(e.URI) + "]"
			if e.First {
				out += "f"
			}
			if e.Last {
				out += "l"
			}
			out += " "
		}
		return out
	}
	for id, want := range map[HeaderID]string{
		HRoute:     `"x, y" <sip:a,b;lr>;p="," [sip:a,b;lr]f <sip:c> [sip:c]l sip:d;q [sip:d]fl `,
		HSupported: "a []f b []l c []fl ",
		HContact:   `* []fl <sip:"e> []f <sip:f"g> []l `,
		HPath:      "",
	} {
		if got := list(id); got != want {
			t.Errorf("%v: %s", id, got)
		}
	}
	for range m.Elems(HRoute) {
		break // an early end is an end
	}
	if m.Find(255) != -1 {
		t.Error("an unknown ID was found")
	}
}
