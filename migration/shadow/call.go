package shadow

import (
	"slices"
	"time"

	"github.com/hotcut/hotcut/migration/shadow/record"
	"github.com/hotcut/hotcut/policy"
	"github.com/hotcut/hotcut/proxy/tap"
	"github.com/hotcut/hotcut/proxy/wire"
)

// call is one mirrored request from outside: the live call as tapped, and the agent that repeats it to the dark core.
type call struct {
	m    *machine
	t    *tenant
	key  string
	kind string // INVITE, SUBSCRIBE, OPTIONS, REGISTER
	id   string // of X-Hotcut-Shadow

	callID string // live
	tag    string // of the live caller
	rev    uint64
	began  int64

	live  liveLeg    // near
	far   []*liveLeg // what the live platform sent out for it
	twins []*twin    // what the dark core sent out for it
	agent *agent

	notes      []string
	unpaired   string
	incomplete string
	judged     bool // its exchange was handed over: what is left waits for the live call's end

	retry  alarm // a live challenge waits for its answer
	linger alarm
	life   alarm

	lingerAt int64
	mute     alarm // nothing is heard of the live call
}

// How long is waited for what.
const (
	grace       = 4 * time.Second  // the shadow may be that much slower than the live call
	settle      = 5 * time.Second  // after the shadow's end, for the live call to explain it
	silence     = 40 * time.Second // without any response to a live request
	unanswered  = 5 * time.Minute  // without a final one
	retryWithin = 4 * time.Second  // a challenged phone comes back
	newest      = 10 * time.Second // far legs follow near ones
)

// callKey names a live call: what is no dialog is its Call-ID alone, since some phones change their tag when they answer a challenge.
func callKey(kind, callID, tag string) string {
	if kind == "REGISTER" || kind == "OPTIONS" {
		return kind + "\x00" + callID
	}
	return kind + "\x00" + callID + "\x00" + tag
}

// initiatorTag is the tag of a leg's caller in one of its messages: in From of what goes from the caller to the called side and
// in the responses to that.
func initiatorTag(ev *tap.Event, r *wire.Message) string {
	if r.Request != ev.Upstream {
		return tagOf(r, r.From)
	}
	return tagOf(r, r.To)
}

// near takes a message of a live call's leg from outside.
func (m *machine) near(t *tenant, ev *tap.Event, r *wire.Message) {
	method := string(r.CSeqMethod.Of(r.Raw))
	callID, tag := string(r.CallID.Of(r.Raw)), initiatorTag(ev, r)
	if r.Request && !ev.Upstream && r.To.Tag.Empty() && method != "CANCEL" && method != "ACK" {
		switch method {
		case "INVITE", "SUBSCRIBE", "OPTIONS", "REGISTER":
		default:
			m.drop(DropMethod)
			return
		}
		key := callKey(method, callID, tag)
		if c := m.calls[key]; c != nil {
			c.retried(ev, r)
			return
		}
		m.begin(t, ev, r, method, key, callID, tag)
		return
	}
	c := m.calls[callKey(method, callID, tag)]
	if c == nil || c.kind != method {
		if c = m.calls[callKey("INVITE", callID, tag)]; c == nil {
			c = m.calls[callKey("SUBSCRIBE", callID, tag)]
		}
	}
	if c == nil || c.t != t {
		m.drop(DropOrphan)
		return
	}
	c.observe(ev, r, method)
}

// begin mirrors a request.
func (m *machine) begin(t *tenant, ev *tap.Event, r *wire.Message, method, key, callID, tag string) {
	switch {
	case len(m.calls) >= m.o.Calls:
		m.drop(DropCalls)
		return
	case m.bytes+int64(len(r.Raw))*4 > m.o.Memory:
		m.drop(DropMemory)
		return
	}
	c := &call{m: m, t: t, key: key, kind: method, id: m.id.token(8, "call", callID, tag), callID: callID, tag: tag, rev: ev.Rev, began: ev.At}
	c.live = liveLeg{m: m, t: t, c: c, began: ev.At, tape: tape{m: m, party: ev.Party.String()}}
	c.live.names(r)
	m.calls[key] = c
	t.calls[c] = struct{}{}
	m.stats.Mirrored++
	c.live.tape.add(ev.At, false, r.Raw)
	if t.share < policy.FullShare {
		c.note(record.NoteShare)
	}
	if r.Find(wire.HAuthorization) >= 0 || r.Find(wire.HProxyAuthorization) >= 0 {
		c.note(record.NoteStripped)
	}
	c.agent = &agent{c: c, m: m, tape: tape{m: m, party: ev.Party.String()}}
	m.after(&c.life, m.o.Longest, c.tooLong)
	m.after(&c.mute, silence, c.silent)
	if m.recorded != nil {
		c.agent.over = true
		return
	}
	if !c.agent.begin(r) {
		m.drop(DropUnbuilt)
		c.incomplete = "the shadow's request could not be made"
		c.agent.end()
	}
}

func (c *call) note(n string) {
	if !slices.Contains(c.notes, n) && len(c.notes) < 16 {
		c.notes = append(c.notes, n)
	}
}

// retried takes the live request again with a higher CSeq: the answer to a challenge, or a new try after a 422.
func (c *call) retried(ev *tap.Event, r *wire.Message) {
	if c.judged || c.live.over && !c.live.challenged {
		return
	}
	c.m.stop(&c.retry)
	c.live.tape.add(ev.At, false, r.Raw)
	c.live.final, c.live.over, c.live.challenged = 0, false, false
	if r.Find(wire.HAuthorization) >= 0 || r.Find(wire.HProxyAuthorization) >= 0 {
		c.note(record.NoteStripped)
	}
	c.m.after(&c.mute, silence, c.silent)
}

