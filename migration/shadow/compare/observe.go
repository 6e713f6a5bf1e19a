package compare

import "time"

// redialWithin makes a call of the same two parties the same observation as the last one.
const redialWithin = int64(5 * time.Minute)

// observation is one call with its redials.
type observation struct {
	last     int64 // unix ns
	count    *Count
	standing standing
	worst    Severity
}

// standing of an observation in its count.
type standing uint8

const (
	uncounted standing = iota
	exempted           // every call of it had a difference that is waived or noise
	counted
)

// observe counts the call as an observation, or makes worse the one that it is a redial of.
func (t *Tally) observe(c *Tenant, n *Count, v *Verdict, worst Severity, exempt bool) {
	o := t.recall(c, n, v)
	if exempt {
		if o.standing == uncounted {
			o.standing = exempted
			n.Exempt++
		}
		return
	}
	if o.standing == exempted {
		n.Exempt--
	}
	if o.standing != counted {
		o.standing = counted
		n.N++
		inc(&n.Hours, hourOfWeek(v.At), 1)
	}
	if worst > o.worst {
		dec(n.Worst, o.worst)
		o.worst = worst
		inc(&n.Worst, worst, 1)
	}
}

// recall is the observation that the call belongs to, new or not.
func (t *Tally) recall(c *Tenant, n *Count, v *Verdict) *observation {
	fresh := &observation{last: v.At, count: n}
	if v.Pair == "" {
		return fresh
	}
	k := parties{v.Tenant, v.Pair}
	if o := t.redials[k]; o != nil && o.count == n && near(o.last, v.At) {
		o.last = max(o.last, v.At)
		return o
	}
	if len(t.redials) >= maxRedials {
		for k, o := range t.redials {
			if !near(o.last, v.At) {
				delete(t.redials, k)
			}
		}
		if len(t.redials) >= maxRedials {
			c.over(TableRedials) // its redials will count as calls of their own
			return fresh
		}
	}
	t.redials[k] = fresh
	return fresh
}

func near(a, b int64) bool { return max(a, b)-min(a, b) <= redialWithin }

// hourOfWeek is UTC's, Monday 0:00 is 0. The epoch was a Thursday.
func hourOfWeek(at int64) int {
	hours := time.Unix(0, at).Unix() / 3600
	return int(((hours+72)%168 + 168) % 168)
}
