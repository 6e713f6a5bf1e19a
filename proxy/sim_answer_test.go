package proxy

import (
	"fmt"
	"strings"
	"time"
)

// answers decides how a callee takes a call.
func (w *simWorld) answers(l *simLeg, service bool) {
	n, p, s := w.n, l.p, l.server
	contact := fmt.Sprintf("Contact: <sip:x@%s>\r\n", l.a.contact(s.flow.stream != nil))
	if p.misbehaves(wrongMute) {
		l.honest = false
		w.spoil(l.id)
		return
	}
	ring := n.between(time.Millisecond, 600*time.Millisecond)
	reliable := strings.Contains(s.m.header("Supported"), "100rel") && n.chance(250)
	n.after(ring, func() {
		switch {
		case s.final != 0:
		case reliable:
			s.reply("183 Session Progress", l.localTag, contact+"Require: 100rel\r\nRSeq: 7\r\n")
		default:
			s.reply("180 Ringing", l.localTag, contact)
		}
	})
	status := ""
	switch {
	case n.chance(150):
		status = []string{"486 Busy Here", "480 Temporarily Unavailable", "603 Decline", "404 Not Found", "302 Moved"}[n.rng.IntN(5)]
	case service && n.chance(60):
		status = "503 Service Unavailable"
		if n.chance(500) {
			ring = 0
		}
	}
	l.session = n.chance(200)
	end := w.endsCall[l.id]
	n.after(ring+n.between(0, 3*time.Second), func() {
		if s.final != 0 {
			return
		}
		if status != "" {
			s.reply(status, l.localTag, "")
			l.ended = true
			if p.misbehaves(wrongFinalAfterFinal) {
				w.spoil(l.id)
				n.after(n.between(0, 5*time.Second), func() { l.ended = false; l.answer() })
			}
			return
		}
		if p.misbehaves(wrongOtherAddress) && s.flow.stream == nil && len(p.agents) > 1 {
			w.spoil(l.id)
			l.a = p.agents[(indexOf(p.agents, l.a)+1)%len(p.agents)] // and Contact is that one's
			s.a = l.a
		}
		l.answer()
		if p.misbehaves(wrongForks) {
			w.fork(l)
		}
		if p.misbehaves(wrongOldAnswer) {
			old := s.last
			n.after(n.between(time.Second, 50*time.Second), func() { l.a.send(s.flow, old) })
		}
		if end {
			n.after(n.between(time.Second, 10*time.Second), l.calleeEnds)
		}
	})
}

func indexOf(list []*simAgent, a *simAgent) int {
	for i := range list {
		if list[i] == a {
			return i
		}
	}
	return 0
}

// spoil: somebody does not keep to the rules in this call, and nothing is expected of it.
func (w *simWorld) spoil(id string) { w.spoiled[id] = true }

// fork answers once more, as another callee behind a forking proxy would.
func (w *simWorld) fork(l *simLeg) {
	w.spoil(l.id)
	y := l.p.callee(&simServer{a: l.a, m: l.server.m, flow: l.server.flow}, "call")
	w.order = append(w.order, y)
	w.n.after(w.n.between(0, 2*time.Second), y.answer)
}

// calleeEnds hangs up from the callee's side, not before the ACK has come (RFC 3261 section 15).
func (l *simLeg) calleeEnds() {
	n := l.p.w.n
	if l.ended || n.now > simEpoch+int64(2*simSpan) {
		return
	}
	if !l.acked {
		n.after(time.Second, l.calleeEnds)
		return
	}
	n.met.fault(callEndedByCallee)
	l.hangUp()
}

// takes is how a platform takes an emergency call, or lets it go on.
func (w *simWorld) takes(l *simLeg) {
	n, s := w.n, l.server
	switch n.rng.IntN(5) {
	case 0:
		n.met.fault(callFailedOver)
		s.reply("503 Service Unavailable", l.localTag, "")
		l.ended = true
	case 1:
		n.met.fault(callFailedOver) // silence
		if w.kills {                // whoever was told 100 by an edge that then dies repeats nothing
			w.spoil(l.id)
		}
	case 2:
		n.met.fault(callFailedOver)
		s.reply("180 Ringing", l.localTag, "")
		n.after(time.Second, func() { s.reply("404 Not Found", l.localTag, ""); l.ended = true })
	default:
		s.reply("180 Ringing", l.localTag, "")
		n.after(time.Second, l.answer)
	}
}
