package shadow

import (
	"bytes"
	"strings"

	"github.com/hotcut/hotcut/proxy/wire"
)

// Lockstep: what the agent does when the live call, or the dark core, does something. Each function is a rule.
//
//	live CANCEL            cancelAfterProvisional, or liveCancelled -> bye where the shadow has its answer
//	live failure           liveFailed: 4 s for the shadow, then as above
//	live 401, 407, 422     liveChallenged: the retry is the same call; without one it is a failure
//	live 2xx               liveAnswered: nothing; the shadow answers when its own callee does
//	live ACK               liveAck: an offerless INVITE's answer
//	live BYE               liveBye: BYE, as soon as the shadow has its answer; CANCEL where it has none 4 s later
//	live re-INVITE ...     translate
//	shadow 1xx             prack, cancelAfterProvisional
//	shadow 2xx             accepted: acknowledge at once, or awaitAnswer; crossing; another branch's: stray
//	shadow failure         failed (agent.go)

// liveCancelled: a CANCEL waits for a 1xx (RFC 3261 section 9.1); where the shadow was answered it is a BYE.
func (c *call) liveCancelled() { c.agent.giveUp() }

// liveFailed: the shadow gets 4 s more to come to its own end.
func (c *call) liveFailed(code int) {
	c.live.final = code
	c.liveOver()
	a := c.agent
	if a.over {
		return
	}
	if a.final != 0 {
		a.giveUp()
		return
	}
	c.m.after(&a.slow, grace, a.giveUp)
}

// liveChallenged: a challenged caller comes back with the same Call-ID, which makes no second shadow; one that does not has failed.
func (c *call) liveChallenged(r *wire.Message) {
	code := r.Status
	c.live.challenged = true
	c.live.wasChallenged = c.live.wasChallenged || code == 401 || code == 407
	c.m.stop(&c.mute)
	c.m.after(&c.retry, retryWithin, func() {
		c.live.challenged = false
		c.liveFailed(code)
		c.check()
	})
}

// liveAnswered: a retry of the live call that was answered owes nothing any more.
func (c *call) liveAnswered(*wire.Message) {
	c.live.challenged = false
	if c.kind != "INVITE" && c.kind != "SUBSCRIBE" {
		c.liveOver()
	}
}

// liveBye: who hangs up, the caller or the live platform. The dark core's callee hangs up too, by its twin: it has 4 s to say so itself.
// A caller that hangs up before the shadow is answered, as after a call of a moment, gives it the 4 s to come to its answer, and its BYE
// (established): else nothing of such calls could be compared.
func (c *call) liveBye(upstream bool) {
	c.liveOver()
	if a := c.agent; !a.over && (upstream || c.kind == "INVITE" && a.final == 0 && !a.wantCancel) {
		c.m.after(&c.agent.slow, grace, c.agent.giveUp)
		return
	}
	c.agent.giveUp()
}

// liveAck: the ACK of the live 2xx has the answer where the INVITE had no offer.
func (a *agent) liveAck(r *wire.Message) {
	if a.liveAcked || a.over {
		return
	}
	a.liveAcked = true
	if b := description(r); b != nil {
		a.liveAnswer, _ = readSDP(b)
	}
	if a.theirOffer != nil {
		a.acknowledgeOffer()
	}
}

// giveUp ends the shadow's side as soon as the standard allows: BYE in a dialog, CANCEL before the answer.
func (a *agent) giveUp() {
	if a.over {
		return
	}
	a.m.stop(&a.slow)
	switch {
	case a.c.kind == "SUBSCRIBE":
		a.unsubscribe()
	case a.c.kind != "INVITE":
		a.end() // its transaction ends by itself, and leaves nothing
	case a.theirOffer != nil:
		a.wantCancel = true
		a.acknowledgeOffer()
	case a.d.confirmed:
		a.d.bye()
	case a.final == 0:
		a.wantCancel = true
		a.cancelAfterProvisional()
	}
}

