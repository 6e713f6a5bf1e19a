package shadow

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/hotcut/hotcut/proxy/digest"
	"github.com/hotcut/hotcut/proxy/wire"
)

// agent is the caller of the shadow call: it repeats the live caller's first request to the dark core and follows lockstep.go from
// then on.
type agent struct {
	c    *call
	m    *machine
	tape tape

	d       *dialog
	first   *client // of the first request
	parts   parts
	offered bool  // our INVITE had an offer
	early   []int // RSeq seen, by order; see prack

	provisional bool // a 1xx came
	wantCancel  bool
	cancelSent  bool
	final       int
	challenged  bool
	retries     int
	identified  int    // challenges that were answered
	answer      string // the header line of the last of them
	over        bool

	liveAnswer *sdp   // of the live caller's ACK
	liveAcked  bool   // the live ACK was seen
	ackWait    alarm  // an offerless INVITE's 2xx waits for that
	theirOffer *sdp   // in that 2xx
	ackSeq     uint32 // its CSeq

	strays map[string][]byte // ACKs of further 2xx, by To-tag
	queue  []func()          // requests that wait for the dialog
	slow   alarm             // lockstep's grace
	watch  alarm             // of a subscription
}

// parts are what the first request is made of besides what the dialog knows.
type parts struct {
	method  string
	headers string
	kind    string
	body    []byte
}

const subscribed = time.Minute // that a subscription is compared

// begin sends the first request. false: it can not be made.
func (a *agent) begin(r *wire.Message) bool {
	c, t, m := a.c, a.c.t, a.m
	target := t.address(r.RequestURI.Of(r.Raw), true)
	if target == "" {
		return false
	}
	phone := c.live.tape.party == "phone"
	d := &dialog{m: m, t: t, dark: t.dark, tape: &a.tape, mark: m.id.mark(c.id), target: target,
		contact: "sip:" + sinkPrefix + c.id + "@" + t.dark.sink.String(),
		callID:  m.id.token(16, "call-id", c.callID, c.tag), ourTag: m.id.token(8, "tag", c.callID, c.tag),
		local: t.party(r, r.From, phone), remote: t.party(r, r.To, true)}
	if c.kind == "REGISTER" {
		d.local, d.remote, d.seq = t.party(r, r.From, true), t.party(r, r.To, true), r.CSeq-1
	}
	a.d = d
	a.parts.method = c.kind
	a.parts.headers = m.carry(r, t, !phone) + m.asserted(r, t, c.live.tape.party) + m.replacing(t, r)
	if c.kind == "REGISTER" {
		a.parts.headers += m.contacts(t, r)
	}
	if b := description(r); b != nil {
		if offer, ok := readSDP(b); ok {
			a.parts.kind, a.parts.body, a.offered = "application/sdp", d.describe(offer), true
		} else {
			c.note("unreadable description left out")
		}
	} else if r.Body.Len() > 0 {
		var note string
		if a.parts.kind, a.parts.body, note = m.bodyOf(r, t, &t.voice); note != "" {
			c.note(note)
		}
	}
	d.table()
	d.ended = func(bool) { a.end() }
	switch c.kind {
	case "SUBSCRIBE":
		d.notified = a.notified
		m.after(&c.life, subscribed, c.tooLong)
	case "INVITE":
	default:
		m.after(&c.life, 2*silence, c.tooLong)
	}
	return a.send()
}

// send sends the first request, or sends it again with another CSeq.
func (a *agent) send() bool {
	a.d.seq++
	branch := a.m.id.branch()
	raw := a.d.build(a.parts.method, a.d.seq, branch, a.parts.headers, a.parts.kind, a.parts.body)
	c, ok := a.m.request(a.d.dark, a.parts.method, branch, raw, a.on)
	if !ok {
		return false
	}
	a.first = c
	a.tape.add(a.m.now, false, raw)
	return true
}

// on takes the responses to the first request; nil: none came in time.
func (a *agent) on(r *wire.Message) {
	switch {
	case r == nil:
		if a.final == 0 {
			a.end()
		}
	case r.Status < 200:
		a.progress(r)
	case r.Status < 300:
		a.accepted(r)
	default:
		a.failed(r)
	}
}

