package record

import (
	"slices"
	"strings"

	"github.com/hotcut/hotcut/proxy/wire"
)

// notify adds what one NOTIFY says to the states of its entity.
func (o *reading) notify(m *message) {
	event := orOther(m.value(wire.HEvent))
	n := Notify{Event: event, Entity: o.r.Address(string(m.From.URI.Of(m.Raw)))}
	var state string
	switch body := m.Body.Of(m.Raw); m.value(wire.HContentType) {
	case "application/dialog-info+xml":
		d := o.r.readDialogInfo(body)
		if d.entity != "" {
			n.Entity = d.entity
		}
		if state = strings.Join(d.dialogs, ", "); state == "" {
			state = "idle"
		}
	case "application/simple-message-summary":
		s := o.r.readSummary(body)
		if s.account != "" {
			n.Entity = s.account
		}
		state = s.state()
	case "message/sipfrag":
		state, _, _ = strings.Cut(strings.TrimPrefix(string(body), "SIP/2.0 "), " ")
	}
	if s := m.value(wire.HSubscriptionState); strings.HasPrefix(s, "terminated") {
		state = strings.TrimPrefix(state+", terminated", ", ")
	}
	if state == "" {
		state = "no body"
	}
	o.addState(n, state)
}

// addState appends a state to those of its event and entity. One that repeats the last is a refresh.
func (o *reading) addState(n Notify, state string) {
	c := o.c
	i := slices.IndexFunc(c.Notify, func(k Notify) bool { return k.Event == n.Event && k.Entity == n.Entity })
	if i < 0 {
		if len(c.Notify) == maxEntities {
			return
		}
		i = len(c.Notify)
		c.Notify = append(c.Notify, n)
	}
	states := &c.Notify[i].State
	if last := len(*states) - 1; last >= 0 && (*states)[last] == state || len(*states) == maxStates {
		return
	}
	*states = append(*states, state)
}
