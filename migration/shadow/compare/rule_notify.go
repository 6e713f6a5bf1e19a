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

// notified are the states of each entity, and the entities in the order in which they are told of.
func notified(c *record.Call) (all map[notifyKey][]string, keys []notifyKey) {
	all = make(map[notifyKey][]string, len(c.Notify))
	for _, n := range c.Notify {
		k := notifyKey{n.Event, n.Entity}
		if _, known := all[k]; !known {
			keys = append(keys, k)
		}
		all[k] = append(all[k], n.State...)
	}
	return all, keys
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
	ours, keys := notified(live)
	theirs, _ := notified(shadow)
	var ds []Difference
	for _, k := range keys {
		l, s := ours[k], theirs[k]
		if len(l) == 0 || len(s) == 0 || slices.Equal(l, s) {
			continue
		}
		if from, to := l[len(l)-1], s[len(s)-1]; from != to {
			ds = append(ds, Difference{From: from, To: to, Words: lamps(k.event) + ": another state is shown"})
			continue
		}
		// States that pass quickly may be left out of either (RFC 6665 section 4.2.2 lets a notifier hold back).
		lost, added := apart(l, s)
		ds = append(ds, Difference{
			Kind: Order, From: some(lost), To: some(added), Severity: Minor,
			Words: lamps(k.event) + ": the same state by another way", Detail: fmt.Sprintf("%s, core %s", some(l), some(s)),
		})
	}
	return ds
}

func notifyEntity(live, shadow *record.Call) []Difference {
	ours, before := notified(live)
	theirs, after := notified(shadow)
	var ds []Difference
	for _, k := range before {
		if _, ok := theirs[k]; !ok {
			ds = append(ds, Difference{Kind: Lost, From: k.event, Words: lamps(k.event) + ": nothing is shown", Detail: string(k.entity)})
		}
	}
	for _, k := range after {
		if _, ok := ours[k]; !ok {
			ds = append(ds, Difference{Kind: Added, To: k.event, Words: lamps(k.event) + ": something is shown that is not on legacy", Detail: string(k.entity)})
		}
	}
	return ds
}
