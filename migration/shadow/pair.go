package shadow

import (
	"slices"
	"time"
)

// Far legs find each other in two steps: each side's leg finds its call (parent.go), then the legs of a call, in order, find each other.
//
// The call of a phone's leg may pass another edge: then nobody here knows it, and legs that no call joins find each other by where they
// arrive and when they began. Both platforms send theirs out within a moment, but callers redial, and either side may have sent none, or be
// late: what looks like a pair may be two halves. So a pair is believed only while no other leg of that caller began there within a second
// (lately.go), and after a short wait when the two did not begin at once. Where it is not believed the dark core's leg borrows the live
// callee all the same: its call, which another edge compares, goes on as it should; the legs themselves count as missing.

const ambiguous = "a far leg fits more than one call"

const (
	nearby  = time.Second            // how far apart two legs may begin that are each other's, and that no call joins
	moment  = 200 * time.Millisecond // how far apart they begin on two platforms that are about as fast
	ripen   = 150 * time.Millisecond // how long a nearer partner is waited for
	noMatch = time.Duration(-1)
)

// match pairs the legs of the dark core that wait with live ones.
func (m *machine) match(t *tenant) {
	for _, tw := range slices.Clone(t.waiting) {
		switch l := tw.sibling(); {
		case tw.decided: // by a turn of this loop: its answer ended another's call
		case l != nil:
			tw.pair(l)
		default:
			tw.approach()
		}
	}
}

// sibling is the first live leg of the twin's call that arrives at the same place; of the same caller, if there is one.
func (tw *twin) sibling() *liveLeg {
	var first *liveLeg
	for _, l := range tw.t.unpaired {
		switch {
		case tw.c == nil || l.c != tw.c || tw.c.judged || l.lent || !tw.meets(l):
		case sameParty(tw.caller, l.caller):
			return l
		case first == nil:
			first = l
		}
	}
	return first
}

// meets: both legs arrive at the same place.
func (tw *twin) meets(l *liveLeg) bool { return tw.dest == l.dest || sameParty(tw.dest, l.dest) }

// apart is how far apart two legs began that no call joins, noMatch: they are not each other's.
func (tw *twin) apart(l *liveLeg) time.Duration {
	if tw.c != nil && l.c != nil || l.c != nil && l.c.judged || !tw.meets(l) {
		return noMatch
	}
	if d := time.Duration(max(tw.began, l.began) - min(tw.began, l.began)); d <= held {
		return d
	}
	return noMatch
}

// approach pairs the twin with the live leg that began nearest, lets it borrow that one, or lets it wait.
func (tw *twin) approach() {
	best, gap := tw.nearest()
	if best == nil {
		return
	}
	joined := tw.c != nil || best.c != nil // one of them has a call: the other's may still turn up
	if (gap > moment || joined) && !tw.ripe {
		if !tw.soon.timer.Armed() {
			tw.m.after(&tw.soon, ripen, func() {
				tw.ripe = true
				tw.m.match(tw.t)
			})
		}
		return
	}
	if gap > nearby || best.lent || best.over && gap > moment || !tw.t.lately.alone(tw, best) {
		tw.borrow(best)
		return
	}
	tw.byTime = true
	tw.pair(best)
}

// nearest is the live leg that no call joins to the twin, and that began nearest to it; one of the same caller before any other's.
func (tw *twin) nearest() (best *liveLeg, gap time.Duration) {
	same := false
	for _, l := range tw.t.unpaired {
		d, its := tw.apart(l), sameParty(tw.caller, l.caller)
		if d == noMatch || best != nil && (same && !its || same == its && d >= gap) {
			continue
		}
		best, gap, same = l, d, its
	}
	return best, gap
}

// settlePairs decides about a leg that has waited long enough: within its call it takes the live leg that is left, also one that arrives elsewhere,
// which is a difference; else it is refused.
func (m *machine) settlePairs(tw *twin) {
	if tw.decided || tw.over {
		return
	}
	if tw.c != nil {
		for _, l := range tw.t.unpaired {
			if l.c == tw.c && !l.lent {
				tw.pair(l)
				return
			}
		}
	}
	tw.lonely()
}

// unlist takes a live leg out of those that wait for a partner.
func (m *machine) unlist(l *liveLeg) {
	l.t.unpaired = slices.DeleteFunc(l.t.unpaired, func(x *liveLeg) bool { return x == l })
}
