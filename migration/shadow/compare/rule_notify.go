package compare

import (
	"fmt"
	"slices"

	"github.com/hotcut/hotcut/migration/shadow/record"
)

// Row "NOTIFY bodies".
var notifyRules = []Rule{
	{Name: "state", Field: "notify.state", Severity: Major, Words: "lamps show another state", find: notifyState},
	{Name: "entity", Field: "notify.entity", Severity: Major, Words: "lamps are told of somebody else", find: notifyEntity},
}

type notifyKey struct {
	event  string
	entity record.Address
}

func notified(c *record.Call) map[notifyKey][]string {
	all := make(map[notifyKey][]string, len(c.Notify))
	for _, n := range c.Notify {
		k := notifyKey{n.Event, n.Entity}
		all[k] = append(all[k], n.State...)
	}
	return all
}

func lamps(event string) string {
	switch event {
	case "dialog":
		return "busy lamps"
	case "message-summary":
		return "the message lamp"
	}
	return "notifications of " + event
}

// notifyState compares where each entity ended up, and then the way there.
func notifyState(live, shadow *record.Call) []Difference {
	theirs := notified(shadow)
	var ds []Difference
	for _, n := range live.Notify {
		k := notifyKey{n.Event, n.Entity}
		l, s := n.State, theirs[k]
		if len(l) == 0 || len(s) == 0 || slices.Equal(l, s) {
			continue
		}
		if from, to := l[len(l)-1], s[len(s)-1]; from != to {
			ds = append(ds, Difference{From: from, To: to, Words: lamps(n.Event) + ": another state is shown"})
			continue
		}
		// States that pass quickly may be left out of either (RFC 6665 section 4.2.2 lets a notifier hold back).
		lost, added := apart(l, s)
		ds = append(ds, Difference{
			Kind: Order, From: some(lost), To: some(added), Severity: Minor,
			Words: lamps(n.Event) + ": the same state by another way", Detail: fmt.Sprintf("%s, core %s", some(l), some(s)),
		})
	}
	return ds
}

func notifyEntity(live, shadow *record.Call) []Difference {
	ours, theirs := notified(live), notified(shadow)
	var ds []Difference
	for _, n := range live.Notify {
		if _, ok := theirs[notifyKey{n.Event, n.Entity}]; !ok {
			ds = append(ds, Difference{Kind: Lost, From: n.Event, Words: lamps(n.Event) + ": nothing is shown", Detail: string(n.Entity)})
		}
	}
	for _, n := range shadow.Notify {
		if _, ok := ours[notifyKey{n.Event, n.Entity}]; !ok {
			ds = append(ds, Difference{Kind: Added, To: n.Event, Words: lamps(n.Event) + ": something is shown that is not on legacy", Detail: string(n.Entity)})
		}
	}
	return ds
}
