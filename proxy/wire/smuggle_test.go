package wire

import (
	"fmt"
	"strings"
	"testing"
)

// smuggled are the headers that a request must not get past us unseen, long and compact.
var smuggled = []struct {
	name, value string
	id          HeaderID
}{
	{"Content-Length", "5", HContentLength},
	{"l", "5", HContentLength},
	{"Via", "SIP/2.0/UDP 192.0.2.9;branch=z9hG4bKq", HVia},
	{"v", "SIP/2.0/UDP 192.0.2.9;branch=z9hG4bKq", HVia},
	{"From", "<sip:x@example.com>;tag=2", HFrom},
	{"To", "<sip:x@example.com>", HTo},
	{"i", "other", HCallID},
	{"CSeq", "7 OPTIONS", HCSeq},
	{"Max-Forwards", "99", HMaxForwards},
	{"Route", "<sip:192.0.2.9;lr>", HRoute},
	{"Record-Route", "<sip:192.0.2.9;lr>", HRecordRoute},
	{"m", "<sip:192.0.2.9>", HContact},
	{"P-Asserted-Identity", "<sip:x@example.com>", HPAI},
	{"Remote-Party-ID", "<sip:x@example.com>", HRPID},
	{"P-Charge-Info", "<sip:x@example.com>", HPChargeInfo},
	{"X-Hotcut-Pin", "1", HXHotcut},
}

// smugglers are the bytes by which readers of other taste might see another header, and
// what we say to them before the colon, in a value, and at the begin of a line that
// follows a value (where SP and HT make it a continuation).
var smugglers = []struct {
	label, bytes             string
	beforeColon, value, fold Fault
}{
	{"SP", " ", FaultNone, FaultNone, FaultNone}, // HCOLON = *( SP / HTAB ) ":" SWS
	{"HT", "\t", FaultNone, FaultNone, FaultNone},
	{"VT", "\v", FaultHeaderName, FaultControl, FaultHeaderName},
	{"FF", "\f", FaultHeaderName, FaultControl, FaultHeaderName},
	{"NUL", "\x00", FaultHeaderName, FaultControl, FaultHeaderName},
	{"0x85", "\x85", FaultHeaderName, FaultNone, FaultHeaderName}, // 8-bit is text in a value
	{"0xA0", "\xa0", FaultHeaderName, FaultNone, FaultHeaderName},
	{"NEL", "\u0085", FaultHeaderName, FaultNone, FaultHeaderName},
	{"NBSP", "\u00a0", FaultHeaderName, FaultNone, FaultHeaderName},
	{"bare LF", "\n", FaultBareLF, FaultBareLF, FaultBareLF},
	{"bare CR", "\r", FaultBareCR, FaultBareCR, FaultBareCR},
	{"DEL", "\x7f", FaultHeaderName, FaultControl, FaultHeaderName},
}