// cancelAfterProvisional: CANCEL, once, and not before the dark core has said that it has the INVITE.
func (a *agent) cancelAfterProvisional() {
	if !a.wantCancel || a.cancelSent || !a.provisional || a.final != 0 || a.over {
		return
	}
	a.cancelSent = true
	if raw := a.m.cancel(a.first); raw != nil {
		a.tape.add(a.m.now, false, raw)
	}
}

// prack: each reliable provisional response is acknowledged (RFC 3262 section 4), in the early dialog that it came by.
func (a *agent) prack(r *wire.Message) {
	d := a.d
	if tagOf(r, r.To) == "" {
		a.tape.add(a.m.now, true, r.Raw)
		return
	}
	rseq, reliable := number(value(r, wire.HRSeq))
	if !reliable || !lists(r, wire.HRequire, "100rel") {
		a.tape.add(a.m.now, true, r.Raw)
		d.learn(r)
		return
	}
	if last := len(a.early) - 1; last >= 0 && a.early[last] == rseq && d.tag == tagOf(r, r.To) {
		return // repeated: our PRACK repeats itself
	}
	if len(a.early) >= maxReliable {
		a.m.drop(DropTable)
		return
	}
	a.early = append(a.early, rseq)
	a.tape.add(a.m.now, true, r.Raw)
	d.learn(r)
	kind, body := "", []byte(nil)
	if offer, ok := readSDP(description(r)); ok && !a.offered {
		kind, body = "application/sdp", d.describe(answer(offer, nil))
		a.offered = true
		a.c.note("made answer")
	}
	d.send("PRACK", "RAck: "+itoa(rseq)+" "+itoa(int(r.CSeq))+" INVITE\r\n", kind, body, nil)
}

const maxReliable = 64 // reliable provisional responses of one call

// accepted takes a 2xx to the first request: the first one, its repetitions, and those of other branches.
func (a *agent) accepted(r *wire.Message) {
	if a.c.kind != "INVITE" {
		a.settled(r)
		return
	}
	tag := tagOf(r, r.To)
	switch {
	case a.over && a.final == 0: // a BYE was there before any 2xx: each of them is of a dialog that nobody wants
		a.stray(tag, r)
	case a.final == 0:
		a.final = r.Status
		a.tape.add(a.m.now, true, r.Raw)
		a.d.learn(r)
		a.m.stop(&a.slow)
		a.acknowledge(r)
	case tag == a.d.tag && a.d.acks[r.CSeq] != nil:
		a.m.send(a.d.dark, a.d.dark.Addr, a.d.acks[r.CSeq])
	case tag == a.d.tag:
		// its ACK waits for the live one's answer
	default:
		a.stray(tag, r)
	}
}

// acknowledge: at once, unless the 2xx holds the offer; then when the live caller's answer is known.
func (a *agent) acknowledge(r *wire.Message) {
	offer, described := readSDP(description(r))
	if a.offered || !described {
		a.d.ack(r.CSeq, "", nil)
		a.established(r)
		return
	}
	a.theirOffer, a.ackSeq = offer, r.CSeq
	a.d.listen(r, true)
	if a.liveAcked || a.crossed() {
		a.acknowledgeOffer()
		return
	}
	a.m.after(&a.ackWait, grace, a.acknowledgeOffer)
}

// acknowledgeOffer answers the offer of a 2xx: as the live caller did, else with all that is offered, which is noted.
func (a *agent) acknowledgeOffer() {
	a.m.stop(&a.ackWait)
	offer := a.theirOffer
	a.theirOffer = nil
	if a.liveAnswer == nil {
		a.c.note("made answer")
	}
	a.d.ack(a.ackSeq, "application/sdp", a.d.describe(answer(offer, a.liveAnswer)))
	a.established(nil)
}

// established: the shadow is answered and acknowledged. What waited for it goes now; where the live call has ended, or our CANCEL has crossed
// the 2xx, that is a BYE.
func (a *agent) established(r *wire.Message) {
	a.d.confirmed = true
	if r != nil {
		a.d.listen(r, true)
	}
	if a.crossed() {
		a.d.bye()
		return
	}
	queue := a.queue
	a.queue = nil
	for _, f := range queue {
		f()
	}
}