func (a *agent) progress(r *wire.Message) {
	a.provisional = true
	if a.final != 0 {
		return
	}
	if r.Status == 100 {
		a.tape.add(a.m.now, true, r.Raw)
		a.cancelAfterProvisional()
		return
	}
	a.prack(r)
	a.cancelAfterProvisional()
}

// failed takes a final response that is no 2xx.
func (a *agent) failed(r *wire.Message) {
	if a.final != 0 {
		return
	}
	a.tape.add(a.m.now, true, r.Raw)
	if r.Status == 422 && a.again(r) || (r.Status == 401 || r.Status == 407) && a.identify(r) {
		return
	}
	a.final = r.Status
	a.challenged = r.Status == 401 || r.Status == 407
	a.end()
}

// identify answers a challenge of the dark core where the edge knows how: once, and once more if the nonce is called stale. A carrier has
// no password, whomever its From names.
func (a *agent) identify(r *wire.Message) bool {
	if a.identified > 1 || a.identified == 1 && !isStale(r) || a.cancelSent || a.wantCancel || a.m.o.Answer == nil || a.c.live.tape.party == "carrier" {
		return false
	}
	line := a.m.o.Answer(r, a.parts.method, a.d.target, addressOf(a.d.local))
	if line == "" {
		return false
	}
	a.identified++
	a.parts.headers = strings.TrimSuffix(a.parts.headers, a.answer) + line
	a.answer = line
	a.provisional = false
	return a.send()
}

// isStale: a challenge says that what was answered was right but for the age of its nonce (RFC 7616 section 3.3).
func isStale(r *wire.Message) bool {
	for i := range r.Headers {
		id := r.Headers[i].ID
		if id != wire.HWWWAuthenticate && id != wire.HProxyAuthenticate || r.Headers[i].Value.Len() > maxChallenge {
			continue
		}
		value := r.AppendUnfolded(nil, r.Headers[i].Value)
		var ch digest.Params
		if digest.ParseChallenge(&ch, value) && wire.EqualFold(ch.Stale.In(value), "true") {
			return true
		}
	}
	return false
}

// addressOf is the URI of a name-addr of ours.
func addressOf(nameAddr string) string {
	_, uri, _ := strings.Cut(nameAddr, "<")
	uri, _, _ = strings.Cut(uri, ">")
	return uri
}

// again repeats an INVITE whose session interval was too small (RFC 4028 section 7.4), once.
func (a *agent) again(r *wire.Message) bool {
	secs, ok := number(value(r, wire.HMinSE))
	if a.retries > 0 || !ok || a.c.kind != "INVITE" || a.cancelSent || a.wantCancel {
		return false
	}
	a.retries++
	lines := strings.SplitAfter(strings.TrimSuffix(a.parts.headers, a.answer), "\r\n")
	lines = slices.DeleteFunc(lines, func(l string) bool {
		name, _, _ := strings.Cut(strings.ToLower(l), ":")
		name = strings.TrimSpace(name)
		return name == "session-expires" || name == "x" || name == "min-se"
	})
	n := strconv.Itoa(secs)
	a.parts.headers = strings.Join(lines, "") + "Session-Expires: " + n + "\r\nMin-SE: " + n + "\r\n" + a.answer
	a.provisional = false
	return a.send()
}

// end says that nothing of ours is left at the dark core for this call.
func (a *agent) end() {
	if a.over {
		return
	}
	a.over = true
	for _, w := range []*alarm{&a.slow, &a.ackWait, &a.watch} {
		a.m.stop(w)
	}
	a.queue = nil
	if a.d != nil && !a.d.over {
		a.d.ended = nil
		a.d.close()
	}
	a.c.check()
}

// notified takes a NOTIFY of our subscription.
func (a *agent) notified(r *wire.Message) {
	if state, _, _ := cut(value(r, wire.HSubscriptionState)); state == "terminated" {
		a.end()
	}
}
