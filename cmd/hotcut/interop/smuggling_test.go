//go:build interop

package interop

import (
	"encoding/hex"
	"fmt"
	"net"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hotcut/hotcut/proxy/wire"
)

// What a sender may hide from one reader and show to another: headers that an edge acts upon or takes away, long and
// compact, with bytes that readers take for white space or a line's end.
var smuggledHeaders = []struct{ name, value string }{
	{"Content-Length", "5"},
	{"l", "5"},
	{"Via", "SIP/2.0/UDP 192.0.2.9;branch=z9hG4bKq"},
	{"v", "SIP/2.0/UDP 192.0.2.9;branch=z9hG4bKq"},
	{"From", "<sip:x@acme.example>;tag=2"},
	{"f", "<sip:x@acme.example>;tag=2"},
	{"To", "<sip:x@acme.example>"},
	{"t", "<sip:x@acme.example>"},
	{"Call-ID", "other"},
	{"i", "other"},
	{"CSeq", "7 MESSAGE"},
	{"Max-Forwards", "99"},
	{"Route", "<sip:192.0.2.9;lr>"},
	{"Record-Route", "<sip:192.0.2.9;lr>"},
	{"Contact", "<sip:192.0.2.9>"},
	{"m", "<sip:192.0.2.9>"},
	{"P-Asserted-Identity", "<sip:boss@acme.example>"},
	{"p-asserted-identity", "<sip:boss@acme.example>"},
	{"Remote-Party-ID", "<sip:boss@acme.example>;party=calling;screen=yes"},
	{"REMOTE-PARTY-ID", "<sip:boss@acme.example>;party=calling;screen=yes"},
	{"P-Charge-Info", "<sip:boss@acme.example>"},
	{"p-CHARGE-info", "<sip:boss@acme.example>"},
	{"X-Hotcut-Pin", "1"},
	{"x-hotcut-keep", "1"}, // one that stands for all of them: x-hotcut-shadow refuses the request
}

var smugglingBytes = []struct{ label, bytes string }{
	{"nothing", ""}, {"SP", " "}, {"HT", "\t"}, {"VT", "\v"}, {"FF", "\f"}, {"NUL", "\x00"}, {"0x85", "\x85"}, {"0xA0", "\xa0"},
	{"bare LF", "\n"}, {"bare CR", "\r"}, {"CRLF SP", "\r\n "}, {"CRLF HT", "\r\n\t"}, {"CRLF", "\r\n"},
}

// Where they stand. H is the header's name, V its value, B the bytes.
var smugglingPlaces = []struct{ label, lines string }{
	{"before the colon", "HB: V"},
	{"before the name", "BH: V"},
	{"after the colon", "H:BV"},
	{"after the value", "H: VB"},
	{"inside another's value", "Subject: xBH: V"},
	{"at another's fold", "Subject: x\r\nBH: V"},
	{"inside another's quotes", "Subject: \"xBH: V\""},
	{"in a second copy", "H: V\r\nHB: V"},
	{"in an empty line", "Subject: x\r\nB\r\nH: V"},
}

type smuggling struct{ what, id, text string }

// smugglings are the whole table. Each request has every header that it needs, but for the one that is smuggled.
func smugglings() (list []smuggling) {
	base := []struct{ name, line string }{
		{"via", "Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK@@\r\n"},
		{"max-forwards", "Max-Forwards: 70\r\n"},
		{"from", "From: <sip:alice@acme.example>;tag=@@\r\n"},
		{"to", "To: <sip:bob@acme.example>\r\n"},
		{"call-id", "Call-ID: @@\r\n"},
		{"cseq", "CSeq: 1 MESSAGE\r\n"},
		{"content-length", "Content-Length: 5\r\n"},
	}
	for _, h := range smuggledHeaders {
		for _, c := range smugglingBytes {
			for _, p := range smugglingPlaces {
				id := fmt.Sprintf("smuggling-%d", len(list))
				var b strings.Builder
				b.WriteString("MESSAGE sip:bob@acme.example SIP/2.0\r\nX-Case: @@\r\n")
				for _, x := range base {
					if x.name != longName(h.name) || !strings.Contains(p.lines, "\r\nH") && strings.HasPrefix(p.lines, "Subject") {
						b.WriteString(x.line)
					}
				}
				lines := strings.NewReplacer("H", h.name, "V", h.value, "B", c.bytes).Replace(p.lines)
				b.WriteString(lines + "\r\nEnd: 1\r\n\r\nhello")
				list = append(list, smuggling{fmt.Sprintf("%s, %s %s", h.name, c.label, p.label), id, strings.ReplaceAll(b.String(), "@@", id)})
			}
		}
	}
	return list
}

func longName(name string) string {
	name = strings.ToLower(name)
	if long := map[string]string{"v": "via", "f": "from", "t": "to", "i": "call-id", "m": "contact", "l": "content-length"}[name]; long != "" {
		return long
	}
	return name
}

// seenHeaders reads from Kamailio's log what it saw of each case, and what it would have believed.
func seenHeaders(t *testing.T, k *kamailio) (seen map[string][]header, trusted map[string][]string) {
	t.Helper()
	text, err := os.ReadFile(k.log)
	if err != nil {
		t.Fatal(err)
	}
	seen, trusted = map[string][]header{}, map[string][]string{}
	for _, m := range regexp.MustCompile(`(?m)(seen|trust) (\S+) (\S+)(?: x(\S*))?$`).FindAllStringSubmatch(string(text), -1) {
		if m[1] == "trust" {
			trusted[m[2]] = append(trusted[m[2]], m[3])
			continue
		}
		value, err := hex.DecodeString(m[4])
		if err != nil {
			t.Fatalf("Kamailio's log has %q", m[0])
		}
		seen[m[2]] = append(seen[m[2]], header{m[3], strings.Trim(string(value), " \t")}) // it keeps what follows a value
	}
	return seen, trusted
}

