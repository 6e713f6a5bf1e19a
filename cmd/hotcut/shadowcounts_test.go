package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/hotcut/hotcut/migration/shadow/compare"
	"github.com/hotcut/hotcut/migration/shadow/record"
	"github.com/hotcut/hotcut/migration/shadow/store"
	"github.com/hotcut/hotcut/proxy/lab"
)

// scriptCalls are the calls of tenant acme that the verbs of scripts look at, each so often: what is the same in every run, to the letter.
var scriptCalls = []struct {
	times  int
	recent bool   // it was made just now; else on a day in March
	from   string // as core shows it to the called phone
	codecs string // of core's answer
	stray  bool   // core hangs up
}{
	{times: 40},
	{times: 3, from: "sip:anonymous@anonymous.invalid"},
	{times: 2, codecs: "0 8", recent: true},
	{times: 1, stray: true},
}

// counts writes them into a Redis as an edge would have, and sets DATA to its URL: counts
func counts(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 0 {
		ts.Fatalf("usage: counts")
	}
	r, err := lab.StartRedis()
	ts.Check(err)
	ts.Defer(r.Stop)
	ts.Setenv("DATA", r.URL())
	s, err := store.OpenRedis(r.URL(), store.Options{})
	ts.Check(err)
	defer func() { ts.Check(s.Close()) }()
	redactor := record.NewRedactor([]byte("the key of the scripts' redaction"), "acme", "1")
	tally := compare.New("edge-1", "boot", nil)
	march := time.Date(2026, 3, 5, 12, 0, 0, 0, time.UTC)
	ctx, n := context.Background(), 0
	for _, c := range scriptCalls {
		for range c.times {
			at := march.Add(time.Duration(n) * time.Hour)
			if c.recent {
				at = time.Now()
			}
			id := fmt.Sprintf("call-%d@192.0.2.7", n)
			n++
			live := scriptCall(record.Live, id, at, "sip:+13035550123@acme.example", "8 0", false)
			dark := scriptCall(record.Shadow, id, at, orWord(c.from, "sip:+13035550123@acme.example"), orWord(c.codecs, "8 0"), c.stray)
			v := compare.Judge(record.Of(live, nil, redactor), record.Of(dark, nil, redactor), compare.Rules)
			v.Edge = "edge-1"
			tally.Add(v)
			ts.Check(s.Keep(ctx, &store.Example{Verdict: v, Live: redactor.Exchange(live), Shadow: redactor.Exchange(dark)}))
		}
	}
	tally.Drop("acme", "ring_full", 2)
	b, err := store.Encode(tally, []string{"acme"})
	ts.Check(err)
	ts.Check(s.Write(ctx, b))
}

func orWord(s, def string) string {
	if s == "" {
		return def
	}
	return s
}

// scriptCall is one side of a call from a phone to another, that is taken after 3 s and lasts a minute.
func scriptCall(side record.Side, id string, at time.Time, from, codecs string, stray bool) *record.Exchange {
	message := func(d time.Duration, up bool, start, seq, from, codecs string) record.Message {
		toTag, body := "", ""
		if !strings.HasPrefix(start, "INVITE") {
			toTag = ";tag=2"
		}
		if codecs != "" {
			body = "v=0\r\no=- 1 1 IN IP4 192.0.2.7\r\ns=-\r\nc=IN IP4 192.0.2.7\r\nt=0 0\r\nm=audio 40000 RTP/AVP " + codecs + "\r\n"
		}
		kind := map[bool]string{true: "Content-Type: application/sdp\r\n"}[body != ""]
		return record.Message{At: at.Add(d).UnixNano(), Upstream: up, Raw: fmt.Appendf(nil,
			"%s\r\nVia: SIP/2.0/UDP 192.0.2.7:5060;branch=z9hG4bKx\r\nFrom: <%s>;tag=1\r\nTo: <sip:bob@acme.example>%s\r\nCall-ID: %s\r\nCSeq: %s\r\nContact: <sip:x@192.0.2.7>\r\n%sContent-Length: %d\r\n\r\n%s",
			start, from, toTag, id, seq, kind, len(body), body)}
	}
	leg := func(d time.Duration, from string) []record.Message {
		ended := time.Minute
		if stray {
			ended = 10 * time.Second
		}
		bye := message(d+ended, stray, "BYE sip:x@192.0.2.7 SIP/2.0", "2 BYE", from, "")
		bye.Unexpected = stray
		return []record.Message{
			message(d, false, "INVITE sip:bob@acme.example SIP/2.0", "1 INVITE", from, "8 0"),
			message(d+time.Second, true, "SIP/2.0 180 Ringing", "1 INVITE", from, ""),
			message(d+3*time.Second, true, "SIP/2.0 200 OK", "1 INVITE", from, codecs),
			message(d+3100*time.Millisecond, false, "ACK sip:x@192.0.2.7 SIP/2.0", "1 ACK", from, ""),
			bye,
			message(d+ended+20*time.Millisecond, !stray, "SIP/2.0 200 OK", "2 BYE", from, ""),
		}
	}
	x := &record.Exchange{Side: side, Tenant: "acme", Edge: "edge-1", Rev: 3, CallID: id,
		Near: record.Leg{Party: "phone", Messages: leg(0, "sip:+13035550123@acme.example")},
		Far:  []record.Leg{{Party: "phone", Target: "sip:bob@acme.example", Messages: leg(40*time.Millisecond, from)}}}
	if side == record.Shadow {
		x.Build = "2.4.1"
	}
	if stray {
		x.Far[0].Messages[4].Unexpected = false
	}
	return x
}
