package record

import (
	"bytes"
	"encoding/json"
	"regexp"
	"strings"
	"testing"

	"github.com/hotcut/hotcut/proxy/wire"
)

// produced is everything that leaves this package for an exchange.
func (c *corpus) produced(t testing.TB) []byte {
	t.Helper()
	r := c.redactor()
	call := Of(c.x, c.p, r)
	kept := r.Exchange(c.x)
	out, err := json.Marshal(map[string]any{"call": call, "exchange": kept, "scenario": call.Scenario()})
	if err != nil {
		t.Fatal(err)
	}
	// JSON hides < > & behind escapes, so the messages are looked at as they are too.
	for _, l := range append([]Leg{kept.Near}, kept.Far...) {
		out = append(out, l.Target...)
		for _, m := range l.Messages {
			out = append(append(out, '\n'), m.Raw...)
		}
	}
	return out
}

func TestNothingSecretIsProduced(t *testing.T) {
	for _, c := range loadCorpus(t) {
		if len(c.secrets) < 2 {
			t.Errorf("%s names no secrets", c.file)
		}
		var in bytes.Buffer
		for _, l := range append([]Leg{c.x.Near}, c.x.Far...) {
			for _, m := range l.Messages {
				in.Write(m.Raw)
			}
		}
		out := bytes.ToLower(c.produced(t))
		for _, s := range c.secrets {
			if bytes.Contains(out, bytes.ToLower([]byte(s))) {
				t.Errorf("%s: %q is in what was produced", c.file, s)
			}
			if s != c.x.CallID && !bytes.Contains(in.Bytes(), []byte(s)) {
				t.Errorf("%s: %q is not in the input: what does it test?", c.file, s)
			}
		}
		for _, run := range leaked(in.Bytes(), out) {
			t.Errorf("%s: the digits %s of the input are in what was produced", c.file, run)
		}
	}
}

var (
	digitRuns = regexp.MustCompile(`[0-9]{5,}`)
	openPart  = regexp.MustCompile(`\+[0-9]{1,6}(x[0-9]{1,2})?~`)
	durations = regexp.MustCompile(`"(at|delay|first_answer|ring|answer|final|after|held)":[0-9]+`)
	round     = regexp.MustCompile(`^[0-9]{1,4}0*$`)
	rate      = regexp.MustCompile(`(?m)^a=rtpmap:.*$|"[a-z0-9-]+/[0-9]+"`)
)

// leaked are the runs of five digits and more of in that are in out beside a number's country and area, times and rates.
func leaked(in, out []byte) []string {
	for _, known := range []*regexp.Regexp{openPart, durations, rate} {
		out = known.ReplaceAll(out, nil)
	}
	var all []string
	for _, run := range digitRuns.FindAll(in, -1) {
		for len(run) >= 5 {
			if bytes.Contains(out, run[:5]) && !roundIn(out, run[:5]) {
				all = append(all, string(run[:5]))
			}
			run = run[1:]
		}
	}
	return all
}

// roundIn reports whether digits stand in out only within times of four significant digits (86400).
func roundIn(out, digits []byte) bool {
	for _, run := range digitRuns.FindAll(out, -1) {
		if bytes.Contains(run, digits) && !round.Match(run) {
			return false
		}
	}
	return true
}

// A copy of a copy is the same copy, and the record of what was kept is the record of what was captured.
func TestRedactedIsRedacted(t *testing.T) {
	for _, c := range loadCorpus(t) {
		r := c.redactor()
		kept := r.Exchange(c.x)
		for i, l := range append([]Leg{kept.Near}, kept.Far...) {
			for j, m := range l.Messages {
				if again := r.Message(m.Raw); !bytes.Equal(again, m.Raw) {
					t.Errorf("%s: leg %d message %d:\n%s\nbecomes\n%s", c.file, i, j, m.Raw, again)
				}
			}
		}
		want, _ := json.Marshal(Of(c.x, c.p, r))
		for name, reader := range map[string]*Redactor{"the same redactor": r, "none": nil} {
			got, _ := json.Marshal(Of(kept, c.p, reader))
			if !bytes.Equal(got, want) {
				t.Errorf("%s, read with %s:\n%s\nwant\n%s", c.file, name, got, want)
			}
		}
	}
}

// What is remembered over an exchange changes nothing, who is more urgent has a turn after each message, and what is redacted is not redacted
// again.
func TestAnExchangeIsRedactedLikeItsMessages(t *testing.T) {
	for _, c := range loadCorpus(t) {
		yields, messages := 0, 0
		r := c.redactor().Yielding(func() { yields++ })
		kept := r.Exchange(c.x)
		legs := append([]Leg{c.x.Near}, c.x.Far...)
		for i, l := range append([]Leg{kept.Near}, kept.Far...) {
			messages += len(l.Messages)
			for j, m := range l.Messages {
				if want := c.redactor().Message(legs[i].Messages[j].Raw); !bytes.Equal(m.Raw, want) {
					t.Errorf("%s: leg %d message %d:\n%s\nis not\n%s", c.file, i, j, m.Raw, want)
				}
			}
		}
		if yields != messages {
			t.Errorf("%s: %d turns for others in %d messages", c.file, yields, messages)
		}
		if again := r.Exchange(kept); again != kept || yields != messages {
			t.Errorf("%s was redacted twice", c.file)
		}
		if Of(kept, c.p, r); yields != 2*messages {
			t.Errorf("%s: %d turns for others while %d messages were read", c.file, yields-messages, messages)
		}
	}
}

