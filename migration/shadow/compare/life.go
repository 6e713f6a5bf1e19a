package compare

import (
	"fmt"
	"math"
	"time"
)

// life is where a cluster stands.
type life struct {
	state   State
	why     string
	open    bool // it stands in the way
	expired bool
}

// goneAt: the chance to have missed the difference, if it still came as often as it surely did before.
const goneAt = 0.05

// lifeOf follows from what a person said and what the counts show since. What was fixed is believed when the evidence says
// so, and stands in the way until then; a waiver ends with its date.
func (c *Tenant) lifeOf(id ClusterID, t Triage, now time.Time) life {
	cl := c.Clusters[id]
	switch t.State {
	case StateIntended:
		if now.UnixNano() < t.Until {
			return life{state: StateIntended, why: "waived by " + t.By + ": " + t.Reason}
		}
		return life{state: StateIntended, open: true, expired: true, why: "the waiver of " + t.By + " ended on " + time.Unix(0, t.Until).UTC().Format(time.DateOnly)}
	case StateNoise:
		return life{state: StateNoise, why: t.Reason}
	case StateFixed:
		return c.verify(cl, t.Build)
	}
	state := t.State
	if state == "" {
		state = StateNew
	}
	// Nobody said "fixed", and yet a newer build does not have it.
	if next := c.buildAfter(cl); next != "" {
		if l := c.verify(cl, next); l.state == StateGone {
			return l
		}
	}
	if tr := c.Variation[VariationKey(cl.Scenario, cl.Field)]; state == StateNew && tr != nil && tr.Judge() == IsNoise {
		return life{state: StateNoise, why: fmt.Sprintf("legacy differs from itself as often: only the core %d times, only legacy %d times", tr.OnlyCore, tr.OnlyLegacy)}
	}
	return life{state: state, open: true, why: t.Reason}
}

// verify looks at the calls on the build that has the fix and on those that came after it.
func (c *Tenant) verify(cl *Cluster, build string) life {
	first := c.Builds[build]
	if first == nil {
		return life{state: StateFixed, open: true, why: "no call on build " + build + " yet"}
	}
	since := func(b string) bool { return c.Builds[b] != nil && c.Builds[b].First >= first.First }
	var before, after, calls, clean uint64
	for b, n := range cl.Builds {
		if since(b) {
			after += n.Count
		} else {
			before += n.Count
		}
	}
	for _, n := range c.Counts {
		by := n.By[cl.Scenario]
		switch {
		case by == nil:
		case since(n.Build):
			clean += by.N
		default:
			calls += by.N
		}
	}
	if after > 0 {
		return life{state: StateReopened, open: true, why: fmt.Sprintf("%d calls have it on build %s or later", after, build)}
	}
	rate := NewRate(before, max(calls, before)).Low
	if rate <= 0 || rate >= 1 {
		rate = min(max(rate, 0.01), 0.99)
	}
	need := uint64(math.Ceil(math.Log(goneAt) / math.Log1p(-rate)))
	if clean < need {
		return life{state: StateFixed, open: true, why: fmt.Sprintf("%d of %d calls without it on build %s or later", clean, need, build)}
	}
	return life{state: StateGone, why: fmt.Sprintf("not in %d calls of this scenario on build %s or later; it was in %d of %d", clean, build, before, max(calls, before))}
}

// buildAfter is the first build that was seen after every one that has the cluster; "" if there is none.
func (c *Tenant) buildAfter(cl *Cluster) string {
	var last int64
	for b := range cl.Builds {
		if c.Builds[b] != nil {
			last = max(last, c.Builds[b].First)
		}
	}
	next := ""
	for b, n := range c.Builds {
		if n.First > last && cl.Builds[b] == nil && (next == "" || n.First < c.Builds[next].First || n.First == c.Builds[next].First && b < next) {
			next = b
		}
	}
	return next
}
