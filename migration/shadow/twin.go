package shadow

import (
	"slices"
	"time"

	"github.com/hotcut/hotcut/proxy/wire"
)

// twin plays the callee of one leg that the dark core sent out: it does at its own t what the live callee did t after the live
// far leg's INVITE, or at once where that is past.
type twin struct {
	m     *machine
	t     *tenant
	c     *call // whose leg it is; nil: nobody knows
	s     *server
	d     *dialog
	tape  tape
	began int64

	caller string
	called []string
	dest   string

	live     *liveLeg // its partner
	next     int      // of the live leg's messages
	played   int64    // when the last was
	tagged   bool     // a response with our tag was sent: the dialog is early at least
	decided  bool     // paired, or given up
	borrowed bool     // its partner may be another's
	byTime   bool     // no call joins it to its partner
	ripe     bool     // it has waited for a nearer one
	final    int
	over     bool

	hold alarm // no live leg yet
	soon alarm // a live leg, and perhaps a nearer one to come
	step alarm // the next event is not due
	rel  reliable
	end  alarm
}

// reliable is a provisional response of ours that waits for its PRACK (RFC 3262 section 3).
type reliable struct {
	seq   int
	raw   []byte
	alarm alarm
	every time.Duration
	until int64
}

const (
	held       = 4 * time.Second              // the sink waits for the live leg
	breath     = int64(50 * time.Millisecond) // between two messages, as far as there was one
	maxWaiting = 256                          // legs of a tenant that wait: each new one is compared with all
)

// hear takes the INVITE of a far leg: 100, and then it waits for the live one.
func (m *machine) hear(s *server, r *wire.Message) {
	if len(m.twins) >= m.o.Legs {
		m.drop(DropLegs)
		m.ignore(s)
		return
	}
	tw := &twin{m: m, s: s, began: m.now}
	s.twin = tw
	tw.tape = tape{m: m}
	tw.caller = userOf(r.From.URI.Of(r.Raw))
	user := userOf(r.RequestURI.Of(r.Raw))
	tw.dest, tw.called = user, []string{user, userOf(r.To.URI.Of(r.Raw))}
	if b := m.tokens[user]; b != nil {
		tw.t, tw.dest, tw.tape.target, tw.tape.party = b.t, b.token, b.aor, "phone"
		tw.called = append(tw.called, userOf([]byte(b.aor)))
	}
	tw.c = m.shadowParent(tw, r)
	if tw.c != nil {
		tw.t = tw.c.t
	}
	if tw.t == nil {
		tw.t = m.tenantOf(r)
	}
	tw.d = &dialog{m: m, t: tw.t, dark: s.dark, tape: &tw.tape, called: true, mark: m.id.mark("far"),
		contact: "sip:" + sinkPrefix + m.id.fresh("far") + "@" + s.dark.sink.String(),
		callID:  string(r.CallID.Of(r.Raw)), ourTag: s.tag, local: plainAddr(r, r.To), remote: plainAddr(r, r.From), theirSeq: r.CSeq}
	if tw.t == nil { // somebody whom nobody mirrors: it is refused, and its dialog needs no voice
		s.twin = nil
		m.reply(s, r, 404, "Not Found", "", "", nil)
		m.stats.Unexpected++
		return
	}
	if len(tw.t.waiting) >= maxWaiting {
		m.drop(DropLegs)
		m.ignore(s)
		return
	}
	if tw.c != nil {
		tw.c.twins = append(tw.c.twins, tw)
	}
	tw.t.waiting = append(tw.t.waiting, tw)
	tw.d.learn(r)
	tw.d.table()
	tw.d.ended = func(bool) { tw.done() }
	tw.d.pracked = tw.pracked
	tw.d.answered = tw.play
	m.twins[tw] = struct{}{}
	tw.t.lately.dark(tw)
	tw.tape.add(m.now, false, r.Raw)
	tw.tape.add(m.now, true, m.reply(s, r, 100, "Trying", "", "", nil))
	m.after(&tw.hold, held, func() { m.settlePairs(tw) })
	m.after(&tw.end, m.o.Longest, tw.leave)
	m.match(tw.t)
}

// plainAddr is an address of From or To as it came, without its parameters.
func plainAddr(r *wire.Message, a wire.NameAddr) string {
	return "<" + string(r.AppendUnfolded(nil, a.URI)) + ">"
}