func TestKeptExchangesSurviveJSON(t *testing.T) {
	for _, c := range loadCorpus(t) {
		r := c.redactor()
		line, err := json.Marshal(r.Exchange(c.x))
		if err != nil {
			t.Fatal(err)
		}
		var back Exchange
		if err := json.Unmarshal(line, &back); err != nil {
			t.Fatal(err)
		}
		again, _ := json.Marshal(&back)
		if !bytes.Equal(line, again) {
			t.Errorf("%s:\n%s\nbecomes\n%s", c.file, line, again)
		}
		if want, got := Of(c.x, c.p, r).Scenario(), Of(&back, c.p, nil).Scenario(); got != want {
			t.Errorf("%s: scenario %q, want %q", c.file, got, want)
		}
	}
	raw := Message{At: 1, Raw: []byte("\xff\xfe")}
	b, err := json.Marshal(raw)
	if err != nil {
		t.Fatal(err)
	}
	var back Message
	if err := json.Unmarshal(b, &back); err != nil || !bytes.Equal(back.Raw, raw.Raw) {
		t.Errorf("%s becomes %q, %v", b, back.Raw, err)
	}
	var s Side
	if err := json.Unmarshal([]byte(`"core"`), &s); err == nil {
		t.Error("a side of core was taken")
	}
}

func TestAddresses(t *testing.T) {
	r := NewRedactor(testKey, "acme", "49")
	same := []struct {
		want  string // before the token
		kind  string
		forms []string
	}{
		{"+4930x8", "a number in +4930", []string{
			"+493034567890", "0049 30 34567890", "030-345.678(90)", "sip:+493034567890@a.example", "SIPS:%2B493034567890:pw@b;x=y",
			"tel:+49-30-34567890", "tel:30-34567890;phone-context=+49", "sip:03034567890;isub=1@x", "493034567890",
		}},
		{"+1212x7", "a number in +1212", []string{"+12125550100", "tel:+1(212)555-0100", "0012125550100"}},
		{"x3", "an extension of 3 digits", []string{"101", "sip:101@a", "sip:1%301@b.example:5060", "1.0.1"}},
		{"*", "a feature code", []string{"*9812", "sip:*9812@a", "*98-12"}},
		{"n", "a name", []string{"Alice", "sip:alice@a", "ALICE", "sip:%61lice@b"}},
	}
	seen := map[Address]string{}
	for _, c := range same {
		for _, f := range c.forms {
			a := r.Address(f)
			open, token, ok := strings.Cut(string(a), "~")
			if open != c.want || !ok || !isLetters(token) || a.Kind() != c.kind {
				t.Errorf("%s is %s, %s; want %s~..., %s", f, a, a.Kind(), c.want, c.kind)
			}
			if a != r.Address(c.forms[0]) {
				t.Errorf("%s is %s, and %s is %s", f, a, c.forms[0], r.Address(c.forms[0]))
			}
			if again := r.Address(string(a)); again != a {
				t.Errorf("%s becomes %s", a, again)
			}
			if other, taken := seen[a]; taken && other != c.kind {
				t.Errorf("%s is %s and %s", a, c.kind, other)
			}
			seen[a] = c.kind
		}
	}
	for in, want := range map[string]string{
		"sip:*98@a": "*98", "sip:Anonymous@anonymous.invalid": "anonymous", "Voicemail": "voicemail", "": "",
		"sip:192.0.2.77:5060": "192.0.2.0", "sip:[2001:db8:1:2::3]": "2001:db8:1::", "sip:[::ffff:192.0.2.77]": "192.0.2.0", "192.0.2.77": "192.0.2.0",
	} {
		if got := r.Address(in); string(got) != want {
			t.Errorf("%q is %q, want %q", in, got, want)
		}
		if got := r.Address(want); string(got) != want {
			t.Errorf("%q becomes %q", want, got)
		}
	}
	if a, b := r.Address("sip:PBX.example."), r.Address("sip:pbx.example"); a != b || a.Kind() != "a host" || r.Address(string(a)) != a {
		t.Errorf("%s and %s", a, b)
	}
	if r.Address("+493034567890") == r.Address("+493034567891") {
		t.Error("two numbers are one")
	}
}

