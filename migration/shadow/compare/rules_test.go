package compare

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hotcut/hotcut/migration/shadow/record"
)

var update = flag.Bool("update", false, "write the golden files again; review them as prose")

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s: got\n%s\nwant\n%s", path, got, want)
	}
}

const (
	boss     = record.Address("x3~bcdfghjklmnp")
	desk     = record.Address("x3~cdfghjklmnpq")
	lobby    = record.Address("x3~dfghjklmnpqr")
	shorter  = record.Address("x2~fghjklmnpqrs")
	outsider = record.Address("+4930~ghjklmnpqrst")
	stranger = record.Address("+4989~hjklmnpqrstb")
	mainLine = record.Address("+4930~jklmnpqrstbc")
)

func audio() *record.SDP {
	return &record.SDP{Media: []record.Media{{
		Type: "audio", Profile: "RTP/AVP", Codecs: []string{"g722/8000", "pcma/8000"}, DTMF: true, Ptime: 20, Direction: "sendrecv",
	}}}
}

// aCall from outside, forwarded to the boss, whose phone rings after 100 ms and answers after 6 s.
func aCall() *record.Call {
	return &record.Call{
		Tenant: "acme", ID: "c~bcdfghjklmnp", At: 1, Method: "INVITE", Origin: "carrier", Caller: outsider, Called: mainLine,
		Outcome: record.Outcome{Class: record.Answered, Code: 200},
		Far: []record.FarLeg{{
			Party: "phone", To: boss, Delay: 50 * time.Millisecond, Outcome: record.Outcome{Class: record.Answered, Code: 200},
			Identity: record.Identity{
				From: outsider, Named: true, PAI: []record.Address{outsider}, RPID: []record.Address{outsider}, Privacy: []string{"id"},
				Diversion: []record.Diverted{{Address: mainLine, Reason: "no-answer"}}, History: []record.Diverted{{Address: mainLine}, {Address: boss, Reason: "486"}},
			},
			Offer: audio(), Answer: audio(), Require: []string{"100rel"}, Supported: []string{"replaces", "timer"},
			Timer: record.SessionTimer{Expires: 1800, Refresher: "uac"}, Alert: []record.Alert{{Header: "Alert-Info", Ring: "bellcore-dr2"}},
		}},
		Offer: audio(), Answer: audio(), Early: record.Early{Codes: []int{180, 183}, Media: audio()}, Rel100: true,
		Timer: record.SessionTimer{Expires: 1800, Refresher: "uas"}, Require: []string{"timer"}, Supported: []string{"replaces"},
		Alert: []record.Alert{{Header: "Call-Info", Params: []string{"answer-after=0"}}}, Connected: record.Identity{PAI: []record.Address{boss}},
		Times: record.Times{FirstAnswer: 20 * time.Millisecond, Ring: 100 * time.Millisecond, Answer: 6 * time.Second, Final: 6 * time.Second},
		End:   record.End{By: "caller", After: time.Minute}, Features: []record.Feature{record.FeatureForward},
		Reason: []string{"Q.850;cause=16"}, Warning: []int{399}, RetryAfter: []int{30}, Unexpected: map[string]int{"OPTIONS": 1},
	}
}

// aHunt rings three phones, 10 s each, and then voicemail.
func aHunt() *record.Call {
	c := aCall()
	leg := c.Far[0]
	leg.Identity.Diversion, leg.Identity.History = nil, nil
	c.Far, c.Features = nil, []record.Feature{record.FeatureHunt, record.FeatureVoicemail}
	for i, to := range []record.Address{boss, desk, lobby, "voicemail"} {
		leg.To, leg.Delay = to, 50*time.Millisecond+time.Duration(i)*10*time.Second
		c.Far = append(c.Far, leg)
	}
	c.Far[3].Party = "trunk"
	c.Times.Answer, c.Times.Final = 31*time.Second, 31*time.Second
	return c
}