// refuse ends the leg with a failure.
func (tw *twin) refuse(code int, phrase, extra string) {
	var r wire.Message
	if tw.final != 0 || tw.over || !tw.s.again(&r) {
		return
	}
	tw.final = code
	tw.tape.add(tw.m.now, true, tw.m.reply(tw.s, &r, code, phrase, extra, "", nil))
	tw.d.close()
	tw.done()
}

// cancelled takes the dark core's CANCEL.
func (tw *twin) cancelled(r *wire.Message) {
	tw.tape.add(tw.m.now, false, r.Raw)
	tw.decide()
	tw.refuse(487, "Request Terminated", "")
}

// play does what is due of what the live callee did, and waits for the rest.
func (tw *twin) play() {
	l := tw.live
	if l == nil || tw.over {
		return
	}
	m := tw.m
	m.stop(&tw.step)
	var r wire.Message
	for ; tw.next < len(l.tape.msgs); tw.next++ {
		x := &l.tape.msgs[tw.next]
		if !x.Upstream || r.Scan(x.Raw, nil) != wire.FaultNone {
			continue
		}
		if tw.stalled(&r) {
			return
		}
		due := tw.began + x.At - l.began
		if tw.next > 0 { // what comes late comes in order: many platforms look at two messages side by side
			due = max(due, tw.played+min(x.At-l.tape.msgs[tw.next-1].At, breath))
		}
		if due > m.now {
			m.when(&tw.step, due, tw.play)
			return
		}
		tw.played = m.now
		if r.Request {
			tw.ask(&r)
		} else {
			tw.respond(&r)
		}
		if tw.over {
			return
		}
	}
}

// stalled: what the callee asks within the call waits for the ACK of its answer, and an answer for the PRACK of what went before.
func (tw *twin) stalled(r *wire.Message) bool {
	if r.Request {
		return tw.final >= 200 && tw.final < 300 && !tw.d.confirmed
	}
	return tw.rel.raw != nil && r.CSeqIs("INVITE")
}

// respond plays a response of the live callee to the leg's INVITE. To other requests the twin answers by itself.
func (tw *twin) respond(r *wire.Message) {
	m := tw.m
	if !r.CSeqIs("INVITE") || tw.final != 0 || r.CSeq != tw.live.seq && r.Status >= 300 {
		return
	}
	if r.Status == 487 && tw.live.dropped {
		return // the callee would ring on: when the dark core has enough of it is its own affair
	}
	var inv wire.Message
	if r.Status == 100 || r.Status == 401 || r.Status == 407 || !tw.s.again(&inv) {
		return // challenges are for who has credentials: the live platform answered, and the rest of the call shows it
	}
	phrase := string(r.Phrase.Of(r.Raw))
	extra := m.carryBack(r, tw.t)
	if r.Status >= 300 {
		if r.Status < 400 {
			extra += tw.t.redirects(r)
		}
		tw.refuse(r.Status, phrase, extra)
		return
	}
	extra += recordRoutes(&inv) + "Contact: <" + tw.d.contact + ">\r\n"
	kind, body := tw.says(r, &inv)
	if r.Status < 200 {
		tw.tagged = tw.tagged || r.Status > 100
		if _, live := number(value(r, wire.HRSeq)); live && (lists(&inv, wire.HSupported, "100rel") || lists(&inv, wire.HRequire, "100rel")) {
			tw.reliably(&inv, r.Status, phrase, extra, kind, body)
			return
		}
		tw.tape.add(m.now, true, m.reply(tw.s, &inv, r.Status, phrase, extra, kind, body))
		return
	}
	tw.final = r.Status
	if se := value(r, wire.HSessionExpires); se != "" && lists(&inv, wire.HSupported, "timer") {
		if secs, ok := number(se); ok && secs >= minSession {
			who := "uac"
			if _, params, _ := cut(se); params != "" {
				if v, _ := wire.Param([]byte(params), "refresher"); wire.EqualFold(v, "uas") {
					who = "uas"
				}
			}
			extra += "Require: timer\r\nSession-Expires: " + itoa(secs) + ";refresher=" + who + "\r\n"
			tw.d.sessionTimer(secs, who == "uas")
		}
	}
	tw.d.accept(tw.s, &inv, allowLine+extra, kind, body)
}

// says is the description that goes with a response: the live callee's, reduced to what the dark core offered; where it offered
// nothing, an offer like the live callee's.
func (tw *twin) says(r, inv *wire.Message) (string, []byte) {
	model, ok := readSDP(description(r))
	if !ok {
		if r.Status < 200 || tw.d.desc != nil {
			return "", nil // in a reliable response before, as in the live call
		}
		model = nil
	}
	offer, offered := readSDP(description(inv))
	switch {
	case offered:
		return "application/sdp", tw.d.describe(answer(offer, model))
	case model != nil:
		return "application/sdp", tw.d.describe(model)
	}
	return "", nil
}

