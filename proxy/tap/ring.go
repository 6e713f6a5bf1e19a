package tap

import (
	"math/bits"
	"sync/atomic"
)

// What a ring has unless somebody says otherwise.
const (
	DefaultSlots     = 2048
	DefaultSlotBytes = 4 << 10

	maxSlots     = 1 << 20
	maxSlotBytes = 64 << 10 // no datagram is larger
)

// Ring is a bounded queue of many writers and one reader, after Vyukov's bounded queue: a writer claims the slot at tail by
// compare-and-swap and publishes it by the slot's turn; the reader takes the slot at head once its turn says that it is written.
//
// Invariant: slot i is free for the writer of position p (p mod slots = i) while turn = p, full for the reader while turn = p+1, and
// free again, for position p+slots, once the reader has set turn to that. A writer that was interrupted between claim and publish
// holds the reader up, not the other writers.
type Ring struct {
	// Set once by NewRing.
	slots []slot
	bytes []byte // slotBytes of each slot
	mask  uint64
	size  int

	_        [64]byte
	tail     atomic.Uint64 // the next position to write
	_        [56]byte
	head     uint64 // the next position to read; the reader's
	_        [56]byte
	full     atomic.Uint64
	tooLarge atomic.Uint64
}

type slot struct {
	turn atomic.Uint64
	n    int
	ev   Event
}

// NewRing returns a ring of slots (rounded up to a power of two, 2 to 1,048,576) of slotBytes each (1 to 65,536); what is
// out of these bounds is brought to the next in them.
func NewRing(slots, slotBytes int) *Ring {
	n := 1 << bits.Len(uint(min(max(slots, 2), maxSlots)-1))
	size := min(max(slotBytes, 1), maxSlotBytes)
	r := &Ring{slots: make([]slot, n), bytes: make([]byte, n*size), mask: uint64(n - 1), size: size}
	for i := range r.slots {
		r.slots[i].turn.Store(uint64(i))
	}
	return r
}

// Put copies an event and its message into the ring. It is false where that did not happen: the ring was full, or the message is
// larger than a slot; Dropped counts both. Any goroutine may call it.
func (r *Ring) Put(ev *Event, raw []byte) bool {
	if len(raw) > r.size {
		r.tooLarge.Add(1)
		return false
	}
	pos := r.tail.Load()
	for {
		s := &r.slots[pos&r.mask]
		switch turn := s.turn.Load(); {
		case turn == pos:
			if r.tail.CompareAndSwap(pos, pos+1) {
				s.ev = *ev
				s.n = copy(r.space(pos), raw)
				s.turn.Store(pos + 1)
				return true
			}
			pos = r.tail.Load()
		case turn < pos: // not read yet: a whole round behind
			r.full.Add(1)
			return false
		default: // another writer was quicker
			pos = r.tail.Load()
		}
	}
}

// Take moves the oldest message out of the ring: its event into ev, its bytes to the end of dst[:0]. It is false, and dst comes
// back as it was, when there is none. Only one goroutine may call it.
func (r *Ring) Take(ev *Event, dst []byte) ([]byte, bool) {
	s := &r.slots[r.head&r.mask]
	if s.turn.Load() != r.head+1 {
		return dst, false
	}
	*ev = s.ev
	dst = append(dst[:0], r.space(r.head)[:s.n]...)
	s.ev = Event{} // its strings are the policy's, which may be an old one by the next round
	s.turn.Store(r.head + uint64(len(r.slots)))
	r.head++
	return dst, true
}

// Dropped counts what was not taken in since the start: because the ring was full, and because it was too large for a slot.
func (r *Ring) Dropped() (full, tooLarge uint64) { return r.full.Load(), r.tooLarge.Load() }

// space is the bytes of the slot at a position.
func (r *Ring) space(pos uint64) []byte {
	at := int(pos&r.mask) * r.size
	return r.bytes[at : at+r.size : at+r.size]
}
