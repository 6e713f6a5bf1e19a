package shadow

import (
	"strings"
	"time"
)

// lately is which far legs of a tenant began within the last seconds, of both sides, by where they arrive. Legs that no call joins are
// each other's only where nobody else's began about then.
type lately struct {
	at    map[string]*place // by placeOf
	count int
	full  int64 // when a leg was last not noted, for want of room
}

type place struct {
	lives []*liveLeg
	darks []*twin
}

const (
	remembered = 4 * nearby
	maxLately  = 4096 // legs of a tenant: while there are more, and a moment after, no leg without a call is believed to be another's
)

// placeOf is the same for all destinations that sameParty holds for one.
func placeOf(dest string) string {
	if d := digits(dest); len(d) >= tail {
		return d[len(d)-tail:]
	}
	return strings.ToLower(dest)
}

func (y *lately) place(dest string) *place {
	if y.at == nil {
		y.at = map[string]*place{}
	}
	k := placeOf(dest)
	p := y.at[k]
	if p == nil {
		p = &place{}
		y.at[k] = p
	}
	return p
}

// live notes a live leg. It casts doubt on pairs that were believed.
func (y *lately) live(l *liveLeg) {
	if y.count >= maxLately {
		y.full = l.began
		return
	}
	p := y.place(l.dest)
	for _, tw := range p.darks {
		if tw.live != nil && tw.rivals(l, tw, tw.live) {
			tw.doubt()
		}
	}
	p.lives = append(p.lives, l)
	y.count++
}

// dark notes a leg of the dark core, likewise.
func (y *lately) dark(tw *twin) {
	if y.count >= maxLately {
		y.full = tw.began
		return
	}
	p := y.place(tw.dest)
	for _, l := range p.lives {
		if l.twin != nil && tw.rivals(l, l.twin, l) {
			l.twin.doubt()
		}
	}
	p.darks = append(p.darks, tw)
	y.count++
}

// alone: nothing else that arrived there comes into question for either of two legs.
func (y *lately) alone(tw *twin, l *liveLeg) bool {
	if y.full != 0 && max(tw.began, l.began)-y.full <= int64(2*nearby) { // somebody may be missing here
		return false
	}
	p := y.place(l.dest)
	for _, other := range p.lives {
		if other != l && tw.rivals(other, tw, l) {
			return false
		}
	}
	for _, other := range p.darks {
		if other != tw && other.rivals(l, tw, l) {
			return false
		}
	}
	return true
}

// forget drops what began before.
func (y *lately) forget(before int64) {
	y.count = 0
	for k, p := range y.at {
		for len(p.lives) > 0 && p.lives[0].began < before {
			p.lives = p.lives[1:]
		}
		for len(p.darks) > 0 && p.darks[0].began < before {
			p.darks = p.darks[1:]
		}
		if y.count += len(p.lives) + len(p.darks); len(p.lives)+len(p.darks) == 0 {
			delete(y.at, k)
		}
	}
}

// rivals: the two legs may be each other's as well as a and b, as far as times and callers tell. Who calls tells nothing where a and b differ in it.
func (tw *twin) rivals(l *liveLeg, a *twin, b *liveLeg) bool {
	d := time.Duration(tw.began - l.began)
	return max(d, -d) <= nearby && (sameParty(tw.caller, l.caller) || !sameParty(a.caller, b.caller))
}