// reliably sends a provisional response that is repeated until its PRACK comes.
func (tw *twin) reliably(inv *wire.Message, code int, phrase, extra, kind string, body []byte) {
	seq := tw.rel.seq + 1
	extra += "Require: 100rel\r\nRSeq: " + itoa(seq) + "\r\n"
	raw := tw.m.reply(tw.s, inv, code, phrase, extra, kind, body)
	tw.tape.add(tw.m.now, true, raw)
	tw.rel = reliable{seq: seq, raw: raw, every: tw.m.timing.T1, until: tw.m.now + int64(64*tw.m.timing.T1), alarm: tw.rel.alarm}
	tw.m.after(&tw.rel.alarm, tw.rel.every, tw.repeat)
}

func (tw *twin) repeat() {
	if tw.rel.raw == nil || tw.final != 0 || tw.over {
		return
	}
	if tw.m.now >= tw.rel.until {
		tw.rel.raw = nil
		tw.refuse(504, "Server Time-out", "") // RFC 3262 section 3: a 5xx
		return
	}
	tw.m.send(tw.d.dark, tw.s.to, tw.rel.raw)
	tw.rel.every *= 2
	tw.m.after(&tw.rel.alarm, tw.rel.every, tw.repeat)
}

// pracked takes a PRACK; false: it acknowledges nothing of ours.
func (tw *twin) pracked(r *wire.Message) bool {
	v, _ := named(r, "RAck")
	seq, ok := number(v)
	if !ok || seq != tw.rel.seq || tw.rel.raw == nil {
		return false
	}
	tw.m.stop(&tw.rel.alarm)
	tw.rel.raw = nil
	// The 200 to the PRACK goes first; what waited for it comes with the next tick.
	tw.m.after(&tw.step, time.Millisecond, tw.play)
	return true
}

// ask plays a request of the live callee.
func (tw *twin) ask(r *wire.Message) {
	m := tw.m
	switch method := string(r.Method.Of(r.Raw)); method {
	case "BYE":
		if tw.d.confirmed {
			tw.d.bye()
		}
	case "INVITE", "UPDATE", "INFO", "REFER", "NOTIFY":
		if !tw.d.confirmed || method == "INVITE" && tw.d.inviting {
			return
		}
		extra := m.carry(r, tw.t, false)
		if method == "REFER" {
			line := m.referTo(tw.t, r)
			if line == "" {
				return
			}
			extra += line
		}
		if desc, ok := readSDP(description(r)); ok {
			tw.d.send(method, extra, "application/sdp", tw.d.describe(desc), nil)
			return
		}
		kind, body, _ := m.bodyOf(r, tw.t, &tw.t.voice)
		tw.d.send(method, extra, kind, body, nil)
	}
}

// liveOver: the live leg is at its end; the dark core has 8 s to come to it by itself.
func (tw *twin) liveOver() {
	if !tw.over {
		tw.m.after(&tw.end, stale, tw.leave)
	}
}

// leave ends the leg, whatever the dark core thinks.
func (tw *twin) leave() {
	switch {
	case tw.over:
	case tw.final == 0:
		tw.decide()
		tw.refuse(480, "Temporarily Unavailable", "")
	case tw.d.confirmed:
		tw.d.bye()
	default: // the 200 waits for its ACK, and is given up with a BYE
		tw.d.confirmed = true
		tw.d.bye()
	}
}

// done says that nothing is left of the leg.
func (tw *twin) done() {
	if tw.over {
		return
	}
	m := tw.m
	tw.over = true
	tw.decide()
	for _, a := range []*alarm{&tw.hold, &tw.soon, &tw.step, &tw.rel.alarm, &tw.end} {
		m.stop(a)
	}
	delete(m.twins, tw)
	tw.s.twin = nil
	switch l := tw.live; {
	case tw.c == nil && l != nil && l.twin != tw: // borrowed
		l.borrowers = slices.DeleteFunc(l.borrowers, func(x *twin) bool { return x == tw })
		m.judgeLeg(tw)
	case tw.c == nil && l != nil && l.over:
		l.wait(nearby)
	case tw.c == nil && l != nil: // when the live leg is over too
	case tw.c == nil || tw.c.judged:
		tw.tape.release()
	}
	if tw.c != nil {
		tw.c.check()
	}
}