func aRegister() *record.Call {
	return &record.Call{
		Tenant: "acme", ID: "c~bcdfghjklmnp", Method: "REGISTER", Origin: "phone", Caller: boss, Called: boss, Outcome: record.Outcome{Class: record.Answered, Code: 200},
		Register: &record.Register{
			Code: 200, Expires: 3600, Contacts: []record.Address{"n~bcdfghjklmnp", "n~cdfghjklmnpq"}, ServiceRoute: []string{"h-bcdfghjklmnp.invalid"},
			Challenges: []record.Challenge{{Realm: "h-bcdfghjklmnp.invalid", Algorithm: "MD5"}, {Realm: "h-bcdfghjklmnp.invalid", Algorithm: "SHA-256"}},
		},
	}
}

func aSubscription() *record.Call {
	return &record.Call{
		Tenant: "acme", ID: "c~bcdfghjklmnp", Method: "SUBSCRIBE", Origin: "phone", Caller: boss, Called: desk, Outcome: record.Outcome{Class: record.Answered, Code: 200},
		Notify: []record.Notify{
			{Event: "dialog", Entity: desk, State: []string{"terminated", "recipient early", "recipient confirmed"}},
			{Event: "message-summary", Entity: boss, State: []string{"waiting no", "waiting yes"}},
		},
	}
}

func ended(class record.Class, code int) func(*record.Call) {
	return func(c *record.Call) { c.Outcome = record.Outcome{Class: class, Code: code} }
}

func far(f func(l *record.FarLeg)) func(*record.Call) {
	return func(c *record.Call) {
		for i := range c.Far {
			f(&c.Far[i])
		}
	}
}

func who(f func(i *record.Identity)) func(*record.Call) {
	return far(func(l *record.FarLeg) { f(&l.Identity) })
}

func line(f func(m *record.Media)) func(*record.Call) {
	return func(c *record.Call) { f(&c.Answer.Media[0]) }
}

func both(fs ...func(*record.Call)) func(*record.Call) {
	return func(c *record.Call) {
		for _, f := range fs {
			f(c)
		}
	}
}

type ruleCase struct {
	name   string
	base   func() *record.Call
	shadow func(*record.Call)
	live   func(*record.Call) // of both sides, before; nil: nothing
}

func (c *ruleCase) calls() (live, shadow *record.Call) {
	live, shadow = c.base(), c.base()
	if c.live != nil {
		c.live(live)
		c.live(shadow)
	}
	c.shadow(shadow)
	return live, shadow
}

// toNumber sends a call to a number outside.
func toNumber(to record.Address) func(*record.Call) {
	return far(func(l *record.FarLeg) { l.To, l.Party = to, "carrier" })
}

// rings answers a call so soon after it began to ring.
func rings(d time.Duration) func(*record.Call) {
	return func(c *record.Call) { c.Times.Answer, c.Times.Final = c.Times.Ring+d, c.Times.Ring+d }
}