// A number tells how long it is, which its token hides, and nothing more of what is hidden.
func TestDigitsAreCounted(t *testing.T) {
	r := NewRedactor(testKey, "acme", "49")
	for in, want := range map[string]int{"+493034567890": 12, "+49303456789": 11, "03034567890": 12, "+4930123456": 10, "+493012345": 9, "+12345": 5,
		"101": 3, "+1212~bcdfghjklmnp": 0, "alice": 0, "*98": 0, "*9812": 0, "": 0, "192.0.2.7": 0, "anonymous": 0, "sip:x@y": 0} {
		if got := r.Address(in).Digits(); got != want {
			t.Errorf("%q has %d digits as %s, want %d", in, got, r.Address(in), want)
		}
	}
	for _, in := range []string{"+1212x7~bcdfghjklmnp", "+1212~bcdfghjklmnp", "x3~bcdfghjklmnp"} {
		if got := r.Address("sip:" + in + "@h"); string(got) != in {
			t.Errorf("%s becomes %s", in, got)
		}
	}
	for _, in := range []string{"+1212x~bcdfghjklmnp", "+1212x777~bcdfghjklmnp", "+x7~bcdfghjklmnp", "+1212x7x7~bcdfghjklmnp", "+1212345x7~bcdfghjklmnp", "x~bcdfghjklmnp"} {
		if got := r.Address("sip:" + in + "@h"); string(got) == in {
			t.Errorf("%s is taken for a token", in)
		}
	}
	long, short := r.Address("+4930123456"), r.Address("+493012345")
	if other := r.Address("+4940123456"); !long.Within(short) || !short.Within(long) || long.Within(other) {
		t.Errorf("%s, %s and %s", long, short, other)
	}
}

func TestTenantsCanNotBeJoined(t *testing.T) {
	const number = "+493034567890"
	a := NewRedactor(testKey, "acme", "49")
	for name, b := range map[string]*Redactor{
		"another tenant": NewRedactor(testKey, "globex", "49"), "another key": NewRedactor([]byte("other"), "acme", "49"),
	} {
		if a.Address(number) == b.Address(number) || a.CallID("x") == b.CallID("x") {
			t.Errorf("%s has the same tokens", name)
		}
	}
	if b := NewRedactor(testKey, "acme", "1"); a.Address(number) != b.Address(number) {
		t.Error("the country changes a number in full")
	}
	local := a.WithNumbers(func(dst []byte, user string) []byte { return append(dst, "+4930"+user...) })
	if local.Address("34567890") != a.Address(number) {
		t.Error("a tenant's own dial plan is not asked")
	}
}

func TestCountryAndArea(t *testing.T) {
	for number, want := range map[string]string{
		"+12125550100": "+1212", "+74951234567": "+7495", "+442079460000": "+4420", "+33142685300": "+331", "+353112345678": "+3531",
		"+4791234567": "+47", "+35212345678": "+352", "+4930123456": "+4930", "+49301234": "+49", "+1234567": "+1", "+999123456789": "+9991",
	} {
		open, hidden := splitNumber(number)
		if open != want || open+hidden != number {
			t.Errorf("%s is open to %s, want %s", number, open, want)
		}
	}
}

// Every header field that wire knows, filled with what nobody may see, in a request and in a response.
func TestNoFieldLeaks(t *testing.T) {
	const secrets = `"Geheim 0171234567" <sip:geheim0171234567:geheim@geheim.example;geheim=0171234567?geheim=0171234567&Reason=geheim>;geheim=0171234567;text="geheim"`
	r := NewRedactor(testKey, "acme", "49")
	read := map[string]bool{}
	for _, start := range []string{"INVITE sip:geheim@geheim.example SIP/2.0", "SIP/2.0 486 Geheim 0171234567"} {
		for id := wire.HOther; id <= wire.HXHotcut; id++ {
			name := id.String()
			switch id {
			case wire.HOther:
				name = "Geheim-0171234567"
			case wire.HXHotcut:
				name = "X-Hotcut-Geheim"
			}
			for _, value := range []string{secrets, "geheim 0171234567", "Digest realm=\"geheim\", nonce=\"0171234567\", geheim=0171234567", "0171234567", "geheim;geheim=0171234567"} {
				head := start + "\r\n"
				fields := map[wire.HeaderID]string{
					wire.HVia: "Via: SIP/2.0/UDP geheim.example;branch=z9hG4bKgeheim0171234567", wire.HFrom: "From: <sip:geheim@a>;tag=geheim",
					wire.HTo: "To: <sip:0171234567@a>", wire.HCallID: "Call-ID: geheim", wire.HCSeq: "CSeq: 1 INVITE",
				}
				delete(fields, id)
				for _, f := range fields {
					head += f + "\r\n"
				}
				raw := []byte(head + name + ": " + value + "\r\n\r\ngeheim 0171234567")
				out := bytes.ToLower(r.Message(raw))
				read[name] = read[name] || out != nil
				if bytes.Contains(out, []byte("geheim")) || bytes.Contains(out, []byte("34567")) {
					t.Errorf("%s: %s\ngives\n%s", name, value, out)
				}
			}
		}
	}
	for name, ok := range read {
		if !ok && name != "CSeq" && name != "Via" { // which hold no free text
			t.Errorf("no value of %s was read: what does this test?", name)
		}
	}
}