func TestSmuggling(t *testing.T) {
	// Every other mandatory header is there, the one under test is not.
	request := func(id HeaderID, line string) []byte {
		var b strings.Builder
		b.WriteString("OPTIONS sip:acme.example SIP/2.0\r\n")
		for _, h := range []struct {
			id   HeaderID
			line string
		}{
			{HVia, "Via: SIP/2.0/UDP 127.0.0.1;branch=z9hG4bKx\r\n"},
			{HFrom, "From: <sip:a@acme.example>;tag=1\r\n"},
			{HTo, "To: <sip:b@acme.example>\r\n"},
			{HCallID, "Call-ID: c\r\n"},
			{HCSeq, "CSeq: 1 OPTIONS\r\n"},
		} {
			if h.id != id {
				b.WriteString(h.line)
			}
		}
		b.WriteString(line + "\r\nEnd: 1\r\n\r\nhello")
		return []byte(b.String())
	}
	check := func(where string, raw []byte, id HeaderID, want Fault) {
		t.Helper()
		var m Message
		f := m.Scan(raw, nil)
		if f != want {
			t.Errorf("%s: got %v, want %v\n%q", where, f, want, raw)
			return
		}
		if f == FaultNone && (m.Find(id) < 0 || m.Find(HOther) < 0) {
			t.Errorf("%s: accepted and not seen\n%q", where, raw)
		}
	}
	for _, h := range smuggled {
		for _, c := range smugglers {
			where := func(s string) string { return fmt.Sprintf("%s, %s %s", h.name, c.label, s) }
			check(where("before the colon"), request(h.id, h.name+c.bytes+": "+h.value), h.id, c.beforeColon)
			if c.beforeColon != FaultNone {
				// in the middle and in front of the name too
				check(where("inside the name"), request(h.id, h.name[:1]+c.bytes+h.name[1:]+": "+h.value), h.id, c.beforeColon)
				check(where("before the name"), request(h.id, c.bytes+h.name+": "+h.value), h.id, c.beforeColon)
			}
			// A header hidden in the value of another one stays a part of that value.
			check(where("inside a value"), request(HOther, "Subject: x"+c.bytes+h.name+": "+h.value), HSubject, c.value)
			check(where("at a fold"), request(HOther, "Subject: x\r\n"+c.bytes+h.name+": "+h.value), HSubject, c.fold)
		}
	}
	// The header hidden at a fold or in a value is not found as a header.
	for _, h := range smuggled {
		for _, sep := range []string{"\r\n ", "\r\n\t", "\u0085", "\u2028", "\\r\\n", "%0d%0a"} {
			m := mustScan(t, request(HOther, "Subject: x"+sep+h.name+": "+h.value))
			n := 0
			for _, got := range m.Headers {
				if got.ID == h.id {
					n++
				}
			}
			if own := m.Find(h.id) >= 0 && m.Find(h.id) < 5; n > 1 || n == 1 && !own {
				t.Errorf("%s after %q was found as a header", h.name, sep)
			}
		}
	}
}

func TestControlCharacters(t *testing.T) {
	for _, c := range []struct {
		lines string
		want  Fault
	}{
		{"Subject: \"\\\x00 \\\x07 \\\x7f\"\n", FaultNone},
		{"Subject: \"\x00\"\n", FaultControl},
		{"Subject: \\\x00\n", FaultControl},
		{"Subject: \"a\" \\\x07\n", FaultControl},
		{"Subject: \"a\\\\\x07\"\n", FaultControl},
		{"Subject: \"a\\\n b\"\n", FaultFold},
		{"Subject: a\\\n b\n", FaultNone},
		{"Subject: \"a\n b\"\n", FaultNone},
		{"Subject: \n \n \n", FaultNone},
		{"Subject\n : x\n", FaultHeaderName},
	} {
		var m Message
		if f := m.Scan(options(c.lines), nil); f != c.want {
			t.Errorf("%q: got %v, want %v", c.lines, f, c.want)
		}
	}
	raw := []byte("OPTIONS sip:a SIP/2.0\r\n Via: SIP/2.0/UDP a\r\n\r\n")
	if f := new(Message).Scan(raw, nil); f != FaultFold {
		t.Errorf("a continuation of the start line: %v", f)
	}
	// In a Call-ID a quote is a letter, so nothing in it is quoted.
	id := []byte("OPTIONS sip:a SIP/2.0\r\nCall-ID: \"\\\x07\"\r\n\r\n")
	if f := new(Message).Scan(id, nil); f != FaultControl {
		t.Errorf("a control character in a Call-ID: %v", f)
	}
}

// A lost Via line must not make the next one look like the topmost.
func TestAnswerableNeedsTheTopVia(t *testing.T) {
	for _, via := range []string{"Via: SIP/2.0/UDP 192.0.2.1\x00\n", "v : \n \x01\n"} {
		raw := append([]byte("OPTIONS sip:a SIP/2.0\r\n"), crlf(via)...)
		raw = append(raw, options("")[len("OPTIONS sip:acme.example SIP/2.0\r\n"):]...)
		var m Message
		if f := m.Scan(raw, nil); f != FaultControl || m.Answerable {
			t.Errorf("%q: %v, answerable %v", via, f, m.Answerable)
		}
	}
}
