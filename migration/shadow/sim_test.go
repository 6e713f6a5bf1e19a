package shadow

import (
	"container/heap"
	"fmt"
	"math"
	"math/rand/v2"
	"net/netip"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/hotcut/hotcut/migration/shadow/compare"
	"github.com/hotcut/hotcut/migration/shadow/record"
	"github.com/hotcut/hotcut/policy"
	"github.com/hotcut/hotcut/proxy/tap"
	"github.com/hotcut/hotcut/proxy/wire"
)

// world is a mirror's machine in virtual time: a live side that the test writes, and a dark core that it programs.
type world struct {
	t      testing.TB
	m      *machine
	core   *core
	now    int64
	agenda agenda
	order  int
	rnd    *rand.Rand

	delay  func() time.Duration // of a datagram, each way
	lost   func() bool
	sent   [][]byte // everything that the machine sent
	judged []judged
	alarms []string
	phones []tap.Binding
	snap   *policy.Snapshot
}

type judged struct{ live, shadow *record.Exchange }

type entry struct {
	at    int64
	order int
	do    func()
}

type agenda []entry

func (a agenda) Len() int { return len(a) }
func (a agenda) Less(i, j int) bool {
	return a[i].at < a[j].at || a[i].at == a[j].at && a[i].order < a[j].order
}
func (a agenda) Swap(i, j int) { a[i], a[j] = a[j], a[i] }
func (a *agenda) Push(x any)   { *a = append(*a, x.(entry)) }
func (a *agenda) Pop() any {
	n := len(*a)
	x := (*a)[n-1]
	*a = (*a)[:n-1]
	return x
}

var (
	darkAddr = netip.MustParseAddrPort("198.51.100.9:5060")
	sinkAddr = netip.MustParseAddrPort("198.51.100.1:5099")
	begin    = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC).UnixNano()
)

