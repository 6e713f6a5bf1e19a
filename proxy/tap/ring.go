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

// Ring is a bounded queue of many writers and one reader: two halves, of which one is written while the other one is read.
//
// A writer takes the next cell and the next bytes of the half that is written, both with one swap, fills them, and later says that the
// cell is full. When the reader has emptied its half it turns the ring: what was written becomes its own, and the writers begin the other half
// from its beginning.
//
// Invariants: the reader turns the ring only when each cell that was taken of its half was filled and read; what is behind the mark
// is nobody's. So a writer needs to know nothing but the mark, and one that was interrupted between reading and swapping it may go
// on: if the mark is the same again, so is what it says.
//
// The halves begin anew each time so that a ring that is read often uses little memory again and again, which the processor has
// in its cache. Two designs were tried before: a ring that goes through all of its memory (a message into cold memory cost three times
// as much), and a stack of free slots (warm, but with a second place, beside the mark, that all writers and the reader change: that
// was a fifth of what a Put cost).
type Ring struct {
	// Set once by NewRing.
	halves [2]half
	cells  uint64 // of each half
	lines  uint64 // of each half's bytes
	size   int    // of the longest message

	_        [64]byte
	mark     atomic.Uint64 // see the constants
	_        [56]byte
	read     reading // the reader's
	_        [64]byte
	full     atomic.Uint64
	tooLarge atomic.Uint64
}

// The mark: which half is written, how many of its cells are taken, and how many of its lines.
const (
	lineBytes = 64 // of a cache line: no two messages share one
	markHalf  = 1 << 63
	markCell  = 1 << 32
	markLines = 1<<32 - 1
)

type half struct {
	cells []Cell
	bytes []byte
}

// Cell is the place of one message. It is one cache line: two writers fill neighbours.
type Cell struct {
	ev    Event
	line  uint32 // where its bytes begin
	n     uint32 // how many there are
	state atomic.Uint32
	after uint32 // the reader's: the next one that it will read
	_     [8]byte
}

const filled = 1 // state of a cell that can be read; 0: it is free, being filled, or was read

// reading is what the reader knows of its half.
type reading struct {
	half  int
	taken uint32 // cells
	done  uint32 // of those: read
	next  uint32 // 1 + the cell to read; 0: none is known to be filled
}

// NewRing returns a ring of slots (rounded up to a power of two, 2 to 1,048,576) for messages of up to slotBytes (1 to
// 65,536); what is out of these bounds is brought to the next in them. While nobody reads it holds that many messages if they are half
// as long as the longest on average, and at most twice as many while somebody does.
func NewRing(slots, slotBytes int) *Ring {
	n := 1 << bits.Len(uint(min(max(slots, 2), maxSlots)-1))
	size := min(max(slotBytes, 1), maxSlotBytes)
	lines := max(n, linesOf(size), n*size/2/lineBytes)
	r := &Ring{cells: uint64(n), lines: uint64(lines), size: size}
	for i := range r.halves {
		r.halves[i] = half{cells: make([]Cell, n), bytes: make([]byte, lines*lineBytes)}
	}
	r.read.half = 1 // and nothing of it was taken
	return r
}

func linesOf(n int) int { return (n + lineBytes - 1) / lineBytes }

// Put copies an event and its message into the ring, at once; whoever calls it says Done of the cell soon, and the reader has it from
// then on. It is nil where nothing was copied: the ring was full, or the message is longer than the longest; Dropped counts
// both. Any goroutine may call it.
func (r *Ring) Put(ev *Event, raw []byte) *Cell {
	if len(raw) > r.size {
		r.tooLarge.Add(1)
		return nil
	}
	needs := uint64(linesOf(len(raw)))
	var m uint64
	for {
		m = r.mark.Load()
		if m&^markHalf/markCell == r.cells || m&markLines+needs > r.lines {
			r.full.Add(1)
			return nil
		}
		if r.mark.CompareAndSwap(m, m+markCell+needs) {
			break
		}
	}
	h := &r.halves[m/markHalf]
	c := &h.cells[m&^markHalf/markCell]
	c.line, c.n = uint32(m&markLines), uint32(len(raw))
	c.ev.set(ev)
	copy(h.bytes[m&markLines*lineBytes:], raw) // not by way of the cell: that would wait until its stores are done
	return c
}

// Done hands a cell to the reader, once. Nothing may be done with it after that. It has no effect on nil.
//
// It is not a part of Put because it has to wait until the processor has got hold of the memory that the copy went to, which the
// reader's processor had: half of what a Put cost. Called some hundred nanoseconds later it waits for nothing.
func (c *Cell) Done() {
	if c != nil {
		c.state.Store(filled)
	}
}

// Take moves the oldest message out of the ring: its event into ev, its bytes to the end of dst[:0]. It is false, and dst comes
// back as it was, when there is none. Only one goroutine may call it.
func (r *Ring) Take(ev *Event, dst []byte) ([]byte, bool) {
	if r.read.next == 0 && !r.look() {
		return dst, false
	}
	x := &r.read
	h := &r.halves[x.half]
	c := &h.cells[x.next-1]
	*ev = c.ev
	dst = append(dst[:0], h.at(c)...)
	c.ev.Tenant = "" // it is the policy's, which may be an old one by the next time
	c.state.Store(0)
	x.next = c.after
	x.done++
	return dst, true
}

// look finds filled cells, in the half that is read or, when that is empty, in the other one.
func (r *Ring) look() bool {
	x := &r.read
	if x.done == x.taken {
		if r.mark.Load()&^markHalf == 0 {
			return false
		}
		m := r.mark.Swap(uint64(x.half) * markHalf)
		*x = reading{half: int(m / markHalf), taken: uint32(m &^ markHalf / markCell)}
	}
	// A writer that was interrupted does not hold up the others: its cell is left for the next time. From the end to the beginning, so
	// that what is put because of something that was put is never seen without it.
	cells := r.halves[x.half].cells
	for i := x.taken; i > 0; i-- {
		if c := &cells[i-1]; c.state.Load() == filled {
			c.after, x.next = x.next, i
		}
	}
	return x.next != 0
}

// Dropped counts what was not taken in since the start: because the ring was full, and because it was too large for it.
func (r *Ring) Dropped() (full, tooLarge uint64) { return r.full.Load(), r.tooLarge.Load() }

// at is the bytes of a cell.
func (h *half) at(c *Cell) []byte {
	at := int(c.line) * lineBytes
	end := at + int(c.n)
	return h.bytes[at:end:end]
}