// Each case is what the dark core makes of the same call. The golden file says what a support desk will read.
var ruleCases = []ruleCase{
	{"the same", aCall, func(*record.Call) {}, nil},

	{"busy instead of answered", aCall, ended(record.Busy, 486), nil},
	{"answered calls fail", aCall, ended(record.NetworkFailure, 503), nil},
	{"busy becomes declined", aCall, ended(record.Rejected, 603), ended(record.Busy, 486)},
	{"busy everywhere is busy", aCall, ended(record.Busy, 600), ended(record.Busy, 486)},
	{"no answer by another code", aCall, ended(record.NoAnswer, 408), ended(record.NoAnswer, 480)},
	{"refused by a code that is not equal", aCall, ended(record.Rejected, 603), ended(record.Rejected, 403)},
	{"a password is asked for", aCall, ended(record.Challenged, 407), nil},
	{"legacy has given up, the core goes on", aCall, ended(record.Cancelled, 487), ended(record.NoAnswer, 480)},

	{"nobody's phone rings", aCall, both(ended(record.NotFound, 404), func(c *record.Call) { c.Far = nil }), nil},
	{"a digit of an extension is missing", aCall, far(func(l *record.FarLeg) { l.To = shorter }), nil},
	{"another extension", aCall, far(func(l *record.FarLeg) { l.To = desk }), nil},
	{"a digit of a number is missing", aCall, toNumber("+4930x7~hjklmnpqrstb"), toNumber("+4930x8~ghjklmnpqrst")},
	{"a digit of a number is missing, and with it one of the area", aCall, toNumber("+493x6~hjklmnpqrstb"), toNumber("+4930x6~ghjklmnpqrst")},
	{"digits of a number are missing", aCall, toNumber("+4930x5~hjklmnpqrstb"), toNumber("+4930x8~ghjklmnpqrst")},
	{"a number has digits too many", aCall, toNumber("+4930x9~hjklmnpqrstb"), toNumber("+4930x8~ghjklmnpqrst")},
	{"a shorter number of another area", aCall, toNumber("+4989x7~hjklmnpqrstb"), toNumber("+4930x8~ghjklmnpqrst")},
	{"another number of the same length", aCall, toNumber("+4930x8~hjklmnpqrstb"), toNumber("+4930x8~ghjklmnpqrst")},
	{"a number that does not tell its length", aCall, toNumber("+4930x7~hjklmnpqrstb"), toNumber("+4930~ghjklmnpqrst")},
	{"another number", aCall, far(func(l *record.FarLeg) { l.To, l.Party = stranger, "carrier" }), far(func(l *record.FarLeg) { l.To, l.Party = outsider, "carrier" })},
	{"the number is not translated", aCall, far(func(l *record.FarLeg) { l.To, l.Party = boss, "carrier" }), far(func(l *record.FarLeg) { l.To, l.Party = outsider, "carrier" })},
	{"one more leg, to a carrier", aCall, func(c *record.Call) {
		l := c.Far[0]
		l.To, l.Party = outsider, "carrier"
		c.Far = append(c.Far, l)
	}, nil},
	{"a phone of a group does not ring", aHunt, func(c *record.Call) { c.Far = slices.Delete(c.Far, 1, 2) }, nil},
	{"a group rings in another order", aHunt, func(c *record.Call) { c.Far[0].To, c.Far[1].To = c.Far[1].To, c.Far[0].To }, nil},
	{"phones ring together in another order", aHunt, func(c *record.Call) { slices.Reverse(c.Far) }, far(func(l *record.FarLeg) { l.Delay = time.Millisecond })},
	{"within a second", aHunt, func(c *record.Call) { c.Far[1].Delay += time.Second; c.Far[2].Delay -= time.Second }, nil},
	{"all legs later alike", aHunt, far(func(l *record.FarLeg) { l.Delay += 3 * time.Second }), nil},
	{"voicemail a ring too late", aHunt, func(c *record.Call) { c.Far[3].Delay += 5 * time.Second }, nil},
	{"a leg in the last second", aHunt, func(c *record.Call) { c.Far = c.Far[:3] }, func(c *record.Call) { c.Times.Final = c.Far[3].Delay + 500*time.Millisecond }},

	{"anonymous on forwarded calls", aCall, who(func(i *record.Identity) { i.From = "anonymous" }), nil},
	{"the forwarder's number on forwarded calls", aCall, who(func(i *record.Identity) { i.From = mainLine }), nil},
	{"no asserted identity", aCall, who(func(i *record.Identity) { i.PAI = nil }), nil},
	{"the caller that the edge vouched for is passed on", aHunt, who(func(i *record.Identity) { i.PAI = []record.Address{i.From} }),
		who(func(i *record.Identity) { i.PAI = nil })},
	{"another number is asserted than legacy shows", aHunt, who(func(i *record.Identity) { i.PAI = []record.Address{stranger} }),
		who(func(i *record.Identity) { i.PAI = nil })},
	{"the number of a hidden caller is asserted", aHunt, who(func(i *record.Identity) { i.PAI = []record.Address{outsider} }),
		who(func(i *record.Identity) { i.From, i.PAI = "anonymous", nil })},
	{"no caller on plain calls", aHunt, who(func(i *record.Identity) { i.From, i.PAI, i.RPID = "", nil, nil }), nil},
	{"another caller", aHunt, who(func(i *record.Identity) { i.From, i.PAI = stranger, []record.Address{stranger} }), nil},
	{"a hidden caller is shown", aHunt, who(func(i *record.Identity) { i.From = outsider }), who(func(i *record.Identity) { i.From = "anonymous" })},
	{"privacy is lost", aCall, who(func(i *record.Identity) { i.Privacy = nil }), nil},
	{"diversion is lost", aCall, who(func(i *record.Identity) { i.Diversion, i.History = nil, nil }), nil},
	{"diversion for another reason", aCall, who(func(i *record.Identity) {
		i.Diversion = []record.Diverted{{Address: mainLine, Reason: "unconditional"}}
	}), nil},
	{"no name", aCall, who(func(i *record.Identity) { i.Named = false }), nil},
	{"who answered is not told", aCall, func(c *record.Call) { c.Connected = record.Identity{} }, nil},

	{"no answer in the answer", aCall, func(c *record.Call) { c.Answer = nil }, nil},
	{"an answer nobody can read", aCall, func(c *record.Call) { c.Answer = &record.SDP{Unreadable: "no version"} }, nil},
	{"audio is refused", aCall, line(func(m *record.Media) { m.Refused = true }), nil},
	{"video is lost", aCall, func(c *record.Call) { c.Answer.Media[1].Refused = true }, func(c *record.Call) {
		c.Answer.Media = append(c.Answer.Media, record.Media{Type: "video", Profile: "RTP/AVP", Codecs: []string{"h264/90000"}, Direction: "sendrecv"})
	}},
	{"fax is lost", aCall, func(c *record.Call) { c.Answer = audio() }, func(c *record.Call) {
		c.Answer.Media = append(c.Answer.Media, record.Media{Type: "image", Profile: "udptl", Codecs: []string{"t38"}})
	}},
	{"one way", aCall, line(func(m *record.Media) { m.Direction = "sendonly" }), nil},
	{"no way", aCall, line(func(m *record.Media) { m.Direction = "inactive" }), nil},
	{"no longer encrypted", aCall, line(func(m *record.Media) { m.Profile, m.Crypto = "RTP/AVP", nil }), line(func(m *record.Media) { m.Profile, m.Crypto = "RTP/SAVP", []string{"aes_cm_128_hmac_sha1_80"} })},
	{"no wideband", aCall, line(func(m *record.Media) { m.Codecs = m.Codecs[1:] }), nil},
	{"no common codec", aCall, line(func(m *record.Media) { m.Codecs = []string{"g729/8000"} }), nil},
	{"codecs in another order", aCall, line(func(m *record.Media) { slices.Reverse(m.Codecs) }), nil},
	{"no key presses", aCall, line(func(m *record.Media) { m.DTMF = false }), nil},
	{"longer packets", aCall, line(func(m *record.Media) { m.Ptime = 40 }), nil},
	{"packet time not said is 20 ms", aCall, line(func(m *record.Media) { m.Ptime = 0 }), nil},
	{"fewer codecs to the called phone", aCall, far(func(l *record.FarLeg) { l.Offer.Media[0].Codecs = []string{"pcma/8000"} }), nil},

	{"no early media", aCall, func(c *record.Call) { c.Early.Media = nil }, nil},
	{"early media in another codec", aCall, func(c *record.Call) { c.Early.Media.Media[0].Codecs = []string{"pcmu/8000"} }, nil},
	{"no ringing at all", aCall, func(c *record.Call) { c.Early = record.Early{} }, nil},
	{"no ringing before an answer that follows in a moment", aCall, both(rings(0), func(c *record.Call) { c.Early = record.Early{} }), rings(80 * time.Millisecond)},
	{"ringing, and legacy has none, before an answer that follows in a moment", aCall, rings(80 * time.Millisecond), both(rings(0), func(c *record.Call) { c.Early = record.Early{} })},
	{"no ringing for a fifth of a second", aCall, both(rings(0), func(c *record.Call) { c.Early = record.Early{} }), rings(200 * time.Millisecond)},
	{"a leg of the last second that nothing on the other side explains", aCall, both(ended(record.Cancelled, 487), func(c *record.Call) { c.Far, c.Unexpected = nil, map[string]int{"OPTIONS": 1} }),
		both(ended(record.Cancelled, 487), func(c *record.Call) {
			c.Times.Ring, c.Times.Final, c.Far[0].Unexpected, c.Far[0].Delay = 0, 50*time.Millisecond, true, 20*time.Millisecond
			c.Early, c.Unexpected = record.Early{}, map[string]int{"OPTIONS": 1, "INVITE": 1}
		})},
	{"no early media where the caller gave up at once", aCall, both(ended(record.Cancelled, 487), func(c *record.Call) { c.Early = record.Early{} }),
		both(ended(record.Cancelled, 487), func(c *record.Call) { c.Times.Final = 200 * time.Millisecond })},
	{"no 100rel", aCall, func(c *record.Call) { c.Rel100 = false }, nil},
	{"no session timer", aCall, func(c *record.Call) { c.Timer = record.SessionTimer{} }, nil},
	{"a session timer within 10 %", aCall, func(c *record.Call) { c.Timer.Expires = 1700 }, nil},
	{"another refresher", aCall, func(c *record.Call) { c.Timer.Refresher = "uac" }, nil},
	{"more required", aCall, func(c *record.Call) { c.Require = []string{"precondition", "timer"} }, nil},
	{"less supported at the called phone", aCall, far(func(l *record.FarLeg) { l.Supported = []string{"timer"} }), nil},
	{"no intercom", aCall, far(func(l *record.FarLeg) { l.Alert = nil }), far(func(l *record.FarLeg) {
		l.Alert = []record.Alert{{Header: "Alert-Info", Params: []string{"info=alert-autoanswer"}}}
	})},
	{"called phones must do more, and refresh less", aCall, far(func(l *record.FarLeg) {
		l.Require, l.Timer.Expires = []string{"100rel", "precondition"}, 7200
	}), nil},
	{"the caller's phone is not told", aCall, func(c *record.Call) { c.Alert = nil }, nil},
	{"another ring", aCall, far(func(l *record.FarLeg) { l.Alert = []record.Alert{{Header: "Alert-Info", Ring: "bellcore-dr3"}} }), nil},

	{"registration is refused", aRegister, both(ended(record.Rejected, 403), func(c *record.Call) { c.Register.Code = 403 }), nil},
	{"registered for 9 % less", aRegister, func(c *record.Call) { c.Register.Expires = 3300 }, nil},
	{"registered for less", aRegister, func(c *record.Call) { c.Register.Expires = 600 }, nil},
	{"a contact is missing", aRegister, func(c *record.Call) { c.Register.Contacts = c.Register.Contacts[:1] }, nil},
	{"no service route", aRegister, func(c *record.Call) { c.Register.ServiceRoute = nil }, nil},
	{"another realm", aRegister, func(c *record.Call) {
		for i := range c.Register.Challenges {
			c.Register.Challenges[i].Realm = "h-cdfghjklmnpq.invalid"
		}
	}, nil},
	{"another realm under trust", aRegister, func(c *record.Call) {
		c.Register.Challenges, c.Notes = []record.Challenge{{Realm: "h-cdfghjklmnpq.invalid", Algorithm: "MD5"}}, []string{record.NoteStripped}
	}, nil},
	{"MD5 is gone", aRegister, func(c *record.Call) { c.Register.Challenges = c.Register.Challenges[1:] }, nil},

	{"a lamp shows another state", aSubscription, func(c *record.Call) { c.Notify[0].State = c.Notify[0].State[:2] }, nil},
	{"a lamp skips a state", aSubscription, func(c *record.Call) { c.Notify[0].State = slices.Delete(c.Notify[0].State, 1, 2) }, nil},
	{"no message lamp", aSubscription, func(c *record.Call) { c.Notify = c.Notify[:1] }, nil},

	{"an unexpected BYE", aCall, func(c *record.Call) { c.Unexpected = map[string]int{"OPTIONS": 1, "BYE": 1} }, nil},
	{"unexpected INFOs", aCall, func(c *record.Call) { c.Unexpected = map[string]int{"OPTIONS": 1, "INFO": 3} }, nil},
	{"no reason", aCall, func(c *record.Call) { c.Reason = nil }, nil},
	{"another warning", aCall, func(c *record.Call) { c.Warning = []int{305} }, nil},
	{"no Retry-After", aCall, func(c *record.Call) { c.RetryAfter = nil }, nil},
}

