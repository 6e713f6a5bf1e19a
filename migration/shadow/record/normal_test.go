package record

import (
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

var compactForms = map[string]string{
	"Via": "v", "From": "f", "To": "t", "Call-ID": "i", "Contact": "m", "Content-Type": "c", "Supported": "k", "Refer-To": "R", "Referred-By": "b",
	"Event": "o", "Session-Expires": "x", "Subject": "s",
}

var (
	tagParam  = regexp.MustCompile(`;tag=([a-z0-9-]+)`)
	branches  = regexp.MustCompile(`;branch=z9hG4bK([a-z0-9-]+)`)
	cseqValue = regexp.MustCompile(`(?m)^CSeq: ([0-9]+)`)
	mediaPort = regexp.MustCompile(`(?m)^m=(audio|image) ([0-9]+)`)
	origin    = regexp.MustCompile(`(?m)^o=.*`)
	callIDs   = regexp.MustCompile(`(?m)^Call-ID: (.*)`)
)

// otherwise writes a message as another platform would: other ids and ports, other order of fields, compact forms, other case,
// other products.
func otherwise(raw []byte) []byte {
	s := strings.ReplaceAll(string(raw), "\r\n", "\n")
	head, body, _ := strings.Cut(s, "\n\n")
	head = strings.ReplaceAll(head, "\n ", " ") // unfold
	head = tagParam.ReplaceAllString(head, ";tag=other-$1")
	head = branches.ReplaceAllString(head, ";branch=z9hG4bKother-$1")
	head = callIDs.ReplaceAllString(head, "Call-ID: other-$1")
	head = cseqValue.ReplaceAllStringFunc(head, func(c string) string {
		var n int
		_, _ = fmt.Sscanf(c, "CSeq: %d", &n)
		return fmt.Sprintf("CSeq: %d", n+70)
	})
	lines := strings.Split(head, "\n")
	fields := append(lines[1:len(lines):len(lines)], "User-Agent: Other/2", "Server: other", "Date: Tue, 03 Mar 2026 10:00:00 GMT", "X-Other: 1")
	name := func(l string) string { n, _, _ := strings.Cut(l, ":"); return n }
	slices.SortStableFunc(fields, func(a, b string) int { return strings.Compare(name(b), name(a)) })
	for i, l := range fields {
		n, rest, _ := strings.Cut(l, ":")
		if short, has := compactForms[n]; has {
			n = short
		}
		fields[i] = strings.ToUpper(n) + " :  " + strings.TrimSpace(rest)
	}
	body = mediaPort.ReplaceAllString(body, "m=$1 41234")
	body = origin.ReplaceAllString(body, "o=other 7 8 IN IP4 192.0.2.222")
	body = strings.ReplaceAll(body, "127.0.0.1", "192.0.2.7")
	return crlf([]byte(lines[0] + "\n" + strings.Join(fields, "\n") + "\n\n" + body))
}

func TestWhatNobodyHearsIsNoDifference(t *testing.T) {
	for _, c := range loadCorpus(t) {
		r := c.redactor()
		want, _ := json.Marshal(Of(c.x, c.p, r))
		other := *c.x
		other.Near = rewrite(c.x.Near)
		other.Far = nil
		for _, l := range slices.Backward(c.x.Far) { // the record sorts legs by time
			other.Far = append(other.Far, rewrite(l))
		}
		got, _ := json.Marshal(Of(&other, c.p, r))
		if !bytes.Equal(got, want) {
			t.Errorf("%s:\n%s\nwant\n%s", c.file, got, want)
		}
	}
}

func rewrite(l Leg) Leg {
	l.Messages = slices.Clone(l.Messages)
	for i, m := range l.Messages {
		if !bytes.HasPrefix(m.Raw, []byte("not SIP")) && !bytes.Contains(m.Raw, []byte("CSeq: 4915112345678")) {
			l.Messages[i].Raw = otherwise(m.Raw)
		}
	}
	return l
}

func TestClasses(t *testing.T) {
	p := &Profile{}
	for code, want := range map[int]Class{
		200: Answered, 202: Answered, 302: Redirected, 401: Challenged, 407: Challenged, 403: Rejected, 404: NotFound, 604: NotFound, 410: NotFound,
		484: NotFound, 408: NoAnswer, 480: NoAnswer, 486: Busy, 600: Busy, 487: NoAnswer, 488: Rejected, 500: NetworkFailure, 503: NetworkFailure,
		603: Rejected, 606: Rejected, 0: NetworkFailure, 699: Rejected,
	} {
		if got := p.class(code, false); got != want {
			t.Errorf("%d is %s, want %s", code, got, want)
		}
	}
	for code, want := range map[int]Class{487: Cancelled, 0: Cancelled, 200: Answered, 486: Busy} {
		if got := p.class(code, true); got != want {
			t.Errorf("%d after CANCEL is %s, want %s", code, got, want)
		}
	}
	dnd := &Profile{Equal: [][2]int{{486, 480}, {486, 403}}}
	if dnd.class(480, false) != Busy || dnd.class(403, false) != Busy || dnd.class(408, false) != NoAnswer {
		t.Error("the profile's equal codes are not taken")
	}
	words := map[string]Class{}
	for _, c := range Classes {
		w := Words(c)
		if other, taken := words[w]; taken || w == Words("no class") {
			t.Errorf("%s has the words of %s: %q", c, other, w)
		}
		words[w] = c
	}
}

func TestOpeningHours(t *testing.T) {
	h := &Hours{Zone: "Europe/Berlin", Open: [7]int{1: 480}, Close: [7]int{1: 1080}}
	for at, want := range map[string]bool{
		"2026-03-02T07:00:00Z": false, // Monday, eight in Berlin
		"2026-03-02T06:59:00Z": true,
		"2026-03-02T16:59:00Z": false,
		"2026-03-02T17:00:00Z": true,
		"2026-07-06T06:00:00Z": false, // in summer
		"2026-03-03T09:00:00Z": true,  // Tuesday
	} {
		when, err := time.Parse(time.RFC3339, at)
		if err != nil {
			t.Fatal(err)
		}
		if closed, ok := h.closed(when); closed != want || !ok {
			t.Errorf("%s: closed %v, want %v", at, closed, want)
		}
	}
	x := loadCorpus(t)[0].x
	if c := Of(x, &Profile{Hours: &Hours{Zone: "Nowhere/At_All"}}, nil); c.Missing != MissingZone {
		t.Errorf("missing %q", c.Missing)
	}
}

func TestSecondsKeepFourDigits(t *testing.T) {
	for in, want := range map[string]int{"0": 0, "7": 7, "300": 300, "3417": 3417, "86400": 86400, "86413": 86410, "604800": 604800, "18000;duration=1": 18000, "4294967296": 2_000_000_000} {
		if got, ok := seconds([]byte(in)); got != want || !ok {
			t.Errorf("%s is %d, want %d", in, got, want)
		}
	}
	for _, in := range []string{"", "x", ";1", " "} {
		if _, ok := seconds([]byte(in)); ok {
			t.Errorf("%q is a number", in)
		}
	}
}

// Waits of two legs at once count once, and only as far as they had come.
func TestWaitsOfTheTwin(t *testing.T) {
	const s = int64(time.Second)
	o := &reading{far: []*leg{
		{Leg: &Leg{Held: 4 * time.Second}, at: 1 * s}, {Leg: &Leg{Held: time.Second}, at: 2 * s},
		{Leg: &Leg{Held: 3 * time.Second}, at: 3 * s}, {Leg: &Leg{}, at: 4 * s}, {Leg: &Leg{Held: time.Second}, at: 20 * s},
	}}
	for until, want := range map[int64]time.Duration{0: 0, s: 0, 2 * s: time.Second, 5 * s: 4 * time.Second, 7 * s: 5 * time.Second, 30 * s: 6 * time.Second} {
		if got := o.waited(until); got != want {
			t.Errorf("until %ds: %v, want %v", until/s, got, want)
		}
	}
}

func TestScenarios(t *testing.T) {
	far := func(all ...string) (legs []FarLeg) {
		for _, f := range all {
			party, to, _ := strings.Cut(f, " ")
			legs = append(legs, FarLeg{Party: party, To: Address(to)})
		}
		return legs
	}
	const number, extension = "+4930~bcdfghjklmnp", "x3~bcdfghjklmnp"
	for _, c := range []struct {
		call Call
		want Scenario
	}{
		{Call{Method: "INVITE", Origin: "phone", Called: number, Outcome: Outcome{Class: Answered}, Far: far("carrier a"), Features: []Feature{"dtmf", "hold"}}, "out/phone/pstn answered dtmf+hold"},
		{Call{Method: "INVITE", Origin: "phone", Called: number, Outcome: Outcome{Class: Busy}}, "out/phone/pstn busy"},
		{Call{Method: "INVITE", Origin: "trunk", Called: number, Outcome: Outcome{Class: NotFound}}, "in/trunk/number not-found"},
		{Call{Method: "INVITE", Origin: "trunk", Called: number, Outcome: Outcome{Class: Answered}, Far: far("phone a", "phone b")}, "in/trunk/group answered"},
		{Call{Method: "INVITE", Origin: "trunk", Called: number, Outcome: Outcome{Class: Answered}, Far: far("phone a", "phone a")}, "in/trunk/phone answered"},
		{Call{Method: "INVITE", Origin: "phone", Called: extension, Outcome: Outcome{Class: Cancelled}, Far: far("phone a", "carrier b")}, "internal/phone/phone cancelled"},
		{Call{Method: "INVITE", Origin: "phone", Called: extension, Outcome: Outcome{Class: Rejected}}, "internal/phone/extension rejected"},
		{Call{Method: "INVITE", Origin: "phone", Called: "*98", Outcome: Outcome{Class: Answered}}, "internal/phone/service answered"},
		{Call{Method: "INVITE", Origin: "phone", Called: "voicemail", Outcome: Outcome{Class: Answered}}, "internal/phone/service answered"},
		{Call{Method: "INVITE", Origin: "phone", Called: "n~bcdfghjklmnp", Outcome: Outcome{Class: NoAnswer}}, "internal/phone/name no-answer"},
		{Call{Method: "INVITE", Origin: "phone", Outcome: Outcome{Class: NoAnswer}}, "internal/phone/none no-answer"},
		{Call{Method: "INVITE", Origin: "phone", Called: number, Outcome: Outcome{Class: Answered}, Far: far("platform a")}, "internal/phone/platform answered"},
		{Call{Method: "REGISTER", Origin: "phone", Outcome: Outcome{Class: Challenged}}, "register/phone challenged"},
		{Call{}, "unknown"},
	} {
		if got := c.call.Scenario(); got != c.want {
			t.Errorf("%q, want %q", got, c.want)
		}
	}
}

// A dark core that never answers is a failed call; so is one that answers with what nobody can read.
func TestSilence(t *testing.T) {
	c := loadCorpus(t)[0]
	x := &Exchange{Side: Shadow, Near: Leg{Party: "phone", Messages: c.x.Near.Messages[:1]}}
	if got := Of(x, nil, c.redactor()); got.Outcome != (Outcome{Class: NetworkFailure}) || got.Missing != "" || got.Times.FirstAnswer != 0 {
		t.Errorf("%+v", got)
	}
	x.Near.Messages = append(x.Near.Messages[:1:1], Message{At: epoch + 1, Upstream: true, Raw: []byte("noise")})
	if got := Of(x, nil, c.redactor()); got.Unexpected["unreadable"] != 1 {
		t.Errorf("%+v", got)
	}
	x.Near.Messages, x.Incomplete = nil, "flood"
	if got := Of(x, nil, c.redactor()); got.Missing != "flood" {
		t.Errorf("missing %q", got.Missing)
	}
	x.Incomplete = ""
	if got := Of(x, nil, c.redactor()); got.Missing != MissingRequest {
		t.Errorf("missing %q", got.Missing)
	}
}

// A far leg whose call passes another edge is a record of its own: who is calling is compared, what came of it is the callee's.
func TestLegOnly(t *testing.T) {
	leg := func(from string) *Exchange {
		invite := "INVITE sip:+493012345@192.0.2.9 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKa\r\nMax-Forwards: 70\r\nFrom: <sip:" + from + "@acme.example>;tag=1\r\nTo: <sip:+493012345@acme.example>\r\nCall-ID: a\r\nCSeq: 1 INVITE\r\nContent-Length: 0\r\n\r\n"
		busy := "SIP/2.0 486 Busy Here\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKa\r\nFrom: <sip:" + from + "@acme.example>;tag=1\r\nTo: <sip:+493012345@acme.example>;tag=2\r\nCall-ID: a\r\nCSeq: 1 INVITE\r\nContent-Length: 0\r\n\r\n"
		return &Exchange{Tenant: "acme", CallID: "a", LegOnly: true,
			Far: []Leg{{Party: "phone", Messages: []Message{{At: 1e9, Raw: []byte(invite)}, {At: 2e9, Upstream: true, Raw: []byte(busy)}}}}}
	}
	r := NewRedactor([]byte("0123456789abcdef"), "acme", "DE")
	a, b := Of(leg("+49301111111"), nil, r), Of(leg("+49302222222"), nil, r)
	if a.Missing != "" || a.Method != MethodLeg || a.Scenario() != "leg/phone busy" || len(a.Far) != 1 {
		t.Errorf("%+v, %s", a, a.Scenario())
	}
	if a.Far[0].Identity.From == b.Far[0].Identity.From || a.Far[0].To != b.Far[0].To {
		t.Errorf("%+v, %+v", a.Far[0], b.Far[0])
	}
	none := leg("a")
	none.Far = nil
	if c := Of(none, nil, r); c.Missing != MissingRequest {
		t.Errorf("%+v", c)
	}
}
