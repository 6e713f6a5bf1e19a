package proxy

import "time"

// verdict is what the agents have to say in the end.
func (w *simWorld) verdict() {
	n := w.n
	w.judge.close()
	for _, x := range w.edges {
		for i := range simShards {
			for _, d := range x.edge.shards[i].dialogs {
				if w.judge.ended[x.name+d.callID] && !w.spoiled[d.callID] {
					n.fail("%s still lists %s, which has ended", x.name, d.callID)
				}
			}
		}
	}
	for _, ph := range w.phones {
		if ph.prompts > 0 && !ph.excused && !w.kills && !w.storm {
			n.fail("%s was asked for a password %d times", ph.p.name, ph.prompts)
		}
	}
	if w.storm {
		return
	}
	legs := map[string][]*simLeg{}
	for _, l := range w.order {
		legs[l.id] = append(legs[l.id], l)
	}
	for _, c := range w.calls {
		if w.spoiled[c.id] || !c.honest || c.a.tcp && w.kills || w.kills && byStream(legs[c.id]) {
			continue
		}
		if c.code == 0 && c.unverified && w.weather == "loss" {
			continue // our own final is sent once, and can be lost (edge.md, "Overload and abuse")
		}
		if c.code == 0 && !c.timedOut {
			n.fail("%s: the INVITE never ended (ringing %t)", c.id, c.rang)
		}
		if c.code == 0 && w.weather == "calm" {
			n.fail("%s: the INVITE was not answered at all", c.id)
		}
		if len(c.finals) > 1 {
			n.fail("%s: several finals: %v", c.id, c.finals)
		}
		if len(c.legs) > 1 {
			n.fail("%s: several callees have answered", c.id)
		}
		for _, l := range legs[c.id] {
			if l.server.final != 0 && !l.server.acked && l.server.flow.stream == nil {
				n.fail("%s: the %d of %s was never acknowledged", c.id, l.server.final, l.p.name)
			}
			if l.server.final/100 == 2 && c.code/100 == 2 && !l.ended {
				n.fail("%s: the call of %s never ended", c.id, l.p.name)
			}
		}
		if l := c.first; l != nil && l.byeSent && l.byeCode/100 != 2 && !(l.byeCode == 481 && l.ended) {
			n.fail("%s: BYE got %d", c.id, l.byeCode)
		}
		if c.sos && !c.cancelled && c.code/100 != 2 {
			w.unanswered(c, legs[c.id])
		}
	}
}

// byStream: kill -9 costs a call that goes by a connection, unless it is past its 2xx.
func byStream(legs []*simLeg) bool {
	for _, l := range legs {
		if l.server.flow.stream != nil {
			return true
		}
	}
	return false
}

// unanswered: an emergency call may fail only when every target of both platforms has.
func (w *simWorld) unanswered(c *simCall, legs []*simLeg) {
	if c.timedOut || len(legs) >= 4 {
		return
	}
	w.n.fail("%s: an emergency call ended with %d after %d tries", c.id, c.code, len(legs))
}

// left holds that nothing of an edge is left when everything has ended: hours later.
func (w *simWorld) left() {
	n := w.n
	for _, x := range w.edges {
		if x.edge == nil {
			n.fail("%s is dead at the end", x.name)
			continue
		}
		e := x.edge
		x.check()
		requests, branches, timers, dialogs, subs := 0, 0, 0, 0, 0
		for i := range simShards {
			s := &e.shards[i]
			requests += len(s.requests)
			branches += len(s.branches) + len(s.streams) + len(s.notices)
			timers += s.wheel.Len()
			dialogs += len(s.dialogs)
			subs += len(s.subs)
		}
		if requests+branches+timers+dialogs+subs != 0 {
			n.fail("%s still holds %d requests, %d branches, %d timers, %d dialogs, %d subscriptions", x.name, requests, branches, timers, dialogs, subs)
		}
		if k := e.waits.count.Load(); k != 0 || len(e.waits.by) != 0 {
			n.fail("%s: %d calls still wait for %d phones", x.name, k, len(e.waits.by))
		}
		if k := e.own.size(); k != 0 || e.own.wheel.Len() != 0 {
			n.fail("%s: %d requests of its own are left", x.name, k)
		}
		callers := 0
		for i := range e.callers.parts {
			callers += len(e.callers.parts[i].m)
		}
		if callers != 0 {
			n.fail("%s still knows the calls of %d phones", x.name, callers)
		}
		for _, t := range []string{"acme", "birch"} {
			if k := e.tenants.Calls(t); k != 0 {
				n.fail("%s still counts %d calls of %s", x.name, k, t)
			}
		}
		kept := 0
		for range e.dialogFile.All() {
			kept++
		}
		if kept != 0 {
			n.fail("%s: %d dialogs are left in the file", x.name, kept)
		}
		if k := e.location.Len(); k != 0 {
			n.fail("%s: %d bindings are left", x.name, k)
		}
		if k := len(e.keeper.kept); k != 0 {
			n.fail("%s: %d bindings are still kept", x.name, k)
		}
	}
}

const (
	simSettle = 6 * time.Minute // Timer C and what comes after it
	simNight  = 30 * time.Hour  // the index forgets what was never hung up, and registrars what was raised to a day
)