// observe takes what follows the first request of a live call.
func (c *call) observe(ev *tap.Event, r *wire.Message, method string) {
	if !c.judged {
		c.live.tape.add(ev.At, ev.Upstream, r.Raw)
	}
	l := &c.live
	switch {
	case !r.Request && method == c.kind && ev.Upstream && !l.done():
		switch {
		case r.Status < 200:
			c.m.after(&c.mute, unanswered, c.silent)
		case r.Status < 300:
			l.final, l.answered = r.Status, true
			c.m.stop(&c.mute)
			c.liveAnswered(r)
		case r.Status == 401 || r.Status == 407 || r.Status == 422 || r.Status == 423:
			c.liveChallenged(r)
		default:
			c.liveFailed(r.Status)
		}
	case !r.Request:
	case method == "CANCEL":
		c.liveCancelled()
	case method == "ACK":
		c.agent.liveAck(r)
	case method == "BYE":
		c.liveBye(ev.Upstream)
	case ev.Upstream && method == "NOTIFY" && c.kind == "SUBSCRIBE":
		if state, _, _ := cut(value(r, wire.HSubscriptionState)); state == "terminated" {
			c.liveOver()
		}
	case !ev.Upstream && !c.judged:
		c.agent.translate(r, method)
	}
	c.check()
}

// liveOver says that the live call is at its end.
func (c *call) liveOver() {
	if !c.live.over {
		c.live.over, c.live.overAt = true, c.m.now
	}
	c.m.stop(&c.mute)
	c.m.stop(&c.retry)
}

// silent is what becomes of a call of which nothing more is heard: the edge's own answers to its phone are no platform's and are
// not tapped, and a full ring loses messages.
func (c *call) silent() {
	if c.live.final == 0 {
		c.incomplete = "no final response was seen"
	}
	c.liveOver()
	c.agent.giveUp()
	c.check()
}

// tooLong ends the shadow of a call that lasts longer than is compared.
func (c *call) tooLong() {
	c.note("compared for " + c.m.o.Longest.String())
	c.liveOver()
	c.agent.giveUp()
	c.check()
}

// check sees whether there is nothing more to come.
func (c *call) check() {
	switch {
	case c.judged:
		if c.live.over && c.agent.over {
			c.forget()
		}
	case !c.agent.over:
	case c.m.recorded != nil:
		if c.live.over {
			c.lingerFor(grace) // the far legs' ends
		}
	case c.live.over && !c.legsLeft():
		c.finish()
	case c.live.over:
		c.lingerFor(grace)
	case c.live.final != 0 || c.agent.challenged:
		c.lingerFor(settle)
	}
}

// lingerFor finishes the call after d, or when it was to be finished before, if that is sooner.
func (c *call) lingerFor(d time.Duration) {
	if at := c.m.now + int64(d); !c.linger.timer.Armed() || at < c.lingerAt {
		c.lingerAt = at
		c.m.when(&c.linger, at, c.finish)
	}
}

// legsLeft: a far leg of either side has not ended. Legacy may be the slower one: without the end of its leg, that of the dark core's would
// be one that nothing explains.
func (c *call) legsLeft() bool {
	return slices.ContainsFunc(c.twins, func(tw *twin) bool { return !tw.over }) || slices.ContainsFunc(c.far, func(l *liveLeg) bool { return !l.over })
}

// finish hands both sides of the exchange over.
func (c *call) finish() {
	if c.judged {
		return
	}
	m := c.m
	c.judged = true
	m.stop(&c.linger)
	for _, tw := range slices.Clone(c.twins) {
		tw.leave()
	}
	for _, l := range c.far {
		if l.tape.cut != "" {
			c.cut(l.tape.cut)
		}
	}
	for _, tw := range c.twins {
		if tw.tape.cut != "" {
			c.cut(tw.tape.cut)
		}
	}
	for _, t := range []*tape{&c.live.tape, &c.agent.tape} {
		if t.cut != "" {
			c.cut(t.cut)
		}
	}
	if c.agent.challenged && (c.live.wasChallenged || slices.Contains(c.notes, record.NoteStripped)) { // its phone would have answered as it did legacy
		c.note(record.NoteChallenged)
	}
	live, shadow := c.exchanges()
	m.stats.Finished++
	switch {
	case m.recorded != nil:
		m.recorded(live)
	case m.o.Verdict != nil:
		m.o.Verdict(m.o.Judge(live, shadow))
	}
	c.release()
	for _, l := range c.far {
		l.overNow() // what comes of it now is nobody's
	}
	if c.live.over && c.agent.over {
		c.forget()
	}
}

func (c *call) cut(why string) {
	if c.incomplete == "" {
		c.incomplete = why
	}
}

func (c *call) release() {
	c.live.tape.release()
	c.agent.tape.release()
	for _, l := range c.far {
		l.tape.release()
	}
	for _, tw := range c.twins {
		tw.tape.release()
	}
}

// abandon ends the shadow of a call that is not to be compared any more.
func (m *machine) abandon(c *call) {
	if !c.judged {
		c.judged = true
		m.drop(DropOff)
		c.release()
	}
	c.liveOver()
	c.agent.giveUp()
	for _, tw := range slices.Clone(c.twins) {
		tw.leave()
	}
	c.check()
}

// forget takes the call out of every table.
func (c *call) forget() {
	m := c.m
	for _, a := range []*alarm{&c.retry, &c.linger, &c.life, &c.mute} {
		m.stop(a)
	}
	if m.calls[c.key] == c {
		delete(m.calls, c.key)
	}
	delete(c.t.calls, c)
	for _, l := range c.far {
		if l.over {
			m.forgetLive(l)
		}
	}
}