// passes are the headers that the edge lets through of a message that it accepts, as it read them; nil: it accepts it not.
func passes(raw []byte) (list []header) {
	var m wire.Message
	if m.Scan(raw, nil) != wire.FaultNone || m.Check() != wire.FaultNone {
		return nil
	}
	list = append(list, header{"Via", ""})
	for i, h := range m.Headers {
		switch h.ID {
		case wire.HPAI, wire.HRPID, wire.HPChargeInfo, wire.HXHotcut:
		default:
			list = append(list, header{string(h.Name.Of(raw)), string(m.AppendUnfolded(nil, m.Headers[i].Value))})
		}
	}
	return list
}

// Whatever the edge lets through to Kamailio, both see the same headers in it; and no word about identity, nor any of
// ours, gets through, in any case, copy or spelling.
func TestSmuggling(t *testing.T) {
	k := startKamailio(t, "reader", "headers.cfg")
	r := newRigFor(t, site{legacy: []string{k.addr}, core: []string{freeAddr(t)}, edges: 1})
	list := smugglings()
	throughEdge := newSmuggler(t, r.edges[0].outside)
	for i, x := range list {
		throughEdge.send(x.text)
		if i%16 == 15 || i == len(list)-1 { // else sockets would lose some
			throughEdge.fence(i)
		}
	}
	seen, trusted := seenHeaders(t, k)
	passed, foreign := 0, 0
	for _, x := range list {
		want, got := passes([]byte(x.text)), seen[x.id]
		if want != nil && slices.ContainsFunc(want, func(h header) bool { return h.is("Route") }) {
			want = nil // a stranger's: refused, however it is written
			foreign++
		}
		if len(want) == 0 || len(got) == 0 {
			if len(want) != len(got) {
				t.Errorf("%s: the edge reads %d headers, Kamailio %d:\n%q", x.what, len(want), len(got), got)
			}
			continue
		}
		passed++
		if !slices.ContainsFunc(want, func(h header) bool { return h.is("Max-Forwards") }) {
			got = slices.DeleteFunc(got, func(h header) bool { return h.is("Max-Forwards") })
		}
		if !slices.EqualFunc(want, got, func(a, b header) bool {
			return a.name == b.name && (a.value == b.value || longName(a.name) == "via" || a.is("Max-Forwards"))
		}) {
			t.Errorf("%s: the edge reads\n%q\nKamailio\n%q", x.what, want, got)
		}
	}
	for id, what := range trusted {
		t.Errorf("%s: Kamailio believes %q", id, what)
	}
	t.Logf("of %d requests %d passed, %d had a foreign Route", len(list), passed, foreign)
	if passed < 100 || passed > len(list)/2 {
		t.Errorf("%d requests of %d passed", passed, len(list))
	}

	// Without the edge between, Kamailio believes: the instrument measures.
	direct := newSmuggler(t, k.addr)
	for i, x := range list {
		if direct.send(x.text); i%16 == 15 || i == len(list)-1 {
			direct.fence(len(list) + i)
		}
	}
	_, trusted = seenHeaders(t, k)
	believed := map[string]int{}
	for _, list := range trusted {
		for _, what := range list {
			believed[what]++
		}
	}
	t.Logf("without the edge Kamailio believes %v", believed)
	for _, what := range []string{"P-Asserted-Identity", "Remote-Party-ID", "P-Charge-Info", "X-Hotcut"} {
		if believed[what] < 50 {
			t.Errorf("without the edge Kamailio believes %s %d times: the instrument is broken", what, believed[what])
		}
	}
}

// smuggler is a phone that sends bytes as they are.
type smuggler struct {
	t    *testing.T
	conn net.Conn
}

func newSmuggler(t *testing.T, to string) *smuggler {
	t.Helper()
	c, err := net.Dial("udp", to)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return &smuggler{t, c}
}

func (s *smuggler) send(text string) {
	s.t.Helper()
	if _, err := s.conn.Write([]byte(text)); err != nil {
		s.t.Fatal(err)
	}
}

// fence waits until what was sent has been served.
func (s *smuggler) fence(n int) {
	s.t.Helper()
	id := fmt.Sprintf("fence-%d", n)
	s.send(fmt.Sprintf("MESSAGE sip:bob@acme.example SIP/2.0\r\nVia: SIP/2.0/UDP %s;rport;branch=z9hG4bK%s\r\nMax-Forwards: 70\r\nFrom: <sip:alice@acme.example>;tag=1\r\n"+
		"To: <sip:bob@acme.example>\r\nCall-ID: %s\r\nCSeq: 1 MESSAGE\r\nX-Case: %s\r\nContent-Length: 0\r\n\r\n", s.conn.LocalAddr(), id, id, id))
	buf := make([]byte, 65536)
	for {
		s.conn.SetReadDeadline(time.Now().Add(10 * time.Second))
		n, err := s.conn.Read(buf)
		if err != nil {
			s.t.Fatalf("no answer to %s: %v", id, err)
		}
		if text := string(buf[:n]); strings.HasPrefix(text, "SIP/2.0 200") && strings.Contains(text, "Call-ID: "+id+"\r\n") {
			return
		}
	}
}