// crossed: the 2xx met the end of the call.
func (a *agent) crossed() bool { return a.wantCancel || a.c.live.over || a.m.stopped != "" }

// stray: a 2xx of another branch of the dark core's forking is acknowledged and hung up (RFC 3261 section 13.2.2.4).
func (a *agent) stray(tag string, r *wire.Message) {
	if raw := a.strays[tag]; raw != nil {
		a.m.send(a.d.dark, a.d.dark.Addr, raw)
		return
	}
	if len(a.strays) >= maxStrays {
		a.m.drop(DropTable)
		return
	}
	a.tape.add(a.m.now, true, r.Raw)
	if a.strays == nil {
		a.strays = map[string][]byte{}
	}
	a.strays[tag] = a.d.hangUpBranch(r)
}

const maxStrays = 16 // branches of one call that answered besides the first

// translate repeats a request of the live caller within its dialog.
func (a *agent) translate(r *wire.Message, method string) {
	switch method {
	case "INVITE", "UPDATE", "INFO", "REFER", "SUBSCRIBE", "NOTIFY", "OPTIONS":
	case "PRACK": // the agent makes its own
		return
	default:
		a.m.drop(DropMethod)
		return
	}
	if a.over {
		return
	}
	c, t := a.c, a.c.t
	extra := a.m.carry(r, t, false)
	if method == "REFER" {
		line := a.m.referTo(t, r)
		if line == "" {
			a.m.drop(DropUnbuilt)
			return
		}
		extra += line
	}
	var desc *sdp
	kind, body, note := "", []byte(nil), ""
	if b := description(r); b != nil {
		desc, _ = readSDP(b)
	} else if kind, body, note = a.m.bodyOf(r, t, &t.voice); note != "" {
		c.note(note)
	}
	body = bytes.Clone(body)
	send := func() {
		if desc != nil {
			kind, body = "application/sdp", a.d.describe(desc)
		}
		a.d.send(method, extra, kind, body, nil)
	}
	if a.d.confirmed && !(method == "INVITE" && a.d.inviting) {
		send()
		return
	}
	if len(a.queue) >= maxQueue {
		a.m.drop(DropTable)
		c.cut("too many requests waited for the shadow")
		return
	}
	if a.d.confirmed { // a re-INVITE behind another one
		a.m.drop(DropMethod)
		c.note("a re-INVITE behind another one was left out")
		return
	}
	a.queue = append(a.queue, send)
}

const maxQueue = 16

// settled takes the 2xx to a request that is no INVITE.
func (a *agent) settled(r *wire.Message) {
	if a.final == 0 {
		a.final = r.Status
		a.tape.add(a.m.now, true, r.Raw)
	}
	if a.c.kind != "SUBSCRIBE" {
		a.end()
		return
	}
	a.d.learn(r)
	a.d.confirmed = true
	if a.c.live.over || a.wantCancel {
		a.unsubscribe()
	}
}

// unsubscribe ends our subscription (RFC 6665 section 4.1.2.3): its last NOTIFY ends it, or half a minute without one.
func (a *agent) unsubscribe() {
	if !a.d.confirmed {
		if a.wantCancel = true; a.final != 0 {
			a.end()
		}
		return
	}
	if a.cancelSent {
		return
	}
	a.cancelSent = true
	extra := "Expires: 0\r\n"
	for line := range strings.Lines(a.parts.headers) {
		if name, _, _ := strings.Cut(strings.ToLower(line), ":"); name == "event" || name == "o" {
			extra += line
		}
	}
	if !a.d.send("SUBSCRIBE", extra, "", nil, func(r *wire.Message) {
		if r == nil || r.Status >= 300 {
			a.end()
		}
	}) {
		a.end()
		return
	}
	a.m.after(&a.watch, silence, a.end)
}