func TestRules(t *testing.T) {
	var out strings.Builder
	for _, c := range ruleCases {
		live, shadow := c.calls()
		fmt.Fprintf(&out, "-- %s --\n", c.name)
		for _, d := range Compare(live, shadow, Rules) {
			fmt.Fprintf(&out, "%-8s %-22s %-8s %q -> %q: %s\n", d.Severity, d.Field, d.Kind, d.From, d.To, d.Words)
		}
		for i, ab := range [][2]*record.Call{{live, live}, {shadow, shadow}} {
			if ds := Compare(ab[0], ab[1], Rules); len(ds) > 0 {
				t.Errorf("%s: side %d differs from itself: %+v", c.name, i, ds)
			}
		}
		mirrored(t, c.name, live, shadow)
	}
	golden(t, "rules.txt", out.String())
}

// mirrored: what legacy has and the core has not is missing; swapped it is added, in the same field.
func mirrored(t *testing.T, name string, a, b *record.Call) {
	t.Helper()
	if noted(a, record.NoteStripped) != noted(b, record.NoteStripped) {
		return // trust is the core's alone
	}
	swap := map[string]string{Lost: Added, Added: Lost, Later: Earlier, Earlier: Later}
	of := func(a, b *record.Call, back bool) []string {
		var all []string
		for _, d := range Compare(a, b, Rules) {
			kind := d.Kind
			if k := swap[kind]; back && k != "" {
				kind = k
			}
			switch {
			case d.Field == "far.delay": // counted from legacy's first leg
			case d.Field == "identity.pai" && swap[d.Kind] != "": // the edge vouches to the core alone
			default:
				all = append(all, d.Field+" "+kind)
			}
		}
		slices.Sort(all)
		return slices.Compact(all)
	}
	if there, back := of(a, b, false), of(b, a, true); !slices.Equal(there, back) {
		t.Errorf("%s: there %q, back %q", name, there, back)
	}
}

func TestEveryRuleHasANameAndIsMet(t *testing.T) {
	names := make(map[string]bool)
	for _, r := range Rules {
		if r.Name == "" || r.Field == "" || r.Severity < Minor || r.Words == "" || names[r.Name] {
			t.Errorf("rule %+v: name, field, severity and words, and no name twice", r)
		}
		names[r.Name] = true
	}
	text, err := os.ReadFile(filepath.Join("testdata", "rules.txt"))
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range Rules {
		// Where the description of media is compared by the same functions twice, one of them is enough.
		if field, ok := strings.CutPrefix(r.Field, "far."); ok && strings.HasPrefix(field, "sdp.") {
			continue
		}
		if !strings.Contains(string(text), " "+r.Field) {
			t.Errorf("no case shows what rule %q finds in %s", r.Name, r.Field)
		}
	}
}
