package record

import (
	"slices"
	"time"

	"github.com/hotcut/hotcut/proxy/wire"
)

// farLegs reads what the platform sent out for the call.
func (o *reading) farLegs() {
	for _, l := range o.far {
		if l.first == nil {
			continue // counted as unreadable, or as in-dialog traffic of a leg that began before us
		}
		o.c.Far = append(o.c.Far, o.farLeg(l))
		for _, m := range l.messages {
			if m.Request && !m.upstream {
				o.c.Reason = append(o.c.Reason, m.values(wire.HReason)...) // "completed elsewhere": no missed call
			}
		}
	}
	slices.Sort(o.c.Reason)
}

func (o *reading) farLeg(l *leg) FarLeg {
	m := l.first
	f := FarLeg{
		Party:      orOther(parties.word([]byte(l.Party))),
		Identity:   o.identity(m),
		Delay:      max(0, time.Duration(m.at-o.from)-o.waited(m.at)),
		Offer:      m.sdp(),
		Require:    set(lowered(m.values(wire.HRequire))),
		Supported:  supported(m),
		Timer:      timer(m),
		Alert:      setOfAlerts(o.alerts(m)),
		Unexpected: l.Unexpected,
	}
	if f.To = o.r.Address(l.Target); l.Target == "" {
		f.To = o.r.Address(string(m.RequestURI.Of(m.Raw)))
	}
	outcome, final := l.outcome(o.p)
	f.Outcome = outcome
	if final != nil && outcome.Class == Answered {
		f.Answer = final.sdp()
	}
	return f
}