func snapshotOf(t testing.TB, stage policy.Stage, mirror int) *policy.Snapshot {
	t.Helper()
	tenant := &policy.Tenant{ID: "acme", Domains: []string{"acme.example"}, Numbers: []string{"+1303555"}, Country: "1", Stage: stage, Mirror: mirror,
		Salt: strings.Repeat("0", 32), HashVer: 1}
	s, err := policy.NewSnapshot(policy.Head{Epoch: "e", Rev: 7}, policy.Globals{}, []*policy.Tenant{tenant})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func newWorld(t testing.TB, change ...func(*Options)) *world {
	w := &world{t: t, now: begin, rnd: rand.New(rand.NewPCG(1, 2)), snap: snapshotOf(t, policy.StageShadow, policy.FullShare),
		delay: func() time.Duration { return 5 * time.Millisecond }, lost: func() bool { return false }}
	o := Options{Edge: "edge1", Boot: "b", Sockets: []netip.AddrPort{sinkAddr}, Dark: []Dark{{Name: "dark", Addr: darkAddr, Build: "core-1"}},
		Policy: func() *policy.Snapshot { return w.snap }, Bindings: func(string) []tap.Binding { return w.phones }, Secret: []byte("0123456789abcdef"),
		Judge: func(live, shadow *record.Exchange) (*compare.Verdict, *record.Exchange, *record.Exchange) {
			return &compare.Verdict{}, live, shadow
		},
		Verdict: func(_ *compare.Verdict, live, shadow *record.Exchange) {
			w.judged = append(w.judged, judged{live, shadow})
		},
		Alarm: func(what string, err error) { w.alarms = append(w.alarms, what+": "+err.Error()) }}
	for _, f := range change {
		f(&o)
	}
	o.defaults()
	if err := o.check(); err != nil {
		t.Fatal(err)
	}
	w.m = newMachine(&o, []netip.AddrPort{sinkAddr})
	w.core = &core{w: w, dialogs: map[string]string{}, legs: map[string]*coreLeg{}, requests: map[string]int{}}
	w.canaries(false)
	w.m.start(w.now)
	w.flush()
	return w
}

// canaries says whether the canary calls.
func (w *world) canaries(on bool) {
	for _, d := range w.m.darks {
		if d.canary.next = math.MaxInt64; on {
			d.canary.next = w.now
		}
	}
}

func (w *world) at(d time.Duration, f func()) {
	w.order++
	heap.Push(&w.agenda, entry{w.now + int64(d), w.order, f})
}

// run lets d pass.
func (w *world) run(d time.Duration) {
	end := w.now + int64(d)
	for {
		next := end
		if len(w.agenda) > 0 {
			next = min(next, w.agenda[0].at)
		}
		if n := w.m.next(); n != 0 {
			next = min(next, max(n, w.now))
		}
		w.now = next
		w.m.advance(w.now)
		w.flush()
		if next >= end && (len(w.agenda) == 0 || w.agenda[0].at > end) {
			return
		}
		for len(w.agenda) > 0 && w.agenda[0].at <= w.now {
			heap.Pop(&w.agenda).(entry).do()
			w.flush()
		}
	}
}

// flush carries what the machine sent to the dark core.
func (w *world) flush() {
	out := w.m.out
	w.m.out = nil
	for _, d := range out {
		if d.to.Addr() != darkAddr.Addr() {
			w.t.Fatalf("sent to %s, which is no dark core:\n%s", d.to, d.raw)
		}
		raw := append([]byte(nil), d.raw...)
		w.sent = append(w.sent, raw)
		if !w.lost() {
			w.at(w.delay(), func() { w.core.take(raw) })
		}
	}
}

// toMirror carries a datagram of the dark core.
func (w *world) toMirror(raw []byte) {
	if !w.lost() {
		w.at(w.delay(), func() { w.m.received(w.now, darkAddr, raw) })
	}
}

// rest lets everything time out, and checks that nothing is left.
func (w *world) rest() {
	w.t.Helper()
	w.canaries(false)
	w.run(4 * time.Minute)
	left := func(what string, n int) {
		if n != 0 {
			w.t.Errorf("%d %s are left", n, what)
		}
	}
	left("calls", len(w.m.calls))
	left("dialogs", len(w.m.dialogs))
	left("twins", len(w.m.twins))
	left("live far legs", len(w.m.lives))
	left("server transactions", len(w.m.servers))
	left("bytes", int(w.m.bytes))
	left("dialogs at the dark core", len(w.core.dialogs))
	if w.t.Failed() {
		for k, c := range w.m.calls {
			w.t.Logf("call %q live over %v final %d agent over %v final %d judged %v", k, c.live.over, c.live.final, c.agent.over, c.agent.final, c.judged)
		}
		for k := range w.core.dialogs {
			w.t.Logf("dark dialog %q", k)
		}
	}
}

// talk is a live call as the edge taps it.
type talk struct {
	w                *world
	callID, from, to string // tags
	caller, called   string // users
	far              bool
	seq              int
	host             string
	sdp              string
	party            string
	tapped           func(ev tap.Event, raw string) // instead of the world's machine
}

const liveSDP = "v=0\r\no=- 1 1 IN IP4 203.0.113.77\r\ns=-\r\nc=IN IP4 203.0.113.77\r\nt=0 0\r\nm=audio 41234 RTP/AVP 8 0 101\r\n" +
	"a=rtpmap:8 PCMA/8000\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:101 telephone-event/8000\r\na=candidate:1 1 UDP 1 10.77.0.5 41234 typ host\r\na=ptime:20\r\na=sendrecv\r\n"

func (w *world) talk(id, caller, called string) *talk {
	return &talk{w: w, callID: id + "@203.0.113.77", from: "lf" + id, to: "lt" + id, caller: caller, called: called, seq: 10, host: "203.0.113.77:41999", sdp: liveSDP, party: "phone"}
}

// farLeg is the leg that the live platform sends out for a call.
func (k *talk) farLeg(called string) *talk {
	return &talk{w: k.w, callID: "far-" + k.callID + called, from: "ff" + k.from, to: "ft" + k.to + called, caller: k.caller, called: called, far: true, seq: 1, host: "192.168.7.7:5070",
		sdp: strings.ReplaceAll(liveSDP, "203.0.113.77", "192.168.7.7"), party: "phone"}
}

func (k *talk) put(kind tap.Kind, up bool, raw string) {
	leg := tap.Near
	if k.far {
		leg = tap.Far
	}
	ev := tap.Event{At: k.w.now, Kind: kind, Leg: leg, Upstream: up, Tenant: "acme", Platform: tap.Legacy, Rev: 7, Party: tap.PartyOf(k.party)}
	if k.tapped != nil {
		k.tapped(ev, raw)
		return
	}
	k.w.m.tapped(k.w.now, &ev, []byte(raw))
	k.w.flush()
}

func (k *talk) request(method string, up, inDialog bool, extra, body string) {
	from, to := k.from, k.to
	caller, called := k.caller, k.called
	if up {
		from, to, caller, called = to, from, called, caller
	}
	toTag := ""
	if inDialog {
		toTag = ";tag=" + to
	}
	uri := "sip:" + called + "@acme.example"
	if k.far {
		uri = "sip:" + called + "@" + k.host
	}
	kind := ""
	if body != "" && !strings.Contains(extra, "Content-Type") {
		kind = "Content-Type: application/sdp\r\n"
	}
	raw := method + " " + uri + " SIP/2.0\r\nVia: SIP/2.0/UDP " + k.host + ";branch=z9hG4bK" + k.callID + strconv.Itoa(k.seq) + method + "\r\nMax-Forwards: 70\r\nRecord-Route: <sip:token@203.0.113.200;lr>\r\n" +
		"From: \"Alice\" <sip:" + caller + "@acme.example>;tag=" + from + "\r\nTo: <sip:" + called + "@acme.example>" + toTag + "\r\nCall-ID: " + k.callID +
		"\r\nCSeq: " + strconv.Itoa(k.seq) + " " + method + "\r\nContact: <sip:" + caller + "@" + k.host + ">\r\n" + extra + kind + "Content-Length: " + strconv.Itoa(len(body)) + "\r\n\r\n" + body
	k.put(tap.Request, up, raw)
}

func (k *talk) invite(extra ...string) {
	k.request("INVITE", false, false, "Supported: 100rel, timer\r\n"+strings.Join(extra, ""), k.sdp)
}

func (k *talk) response(code int, method string, extra, body string) {
	tag := ";tag=" + k.to
	if code == 100 {
		tag = ""
	}
	kind := ""
	if body != "" {
		kind = "Content-Type: application/sdp\r\n"
	}
	raw := "SIP/2.0 " + strconv.Itoa(code) + " X\r\nVia: SIP/2.0/UDP " + k.host + ";branch=z9hG4bK" + k.callID + strconv.Itoa(k.seq) + method + "\r\nFrom: \"Alice\" <sip:" + k.caller + "@acme.example>;tag=" + k.from +
		"\r\nTo: <sip:" + k.called + "@acme.example>" + tag + "\r\nCall-ID: " + k.callID + "\r\nCSeq: " + strconv.Itoa(k.seq) + " " + method + "\r\nContact: <sip:" + k.called + "@10.9.9.9:5066>\r\n" + extra + kind +
		"Content-Length: " + strconv.Itoa(len(body)) + "\r\n\r\n" + body
	k.put(tap.Response, true, raw)
}

func (k *talk) ring()       { k.response(180, "INVITE", "", "") }
func (k *talk) answer()     { k.response(200, "INVITE", "", k.sdp) }
func (k *talk) fail(n int)  { k.response(n, "INVITE", "", "") }
func (k *talk) ack()        { k.request("ACK", false, true, "", "") }
func (k *talk) cancel()     { k.request("CANCEL", false, false, "", "") }
func (k *talk) bye(up bool) { k.seq++; k.request("BYE", up, true, "", "") }

// core is the dark core: a back-to-back user agent as the test wants it.
type core struct {
	w        *world
	plan     func(r *wire.Message) plan // of a new call
	dialogs  map[string]string          // alive, by Call-ID and our tag
	legs     map[string]*coreLeg        // by Call-ID
	requests map[string]int             // by method
	count    int
	register func(r *wire.Message) (code int, extra string)
	seen     [][]byte
}

// plan is what the core does with a call.
type plan struct {
	trying, ring, final time.Duration // after the INVITE; 0: never
	code                int           // of the final
	far                 []string      // Request-URIs: a leg each, at once; its answer is the call's
	forks               int           // 2xx of other branches besides
	hangup              time.Duration // after the answer; 0: never
	deaf                bool          // CANCEL is not answered
	crossing            bool          // CANCEL is answered, and the INVITE with a 200 at once
	reliable            bool          // the 180 wants a PRACK
	extra               string        // header lines of its final response
}

type coreLeg struct {
	c          *core
	plan       plan
	invite     []byte
	tag        string
	callID     string
	near       *coreLeg // of a far leg
	fars       []*coreLeg
	final      int
	theirTag   string
	target     string
	seq        int
	branch     string
	ours       bool // we are its caller
	provisions bool
	cancelled  bool
}

func (c *core) key(callID, tag string) string { return callID + "|" + tag }

func (c *core) take(raw []byte) {
	var r wire.Message
	if f := r.Scan(raw, nil); f != wire.FaultNone {
		c.w.t.Fatalf("the mirror sent what is no SIP (%s):\n%s", f, raw)
	}
	if f := r.Check(); f != wire.FaultNone {
		c.w.t.Fatalf("the mirror sent what breaks a rule (%s):\n%s", f, raw)
	}
	c.seen = append(c.seen, raw)
	if !r.Request {
		c.answered(&r)
		return
	}
	method := string(r.Method.Of(r.Raw))
	c.requests[method]++
	callID := string(r.CallID.Of(raw))
	leg := c.legs[callID]
	switch {
	case method == "REGISTER":
		code, extra := 200, "Contact: "+value(&r, wire.HContact)+"\r\n"
		if c.register != nil {
			code, extra = c.register(&r)
		}
		c.reply(raw, code, "reg", extra, "")
	case method == "INVITE" && tagOf(&r, r.To) == "":
		if leg != nil && leg.same(&r) {
			return // repeated: what was said is said again by nobody, since nothing is lost without the test's will
		}
		c.invited(raw, &r, callID)
	case leg == nil && tagOf(&r, r.To) == "":
		c.reply(raw, 200, "short", darkContact, "")
	case leg == nil:
		if method == "SUBSCRIBE" {
			c.reply(raw, 200, "", "", "")
		} else if method != "ACK" {
			c.reply(raw, 481, "none", "", "")
		}
	default:
		leg.asked(raw, &r, method)
	}
}

func (l *coreLeg) same(r *wire.Message) bool {
	var old wire.Message
	return old.Scan(l.invite, nil) == wire.FaultNone && old.CSeq == r.CSeq
}

func (c *core) reply(req []byte, code int, tag, extra, body string) {
	var r wire.Message
	r.Scan(req, nil)
	raw := r.AppendResponse(nil, code, "Dark", []byte(tag), []byte(extra))
	if body != "" {
		raw = withBody(raw, "application/sdp", []byte(body))
	}
	c.w.toMirror(raw)
}

const darkSDP = "v=0\r\no=- 9 9 IN IP4 198.51.100.9\r\ns=-\r\nc=IN IP4 198.51.100.9\r\nt=0 0\r\nm=audio 22000 RTP/AVP 8 101\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:101 telephone-event/8000\r\na=sendrecv\r\n"

const darkContact = "Contact: <sip:core@198.51.100.9:5060>\r\nAllow: INVITE, ACK, BYE, CANCEL, UPDATE, PRACK\r\n"

func (c *core) invited(raw []byte, r *wire.Message, callID string) {
	c.count++
	p := plan{}
	if c.plan != nil {
		p = c.plan(r)
	}
	l := &coreLeg{c: c, plan: p, invite: raw, callID: callID, tag: fmt.Sprintf("dark%d", c.count), theirTag: tagOf(r, r.From), target: firstURI(r, wire.HContact), seq: 100}
	c.legs[callID] = l
	w := c.w
	if p.trying != 0 {
		w.at(p.trying, func() { c.reply(raw, 100, "", "", "") })
	}
	if p.ring != 0 {
		w.at(p.ring, l.ring)
	}
	for _, uri := range p.far {
		l.fars = append(l.fars, c.call(l, uri))
	}
	if p.final != 0 {
		w.at(p.final, func() { l.finish(p.code) })
	}
}

func (l *coreLeg) ring() {
	if l.final == 0 && !l.provisions {
		l.provisions = true
		extra := darkContact
		if l.plan.reliable {
			extra += "Require: 100rel\r\nRSeq: 1\r\n"
		}
		l.c.reply(l.invite, 180, l.tag, extra, "")
	}
}

// finish gives the final response, once.
func (l *coreLeg) finish(code int) {
	if l.final != 0 {
		return
	}
	l.final = code
	w := l.c.w
	if code >= 300 {
		l.c.reply(l.invite, code, l.tag, l.plan.extra, "")
		return
	}
	for i := range l.plan.forks + 1 {
		tag := l.tag
		if i > 0 {
			tag += "-" + strconv.Itoa(i)
		}
		l.c.dialogs[l.c.key(l.callID, tag)] = "answered"
		l.repeat(tag, 500*time.Millisecond, w.now+int64(32*time.Second))
	}
	if l.plan.hangup != 0 {
		w.at(l.plan.hangup, func() { l.hangup(l.tag) })
	}
}

// repeat sends a 200 until its ACK comes, and hangs up if it does not.
func (l *coreLeg) repeat(tag string, every time.Duration, until int64) {
	k := l.c.key(l.callID, tag)
	if l.c.dialogs[k] != "answered" {
		return
	}
	if l.c.w.now >= until {
		delete(l.c.dialogs, k) // RFC 3261 section 13.3.1.4: it is over
		return
	}
	l.c.reply(l.invite, 200, tag, darkContact+l.plan.extra, darkSDP)
	l.c.w.at(every, func() { l.repeat(tag, min(2*every, 4*time.Second), until) })
}

func (l *coreLeg) hangup(tag string) {
	k := l.c.key(l.callID, tag)
	if l.c.dialogs[k] == "" {
		return
	}
	delete(l.c.dialogs, k)
	l.send("BYE", tag)
}

func (l *coreLeg) send(method, tag string) {
	l.seq++
	l.c.count++
	from, to := "<sip:core@acme.example>;tag="+tag, "<sip:x@acme.example>;tag="+l.theirTag
	l.c.w.toMirror([]byte(method + " " + l.target + " SIP/2.0\r\nVia: SIP/2.0/UDP 198.51.100.9;rport;branch=z9hG4bKdark" + strconv.Itoa(l.c.count) + "\r\nMax-Forwards: 70\r\nFrom: " + from +
		"\r\nTo: " + to + "\r\nCall-ID: " + l.callID + "\r\nCSeq: " + strconv.Itoa(l.seq) + " " + method + "\r\nContact: <sip:core@198.51.100.9:5060>\r\nContent-Length: 0\r\n\r\n"))
}

// asked takes a request within a leg, and CANCEL.
func (l *coreLeg) asked(raw []byte, r *wire.Message, method string) {
	c := l.c
	tag := tagOf(r, r.To)
	k := c.key(l.callID, tag)
	switch method {
	case "ACK":
		if c.dialogs[k] == "answered" {
			c.dialogs[k] = "up"
		}
	case "CANCEL":
		if l.plan.deaf {
			return
		}
		c.reply(raw, 200, l.tag, "", "")
		for _, f := range l.fars {
			f.cancel()
		}
		if l.plan.crossing {
			l.finish(200)
		}
		l.finish(487)
	case "BYE":
		if c.dialogs[k] == "" {
			c.reply(raw, 481, tag, "", "")
			return
		}
		delete(c.dialogs, k)
		c.reply(raw, 200, tag, "", "")
		for _, f := range l.fars {
			f.end()
		}
		if l.near != nil {
			l.near.hangup(l.near.tag)
		}
	case "INVITE", "UPDATE":
		c.reply(raw, 200, tag, darkContact+l.plan.extra, darkSDP)
	default:
		c.reply(raw, 200, tag, "", "")
	}
}

// call sends a far leg out.
func (c *core) call(near *coreLeg, uri string) *coreLeg {
	c.count++
	l := &coreLeg{c: c, near: near, ours: true, callID: fmt.Sprintf("darkfar%d", c.count), tag: fmt.Sprintf("darkfar%d", c.count), target: uri, seq: 1, branch: "z9hG4bKdarkfar" + strconv.Itoa(c.count)}
	c.legs[l.callID] = l
	var r wire.Message
	r.Scan(near.invite, nil)
	from := string(r.From.Name.Of(r.Raw)) + " <" + string(r.From.URI.Of(r.Raw))
	to := string(r.To.URI.Of(r.Raw))
	l.invite = []byte("INVITE " + uri + " SIP/2.0\r\nVia: SIP/2.0/UDP 198.51.100.9;rport;branch=" + l.branch + "\r\nMax-Forwards: 70\r\nFrom: " + from + ">;tag=" + l.tag + "\r\nTo: <" + to + ">\r\nCall-ID: " + l.callID +
		"\r\nCSeq: 1 INVITE\r\nContact: <sip:core@198.51.100.9:5060>\r\nSupported: 100rel, timer\r\nContent-Type: application/sdp\r\nContent-Length: " + strconv.Itoa(len(darkSDP)) + "\r\n\r\n" + darkSDP)
	c.w.toMirror(l.invite)
	return l
}

func (l *coreLeg) cancel() {
	if l.final != 0 || l.cancelled {
		return
	}
	l.cancelled = true
	var r wire.Message
	r.Scan(l.invite, nil)
	l.c.w.toMirror(r.AppendHop(nil, "CANCEL", nil, nil))
}

// end hangs a far leg up, or cancels it.
func (l *coreLeg) end() {
	if l.final == 0 {
		l.cancel()
		return
	}
	k := l.c.key(l.callID, l.tag)
	if l.c.dialogs[k] != "" {
		delete(l.c.dialogs, k)
		l.send("BYE", l.tag)
	}
}

// answered takes a response of the sink.
func (c *core) answered(r *wire.Message) {
	l := c.legs[string(r.CallID.Of(r.Raw))]
	if l == nil || !l.ours || !r.CSeqIs("INVITE") {
		return
	}
	switch {
	case r.Status == 100:
	case r.Status < 200:
		l.near.ring()
		if seq, ok := number(value(r, wire.HRSeq)); ok && l.final == 0 {
			l.theirTag = tagOf(r, r.To)
			l.seq++
			c.count++
			c.w.toMirror([]byte("PRACK " + firstURI(r, wire.HContact) + " SIP/2.0\r\nVia: SIP/2.0/UDP 198.51.100.9;rport;branch=z9hG4bKprack" + strconv.Itoa(c.count) + "\r\nMax-Forwards: 70\r\nFrom: <sip:c@acme.example>;tag=" + l.tag +
				"\r\nTo: <sip:x@acme.example>;tag=" + l.theirTag + "\r\nCall-ID: " + l.callID + "\r\nCSeq: " + strconv.Itoa(l.seq) + " PRACK\r\nRAck: " + strconv.Itoa(seq) + " 1 INVITE\r\nContent-Length: 0\r\n\r\n"))
		}
	case r.Status < 300:
		l.theirTag, l.target = tagOf(r, r.To), firstURI(r, wire.HContact)
		ack := []byte("ACK " + l.target + " SIP/2.0\r\nVia: SIP/2.0/UDP 198.51.100.9;rport;branch=z9hG4bKack" + l.branch + "\r\nMax-Forwards: 70\r\nFrom: <sip:c@acme.example>;tag=" + l.tag +
			"\r\nTo: <sip:x@acme.example>;tag=" + l.theirTag + "\r\nCall-ID: " + l.callID + "\r\nCSeq: 1 ACK\r\nContent-Length: 0\r\n\r\n")
		c.w.toMirror(ack)
		if l.final != 0 {
			return
		}
		l.final = 200
		c.dialogs[c.key(l.callID, l.tag)] = "up"
		if l.cancelled || l.near.final >= 300 { // it crossed the CANCEL
			l.end()
			return
		}
		l.near.finish(200)
	default:
		var inv wire.Message
		inv.Scan(l.invite, nil)
		c.w.toMirror(inv.AppendHop(nil, "ACK", r.Headers[r.Find(wire.HTo)].Value.Of(r.Raw), nil))
		if l.final == 0 {
			l.final = r.Status
			for _, other := range l.near.fars {
				if other.final == 0 {
					return
				}
			}
			l.near.finish(r.Status)
		}
	}
}
