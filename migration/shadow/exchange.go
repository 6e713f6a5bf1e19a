package shadow

import (
	"cmp"
	"strings"
	"time"

	"github.com/hotcut/hotcut/migration/shadow/record"
	"github.com/hotcut/hotcut/proxy/wire"
)

// exchanges are the two sides of the call. Far legs that have each other stand at the same place as far as that goes: by when
// the live ones began, then the rest.
func (c *call) exchanges() (live, shadow *record.Exchange) {
	x := record.Exchange{Tenant: c.t.id, Edge: c.m.o.Edge, Rev: c.rev, CallID: c.callID, Notes: c.notes, Unpaired: c.unpaired, Incomplete: c.incomplete}
	a, b := x, x
	a.Side, b.Side, b.Build = record.Live, record.Shadow, c.t.dark.Build
	a.Near, b.Near = c.live.tape.leg(), c.agent.tape.leg()
	for _, l := range c.far {
		l.tape.lone = l.twin == nil
		a.Far = append(a.Far, l.tape.leg())
	}
	for _, tw := range c.twins {
		b.Far = append(b.Far, tw.tape.leg())
	}
	b.Near.Messages = unexplained(a.Near.Messages, b.Near.Messages, true, c.live.ended())
	for i, tw := range c.twins {
		if tw.live != nil {
			b.Far[i].Messages = unexplained(tw.live.tape.msgs, b.Far[i].Messages, false, firstOf(tw.live.ended(), c.live.ended()))
		}
	}
	return &a, &b
}

// judgeLeg hands over a pair of far legs whose call passes another edge: phones and their callers need not be at the same one. What
// the dark core says on such a leg is compared here, what it says to the caller there.
func (m *machine) judgeLeg(tw *twin) {
	l := tw.live
	defer tw.tape.release()
	if l.twin == tw { // else others still play what it says
		defer l.tape.release()
	}
	if m.recorded != nil || m.o.Verdict == nil || tw.tape.closed || l.tape.closed || len(l.tape.msgs) == 0 {
		return
	}
	callID, _, _ := strings.Cut(l.key, "\x00")
	x := record.Exchange{Tenant: l.t.id, Edge: m.o.Edge, CallID: callID, LegOnly: true, Incomplete: cmp.Or(l.tape.cut, tw.tape.cut)}
	if tw.borrowed {
		x.Unpaired = ambiguous
	}
	a, b := x, x
	a.Side, b.Side, b.Build = record.Live, record.Shadow, l.t.dark.Build
	a.Far, b.Far = []record.Leg{l.tape.leg()}, []record.Leg{tw.tape.leg()}
	b.Far[0].Messages = unexplained(a.Far[0].Messages, b.Far[0].Messages, false, l.ended())
	m.stats.Legs++
	m.o.Verdict(m.o.Judge(&a, &b))
}

// unexplained marks the requests of the dark core that the live leg shows none of: more of a method than there. up: in which direction the
// platform speaks on this leg. A BYE that comes when the live leg, or its call, has come to its end (ended; 0: it goes on) is the end: the
// live platform's may still be on its way. A session timer may be the dark core's own.
func unexplained(live, shadow []record.Message, up bool, ended int64) []record.Message {
	count := map[string]int{}
	var m wire.Message
	for _, x := range live {
		if x.Upstream == up && m.Scan(x.Raw, nil) == wire.FaultNone && m.Request {
			count[string(m.Method.Of(m.Raw))]++
		}
	}
	for i := range shadow {
		x := &shadow[i]
		if x.Upstream != up || i == 0 || m.Scan(x.Raw, nil) != wire.FaultNone || !m.Request {
			continue
		}
		method := string(m.Method.Of(m.Raw))
		switch {
		case method == "ACK" || method == "PRACK" || method == "CANCEL":
			continue
		case method == "BYE" && ended > 0 && x.At+int64(time.Second) >= ended:
			continue
		case (method == "UPDATE" || method == "INVITE") && m.Find(wire.HSessionExpires) >= 0:
			continue
		}
		if count[method]--; count[method] < 0 {
			x.Unexpected = true
		}
	}
	return shadow
}

// ended is when the leg came to its end; 0: it has not.
func (l *liveLeg) ended() int64 {
	if !l.over {
		return 0
	}
	return l.overAt
}

// firstOf is the earlier of two moments, of which 0 is none.
func firstOf(a, b int64) int64 {
	if a == 0 || b != 0 && b < a {
		return b
	}
	return a
}
