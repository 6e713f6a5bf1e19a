package transaction

import "math/bits"

const (
	tickLength = 10_000_000 // nanoseconds
	levelBits  = 6
	slots      = 1 << levelBits
	levels     = 7 // 42 bits of ticks: every moment that Time can hold
)

// Wheel fires timers in the order (deadline tick, order of Set), in ticks of 10
// ms, never early and at most one tick late. It is single-threaded state: its
// shard's lock guards it. The zero Wheel is ready. It allocates nothing.
//
// A timer lies on the level of the highest 6-bit digit in which its deadline
// differs from now, in the slot of that digit. So all timers of one deadline
// share a slot at any moment and keep their order when that slot is spread over
// the levels below, which happens exactly when now reaches it.
type Wheel struct {
	now      uint64 // last tick that was fired
	count    int
	occupied [levels]uint64 // a bit per slot that is not empty
	slot     [levels * slots]list
}

// Set arms t for at, replacing what it was armed for. A moment that is past, or
// within the tick being fired, comes with the next tick, so a fire function that
// always sets its timer anew can not hold Advance. An at of 0 (never) stops t.
func (w *Wheel) Set(t *Timer, at Time) {
	w.Stop(t)
	if at == 0 {
		return
	}
	t.tick = max(ticksUp(at), w.now+1)
	w.count++
	w.put(t)
}

// Stop disarms t; it may be idle.
func (w *Wheel) Stop(t *Timer) {
	if t.slot == 0 {
		return
	}
	w.unlink(t)
	w.count--
}

// Len returns how many timers are armed.
func (w *Wheel) Len() int { return w.count }

// Next returns a lower bound of the earliest deadline, 0 when there is none.
// Advance to that moment either fires something or makes the bound later.
func (w *Wheel) Next() Time {
	if w.count == 0 {
		return 0
	}
	tick, _ := w.upcoming()
	return Time(tick * tickLength)
}

// Advance fires all timers due at now, each disarmed before fire is called.
// fire may Set and Stop any timer, but not Advance. A now that went back does
// nothing.
func (w *Wheel) Advance(now Time, fire func(*Timer)) {
	if now < 0 {
		return
	}
	for end := uint64(now) / tickLength; w.now < end; {
		if w.count == 0 {
			w.now = end
			return
		}
		tick, slot := w.upcoming()
		if tick > end {
			w.now = end
			return
		}
		w.now = tick
		if slot >= slots {
			w.spread(slot)
		}
		for l := &w.slot[tick%slots]; l.head != nil; {
			t := l.head
			w.Stop(t)
			fire(t)
		}
	}
}

// upcoming returns the earliest tick after now at which a slot is reached, and
// that slot. Occupied slots of a level lie past now's digit, and all of a lower
// level come before those of a higher one. The wheel must not be empty.
func (w *Wheel) upcoming() (tick uint64, slot int) {
	for level, occupied := range w.occupied {
		if occupied == 0 {
			continue
		}
		i := bits.TrailingZeros64(occupied)
		shift := level * levelBits
		above := w.now >> (shift + levelBits) << (shift + levelBits)
		return above | uint64(i)<<shift, level*slots + i
	}
	panic("transaction: count says armed timers, no slot has one")
}

// spread moves the timers of a slot that now has reached to lower levels.
func (w *Wheel) spread(slot int) {
	for l := &w.slot[slot]; l.head != nil; {
		t := l.head
		w.unlink(t)
		w.put(t)
	}
}

// put links t where its deadline belongs, seen from now.
func (w *Wheel) put(t *Timer) {
	level := 0
	if differs := t.tick ^ w.now; differs != 0 {
		level = (bits.Len64(differs) - 1) / levelBits
	}
	i := t.tick >> (level * levelBits) % slots
	t.slot = uint16(level*slots) + uint16(i) + 1
	w.slot[t.slot-1].push(t)
	w.occupied[level] |= 1 << i
}

func (w *Wheel) unlink(t *Timer) {
	l := &w.slot[t.slot-1]
	l.remove(t)
	if l.head == nil {
		w.occupied[(t.slot-1)/slots] &^= 1 << ((t.slot - 1) % slots)
	}
	t.slot = 0
}

// ticksUp rounds up: a timer never fires early. A moment before the epoch is past.
func ticksUp(at Time) uint64 {
	if at <= 0 {
		return 0
	}
	return (uint64(at) + tickLength - 1) / tickLength
}
