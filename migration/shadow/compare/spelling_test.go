package compare

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/hotcut/hotcut/migration/shadow/record"
)

// spelling is how one platform writes the same call.
type spelling struct {
	callID, tag, branch, port, host, agent string
	compact, upper, reversed               bool
	offset                                 int64 // of its clock, ns
}

func (s spelling) header(name, short, value string) string {
	switch {
	case s.compact && short != "":
		name = short
	case s.upper:
		name = strings.ToUpper(name)
	}
	return name + ": " + value + "\r\n"
}

func (s spelling) message(first string, headers []string, sdp string) []byte {
	if s.reversed {
		for i, j := 1, len(headers)-1; i < j; i, j = i+1, j-1 { // Via stays on top
			headers[i], headers[j] = headers[j], headers[i]
		}
	}
	if sdp != "" {
		headers = append(headers, s.header("Content-Type", "c", "application/sdp"))
	}
	return []byte(first + "\r\n" + strings.Join(headers, "") + s.header("Content-Length", "l", fmt.Sprint(len(sdp))) + "\r\n" + sdp)
}

func (s spelling) sdp() string {
	pt := "8"
	telephone := "101"
	if s.reversed {
		telephone = "96"
	}
	return "v=0\r\no=" + s.agent + " " + s.port + " 1 IN IP4 " + s.host + "\r\ns=" + s.agent + "\r\nc=IN IP4 " + s.host + "\r\nt=0 0\r\n" +
		"m=audio " + s.port + " RTP/AVP " + pt + " " + telephone + "\r\na=rtpmap:8 " + map[bool]string{false: "PCMA", true: "pcma"}[s.upper] + "/8000\r\n" +
		"a=rtpmap:" + telephone + " telephone-event/8000\r\na=fmtp:" + telephone + " 0-15\r\na=sendrecv\r\n"
}

func (s spelling) headers(cseq, to, extra string) []string {
	list := []string{
		s.header("Via", "v", "SIP/2.0/UDP "+s.host+":"+s.port+";branch=z9hG4bK"+s.branch),
		s.header("From", "f", "\"Ann Example\" <sip:+493012345678@acme.example>;tag=f"+s.tag),
		s.header("To", "t", "<sip:+498998765432@acme.example>"+to),
		s.header("Call-ID", "i", s.callID),
		s.header("CSeq", "", cseq),
		s.header("Contact", "m", "<sip:x@"+s.host+":"+s.port+">"),
		s.header("Max-Forwards", "", "70"),
		s.header("Supported", "k", "timer, replaces"),
		s.header("User-Agent", "", s.agent),
		s.header("Date", "", "Mon, 02 Mar 2026 09:00:0"+string(s.tag[0])+" GMT"),
	}
	if extra != "" {
		list = append(list, extra)
	}
	return list
}

// exchange: INVITE, 180, 200, ACK, BYE on the near leg, and the same through to a carrier on the far leg.
func (s spelling) exchange() *record.Exchange {
	start := testNow.UnixNano() + s.offset
	leg := func(delay time.Duration) []record.Message {
		at := func(d time.Duration) int64 { return start + int64(delay+d) }
		pai := s.header("P-Asserted-Identity", "", "<sip:+493012345678@acme.example>")
		to := ";tag=t" + s.tag
		return []record.Message{
			{At: at(0), Raw: s.message("INVITE sip:+498998765432@acme.example SIP/2.0", s.headers("1 INVITE", "", pai), s.sdp())},
			{At: at(80 * time.Millisecond), Upstream: true, Raw: s.message("SIP/2.0 180 Ringing", s.headers("1 INVITE", to, ""), "")},
			{At: at(3 * time.Second), Upstream: true, Raw: s.message("SIP/2.0 200 OK", s.headers("1 INVITE", to, ""), s.sdp())},
			{At: at(3100 * time.Millisecond), Raw: s.message("ACK sip:+498998765432@acme.example SIP/2.0", s.headers("1 ACK", to, ""), "")},
			{At: at(60 * time.Second), Raw: s.message("BYE sip:+498998765432@acme.example SIP/2.0", s.headers("2 BYE", to, ""), "")},
			{At: at(60100 * time.Millisecond), Upstream: true, Raw: s.message("SIP/2.0 200 OK", s.headers("2 BYE", to, ""), "")},
		}
	}
	return &record.Exchange{
		Tenant: "acme", CallID: "live@call", Near: record.Leg{Party: "phone", Messages: leg(0)},
		Far: []record.Leg{{Party: "carrier", Messages: leg(40 * time.Millisecond)}},
	}
}

// Tags, Call-ID, ports, hosts, product names, payload numbers, order of headers, case and compact form are how two
// platforms write the same call: nothing of it is a difference.
func TestTheSameCallInAnotherSpellingIsTheSameCall(t *testing.T) {
	r := record.NewRedactor([]byte("key of the tests"), "acme", "49")
	legacy := spelling{callID: "a84b4c76@198.51.100.9", tag: "1", branch: "one", port: "5060", host: "198.51.100.9", agent: "Legacy/1"}
	live := record.Of(legacy.exchange(), nil, r)
	if live.Missing != "" || len(live.Far) != 1 || live.Answer == nil {
		t.Fatalf("the call that everything is compared with is not whole: %+v", live)
	}
	for _, compact := range []bool{false, true} {
		for _, upper := range []bool{false, true} {
			for _, reversed := range []bool{false, true} {
				core := spelling{
					callID: "zz-77@203.0.113.4", tag: "2", branch: "two", port: "40000", host: "203.0.113.4", agent: "Core/9",
					compact: compact, upper: upper, reversed: reversed, offset: int64(3 * time.Second),
				}
				v := Judge(live, record.Of(core.exchange(), nil, r), Rules)
				if v.Missing != "" || len(v.Differences) > 0 {
					t.Errorf("%+v: missing %q, %+v", core, v.Missing, v.Differences)
				}
			}
		}
	}
	// And that this test would see one.
	other := legacy.exchange()
	other.Far[0].Messages[0].Raw = []byte(strings.Replace(string(other.Far[0].Messages[0].Raw), "INVITE sip:+498998765432@", "INVITE sip:+49899876543@", 1))
	if v := Judge(live, record.Of(other, nil, r), Rules); len(v.Differences) != 1 || v.Differences[0].Field != "far.destination" || v.Differences[0].Words != "a digit is missing in the dialled number" {
		t.Errorf("a digit less: %+v", v.Differences)
	}
}
