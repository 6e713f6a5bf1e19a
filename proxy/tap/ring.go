package tap

import (
	"math/bits"
	"sync/atomic"
)

// What a ring has unless somebody says otherwise.
const (
	DefaultSlots     = 2048
	DefaultSlotBytes = 4 << 10

	maxSlots     = 1 << slotBits
	maxSlotBytes = 64 << 10 // no datagram is larger
)

// Ring is a bounded queue of many writers and one reader: a pool of slots, and a ring of the numbers of those that are written.
//
// A writer takes a free slot, fills it, claims the next cell of the ring by adding to tail, and stores the slot's number there, with the
// cell's position: the reader sees that it is there. The reader copies the slot out and gives it back.
//
// Invariant: there are as many cells as slots, and who adds to tail holds a slot. So the cell that it gets is one that the reader has
// passed: it gave back the slot that stood there, or another writer could not have one. A writer that is interrupted between claim and
// store holds the reader up, not the other writers.
//
// The free slots are a stack: a slot is used again while the processor still has it in its cache. A plain ring of slots goes through all
// of its memory, and a message into cold memory costs three times as much as one into warm.
type Ring struct {
	// Set once by NewRing.
	slots []slot
	bytes []byte          // size of each slot
	next  []atomic.Uint32 // of each free slot: 1 + the number of the next; apart from the slots, since a writer waits for what it reads
	cells []atomic.Uint64 // position + 1, then in the lower slotBits the slot's number
	size  int

	_        [64]byte
	free     atomic.Uint64 // how often it changed, in the upper half; 1 + the number of the first free slot, 0: there is none
	_        [56]byte
	tail     atomic.Uint64 // the next position to write
	_        [56]byte
	head     uint64 // the next position to read; the reader's
	_        [56]byte
	full     atomic.Uint64
	tooLarge atomic.Uint64
}

type slot struct {
	n  int
	ev Event
}

const slotBits = 20 // maxSlots

// NewRing returns a ring of slots (rounded up to a power of two, 2 to 1,048,576) of slotBytes each (1 to 65,536); what is
// out of these bounds is brought to the next in them.
func NewRing(slots, slotBytes int) *Ring {
	n := 1 << bits.Len(uint(min(max(slots, 2), maxSlots)-1))
	size := min(max(slotBytes, 1), maxSlotBytes)
	r := &Ring{slots: make([]slot, n), bytes: make([]byte, n*size), next: make([]atomic.Uint32, n), cells: make([]atomic.Uint64, n), size: size}
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
	i, ok := r.take()
	if !ok {
		r.full.Add(1)
		return false
	}
	s := &r.slots[i]
	s.ev = *ev
	s.n = copy(r.space(i), raw)
	pos := r.tail.Add(1) - 1
	r.cell(pos).Store(filled(pos) | uint64(i))
	return true
}

// Take moves the oldest message out of the ring: its event into ev, its bytes to the end of dst[:0]. It is false, and dst comes
// back as it was, when there is none. Only one goroutine may call it.
func (r *Ring) Take(ev *Event, dst []byte) ([]byte, bool) {
	v := r.cell(r.head).Load()
	if v&^(maxSlots-1) != filled(r.head) {
		return dst, false
	}
	i := uint32(v & (maxSlots - 1))
	s := &r.slots[i]
	*ev = s.ev
	dst = append(dst[:0], r.space(i)[:s.n]...)
	s.ev = Event{} // its strings are the policy's, which may be an old one by the next time
	r.head++
	r.give(i)
	return dst, true
}

// Dropped counts what was not taken in since the start: because the ring was full, and because it was too large for a slot.
func (r *Ring) Dropped() (full, tooLarge uint64) { return r.full.Load(), r.tooLarge.Load() }

// take pops a free slot. The count in the upper half keeps a slot that left and came back in between from passing for one that
// never left.
func (r *Ring) take() (uint32, bool) {
	for {
		f := r.free.Load()
		if uint32(f) == 0 {
			return 0, false
		}
		i := uint32(f) - 1
		if r.free.CompareAndSwap(f, (f>>32+1)<<32|uint64(r.next[i].Load())) {
			return i, true
		}
	}
}

// give pushes a slot that was read.
func (r *Ring) give(i uint32) {
	for {
		f := r.free.Load()
		r.next[i].Store(uint32(f))
		if r.free.CompareAndSwap(f, (f>>32+1)<<32|uint64(i+1)) {
			return
		}
	}
}

func (r *Ring) cell(pos uint64) *atomic.Uint64 { return &r.cells[pos&uint64(len(r.cells)-1)] }

// filled is what a cell says of its position once it is written.
func filled(pos uint64) uint64 { return (pos + 1) << slotBits }

// space is the bytes of a slot.
func (r *Ring) space(i uint32) []byte {
	at := int(i) * r.size
	return r.bytes[at : at+r.size : at+r.size]
}
