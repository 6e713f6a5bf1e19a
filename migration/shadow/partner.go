package shadow

import (
	"slices"
	"time"
)

// How a twin comes by the live leg whose callee it plays: as its partner, on loan, or not at all. Which one is decided in pair.go.

// decide takes the twin out of those that wait for a partner.
func (tw *twin) decide() {
	if !tw.decided {
		tw.decided = true
		tw.m.stop(&tw.hold)
		tw.m.stop(&tw.soon)
		tw.t.waiting = slices.DeleteFunc(tw.t.waiting, func(x *twin) bool { return x == tw })
	}
}

// pair makes a live leg the twin's partner.
func (tw *twin) pair(l *liveLeg) {
	m := tw.m
	tw.decide()
	tw.live, l.twin = l, tw
	tw.tape.held = time.Duration(m.now - tw.began)
	if tw.tape.party == "" {
		tw.tape.party = l.tape.party
	}
	switch {
	case tw.c == nil && l.c != nil:
		tw.c = l.c
		tw.c.twins = append(tw.c.twins, tw)
	case tw.c != nil && l.c == nil:
		l.c = tw.c
		l.c.far = append(l.c.far, l)
	}
	m.unlist(l)
	tw.play()
}

// borrow lets the leg have the callee of a live one that may be another's. Neither is compared.
func (tw *twin) borrow(l *liveLeg) {
	tw.decide()
	tw.live, tw.borrowed = l, true
	if d := tw.began - l.began; max(d, -d) <= int64(nearby) {
		l.lent = true
	}
	l.borrowers = append(l.borrowers, tw)
	tw.missing()
	tw.tape.held = time.Duration(tw.m.now - tw.began)
	if l.over {
		tw.liveOver()
	}
	tw.play()
}

// doubt is cast on a partner that was found by the time alone.
func (tw *twin) doubt() {
	if tw.byTime && !tw.borrowed {
		tw.borrowed = true
		tw.missing()
	}
}

// missing counts a leg that is not compared, with the calls that it may belong to.
func (tw *twin) missing() {
	tw.m.stats.Ambiguous++
	for _, c := range []*call{tw.c, tw.live.c} {
		if c != nil {
			c.unpaired = ambiguous
		}
	}
}

// lonely is a leg that no live one explains: it is refused.
func (tw *twin) lonely() {
	tw.decide()
	tw.m.stats.Unpaired++
	tw.tape.held = time.Duration(tw.m.now - tw.began)
	tw.tape.lone = tw.c != nil
	tw.refuse(480, "Temporarily Unavailable", "")
}
