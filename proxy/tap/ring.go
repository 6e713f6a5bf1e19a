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

// Ring is a bounded queue of many writers and one reader: a fixed pool of slots, each of which is free, being written, written, or being
// read.
//
// A writer takes a free slot, fills it and puts it on the stack of those that are written. The reader takes that whole stack at once,
// turns it over, so that the oldest comes first, and gives each slot back when it has copied it out.
//
// Invariant: a slot is in one place only. No count is kept: the ring is full when no slot is free.
//
// The free slots are a stack, too: a slot is used again while the processor still has it in its cache. A ring that goes through all of
// its memory was tried: a message into cold memory cost three times as much as one into warm.
type Ring struct {
	// Set once by NewRing.
	slots []slot
	bytes []byte          // size of each slot
	next  []atomic.Uint32 // of each free slot: the next free one; apart from the slots, since a writer waits for what it reads
	size  int

	// A slot is named by 1 + its index; 0: none.
	_        [64]byte
	free     atomic.Uint64 // the first free slot; how often this changed is in the upper half
	_        [56]byte
	written  atomic.Uint32 // the newest slot that is written
	_        [60]byte
	oldest   uint32 // of those that the reader has taken; the reader's
	_        [60]byte
	full     atomic.Uint64
	tooLarge atomic.Uint64
}

type slot struct {
	n     int
	after uint32 // the slot that was written before; once the reader has turned them over, after
	ev    Event
}

// NewRing returns a ring of slots (rounded up to a power of two, 2 to 1,048,576) of slotBytes each (1 to 65,536); what is
// out of these bounds is brought to the next in them.
func NewRing(slots, slotBytes int) *Ring {
	n := 1 << bits.Len(uint(min(max(slots, 2), maxSlots)-1))
	size := min(max(slotBytes, 1), maxSlotBytes)
	r := &Ring{slots: make([]slot, n), bytes: make([]byte, n*size), next: make([]atomic.Uint32, n), size: size}
	for i := range n - 1 {
		r.next[i].Store(uint32(i + 2))
	}
	r.free.Store(1)
	return r
}

// Put copies an event and its message into the ring. It is false where that did not happen: the ring was full, or the message is
// larger than a slot; Dropped counts both. Any goroutine may call it.
func (r *Ring) Put(ev *Event, raw []byte) bool {
	if len(raw) > r.size {
		r.tooLarge.Add(1)
		return false
	}
	i := r.take()
	if i == 0 {
		r.full.Add(1)
		return false
	}
	s := &r.slots[i-1]
	s.ev = *ev
	s.n = copy(r.space(i), raw)
	for {
		s.after = r.written.Load()
		if r.written.CompareAndSwap(s.after, i) {
			return true
		}
	}
}

// Take moves the oldest message out of the ring: its event into ev, its bytes to the end of dst[:0]. It is false, and dst comes
// back as it was, when there is none. Only one goroutine may call it.
func (r *Ring) Take(ev *Event, dst []byte) ([]byte, bool) {
	if r.oldest == 0 && r.written.Load() != 0 {
		for i := r.written.Swap(0); i != 0; {
			s := &r.slots[i-1]
			before := s.after
			s.after = r.oldest
			r.oldest, i = i, before
		}
	}
	i := r.oldest
	if i == 0 {
		return dst, false
	}
	s := &r.slots[i-1]
	*ev = s.ev
	dst = append(dst[:0], r.space(i)[:s.n]...)
	s.ev = Event{} // its strings are the policy's, which may be an old one by the next time
	r.oldest = s.after
	r.give(i)
	return dst, true
}

// Dropped counts what was not taken in since the start: because the ring was full, and because it was too large for a slot.
func (r *Ring) Dropped() (full, tooLarge uint64) { return r.full.Load(), r.tooLarge.Load() }

// take pops a free slot; 0: there is none. The count in the upper half keeps a slot that left and came back in between from
// passing for one that never left.
func (r *Ring) take() uint32 {
	for {
		f := r.free.Load()
		i := uint32(f)
		if i == 0 {
			return 0
		}
		if r.free.CompareAndSwap(f, (f>>32+1)<<32|uint64(r.next[i-1].Load())) {
			return i
		}
	}
}

// give pushes a slot that was read.
func (r *Ring) give(i uint32) {
	for {
		f := r.free.Load()
		r.next[i-1].Store(uint32(f))
		if r.free.CompareAndSwap(f, (f>>32+1)<<32|uint64(i)) {
			return
		}
	}
}

// space is the bytes of a slot.
func (r *Ring) space(i uint32) []byte {
	at := int(i-1) * r.size
	return r.bytes[at : at+r.size : at+r.size]
}
